//! Changes to the file of the accounts, one by one.

use gaveta_core::grant::fold;
use gaveta_core::{Actions, Path};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, value};

use super::book::{SshKey, granted_path};
use super::file::FileProblem;

/// A new account that may nothing.
///
/// # Errors
/// `Taken`, also by a name that people take for the same.
pub(crate) fn add(document: &mut DocumentMut, name: &str) -> Result<(), FileProblem> {
    // What a person wrote at the end stays above what comes after it.
    let above = document.trailing().as_str().unwrap_or_default().to_owned();
    let accounts = document.entry("account").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let taken = || FileProblem::Taken(name.to_owned());
    let accounts = accounts.as_table_like_mut().ok_or_else(taken)?;
    if accounts.iter().any(|(known, _)| fold(known) == fold(name)) {
        return Err(taken());
    }
    let mut account = Table::new();
    if !above.trim().is_empty() {
        account
            .decor_mut()
            .set_prefix(format!("{}\n\n", above.trim_end()));
    }
    accounts.insert(name, Item::Table(account));
    if !above.trim().is_empty() {
        document.set_trailing("");
    }
    Ok(())
}

/// Is there an account of this name?
pub(super) fn knows(document: &DocumentMut, name: &str) -> bool {
    document
        .get("account")
        .and_then(Item::as_table_like)
        .is_some_and(|accounts| accounts.contains_key(name))
}

/// The account goes.
///
/// # Errors
/// `NoAccount`.
pub(crate) fn remove(document: &mut DocumentMut, name: &str) -> Result<(), FileProblem> {
    account(document, name)?;
    document
        .get_mut("account")
        .and_then(Item::as_table_like_mut)
        .and_then(|accounts| accounts.remove(name));
    Ok(())
}

/// Its password's hash, in place of any other.
///
/// # Errors
/// `NoAccount`.
pub(crate) fn password(
    document: &mut DocumentMut,
    name: &str,
    hash: &str,
) -> Result<(), FileProblem> {
    set(account(document, name)?, "password", value(hash));
    Ok(())
}

/// What it is granted at this path; nothing of its own, with none.
///
/// # Errors
/// `NoAccount`.
pub(crate) fn grant(
    document: &mut DocumentMut,
    name: &str,
    at: &Path,
    actions: Option<Actions>,
) -> Result<(), FileProblem> {
    let account = account(document, name)?;
    if !account.contains_key("grants") {
        account.insert("grants", value(InlineTable::new()));
    }
    let Some(grants) = account.get_mut("grants").and_then(Item::as_table_like_mut) else {
        return Err(FileProblem::NoAccount(name.to_owned()));
    };
    let there: Vec<String> = grants
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| granted_path(key).as_ref() == Some(at))
        .collect();
    match (actions, there.first()) {
        (Some(actions), Some(key)) => set(grants, key, value(actions.to_string())),
        (Some(actions), None) => {
            let key = format!("/{}", at.as_str().trim_start_matches('/'));
            grants.insert(&key, value(actions.to_string()));
        }
        (None, _) => {
            for key in there {
                grants.remove(&key);
            }
        }
    }
    Ok(())
}

/// A setting of it: `quota`, `disabled` or `expires`; none takes it away.
///
/// # Errors
/// `NoAccount`.
pub(crate) fn setting(
    document: &mut DocumentMut,
    name: &str,
    key: &str,
    what: Option<Item>,
) -> Result<(), FileProblem> {
    let account = account(document, name)?;
    match what {
        Some(what) => set(account, key, what),
        None => {
            account.remove(key);
        }
    }
    Ok(())
}

/// One more SSH key. One that is there already stays one.
///
/// # Errors
/// `NoAccount`.
pub(crate) fn add_key(
    document: &mut DocumentMut,
    name: &str,
    key: &SshKey,
) -> Result<(), FileProblem> {
    let account = account(document, name)?;
    if !account.contains_key("keys") {
        account.insert("keys", value(Array::new()));
    }
    if let Some(keys) = account.get_mut("keys").and_then(Item::as_array_mut)
        && !keys
            .iter()
            .any(|known| is_key(known, |known| known.blob == key.blob))
    {
        keys.push(key.to_string());
    }
    Ok(())
}

/// The SSH keys of which `which` is the comment, the base64, or the whole line go.
///
/// # Errors
/// `NoAccount`, `NoKey`.
pub(crate) fn remove_key(
    document: &mut DocumentMut,
    name: &str,
    which: &str,
) -> Result<(), FileProblem> {
    let account = account(document, name)?;
    let keys = account.get_mut("keys").and_then(Item::as_array_mut);
    let Some(keys) = keys else {
        return Err(FileProblem::NoKey);
    };
    let before = keys.len();
    keys.retain(|known| {
        !is_key(known, |key| {
            let line = key.to_string();
            key.comment == which || line == which || line.split(' ').nth(1) == Some(which)
        })
    });
    match keys.len() < before {
        true => Ok(()),
        false => Err(FileProblem::NoKey),
    }
}

fn is_key(known: &toml_edit::Value, is: impl Fn(&SshKey) -> bool) -> bool {
    known
        .as_str()
        .and_then(SshKey::parse)
        .is_some_and(|key| is(&key))
}

fn account<'d>(
    document: &'d mut DocumentMut,
    name: &str,
) -> Result<&'d mut dyn TableLike, FileProblem> {
    document
        .get_mut("account")
        .and_then(Item::as_table_like_mut)
        .and_then(|accounts| accounts.get_mut(name))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| FileProblem::NoAccount(name.to_owned()))
}

/// Sets a value and keeps the comment behind the old one.
fn set(table: &mut dyn TableLike, key: &str, mut new: Item) {
    if let (Some(old), Some(new)) = (table.get(key).and_then(Item::as_value), new.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    table.insert(key, new);
}
