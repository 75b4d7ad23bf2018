//! Sections: what a folder holds.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use gaveta_core::{Cursor, Entry, ErrorKind, ListPlan, Order, OrderBy, Replace, Seal, WritePlan};

use super::bench::{Bench, assert_same, p, refused, second};
use crate::content::content;

/// Each order once.
fn orders() -> impl Iterator<Item = Order> {
    [OrderBy::Name, OrderBy::Size, OrderBy::Modified]
        .into_iter()
        .flat_map(|by| [false, true].map(|descending| Order { by, descending }))
}

/// Asserts that each entry comes after the one before it.
fn assert_sorted(entries: &[Entry], order: Order) {
    for pair in entries.windows(2) {
        let key = |e: &Entry| match order.by {
            OrderBy::Name => (0, None),
            OrderBy::Size => (e.size, None),
            OrderBy::Modified => (0, Some(e.modified)),
        };
        let of = |e: &Entry| (key(e), e.path.name().unwrap().as_bytes().to_vec());
        let (one, next) = (of(&pair[0]), of(&pair[1]));
        let right = if order.descending {
            one > next
        } else {
            one < next
        };
        assert!(
            right,
            "{order:?}: {:?} before {:?}",
            pair[0].path, pair[1].path
        );
    }
}

pub(super) async fn a_folder_shows_its_entries(b: &Bench) {
    b.put("d/file", b"12345").await;
    b.put("d/sub/inside", b"x").await;
    b.put("d2/other", b"x").await;
    b.put("top", b"x").await;
    let in_d = b.list("d", ListPlan::default()).await;
    assert_eq!(
        b.names("d").await.into_iter().collect::<Vec<_>>(),
        ["file", "sub"]
    );
    for entry in &in_d {
        assert_same(entry, &b.stat(entry.path.as_str()).await);
        assert_eq!(entry.path.parent(), Some(p("d")));
    }
    assert_eq!(
        b.names("").await.into_iter().collect::<Vec<_>>(),
        ["d", "d2", "top"]
    );
    refused!(
        b.store.list(&p("d/file"), ListPlan::default()).await,
        ErrorKind::NotFolder
    );
    refused!(
        b.store.list(&p("none"), ListPlan::default()).await,
        ErrorKind::NotFound
    );
    let sorted = ListPlan::sorted(OrderBy::Name, false);
    refused!(
        b.store.list(&p("d/file"), sorted.clone()).await,
        ErrorKind::NotFolder
    );
    refused!(b.store.list(&p("none"), sorted).await, ErrorKind::NotFound);

    // A listing that nobody reads to its end holds up nothing.
    let mut begun = b.store.list(&p(""), ListPlan::default()).await.unwrap();
    assert!(begun.next().await.unwrap().is_ok());
    b.put("late", b"x").await;
    drop(begun);
    assert!(b.names("").await.contains("late"));
}

/// A folder in which sizes and times come more than once.
async fn fill(b: &Bench) -> BTreeSet<String> {
    for n in 0..40u64 {
        let name = format!(
            "all/{}{n}",
            ["n", "N", "é", "e\u{301}", "z "][n as usize % 5]
        );
        if n % 8 == 7 {
            b.folder(&name).await;
            continue;
        }
        let plan = WritePlan {
            modified: Some(second(n * 7 % 5)),
            replace: Replace::Never,
            ..b.plan(&name)
        };
        let bytes = content((n * 13 % 6) as usize, n);
        b.publish(plan, &bytes, Seal::default()).await.unwrap();
    }
    b.names("all").await
}

pub(super) async fn every_order_in_pages(b: &Bench) {
    let names = fill(b).await;
    assert_eq!(names.len(), 40);
    for order in orders() {
        let whole = b
            .list("all", ListPlan::sorted(order.by, order.descending))
            .await;
        assert_sorted(&whole, order);
        let of = |all: &[Entry]| -> Vec<String> {
            all.iter()
                .map(|e| e.path.name().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            of(&whole).into_iter().collect::<BTreeSet<_>>(),
            names,
            "{order:?}"
        );
        for page in [1, 7, 40, 100] {
            let mut plan = ListPlan::sorted(order.by, order.descending);
            plan.limit = Some(page);
            let mut all = Vec::new();
            loop {
                let next = b.list("all", plan.clone()).await;
                assert!(next.len() <= page);
                let Some(last) = next.last() else { break };
                plan.after = Some(Cursor::of(last, order));
                all.extend(next);
                assert!(all.len() <= 40, "pages do not repeat themselves");
            }
            assert_eq!(of(&all), of(&whole), "{order:?} in pages of {page}");
        }
    }
}

pub(super) async fn limits_and_cursors(b: &Bench) {
    fill(b).await;
    for order in [
        None,
        Some(Order {
            by: OrderBy::Name,
            descending: false,
        }),
    ] {
        for (limit, expected) in [
            (0, 0),
            (1, 1),
            (39, 39),
            (40, 40),
            (41, 40),
            (usize::MAX, 40),
        ] {
            let plan = ListPlan {
                order,
                after: None,
                limit: Some(limit),
            };
            assert_eq!(
                b.list("all", plan).await.len(),
                expected,
                "{order:?}, {limit}"
            );
        }
    }
    let by_name = Order {
        by: OrderBy::Name,
        descending: false,
    };
    let all = b.list("all", ListPlan::sorted(OrderBy::Name, false)).await;
    let after = Some(Cursor::of(&all[10], by_name));
    let without = ListPlan {
        order: None,
        after: after.clone(),
        limit: None,
    };
    refused!(
        b.store.list(&p("all"), without).await,
        ErrorKind::BadRequest
    );

    // The entry a page ended with may be gone by the next page.
    b.store.remove(&all[10].path, Default::default()).await.ok();
    let rest = ListPlan {
        order: Some(by_name),
        after,
        limit: None,
    };
    let rest = b.list("all", rest).await;
    let paths = |all: &[Entry]| all.iter().map(|e| e.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&rest), paths(&all[11..]));
    assert!(
        b.list(
            "all",
            ListPlan {
                limit: Some(0),
                ..ListPlan::default()
            }
        )
        .await
        .is_empty()
    );
}

pub(super) async fn two_thousand_entries(b: &Bench) {
    let expected: BTreeSet<String> = (0..2000).map(|n| format!("name {n:04}")).collect();
    stream::iter(&expected)
        .for_each_concurrent(32, |name| async move {
            b.put(&format!("many/{name}"), name.as_bytes()).await;
        })
        .await;
    assert_eq!(b.names("many").await, expected);
    let page = ListPlan {
        limit: Some(10),
        ..ListPlan::sorted(OrderBy::Name, true)
    };
    let last: Vec<_> = b
        .list("many", page)
        .await
        .iter()
        .map(|e| e.path.name().unwrap().to_owned())
        .collect();
    assert!(last.iter().eq(expected.iter().rev().take(10)), "{last:?}");
    for n in [0, 999, 1999] {
        let name = format!("name {n:04}");
        assert_eq!(b.bytes(&format!("many/{name}")).await, name.as_bytes());
    }
}
