//! Sentences about sealing and merging: nothing that is read changes, in whichever tab and in the middle of whatever.

use everfold::position::Position;
use everfold::store::{Direction, LoadQuery, Query, Storage, Store};
use serde_json::json;

use super::Tabs;
use super::log::{any, appended, commit, events_of, fill, fill_more, loaded, open, read, read_all, read_with};

/// Every sentence, for a runner to turn into tests.
macro_rules! sealing_sentences {
    ($run:ident) => {
        $run! { sealing:
            the_journal_never_holds_more_than_256_records
            sealing_changes_nothing_that_is_read
            sealing_between_two_pages_changes_nothing_that_is_read
            merging_changes_nothing_that_is_read_and_leaves_few_segments
            merging_between_two_pages_changes_nothing_that_is_read
            a_tab_with_old_directories_reads_appends_seals_and_merges
            what_an_append_knew_is_forgotten_when_directories_change_under_it
            two_tabs_may_seal_at_the_same_time
        }
    };
}
pub(crate) use sealing_sentences;

pub(crate) async fn the_journal_never_holds_more_than_256_records(tabs: &impl Tabs) {
    let store = open(tabs).await;

    for number in 0..600 {
        appended(&store, &[any(&number.to_string(), &format!("account-{}", number % 9))]).await;
        assert!(store.journal_records() <= 256);
    }

    let store = open(tabs).await;
    assert_eq!(store.journal_records(), 600 - 2 * 256);
    assert_eq!(store.stats().await.expect("counts").segments, 2);
    assert_eq!(store.stats().await.expect("counts").streams, 9);
    assert_eq!(read_all(&store).await.len(), 600);
}

pub(crate) async fn sealing_changes_nothing_that_is_read(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 40).await;
    let before = read_all(&store).await;

    store.seal().await.expect("seals");
    assert_eq!(read_all(&store).await, before);
    fill_more(&store).await;
    let after = read_all(&store).await;

    assert_eq!(after[..before.len()], before);
    assert_eq!(read_all(&open(tabs).await).await, after);
    for stream in ["account-0", "account-6", "bank"] {
        let own: Vec<_> = after.iter().filter(|event| event.stream == stream).cloned().collect();
        let loaded = store.load(stream, LoadQuery::default()).await.expect("loads");
        assert_eq!(events_of(&loaded.batch), own);
        assert_eq!(loaded.version.0, own.len() as u64);
    }
}

pub(crate) async fn sealing_between_two_pages_changes_nothing_that_is_read(tabs: &impl Tabs) {
    for direction in [Direction::Forward, Direction::Backward] {
        let (reader, writer) = (open(tabs).await, open(tabs).await);
        let sealed = reader.position().0;
        for number in 0..30 {
            appended(&writer, &[any(&format!("{direction:?} {number}"), "one")]).await;
        }
        reader.catch_up().await.expect("catches up");
        let query = || Query {
            limit: Some(7),
            direction,
            after_position: Some(Position(sealed)),
            until_position: Some(reader.position()),
            ..Query::default()
        };
        let plain = read(&reader, query()).await;

        let sealing = read_with(&reader, query(), async || {
            writer.seal().await.expect("seals");
            appended(
                &writer,
                &[any(&format!("{direction:?} between {}", writer.position().0), "one")],
            )
            .await;
            reader.catch_up().await.expect("catches up");
        })
        .await;

        assert_eq!(plain.len(), 30);
        assert_eq!(sealing, plain);
    }
}

/// Five small segments and a tail.
async fn in_five_segments<S: Storage>(store: &Store<S>) {
    for number in 0..5 {
        for commit in 0..6 {
            let id = format!("{number} {commit}");
            appended(
                store,
                &[
                    any(&id, &format!("account-{commit}")),
                    any(&format!("{id} bank"), "bank"),
                ],
            )
            .await;
        }
        store.seal().await.expect("seals");
    }
    fill_more(store).await;
}

async fn compacted<S: Storage>(store: &Store<S>) {
    while store.compact(2).await.expect("compacts") {}
}

