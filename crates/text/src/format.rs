//! Sizes, rates, durations, dates and counts by language.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::{Lang, Text};

const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

impl Text {
    /// A size in decimal units: `812 B`, `12,3 kB`, `2.1 GB`.
    pub fn size(&self, bytes: u64) -> String {
        #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
        let mut value = bytes as f64;
        let mut unit = 0;
        // 999.95 would be shown as 1000.0 of the smaller unit.
        while value >= 999.95 && unit + 1 < UNITS.len() {
            value /= 1000.0;
            unit += 1;
        }
        let unit_name = UNITS.get(unit).unwrap_or(&"B");
        if unit == 0 {
            format!("{bytes} B")
        } else {
            format!("{} {unit_name}", self.decimal(value))
        }
    }

    /// Bytes per second: `812 MB/s`.
    pub fn rate(&self, bytes_per_second: f64) -> String {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates"
        )]
        let bytes = bytes_per_second.max(0.0) as u64;
        format!("{}/s", self.size(bytes))
    }

    /// A duration as a clock shows it: `0:07`, `12:30`, `3:05:00`; `2d 3h` from a day on.
    pub fn duration(&self, duration: Duration) -> String {
        let seconds = duration.as_secs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours >= 24 {
            format!("{}d {}h", hours / 24, hours % 24)
        } else if hours > 0 {
            format!("{hours}:{minutes:02}:{:02}", seconds % 60)
        } else {
            format!("{minutes}:{:02}", seconds % 60)
        }
    }

    /// A whole number with its groups: `12.345` or `12,345`.
    pub fn count(&self, number: u64) -> String {
        let digits = number.to_string();
        let group = match self.lang() {
            Lang::Portuguese => '.',
            Lang::English => ',',
        };
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push(group);
            }
            text.push(digit);
        }
        text
    }

    /// A time for people, in this machine's zone: `hoje 10:12`, `Nov 23 10:12`, `2025-11-23`.
    pub fn time(&self, time: SystemTime) -> String {
        let now = Zoned::now();
        self.time_as_of(time, &now)
    }

    fn time_as_of(&self, time: SystemTime, now: &Zoned) -> String {
        let Ok(timestamp) = Timestamp::try_from(time) else {
            return "?".to_owned();
        };
        let then = timestamp.to_zoned(now.time_zone().clone());
        let clock = format!("{:02}:{:02}", then.hour(), then.minute());
        if then.date() == now.date() {
            return format!("{} {clock}", self.say("format-today", &[]));
        }
        if then.year() != now.year() {
            return then.date().to_string();
        }
        let month = self.say("format-months", &[]);
        let index = usize::try_from(then.month()).unwrap_or(1).saturating_sub(1);
        let month = month.split(' ').nth(index).unwrap_or("?");
        match self.lang() {
            Lang::Portuguese => format!("{:>2} {month} {clock}", then.day()),
            Lang::English => format!("{month} {:>2} {clock}", then.day()),
        }
    }

    fn decimal(&self, value: f64) -> String {
        let text = format!("{value:.1}");
        match self.lang() {
            Lang::Portuguese => text.replace('.', ","),
            Lang::English => text,
        }
    }
}

/// A time as `2026-11-23 10:12:05`, in this machine's zone: the same in every language.
pub fn exact_time(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| "?".to_owned(),
        |timestamp| {
            timestamp
                .to_zoned(TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> [Text; 2] {
        Lang::ALL.map(Text::new)
    }

    #[test]
    fn sizes() {
        let [portuguese, english] = both();
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (2_100_000_000, "2.1 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(english.size(bytes), shown);
            assert_eq!(portuguese.size(bytes), shown.replace('.', ","));
        }
        assert_eq!(english.rate(f64::NAN), "0 B/s");
    }

    #[test]
    fn counts_and_durations() {
        let [portuguese, english] = both();
        for (number, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(english.count(number), shown);
            assert_eq!(portuguese.count(number), shown.replace(',', "."));
        }
        for (seconds, shown) in [
            (0, "0:00"),
            (61, "1:01"),
            (3600, "1:00:00"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(english.duration(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn times() {
        let [portuguese, english] = both();
        let now = "2026-11-23T12:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .to_zoned(TimeZone::UTC);
        let at = |text: &str| SystemTime::from(text.parse::<Timestamp>().unwrap());
        for (time, pt, en) in [
            ("2026-11-23T10:12:00Z", "hoje 10:12", "today 10:12"),
            ("2026-02-03T04:05:00Z", " 3 fev 04:05", "Feb  3 04:05"),
            ("2025-02-03T04:05:00Z", "2025-02-03", "2025-02-03"),
        ] {
            assert_eq!(portuguese.time_as_of(at(time), &now), pt);
            assert_eq!(english.time_as_of(at(time), &now), en);
        }
    }
}
