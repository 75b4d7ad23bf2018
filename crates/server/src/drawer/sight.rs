//! What an account sees of a listing and of an event: nothing that it may not list.

use std::collections::VecDeque;

use futures_util::{StreamExt, TryStreamExt, stream};
use gaveta_core::{
    Account, Action, Entry, Event, EventKind, ListPlan, Listed, Listing, Path, Result,
};

use super::pass::Pass;

/// Names that no path can hold which one page tells of.
const UNNAMEABLE: usize = 1000;

/// May the account know of this entry? Of a folder also when it leads to what it may list.
fn shows(account: &Account, entry: &Entry) -> bool {
    account.may(Action::List, &entry.path)
        || (entry.is_folder() && account.grants().leads(&entry.path))
}

/// A folder's entries without those that are not to be seen.
pub(super) fn listing(listing: Listing, folder: &Path, pass: &Pass) -> Listing {
    let (pass, folder) = (pass.clone(), folder.clone());
    let seen = listing.try_filter_map(move |listed| {
        let seen = pass.now().map(|account| {
            let seen = match &listed {
                Listed::Entry(entry) => shows(&account, entry),
                Listed::Unnameable { .. } => account.may(Action::List, &folder),
            };
            seen.then_some(listed)
        });
        std::future::ready(seen)
    });
    Box::pin(seen)
}

/// One sorted page of a listing that is not.
///
/// # Errors
/// Those of the listing; `BadRequest` for a cursor without an order.
pub(super) async fn page(mut listing: Listing, plan: &ListPlan) -> Result<Listing> {
    let Some(mut window) = plan.window()? else {
        return Ok(listing);
    };
    let mut page = VecDeque::new();
    while let Some(listed) = listing.next().await {
        match listed? {
            Listed::Entry(entry) => window.push(entry),
            unnameable => {
                if plan.after.is_none() && page.len() < UNNAMEABLE {
                    page.push_back(Ok(unnameable));
                }
            }
        }
    }
    page.extend(
        window
            .into_page()
            .into_iter()
            .map(|entry| Ok(Listed::Entry(entry))),
    );
    Ok(Box::pin(stream::iter(page)))
}

/// What an event tells this account. Of a rename only the end that it may see; none when it may
/// not know of it at all.
pub(super) fn event(account: &Account, event: &Event) -> Option<Event> {
    let there = account.grants().shows(&event.path);
    let kind = match &event.kind {
        EventKind::Renamed(to) => match (there, shows(account, to)) {
            (true, true) => EventKind::Renamed(to.clone()),
            (true, false) => EventKind::Deleted,
            (false, true) => {
                return Some(Event {
                    path: to.path.clone(),
                    kind: EventKind::Created(to.clone()),
                    by: event.by.clone(),
                });
            }
            (false, false) => return None,
        },
        EventKind::Created(entry) | EventKind::Changed(entry) => match shows(account, entry) {
            true => event.kind.clone(),
            false => return None,
        },
        // What was a file may not have led anywhere.
        EventKind::Deleted => match there {
            true => EventKind::Deleted,
            false => return None,
        },
    };
    Some(Event {
        kind,
        ..event.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaveta_core::{Grant, Grants, Kind, OrderBy, Version};
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use super::super::pass::Origin;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn entry(at: &str, kind: Kind) -> Entry {
        Entry {
            path: path(at),
            kind,
            size: 1,
            modified: UNIX_EPOCH,
            version: Version::parse("v").unwrap(),
            digest: None,
            executable: false,
        }
    }

    fn ana() -> Account {
        let rules = [("a", "viewer"), ("a/secret", "none"), ("b/c", "viewer")];
        Account::named(
            "ana",
            Grants::new(rules.map(|(at, what)| Grant {
                path: path(at),
                actions: gaveta_core::Actions::parse(what).unwrap(),
            })),
        )
    }

    fn told(kind: EventKind, at: &str) -> Option<Event> {
        let by = "bob".to_owned();
        event(
            &ana(),
            &Event {
                path: path(at),
                kind,
                by,
            },
        )
    }

    #[test]
    fn of_a_rename_only_the_end_that_shows_is_told() {
        let to = |at| EventKind::Renamed(entry(at, Kind::File));
        assert_eq!(told(to("a/y"), "a/x").unwrap().kind, to("a/y"));
        assert_eq!(told(to("hidden"), "a/x").unwrap().kind, EventKind::Deleted);
        assert_eq!(
            told(to("a/secret/y"), "a/x").unwrap().kind,
            EventKind::Deleted
        );
        let came = told(to("a/y"), "hidden").unwrap();
        assert_eq!(
            (came.path, came.kind),
            (path("a/y"), EventKind::Created(entry("a/y", Kind::File)))
        );
        assert_eq!(told(to("z"), "hidden"), None);
    }

    #[test]
    fn of_the_rest_what_shows_and_the_way_there() {
        let made = |at, kind| told(EventKind::Created(entry(at, kind)), at).is_some();
        assert!(made("a/x", Kind::File) && made("b", Kind::Folder) && made("b/c", Kind::Folder));
        assert!(
            !made("b", Kind::File) && !made("a/secret/x", Kind::File) && !made("z", Kind::File)
        );
        assert!(told(EventKind::Deleted, "b").is_some());
        assert!(told(EventKind::Deleted, "a/secret").is_none());
        assert!(told(EventKind::Deleted, "b/x").is_none());
    }

    #[tokio::test]
    async fn a_page_is_full_of_what_shows() {
        let names = ["a/5", "a/secret", "a/4", "a/3", "a/Secret", "a/2", "a/1"];
        let all: Vec<_> = names
            .map(|at| Ok(Listed::Entry(entry(at, Kind::File))))
            .into();
        let pass = Pass::new(Box::new(ana()), Arc::default(), Origin::INSIDE).unwrap();
        let all = Box::pin(stream::iter(all));
        let plan = ListPlan {
            limit: Some(4),
            ..ListPlan::sorted(OrderBy::Name, true)
        };
        let seen = page(listing(all, &path("a"), &pass), &plan).await.unwrap();
        let seen: Vec<_> = seen
            .map(|listed| listed.unwrap().entry().unwrap().path.to_string())
            .collect()
            .await;
        assert_eq!(seen, ["/a/5", "/a/4", "/a/3", "/a/2"]);
    }
}
