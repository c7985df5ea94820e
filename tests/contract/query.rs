//! Sentences about reading: filters, pages, streams as of then, snapshots.

use everfold::position::Position;
use everfold::store::{Clock, Direction, LoadQuery, Query};
use everfold::stream::Version;
use serde_json::json;

use super::Tabs;
use super::log::{Seen, any, appended, commit, fill, fill_more, loaded, noise, open, read, read_all};

/// Every sentence, for a runner to turn into tests.
macro_rules! query_sentences {
    ($run:ident) => {
        $run! { query:
            every_filter_gives_what_a_plain_scan_gives
            streams_are_divided_into_parts_that_hold_each_event_once
            a_page_ends_at_its_limit_and_the_next_goes_on
            a_stream_is_loaded_as_of_a_version_and_of_a_time
            a_snapshot_serves_only_its_definition_and_only_what_it_covers
            the_newest_snapshots_are_kept
            streams_are_listed_in_order_page_by_page
        }
    };
}
pub(crate) use query_sentences;

/// Whether an event passes a filter.
type Test = Box<dyn Fn(&Seen) -> bool>;

pub(crate) async fn every_filter_gives_what_a_plain_scan_gives(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 60).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let all = read_all(&store).await;
    let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());

    let cases: Vec<(Query<'_>, Test)> = vec![
        (
            Query {
                stream_id: Some("account-3".into()),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-3"),
        ),
        (
            Query {
                stream_id: Some("account-3".into()),
                from_version: Some(Version(3)),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-3" && e.version >= 3),
        ),
        (
            Query {
                stream_id: Some("bank".into()),
                from_version: Some(Version(9)),
                ..Query::default()
            },
            Box::new(|e| e.stream == "bank" && e.version >= 9),
        ),
        (
            Query {
                prefix: Some("account-".into()),
                ..Query::default()
            },
            Box::new(|e| e.stream.starts_with("account-")),
        ),
        (
            Query {
                streams: set(&["account-1", "bank", "nobody"]),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-1" || e.stream == "bank"),
        ),
        (
            Query {
                types: set(&["changed"]),
                ..Query::default()
            },
            Box::new(|e| e.event_type == "changed"),
        ),
        (
            Query {
                types: set(&["unknown"]),
                ..Query::default()
            },
            Box::new(|_| false),
        ),
        (
            Query {
                from: Some(20),
                until: Some(60),
                ..Query::default()
            },
            Box::new(|e| (20..=60).contains(&e.occurred_at)),
        ),
        (
            Query {
                from: Some(100),
                until: Some(300),
                clock: Clock::Recorded,
                ..Query::default()
            },
            Box::new(|e| (100..=300).contains(&e.recorded_at)),
        ),
        (
            Query {
                after_position: Some(Position(17)),
                until_position: Some(Position(95)),
                ..Query::default()
            },
            Box::new(|e| e.position > 17 && e.position <= 95),
        ),
    ];
    for (query, passes) in cases {
        let expected: Vec<_> = all.iter().filter(|event| passes(event)).cloned().collect();
        assert_eq!(read(&store, query.clone()).await, expected, "{query:?}");

        let backward: Vec<_> = expected.iter().rev().cloned().collect();
        let query = Query {
            direction: Direction::Backward,
            limit: Some(3),
            ..query
        };
        assert_eq!(read(&store, query.clone()).await, backward, "{query:?}");
    }
}

pub(crate) async fn streams_are_divided_into_parts_that_hold_each_event_once(tabs: &impl Tabs) {
    let store = open(tabs).await;
    // Incompressible, so that a segment has many blocks.
    for number in 0..40_u64 {
        let mut large = commit(
            &format!("large {number}"),
            &[(&format!("account-{}", number % 13), json!("any"))],
        );
        large["streams"][0]["events"][0]["data"] = json!(noise(number, 3_000));
        appended(&store, &[large]).await;
    }
    store.seal().await.expect("seals");
    appended(
        &store,
        &[any("tail", "account-12"), any("first", "a"), any("last", "z")],
    )
    .await;
    let mut all = read_all(&store).await;
    all.sort_by_key(|event| event.position);

    for count in 1..=9 {
        let bounds = store.stream_bounds("", count);
        assert!(bounds.len() < count && bounds.is_sorted());
        assert_eq!(bounds.is_empty(), count == 1);
        let mut parts = Vec::new();
        for part in 0..=bounds.len() {
            let query = Query {
                first_stream: part
                    .checked_sub(1)
                    .and_then(|before| bounds.get(before))
                    .map(|id| id.as_str().into()),
                before_stream: bounds.get(part).map(|bound| bound.as_str().into()),
                ..Query::default()
            };
            parts.extend(read(&store, query).await);
        }
        parts.sort_by_key(|event| event.position);
        assert_eq!(parts, all, "{count} parts");
    }
}

pub(crate) async fn a_page_ends_at_its_limit_and_the_next_goes_on(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 20).await;

    let page = store
        .read(&Query {
            limit: Some(5),
            ..Query::default()
        })
        .await
        .expect("reads");

    assert_eq!(page.batch.events(), 5);
    assert_eq!(page.next, Some(Position(5)));
    let rest = read(
        &store,
        Query {
            after_position: page.next,
            ..Query::default()
        },
    )
    .await;
    assert_eq!(rest.first().map(|event| event.position), Some(6));
}

pub(crate) async fn a_stream_is_loaded_as_of_a_version_and_of_a_time(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for (number, time) in [10, 30, 20, 40].into_iter().enumerate() {
        let mut commit = any(&number.to_string(), "one");
        commit["streams"][0]["events"][0]["occurredAt"] = json!(time);
        commit["recordedAt"] = json!(number);
        appended(&store, &[commit]).await;
        if number == 1 {
            store.seal().await.expect("seals");
        }
    }

    let at = |time, clock| LoadQuery {
        at: Some((time, clock)),
        ..LoadQuery::default()
    };
    let at_version = LoadQuery {
        at_version: Some(Version(3)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", at_version).await, (vec![1, 2, 3], 4, None));
    assert_eq!(
        loaded(&store, "one", at(25, Clock::Occurred)).await,
        (vec![1, 3], 4, None)
    );
    assert_eq!(
        loaded(&store, "one", at(1, Clock::Recorded)).await,
        (vec![1, 2], 4, None)
    );
    assert_eq!(loaded(&store, "nobody", LoadQuery::default()).await, (vec![], 0, None));
}

pub(crate) async fn a_snapshot_serves_only_its_definition_and_only_what_it_covers(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for (number, time) in [10, 30, 20, 40, 50].into_iter().enumerate() {
        let mut commit = any(&number.to_string(), "one");
        commit["streams"][0]["events"][0]["occurredAt"] = json!(time);
        appended(&store, &[commit]).await;
    }
    store
        .put_snapshot(store.merges(), "one", ("account", 1), Version(3), "{\"balance\":3}", 2)
        .await
        .expect("keeps");

    let query = LoadQuery {
        definition: Some(("account", 1)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", query).await, (vec![4, 5], 5, Some(3)));
    let newer = LoadQuery {
        definition: Some(("account", 2)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", newer).await, (vec![1, 2, 3, 4, 5], 5, None));
    let before = LoadQuery {
        at_version: Some(Version(2)),
        ..query
    };
    assert_eq!(loaded(&store, "one", before).await, (vec![1, 2], 5, None));
    // The snapshot covers an event of time 30.
    let at = LoadQuery {
        at: Some((25, Clock::Occurred)),
        ..query
    };
    assert_eq!(loaded(&store, "one", at).await, (vec![1, 3], 5, None));
    let later = LoadQuery {
        at: Some((30, Clock::Occurred)),
        ..query
    };
    assert_eq!(loaded(&store, "one", later).await, (vec![], 5, Some(3)));
}

pub(crate) async fn the_newest_snapshots_are_kept(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..6 {
        appended(&store, &[any(&number.to_string(), "one")]).await;
    }

    for version in 1..=5 {
        store
            .put_snapshot(store.merges(), "one", ("account", 1), Version(version), "{}", 2)
            .await
            .expect("keeps");
    }

    assert_eq!(store.stats().await.expect("counts").snapshots, 2);
    let query = LoadQuery {
        definition: Some(("account", 1)),
        at_version: Some(Version(4)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", query).await, (vec![], 6, Some(4)));
    store.drop_snapshots("one").await.expect("drops");
    assert_eq!(store.stats().await.expect("counts").snapshots, 0);
}

pub(crate) async fn streams_are_listed_in_order_page_by_page(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..30 {
        appended(
            &store,
            &[any(&number.to_string(), &format!("account-{:02}", (number * 7) % 20))],
        )
        .await;
        if number % 8 == 0 {
            store.seal().await.expect("seals");
        }
    }
    appended(&store, &[any("other", "accountant-1"), any("another", "aa")]).await;

    let mut all = Vec::new();
    while let ids = store
        .streams("account-", all.last().map_or("", String::as_str), 6)
        .await
        .expect("lists")
        && !ids.is_empty()
    {
        all.extend(ids);
    }

    assert_eq!(
        all,
        (0..20).map(|number| format!("account-{number:02}")).collect::<Vec<_>>()
    );
}
