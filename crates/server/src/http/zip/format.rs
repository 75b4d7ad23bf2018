//! The bytes of a ZIP archive. Numbers are little-endian; sections are those of APPNOTE.TXT.

use std::time::{SystemTime, UNIX_EPOCH};

/// What fits no more into a field of 32 bits, and says that the ZIP64 field has it.
const FULL32: u32 = u32::MAX;
const FULL16: u16 = u16::MAX;

/// The version that is needed: 4.5 for ZIP64, else 2.0 (section 4.4.3).
const NEEDS_64: u16 = 45;
const NEEDS_20: u16 = 20;
/// Made on Unix, so that the mode counts (section 4.4.2).
const MADE_BY: u16 = (3 << 8) | 63;

/// Names are UTF-8 (section 4.4.4, bit 11).
const UTF8: u16 = 1 << 11;
/// The sum comes after the data (bit 3).
const LATE: u16 = 1 << 3;

/// The longest of what stands around one entry's name and data in its local part and its record,
/// for bounds.
pub(super) const AROUND: u64 = 256;

/// One entry, as far as its headers tell.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its name in the archive; a folder's ends with `/`.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) folder: bool,
    pub(super) executable: bool,
    pub(super) modified: SystemTime,
}

impl Item {
    /// Has it data, and so a sum that comes late?
    pub(super) fn has_data(&self) -> bool {
        !self.folder && self.size > 0
    }

    fn big(&self) -> bool {
        self.size >= u64::from(FULL32)
    }

    fn flags(&self) -> u16 {
        match self.has_data() {
            true => UTF8 | LATE,
            false => UTF8,
        }
    }

    /// What stands before the data (section 4.3.7).
    pub(super) fn header(&self) -> Vec<u8> {
        let mut extra = self.stamp();
        if self.big() {
            // The sizes stand after the data, in eight bytes each: this field says so.
            put16(&mut extra, 1);
            put16(&mut extra, 16);
            extra.extend_from_slice(&[0; 16]);
        }
        let size = if self.big() { FULL32 } else { 0 };
        let mut out = Vec::with_capacity(64 + self.name.len());
        put32(&mut out, 0x0403_4b50);
        put16(&mut out, if self.big() { NEEDS_64 } else { NEEDS_20 });
        put16(&mut out, self.flags());
        put16(&mut out, 0);
        put32(&mut out, dos_time(self.modified));
        put32(&mut out, 0);
        put32(&mut out, size);
        put32(&mut out, size);
        put16(&mut out, short(self.name.len()));
        put16(&mut out, short(extra.len()));
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    /// What stands after the data (section 4.3.9); nothing for what has none.
    pub(super) fn descriptor(&self, sum: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        if !self.has_data() {
            return out;
        }
        put32(&mut out, 0x0807_4b50);
        put32(&mut out, sum);
        match u32::try_from(self.size) {
            Ok(size) if !self.big() => {
                put32(&mut out, size);
                put32(&mut out, size);
            }
            _ => {
                put64(&mut out, self.size);
                put64(&mut out, self.size);
            }
        }
        out
    }

    /// The record in the central directory (section 4.3.12).
    pub(super) fn record(&self, sum: u32, offset: u64) -> Vec<u8> {
        let far = offset >= u64::from(FULL32);
        let mut extra = self.stamp();
        if self.big() || far {
            put16(&mut extra, 1);
            put16(
                &mut extra,
                if self.big() { 16 } else { 0 } + if far { 8 } else { 0 },
            );
            if self.big() {
                put64(&mut extra, self.size);
                put64(&mut extra, self.size);
            }
            if far {
                put64(&mut extra, offset);
            }
        }
        let needs = if self.big() || far {
            NEEDS_64
        } else {
            NEEDS_20
        };
        let size = u32::try_from(self.size).unwrap_or(FULL32);
        let mode: u32 = match (self.folder, self.executable) {
            (true, _) => (0o040_755 << 16) | 0x10,
            (false, true) => 0o100_755 << 16,
            (false, false) => 0o100_644 << 16,
        };
        let mut out = Vec::with_capacity(96 + self.name.len());
        put32(&mut out, 0x0201_4b50);
        put16(&mut out, MADE_BY);
        put16(&mut out, needs);
        put16(&mut out, self.flags());
        put16(&mut out, 0);
        put32(&mut out, dos_time(self.modified));
        put32(&mut out, sum);
        put32(&mut out, size);
        put32(&mut out, size);
        put16(&mut out, short(self.name.len()));
        put16(&mut out, short(extra.len()));
        // Comment, disk, internal attributes.
        out.extend_from_slice(&[0; 6]);
        put32(&mut out, mode);
        put32(&mut out, u32::try_from(offset).unwrap_or(FULL32));
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&extra);
        out
    }

