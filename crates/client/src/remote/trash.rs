//! A remote drawer's trash, and its verification.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{
    Command, Content, Entry, Error, ErrorKind, Finding, Pieces, Reading, RestorePlan, Result,
    Trash, TrashId, TrashPlan, TrashState, Trashed, VerifyOrder, VerifyState, chunk,
};
use gaveta_wire::route;
use gaveta_wire::session::{AnswerBody, Call};
use gaveta_wire::trash::MAX_TRASH_PAGE;

use super::Remote;
use super::fault;
use super::line::Line;
use super::reading::{ask_at, exactly, told_range};

/// The trash of a remote drawer.
#[derive(Debug)]
pub(super) struct RemoteTrash(pub(super) Remote);

impl RemoteTrash {
    async fn page(&self, plan: TrashPlan, limit: usize) -> Result<(Vec<Trashed>, Option<TrashId>)> {
        let wanted = plan.clone();
        match self.0.command(&Command::Trash(plan, limit)).await? {
            AnswerBody::Trash { list, next } => {
                let list = list.into_iter().map(Trashed::try_from);
                let list = list.collect::<Result<Vec<_>>>().map_err(nonsense)?;
                if list.len() > MAX_TRASH_PAGE || !list.iter().all(|one| wanted.takes(one)) {
                    return Err(fault::nonsense("not the things that were asked for"));
                }
                let next = next.as_deref().map(TrashId::parse).transpose();
                Ok((list, next.map_err(nonsense)?))
            }
            other => Err(fault::odd_answer(&other)),
        }
    }
}

fn nonsense(error: Error) -> Error {
    fault::nonsense(error.chain())
}

#[async_trait]
impl Trash for RemoteTrash {
    async fn trashed(&self, plan: TrashPlan) -> Result<BoxStream<'static, Result<Trashed>>> {
        let this = Self(self.0.clone());
        let (first, next) = this.page(plan.clone(), MAX_TRASH_PAGE).await?;
        let rest = stream::try_unfold((this, plan, next), |(this, mut plan, next)| async move {
            let Some(next) = next else {
                return Ok::<_, Error>(None);
            };
            plan.after = Some(next);
            let (page, next) = this.page(plan.clone(), MAX_TRASH_PAGE).await?;
            // Pages that never end would be read for ever.
            let next = next.filter(|_| !page.is_empty());
            Ok(Some((
                stream::iter(page.into_iter().map(Ok)),
                (this, plan, next),
            )))
        });
        let first = stream::iter(first.into_iter().map(Ok));
        Ok(first.chain(rest.try_flatten()).boxed())
    }

    async fn find(&self, id: &TrashId) -> Result<Trashed> {
        let plan = TrashPlan {
            after: id.successor(),
            ..TrashPlan::default()
        };
        let (page, _) = self.page(plan, 1).await?;
        let found = page.into_iter().find(|one| one.id == *id);
        found.ok_or_else(|| id.unknown())
    }

    async fn open(&self, id: &TrashId) -> Result<Arc<dyn Reading>> {
        let one = self.find(id).await?;
        let kind = match one.entry.kind {
            gaveta_core::Kind::File => {
                return Ok(Arc::new(TrashReading {
                    line: self.0.line.clone(),
                    entry: one.entry,
                    target: format!("{}/{id}", route::TRASH),
                }));
            }
            gaveta_core::Kind::Folder => ErrorKind::IsFolder,
            gaveta_core::Kind::Link | gaveta_core::Kind::Special => ErrorKind::NotRegular,
        };
        Err(Error::at(kind, &one.entry.path))
    }

    async fn restore(&self, id: &TrashId, plan: RestorePlan) -> Result<Entry> {
        let to = match &plan.to {
            Some(to) => to.clone(),
            None => self.find(id).await?.entry.path,
        };
        let _own = self.0.own.changing(&to);
        self.0.entry(&Command::Restore(id.clone(), plan), &to).await
    }

    async fn purge(&self, id: &TrashId) -> Result<()> {
        match self.0.command(&Command::Purge(id.clone())).await? {
            AnswerBody::Done => Ok(()),
            other => Err(fault::odd_answer(&other)),
        }
    }

    async fn state(&self) -> Result<TrashState> {
        match self.0.command(&Command::TrashState).await? {
            AnswerBody::TrashState(state) => Ok(state.into()),
            other => Err(fault::odd_answer(&other)),
        }
    }
}

impl Remote {
    /// Destroys some of what the plan means. Gives how many, and whether there may be more.
    ///
    /// # Errors
    /// `SignInNeeded`, `Denied`, `Unsupported`.
    pub async fn empty_trash(&self, plan: &TrashPlan) -> Result<(u64, bool)> {
        match self.command(&Command::Empty(plan.clone())).await? {
            AnswerBody::Purged { things, more } => Ok((things, more)),
            other => Err(fault::odd_answer(&other)),
        }
    }

    /// Has the server read everything again, or tells how far that is and what it found.
    ///
    /// # Errors
    /// `SignInNeeded`, `Denied`, `Unsupported`.
    pub async fn verify(&self, order: VerifyOrder) -> Result<(VerifyState, Vec<Finding>)> {
        let call = Call::from(&Command::Verify(order));
        match self.line.call(call).await? {
            AnswerBody::Verify(body) => body.parse().map_err(nonsense),
            other => Err(fault::odd_answer(&other)),
        }
    }
}

/// A file in a remote trash. Its content never changes.
#[derive(Debug)]
struct TrashReading {
    line: Arc<Line>,
    entry: Entry,
    target: String,
}

impl Reading for TrashReading {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn stream(&self, range: Range<u64>) -> Content {
        if range.end > self.entry.size || range.start > range.end {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return Box::pin(stream::once(async { Err(error) }));
        }
        if range.is_empty() {
            return Box::pin(stream::empty());
        }
        let (line, entry, target) = (self.line.clone(), self.entry.clone(), self.target.clone());
        let content = async move {
            let response = ask_at(&line, &target, Some(&entry.version), &range, false).await;
            let response = response.map_err(|error| error.about(&entry.path))?;
            let (told, size) = told_range(&response).map_err(|error| error.about(&entry.path))?;
            if size != entry.size || told != range {
                return Err(fault::nonsense("not the range that was asked for").about(&entry.path));
            }
            let body = line.pieces(response.into_body());
            Ok::<_, Error>(exactly(body, range.end - range.start, &entry.path))
        };
        Box::pin(stream::once(content).try_flatten())
    }

    fn chunks(&self, range: Range<u64>) -> Pieces {
        let size = self.entry.size;
        let aligned = |at: u64| at == size || at.is_multiple_of(gaveta_core::CHUNK);
        if !aligned(range.start) || !aligned(range.end) || range.end > size {
            let error = Error::at(ErrorKind::BadRange, &self.entry.path);
            return Box::pin(stream::once(async { Err(error) }));
        }
        chunk::pieces(self.stream(range.clone()), range, size)
    }
}
