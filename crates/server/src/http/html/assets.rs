//! What pages load: embedded in the program, pressed ahead, under an address that changes with
//! the content, so that a browser asks once.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gaveta_core::{ErrorKind, PathProblem};
use gaveta_text::{Lang, Value};

use super::texts;

/// One embedded file.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) media: &'static str,
    pub(crate) plain: Bytes,
    /// With gzip, where that makes it shorter.
    pub(crate) pressed: Option<Bytes>,
}

const JS: &str = "text/javascript; charset=utf-8";

macro_rules! embedded {
    ($(($name:literal, $media:expr)),* $(,)?) => {
        &[$(($name, $media, include_bytes!(concat!("../../../assets/", $name)))),*]
    };
}

/// Name, media type, content.
const FILES: &[(&str, &str, &[u8])] = embedded![
    ("page.css", "text/css; charset=utf-8"),
    ("desk.css", "text/css; charset=utf-8"),
    ("page.js", JS),
    ("admin.js", JS),
    ("api.js", JS),
    ("dialog.js", JS),
    ("dom.js", JS),
    ("keys.js", JS),
    ("live.js", JS),
    ("queue.js", JS),
    ("rows.js", JS),
    ("select.js", JS),
    ("send.js", JS),
    ("share.js", JS),
    ("text.js", JS),
    ("tray.js", JS),
    ("view.js", JS),
    ("work.js", JS),
    ("vendor/tus.min.js", JS),
    ("icon.svg", "image/svg+xml"),
    ("icon-180.png", "image/png"),
    ("icon-192.png", "image/png"),
    ("icon-512.png", "image/png"),
    ("manifest.json", "application/manifest+json"),
];

/// What the scripts say: the keys of the texts, and their arguments. `n` chooses the plural;
/// everything else is put in by the script.
pub(crate) const SAID: &[(&str, &[&str])] = &[
    ("js-and-more", &["n"]),
    ("js-and-more-failed", &["n"]),
    ("js-camera", &[]),
    ("js-cancel", &[]),
    ("js-cancel-all", &[]),
    ("js-cannot-read", &["name"]),
    ("js-cannot-show", &[]),
    ("js-chosen", &["n"]),
    ("js-close", &[]),
    ("js-copied", &["n"]),
    ("js-copied-link", &[]),
    ("js-copy", &["n"]),
    ("js-copy-here", &[]),
    ("js-copy-link", &[]),
    ("js-delete", &[]),
    ("js-delete-sure", &["n"]),
    ("js-deleted", &["n"]),
    ("js-dismiss", &[]),
    ("js-drop", &[]),
    ("js-filter", &[]),
    ("js-filter-left", &["n"]),
    ("js-fold", &[]),
    ("js-folder", &[]),
    ("js-graph", &[]),
    ("js-in", &["rate"]),
    ("js-out", &["rate"]),
    ("js-get", &[]),
    ("js-go-on", &[]),
    ("js-key-all", &[]),
    ("js-key-choose", &[]),
    ("js-key-delete", &[]),
    ("js-key-escape", &[]),
    ("js-key-filter", &[]),
    ("js-key-move", &[]),
    ("js-key-open", &[]),
    ("js-key-range", &[]),
    ("js-key-rename", &[]),
    ("js-key-up", &[]),
    ("js-keys", &[]),
    ("js-left", &["time"]),
    ("js-made", &["name"]),
    ("js-make", &[]),
    ("js-move", &["n"]),
    ("js-move-here", &[]),
    ("js-moved", &["n"]),
    ("js-name", &[]),
    ("js-new-folder", &[]),
    ("js-new-name", &[]),
    ("js-next", &[]),
    ("js-no-folders", &[]),
    ("js-not-readable", &[]),
    ("js-of", &["at", "all"]),
    ("js-only-start", &[]),
    ("js-or-drop", &[]),
    ("js-password", &[]),
    ("js-pause", &[]),
    ("js-pause-all", &[]),
    ("js-pick-files", &[]),
    ("js-pick-folder", &[]),
    ("js-previous", &[]),
    ("js-progress", &[]),
    ("js-reconnecting", &[]),
    ("js-retry", &[]),
    ("js-root", &[]),
    ("js-restored", &["n"]),
    ("js-rows", &["n"]),
    ("js-select-all", &[]),
    ("js-sending", &[]),
    ("js-sending-of", &["done", "all"]),
    ("js-sent", &["n"]),
    ("js-sent-as", &["name"]),
    ("js-sent-but", &["done", "failed"]),
    ("js-sign-in", &[]),
    ("js-sign-in-again", &[]),
    ("js-state-asking", &[]),
    ("js-state-forgotten", &[]),
    ("js-state-lost", &[]),
    ("js-state-paused", &[]),
    ("js-state-skipped", &[]),
    ("js-state-waiting", &[]),
    ("js-taken", &[]),
    ("js-taken-keep", &[]),
    ("js-taken-many", &["n"]),
    ("js-taken-replace", &[]),
    ("js-taken-skip", &[]),
    ("js-taken-what", &[]),
    ("js-too-many", &[]),
    ("js-undo", &[]),
    ("js-unfinished", &["n"]),
];

