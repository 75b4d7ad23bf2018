//! What one account has of the drawer: its quota and its rate.

use std::sync::Arc;

use futures_core::Stream;
use futures_util::StreamExt;
use gaveta_core::{Entry, Error, ErrorKind, ListPlan, Listed, Path, Result, Space};

use super::guard::View;
use super::quota::Holding;

/// The most files of one folder that an account with a quota copies at once.
const COPIED: usize = 100_000;

/// What a copy takes, as far as it counts, and the room for it.
#[derive(Debug, Default)]
pub(super) struct Copied {
    files: Vec<(Path, u64)>,
    _holding: Option<Holding>,
}

impl View {
    /// How much the account may have under way beside what it keeps; none without a quota.
    pub(super) fn room(&self) -> Option<u64> {
        let account = self.account();
        let quota = account.quota()?;
        Some(quota.saturating_sub(self.drawer.quotas.used(&account.payer().0)))
    }

    /// What is under way comes to so many bytes.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(super) fn holds(&self, holding: &Holding, end: u64) -> Result<()> {
        let account = self.account();
        match account.quota() {
            Some(quota) => holding.grow(end, quota, self.drawer.ledger.bytes_of(&account.payer())),
            None => Ok(()),
        }
    }

    /// Where so many bytes more seem not to fit into the quota, the account's files are looked at
    /// again first: others may have removed some.
    pub(super) async fn recount(&self, more: u64) -> Result<()> {
        let account = self.account();
        let Some(room) = self.room() else {
            return Ok(());
        };
        let under_way = self.drawer.ledger.bytes_of(&account.payer());
        let quotas = &self.drawer.quotas;
        let payer = account.payer().0;
        if under_way.saturating_add(more) <= room && room > 0 || !quotas.may_look(&payer) {
            return Ok(());
        }
        for (text, size) in quotas.files_of(&payer) {
            let path = Path::parse(&text)?;
            match self.drawer.gate.there(&path).await? {
                Some(entry) if entry.size == size && !entry.is_folder() => {}
                Some(entry) if !entry.is_folder() => {
                    quotas.kept(&path, Some((&payer, entry.size)));
                }
                Some(_) | None => quotas.kept(&path, None),
            }
        }
        Ok(())
    }

    /// This was published by the account.
    pub(super) fn keeps(&self, entry: &Entry) {
        if !entry.is_folder() {
            self.keeps_file(&entry.path, entry.size);
        }
    }

    /// This file was published by the account.
    pub(super) fn keeps_file(&self, path: &Path, size: u64) {
        let account = self.account();
        let payer = account.payer().0;
        let counted = account.quota().map(|_| (&*payer, size));
        self.drawer.quotas.kept(path, counted);
    }

    /// The files of an entry: itself, or all that is beneath.
    ///
    /// # Errors
    /// Those of the listing; `TooLarge` for too many to count.
    async fn files_of(&self, entry: &Entry) -> Result<Vec<(Path, u64)>> {
        if !entry.is_folder() {
            return Ok(vec![(entry.path.clone(), entry.size)]);
        }
        let (mut files, mut folders) = (Vec::new(), vec![entry.path.clone()]);
        while let Some(folder) = folders.pop() {
            let store = self.drawer.gate.own();
            let mut listing = store.list(&folder, ListPlan::default()).await?;
            while let Some(listed) = listing.next().await {
                let Listed::Entry(entry) = listed? else {
                    continue;
                };
                if files.len() + folders.len() >= COPIED {
                    return Err(Error::at(ErrorKind::TooLarge, &folder));
                }
                match entry.is_folder() {
                    true => folders.push(entry.path),
                    false => files.push((entry.path, entry.size)),
                }
            }
        }
        Ok(files)
    }

    /// Room for what comes back from the trash, as far as its size is known.
    ///
    /// # Errors
    /// `NoSpace`.
    pub(super) async fn room_for_return(&self, entry: &Entry) -> Result<Option<Holding>> {
        let account = self.account();
        if account.quota().is_none() || entry.is_folder() {
            return Ok(None);
        }
        self.recount(entry.size).await?;
        let holding = self.drawer.quotas.hold(&account.payer().0);
        self.holds(&holding, entry.size)?;
        Ok(Some(holding))
    }

    /// This came back from the trash: it counts for whoever brought it back, with all that is
    /// beneath, even beyond his quota.
    pub(super) async fn keeps_all(&self, entry: &Entry) {
        if self.account().quota().is_none() {
            return self.keeps(entry);
        }
        match self.files_of(entry).await {
            Ok(files) => files
                .iter()
                .for_each(|(path, size)| self.keeps_file(path, *size)),
            Err(error) => {
                let why = gaveta_text::escape(&error.chain()).into_owned();
                tracing::warn!(target: "gaveta::quota", why, "what came back is not counted");
            }
        }
    }

    /// Room for a copy, where there is a quota.
    ///
    /// # Errors
    /// `NoSpace`; `TooLarge` for a folder of too many files to count.
    pub(super) async fn room_for_copy(&self, from: &Path) -> Result<Copied> {
        let account = self.account();
        if account.quota().is_none() {
            return Ok(Copied::default());
        }
        let there = self.drawer.gate.there(from).await?;
        let files = match &there {
            Some(entry) => self.files_of(entry).await?,
            None => Vec::new(),
        };
        let sum = files
            .iter()
            .fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
        self.recount(sum).await?;
        let holding = self.drawer.quotas.hold(&account.payer().0);
        self.holds(&holding, sum)?;
        Ok(Copied {
            files,
            _holding: Some(holding),
        })
    }

    /// All of it was copied from here to there.
    pub(super) fn keeps_copy(&self, copied: &Copied, from: &Path, to: &Path) {
        for (path, size) in &copied.files {
            if let Some(rest) = path.beneath(from)
                && let Ok(path) = to.join_path(&rest)
            {
                self.keeps_file(&path, *size);
            }
        }
    }

    /// The room as the account has it: no more than its quota leaves.
    pub(super) fn share_of(&self, space: Space) -> Space {
        let account = self.account();
        match (account.quota(), self.room()) {
            (Some(quota), Some(room)) => Space {
                total: space.total.min(quota),
                free: space.free.min(room),
            },
            _ => space,
        }
    }

    /// A stream that goes no faster than the account may.
    pub(super) fn paced<S, T>(
        &self,
        stream: S,
        length: impl Fn(&T) -> u64 + Send + 'static,
    ) -> impl Stream<Item = Result<T>> + Send + 'static
    where
        S: Stream<Item = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (drawer, payer) = (Arc::clone(&self.drawer), self.account().payer());
        stream.then(move |piece| {
            let bytes = piece.as_ref().map_or(0, &length);
            let (drawer, payer) = (Arc::clone(&drawer), payer.clone());
            async move {
                if bytes > 0 && drawer.fairness.has_rate() {
                    drawer.fairness.bytes(&payer.0, bytes).await;
                }
                piece
            }
        })
    }
}
