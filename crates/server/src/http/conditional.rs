//! Conditional requests: RFC 9110, section 13.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gaveta_core::{Entry, Error, Replace, Result, Version};
use http::HeaderMap;
use http::header::{self, HeaderName};

use super::fields;

/// What the conditions say about going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Do what was asked.
    Proceed,
    /// 304: the client has it already.
    NotModified,
    /// 412.
    Failed,
}

/// The preconditions of one request.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<Tags>,
    if_unmodified_since: Option<SystemTime>,
    if_none_match: Option<Tags>,
    if_modified_since: Option<SystemTime>,
}

impl Conditions {
    /// Reads the preconditions. A date that cannot be read is passed over (sections 13.1.3 and
    /// 13.1.4), and so is, when nothing is changed (`safe`), an unreadable `If-None-Match`: it
    /// costs no more than a transfer.
    ///
    /// # Errors
    /// `BadRequest` for a field that guards something and cannot be understood.
    pub(super) fn parse(headers: &HeaderMap, safe: bool) -> Result<Self> {
        let tags = |name: HeaderName| -> Result<Option<Tags>> {
            let Some(text) = fields::list(headers, &name)? else {
                return Ok(None);
            };
            match Tags::parse(&text) {
                Some(tags) => Ok(Some(tags)),
                None => Err(Error::bad_request(format!(
                    "{name} holds no list of entity tags"
                ))),
            }
        };
        let if_none_match = match tags(header::IF_NONE_MATCH) {
            Err(_) if safe => None,
            other => other?,
        };
        Ok(Self {
            if_match: tags(header::IF_MATCH)?,
            if_unmodified_since: date(headers, &header::IF_UNMODIFIED_SINCE),
            if_none_match,
            // Section 13.1.3: of no meaning but for GET and HEAD.
            if_modified_since: date(headers, &header::IF_MODIFIED_SINCE).filter(|_| safe),
        })
    }

    /// Does the verdict depend on what is there now?
    pub(super) fn any(&self) -> bool {
        self.if_match.is_some()
            || self.if_unmodified_since.is_some()
            || self.if_none_match.is_some()
            || self.if_modified_since.is_some()
    }

    /// Is `If-None-Match: *` all there is? Then [`Replace::Never`] says the same, without a look.
    pub(super) fn only_new(&self) -> bool {
        self.if_match.is_none()
            && self.if_unmodified_since.is_none()
            && matches!(self.if_none_match, Some(Tags::Any))
    }

    /// The verdict about what is there now, in the order of section 13.2.2.
    pub(super) fn verdict(&self, current: Option<&Entry>, safe: bool) -> Verdict {
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !tags.hold(current, Compare::Strong) => return Verdict::Failed,
            (None, Some(date)) if changed_since(current, date) => return Verdict::Failed,
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if tags.hold(current, Compare::Weak) => {
                if safe {
                    Verdict::NotModified
                } else {
                    Verdict::Failed
                }
            }
            (None, Some(date)) if current.is_some() && !changed_since(current, date) => {
                Verdict::NotModified
            }
            _ => Verdict::Proceed,
        }
    }

    /// What a change that passed the [verdict](Self::verdict) may replace, so that the verdict
    /// still holds when the change is made.
    pub(super) fn pin(&self, current: Option<&Entry>) -> Replace {
        match current {
            _ if !self.any() => Replace::Always,
            Some(entry) => Replace::Only(entry.version.clone()),
            None => Replace::Never,
        }
    }
}

/// Does `If-Range` (section 13.1.5) let a range through? True without the field.
///
/// A tag must match strongly; a date must be exactly the last change, and that change a second or
/// more ago, else it is a weak validator (section 8.8.2.2).
pub(super) fn if_range(headers: &HeaderMap, current: &Entry, now: SystemTime) -> bool {
    let Some(text) = fields::single(headers, &header::IF_RANGE) else {
        return !headers.contains_key(header::IF_RANGE);
    };
    if text.starts_with('"') || text.starts_with("W/") {
        return match Tag::parse(text) {
            Some((tag, "")) => tag.matches(&current.version, Compare::Strong),
            _ => false,
        };
    }
    let Ok(date) = httpdate::parse_http_date(text) else {
        return false;
    };
    let old = now
        .duration_since(current.modified)
        .is_ok_and(|age| age >= Duration::from_secs(1));
    old && seconds(date) == seconds(current.modified)
}

/// The entity tag of a version: strong, for a version changes with every change of the content.
pub(super) fn etag(version: &Version) -> String {
    format!("\"{version}\"")
}

