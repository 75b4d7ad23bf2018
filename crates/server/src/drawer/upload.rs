//! An upload as one account sees it.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use gaveta_core::{Check, Content, Entry, Path, Replace, Result, Seal, Upload, UploadState};

use super::Drawer;
use super::guard::{View, race_lost};

/// An upload behind the rules: metered, and announced when it is published. The view that made it
/// has checked the account; whoever holds it may go on with it.
#[derive(Debug)]
pub(super) struct GuardedUpload {
    drawer: Arc<Drawer>,
    view: View,
    inner: Arc<dyn Upload>,
    target: Path,
    /// What the plan says about the name. `Always` where it is not known: then it is looked at.
    replace: Replace,
    narrowed: bool,
}

impl GuardedUpload {
    pub(super) fn begun(
        drawer: Arc<Drawer>,
        view: View,
        inner: Arc<dyn Upload>,
        target: Path,
        replace: Replace,
        narrowed: bool,
    ) -> Self {
        Self {
            drawer,
            view,
            inner,
            target,
            replace,
            narrowed,
        }
    }

    pub(super) fn taken_up(
        drawer: Arc<Drawer>,
        view: View,
        inner: Arc<dyn Upload>,
        target: Path,
    ) -> Self {
        Self {
            drawer,
            view,
            inner,
            target,
            replace: Replace::Always,
            narrowed: false,
        }
    }
}

#[async_trait]
impl Upload for GuardedUpload {
    async fn state(&self) -> Result<UploadState> {
        self.inner.state().await
    }

    async fn write(&self, offset: u64, content: Content, check: Check) -> Result<u64> {
        let drawer = Arc::clone(&self.drawer);
        let metered = content.inspect(move |piece| {
            if let Ok(bytes) = piece {
                drawer.meters.written(bytes.len() as u64);
            }
        });
        self.inner.write(offset, Box::pin(metered), check).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.inner.read(range).await
    }

    async fn set_length(&self, length: u64) -> Result<()> {
        self.inner.set_length(length).await
    }

    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }

    async fn commit(&self, seal: Seal) -> Result<Entry> {
        let replaced = self.view.will_replace(&self.target, &self.replace).await?;
        let (inner, view) = (Arc::clone(&self.inner), self.view.clone());
        let narrowed = self.narrowed;
        View::change(
            &self.drawer,
            false,
            async move {
                inner
                    .commit(seal)
                    .await
                    .map_err(|error| race_lost(error, narrowed))
            },
            move |entry: &Entry| Some(view.written(entry, replaced)),
        )
        .await
    }

    async fn discard(&self) -> Result<()> {
        self.inner.discard().await
    }
}
