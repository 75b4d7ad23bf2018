//! Spans of time as a person types them.

/// Seconds of `90s`, `90m`, `12h`, `7d`, `2w` (seconds without a unit).
///
/// # Errors
/// What would do, for the parser's sentence.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let each = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err("7d, 12h, 90m".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(each))
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "7d, 12h, 90m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        assert_eq!(seconds("7d"), Ok(604_800));
        assert_eq!((seconds("90"), seconds("2m")), (Ok(90), Ok(120)));
        for bad in ["", "d", "0", "-1d", "1y", "99999999999999999999d"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