/// The `Last-Modified` date: never in the future (section 8.8.2.1).
pub(super) fn last_modified(modified: SystemTime, now: SystemTime) -> String {
    // What HTTP's dates cannot hold (before 1970, after 9999) becomes the nearest that they can.
    let end = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    httpdate::fmt_http_date(modified.min(now).clamp(UNIX_EPOCH, end))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(fields::single(headers, name)?).ok()
}

fn changed_since(current: Option<&Entry>, date: SystemTime) -> bool {
    // Nothing there has no date: the condition says nothing (section 13.1.4).
    current.is_some_and(|entry| seconds(entry.modified) > seconds(date))
}

/// HTTP's dates know whole seconds from 1970 on, and so do the comparisons.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Some(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    text: String,
}

impl Tags {
    /// `"*" / #entity-tag`; empty elements are passed over (section 5.6.1).
    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                break;
            }
            let (tag, after) = Tag::parse(rest)?;
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
            tags.push(tag);
        }
        (!tags.is_empty()).then_some(Self::Some(tags))
    }

    fn hold(&self, current: Option<&Entry>, compare: Compare) -> bool {
        let Some(entry) = current else { return false };
        match self {
            Self::Any => true,
            Self::Some(tags) => tags.iter().any(|tag| tag.matches(&entry.version, compare)),
        }
    }
}

