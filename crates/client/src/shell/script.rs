//! Commands that nobody types: from `-c`, from a file, or from standard input without a terminal.

use std::io::Read;

use gaveta_core::{Error, ErrorKind};

use super::bad_line;
use super::runner::{OnInterrupt, Runner};
use super::words::take_apart;
use crate::fault::{Ended, Fault, Outcome};
use crate::terminal::{self, Line};

/// The largest file of commands, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Where the commands come from.
pub(super) enum Script {
    /// All of them.
    Given(String),
    /// Line by line, as they come.
    Input,
}

impl Script {
    /// What `-c` or `--file` says; none when neither was given.
    ///
    /// # Errors
    /// What the system says of the file; `TooLarge`; [`Fault::Usage`] when it is not UTF-8.
    pub(super) fn of(
        command: Option<String>,
        file: Option<&std::path::Path>,
    ) -> Outcome<Option<Self>> {
        if let Some(command) = command {
            return Ok(Some(Self::Given(command)));
        }
        let Some(file) = file else {
            return Ok(None);
        };
        if file == std::path::Path::new("-") {
            return Ok(Some(Self::Input));
        }
        let named = |error: Error| Fault::Store(error.about_text(file.to_string_lossy()));
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| named(error.into()))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(named(ErrorKind::TooLarge.into()));
        }
        let text = String::from_utf8(bytes).map_err(|_| Fault::usage("shell-not-utf8"))?;
        Ok(Some(Self::Given(text)))
    }

    /// The commands of standard input.
    pub(super) fn of_input() -> Self {
        Self::Input
    }

    /// Runs them; the first failure ends it, unless it is to go on.
    ///
    /// # Errors
    /// What reading the commands ends with.
    pub(super) async fn run(self, mut runner: Runner, keep_going: bool) -> Outcome<Ended> {
        let mut all = All::default();
        match self {
            Self::Given(text) => {
                let line = Line::Text(text);
                run_lines(&mut runner, &mut all, line, keep_going).await;
            }
            Self::Input => {
                let mut begun = String::new();
                loop {
                    let next = tokio::select! {
                        next = terminal::next_line() => next?,
                        _ = runner.signals.next() => return Ok(Ended::Interrupted),
                    };
                    let line = match next {
                        Some(Line::Text(line)) => {
                            begun.push_str(&line);
                            let goes_on = take_apart(&begun).open.is_some();
                            if goes_on && begun.len() <= terminal::MAX_LINE {
                                begun.push('\n');
                                continue;
                            }
                            Line::Text(std::mem::take(&mut begun))
                        }
                        Some(bad) => bad,
                        None if begun.is_empty() => break,
                        // Not closed: said below.
                        None => Line::Text(std::mem::take(&mut begun)),
                    };
                    if !run_lines(&mut runner, &mut all, line, keep_going).await {
                        break;
                    }
                }
            }
        }
        Ok(all.ended())
    }
}

/// Runs every command of a line. False when nothing more is to be run.
async fn run_lines(runner: &mut Runner, all: &mut All, line: Line, keep_going: bool) -> bool {
    let text = match (bad_line(&line), line) {
        (None, Line::Text(text)) => text,
        (fault, _) => {
            if let Some(fault) = fault {
                all.add(runner.fault(&fault));
            }
            return keep_going;
        }
    };
    let taken = take_apart(&text);
    if taken.open.is_some() {
        all.add(runner.fault(&Fault::usage("shell-not-closed")));
        return keep_going;
    }
    for command in &taken.commands {
        let ended = runner.run(command, OnInterrupt::End).await;
        let stops = ended == Ended::Interrupted || (ended != Ended::Done && !keep_going);
        all.add(ended);
        if stops || runner.here.is_leaving() {
            return false;
        }
    }
    true
}

/// How all of it ended.
#[derive(Debug, Default)]
struct All {
    kinds: Vec<ErrorKind>,
    usage: bool,
    interrupted: bool,
}

impl All {
    fn add(&mut self, ended: Ended) {
        match ended {
            Ended::Done => {}
            Ended::Usage => self.usage = true,
            Ended::Interrupted => self.interrupted = true,
            Ended::Failed(kinds) => {
                for kind in kinds {
                    if !self.kinds.contains(&kind) {
                        self.kinds.push(kind);
                    }
                }
            }
        }
    }

    fn ended(self) -> Ended {
        if self.interrupted {
            Ended::Interrupted
        } else if !self.kinds.is_empty() {
            Ended::Failed(self.kinds)
        } else if self.usage {
            Ended::Usage
        } else {
            Ended::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_happened_is_how_it_ended() {
        let ended = |list: &[Ended]| {
            let mut all = All::default();
            for one in list {
                all.add(one.clone());
            }
            all.ended()
        };
        let missing = Ended::Failed(vec![ErrorKind::NotFound]);
        assert_eq!(ended(&[]), Ended::Done);
        assert_eq!(ended(&[Ended::Done, Ended::Usage]), Ended::Usage);
        assert_eq!(
            ended(&[Ended::Usage, missing.clone(), missing.clone()]),
            missing
        );
        assert_eq!(ended(&[missing, Ended::Interrupted]), Ended::Interrupted);
    }

    #[test]
    fn a_file_of_commands_is_read_within_bounds() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("commands");
        std::fs::write(&file, "listar\nsair\n").unwrap();
        let script = Script::of(None, Some(&file)).unwrap();
        assert!(matches!(script, Some(Script::Given(text)) if text == "listar\nsair\n"));
        std::fs::write(&file, b"\xff").unwrap();
        assert!(matches!(
            Script::of(None, Some(&file)),
            Err(Fault::Usage(_))
        ));
        std::fs::File::create(&file)
            .unwrap()
            .set_len(MAX_FILE + 1)
            .unwrap();
        assert!(Script::of(None, Some(&file)).is_err());
        assert!(Script::of(None, Some(home.path())).is_err());
    }
}
