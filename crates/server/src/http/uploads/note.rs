//! What is kept with an upload beside what the store knows of it.

use gaveta_core::upload::MAX_NOTE;
use gaveta_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The note of an upload that was begun over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// It is published by a commit, not by its last byte.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) manual: bool,
    /// `Upload-Metadata`, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<String>,
    /// `Upload-Concat`: `partial`, or that it was made of parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) concat: Option<String>,
}

impl Note {
    /// Reads a note. An upload without one of ours was begun by another door, which ends it.
    pub(super) fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Self {
                manual: true,
                ..Self::default()
            })
    }

    /// The note as text.
    ///
    /// # Errors
    /// `TooLarge` when it is longer than what is kept.
    pub(super) fn write(&self) -> Result<String> {
        let text = serde_json::to_string(self)
            .map_err(|error| Error::new(ErrorKind::Io).because(error))?;
        match text.len() > MAX_NOTE {
            true => Err(Error::new(ErrorKind::TooLarge).about_text("Upload-Metadata")),
            false => Ok(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_leads_back_and_without_one_nothing_ends_by_itself() {
        let note = Note {
            manual: false,
            metadata: Some("filename YQ==".into()),
            concat: Some("partial".into()),
        };
        assert_eq!(Note::read(Some(&note.write().unwrap())), note);
        assert!(Note::read(None).manual && Note::read(Some("{")).manual);
        let long = Note {
            metadata: Some("a".repeat(MAX_NOTE)),
            ..Note::default()
        };
        assert_eq!(long.write().unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
