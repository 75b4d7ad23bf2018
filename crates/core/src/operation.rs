//! Everything that can be done to a drawer: what the rules, the meters and the audit log speak of.

/// One operation, whichever door it comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// What is there?
    Stat,
    /// What does a folder hold?
    List,
    /// How much room is there?
    Space,
    /// A file's content.
    Read,
    /// A file's chunk digests.
    Outline,
    /// Content begins to arrive.
    Begin,
    /// An upload is gone on with, looked at or thrown away.
    Resume,
    /// An upload is published.
    Commit,
    /// Which uploads are under way?
    Uploads,
    /// Make a folder.
    MakeFolder,
    /// Remove a file, or a folder with all that is in it.
    Remove,
    /// Give another name.
    Rename,
    /// Copy.
    Copy,
    /// Set times or the executable bit.
    Touch,
    /// What was deleted or replaced?
    Trash,
    /// The content of something in the trash.
    OpenTrashed,
    /// Bring something back from the trash.
    Restore,
    /// Destroy something in the trash.
    Purge,
    /// Destroy all that is meant in the trash.
    EmptyTrash,
    /// How much does the trash hold?
    TrashState,
    /// Read everything again.
    Verify,
}

impl Operation {
    /// Every operation, for tables and tests.
    pub const ALL: [Self; 21] = [
        Self::Stat,
        Self::List,
        Self::Space,
        Self::Read,
        Self::Outline,
        Self::Begin,
        Self::Resume,
        Self::Commit,
        Self::Uploads,
        Self::MakeFolder,
        Self::Remove,
        Self::Rename,
        Self::Copy,
        Self::Touch,
        Self::Trash,
        Self::OpenTrashed,
        Self::Restore,
        Self::Purge,
        Self::EmptyTrash,
        Self::TrashState,
        Self::Verify,
    ];

    /// The stable word for this operation.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::List => "list",
            Self::Space => "space",
            Self::Read => "read",
            Self::Outline => "outline",
            Self::Begin => "begin",
            Self::Resume => "resume",
            Self::Commit => "commit",
            Self::Uploads => "uploads",
            Self::MakeFolder => "make-folder",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Copy => "copy",
            Self::Touch => "touch",
            Self::Trash => "trash",
            Self::OpenTrashed => "open-trashed",
            Self::Restore => "restore",
            Self::Purge => "purge",
            Self::EmptyTrash => "empty-trash",
            Self::TrashState => "trash-state",
            Self::Verify => "verify",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_stands_for_two_operations() {
        let mut words: Vec<&str> = Operation::ALL.iter().map(|op| op.code()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Operation::ALL.len());
    }
}