/// The one address part that changes whenever any asset does.
fn mark() -> &'static str {
    &all().mark
}

struct All {
    mark: String,
    files: Vec<(String, Asset)>,
}

fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut sources: Vec<(String, &'static str, Bytes)> = FILES
            .iter()
            .map(|(name, media, content)| ((*name).to_owned(), *media, Bytes::from_static(content)))
            .collect();
        for lang in Lang::ALL {
            sources.push((
                format!("text-{}.js", lang.tag()),
                JS,
                sentences(lang).into(),
            ));
        }
        let mut hasher = blake3::Hasher::new();
        for (name, _, content) in &sources {
            hasher.update(name.as_bytes()).update(content);
        }
        let mark: String = hasher.finalize().to_hex().chars().take(16).collect();
        let files = sources
            .into_iter()
            .map(|(name, media, plain)| {
                let pressed = Some(press(&plain)).filter(|pressed| pressed.len() < plain.len());
                let asset = Asset {
                    media,
                    plain,
                    pressed,
                };
                (name, asset)
            })
            .collect();
        All { mark, files }
    })
}

fn press(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default().into()
}

/// The path of an asset.
pub(crate) fn url(name: &str) -> String {
    format!("{PREFIX}{}/{name}", mark())
}

/// Where assets lie.
pub(crate) const PREFIX: &str = "/.gaveta/assets/";

/// The asset at what follows [`PREFIX`], and whether it may be kept for ever: an older address
/// gives the newer content, which must not be kept under it.
pub(crate) fn find(rest: &str) -> Option<(&'static Asset, bool)> {
    let (given, name) = rest.split_once('/')?;
    let all = all();
    let (_, asset) = all.files.iter().find(|(known, _)| known == name)?;
    Some((asset, given == all.mark))
}

/// The sentences that the scripts say, as a module, and those of all errors. An argument stands as
/// `{name}`; where the plural depends on `n` there are two, for one and for several.
fn sentences(lang: Lang) -> String {
    let text = texts(lang);
    let mut map = serde_json::Map::new();
    for (key, names) in SAID {
        let say = |n: u64| {
            let places = names.iter().map(|name| match *name {
                "n" => ("n", Value::from(n)),
                name => (name, Value::from(format!("{{{name}}}"))),
            });
            let args: Vec<(&'static str, Value)> =
                places.chain([("count", Value::from("{n}"))]).collect();
            text.say(key, &args)
        };
        let said = match names.contains(&"n") {
            true => serde_json::json!([say(1), say(2)]),
            false => serde_json::json!(say(1)),
        };
        map.insert((*key).to_owned(), said);
    }
    let kinds = ErrorKind::ALL.into_iter();
    for kind in kinds.chain(PathProblem::ALL.into_iter().map(ErrorKind::BadPath)) {
        let key = format!("error-{}", kind.code());
        map.insert(key, serde_json::json!(text.kind(kind)));
    }
    format!("export default {};\n", serde_json::Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn scripts() -> String {
        FILES
            .iter()
            .filter(|(name, media, _)| *media == JS && !name.starts_with("vendor/"))
            .map(|(_, _, content)| std::str::from_utf8(content).unwrap())
            .collect()
    }

    #[test]
    fn the_scripts_say_what_is_there_and_nothing_else() {
        let scripts = scripts();
        let said: BTreeSet<&str> = scripts
            .split("t(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|key| key.starts_with("js-"))
            .collect();
        let known: BTreeSet<&str> = SAID.iter().map(|(key, _)| *key).collect();
        assert_eq!(said, known);
    }

    #[test]
    fn the_scripts_ask_beneath_the_prefix_alone() {
        // One place knows where we are served; every other script asks it.
        assert_eq!(scripts().matches("/.gaveta/").count(), 1);
    }

    #[test]
    fn sentences_keep_their_places_in_both_languages() {
        for lang in Lang::ALL {
            let module = sentences(lang);
            let json = module
                .strip_prefix("export default ")
                .and_then(|rest| rest.strip_suffix(";\n"))
                .unwrap();
            let map: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(json).unwrap();
            for (key, names) in SAID {
                let said = map[*key].to_string();
                assert!(!said.contains('‹'), "{key} lacks in {lang:?}");
                for name in names.iter().filter(|name| **name != "n") {
                    assert!(
                        said.contains(&format!("{{{name}}}")),
                        "{name} in {key}: {said}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_address_changes_with_the_content_and_old_ones_are_not_kept() {
        let url = url("page.css");
        let rest = url.strip_prefix(PREFIX).unwrap();
        assert!(find(rest).unwrap().1);
        assert!(!find("0000000000000000/page.css").unwrap().1);
        for wrong in ["", "page.css", "x/", "x/../page.css", "x/Page.css"] {
            assert!(find(wrong).is_none(), "{wrong}");
        }
        assert!(find(rest).unwrap().0.pressed.is_some());
    }
}
