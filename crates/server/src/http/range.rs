//! The `Range` field: RFC 9110, section 14.

use std::ops::Range;

/// The most parts of one answer. A request for more gets the whole file (section 14.2 lets a
/// server ignore what looks like an attack).
pub(crate) const MAX_PARTS: usize = 16;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything, with 200.
    Whole,
    /// These parts, with 206: at least one, none empty, none overlapping another.
    Parts(Vec<Range<u64>>),
    /// 416.
    Unsatisfiable,
}

/// What a `Range` field asks of a file of `length` bytes.
///
/// Another unit, or a field that cannot be read, asks for nothing special. Parts that overlap or
/// touch become one; then, and only then, they come in ascending order instead of as asked for
/// (section 15.3.7.2).
pub(crate) fn resolve(field: &str, length: u64) -> Wanted {
    let Some(specs) = parse(field) else {
        return Wanted::Whole;
    };
    // An empty file has no part, and its whole costs nothing.
    if length == 0 && specs.iter().any(|spec| matches!(spec, Spec::Last(1..))) {
        return Wanted::Whole;
    }
    let parts: Vec<Range<u64>> = specs
        .iter()
        .filter_map(|spec| spec.within(length))
        .collect();
    if parts.is_empty() {
        return Wanted::Unsatisfiable;
    }
    let mut merged: Vec<Range<u64>> = Vec::new();
    let mut sorted = parts.clone();
    sorted.sort_by_key(|part| part.start);
    for part in sorted {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    if merged.len() > MAX_PARTS {
        return Wanted::Whole;
    }
    Wanted::Parts(if merged.len() == parts.len() {
        parts
    } else {
        merged
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    /// `first-last`, `first-`: the last byte is included.
    From(u64, u64),
    /// `-count`.
    Last(u64),
}

impl Spec {
    fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.saturating_add(1).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// The specs of a `bytes` range-set (section 14.1.2); none when it is something else.
fn parse(field: &str) -> Option<Vec<Spec>> {
    let (unit, set) = field.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for part in set.split(',').map(|part| part.trim_matches([' ', '\t'])) {
        if part.is_empty() {
            continue;
        }
        let (first, last) = part.split_once('-')?;
        specs.push(match (first, last) {
            ("", count) => Spec::Last(number(count)?),
            (first, "") => Spec::From(number(first)?, u64::MAX),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                Spec::From(first, last)
            }
        });
    }
    (!specs.is_empty()).then_some(specs)
}

/// `1*DIGIT`; what passes the largest number is the largest number.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
// A list of one part is what is meant.
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;
    use gaveta_testkit::Rng;

    #[test]
    fn the_table_of_ranges() {
        let parts = |ranges: &[Range<u64>]| Wanted::Parts(ranges.to_vec());
        let huge = "99999999999999999999999999";
        let table: Vec<(String, Wanted)> = vec![
            ("bytes=0-0".into(), parts(&[0..1])),
            ("bytes=0-9".into(), parts(&[0..10])),
            ("bytes=2-".into(), parts(&[2..100])),
            ("bytes=-3".into(), parts(&[97..100])),
            ("bytes=-100".into(), parts(&[0..100])),
            ("bytes=-1000".into(), parts(&[0..100])),
            ("bytes=90-1000".into(), parts(&[90..100])),
            (format!("bytes=5-{huge}"), parts(&[5..100])),
            (format!("bytes=-{huge}"), parts(&[0..100])),
            (
                "bytes=18446744073709551614-18446744073709551615".into(),
                Wanted::Unsatisfiable,
            ),
            (format!("bytes={huge}-"), Wanted::Unsatisfiable),
            ("bytes=100-".into(), Wanted::Unsatisfiable),
            ("bytes=-0".into(), Wanted::Unsatisfiable),
            ("BYTES = 1-1".into(), parts(&[1..2])),
            ("bytes=0-1,4-5".into(), parts(&[0..2, 4..6])),
            ("bytes= 0-1 ,\t4-5 , ,".into(), parts(&[0..2, 4..6])),
            ("bytes=4-5,0-1".into(), parts(&[4..6, 0..2])),
            ("bytes=4-9,0-5".into(), parts(&[0..10])),
            ("bytes=0-3,4-9".into(), parts(&[0..10])),
            ("bytes=50-59,0-5,3-9".into(), parts(&[0..10, 50..60])),
            ("bytes=0-1,200-300".into(), parts(&[0..2])),
            ("bytes=-1,0-0".into(), parts(&[99..100, 0..1])),
            // Not understood: as if it were not there.
            ("bytes=5-4".into(), Wanted::Whole),
            ("bytes=0-1,5-4".into(), Wanted::Whole),
            ("bytes=".into(), Wanted::Whole),
            ("bytes=,".into(), Wanted::Whole),
            ("bytes=-".into(), Wanted::Whole),
            ("bytes=a-b".into(), Wanted::Whole),
            ("bytes=+1-2".into(), Wanted::Whole),
            ("bytes=1--2".into(), Wanted::Whole),
            ("bytes=1-2-3".into(), Wanted::Whole),
            ("bytes 1-2".into(), Wanted::Whole),
            ("items=0-1".into(), Wanted::Whole),
            ("".into(), Wanted::Whole),
        ];
        for (field, expected) in table {
            assert_eq!(resolve(&field, 100), expected, "{field}");
        }
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        assert_eq!(resolve("bytes=0-", 0), Wanted::Unsatisfiable);
        assert_eq!(resolve("bytes=0-0", 0), Wanted::Unsatisfiable);
        assert_eq!(resolve("bytes=-5", 0), Wanted::Whole);
        assert_eq!(resolve("bytes=-0", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn too_many_parts_get_the_whole() {
        let many = |n: u64| {
            let specs: Vec<String> = (0..n).map(|i| format!("{}-{}", i * 3, i * 3)).collect();
            format!("bytes={}", specs.join(","))
        };
        assert!(matches!(resolve(&many(16), 1000), Wanted::Parts(parts) if parts.len() == 16));
        assert_eq!(resolve(&many(17), 1000), Wanted::Whole);
        // The same byte a thousand times is one part.
        let same = format!("bytes={}", vec!["7-7"; 1000].join(","));
        assert_eq!(resolve(&same, 1000), Wanted::Parts(vec![7..8]));
    }

    #[test]
    fn parts_lie_within_and_never_overlap() {
        let mut rng = Rng::new(14);
        for _ in 0..20_000 {
            let alphabet = [
                '-', '-', ',', ' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
            ];
            let set: String = (0..rng.below(30)).map(|_| *rng.pick(&alphabet)).collect();
            let (field, length) = (format!("bytes={set}"), rng.below(500) as u64);
            let Wanted::Parts(mut parts) = resolve(&field, length) else {
                continue;
            };
            assert!(!parts.is_empty() && parts.len() <= MAX_PARTS, "{field}");
            parts.sort_by_key(|part| part.start);
            let mut end = 0;
            for part in parts {
                assert!(
                    part.start >= end && part.start < part.end && part.end <= length,
                    "{field}"
                );
                end = part.end;
            }
        }
    }

    #[test]
    fn fuzz_range() {
        let seeds: [&[u8]; 4] = [b"bytes=0-1,5-,-3", b"bytes=-0", b"bytes=9-1", b"items=1-2"];
        gaveta_testkit::fuzz::run("range", &seeds, &[b"bytes=", b"-", b",", b"0-0"], |input| {
            let Ok(text) = std::str::from_utf8(input) else {
                return;
            };
            for length in [0, 1, 1000, u64::MAX] {
                if let Wanted::Parts(parts) = resolve(text, length) {
                    assert!(!parts.is_empty() && parts.len() <= MAX_PARTS);
                    assert!(parts.iter().all(|p| p.start < p.end && p.end <= length));
                }
            }
        });
    }
}
