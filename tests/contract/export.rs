//! Sentences about taking a log elsewhere, and about looking whether it is sound.

use everfold::position::Position;
use everfold::store::{ExportContent, Storage, Store, StoreErrorKind, check_export};

use super::Tabs;
use super::log::{any, appended, fill, fill_more, open, over, read_all};

/// Every sentence, for a runner to turn into tests.
macro_rules! export_sentences {
    ($run:ident) => {
        $run! { export:
            an_exported_log_is_imported_whole
            an_export_taken_while_others_write_ends_where_it_began
            an_export_that_another_store_began_is_not_ended_short
            a_damaged_import_changes_nothing
            a_merged_import_adds_what_is_new_once
            a_sound_log_verifies
            a_sound_log_verifies_while_its_segments_are_merged
            a_verification_that_another_store_began_begins_anew
        }
    };
}
pub(crate) use export_sentences;

/// The whole log as a file.
pub(crate) async fn export<S: Storage>(store: &Store<S>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut part = 0;
    while let Some(bytes) = store.export_part(part).await.expect("exports") {
        file.extend(bytes);
        part += 1;
    }
    file
}

pub(crate) async fn an_exported_log_is_imported_whole(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 50).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let file = export(&store).await;

    let copy = open(tabs).await;
    copy.import(&file, false).await.expect("imports");

    assert_eq!(read_all(&copy).await, read_all(&store).await);
    assert_eq!(read_all(&open(tabs).await).await, read_all(&store).await);
    assert!(copy.find_commit("c7").await.expect("finds").is_some());
    assert_eq!(
        copy.import(&file, false).await,
        Err(StoreErrorKind::NotEmpty(store.position().0).into())
    );
    appended(&copy, &[any("new", "bank")]).await;
}

pub(crate) async fn an_export_taken_while_others_write_ends_where_it_began(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 20).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let before = read_all(&store).await;

    let mut file = store.export_part(0).await.expect("exports").expect("has a header");
    fill_more_under(&store, "late").await;
    store.seal().await.expect("seals");
    for part in 1.. {
        match store.export_part(part).await.expect("exports") {
            Some(bytes) => file.extend(bytes),
            None => break,
        }
    }

    let content = check_export(&file).expect("is whole");
    assert_eq!(
        content,
        ExportContent {
            events: before.len() as u64,
            commits: 30
        }
    );
    let copy = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    copy.import(&file, false).await.expect("imports");
    assert_eq!(read_all(&copy).await, before);
}

pub(crate) async fn an_export_that_another_store_began_is_not_ended_short(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 20).await;
    store.export_part(0).await.expect("exports").expect("has a header");

    // As after a trap, or when the browser took the connection away.
    let again = open(tabs).await;
    let of_another = again.export_part(1).await.expect_err("has no beginning");
    store
        .export_part(1)
        .await
        .expect("exports")
        .expect("has commits and an end");
    let twice = store.export_part(1).await.expect_err("was there");

    for error in [of_another, twice] {
        assert!(matches!(error.kind(), StoreErrorKind::Interrupted(_)), "{error}");
    }
    assert_eq!(store.export_part(2).await, Ok(None));
}

async fn fill_more_under<S: Storage>(store: &Store<S>, prefix: &str) {
    for number in 0..5 {
        appended(store, &[any(&format!("{prefix} {number}"), "bank")]).await;
    }
}

pub(crate) async fn a_damaged_import_changes_nothing(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 20).await;
    let file = export(&store).await;
    let copy = open(tabs).await;

    for length in (0..file.len()).step_by(7) {
        copy.import(&file[..length], false).await.expect_err("is cut");
    }
    for place in (0..file.len()).step_by(11) {
        let mut damaged = file.clone();
        damaged[place] ^= 4;
        copy.import(&damaged, false).await.expect_err("is damaged");
    }

    assert_eq!(copy.position(), Position(0));
    copy.import(&file, false).await.expect("imports");
}

pub(crate) async fn a_merged_import_adds_what_is_new_once(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 30).await;
    let file = export(&store).await;
    let other = open(tabs).await;
    fill(&other, 10).await;
    appended(&other, &[any("own", "bank")]).await;
    let before = read_all(&other).await;

    other.import(&file, true).await.expect("merges");
    other.import(&file, true).await.expect("merges nothing");

    let after = read_all(&other).await;
    assert_eq!(after[..before.len()], before);
    let ids: std::collections::BTreeSet<_> = after.iter().map(|event| event.commit.clone()).collect();
    assert_eq!(ids.len(), 31);
    assert_eq!(after.len(), read_all(&store).await.len() + 1);
    let report = other.verify(Position(0)).await.expect("verifies");
    assert_eq!(report.problems, []);
}

pub(crate) async fn a_sound_log_verifies(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 30).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    store.seal().await.expect("seals");
    fill_more_under(&store, "tail").await;

    let (mut after, mut steps) = (Position(0), 0);
    loop {
        let report = store.verify(after).await.expect("verifies");
        assert_eq!(report.problems, []);
        steps += 1;
        match report.next {
            Some(next) => after = next,
            None => break,
        }
    }

    assert_eq!(steps, 3);
}

pub(crate) async fn a_sound_log_verifies_while_its_segments_are_merged(tabs: &impl Tabs) {
    for merger in [0, 1] {
        let stores = [open(tabs).await, open(tabs).await];
        for number in 0..5 {
            appended(&stores[0], &[any(&format!("{merger} {number}"), "bank")]).await;
            stores[0].seal().await.expect("seals");
        }
        stores[1].catch_up().await.expect("catches up");

        let first = stores[0].verify(Position(0)).await.expect("verifies");
        assert!(stores[merger].compact(2).await.expect("compacts"));

        let mut next = first.next;
        while let Some(after) = next {
            let report = stores[0].verify(after).await.expect("verifies");
            assert_eq!(report.problems, []);
            next = report.next;
        }
    }
}

pub(crate) async fn a_verification_that_another_store_began_begins_anew(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for id in ["one", "two"] {
        appended(&store, &[any(id, "bank")]).await;
        store.seal().await.expect("seals");
    }
    let first = store.verify(Position(0)).await.expect("verifies");
    let after = first.next.expect("goes on");

    // As after a trap, or when the browser took the connection away.
    let again = open(tabs).await;

    for store in [&again, &store, &store] {
        let report = store.verify(after).await.expect("verifies");
        assert_eq!(report.problems, []);
    }
    assert_eq!(again.verify(after).await.expect("verifies").next, Some(Position(0)));
}
