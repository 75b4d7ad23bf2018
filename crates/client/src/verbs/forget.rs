//! `forget`: a server's fingerprint is not known any more.

use clap::Args;
use gaveta_core::ErrorKind;
use serde_json::json;

use super::{Context, Run};
use crate::address::Address;
use crate::fault::{Ended, Fault, Outcome, Sentence};
use crate::pins::Pins;

#[derive(Debug, Args)]
pub(super) struct Forget {
    #[arg(value_name = "HOST[:PORT]", help = "arg-forget-server")]
    server: String,
}

impl Run for Forget {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let server = Address::parse(&self.server)?.server;
        let pins = Pins::of_person()
            .ok_or_else(|| Fault::Said(ErrorKind::Io, Sentence::new("tls-no-home")))?;
        let said = |key| Sentence::new(key).with("server", server.to_string());
        if !pins.forget(&server.address())? {
            return Err(Fault::Said(ErrorKind::NotFound, said("tls-not-known")));
        }
        let printer = &context.printer;
        if printer.is_json() {
            printer.json(&json!({"type": "forgotten", "server": server.to_string()}))?;
        } else {
            printer.line(&said("tls-forgot").say(context.text()))?;
        }
        Ok(Ended::Done)
    }
}
