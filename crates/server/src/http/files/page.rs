//! A folder as a page for a browser. It does all its work without scripts; with them it is live.

use gaveta_core::{Entry, Error, ListPlan, OrderBy, Path};
use gaveta_text::{Lang, Text};
use gaveta_wire::body::EndBody;
use gaveta_wire::url;
use maud::{Markup, html};

use super::render::Render;
use crate::http::base::{self, BasePath};
use crate::http::html::{Frame, HOLE, Who, folder_url, icon, notice, page, row, shown, texts};
use crate::http::query::sort_word;

/// A page of a folder.
#[derive(Debug)]
pub(super) struct Page {
    folder: Path,
    plan: ListPlan,
    lang: Lang,
    who: Who,
    /// The query as it was asked, for the way back from a switch.
    query: Option<String>,
    base: BasePath,
    /// What stands between the rows and what is said at their end, and after that.
    rest: (String, String),
}

impl Page {
    /// A page of this folder, listed after this plan, for somebody in a language.
    pub(super) fn new(
        folder: Path,
        plan: ListPlan,
        lang: Lang,
        who: Who,
        query: Option<&str>,
    ) -> Self {
        Self {
            folder,
            plan,
            lang,
            who,
            query: query.map(str::to_owned),
            base: base::here(),
            rest: (String::new(), String::new()),
        }
    }