pub(crate) async fn merging_changes_nothing_that_is_read_and_leaves_few_segments(tabs: &impl Tabs) {
    let store = open(tabs).await;
    in_five_segments(&store).await;
    let before = read_all(&store).await;
    let bank = loaded(&store, "bank", LoadQuery::default()).await;

    assert!(!store.compact(6).await.expect("finds no run of six"));
    compacted(&store).await;

    for store in [store, open(tabs).await] {
        assert_eq!(read_all(&store).await, before);
        assert_eq!(loaded(&store, "bank", LoadQuery::default()).await, bank);
        assert_eq!(store.stats().await.expect("counts").segments, 1);
        assert!(store.find_commit("2 3").await.expect("finds").is_some());
        assert_eq!(store.verify(Position(0)).await.expect("verifies").problems, []);
        assert_eq!(store.streams("account-", "", 99).await.expect("lists").len(), 6);
    }
}

pub(crate) async fn merging_between_two_pages_changes_nothing_that_is_read(tabs: &impl Tabs) {
    for direction in [Direction::Forward, Direction::Backward] {
        let (reader, writer) = (open(tabs).await, open(tabs).await);
        let after = Some(reader.position());
        for number in 0..5 {
            for commit in 0..4 {
                appended(&writer, &[any(&format!("{direction:?} {number} {commit}"), "one")]).await;
            }
            writer.seal().await.expect("seals");
        }
        reader.catch_up().await.expect("catches up");
        let query = || Query {
            limit: Some(3),
            direction,
            after_position: after,
            ..Query::default()
        };
        let plain = read(&open(tabs).await, query()).await;

        let merging = read_with(&reader, query(), async || {
            writer.compact(2).await.expect("compacts");
        })
        .await;

        assert_eq!(merging, plain);
    }
}

/// A tab that was frozen while others sealed and merged.
pub(crate) async fn a_tab_with_old_directories_reads_appends_seals_and_merges(tabs: &impl Tabs) {
    let frozen = open(tabs).await;
    in_five_segments(&frozen).await;
    let other = open(tabs).await;
    compacted(&other).await;
    appended(&other, &[any("later", "bank")]).await;
    other.seal().await.expect("seals");

    assert_eq!(read_all(&frozen).await.len(), 71);
    appended(&frozen, &[any("frozen", "bank")]).await;
    compacted(&frozen).await;
    frozen.seal().await.expect("seals");
    compacted(&frozen).await;

    other.catch_up().await.expect("catches up");
    assert_eq!(read_all(&frozen).await, read_all(&other).await);
    assert_eq!(frozen.stats().await.expect("counts").segments, 1);
}

/// Found by a law: planning knew the version of one stream, found a block of another one gone, read the
/// directories again and wrote at the new end with the old version: two events were version 2.
pub(crate) async fn what_an_append_knew_is_forgotten_when_directories_change_under_it(tabs: &impl Tabs) {
    let writer = open(tabs).await;
    for id in ["sealed", "too"] {
        appended(&writer, &[any(id, id)]).await;
        writer.seal().await.expect("seals");
    }
    appended(&writer, &[any("x1", "x")]).await;
    let lagging = open(tabs).await;
    writer.seal().await.expect("seals");
    compacted(&writer).await;
    appended(&writer, &[any("x2", "x")]).await;

    appended(
        &lagging,
        &[commit("both", &[("x", json!("any")), ("sealed", json!("any"))])],
    )
    .await;

    let versions: Vec<_> = read_all(&lagging)
        .await
        .into_iter()
        .filter(|event| event.stream == "x")
        .map(|event| event.version)
        .collect();
    assert_eq!(versions, [1, 2, 3]);
}

pub(crate) async fn two_tabs_may_seal_at_the_same_time(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    fill(&left, 20).await;
    right.catch_up().await.expect("catches up");

    assert!(left.seal().await.expect("seals"));
    right.seal().await.expect("finds nothing to seal");
    appended(&right, &[any("after", "bank")]).await;

    left.catch_up().await.expect("catches up");
    assert_eq!(read_all(&left).await, read_all(&right).await);
    assert_eq!(left.stats().await.expect("counts").segments, 1);
}
