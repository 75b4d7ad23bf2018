//! `events`: whether the shell tells what others do.

use clap::Args;

use super::{Context, Run};
use crate::fault::{Ended, Outcome};

#[derive(Debug, Args)]
pub(super) struct Events {
    #[arg(value_name = "on|off", help = "arg-events-switch", hide_possible_values = true,
          value_parser = ["on", "off", "liga", "desliga"], ignore_case = true)]
    switch: Option<String>,
}

impl Run for Events {
    async fn run(self, context: Context) -> Outcome<Ended> {
        let here = context.needs_here()?;
        if let Some(switch) = &self.switch {
            here.tell_events(matches!(switch.to_lowercase().as_str(), "on" | "liga"));
        }
        let key = if here.tells_events() {
            "shell-events-on"
        } else {
            "shell-events-off"
        };
        context.printer.note(&context.text().say(key, &[]));
        Ok(Ended::Done)
    }
}
