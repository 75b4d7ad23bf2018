//! A listing as a plain page for a browser: no script, nothing loaded.

use std::time::SystemTime;

use gaveta_core::{Entry, Error, Kind, ListPlan, OrderBy, Path};
use gaveta_wire::body::{EndBody, time_to_text};
use gaveta_wire::url;

use super::query::sort_word;
use super::render::Render;
use crate::http::headers::escape_html;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;\
padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.2rem .6rem}td:nth-child(2),th:nth-child(2){text-align:right}\
td:first-child{overflow-wrap:anywhere}tbody tr:hover{background:#8882}";

/// A page of a folder.
#[derive(Debug)]
pub(super) struct Page {
    folder: Path,
    plan: ListPlan,
}

impl Page {
    /// A page of this folder, listed after this plan.
    pub(super) fn new(folder: Path, plan: ListPlan) -> Self {
        Self { folder, plan }
    }

    /// The query that lists in this order from the start.
    fn query(&self, by: OrderBy, descending: bool) -> String {
        let order = if descending { "desc" } else { "asc" };
        let limit = self
            .plan
            .limit
            .map(|limit| format!("&limit={limit}"))
            .unwrap_or_default();
        format!("?sort={}&order={order}{limit}", sort_word(by))
    }

    /// A column's title: a link that sorts by it, and the other way round when it already does.
    fn column(&self, title: &str, by: OrderBy) -> String {
        let now = self.plan.order.filter(|order| order.by == by);
        let (descending, mark, aria) = match now.map(|order| order.descending) {
            Some(false) => (true, " ▲", " aria-sort=\"ascending\""),
            Some(true) => (false, " ▼", " aria-sort=\"descending\""),
            None => (false, "", ""),
        };
        let link = escape_html(&self.query(by, descending));
        format!("<th scope=\"col\"{aria}><a href=\"{link}\">{title}{mark}</a></th>")
    }

    /// The next page's link.
    fn next(&self, cursor: &str) -> String {
        let order = self.plan.order;
        let (by, descending) = order.map_or((OrderBy::Name, false), |o| (o.by, o.descending));
        format!(
            "{}&after={}",
            self.query(by, descending),
            url::encode_name(cursor)
        )
    }
}

impl Render for Page {
    fn head(&mut self, folder: &Path, out: &mut Vec<u8>) {
        let title = escape_html(&folder.to_string());
        let text = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{title}</title>\n<style>{STYLE}</style></head>\n\
             <body><h1><bdi>{title}</bdi></h1>\n<table><thead><tr>{}{}{}</tr></thead>\n<tbody>\n",
            self.column("Name", OrderBy::Name),
            self.column("Size", OrderBy::Size),
            self.column("Modified (UTC)", OrderBy::Modified),
        );
        out.extend_from_slice(text.as_bytes());
        if !self.folder.is_root() {
            let parent = b"<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
            out.extend_from_slice(parent);
        }
    }

    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let name = entry.path.name().unwrap_or_default();
        // What a name shows of itself ends with its own element, whatever its direction.
        let shown = format!("<bdi>{}</bdi>", escape_html(name));
        // Every byte but letters, digits and `-._~` is encoded: no name is a scheme or a host.
        let link = url::encode_name(name);
        let (name, size) = match entry.kind {
            Kind::File => (
                format!("<a href=\"./{link}\">{shown}</a>"),
                size(entry.size),
            ),
            Kind::Folder => (format!("<a href=\"./{link}/\">{shown}/</a>"), String::new()),
            Kind::Link => (format!("{shown} (link)"), String::new()),
            Kind::Special => (format!("{shown} (special)"), String::new()),
        };
        let date = date(entry.modified);
        let row = format!("<tr><td>{name}</td><td>{size}</td><td>{date}</td></tr>\n");
        out.extend_from_slice(row.as_bytes());
    }

    fn end(&mut self, end: &EndBody, out: &mut Vec<u8>) {
        out.extend_from_slice(b"</tbody></table>\n");
        if end.unnameable > 0 {
            let names: Vec<String> = end
                .unnameable_shown
                .iter()
                .map(|n| escape_html(n))
                .collect();
            let text = format!(
                "<p>{} more with names that cannot be used: <code>{}</code></p>\n",
                end.unnameable,
                names.join("</code>, <code>"),
            );
            out.extend_from_slice(text.as_bytes());
        }
        if let Some(cursor) = &end.next {
            let link = escape_html(&self.next(cursor));
            let text = format!("<p><a rel=\"next\" href=\"{link}\">More</a></p>\n");
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"</body></html>\n");
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        let text = format!(
            "</tbody></table>\n<p><strong>The list ends here: {}.</strong></p>\n</body></html>\n",
            escape_html(&error.kind().to_string()),
        );
        out.extend_from_slice(text.as_bytes());
    }
}

