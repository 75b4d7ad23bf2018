//! The accounts follow their file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gaveta_core::{Error, ErrorKind};
use gaveta_wire::audit::AuditBody;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{sleep, timeout};

use super::file::{AccountsFile, FileProblem};
use super::{Accounts, Book, Change, changes};
use crate::control::{Answer, Steward};
use crate::drawer::Drawer;
use crate::drawer::keys::admission::Whose;
use crate::drawer::pass::Door;
use crate::drawer::stamp::Stamp;

/// How often the file is looked at. A look is one `stat`.
const LOOK: Duration = Duration::from_millis(300);
/// How long a change waits for the others.
const TURN: Duration = Duration::from_secs(30);

/// The file of the accounts, and what of it is in force.
#[derive(Debug)]
pub(crate) struct Keeping {
    drawer: Arc<Drawer>,
    file: AccountsFile,
    seen: tokio::sync::Mutex<Seen>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// How the file looked; `None` where it was not there.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// When it was read last, right or wrong.
    read: Option<Stamp>,
    /// At the last look.
    last: Option<Stamp>,
    /// What is in force.
    book: Book,
}

/// Why it is looked.
#[derive(Debug)]
enum Look {
    /// The time has come.
    Again,
    /// Whoever this record is of says that it changed.
    Told(Box<AuditBody>),
}

impl Look {
    /// By whom and from where what is different was changed, as far as it is known.
    fn by(self) -> AuditBody {
        match self {
            Self::Again => AuditBody {
                door: Door::Inside.code().to_owned(),
                ..AuditBody::default()
            },
            Self::Told(by) => *by,
        }
    }
}

impl Keeping {
    /// Follows this file, which said this when the server began. What is kept of accounts that went
    /// while no server ran ends now.
    pub(crate) fn new(drawer: Arc<Drawer>, file: AccountsFile, book: Book) -> Self {
        let strays = !book.records.is_empty();
        let seen = Seen {
            book,
            ..Seen::default()
        };
        let keeping = Self {
            drawer,
            file,
            seen: tokio::sync::Mutex::new(seen),
            turn: Arc::default(),
        };
        if strays {
            keeping.end_strays(Whose::All, &Look::Again.by());
        }
        keeping
    }

    fn accounts(&self) -> &Arc<Accounts> {
        &self.drawer.entrance.accounts
    }

    /// Looks whether the file changed, and puts what it says in force. A file that makes no sense
    /// changes nothing. Unless told to, a change counts once two looks saw the same, since an
    /// editor may empty a file before it fills it; and one that is gone leaves all as it was. Of servers
    /// that follow one file, the one that writes tells of what nobody told it, lest it be told twice.
    ///
    /// # Errors
    /// Why what it says is not in force; once for each state of the file, unless told.
    async fn look(&self, why: Look) -> Result<bool, FileProblem> {
        let mut seen = self.seen.lock().await;
        let told = matches!(why, Look::Told(_));
        let by = why.by();
        let (file, known, last) = (self.file.clone(), seen.read, seen.last);
        let keys = Arc::clone(&self.drawer.keys);
        let looked = tokio::task::spawn_blocking(move || {
            let stamp = file.stamp();
            let changed = stamp != known && stamp == last;
            let read = (told || changed).then(|| match stamp {
                None if !told => Err(file.gone()),
                _ => file.read(),
            });
            // What was read must be what was looked at.
            let steady = told || read.is_none() || file.stamp() == stamp;
            let read = read.filter(|_| steady);
            let tells = told || (read.is_some() && keys.alone().is_ok());
            (stamp, read, tells)
        });
        let (stamp, read, tells): (_, Option<Result<Book, FileProblem>>, bool) = match looked.await
        {
            Ok(looked) => looked,
            Err(_) => return Ok(false),
        };
        seen.last = stamp;
        let Some(read) = read else { return Ok(false) };
        seen.read = stamp;
        let book = read?;
        self.accounts().replace(&book);
        if tells {
            self.tell(changes::between(&seen.book, &book), &by);
        }
        // A file that went, or was emptied by a slip, takes no tokens and links with it for good.
        let meant = stamp.is_some() && (told || !book.records.is_empty());
        if meant {
            let gone = changes::gone(&seen.book, &book);
            self.end_strays(Whose::These(&gone), &by);
        }
        // Not by what is different: who went with a slip, and does not come back, is gone too.
        if meant && !book.records.is_empty() {
            self.end_strays(Whose::All, &by);
        }
        seen.book = book;
        Ok(true)
    }

    /// Waits for the turn of a change: one after the other.
    ///
    /// # Errors
    /// `Busy` when others take too long.
    pub(crate) async fn turn(&self) -> Result<OwnedMutexGuard<()>, Error> {
        let turn = timeout(TURN, Arc::clone(&self.turn).lock_owned()).await;
        turn.map_err(|_| Error::new(ErrorKind::Busy))
    }

