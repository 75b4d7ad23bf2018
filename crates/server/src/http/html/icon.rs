//! The icons: our own drawings, one sprite that stands in each page and is drawn from by name.

use gaveta_core::{Entry, Kind};
use maud::{Markup, PreEscaped, html};

/// Every drawing as a `<symbol>`; strokes take the colour of the text.
pub(super) const SPRITE: &str = include_str!("../../../assets/sprite.svg");

/// A drawing by name, which a screen reader passes over: the words beside it say what it is.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href=(PreEscaped(format!("#i-{name}"))) {} } }
}

/// The name of the drawing for an entry: by its kind, and a file's by its extension.
pub(crate) fn entry_icon(entry: &Entry) -> &'static str {
    match entry.kind {
        Kind::Folder => "folder",
        Kind::Link => "link",
        Kind::Special => "special",
        Kind::File => file_icon(entry.path.name().unwrap_or_default()),
    }
}

fn file_icon(name: &str) -> &'static str {
    let extension = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.len() <= 12 => {
            extension.to_ascii_lowercase()
        }
        _ => return "file",
    };
    match extension.as_str() {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "avif" | "bmp" | "ico" | "tif" | "tiff"
        | "heic" | "svg" | "raw" => "image",
        "mp4" | "m4v" | "webm" | "ogv" | "mov" | "mkv" | "avi" => "video",
        "mp3" | "m4a" | "oga" | "ogg" | "opus" | "flac" | "wav" | "aac" | "weba" => "audio",
        "zip" | "gz" | "tgz" | "bz2" | "xz" | "zst" | "7z" | "rar" | "tar" => "archive",
        "txt" | "text" | "log" | "md" | "markdown" | "rtf" | "odt" | "doc" | "docx" | "epub" => {
            "text"
        }
        "pdf" => "pdf",
        "csv" | "tsv" | "xls" | "xlsx" | "ods" => "table",
        "rs" | "toml" | "yaml" | "yml" | "c" | "h" | "cpp" | "hpp" | "go" | "py" | "java"
        | "sh" | "sql" | "js" | "mjs" | "ts" | "css" | "html" | "htm" | "xml" | "json" => "code",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_drawing() {
        let names = [
            "a.png", "a.mp4", "a.mp3", "a.zip", "a.txt", "a.pdf", "a.csv", "a.rs", "a", ".png",
        ];
        for drawing in names.map(file_icon).into_iter().chain([
            "folder", "link", "special", "drawer", "send", "get", "delete", "search", "new",
        ]) {
            assert!(
                SPRITE.contains(&format!("id=\"i-{drawing}\"")),
                "no drawing {drawing}"
            );
        }
        assert_eq!(file_icon(".png"), "file");
        assert_eq!(file_icon("a.PNG"), "image");
    }
}
