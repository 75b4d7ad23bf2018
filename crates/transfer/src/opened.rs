//! Where a copy in chunks starts: an upload taken up again, or a new one, perhaps from an old
//! content.

use std::sync::Arc;

use gaveta_core::{
    CHUNK, Entry, Error, ErrorKind, OnDrop, Outline, Ranges, Replace, Result, Store, Upload,
    UploadId, Version, WritePlan,
};

use crate::file::{Context, Stop};
use crate::memory::{Mark, Remembered, Restart, Resume, derived};
use crate::options::Existing;
use crate::walk::Task;

/// An upload to write to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) upload: Arc<dyn Upload>,
    /// What is there of an earlier run.
    pub(crate) arrived: Ranges,
    /// The old content that what is not sent is taken from.
    pub(crate) base: Option<Outline>,
    /// Is it to be remembered still?
    pub(crate) new: bool,
}

impl Opened {
    pub(crate) fn resumed(&self) -> bool {
        !self.new
    }
}

/// Takes up what an earlier run left, if it is of use; else begins.
///
/// `Unsupported` when the target keeps no uploads in chunks.
pub(crate) async fn open(
    context: &Context,
    task: &Task,
    source: &Entry,
    replace: &Replace,
    delta: bool,
) -> Result<Opened, Stop> {
    if let Some(opened) = take_up(context, task, source, replace).await? {
        return Ok(opened);
    }
    let about = |error: Error| Stop::Before(error.about(&task.to));
    let target = context.target.as_ref();
    let base = if delta && *replace != Replace::Never {
        base_at(target, task).await
    } else {
        None
    };
    let mut plan = WritePlan {
        length: Some(source.size),
        replace: replace.clone(),
        modified: Some(source.modified),
        executable: Some(source.executable),
        base: base.as_ref().map(|(version, _)| version.clone()),
        ..WritePlan::new(task.to.clone(), context.options.owner.clone())
    };
    if let Some(resume) = &context.options.resume {
        plan.on_drop = OnDrop::Keep;
        if let Resume::Derive(name) = resume {
            plan.id = Some(derived(name, &source.path, &task.to));
            plan.note = Some(Mark::of(source, replace).to_text());
        }
    }
    let upload = target.begin(plan).await.map_err(about)?;
    Ok(Opened {
        upload,
        arrived: Ranges::new(),
        base: base.map(|(_, outline)| outline),
        new: true,
    })
}

/// The content that is to be replaced, when it is worth comparing with.
async fn base_at(target: &dyn Store, task: &Task) -> Option<(Version, Outline)> {
    let there = match &task.there {
        Some(there) => there.clone()?,
        None => target.stat(&task.to).await.ok()?,
    };
    if !there.is_file() || there.size < 2 * CHUNK {
        return None;
    }
    // Without it everything is sent: dearer, and as right.
    let outline = target.outline(&task.to, &there.version).await.ok()?;
    Some((there.version, outline))
}

/// What an earlier run left, when it may go on.
async fn take_up(
    context: &Context,
    task: &Task,
    source: &Entry,
    replace: &Replace,
) -> Result<Option<Opened>, Stop> {
    let Some((id, mark)) = remembered(context, task, source).await else {
        return Ok(None);
    };
    let state = match context.target.upload(&id, Some(&task.to)).await {
        Ok(upload) => upload.state().await.map(|state| (upload, state)),
        Err(error) => Err(error),
    };
    let (upload, state) = match state {
        Ok(found) => found,
        Err(error) if error.kind().is_transient() => {
            return Err(Stop::Before(error.about(&task.to)));
        }
        Err(_) => {
            // One that was derived was perhaps never begun.
            if mark.is_some() {
                context.restarted(task, Restart::Forgotten);
                forget(context, task).await;
            }
            return Ok(None);
        }
    };
    let mark = mark.or(state.note).and_then(|text| Mark::parse(&text));
    let why = match &mark {
        None => Some(Restart::TargetChanged),
        Some(mark) if !mark.is_of(source) => Some(Restart::SourceChanged),
        Some(mark) if !may_go_on(context, mark, replace) => Some(Restart::TargetChanged),
        Some(_) if state.length != Some(source.size) => Some(Restart::TargetChanged),
        Some(_) => None,
    };
    let base = match (&why, &state.base) {
        (None, Some(version)) => Some(context.target.outline(&task.to, version).await),
        _ => None,
    };
    let (why, base) = match base.transpose() {
        Ok(base) => (why, base),
        Err(error) if error.kind().is_transient() => {
            return Err(Stop::Before(error.about(&task.to)));
        }
        Err(_) => (Some(Restart::TargetChanged), None),
    };
    if let Some(why) = why {
        context.restarted(task, why);
        if let Err(error) = upload.discard().await {
            tracing::debug!(error = error.chain(), to = %task.to, "could not discard");
        }
        forget(context, task).await;
        return Ok(None);
    }
    Ok(Some(Opened {
        upload,
        arrived: state.arrived,
        base,
        new: false,
    }))
}

/// May what was begun so be committed now? What a person decided in an earlier run still holds.
fn may_go_on(context: &Context, mark: &Mark, replace: &Replace) -> bool {
    let asked = matches!(context.options.existing, Existing::Ask(_));
    mark.replace == *replace || (asked && *replace == Replace::Never)
}

async fn remembered(
    context: &Context,
    task: &Task,
    source: &Entry,
) -> Option<(UploadId, Option<String>)> {
    match context.options.resume.as_ref()? {
        Resume::Remember(memory) => {
            let found = memory.find(&task.to).await?;
            Some((found.id, Some(found.mark)))
        }
        Resume::Derive(name) => Some((derived(name, &source.path, &task.to), None)),
    }
}

/// Remembers a new upload, where the target does not do so itself.
pub(crate) async fn remember(context: &Context, task: &Task, upload: &dyn Upload, mark: Mark) {
    let Some(Resume::Remember(memory)) = &context.options.resume else {
        return;
    };
    let kept = match upload.state().await {
        Ok(state) => {
            let what = Remembered {
                id: state.id,
                mark: mark.to_text(),
            };
            memory.keep(&task.to, &what).await
        }
        Err(error) => Err(error),
    };
    // Without it a cut costs sending again; the copy itself goes on.
    if let Err(error) = kept {
        tracing::warn!(error = error.chain(), to = %task.to, "cannot remember the upload");
    }
}

/// Forgets what is published or of no use.
pub(crate) async fn forget(context: &Context, task: &Task) {
    if let Some(Resume::Remember(memory)) = &context.options.resume {
        memory.forget(&task.to).await;
    }
}

/// Does this error mean that the target keeps nothing in chunks?
pub(crate) fn is_unsupported(stop: &Stop) -> bool {
    matches!(stop, Stop::Before(error) if error.kind() == ErrorKind::Unsupported)
}
