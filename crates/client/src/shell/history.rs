//! What was typed before, in a file of the person's own. A line with a password never gets there.

use std::path::{Path, PathBuf};

use reedline::{
    FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery,
};

use crate::verbs::{self, complaint};

use super::words::take_apart;

/// So many lines are remembered.
const LINES: usize = 2000;
/// Longer lines are not remembered, in bytes.
const LONGEST: usize = 4096;

/// The history; in memory alone where no file can be had.
pub(super) fn open() -> Box<dyn History> {
    let kept = file().and_then(|file| {
        private(&file).ok()?;
        FileBackedHistory::with_file(LINES, file).ok()
    });
    match kept {
        Some(kept) => Box::new(Discreet(kept)),
        None => Box::new(Discreet(FileBackedHistory::default())),
    }
}

/// `$XDG_STATE_HOME/gaveta/history`, or beneath `~/.local/state`.
///
/// Source: XDG Base Directory Specification: a relative path is no path.
fn file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|state| state.is_absolute())
        .or_else(|| {
            let home = std::env::home_dir().filter(|home| home.is_absolute())?;
            Some(home.join(".local/state"))
        })?;
    Some(state.join("gaveta").join("history"))
}

/// Makes the file, for its owner alone, and takes the others' rights away from one that is there.
fn private(file: &Path) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        open.mode(0o600);
    }
    if let Some(parent) = file.parent() {
        gaveta_disk::make_private(parent)?;
    }
    let file = open.append(true).create(true).open(file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Does the line hold a password, or may it? A slip in the verb does not make it less of one.
pub(super) fn holds_secret(line: &str) -> bool {
    take_apart(line).commands.iter().any(|command| {
        let [word, rest @ ..] = command.as_slice() else {
            return false;
        };
        let verb = verbs::verb(&word.text.to_lowercase())
            .or_else(|| complaint::nearest(&word.text).map(|(_, verb)| verb));
        let Some(most) = verb.and_then(|verb| verb.secret_after) else {
            return false;
        };
        let dashes = rest.iter().position(|word| word.text == "--");
        let words = rest.iter().enumerate().filter(|(at, word)| {
            dashes.is_some_and(|dashes| *at > dashes) || !word.text.starts_with('-')
        });
        words.count() > most
    })
}

/// A history that forgets what is nobody's business.
#[derive(Debug)]
struct Discreet(FileBackedHistory);

impl History for Discreet {
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        let line = &item.command_line;
        if line.len() > LONGEST || holds_secret(line) {
            return Ok(item);
        }
        let saved = self.0.save(item);
        // Each line at once: whoever closes the window loses nothing.
        let _ = self.0.sync();
        saved
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.0.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> Result<()> {
        self.0.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_password_is_known() {
        for line in [
            "deletar teste.txt 1234",
            "DELETE a b",
            "apagar 'a b' 'c d'",
            "ls; deletar x 1234",
            "deletar x -- -1234",
            "deletr x 1234",
            "deletar x \"unfinished",
        ] {
            assert!(holds_secret(line), "{line}");
        }
        for line in [
            "deletar teste.txt",
            "deletar -n x",
            "rm a b c",
            "listar",
            "",
        ] {
            assert!(!holds_secret(line), "{line}");
        }
    }

    #[test]
    fn the_file_is_its_owners_and_holds_no_password() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("state/gaveta/history");
        private(&file).unwrap();
        let mut history = Discreet(FileBackedHistory::with_file(LINES, file.clone()).unwrap());
        for line in ["listar", "deletar x 1234", "sair"] {
            history.save(HistoryItem::from_command_line(line)).unwrap();
        }
        drop(history);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "listar\nsair\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&file), 0o600);
            assert_eq!(mode(file.parent().unwrap()), 0o700);
        }
    }
}
