//! The accounts follow their file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::file::{AccountsFile, FileProblem, Stamp};
use super::{Accounts, Book};
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