/// `2026-11-23 10:07`.
fn date(time: SystemTime) -> String {
    time_to_text(time)
        .chars()
        .take(16)
        .map(|c| if c == 'T' { ' ' } else { c })
        .collect()
}

/// `999 B`, `1.2 kB`, `12.3 MB`: in thousands, rounded down.
fn size(bytes: u64) -> String {
    let mut unit = 1u64;
    for word in ["B", "kB", "MB", "GB", "TB", "PB"] {
        let next = unit.saturating_mul(1000);
        if bytes < next {
            let (whole, tenth) = (bytes / unit, bytes % unit / (unit / 10).max(1));
            return match word {
                "B" => format!("{bytes} B"),
                _ => format!("{whole}.{tenth} {word}"),
            };
        }
        unit = next;
    }
    format!("{} EB", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Order, Version};
    use std::time::UNIX_EPOCH;

    fn entry(name: &str, kind: Kind) -> Entry {
        Entry {
            path: Path::parse(name).unwrap(),
            kind,
            size: 1234,
            modified: UNIX_EPOCH,
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }
    }

    fn page(folder: &str, entries: &[Entry], end: &EndBody) -> String {
        let folder = Path::parse(folder).unwrap();
        let mut page = Page::new(folder.clone(), ListPlan::sorted(OrderBy::Name, false));
        let mut out = Vec::new();
        page.head(&folder, &mut out);
        entries.iter().for_each(|entry| page.entry(entry, &mut out));
        page.end(end, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_names_stay_text() {
        for name in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "javascript:alert(1)",
            "&lt;b&gt;",
            "\u{202e}gpj.exe",
        ] {
            let text = page(
                &name.replace('/', "|"),
                &[entry(&name.replace('/', "|"), Kind::File)],
                &EndBody::default(),
            );
            for bad in [
                "<script",
                "<img",
                "onerror=alert(1)>",
                "href=\"javascript",
                "' on",
            ] {
                assert!(!text.contains(bad), "{bad} in {text}");
            }
            assert!(text.contains("<bdi>"));
        }
    }

    #[test]
    fn links_lead_to_files_and_folders_and_up() {
        let entries = [
            entry("a/b c", Kind::File),
            entry("a/d", Kind::Folder),
            entry("a/l", Kind::Link),
        ];
        let text = page("a", &entries, &EndBody::default());
        assert!(text.contains("href=\"./b%20c\"") && text.contains("href=\"./d/\""));
        assert!(text.contains("href=\"../\"") && !text.contains("href=\"./l"));
        assert!(text.contains("1.2 kB") && text.contains("1970-01-01 00:00"));
        assert!(!page("", &[], &EndBody::default()).contains("../"));
    }

    #[test]
    fn the_next_page_goes_on_in_the_same_order() {
        let plan = ListPlan {
            order: Some(Order {
                by: OrderBy::Size,
                descending: true,
            }),
            limit: Some(7),
            ..ListPlan::default()
        };
        let page = Page::new(Path::root(), plan);
        assert_eq!(
            page.next("5:a&b"),
            "?sort=size&order=desc&limit=7&after=5%3Aa%26b"
        );
        assert!(page.column("Size", OrderBy::Size).contains("order=asc"));
        assert!(page.column("Name", OrderBy::Name).contains("order=asc"));
    }

    #[test]
    fn sizes_are_short() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1999, "1.9 kB"),
            (999_999, "999.9 kB"),
            (12_345_678, "12.3 MB"),
            (u64::MAX, "18 EB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size(bytes), text);
        }
    }
}
