//! What may be done where: actions, roles that are short for some of them, and grants by path.
//!
//! The nearest grant decides: the one whose path is the place itself or the closest folder above
//! it. So a grant may give less beneath than above (`none` is a grant too). Paths are compared by
//! whole names. A grant that takes away also counts for names that differ from its own only in
//! case or in Unicode form, for some file systems take those for the same; one that gives counts
//! for its own names alone.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};
use crate::path::Path;

/// One thing an account may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See names, sizes and dates.
    List,
    /// Read contents.
    Read,
    /// Make what was not there.
    Create,
    /// Change or replace what is there.
    Replace,
    /// Delete or move away what is there.
    Delete,
    /// Look after the server.
    Manage,
}

impl Action {
    /// Every action, for tables and tests.
    pub const ALL: [Self; 6] = [
        Self::List,
        Self::Read,
        Self::Create,
        Self::Replace,
        Self::Delete,
        Self::Manage,
    ];

    /// The stable word for this action.
    pub const fn code(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Manage => "manage",
        }
    }
}

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Actions(u8);

impl Actions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self::NONE
        .with(Action::List)
        .with(Action::Read)
        .with(Action::Create)
        .with(Action::Replace)
        .with(Action::Delete)
        .with(Action::Manage);

    /// These and one more.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << action as u8)
    }

    /// Is it among them?
    pub const fn has(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Is there none?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One after the other, in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL
            .into_iter()
            .filter(move |action| self.has(*action))
    }

    /// Reads words with commas between: actions, roles, or `none`.
    ///
    /// # Errors
    /// `BadRequest` that names the word.
    pub fn parse(text: &str) -> Result<Self> {
        let mut actions = Self::NONE;
        for word in text.split(',').map(str::trim) {
            let action = Action::ALL.into_iter().find(|action| action.code() == word);
            let role = Role::ALL.into_iter().find(|role| role.code() == word);
            actions = match (action, role) {
                (Some(action), _) => actions.with(action),
                (None, Some(role)) => actions.or(role.actions()),
                (None, None) if word == "none" => actions,
                (None, None) => {
                    let why = format!("{word:?} is no action and no role");
                    return Err(Error::bad_request(why));
                }
            };
        }
        Ok(actions)
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The role, where it is one; else the actions with commas between. [`Actions::parse`] reads it.
impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        if let Some(role) = Role::ALL.into_iter().find(|role| role.actions() == *self) {
            return f.write_str(role.code());
        }
        for (n, action) in self.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{}", action.code())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actions({self})")
    }
}

/// Some actions under one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Lists and reads.
    Viewer,
    /// And makes what was not there.
    Contributor,
    /// And changes, replaces and deletes.
    Editor,
    /// And looks after the server.
    Admin,
}

impl Role {
    /// Every role, for tables and tests.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Contributor, Self::Editor, Self::Admin];

    /// The stable word for this role.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Contributor => "contributor",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// What it is short for.
    pub const fn actions(self) -> Actions {
        let viewer = Actions::NONE.with(Action::List).with(Action::Read);
        let contributor = viewer.with(Action::Create);
        match self {
            Self::Viewer => viewer,
            Self::Contributor => contributor,
            Self::Editor => contributor.with(Action::Replace).with(Action::Delete),
            Self::Admin => Actions::ALL,
        }
    }
}

/// These actions at this path and beneath, as far as no nearer grant says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Where.
    pub path: Path,
    /// What.
    pub actions: Actions,
}

/// All that somebody is granted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The deepest first; no path twice.
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    path: Path,
    folded: String,
    depth: usize,
    actions: Actions,
}

impl Grants {
    /// Nothing anywhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// These actions everywhere.
    pub fn everywhere(actions: Actions) -> Self {
        Self::new([Grant {
            path: Path::root(),
            actions,
        }])
    }

