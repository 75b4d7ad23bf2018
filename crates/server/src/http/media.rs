//! What a file is, by its name, and whether a browser may show it.

use gaveta_wire::url;

/// A media type, and what a browser may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Media {
    /// The `Content-Type`.
    pub(crate) name: &'static str,
    /// May a browser show it as a page of its own? Not what can hold script.
    pub(crate) inline: bool,
}

const fn show(name: &'static str) -> Media {
    Media { name, inline: true }
}

const fn save(name: &'static str) -> Media {
    Media {
        name,
        inline: false,
    }
}

/// The media type by the extension, in either case. What is not known is bytes to save.
pub(crate) fn media(name: &str) -> Media {
    const UNKNOWN: Media = save("application/octet-stream");
    // A name that only starts with a dot has no extension.
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return UNKNOWN;
    };
    if stem.is_empty() || extension.len() > 12 {
        return UNKNOWN;
    }
    match extension.to_ascii_lowercase().as_str() {
        "txt" | "text" | "log" | "rs" | "toml" | "yaml" | "yml" | "ini" | "conf" | "cfg" | "c"
        | "h" | "cpp" | "hpp" | "go" | "py" | "java" | "sh" | "sql" | "diff" | "patch" => {
            show("text/plain; charset=utf-8")
        }
        "md" | "markdown" => show("text/markdown; charset=utf-8"),
        "csv" => show("text/csv; charset=utf-8"),
        "tsv" => show("text/tab-separated-values; charset=utf-8"),
        "json" => show("application/json"),
        "ndjson" | "jsonl" => show("application/x-ndjson"),
        "png" => show("image/png"),
        "jpg" | "jpeg" => show("image/jpeg"),
        "gif" => show("image/gif"),
        "webp" => show("image/webp"),
        "avif" => show("image/avif"),
        "bmp" => show("image/bmp"),
        "ico" => show("image/vnd.microsoft.icon"),
        "tif" | "tiff" => show("image/tiff"),
        "heic" => show("image/heic"),
        "mp3" => show("audio/mpeg"),
        "m4a" => show("audio/mp4"),
        "oga" | "ogg" | "opus" => show("audio/ogg"),
        "flac" => show("audio/flac"),
        "wav" => show("audio/wav"),
        "aac" => show("audio/aac"),
        "weba" => show("audio/webm"),
        "mp4" | "m4v" => show("video/mp4"),
        "webm" => show("video/webm"),
        "ogv" => show("video/ogg"),
        "mov" => show("video/quicktime"),
        "mkv" => show("video/matroska"),
        "avi" => show("video/vnd.avi"),
        "html" | "htm" => save("text/html; charset=utf-8"),
        "xhtml" | "xht" => save("application/xhtml+xml"),
        "svg" | "svgz" => save("image/svg+xml"),
        "xml" | "xsl" | "xslt" | "rss" | "atom" => save("application/xml"),
        "js" | "mjs" | "cjs" => save("text/javascript; charset=utf-8"),
        "css" => save("text/css; charset=utf-8"),
        "wasm" => save("application/wasm"),
        "pdf" => save("application/pdf"),
        "epub" => save("application/epub+zip"),
        "rtf" => save("application/rtf"),
        "doc" => save("application/msword"),
        "docx" => save("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        "xls" => save("application/vnd.ms-excel"),
        "xlsx" => save("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        "ppt" => save("application/vnd.ms-powerpoint"),
        "pptx" => save("application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        "odt" => save("application/vnd.oasis.opendocument.text"),
        "ods" => save("application/vnd.oasis.opendocument.spreadsheet"),
        "odp" => save("application/vnd.oasis.opendocument.presentation"),
        "zip" => save("application/zip"),
        "gz" | "tgz" => save("application/gzip"),
        "bz2" => save("application/x-bzip2"),
        "xz" => save("application/x-xz"),
        "zst" => save("application/zstd"),
        "7z" => save("application/x-7z-compressed"),
        "rar" => save("application/vnd.rar"),
        "tar" => save("application/x-tar"),
        "ttf" => save("font/ttf"),
        "otf" => save("font/otf"),
        "woff" => save("font/woff"),
        "woff2" => save("font/woff2"),
        "ics" => save("text/calendar; charset=utf-8"),
        "vcf" => save("text/vcard; charset=utf-8"),
        "eml" => save("message/rfc822"),
        _ => UNKNOWN,
    }
}

/// The `Content-Disposition` (RFC 6266): the name in full as `filename*` (RFC 8187), and for old
/// clients as `filename` with `_` for what may not stand there or is often misread (`%`).
pub(crate) fn disposition(name: &str, inline: bool) -> String {
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !"\"\\%".contains(c);
    let fallback: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let kind = if inline { "inline" } else { "attachment" };
    format!(
        "{kind}; filename=\"{fallback}\"; filename*=UTF-8''{}",
        url::encode_name(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension() {
        let table = [
            ("a.txt", "text/plain; charset=utf-8", true),
            ("A.TXT", "text/plain; charset=utf-8", true),
            ("a.tar.gz", "application/gzip", false),
            ("a.png", "image/png", true),
            ("a", "application/octet-stream", false),
            (".txt", "application/octet-stream", false),
            ("a.", "application/octet-stream", false),
            ("a.unheard-of", "application/octet-stream", false),
        ];
        for (name, expected, inline) in table {
            assert_eq!(
                media(name),
                Media {
                    name: expected,
                    inline
                },
                "{name}"
            );
        }
    }

    #[test]
    fn what_can_hold_script_is_never_shown() {
        for extension in [
            "html", "HTM", "xhtml", "svg", "xml", "xsl", "js", "mjs", "pdf", "wasm",
        ] {
            assert!(!media(&format!("a.{extension}")).inline, "{extension}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(
            disposition("a\"; x=\"b\\%41é.txt", false),
            "attachment; filename=\"a_; x=_b__41_.txt\"; \
             filename*=UTF-8''a%22%3B%20x%3D%22b%5C%2541%C3%A9.txt"
        );
        assert_eq!(
            disposition("a b.txt", true),
            "inline; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"
        );
    }
}