impl Tag {
    /// One entity tag (section 8.8.3) and what follows it.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (weak, rest) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (tag, rest) = rest.strip_prefix('"')?.split_once('"')?;
        let visible = tag.bytes().all(|byte| byte > b' ' && byte != 0x7f);
        visible.then(|| {
            (
                Self {
                    weak,
                    text: tag.to_owned(),
                },
                rest,
            )
        })
    }

    fn matches(&self, version: &Version, compare: Compare) -> bool {
        !(self.weak && compare == Compare::Strong) && self.text == version.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{ErrorKind, Kind, Path};
    use http::HeaderValue;

    fn entry() -> Entry {
        Entry {
            path: Path::parse("a").unwrap(),
            kind: Kind::File,
            size: 3,
            // 1994-11-06 08:49:37, and a fraction that HTTP's dates cannot show.
            modified: UNIX_EPOCH + Duration::from_millis(784_111_777_250),
            version: Version::parse("v1").unwrap(),
            digest: None,
            executable: false,
        }
    }

    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const OLDER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn the_table_of_verdicts() {
        use Verdict::{Failed, NotModified, Proceed};
        // (fields, GET with an entry, PUT with an entry, PUT with nothing there)
        type Row = (
            &'static [(&'static str, &'static str)],
            Verdict,
            Verdict,
            Verdict,
        );
        let table: &[Row] = &[
            (&[], Proceed, Proceed, Proceed),
            (&[("if-match", "*")], Proceed, Proceed, Failed),
            (&[("if-match", "\"v1\"")], Proceed, Proceed, Failed),
            (&[("if-match", "\"v2\"")], Failed, Failed, Failed),
            (&[("if-match", "\"v2\", ,\"v1\"")], Proceed, Proceed, Failed),
            (
                &[("if-match", "\"v2\""), ("if-match", "\"v1\"")],
                Proceed,
                Proceed,
                Failed,
            ),
            (&[("if-match", "W/\"v1\"")], Failed, Failed, Failed),
            (&[("if-match", "\"a, \"v1\"")], Failed, Failed, Failed),
            (&[("if-none-match", "*")], NotModified, Failed, Proceed),
            (&[("if-none-match", "\"v1\"")], NotModified, Failed, Proceed),
            (
                &[("if-none-match", "W/\"v1\"")],
                NotModified,
                Failed,
                Proceed,
            ),
            (
                &[("if-none-match", "\"v2\", W/\"v1\"")],
                NotModified,
                Failed,
                Proceed,
            ),
            (&[("if-none-match", "\"v2\"")], Proceed, Proceed, Proceed),
            (&[("if-unmodified-since", SAME)], Proceed, Proceed, Proceed),
            (&[("if-unmodified-since", OLDER)], Failed, Failed, Proceed),
            (
                &[("if-unmodified-since", "yesterday")],
                Proceed,
                Proceed,
                Proceed,
            ),
            (
                &[("if-modified-since", SAME)],
                NotModified,
                Proceed,
                Proceed,
            ),
            (&[("if-modified-since", OLDER)], Proceed, Proceed, Proceed),
            (&[("if-modified-since", "0")], Proceed, Proceed, Proceed),
            // Tags outrank dates.
            (
                &[("if-match", "\"v1\""), ("if-unmodified-since", OLDER)],
                Proceed,
                Proceed,
                Failed,
            ),
            (
                &[("if-none-match", "\"v2\""), ("if-modified-since", SAME)],
                Proceed,
                Proceed,
                Proceed,
            ),
            // First the match, then the none-match.
            (
                &[("if-match", "\"v1\""), ("if-none-match", "\"v1\"")],
                NotModified,
                Failed,
                Failed,
            ),
            (
                &[("if-match", "\"v2\""), ("if-none-match", "\"v1\"")],
                Failed,
                Failed,
                Failed,
            ),
            (
                &[("if-unmodified-since", SAME), ("if-modified-since", SAME)],
                NotModified,
                Proceed,
                Proceed,
            ),
        ];
        let entry = entry();
        for (pairs, get, put, new) in table {
            let map = headers(pairs);
            let safe = Conditions::parse(&map, true);
            let Ok(safe) = safe else {
                assert_eq!(*get, Failed, "{pairs:?}");
                continue;
            };
            assert_eq!(safe.verdict(Some(&entry), true), *get, "GET {pairs:?}");
            let change = Conditions::parse(&map, false).unwrap();
            assert_eq!(change.verdict(Some(&entry), false), *put, "PUT {pairs:?}");
            assert_eq!(
                change.verdict(None, false),
                *new,
                "PUT of something new {pairs:?}"
            );
        }
    }

    #[test]
    fn a_guard_that_cannot_be_read_is_refused() {
        for bad in [
            "",
            "v1",
            "\"v1",
            "\"v1\" \"v2\"",
            "*, \"v1\"",
            "w/\"v1\"",
            "\"a b\"",
        ] {
            let map = headers(&[("if-match", bad)]);
            assert_eq!(
                Conditions::parse(&map, true).unwrap_err().kind(),
                ErrorKind::BadRequest,
                "{bad}"
            );
            let map = headers(&[("if-none-match", bad)]);
            assert!(Conditions::parse(&map, false).is_err(), "{bad}");
            assert!(!Conditions::parse(&map, true).unwrap().any(), "{bad}");
        }
    }

    #[test]
    fn a_change_is_pinned_to_what_the_verdict_saw() {
        let entry = entry();
        let parse =
            |pairs: &[(&'static str, &str)]| Conditions::parse(&headers(pairs), false).unwrap();
        assert_eq!(parse(&[]).pin(Some(&entry)), Replace::Always);
        let guarded = parse(&[("if-match", "*")]);
        assert_eq!(
            guarded.pin(Some(&entry)),
            Replace::Only(entry.version.clone())
        );
        assert_eq!(parse(&[("if-none-match", "*")]).pin(None), Replace::Never);
        assert!(parse(&[("if-none-match", "*")]).only_new());
        assert!(!parse(&[("if-none-match", "*"), ("if-match", "*")]).only_new());
        // Of no meaning for a change.
        assert!(!parse(&[("if-modified-since", SAME)]).any());
    }

    #[test]
    fn a_range_wants_a_strong_validator() {
        let entry = entry();
        let now = entry.modified + Duration::from_secs(60);
        let table = [
            ("\"v1\"", true),
            ("W/\"v1\"", false),
            ("\"v2\"", false),
            ("\"v1\", \"v2\"", false),
            ("v1", false),
            (SAME, true),
            (OLDER, false),
            ("Sun, 06 Nov 1994 08:49:38 GMT", false),
        ];
        for (value, passes) in table {
            assert_eq!(
                if_range(&headers(&[("if-range", value)]), &entry, now),
                passes,
                "{value}"
            );
        }
        assert!(if_range(&HeaderMap::new(), &entry, now));
        // Changed within the last second: it might change again without a new date.
        assert!(!if_range(
            &headers(&[("if-range", SAME)]),
            &entry,
            entry.modified
        ));
        assert!(!if_range(
            &headers(&[("if-range", "\"v1\""), ("if-range", "\"v1\"")]),
            &entry,
            now
        ));
    }

    #[test]
    fn dates_stay_within_what_http_can_say() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let later = now + Duration::from_secs(10);
        assert_eq!(last_modified(later, now), SAME);
        assert_eq!(last_modified(now, later), SAME);
        let before = UNIX_EPOCH - Duration::from_secs(10);
        assert_eq!(last_modified(before, now), "Thu, 01 Jan 1970 00:00:00 GMT");
        let far = UNIX_EPOCH + Duration::from_secs(300_000_000_000);
        assert_eq!(last_modified(far, far), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
