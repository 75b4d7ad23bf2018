//! `lpwd`: where on this machine one is.

use clap::Args;
use gaveta_text::escape;
use serde_json::json;

use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Lpwd {}

impl Run for Lpwd {
    async fn run(self, context: Context) -> Outcome<Ended> {
        tell(&context)?;
        Ok(Ended::Done)
    }
}

/// Prints this machine's folder.
pub(super) fn tell(context: &Context) -> Outcome {
    let folder = std::env::current_dir().map_err(gaveta_core::Error::from)?;
    let folder = folder.to_string_lossy();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&json!({"type": "local-folder", "path": folder}))
    } else {
        printer.line(&escape(&folder))
    }
}
