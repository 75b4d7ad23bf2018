//! Which bytes of a content are there: a set of disjoint ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of byte offsets, kept as disjoint ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges {
    /// start → end, exclusive. Invariant: `start < end`, and the next start is greater than `end`.
    spans: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Nothing there.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range, merging what it touches. An empty range adds nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        let Range { mut start, mut end } = range;
        if start >= end {
            return;
        }
        // Only spans that start at or before `end` can touch; walk them from the right.
        while let Some((&left, &right)) = self.spans.range(..=end).next_back() {
            if right < start {
                break;
            }
            self.spans.remove(&left);
            start = start.min(left);
            end = end.max(right);
        }
        self.spans.insert(start, end);
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        while let Some((&left, &right)) = self.spans.range(..range.end).next_back() {
            if right <= range.start {
                break;
            }
            self.spans.remove(&left);
            if right > range.end {
                self.spans.insert(range.end, right);
            }
            if left < range.start {
                self.spans.insert(left, range.start);
            }
        }
    }

    /// Is every byte of the range there? True for an empty range.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.start >= range.end
            || self
                .spans
                .range(..=range.start)
                .next_back()
                .is_some_and(|(_, &right)| right >= range.end)
    }

    /// Is any byte of the range there?
    pub fn touches(&self, range: &Range<u64>) -> bool {
        range.start < range.end
            && self
                .spans
                .range(..range.end)
                .next_back()
                .is_some_and(|(_, &right)| right > range.start)
    }

    /// What is missing of `0..length`, in order.
    pub fn gaps(&self, length: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let ends = std::iter::once(0).chain(self.spans.values().copied());
        let starts = self.spans.keys().copied().chain(std::iter::once(u64::MAX));
        ends.zip(starts)
            .map(move |(end, start)| end.min(length)..start.min(length))
            .filter(|gap| gap.start < gap.end)
    }

    /// How many bytes are there from 0 on without a gap: the offset of tus.
    pub fn prefix(&self) -> u64 {
        self.spans.get(&0).copied().unwrap_or(0)
    }

    /// How many bytes are there.
    pub fn total(&self) -> u64 {
        self.spans.iter().map(|(start, end)| end - start).sum()
    }

    /// One past the last byte that is there; 0 when nothing is.
    pub fn end(&self) -> u64 {
        self.spans.last_key_value().map_or(0, |(_, &end)| end)
    }

    /// How many separate ranges: what a bound on memory counts.
    pub fn pieces(&self) -> usize {
        self.spans.len()
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.spans.iter().map(|(&start, &end)| start..end)
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(iter: I) -> Self {
        let mut all = Self::new();
        iter.into_iter().for_each(|range| all.insert(range));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn touching_ranges_become_one() {
        let mut ranges: Ranges = [0..10, 20..30].into_iter().collect();
        assert_eq!(ranges.pieces(), 2);
        ranges.insert(10..20);
        assert_eq!(ranges.iter().next(), Some(0..30));
        assert_eq!(ranges.pieces(), 1);
        assert_eq!(
            (ranges.prefix(), ranges.total(), ranges.end()),
            (30, 30, 30)
        );
    }

    #[test]
    fn the_far_end_does_not_overflow() {
        let mut ranges = Ranges::new();
        ranges.insert(u64::MAX - 1..u64::MAX);
        assert_eq!(ranges.gaps(10).next(), Some(0..10));
        assert_eq!(ranges.gaps(10).count(), 1);
        assert_eq!(ranges.end(), u64::MAX);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_bytes(ops in proptest::collection::vec((any::<bool>(), 0u64..64, 0u64..64), 0..40)) {
            let mut ranges = Ranges::new();
            let mut set = [false; 64];
            for (add, a, b) in ops {
                if add { ranges.insert(a..b) } else { ranges.remove(a..b) }
                for i in a..b { set[i as usize] = add; }
            }
            prop_assert_eq!(ranges.total(), set.iter().filter(|x| **x).count() as u64);
            prop_assert_eq!(ranges.prefix(), set.iter().take_while(|x| **x).count() as u64);
            let missing: Vec<u64> = ranges.gaps(64).flatten().collect();
            let expected: Vec<u64> = (0..64).filter(|&i| !set[i as usize]).collect();
            prop_assert_eq!(missing, expected);
            let mut last = None;
            for span in ranges.iter() {
                prop_assert!(span.start < span.end);
                prop_assert!(last.is_none_or(|end| span.start > end));
                last = Some(span.end);
            }
            for a in 0..64u64 {
                for b in a..64 {
                    let slice = &set[a as usize..b as usize];
                    prop_assert_eq!(ranges.covers(&(a..b)), slice.iter().all(|x| *x));
                    prop_assert_eq!(ranges.touches(&(a..b)), slice.iter().any(|x| *x));
                }
            }
        }
    }
}
