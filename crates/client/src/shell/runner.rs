//! One command at a time: find its verb, do it, stop it.

use std::sync::Arc;

use futures_util::FutureExt;
use gaveta_text::{Text, escape};

use super::editor::Place;
use super::here::Here;
use super::words::{Word, quote};
use crate::answer::Answer;
use crate::fault::{Ended, Fault};
use crate::printer::Printer;
use crate::stop::{Signals, Told};
use crate::terminal;
use crate::verbs::{self, Context, complaint};

/// Runs commands, and hears Ctrl-C meanwhile.
pub(super) struct Runner {
    context: Context,
    pub(super) here: Arc<Here>,
    pub(super) signals: Signals,
}

/// What Ctrl-C does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    /// It stops the command; the second one asks whether to leave.
    Ask,
    /// It stops the command; the second one ends all.
    End,
}

impl Runner {
    pub(super) fn new(context: Context, here: Arc<Here>, signals: Signals) -> Self {
        Self {
            context,
            here,
            signals,
        }
    }

    pub(super) fn printer(&self) -> &Arc<Printer> {
        &self.context.printer
    }

    pub(super) fn text(&self) -> &Text {
        self.context.printer.text()
    }

    /// Where one is, as the prompt shows it.
    pub(super) fn place(&self) -> Place {
        let at = format!("{}:{}", self.here.server().host, self.here.folder());
        let full = match self.here.drawer().user() {
            Some(user) => format!("{user}@{at}"),
            None => at,
        };
        Place {
            full: escape(&full).into_owned(),
            search: self.text().say("shell-search", &[]),
        }
    }

    /// Tells a fault of the shell's own.
    pub(super) fn fault(&self, fault: &Fault) -> Ended {
        let _ = self.printer().fault(fault);
        Ended::of(fault)
    }

    /// Runs one command, tells all of it, and says how it ended.
    pub(super) async fn run(&mut self, command: &[Word], on_interrupt: OnInterrupt) -> Ended {
        let Some((word, words)) = command.split_first() else {
            return Ended::Done;
        };
        let Some(verb) = verbs::verb_in_shell(&word.text.to_lowercase()) else {
            return self.fault(&complaint::unknown(&word.text, self.text()));
        };
        let parser = verb.command_in_shell(self.text());
        let matches = match parser.try_get_matches_from(words.iter().map(|word| &word.text)) {
            Ok(matches) => matches,
            Err(error) => return self.refuse(&error, verb),
        };
        // A Ctrl-C from before is not meant for this command.
        while self.signals.next().now_or_never() == Some(Told::Interrupt) {}
        let again: Vec<String> = command
            .iter()
            .map(|word| quote(&word.text, None, false))
            .collect();
        let context = self
            .context
            .in_shell(Arc::clone(&self.here), again.join(" "));
        let cancel = context.cancel.clone();
        let ended = {
            let running = verb.run(&matches, context);
            tokio::pin!(running);
            let mut stopping = false;
            loop {
                tokio::select! {
                    ended = &mut running => break Some(ended),
                    told = self.signals.next() => {
                        cancel.cancel();
                        match told {
                            Told::Interrupt => terminal::forget_typed(),
                            Told::Terminate => self.here.leave(),
                        }
                        if stopping {
                            break None;
                        }
                        stopping = true;
                    }
                }
            }
        };
        self.here.changed();
        match ended {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => self.refuse(&error, verb),
            None => {
                // What hung was left behind; a store leaves nothing half done.
                match on_interrupt {
                    OnInterrupt::End => self.here.leave(),
                    OnInterrupt::Ask if !self.here.is_leaving() => self.ask_leave().await,
                    OnInterrupt::Ask => {}
                }
                Ended::Interrupted
            }
        }
    }

    fn refuse(&self, error: &clap::Error, verb: &verbs::Verb) -> Ended {
        match complaint::complaint(error, verb, self.text()) {
            Some(fault) => self.fault(&fault),
            None => {
                let help = verbs::in_language(&error.render().to_string(), self.text());
                for line in help.trim_end().lines() {
                    let _ = self.printer().line(line);
                }
                Ended::Done
            }
        }
    }

    /// Asks whether to leave. Another Ctrl-C says yes.
    pub(super) async fn ask_leave(&mut self) {
        let printer = Arc::clone(self.printer());
        let question = self.text().say("shell-ask-leave", &[]);
        loop {
            let answer = tokio::select! {
                answer = printer.ask(&question) => answer,
                _ = self.signals.next() => return self.here.leave(),
            };
            let Ok(Some(line)) = answer else {
                return self.here.leave();
            };
            match Answer::parse(&line) {
                Some(Answer::Yes | Answer::All) => return self.here.leave(),
                Some(Answer::No | Answer::None) => return,
                None => {}
            }
        }
    }
}