    /// The modified time in seconds, UTC (Info-ZIP's extended timestamp), where it fits.
    fn stamp(&self) -> Vec<u8> {
        let seconds = self
            .modified
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i32::try_from(since.as_secs()).ok());
        let mut out = Vec::new();
        if let Some(seconds) = seconds {
            put16(&mut out, 0x5455);
            put16(&mut out, 5);
            out.push(1);
            out.extend_from_slice(&seconds.to_le_bytes());
        }
        out
    }
}

/// What stands at the end (sections 4.3.14 to 4.3.16): how many records there are, how long they
/// are, and where they start.
pub(super) fn ending(count: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(98);
    let big =
        count >= u64::from(FULL16) || size >= u64::from(FULL32) || offset >= u64::from(FULL32);
    if big {
        put32(&mut out, 0x0606_4b50);
        put64(&mut out, 44);
        put16(&mut out, MADE_BY);
        put16(&mut out, NEEDS_64);
        put32(&mut out, 0);
        put32(&mut out, 0);
        put64(&mut out, count);
        put64(&mut out, count);
        put64(&mut out, size);
        put64(&mut out, offset);
        put32(&mut out, 0x0706_4b50);
        put32(&mut out, 0);
        put64(&mut out, offset.saturating_add(size));
        put32(&mut out, 1);
    }
    put32(&mut out, 0x0605_4b50);
    put16(&mut out, 0);
    put16(&mut out, 0);
    let short_count = u16::try_from(count).unwrap_or(FULL16);
    put16(&mut out, short_count);
    put16(&mut out, short_count);
    put32(&mut out, u32::try_from(size).unwrap_or(FULL32));
    put32(&mut out, u32::try_from(offset).unwrap_or(FULL32));
    put16(&mut out, 0);
    out
}

/// A name as it stands in an archive: a backslash, which some take for a separator, becomes a
/// wide one.
pub(super) fn name(path: &str, folder: bool) -> String {
    let mut name = path.replace('\\', "\u{ff3c}");
    if folder {
        name.push('/');
    }
    name
}

/// Date and time as MS-DOS has them (section 4.4.6), in UTC; the nearest for what it cannot hold.
fn dos_time(time: SystemTime) -> u32 {
    const LOWEST: u32 = (1 << 21) | (1 << 16);
    let Ok(since) = time.duration_since(UNIX_EPOCH) else {
        return LOWEST;
    };
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    if year < 1980 {
        return LOWEST;
    }
    if year > 2107 {
        return (127 << 25) | (12 << 21) | (31 << 16) | (23 << 11) | (59 << 5) | 29;
    }
    let of_day = seconds % 86_400;
    let parts = [
        (year - 1980) << 25,
        month << 21,
        day << 16,
        (of_day / 3600) << 11,
        (of_day / 60 % 60) << 5,
        of_day % 60 / 2,
    ];
    u32::try_from(parts.into_iter().sum::<u64>()).unwrap_or(LOWEST)
}

/// Year, month and day of a day since 1970-01-01. Source: Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(FULL16)
}
fn put16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}
fn put32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}
fn put64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (10_957, (2000, 1, 1)),
            (11_016, (2000, 2, 29)),
            (20_780, (2026, 11, 23)),
        ] {
            assert_eq!(date(days), expected);
        }
        let at = |seconds| dos_time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), at(315_532_799));
        // 2026-11-23 10:12:06
        let seconds = 20_780 * 86_400 + 10 * 3600 + 12 * 60 + 6;
        assert_eq!(
            at(seconds),
            (46 << 25) | (11 << 21) | (23 << 16) | (10 << 11) | (12 << 5) | 3
        );
        assert_eq!(at(u64::from(u32::MAX) * 20) >> 25, 127);
    }

    #[test]
    fn no_name_leads_out_of_where_it_is_unpacked() {
        assert_eq!(name("a\\..\\b", false), "a\u{ff3c}..\u{ff3c}b");
        assert_eq!(name("a/b", true), "a/b/");
    }
}
