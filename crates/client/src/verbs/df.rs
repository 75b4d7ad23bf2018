//! `df`: how much room the server has.

use clap::Args;
use gaveta_core::{Path, Store};
use serde_json::json;

use super::{Connection, Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Df {
    #[arg(value_name = "HOST[:PORT]", help = "arg-df-server")]
    server: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Run for Df {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let typed: Vec<String> = self.server.iter().cloned().collect();
        let asked = async {
            for server in context.addresses(&typed)? {
                let drawer = context.open(&server.server, &self.connection).await?;
                let space = drawer.remote.space().await;
                let space = space.map_err(|error| drawer.named(error, &Path::root()))?;
                let (text, printer) = (context.text(), &context.printer);
                if printer.is_json() {
                    let object = json!({"type": "space", "total": space.total, "free": space.free});
                    printer.json(&object)?;
                    continue;
                }
                let people = printer.is_for_people();
                for (key, bytes) in [("info-total", space.total), ("info-free", space.free)] {
                    let size = if people {
                        text.size(bytes)
                    } else {
                        bytes.to_string()
                    };
                    printer.line(&format!("{}: {size}", text.say(key, &[])))?;
                }
            }
            Ok(Ended::Done)
        };
        context.stoppable(asked).await
    }
}