    fn text(&self) -> &'static Text {
        texts(self.lang)
    }

    /// The query that lists in this order from the start.
    fn order(&self, by: OrderBy, descending: bool) -> String {
        let order = if descending { "desc" } else { "asc" };
        let limit = self
            .plan
            .limit
            .filter(|limit| *limit != super::listing::PAGE)
            .map(|limit| format!("&limit={limit}"))
            .unwrap_or_default();
        format!("?sort={}&order={order}{limit}", sort_word(by))
    }

    /// A column's title: a link that sorts by it, and the other way round when it already does.
    fn column(&self, class: &str, title: &str, by: OrderBy) -> Markup {
        let now = self.plan.order.filter(|order| order.by == by);
        let (descending, mark, aria) = match now.map(|order| order.descending) {
            Some(false) => (true, "up", Some("ascending")),
            Some(true) => (false, "down", Some("descending")),
            None => (false, "", None),
        };
        html! {
            th.(class) scope="col" aria-sort=[aria] {
                a href=(self.order(by, descending)) {
                    (title) @if !mark.is_empty() { (icon(mark)) }
                }
            }
        }
    }

    /// The next page's link.
    fn next(&self, cursor: &str) -> String {
        let order = self.plan.order;
        let (by, descending) = order.map_or((OrderBy::Name, false), |o| (o.by, o.descending));
        format!(
            "{}&after={}",
            self.order(by, descending),
            url::encode_name(cursor)
        )
    }

    /// The way from the root to here.
    fn crumbs(&self) -> Markup {
        let mut way = Vec::new();
        let mut at = Some(self.folder.clone());
        while let Some(folder) = at {
            at = folder.parent();
            way.push(folder);
        }
        let last = way.len();
        html! {
            nav.crumbs aria-label=(self.text().say("page-way", &[])) {
                ol {
                    @for (i, folder) in way.iter().rev().enumerate() {
                        li {
                            @let here = (i + 1 == last).then_some("page");
                            a href=(self.base.link(&folder_url(folder))) aria-current=[here]
                                data-path=(folder.as_str()) {
                                @match folder.name() {
                                    Some(name) => bdi { (shown(name)) },
                                    None => {
                                        (icon("drawer")) " "
                                        (self.text().say("page-root", &[]))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What can be done in this folder without choosing anything.
    fn tools(&self) -> Markup {
        let text = self.text();
        let form = format!(
            "/.gaveta/form?at={}",
            url::encode_name(self.folder.as_str())
        );
        let form = self.base.link(&form);
        html! {
            div.tools {
                @if self.who.create {
                    details.drop #send {
                        summary.button.primary { (icon("send")) span { (text.say("page-send", &[])) } }
                        form.panel method="post" enctype="multipart/form-data" action=(form) {
                            label for="taken" { (text.say("page-taken", &[])) }
                            select #taken name="taken" {
                                option value="keep" { (text.say("page-taken-keep", &[])) }
                                @if self.who.replace {
                                    option value="replace" { (text.say("page-taken-replace", &[])) }
                                }
                                option value="skip" { (text.say("page-taken-skip", &[])) }
                            }
                            label for="files" { (text.say("page-files", &[])) }
                            input #files type="file" name="file" multiple required;
                            button.primary { (icon("send")) (text.say("page-send-go", &[])) }
                        }
                    }
                    details.drop #new {
                        summary.button { (icon("new")) span { (text.say("page-new-folder", &[])) } }
                        form.panel method="post" action=(form) {
                            input type="hidden" name="do" value="make-folder";
                            label for="new-name" { (text.say("page-name", &[])) }
                            input #new-name name="to" required maxlength="255" autocomplete="off"
                                dir="auto";
                            button.primary { (text.say("page-make", &[])) }
                        }
                    }
                }
                @if self.who.share {
                    a.button #share-folder href=(self.share()) {
                        (icon("share")) span { (text.say("page-share-do", &[])) }
                    }
                }
                a.button href=(self.archive()) {
                    (icon("archive")) span { (text.say("page-get-all", &[])) }
                }
            }
        }
    }

    /// The address of all that is here as one archive.
    fn archive(&self) -> String {
        self.base
            .link(&format!("/.gaveta/zip{}", folder_url(&self.folder)))
    }

    /// The address where links to this folder are made.
    fn share(&self) -> String {
        let at = url::encode_name(self.folder.as_str());
        self.base.link(&format!("/.gaveta/share?at={at}"))
    }

    /// What can be done with what was chosen.
    fn acts(&self) -> Markup {
        let text = self.text();
        let act = |word: &'static str, drawing: &str, key: &str| {
            html! {
                button name="do" value=(word) formaction=(self.base.link("/.gaveta/ask")) data-act=(word) {
                    (icon(drawing)) span { (text.say(key, &[])) }
                }
            }
        };
        html! {
            div.acts role="group" aria-label=(text.say("page-chosen", &[])) {
                button data-act="get" formaction=(self.archive()) {
                    (icon("get")) span { (text.say("page-get", &[])) }
                }
                @if self.who.share {
                    button data-act="share" formaction=(self.base.link("/.gaveta/share")) {
                        (icon("share")) span { (text.say("page-share-do", &[])) }
                    }
                }
                @if self.who.delete { (act("rename", "rename", "page-rename")) }
                @if self.who.delete { (act("move", "move", "page-move")) }
                @if self.who.create { (act("copy", "copy", "page-copy")) }
                @if self.who.delete { (act("delete", "delete", "page-delete")) }
            }
        }
    }

    fn may(&self) -> String {
        let all = [
            (self.who.create, "create"),
            (self.who.replace, "replace"),
            (self.who.delete, "delete"),
            (self.who.manage, "manage"),
        ];
        let may: Vec<&str> = all
            .iter()
            .filter_map(|(may, word)| may.then_some(*word))
            .collect();
        may.join(" ")
    }

    /// The page with holes for the rows and for what is said at their end.
    fn whole(&self) -> String {
        let text = self.text();
        let title = match self.folder.name() {
            Some(name) => shown(name).into_owned(),
            None => text.say("page-root", &[]),
        };
        let main = html! {
            div.drawer #drawer data-path=(self.folder.as_str()) data-may=(self.may())
                data-me=(self.who.name.as_deref().unwrap_or("visitor")) {
                h1.quiet { bdi { (title) } }
                (self.crumbs())
                (self.tools())
                form.list #list method="get" {
                    input type="hidden" name="at" value=(self.folder.as_str());
                    table.files #files-table {
                        caption.quiet { (text.say("page-caption", &[("name", title.as_str().into())])) }
                        thead {
                            tr {
                                td.c {}
                                (self.column("n", &text.say("page-name", &[]), OrderBy::Name))
                                (self.column("s", &text.say("page-size", &[]), OrderBy::Size))
                                (self.column("d", &text.say("page-date", &[]), OrderBy::Modified))
                            }
                        }
                        tbody #rows { (HOLE) }
                    }
                    (HOLE)
                    (self.acts())
                }
            }
        };
        let back = match &self.query {
            Some(query) => format!("{}?{query}", folder_url(&self.folder)),
            None => folder_url(&self.folder),
        };
        let frame = Frame {
            lang: self.lang,
            title: &title,
            who: Some(&self.who),
            folder: Some(&self.folder),
            sought: "",
            back: Some(&back),
            base: &self.base,
        };
        page(&frame, &main)
    }
}

impl Render for Page {
    fn head(&mut self, _folder: &Path, out: &mut Vec<u8>) {
        let whole = self.whole();
        let mut parts = whole.split('\0').map(str::to_owned);
        out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
        let between = parts.next().unwrap_or_default();
        self.rest = (between, parts.next().unwrap_or_default());
    }

    fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let name = entry.path.name().unwrap_or_default();
        let row = row(self.text(), entry, name, "./");
        out.extend_from_slice(row.into_string().as_bytes());
    }

    fn end(&mut self, end: &EndBody, out: &mut Vec<u8>) {
        let text = self.text();
        let first = self.plan.after.is_none();
        let said = html! {
            div.end #end {
                @if end.entries == 0 && end.unnameable == 0 && first {
                    div.empty {
                        (icon("drawer"))
                        p { (text.say("page-empty", &[])) }
                        @if self.who.create { p.quiet-text { (text.say("page-empty-send", &[])) } }
                    }
                }
                @if end.unnameable > 0 {
                    p.notice {
                        (icon("alert"))
                        span {
                            (text.say("page-unnameable", &[("n", end.unnameable.into())])) " "
                            @for name in &end.unnameable_shown { code { (name) } " " }
                        }
                    }
                }
                p.count #count data-n=(end.entries) {
                    @if end.entries > 0 {
                        (text.say("page-count", &[
                            ("n", end.entries.into()), ("count", text.count(end.entries).into()),
                        ]))
                    }
                }
                @if let Some(cursor) = &end.next {
                    p.more { a.button #more rel="next" href=(self.next(cursor)) {
                        (text.say("page-more", &[]))
                    } }
                }
            }
        };
        out.extend_from_slice(self.rest.0.as_bytes());
        out.extend_from_slice(said.into_string().as_bytes());
        out.extend_from_slice(self.rest.1.as_bytes());
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        let text = self.text();
        let said = html! {
            div.end #end data-cut="" {
                p { strong { (text.say("page-list-cut", &[])) } }
                (notice(text, error))
            }
        };
        out.extend_from_slice(self.rest.0.as_bytes());
        out.extend_from_slice(said.into_string().as_bytes());
        out.extend_from_slice(self.rest.1.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Kind, Order, Version};
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

    fn who(all: bool) -> Who {
        Who {
            name: all.then(|| "admin".to_owned()),
            create: true,
            replace: all,
            delete: all,
            manage: all,
            share: all,
        }
    }

    fn new(folder: &str, plan: ListPlan, all: bool) -> Page {
        let folder = Path::parse(folder).unwrap();
        Page::new(folder, plan, Lang::English, who(all), None)
    }

    fn page(folder: &str, entries: &[Entry], end: &EndBody) -> String {
        let mut page = new(folder, ListPlan::sorted(OrderBy::Name, false), false);
        let mut out = Vec::new();
        page.head(&Path::parse(folder).unwrap(), &mut out);
        entries.iter().for_each(|entry| page.entry(entry, &mut out));
        page.end(end, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_names_stay_text() {
        for name in [
            "<script>alert(1)<|script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)",
            "javascript:alert(1)",
            "&lt;b&gt;",
            "\u{202e}gpj.exe",
        ] {
            let text = page(name, &[entry(name, Kind::File)], &EndBody::default());
            assert_eq!(text.matches("<script").count(), 1, "{text}");
            for bad in ["<img", "href=\"javascript", "\u{202e}gpj.exe<"] {
                assert!(!text.contains(bad), "{bad} in {text}");
            }
            // What closes an attribute is written as a reference wherever a name stands.
            assert!(!text.contains("\"><img") && !text.contains("\" on"));
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
        assert!(text.contains("href=\"/\"") && !text.contains("href=\"./l"));
        assert!(text.contains("1.2 kB") && text.contains("1970-01-01T00:00:00Z"));
        assert!(!text.contains('\0'));
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
        let page = new("", plan, false);
        assert_eq!(
            page.next("5:a&b"),
            "?sort=size&order=desc&limit=7&after=5%3Aa%26b"
        );
        let column = |by| page.column("x", "X", by).into_string();
        assert!(column(OrderBy::Size).contains("order=asc"));
        assert!(column(OrderBy::Size).contains("aria-sort=\"descending\""));
        assert!(column(OrderBy::Name).contains("order=asc"));
    }

    #[test]
    fn only_what_one_may_do_is_offered() {
        let mut out = Vec::new();
        let mut keeper = new("", ListPlan::default(), true);
        keeper.head(&Path::root(), &mut out);
        keeper.end(&EndBody::default(), &mut out);
        let all = String::from_utf8(out).unwrap();
        let visitor = page("", &[], &EndBody::default());
        for act in ["value=\"delete\"", "value=\"rename\"", "value=\"replace\""] {
            assert!(all.contains(act) && !visitor.contains(act), "{act}");
        }
        assert!(visitor.contains("/.gaveta/sign-in") && !all.contains("/.gaveta/sign-in"));
        assert!(all.contains("<bdi>admin</bdi>"));
    }
}
