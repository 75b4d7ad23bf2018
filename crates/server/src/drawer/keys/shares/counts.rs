//! How often each share was used: in parts of a file, also of what is on its way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Share, Shares};

/// One download, in the parts that are counted: a billionth of a file. A part is rounded up, so
/// that none is too small to count.
pub(super) const WHOLE: u64 = 1_000_000_000;
/// What may be sent beyond the limit, so that a download that was cut can go on from what arrived
/// although a little more had been sent.
const SLACK: u64 = WHOLE / 20;

/// In parts of a file, of which [`WHOLE`] are one.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    used: u64,
    /// On its way: counted until it is known how much was sent.
    taken: u64,
    /// What of it the file says: the rest was used here.
    kept: u64,
}

impl Count {
    /// What was sent, and what is on its way.
    fn all(self) -> u64 {
        self.used.saturating_add(self.taken)
    }

    /// Downloads, rounded up but for the slack.
    fn downloads(self) -> u64 {
        let all = self.all();
        match all {
            0 => 0,
            _ => all.saturating_sub(SLACK).div_ceil(WHOLE).max(1),
        }
    }
}

impl Shares {
    /// Takes `part` of `whole` bytes from what the share may still give. What was not sent comes
    /// back when the [`Taken`] is dropped. None when the limit is reached.
    ///
    /// What is counted is what was sent, in parts of a file: ranges, several lines and going on
    /// after a cut add up to one download, and nobody gets the file more often by asking for it in
    /// parts.
    pub(crate) fn take(self: &Arc<Self>, share: &Share, part: u64, whole: u64) -> Option<Taken> {
        let wanted = match whole {
            0 => WHOLE,
            _ => parts(part, whole),
        };
        let most = share
            .limit
            .map(|limit| limit.saturating_mul(WHOLE).saturating_add(SLACK));
        let fits = self.0.note(|counts| {
            let count = counts.0.entry(share.id.clone()).or_default();
            let all = count.all().saturating_add(wanted);
            let fits = most.is_none_or(|most| all <= most);
            if fits {
                count.taken = count.taken.saturating_add(wanted);
            }
            fits
        });
        fits.then(|| Taken {
            shares: Arc::clone(self),
            id: share.id.clone(),
            wanted,
            whole,
            sent: 0,
        })
    }

    /// May it still give something? For a good answer beforehand; [`Shares::take`] decides.
    pub(crate) fn is_used_up(&self, share: &Share) -> bool {
        let all = self.0.beside(|counts| counts.of(share).all());
        share
            .limit
            .is_some_and(|limit| all.saturating_add(SLACK) > limit.saturating_mul(WHOLE))
    }

    fn give_back(&self, taken: &Taken) {
        let sent = match taken.whole {
            0 => taken.wanted,
            whole => parts(taken.sent, whole).min(taken.wanted),
        };
        self.0.note(|counts| {
            if let Some(count) = counts.0.get_mut(&taken.id) {
                count.taken = count.taken.saturating_sub(taken.wanted);
                count.used = count.used.saturating_add(sent);
            }
        });
    }
}

/// So much of the whole, rounded up.
fn parts(part: u64, whole: u64) -> u64 {
    let parts = (u128::from(part) * u128::from(WHOLE)).div_ceil(u128::from(whole.max(1)));
    u64::try_from(parts).unwrap_or(u64::MAX)
}

/// A part of a share's downloads that is on its way.
#[derive(Debug)]
pub(crate) struct Taken {
    shares: Arc<Shares>,
    id: String,
    wanted: u64,
    whole: u64,
    sent: u64,
}

impl Taken {
    /// So many bytes more were sent.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
    }

    /// Nothing came of it.
    pub(crate) fn give_back(mut self) {
        (self.whole, self.sent) = (1, 0);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        Arc::clone(&self.shares).give_back(self);
    }
}

/// How often each share was used, by its id.
#[derive(Debug, Default)]
pub(in crate::drawer::keys) struct Counts(HashMap<String, Count>);

