//! The accounts as they are in force now, and whoever stands by one of them.

pub(crate) mod book;
mod change;
pub(crate) mod edit;
mod file;
pub(crate) mod keeping;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use gaveta_core::grant::fold;
use gaveta_core::{Account, Actions, Error, ErrorKind, Grants, Path, PathProblem, Role};

use super::pass::{Changes, Standing};
use super::password::AdminPassword;
pub use book::{Book, Problem, ProblemKind, Record, SshKey};
pub use change::{BadSetting, Change, Settings};
pub use file::{AccountsFile, FileProblem};

/// What holds whatever the file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    /// The administrator's password, unless the file has an account of that name.
    pub(crate) admin: Option<AdminPassword>,
    /// Only this machine can call: until there is an account, everybody lists, reads and sends.
    pub(crate) ease: bool,
    /// What everybody is granted, where that was asked for. The file's word goes before it.
    pub(crate) anonymous: Option<Actions>,
}

/// One who may sign in.
pub(crate) struct Person {
    account: Account,
    password: Option<AdminPassword>,
    disabled: bool,
    expires: Option<SystemTime>,
    /// Another password, another mark.
    mark: blake3::Hash,
    built_in: bool,
}

impl Person {
    fn new(record: &Record) -> Self {
        let hash = record.password.as_ref().map_or("", AdminPassword::hash);
        Self {
            account: Account::named(&record.name, record.grants.clone()).with_quota(record.quota),
            password: record.password.clone(),
            disabled: record.disabled,
            expires: record.expires,
            mark: blake3::hash(hash.as_bytes()),
            built_in: false,
        }
    }

    /// The password; none when nobody can sign in by one.
    pub(crate) fn password(&self) -> Option<&AdminPassword> {
        self.password.as_ref()
    }

    /// What changes with the password, and tells nothing about it.
    pub(crate) fn mark(&self) -> blake3::Hash {
        self.mark
    }

    /// The account, whether anybody may sign in with it now or not.
    pub(crate) fn known(&self) -> &Account {
        &self.account
    }

    /// Nobody signs in with it for now.
    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// From then on nobody signs in with it.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Is it the administrator's that no file has?
    pub(crate) fn is_built_in(&self) -> bool {
        self.built_in
    }

    /// The account, unless it is disabled or has expired.
    pub(crate) fn account(&self) -> Option<&Account> {
        let over = self.expires.is_some_and(|end| end <= SystemTime::now());
        (!self.disabled && !over).then_some(&self.account)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Table {
    people: HashMap<String, Arc<Person>>,
    visitor: Account,
    /// Visitors may what they may because nobody has an account.
    eased: bool,
    /// Every path that some grant names, in the order of their folded forms.
    ruled: Vec<Path>,
}

impl Table {
    fn new(base: &Base, book: &Book) -> Self {
        let mut people = HashMap::new();
        for record in &book.records {
            people.insert(record.name.clone(), Arc::new(Person::new(record)));
        }
        if let Some(password) = &base.admin
            && !people.contains_key(Account::ADMIN)
        {
            let record = Record {
                password: Some(password.clone()),
                ..Record::new(Account::ADMIN, Grants::everywhere(Actions::ALL))
            };
            let person = Person {
                built_in: true,
                ..Person::new(&record)
            };
            people.insert(Account::ADMIN.to_owned(), Arc::new(person));
        }
        let eased = base.ease && book.records.is_empty();
        let everybody = match (&book.anonymous, base.anonymous) {
            (Some(grants), _) => grants.clone(),
            (None, Some(actions)) => Grants::everywhere(actions),
            (None, None) if eased => Grants::everywhere(Role::Contributor.actions()),
            (None, None) => Grants::none(),
        };
        let grants = book.records.iter().map(|record| &record.grants);
        let mut ruled: Vec<Path> = grants
            .chain([&everybody])
            .flat_map(|grants| grants.paths().cloned())
            .filter(|path| !path.is_root())
            .collect();
        ruled.sort();
        ruled.dedup();
        Self {
            people,
            visitor: Account::visitor(everybody),
            eased: eased && book.anonymous.is_none() && base.anonymous.is_none(),
            ruled,
        }
    }
}

/// The accounts in force. A change counts at once, for whatever is open too.
#[derive(Debug)]
pub(crate) struct Accounts {
    base: Base,
    table: RwLock<Arc<Table>>,
    changes: Arc<Changes>,
}

impl Accounts {
    /// These accounts.
    pub(crate) fn new(base: Base, book: &Book) -> Arc<Self> {
        let table = RwLock::new(Arc::new(Table::new(&base, book)));
        Arc::new(Self {
            base,
            table,
            changes: Arc::default(),
        })
    }

    /// From now on these.
    pub(crate) fn replace(&self, book: &Book) {
        let table = Arc::new(Table::new(&self.base, book));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        self.changes.happened();
    }

    /// What counts the changes.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who has this name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Person>> {
        self.table().people.get(name).cloned()
    }

    /// Everybody who has an account, by name.
    pub(crate) fn people(&self) -> Vec<Arc<Person>> {
        let mut people: Vec<_> = self.table().people.values().cloned().collect();
        people.sort_by(|a, b| a.account.name().cmp(b.account.name()));
        people
    }

    /// The account of this name, unless it is disabled or has expired.
    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        self.find(name)?.account().cloned()
    }

