//! `lcd`: into another folder of this machine; without a word, where one is.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use gaveta_core::Error;

use super::{Context, Run, lpwd};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Lcd {
    #[arg(value_name = "FOLDER", help = "arg-lcd-folder")]
    folder: Option<OsString>,
}

impl Run for Lcd {
    async fn run(self, context: Context) -> Outcome<Ended> {
        context.needs_here()?;
        if let Some(folder) = &self.folder {
            let shown = folder.to_string_lossy().into_owned();
            let folder = match shown.strip_prefix('~') {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => home(rest),
                _ => PathBuf::from(folder),
            };
            std::env::set_current_dir(folder)
                .map_err(|error| Error::from(error).about_text(shown))?;
        }
        lpwd::tell(&context)?;
        Ok(Ended::Done)
    }
}

fn home(rest: &str) -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default();
    home.join(rest.trim_start_matches('/'))
}