    /// Changes an account in the file and puts that in force, told as done by whom the record names.
    /// What has begun is done whole, also when nobody waits for it any more.
    ///
    /// # Errors
    /// `Exists` where the name is taken, `NotFound` where there is no such account or key, `Busy`
    /// where somebody else is changing the file, `ReadOnly` where another server writes, `Io`; then the
    /// file is as it was.
    pub(crate) async fn change(
        &self,
        by: AuditBody,
        name: &str,
        change: Change,
    ) -> Result<(), Error> {
        let (file, about) = (self.file.clone(), name.to_owned());
        // One that went is not begun anew: all that it said would be gone for good.
        let in_force = !self.seen.lock().await.book.records.is_empty();
        let keys = Arc::clone(&self.drawer.keys);
        let changed = tokio::task::spawn_blocking(move || {
            // Whoever only reads changes nothing while another server writes.
            let _alone = keys.alone()?;
            Ok(match file.stamp() {
                None if in_force => Err(file.gone()),
                _ => file.change(&about, &change),
            })
        })
        .await;
        let changed = changed.unwrap_or_else(|error| Err(Error::new(ErrorKind::Io).because(error)));
        let changed = match changed? {
            Ok(_) => self.look(Look::Told(Box::new(by))).await.map(|_| ()),
            Err(problem) => Err(problem),
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

    /// Enters what was done into the audit log, as done by whoever told of it.
    fn tell(&self, records: Vec<AuditBody>, by: &AuditBody) {
        for record in records {
            self.drawer.audit.record(AuditBody {
                account: by.account.clone(),
                token: by.token.clone(),
                from: by.from.clone(),
                door: by.door.clone(),
                ..record
            });
        }
    }

    /// Tokens and shares end with their account, tokens with its password too.
    fn end_strays(&self, whose: Whose<'_>, by: &AuditBody) {
        self.tell(self.drawer.keys.end_strays(whose), by);
    }

    /// Follows the file, and ends what expires, for ever.
    pub(crate) async fn follow(&self) {
        let mut next = self.accounts().next_end();
        loop {
            // A clock that jumps is noticed with the next look.
            sleep(LOOK).await;
            match self.look(Look::Again).await {
                Ok(true) => {
                    let accounts = self.accounts().count();
                    tracing::info!(target: "gaveta::accounts", accounts, "accounts are in force");
                    next = self.accounts().next_end();
                }
                Ok(false) => {}
                Err(problem) => {
                    let why = gaveta_text::escape(&problem.to_string()).into_owned();
                    tracing::error!(
                        target: "gaveta::accounts", why, "the accounts stay as they were"
                    );
                }
            }
            let now = self.accounts().next_end();
            if next.is_some() && now != next {
                self.accounts().changes().happened();
                next = now;
            }
        }
    }
}

/// `{"do": "reload"}`: puts in force what the file says, before it answers.
#[async_trait]
impl Steward for Keeping {
    async fn answer(&self, word: &str, _: &Value, user: u32) -> Option<Answer> {
        if word != "reload" {
            return None;
        }
        let by = AuditBody {
            from: format!("uid {user}"),
            door: Door::Local.code().to_owned(),
            ..AuditBody::default()
        };
        Some(match self.look(Look::Told(Box::new(by))).await {
            Ok(_) => Answer::Done(json!({ "accounts": self.accounts().count() })),
            Err(problem) => Answer::Failed {
                code: "bad-request".to_owned(),
                message: problem.to_string(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Base, HashedPassword, SignedIn};
    use super::*;
    use crate::drawer::entrance::Entrance;
    use crate::drawer::keys::desk;
    use crate::drawer::ledger::UploadLimits;
    use crate::drawer::pass::Origin;
    use futures_util::FutureExt;
    use gaveta_core::{Action, Path};
    use gaveta_wire::keys::NewTokenBody;
    use std::fs;

    const ANA: &str = "[account.ana]\ngrants = { '/' = 'viewer' }\n";

    fn keeping() -> (tempfile::TempDir, Keeping) {
        keeping_of(ANA)
    }

    fn keeping_of(text: &str) -> (tempfile::TempDir, Keeping) {
        let folder = tempfile::tempdir().unwrap();
        let file = AccountsFile::at(folder.path().join("gaveta.toml"));
        fs::write(file.path(), text).unwrap();
        let base = Base {
            ease: true,
            ..Base::default()
        };
        let book = file.read().unwrap();
        let entrance = Entrance::new(Accounts::new(base, &book)).unwrap();
        let store = Arc::new(gaveta_testkit::MemoryStore::new());
        let drawer = Drawer::new(store, entrance, UploadLimits::default());
        (folder, Keeping::new(drawer, file, book))
    }

    #[tokio::test]
    async fn a_change_counts_when_it_looks_the_same_twice() {
        let (_folder, keeping) = keeping();
        let there = |name: &str| keeping.accounts().find(name).is_some();
        while !keeping.look(Look::Again).await.unwrap() {}
        // An editor empties it, and fills it a little later.
        fs::write(keeping.file.path(), "").unwrap();
        assert!(!keeping.look(Look::Again).await.unwrap() && there("ana"));
        fs::write(keeping.file.path(), format!("{ANA}[account.bia]\n")).unwrap();
        assert!(!keeping.look(Look::Again).await.unwrap() && there("ana"));
        assert!(keeping.look(Look::Again).await.unwrap() && there("ana") && there("bia"));
        assert!(!keeping.look(Look::Again).await.unwrap());
    }

    impl Keeping {
        /// Makes a token of this account.
        fn add_token(&self, of: &str) {
            let new = NewTokenBody {
                name: "robot".to_owned(),
                account: None,
                scopes: Vec::new(),
                seconds: None,
            };
            desk::add_token(&self.drawer.keys, new, of.to_owned()).unwrap();
        }

        /// Whose tokens there are.
        fn tokens(&self) -> Vec<String> {
            let tokens = desk::tokens(&self.drawer.keys, None).into_iter();
            tokens.map(|token| token.account).collect()
        }

        /// This is in the file, and nobody told.
        async fn found(&self, text: &str) {
            fs::write(self.file.path(), text).unwrap();
            while !self.look(Look::Again).await.unwrap() {}
        }
    }

    #[tokio::test]
    async fn tokens_end_with_their_account_in_two_steps_too_and_with_its_password() {
        let bia = "[account.bia]\n";
        let both = format!("{ANA}{bia}");
        let (_folder, keeping) = keeping_of(&both);
        while !keeping.look(Look::Again).await.unwrap() {}
        keeping.add_token("ana");
        keeping.add_token("bia");
        // A slip takes none.
        keeping.found("").await;
        assert_eq!(keeping.tokens(), ["ana", "bia"]);
        keeping.found(bia).await;
        assert_eq!(keeping.tokens(), ["bia"]);
        keeping.found(&both).await;
        assert_eq!(keeping.tokens(), ["bia"]);
        let hash = HashedPassword::cheap("another").unwrap();
        let other = format!("{bia}password = '{}'\n", hash.hash());
        keeping.found(&other).await;
        assert!(keeping.tokens().is_empty());
    }

    #[tokio::test]
    async fn what_is_left_of_accounts_that_went_before_ends_at_the_start() {
        let (_folder, keeping) = keeping_of(&format!("{ANA}[account.bia]\n"));
        keeping.add_token("ana");
        keeping.add_token("bia");
        for (text, left) in [("", &["ana", "bia"][..]), (ANA, &["ana"])] {
            let (drawer, file) = (Arc::clone(&keeping.drawer), keeping.file.clone());
            let book = Book::parse(text).unwrap();
            drawer.entrance.accounts.replace(&book);
            assert_eq!(Keeping::new(drawer, file, book).tokens(), left);
        }
    }

    #[tokio::test]
    async fn who_may_no_longer_when_his_turn_comes_changes_nothing() {
        let boss = |role: &str| format!("{ANA}[account.boss]\ngrants = {{ '/' = '{role}' }}\n");
        let (_folder, keeping) = keeping_of(&boss("admin"));
        let keeping = Arc::new(keeping);
        let accounts = keeping.accounts();
        let mark = accounts.find("boss").unwrap().mark();
        let standing = Box::new(SignedIn::new(Arc::clone(accounts), "boss", mark));
        let entrance = &keeping.drawer.entrance;
        let pass = entrance.pass(standing, Origin::INSIDE).unwrap();
        let view = keeping.drawer.view(pass);
        let turn = keeping.turn().await.unwrap();
        let mut waits = Box::pin(view.change_account(&keeping, "ana", Change::Remove));
        assert!((&mut waits).now_or_never().is_none());
        keeping.found(&boss("viewer")).await;
        drop(turn);
        assert_eq!(waits.await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(keeping.file.read().unwrap().records.len(), 2);
    }

    #[tokio::test]
    async fn a_file_that_goes_is_told_once_and_changes_nothing() {
        let (_folder, keeping) = keeping();
        while !keeping.look(Look::Again).await.unwrap() {}
        fs::remove_file(keeping.file.path()).unwrap();
        assert!(!keeping.look(Look::Again).await.unwrap());
        keeping.look(Look::Again).await.unwrap_err();
        assert!(!keeping.look(Look::Again).await.unwrap());
        // Nor is it begun anew with who is added.
        let problem = keeping
            .change(AuditBody::default(), "ana", Change::Remove)
            .await
            .unwrap_err();
        assert_eq!(problem.kind(), ErrorKind::Io);
        assert!(keeping.file.stamp().is_none());
        assert!(keeping.accounts().find("ana").is_some());
        // Whoever says so means it; but nobody is let in who was not before.
        assert!(keeping.look(Look::Told(Box::default())).await.unwrap());
        assert!(keeping.accounts().find("ana").is_none());
        assert!(
            !keeping
                .accounts()
                .visitor()
                .may(Action::List, &Path::root())
        );
        fs::write(keeping.file.path(), ANA).unwrap();
        assert!(!keeping.look(Look::Again).await.unwrap());
        assert!(keeping.look(Look::Again).await.unwrap());
        assert!(keeping.accounts().find("ana").is_some());
    }
}
