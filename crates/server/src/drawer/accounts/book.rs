//! `gaveta.toml`, read: who has an account, and what is wrong with the file and in which line.
//!
//! ```toml
//! [anonymous]                    # what everybody may who does not sign in
//! "/pub" = "viewer"
//!
//! [account.ana]
//! password = "$argon2id$…"
//! quota = "10G"
//! expires = 2027-01-31T00:00:00Z
//! disabled = false
//! keys = ["ssh-ed25519 AAAA… ana@laptop"]
//! grants = { "/" = "viewer", "/team" = "editor", "/team/money" = "none" }
//! ```

use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gaveta_core::grant::fold;
use gaveta_core::{Account, Actions, Grant, Grants, Path};
use toml_edit::{Document, Item, TableLike};

use super::super::password::HashedPassword;

/// The largest file that is read, in bytes.
pub(super) const LARGEST: u64 = 4 * 1024 * 1024;
/// The most accounts.
const ACCOUNTS: usize = 10_000;
/// The most grants, and the most keys, of one account.
const GRANTS: usize = 256;
const KEYS: usize = 64;

/// All accounts, as a file has them.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// The accounts, as they come.
    pub records: Vec<Record>,
    /// What everybody is granted who does not sign in, where the file says so.
    pub anonymous: Option<Grants>,
}

/// One account, as the file has it.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name that signs in.
    pub name: String,
    /// The password's hash; without one nobody signs in by a password.
    pub password: Option<HashedPassword>,
    /// What it may do where.
    pub grants: Grants,
    /// How many bytes it may keep.
    pub quota: Option<u64>,
    /// Its SSH public keys.
    pub keys: Vec<SshKey>,
    /// Nobody signs in with it for now.
    pub disabled: bool,
    /// From then on nobody signs in with it.
    pub expires: Option<SystemTime>,
}

impl Record {
    /// An account with these grants and nothing else.
    pub fn new(name: &str, grants: Grants) -> Self {
        Self {
            name: name.to_owned(),
            password: None,
            grants,
            quota: None,
            keys: Vec::new(),
            disabled: false,
            expires: None,
        }
    }
}

/// An SSH public key: its kind and its bytes. Only its form is checked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` and the like.
    pub kind: String,
    /// The key itself, as RFC 4253 (section 6.6) has it.
    pub blob: Vec<u8>,
    /// What its owner calls it.
    pub comment: String,
}

/// The kinds of keys that are taken. No DSA, which is broken.
const KEY_KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

impl SshKey {
    /// Reads a line as `authorized_keys` has it, without options: kind, base64, comment. The key
    /// must say within which kind it is. None for anything else.
    pub fn parse(line: &str) -> Option<Self> {
        if line.len() > 16 * 1024 || line.chars().any(char::is_control) {
            return None;
        }
        let mut words = line.trim().splitn(3, ' ');
        let (kind, encoded) = (words.next()?, words.next()?);
        let kind = KEY_KINDS.into_iter().find(|known| *known == kind)?;
        let blob = STANDARD.decode(encoded).ok()?;
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let key = rest.get(length..)?;
        if rest.get(..length)? != kind.as_bytes() || key.len() < 32 {
            return None;
        }
        Some(Self {
            kind: kind.to_owned(),
            comment: words.next().unwrap_or_default().trim().to_owned(),
            blob,
        })
    }
}

/// As `authorized_keys` has it.
impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, STANDARD.encode(&self.blob))?;
        match self.comment.as_str() {
            "" => Ok(()),
            comment => write!(f, " {comment}"),
        }
    }
}

/// What is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// No TOML.
    Syntax,
    /// A word that means nothing here.
    UnknownKey,
    /// A value of another type than is wanted.
    WrongType,
    /// No name of an account.
    BadName,
    /// Two accounts whose names people take for the same.
    TwiceName,
    /// No action and no role.
    BadGrant,
    /// No path of a drawer.
    BadPath,
    /// No argon2id hash.
    BadHash,
    /// No SSH public key.
    BadKey,
    /// No size in bytes.
    BadQuota,
    /// No date.
    BadDate,
    /// Too many of something.
    TooMany,
}

