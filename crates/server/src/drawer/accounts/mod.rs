//! The accounts as they are in force now, and whoever stands by one of them.

pub(crate) mod book;
mod change;
pub(crate) mod changes;
pub(crate) mod edit;
mod file;
pub(crate) mod keeping;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use gaveta_core::grant::fold;
use gaveta_core::{Account, Actions, Error, ErrorKind, Grants, Path, PathProblem, Role};

use super::pass::{Changes, Standing};
use super::password::HashedPassword;
pub use book::{Book, Problem, ProblemKind, Record, SshKey};
pub use change::{BadSetting, Change, Settings};
pub use file::{AccountsFile, FileProblem};

/// What holds whatever the file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    /// The administrator's password, unless the file has an account of that name.
    pub(crate) admin: Option<HashedPassword>,
    /// Only this machine can call: until there has been an account, everybody lists, reads and
    /// sends.
    pub(crate) ease: bool,
    /// What everybody is granted, where that was asked for. The file's word goes before it.
    pub(crate) anonymous: Option<Actions>,
}

/// One who may sign in.
pub(crate) struct Person {
    account: Account,
    password: Option<HashedPassword>,
    disabled: bool,
    expires: Option<SystemTime>,
    /// Another password, another mark.
    mark: blake3::Hash,
    built_in: bool,
}

impl Person {
    fn new(record: &Record) -> Self {
        let hash = record.password.as_ref().map_or("", HashedPassword::hash);
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
    pub(crate) fn password(&self) -> Option<&HashedPassword> {
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
    /// How the folders are spelled that lead to some path which a grant names, that path itself
    /// included: by their folded form.
    spelled: HashMap<String, HashSet<String>>,
    /// There are accounts of the file, or were since the server began: the ease is over.
    settled: bool,
}

impl Table {
    fn new(base: &Base, book: &Book, settled: bool) -> Self {
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
        let settled = settled || !book.records.is_empty();
        let eased = base.ease && !settled;
        let everybody = match (&book.anonymous, base.anonymous) {
            (Some(grants), _) => grants.clone(),
            (None, Some(actions)) => Grants::everywhere(actions),
            (None, None) if eased => Grants::everywhere(Role::Contributor.actions()),
            (None, None) => Grants::none(),
        };
        let grants = book.records.iter().map(|record| &record.grants);
        let mut spelled: HashMap<String, HashSet<String>> = HashMap::new();
        for path in grants.chain([&everybody]).flat_map(Grants::paths) {
            for (path, folded) in prefixes(path.as_str(), &fold(path.as_str())) {
                let spellings = spelled.entry(folded.to_owned()).or_default();
                if !spellings.contains(path) {
                    spellings.insert(path.to_owned());
                }
            }
        }
        Self {
            people,
            visitor: Account::visitor(everybody),
            eased: eased && book.anonymous.is_none() && base.anonymous.is_none(),
            spelled,
            settled,
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
        let table = RwLock::new(Arc::new(Table::new(&base, book, false)));
        Arc::new(Self {
            base,
            table,
            changes: Arc::default(),
        })
    }

    /// From now on these. Once there was one, the ease never comes back.
    pub(crate) fn replace(&self, book: &Book) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(Table::new(&self.base, book, table.settled));
        drop(table);
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

    /// The first folder on this path that is spelled otherwise than any that leads to a granted
    /// one, and which some file system or reader takes for the same. Where it is not there yet,
    /// nobody makes it, lest the grant be fooled.
    pub(crate) fn lookalike(&self, path: &Path) -> Option<Path> {
        let table = self.table();
        if table.spelled.is_empty() {
            return None;
        }
        for (at, folded) in prefixes(path.as_str(), &fold(path.as_str())) {
            // What leads to none leads to none further down.
            if !table.spelled.get(folded)?.contains(at) {
                return Path::parse(at).ok();
            }
        }
        None
    }
}

/// The path's beginnings and those of its folded form, name by name; none for the root.
fn prefixes<'a>(path: &'a str, folded: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    fn ends(text: &str) -> impl Iterator<Item = &str> {
        let ends = text.match_indices('/').map(|(at, _)| at);
        let ends = ends.chain([text.len()]).filter(|end| *end > 0);
        ends.map(|end| text.get(..end).unwrap_or_default())
    }
    ends(path).zip(ends(folded))
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
#[derive(Debug, Clone)]
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

    /// The name that signed in.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Standing for SignedIn {
    fn account(&self) -> Option<Account> {
        let person = self.accounts.find(&self.name)?;
        (person.mark == self.mark).then(|| self.accounts.account(&self.name))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_granted_folder_is_found_at_its_first_name() {
        let book = "[account.ana]\ngrants = { '/Team/joão' = 'viewer', '/pub' = 'none' }\n\
                    [account.bia]\ngrants = { '/team/x' = 'viewer' }\n";
        let accounts = Accounts::new(Base::default(), &Book::parse(book).unwrap());
        let found = |text: &str| {
            let path = Path::parse(text).unwrap();
            let found = accounts.lookalike(&path);
            found.map(|path| path.as_str().to_owned())
        };
        for (path, at) in [
            ("", None),
            ("other/PUB", None),
            ("pub/x", None),
            ("pubx", None),
            ("Pub/x/y", Some("Pub")),
            ("TEAM/JOÃO", Some("TEAM")),
            ("Team", None),
            ("Team/JOÃO/x", Some("Team/JOÃO")),
            // Either spelling is some grant's, but beneath it only its own.
            ("team/joão", Some("team/joão")),
            ("team/x", None),
            ("team/xy", None),
        ] {
            assert_eq!(found(path).as_deref(), at, "{path}");
        }
        let nobody = Accounts::new(Base::default(), &Book::default());
        assert!(nobody.lookalike(&Path::parse("pub").unwrap()).is_none());
    }
}