    /// These grants. A path that comes twice is granted what either says.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for Grant { path, actions } in grants {
            match rules.iter_mut().find(|rule| rule.path == path) {
                Some(rule) => rule.actions = rule.actions.or(actions),
                None => rules.push(Rule {
                    folded: fold(path.as_str()),
                    depth: path.depth(),
                    path,
                    actions,
                }),
            }
        }
        rules.sort_by(|a, b| b.depth.cmp(&a.depth).then_with(|| a.path.cmp(&b.path)));
        Self { rules }
    }

    /// The grants one by one, by path.
    pub fn iter(&self) -> impl Iterator<Item = Grant> {
        let mut rules: Vec<&Rule> = self.rules.iter().collect();
        rules.sort_by(|a, b| a.path.cmp(&b.path));
        rules.into_iter().map(|rule| Grant {
            path: rule.path.clone(),
            actions: rule.actions,
        })
    }

    /// What is granted at this very place.
    pub fn at(&self, path: &Path) -> Actions {
        let nearest = self.rules.iter().find(|rule| rule.path.holds(path));
        let (actions, depth) = nearest.map_or((Actions::NONE, None), |rule| {
            (rule.actions, Some(rule.depth))
        });
        if actions.is_empty() || self.deepest() <= depth {
            return actions;
        }
        let folded = fold(path.as_str());
        let mut closest = depth;
        let mut left = actions;
        for rule in &self.rules {
            if Some(rule.depth) <= depth || Some(rule.depth) < closest {
                break;
            }
            if holds(&rule.folded, &folded) {
                left = left.and(rule.actions);
                closest = Some(rule.depth);
            }
        }
        left
    }

    fn deepest(&self) -> Option<usize> {
        self.rules.first().map(|rule| rule.depth)
    }

    /// Is this granted here?
    pub fn allow(&self, action: Action, path: &Path) -> bool {
        self.at(path).has(action)
    }

    /// Is this granted here and at every place beneath?
    pub fn allow_beneath(&self, action: Action, path: &Path) -> bool {
        self.allow(action, path)
            && self
                .beneath(path)
                .all(|rule| self.allow(action, &rule.path) && rule.actions.has(action))
    }

    /// Is this granted here, or anywhere beneath?
    pub fn allow_within(&self, action: Action, path: &Path) -> bool {
        self.allow(action, path) || self.beneath(path).any(|rule| rule.actions.has(action))
    }

    /// Is the same granted here and at every place beneath?
    pub fn is_even(&self, path: &Path) -> bool {
        self.beneath(path).next().is_none()
    }

    fn beneath(&self, path: &Path) -> impl Iterator<Item = &Rule> {
        let depth = path.depth();
        let folded = match self.deepest() > Some(depth) {
            true => fold(path.as_str()),
            false => String::new(),
        };
        self.rules
            .iter()
            .take_while(move |rule| rule.depth > depth)
            .filter(move |rule| holds(&folded, &rule.folded))
    }

    /// Is this folder on the way to something that may be listed? So it shows, as a folder that
    /// holds only what leads there.
    pub fn leads(&self, folder: &Path) -> bool {
        self.rules.iter().any(|rule| {
            rule.actions.has(Action::List) && rule.path != *folder && folder.holds(&rule.path)
        })
    }

    /// May whoever has these know that something is here?
    pub fn shows(&self, path: &Path) -> bool {
        self.allow(Action::List, path) || self.leads(path)
    }

    /// Is this granted at any place at all?
    pub fn anywhere(&self, action: Action) -> bool {
        self.rules.iter().any(|rule| rule.actions.has(action))
    }

    /// What both these and the others grant.
    #[must_use]
    pub fn within(&self, others: &Self) -> Self {
        let paths = self.rules.iter().chain(&others.rules);
        let both = paths.map(|rule| (rule.path.clone(), self.at(&rule.path)));
        let mut rules: Vec<Grant> = Vec::new();
        for (path, actions) in both {
            if rules.iter().all(|grant| grant.path != path) {
                let actions = actions.and(others.at(&path));
                rules.push(Grant { path, actions });
            }
        }
        Self::new(rules)
    }

    /// The paths that are granted something, or nothing, of their own.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.rules.iter().map(|rule| &rule.path)
    }
}

/// A name or path in the form in which those that some file systems take for the same are equal:
/// case folded, then NFC.
///
/// Source: the Unicode Standard, section 3.13 (default caseless matching), by way of upper case.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect()
}