impl ProblemKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 12] = [
        Self::Syntax,
        Self::UnknownKey,
        Self::WrongType,
        Self::BadName,
        Self::TwiceName,
        Self::BadGrant,
        Self::BadPath,
        Self::BadHash,
        Self::BadKey,
        Self::BadQuota,
        Self::BadDate,
        Self::TooMany,
    ];

    /// The stable word for this kind.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown-key",
            Self::WrongType => "wrong-type",
            Self::BadName => "bad-name",
            Self::TwiceName => "name-twice",
            Self::BadGrant => "bad-grant",
            Self::BadPath => "bad-path",
            Self::BadHash => "bad-hash",
            Self::BadKey => "bad-key",
            Self::BadQuota => "bad-quota",
            Self::BadDate => "bad-date",
            Self::TooMany => "too-many",
        }
    }
}

/// What is wrong, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What.
    pub kind: ProblemKind,
    /// The word it is about; for [`ProblemKind::Syntax`] what the reader of TOML says.
    pub about: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {}: {}",
            self.line,
            self.kind.code(),
            self.about
        )
    }
}

impl std::error::Error for Problem {}

impl Book {
    /// Reads the file's text. All or nothing.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let reader = Reader { text };
        let document = Document::parse(text).map_err(|error| Problem {
            line: reader.line(error.span()),
            kind: ProblemKind::Syntax,
            about: error.message().to_owned(),
        })?;
        let mut book = Self::default();
        for (key, item) in document.iter() {
            let at = item.span();
            match key {
                "anonymous" => {
                    let grants = reader.table(item)?;
                    book.anonymous = Some(reader.grants(grants)?);
                }
                "account" => {
                    let accounts = reader.table(item)?;
                    reader.accounts(accounts, &mut book.records)?;
                }
                // Other tracks' sections would be read here; what nobody knows is a slip.
                _ => return Err(reader.problem(ProblemKind::UnknownKey, at, key)),
            }
        }
        Ok(book)
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, at: Option<Range<usize>>) -> usize {
        let before = at.and_then(|at| self.text.get(..at.start));
        before.map_or(1, |before| before.matches('\n').count() + 1)
    }

    fn problem(&self, kind: ProblemKind, at: Option<Range<usize>>, about: &str) -> Problem {
        Problem {
            line: self.line(at),
            kind,
            about: about.chars().take(200).collect(),
        }
    }

    fn table<'i>(&self, item: &'i Item) -> Result<&'i dyn TableLike, Problem> {
        item.as_table_like()
            .ok_or_else(|| self.problem(ProblemKind::WrongType, item.span(), item.type_name()))
    }

    fn text<'i>(&self, item: &'i Item) -> Result<&'i str, Problem> {
        item.as_str()
            .ok_or_else(|| self.problem(ProblemKind::WrongType, item.span(), item.type_name()))
    }

    fn accounts(&self, table: &dyn TableLike, records: &mut Vec<Record>) -> Result<(), Problem> {
        let mut names = std::collections::HashSet::new();
        for (name, item) in table.iter() {
            let at = table
                .key(name)
                .and_then(|key| key.span())
                .or_else(|| item.span());
            let wrong = |kind| self.problem(kind, at.clone(), name);
            if Account::check_name(name).is_err() {
                return Err(wrong(ProblemKind::BadName));
            }
            if !names.insert(fold(name)) {
                return Err(wrong(ProblemKind::TwiceName));
            }
            if records.len() >= ACCOUNTS {
                return Err(wrong(ProblemKind::TooMany));
            }
            records.push(self.record(name, self.table(item)?)?);
        }
        Ok(())
    }

    fn record(&self, name: &str, table: &dyn TableLike) -> Result<Record, Problem> {
        let mut record = Record::new(name, Grants::none());
        for (key, item) in table.iter() {
            let at = item.span();
            match key {
                "password" => {
                    let hash = HashedPassword::from_hash(self.text(item)?)
                        .map_err(|_| self.problem(ProblemKind::BadHash, at, name))?;
                    record.password = Some(hash);
                }
                "grants" => record.grants = self.grants(self.table(item)?)?,
                "quota" => record.quota = Some(self.quota(item)?),
                "keys" => record.keys = self.keys(item)?,
                "disabled" => {
                    record.disabled = item
                        .as_bool()
                        .ok_or_else(|| self.problem(ProblemKind::WrongType, at, key))?;
                }
                "expires" => record.expires = Some(self.date(item)?),
                _ => {
                    let at = table.key(key).and_then(|key| key.span()).or(at);
                    return Err(self.problem(ProblemKind::UnknownKey, at, key));
                }
            }
        }
        Ok(record)
    }

    fn grants(&self, table: &dyn TableLike) -> Result<Grants, Problem> {
        let mut grants: Vec<Grant> = Vec::new();
        for (at, item) in table.iter() {
            let span = || {
                table
                    .key(at)
                    .and_then(|key| key.span())
                    .or_else(|| item.span())
            };
            let path =
                granted_path(at).ok_or_else(|| self.problem(ProblemKind::BadPath, span(), at))?;
            let words = self.text(item)?;
            let actions = Actions::parse(words)
                .map_err(|_| self.problem(ProblemKind::BadGrant, item.span(), words))?;
            if grants.len() >= GRANTS {
                return Err(self.problem(ProblemKind::TooMany, span(), at));
            }
            // "/a" and "a" are one path: what takes away must not depend on which comes first.
            if grants.iter().any(|grant| grant.path == path) {
                return Err(self.problem(ProblemKind::BadPath, span(), at));
            }
            grants.push(Grant { path, actions });
        }
        Ok(Grants::new(grants))
    }

    fn quota(&self, item: &Item) -> Result<u64, Problem> {
        let bad = |about: &str| self.problem(ProblemKind::BadQuota, item.span(), about);
        match (item.as_integer(), item.as_str()) {
            (Some(bytes), _) => u64::try_from(bytes).map_err(|_| bad(&bytes.to_string())),
            (None, Some(text)) => size(text).ok_or_else(|| bad(text)),
            (None, None) => Err(bad(item.type_name())),
        }
    }

    fn keys(&self, item: &Item) -> Result<Vec<SshKey>, Problem> {
        let array = item
            .as_array()
            .ok_or_else(|| self.problem(ProblemKind::WrongType, item.span(), "keys"))?;
        if array.len() > KEYS {
            return Err(self.problem(ProblemKind::TooMany, item.span(), "keys"));
        }
        let key = |value: &toml_edit::Value| {
            let text = value.as_str().unwrap_or_default();
            SshKey::parse(text).ok_or_else(|| self.problem(ProblemKind::BadKey, value.span(), text))
        };
        array.iter().map(key).collect()
    }

    fn date(&self, item: &Item) -> Result<SystemTime, Problem> {
        let text = match (item.as_datetime(), item.as_str()) {
            (Some(date), _) => date.to_string(),
            (None, Some(text)) => text.to_owned(),
            (None, None) => item.type_name().to_owned(),
        };
        date(&text).ok_or_else(|| self.problem(ProblemKind::BadDate, item.span(), &text))
    }
}

