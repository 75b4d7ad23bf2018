//! `pwd`: where on the server one is.

use clap::Args;
use gaveta_text::escape;
use serde_json::json;

use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Pwd {}

impl Run for Pwd {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let here = context.needs_here()?;
        let folder = here.folder();
        let printer = &context.printer;
        if printer.is_json() {
            printer.json(&json!({"type": "folder", "path": folder.as_str()}))?;
        } else {
            printer.line(&escape(&folder.to_string()))?;
        }
        Ok(Ended::Done)
    }
}