impl Counts {
    fn of(&self, share: &Share) -> Count {
        self.0.get(&share.id).copied().unwrap_or_default()
    }

    /// Downloads of this share, or files dropped.
    pub(super) fn downloads(&self, share: &Share) -> u64 {
        self.of(share).downloads()
    }

    /// What is written down of it: what is on its way counts, should nobody be there to say how it
    /// ended.
    pub(super) fn used(&self, share: &Share) -> u64 {
        self.of(share).all()
    }

    /// Takes over what a file says of a share.
    pub(super) fn read(&mut self, id: &str, used: u64, format: u32) {
        let used = match format {
            1 => used.saturating_mul(1000),
            _ => used,
        };
        let count = Count {
            used,
            taken: 0,
            kept: used,
        };
        self.0.insert(id.to_owned(), count);
    }

    /// What was used here counts beside what others used.
    pub(super) fn follow(&mut self, fresh: Self) {
        for (id, Count { used, .. }) in fresh.0 {
            let count = self.0.entry(id).or_default();
            count.used = used.saturating_add(count.used).saturating_sub(count.kept);
            count.kept = used;
        }
    }

    /// So much of it stands in the file now.
    pub(super) fn kept(&mut self, id: &str, used: u64) {
        if let Some(count) = self.0.get_mut(id) {
            count.kept = used;
        }
    }

    /// Those that are no more are not counted either.
    pub(super) fn forget(&mut self, still: &HashSet<&str>) {
        self.0.retain(|id, _| still.contains(id.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{plan, send, shares};
    use super::*;

    #[test]
    fn parts_add_up_and_nobody_gets_more_by_asking_at_once_or_in_parts() {
        let shares = shares();
        let (share, _) = shares.add(plan("a", Some(1))).unwrap();
        // Four lines at once, a quarter each: one download.
        let quarters: Vec<_> = (0..4).map(|_| shares.take(&share, 250, 1000)).collect();
        assert!(quarters.iter().all(Option::is_some));
        assert!(
            shares.take(&share, 1000, 1000).is_none(),
            "what is under way counts"
        );
        drop(quarters);
        // Nothing was sent, so nothing is used up.
        assert!(send(&shares, &share, 1000, 600), "cut after 600");
        assert!(!send(&shares, &share, 1000, 0), "not from the start again");
        assert!(
            send(&shares, &share, 420, 420),
            "on from where it was, with some twice"
        );
        assert!(!send(&shares, &share, 100, 100), "no more");
        assert_eq!(shares.list(None)[0].1, 1);
        // A file of nothing is a download too; one without a limit goes on.
        let (empty, _) = shares.add(plan("b", Some(1))).unwrap();
        assert!(shares.take(&empty, 0, 0).is_some() && shares.take(&empty, 0, 0).is_none());
        let (open, _) = shares.add(plan("c", None)).unwrap();
        assert!((0..10).all(|_| send(&shares, &open, 1000, 1000)));
        assert_eq!(shares.list(None)[2].1, 10);
    }

    #[test]
    fn no_part_is_too_small_to_count() {
        let shares = shares();
        let (share, _) = shares.add(plan("a", Some(1))).unwrap();
        let small = shares.take(&share, 999, 1_000_000_000).unwrap();
        assert_eq!(small.wanted, 999);
        assert_eq!(shares.take(&share, 1, u64::MAX).unwrap().wanted, 1);
        drop(small);
        // All of a file but a little, and then that little again and again.
        assert!(shares.take(&share, 949_999_999, 1_000_000_000).is_some());
        let mut most = shares.take(&share, 949_999_999, 1_000_000_000).unwrap();
        most.sent(949_999_999);
        drop(most);
        let mut given = 0;
        for _ in 0..200_000 {
            let Some(mut some) = shares.take(&share, 999, 1_000_000_000) else {
                break;
            };
            some.sent(999);
            given += 999;
        }
        assert!(given <= 2 * SLACK + 1, "{given}");
        assert_eq!(shares.list(None)[0].1, 1);
    }
}