    /// Everybody who did not sign in.
    pub(crate) fn visitor(&self) -> Account {
        self.table().visitor.clone()
    }

    /// May visitors do what they may because nobody has an account yet?
    pub(crate) fn is_eased(&self) -> bool {
        self.table().eased
    }

    /// When the next account expires.
    pub(crate) fn next_end(&self) -> Option<SystemTime> {
        let now = SystemTime::now();
        let table = self.table();
        let ends = table.people.values().filter_map(|person| person.expires);
        ends.filter(|end| *end > now).min()
    }

    /// How many may sign in, or could.
    pub(crate) fn count(&self) -> usize {
        self.table().people.len()
    }

    /// The folders on this path that are spelled otherwise than a grant's, and which some file
    /// system or reader takes for the same: the shortest first. Where one of them is not there
    /// yet, nobody makes it, lest the grant be fooled.
    pub(crate) fn lookalikes(&self, path: &Path) -> Vec<Path> {
        let table = self.table();
        if table.ruled.is_empty() {
            return Vec::new();
        }
        let folded = fold(path.as_str());
        let mut found: Vec<Path> = Vec::new();
        for ruled in &table.ruled {
            let theirs = fold(ruled.as_str());
            let (mut at, mut real) = (Path::root(), Path::root());
            let names = path.names().zip(ruled.names());
            for ((ours, rule), (a, b)) in names.zip(folded.split('/').zip(theirs.split('/'))) {
                let (Ok(next), Ok(next_real)) = (at.join(ours), real.join(rule)) else {
                    break;
                };
                (at, real) = (next, next_real);
                if a != b {
                    break;
                }
                if at != real {
                    if !table.ruled.contains(&at) && !found.contains(&at) {
                        found.push(at);
                    }
                    break;
                }
            }
        }
        found.sort_by_key(Path::depth);
        found
    }
}

/// The error about a name that looks like a granted one.
pub(crate) fn lookalike(path: &Path) -> Error {
    Error::at(ErrorKind::BadPath(PathProblem::Lookalike), path)
}

/// Whoever does not sign in.
#[derive(Debug)]
pub(crate) struct Everybody(pub(crate) Arc<Accounts>);

impl Standing for Everybody {
    fn account(&self) -> Option<Account> {
        Some(self.0.visitor())
    }
}

/// Whoever signed in by name and password: until the account is gone, disabled or expired, or has
/// another password.
#[derive(Debug)]
pub(crate) struct SignedIn {
    accounts: Arc<Accounts>,
    name: String,
    mark: blake3::Hash,
}

impl SignedIn {
    /// By the name and what the password was at that moment.
    pub(crate) fn new(accounts: Arc<Accounts>, name: &str, mark: blake3::Hash) -> Self {
        Self {
            accounts,
            name: name.to_owned(),
            mark,
        }
    }
}

impl Standing for SignedIn {
    fn account(&self) -> Option<Account> {
        let person = self.accounts.find(&self.name)?;
        (person.mark == self.mark).then(|| self.accounts.account(&self.name))?
    }
}
