//! The accounts follow their file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{Error, ErrorKind};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::file::{AccountsFile, FileProblem, Stamp};
use super::{Accounts, Book, Change};
use crate::control::{Answer, Steward};

/// How often the file is looked at. A look is one `stat`.
const LOOK: Duration = Duration::from_millis(300);

/// The file of the accounts, and what of it is in force.
#[derive(Debug)]
pub(crate) struct Keeping {
    accounts: Arc<Accounts>,
    file: AccountsFile,
    /// What was read last, right or wrong.
    seen: tokio::sync::Mutex<Option<Stamp>>,
}

impl Keeping {
    /// Follows this file, from a first look on that reads it whatever was read before.
    pub(crate) fn new(accounts: Arc<Accounts>, file: AccountsFile) -> Self {
        Self {
            accounts,
            file,
            seen: tokio::sync::Mutex::default(),
        }
    }

    /// Looks whether the file changed, and puts what it says in force. A file that makes no sense
    /// changes nothing.
    ///
    /// # Errors
    /// Why what it says is not in force; once for each state of the file, unless `always`.
    async fn look(&self, always: bool) -> Result<bool, FileProblem> {
        let mut seen = self.seen.lock().await;
        let file = self.file.clone();
        let known = *seen;
        let looked = tokio::task::spawn_blocking(move || {
            let stamp = file.stamp();
            let changed = always || stamp != known;
            (stamp, changed.then(|| file.read()))
        });
        let (stamp, read): (_, Option<Result<Book, FileProblem>>) = match looked.await {
            Ok(looked) => looked,
            Err(_) => return Ok(false),
        };
        let Some(read) = read else { return Ok(false) };
        *seen = stamp;
        self.accounts.replace(&read?);
        Ok(true)
    }

    /// Changes an account in the file and puts that in force. What has begun is done whole, also
    /// when nobody waits for it any more.
    ///
    /// # Errors
    /// `Exists` where the name is taken, `NotFound` where there is no such account or key, `Busy`
    /// where somebody else is changing the file, `Io`; then the file is as it was.
    pub(crate) async fn change(&self, name: &str, change: Change) -> Result<(), Error> {
        let (file, about) = (self.file.clone(), name.to_owned());
        let changed = tokio::task::spawn_blocking(move || file.change(&about, &change)).await;
        let changed = match changed {
            Ok(Ok(())) => self.look(true).await.map(|_| ()),
            Ok(Err(problem)) => Err(problem),
            Err(error) => return Err(Error::new(ErrorKind::Io).because(error)),
        };
        changed.map_err(|problem| {
            let kind = match &problem {
                FileProblem::Taken(_) => ErrorKind::Exists,
                FileProblem::NoAccount(_) | FileProblem::NoKey => ErrorKind::NotFound,
                FileProblem::Locked(_) => ErrorKind::Busy,
                FileProblem::Io(..)
                | FileProblem::Exposed(_)
                | FileProblem::Unreadable(_)
                | FileProblem::Wrong(..) => ErrorKind::Io,
            };
            Error::new(kind).about_text(name).because(problem)
        })
    }

    /// Follows the file, and ends what expires, for ever.
    pub(crate) async fn follow(&self) {
        let mut next = self.accounts.next_end();
        loop {
            // A clock that jumps is noticed with the next look.
            sleep(LOOK).await;
            match self.look(false).await {
                Ok(true) => {
                    let accounts = self.accounts.count();
                    tracing::info!(target: "gaveta::accounts", accounts, "accounts are in force");
                    next = self.accounts.next_end();
                }
                Ok(false) => {}
                Err(problem) => {
                    let why = gaveta_text::escape(&problem.to_string()).into_owned();
                    tracing::error!(
                        target: "gaveta::accounts", why, "the accounts stay as they were"
                    );
                }
            }
            let now = self.accounts.next_end();
            if next.is_some() && now != next {
                self.accounts.changes().happened();
                next = now;
            }
        }
    }
}

/// `{"do": "reload"}`: puts in force what the file says, before it answers.
#[async_trait]
impl Steward for Keeping {
    async fn answer(&self, word: &str, _: &Value) -> Option<Answer> {
        if word != "reload" {
            return None;
        }
        Some(match self.look(true).await {
            Ok(_) => Answer::Done(json!({ "accounts": self.accounts.count() })),
            Err(problem) => Answer::Failed {
                code: "bad-request".to_owned(),
                message: problem.to_string(),
            },
        })
    }
}