/// Is `path` the folder itself or beneath it? Of folded texts.
fn holds(folder: &str, path: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn grants(of: &[(&str, &str)]) -> Grants {
        Grants::new(of.iter().map(|(at, what)| Grant {
            path: path(at),
            actions: Actions::parse(what).unwrap(),
        }))
    }

    #[test]
    fn words_lead_to_actions_and_back() {
        for (text, shown) in [
            ("viewer", "viewer"),
            ("list,read", "viewer"),
            (" read , list ", "viewer"),
            ("create", "create"),
            ("viewer,delete", "list,read,delete"),
            ("none", "none"),
            ("admin", "admin"),
        ] {
            let actions = Actions::parse(text).unwrap();
            assert_eq!(actions.to_string(), shown);
            assert_eq!(Actions::parse(shown).unwrap(), actions);
        }
        for bad in ["", "Viewer", "write", "list,", "list;read"] {
            assert!(Actions::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_grant_decides_by_whole_names() {
        let ana = grants(&[("", "viewer"), ("team", "editor"), ("team/money", "none")]);
        for (at, shown) in [
            ("", "viewer"),
            ("teams", "viewer"),
            ("tea", "viewer"),
            ("team", "editor"),
            ("team/a/b", "editor"),
            ("team/money", "none"),
            ("team/money/x", "none"),
            ("team/money2", "editor"),
        ] {
            assert_eq!(ana.at(&path(at)).to_string(), shown, "{at}");
        }
        assert!(!ana.allow_beneath(Action::Delete, &path("team")));
        assert!(ana.allow_beneath(Action::Delete, &path("team/a")));
        assert!(ana.is_even(&path("team/a")) && !ana.is_even(&path("team")));
    }

    #[test]
    fn what_takes_away_is_not_fooled_by_another_spelling_and_what_gives_is_exact() {
        let ana = grants(&[("", "editor"), ("Caf\u{e9}", "none")]);
        for at in ["Caf\u{e9}", "Cafe\u{301}", "CAF\u{c9}", "cafe\u{301}/x"] {
            assert!(ana.at(&path(at)).is_empty(), "{at}");
            assert!(!ana.shows(&path(at)), "{at}");
        }
        assert!(!ana.allow_beneath(Action::Delete, &path("")));
        let bob = grants(&[("Team", "editor")]);
        assert!(bob.at(&path("team/x")).is_empty());
        assert!(bob.allow(Action::Read, &path("Team/x")));
        // Two spellings with a grant of their own each have their own.
        let eva = grants(&[("a", "editor"), ("A", "viewer")]);
        assert_eq!(eva.at(&path("a/x")).to_string(), "editor");
        assert_eq!(eva.at(&path("A/x")).to_string(), "viewer");
    }

    #[test]
    fn the_way_to_a_granted_folder_shows_and_nothing_else() {
        let bob = grants(&[("a/b/c", "viewer"), ("hidden/drop", "create")]);
        for at in ["", "a", "a/b"] {
            assert!(bob.leads(&path(at)) && bob.shows(&path(at)), "{at}");
            assert!(!bob.allow(Action::List, &path(at)), "{at}");
        }
        for at in ["a/x", "b", "hidden", "hidden/drop", "a/b/cc"] {
            assert!(!bob.shows(&path(at)), "{at}");
        }
        assert!(bob.shows(&path("a/b/c/d")) && !bob.leads(&path("a/b/c")));
    }

    fn any_grants() -> impl Strategy<Value = Grants> {
        let at = prop::collection::vec(prop::sample::select(vec!["a", "b", "A"]), 0..4);
        prop::collection::vec((at, 0u8..64), 0..6).prop_map(|all| {
            Grants::new(all.into_iter().map(|(at, bits)| Grant {
                path: path(&at.join("/")),
                actions: Actions(bits),
            }))
        })
    }

    proptest! {
        #[test]
        fn within_is_what_both_grant(
            one in any_grants(), other in any_grants(),
            at in prop::collection::vec(prop::sample::select(vec!["a", "b", "A"]), 0..5),
        ) {
            let at = path(&at.join("/"));
            let both = one.within(&other).at(&at);
            // Never more; and with one spelling for each name exactly that.
            prop_assert_eq!(both, both.and(one.at(&at)).and(other.at(&at)));
            if !at.as_str().contains('A')
                && one.paths().chain(other.paths()).all(|path| !path.as_str().contains('A'))
            {
                prop_assert_eq!(both, one.at(&at).and(other.at(&at)));
            }
        }

        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,12}") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