/// A path as a person writes it in a grant: with or without a slash before and behind.
pub fn granted_path(text: &str) -> Option<Path> {
    let text = text.strip_prefix('/').unwrap_or(text);
    Path::parse(text.strip_suffix('/').unwrap_or(text)).ok()
}

/// A moment as RFC 3339 has it, or a date alone: its first moment, in UTC.
pub(crate) fn date(text: &str) -> Option<SystemTime> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.replacen(' ', "T", 1),
    };
    gaveta_wire::body::time_from_text(&whole).ok()
}

/// Bytes, or so many K, M, G or T (1024 each), with or without `iB` or `B`.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit
        .trim_start()
        .to_ascii_lowercase()
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::Action;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$qc0KxBMYEMfBGHLI8vPyUQ";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ana@laptop";

    #[test]
    fn a_file_is_read_with_all_that_it_may_say() {
        let text = format!(
            "# ours\n[anonymous]\n\"/pub\" = \"viewer\"\n\n[account.ana]\npassword = '{HASH}'\n\
             quota = \"10G\"\nexpires = 2027-01-31T00:00:00Z\nkeys = [\"{KEY}\"]\n\
             grants = {{ \"/\" = \"viewer\", \"/team/\" = \"editor\", \"team/money\" = \"none\" }}\n\
             [account.\"joão\"]\ndisabled = true\nquota = 5\nexpires = 2027-01-31\n"
        );
        let book = Book::parse(&text).unwrap();
        let [ana, joao] = &book.records[..] else {
            panic!("{book:?}")
        };
        assert_eq!((ana.name.as_str(), ana.quota), ("ana", Some(10 << 30)));
        assert!(ana.expires.is_some() && ana.expires == joao.expires);
        assert_eq!(ana.keys[0].to_string(), KEY);
        let at = |path: &str| ana.grants.at(&Path::parse(path).unwrap()).to_string();
        assert_eq!(
            (at("x"), at("team/x"), at("team/money")),
            ("viewer".into(), "editor".into(), "none".into())
        );
        assert!(joao.disabled && joao.password.is_none() && joao.quota == Some(5));
        let everybody = book.anonymous.unwrap();
        assert!(everybody.allow(Action::Read, &Path::parse("pub/a").unwrap()));
        assert!(Book::parse("").unwrap().records.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        use ProblemKind::*;
        for (text, line, kind) in [
            ("[account.ana]\nquota = \n", 2, Syntax),
            ("[account.ana]\n[account.ana]\n", 2, Syntax),
            ("\n[acount.ana]\n", 2, UnknownKey),
            ("[account.ana]\n\nqouta = 1\n", 3, UnknownKey),
            ("account = 1\n", 1, WrongType),
            ("[account.ana]\ndisabled = \"no\"\n", 2, WrongType),
            ("[account.\"a b\"]\n", 1, BadName),
            ("[account.visitor]\n", 1, BadName),
            ("[account.ana]\n[account.ANA]\n", 2, TwiceName),
            (
                "[account.ana]\ngrants = { \"/\" = \"everything\" }\n",
                2,
                BadGrant,
            ),
            ("[account.ana.grants]\n\"/../x\" = \"viewer\"\n", 2, BadPath),
            (
                "[account.ana.grants]\n\"/x\" = \"viewer\"\n\"x\" = \"none\"\n",
                3,
                BadPath,
            ),
            ("[anonymous]\n\"/.gaveta\" = \"viewer\"\n", 2, BadPath),
            ("[account.ana]\npassword = \"1234\"\n", 2, BadHash),
            ("[account.ana]\nkeys = [\n\"ssh-dss AAAA\"\n]\n", 3, BadKey),
            ("[account.ana]\nkeys = [1]\n", 2, BadKey),
            ("[account.ana]\nquota = -1\n", 2, BadQuota),
            ("[account.ana]\nquota = \"10 apples\"\n", 2, BadQuota),
            ("[account.ana]\nexpires = \"tomorrow\"\n", 2, BadDate),
            ("[account.ana]\nexpires = 07:32:00\n", 2, BadDate),
        ] {
            let problem = Book::parse(text).unwrap_err();
            assert_eq!(
                (problem.line, problem.kind),
                (line, kind),
                "{text}: {problem}"
            );
        }
        let many: String = (0..300)
            .map(|n| format!("\"/{n}\" = \"viewer\"\n"))
            .collect();
        let problem = Book::parse(&format!("[anonymous]\n{many}")).unwrap_err();
        assert_eq!(problem.kind, TooMany);
    }

    #[test]
    fn keys_are_what_they_say() {
        assert!(SshKey::parse(KEY).is_some());
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA",
            "command=\"sh\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "ssh-ed25519 /////zAC3NzaC1lZDI1NTE5AAAAIA== x",
        ] {
            assert!(SshKey::parse(bad).is_none(), "{bad}");
        }
    }
}
