//! One command, done: the same for the session and for a POST.

use futures_util::{StreamExt, TryStreamExt};
use gaveta_core::{
    Answer, Command, Cursor, ListPlan, Listed, OrderBy, Path, Result, Store, TrashPlan, Trashed,
    listing::MAX_PAGE,
};

use crate::drawer::View;

/// Does what the command says, as far as the view's account may.
///
/// A list is one sorted page (by name unless told otherwise) of at most [`MAX_PAGE`] entries.
/// Cancel-safe as the store is.
///
/// # Errors
/// Those of the store and of the rules.
pub(crate) async fn execute(command: Command, view: &View) -> Result<Answer> {
    let (word, path) = (command.word(), command.path());
    let done = carry_out(command, view).await;
    tracing::info!(
        target: "gaveta::command",
        command = word,
        path = %gaveta_text::escape(path.as_str()),
        account = view.account().name(),
        ended = done.as_ref().map_or_else(|error| error.kind().code(), |_| "done"),
    );
    done
}

async fn carry_out(command: Command, view: &View) -> Result<Answer> {
    Ok(match command {
        Command::List(path, plan) => list(&path, plan, view).await?,
        Command::Stat(path) => Answer::Entry(view.stat(&path).await?),
        Command::MakeFolder(path) => Answer::Entry(view.make_folder(&path).await?),
        Command::Rename(from, to, plan) => Answer::Entry(view.rename(&from, &to, plan).await?),
        Command::Copy(from, to, plan) => Answer::Entry(view.copy(&from, &to, plan).await?),
        Command::Touch(path, plan) => Answer::Entry(view.touch(&path, plan).await?),
        Command::Remove(path, plan) => {
            view.remove(&path, plan).await?;
            Answer::Done
        }
        Command::Space => Answer::Space(view.space().await?),
        Command::Trash(plan, limit) => trash(plan, limit, view).await?,
        Command::TrashState => Answer::TrashState(view.bin()?.state().await?),
        Command::Restore(id, plan) => Answer::Entry(view.bin()?.restore(&id, plan).await?),
        Command::Purge(id) => {
            view.bin()?.purge(&id).await?;
            Answer::Done
        }
        Command::Empty(plan) => {
            let (things, more) = view.empty(plan).await?;
            Answer::Purged { things, more }
        }
        Command::Verify(order) => {
            let (state, findings) = view.verify(order).await?;
            Answer::Verify(state, findings)
        }
    })
}

/// One page, the newest first. Who asks for the next one gives the id of the last.
async fn trash(plan: TrashPlan, limit: usize, view: &View) -> Result<Answer> {
    let all = view.bin()?.trashed(plan).await?;
    let list: Vec<Trashed> = all.take(limit).try_collect().await?;
    let full = list.len() >= limit;
    let next = list.last().filter(|_| full).map(|last| last.id.clone());
    Ok(Answer::Trash { list, next })
}

async fn list(path: &Path, plan: ListPlan, view: &View) -> Result<Answer> {
    let plan = ordered(plan);
    let limit = plan.limit;
    let order = plan.order;
    let mut listing = view.list(path, plan).await?;
    let (mut entries, mut unnameable) = (Vec::new(), 0);
    while let Some(listed) = listing.next().await {
        match listed? {
            Listed::Entry(entry) => entries.push(entry),
            Listed::Unnameable { .. } => unnameable += 1,
        }
    }
    // A full page may be the last one; only the next, empty one tells.
    let full = limit.is_some_and(|limit| entries.len() >= limit);
    let next = match (entries.last(), order) {
        (Some(last), Some(order)) if full => Some(Cursor::of(last, order).to_string()),
        _ => None,
    };
    Ok(Answer::Page {
        entries,
        unnameable,
        next,
    })
}

/// The plan with what a page needs: an order and a limit.
pub(crate) fn ordered(plan: ListPlan) -> ListPlan {
    let order = plan.order.or(ListPlan::sorted(OrderBy::Name, false).order);
    let limit = plan.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    ListPlan {
        order,
        limit: Some(limit),
        ..plan
    }
}
