//! Sentences about projections: rows and checkpoint describe the same instant, generations never mix.

use std::borrow::Cow;
use std::collections::BTreeSet;

use everfold::position::Position;
use everfold::store::{Rebuild, RowQuery, RowWrite, Storage, Store};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Tabs;
use super::log::{any, appended, open};

/// Every sentence, for a runner to turn into tests.
macro_rules! rows_sentences {
    ($run:ident) => {
        $run! { rows:
            rows_and_checkpoint_are_written_together
            rows_folded_from_elsewhere_are_not_written
            of_two_tabs_that_fold_the_same_events_one_writes
            rows_are_listed_by_key_and_by_index
            pages_go_on_after_the_last_row
            an_index_follows_its_row
            a_rebuild_stays_apart_until_it_is_switched
            a_rebuild_behind_the_live_rows_is_not_switched
            a_rebuild_is_taken_up_where_it_was
            a_rebuild_is_not_taken_up_with_other_indexes
            rows_have_the_indexes_of_who_made_them_or_rebuilt_them
            rows_of_which_nobody_has_said_the_indexes_have_those_of_the_first_that_looks
            versions_of_a_projection_stand_side_by_side
            a_dropped_generation_is_gone_for_readers_at_once
            what_is_left_of_a_generation_whose_dropping_was_cut_off_is_found
        }
    };
}
pub(crate) use rows_sentences;

/// A write that brings `generation` from one checkpoint to another.
fn write_of(generation: u64, from: u64, to: u64, rows: &Value) -> Value {
    json!({
        "name": "balances", "version": 1, "generation": generation,
        "expectedCheckpoint": from, "checkpoint": to, "rows": rows,
    })
}

async fn write<S: Storage>(store: &Store<S>, write: &Value) -> bool {
    let text = write.to_string();
    let write: RowWrite<'_> = everfold::json::parse(&text).expect("is a write");
    store.write_rows(&write).await.expect("writes")
}

async fn rows<S: Storage>(store: &Store<S>, generation: u64, keys: &[&str]) -> Value {
    let keys: Vec<Cow<'_, str>> = keys.iter().map(|key| Cow::Borrowed(*key)).collect();
    let rows = store.rows(generation, &keys).await.expect("reads");
    rows.map_or(Value::Null, |rows| serde_json::from_str(&rows).expect("is JSON"))
}

/// The keys of a range.
async fn listed<S: Storage>(store: &Store<S>, query: &Value) -> Vec<String> {
    let text = query.to_string();
    let query: RowQuery<'_> = everfold::json::parse(&text).expect("is a query");
    let list = store.list_rows(&query).await.expect("lists").expect("is there");
    let list: Vec<(String, Value)> = serde_json::from_str(&list).expect("is JSON");
    list.into_iter().map(|(key, _)| key).collect()
}

async fn generation<S: Storage>(store: &Store<S>) -> u64 {
    store
        .projection("balances", 1, "")
        .await
        .expect("reads")
        .state
        .generation
}

pub(crate) async fn rows_and_checkpoint_are_written_together(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;

    assert!(write(&store, &write_of(live, 0, 5, &json!([["a", { "balance": 1 }, [], []]]))).await);
    assert!(
        write(
            &store,
            &write_of(live, 5, 9, &json!([["a", null, [], []], ["b", 2, [], []]]))
        )
        .await
    );

    let other = open(tabs).await;
    assert_eq!(
        other
            .projection("balances", 1, "")
            .await
            .expect("reads")
            .state
            .checkpoint,
        Position(9)
    );
    assert_eq!(rows(&other, live, &["a", "b"]).await, json!([null, 2]));
    assert_eq!(other.count_rows(live).await.expect("counts"), Some(1));
}

pub(crate) async fn rows_folded_from_elsewhere_are_not_written(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;
    write(&store, &write_of(live, 0, 5, &json!([]))).await;

    assert!(!write(&store, &write_of(live, 4, 9, &json!([["a", 1, [], []]]))).await);
    assert!(!write(&store, &write_of(live + 1, 5, 9, &json!([["a", 1, [], []]]))).await);

    assert_eq!(store.count_rows(live).await.expect("counts"), Some(0));
}

pub(crate) async fn of_two_tabs_that_fold_the_same_events_one_writes(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let live = generation(&left).await;
    assert_eq!(generation(&right).await, live);

    assert!(write(&left, &write_of(live, 0, 5, &json!([["a", 1, [], []]]))).await);
    assert!(!write(&right, &write_of(live, 0, 5, &json!([["a", 2, [], []]]))).await);

    assert_eq!(rows(&right, live, &["a"]).await, json!([1]));
    assert!(write(&right, &write_of(live, 5, 6, &json!([["a", 3, [], []]]))).await);
}

/// A rebuild that has begun, or, with `resume`, was taken up.
async fn begun<S: Storage>(store: &Store<S>, resume: bool, indexes: &str) -> Rebuild {
    let report = store
        .begin_rebuild("balances", 1, resume, indexes)
        .await
        .expect("begins");
    report.state.rebuild.expect("is there")
}

/// Five rows, indexed by a number and by a text.
async fn five<S: Storage>(store: &Store<S>) -> u64 {
    let live = generation(store).await;
    let rows = json!([
        ["a", 1, [], [10, "x"]],
        ["b", 2, [], [-5, "y"]],
        ["c", 3, [], [10, "xy"]],
        ["d", 4, [], [2.5, null]],
        ["e", 5, [], [null, "xyz"]],
    ]);
    assert!(write(store, &write_of(live, 0, 1, &rows)).await);
    live
}

pub(crate) async fn rows_are_listed_by_key_and_by_index(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = five(&store).await;
    let list = async |query: Value| {
        let mut query = query;
        query["generation"] = json!(live);
        listed(&store, &query).await.concat()
    };

    assert_eq!(list(json!({})).await, "abcde");
    assert_eq!(list(json!({ "gte": "b", "lt": "d" })).await, "bc");
    assert_eq!(list(json!({ "gt": "b", "lte": "d", "reverse": true })).await, "dc");
    assert_eq!(list(json!({ "prefix": "c" })).await, "c");
    assert_eq!(list(json!({ "index": 0 })).await, "bdac");
    assert_eq!(list(json!({ "index": 0, "reverse": true, "limit": 3 })).await, "cad");
    assert_eq!(list(json!({ "index": 0, "gte": 2.5 })).await, "dac");
    assert_eq!(list(json!({ "index": 0, "gt": 2.5 })).await, "ac");
    assert_eq!(list(json!({ "index": 0, "lt": 10 })).await, "bd");
    assert_eq!(list(json!({ "index": 0, "lte": 10 })).await, "bdac");
    assert_eq!(list(json!({ "index": 1, "prefix": "xy" })).await, "ce");
    assert_eq!(list(json!({ "index": 1, "gte": "z" })).await, "");
    assert_eq!(list(json!({ "index": 0, "gte": 7, "lte": 3 })).await, "");
}

pub(crate) async fn pages_go_on_after_the_last_row(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = five(&store).await;

    let after = |query: Value| {
        let mut query = query;
        query["generation"] = json!(live);
        query
    };
    let by_index = json!({ "index": 0, "after": { "value": 10, "key": "a" } });
    assert_eq!(listed(&store, &after(by_index)).await, ["c"]);
    let backward = json!({ "index": 0, "reverse": true, "after": { "value": 10, "key": "a" } });
    assert_eq!(listed(&store, &after(backward)).await, ["d", "b"]);
    assert_eq!(
        listed(&store, &after(json!({ "after": { "key": "c" } }))).await,
        ["d", "e"]
    );
}

pub(crate) async fn an_index_follows_its_row(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = five(&store).await;

    let rows = json!([["a", 1, [10, "x"], [0, "x"]], ["b", null, [-5, "y"], []]]);
    assert!(write(&store, &write_of(live, 1, 2, &rows)).await);

    let query = json!({ "generation": live, "index": 0 });
    assert_eq!(listed(&store, &query).await, ["a", "d", "c"]);
    let query = json!({ "generation": live, "index": 1 });
    assert_eq!(listed(&store, &query).await, ["a", "c", "e"]);
}

pub(crate) async fn a_rebuild_stays_apart_until_it_is_switched(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;
    write(&store, &write_of(live, 0, 5, &json!([["a", "old", [], []]]))).await;

    let rebuild = begun(&store, false, "").await;
    assert!(
        write(
            &store,
            &write_of(rebuild.generation, 0, 5, &json!([["a", "new", [], []]]))
        )
        .await
    );
    assert_eq!(rows(&store, live, &["a"]).await, json!(["old"]));
    assert!(
        store
            .switch_generation("balances", 1, rebuild.generation)
            .await
            .expect("switches")
    );

    let report = open(tabs).await.projection("balances", 1, "").await.expect("reads");
    assert_eq!(report.state.generation, rebuild.generation);
    assert_eq!(report.state.rebuild, None);
    assert_eq!(rows(&store, rebuild.generation, &["a"]).await, json!(["new"]));
    assert_eq!(store.rows(live, &["a".into()]).await.expect("answers"), None);
    assert!(!store.drop_orphans(2).await.expect("drops"));
    assert!(!write(&store, &write_of(live, 5, 6, &json!([]))).await);
}

pub(crate) async fn a_rebuild_behind_the_live_rows_is_not_switched(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;
    write(&store, &write_of(live, 0, 5, &json!([]))).await;
    let rebuild = begun(&store, false, "").await;
    write(&store, &write_of(rebuild.generation, 0, 4, &json!([]))).await;

    assert!(
        !store
            .switch_generation("balances", 1, rebuild.generation)
            .await
            .expect("answers")
    );

    assert_eq!(generation(&store).await, live);
}

pub(crate) async fn a_rebuild_is_taken_up_where_it_was(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let first = begun(&store, true, "").await;
    write(&store, &write_of(first.generation, 0, 4, &json!([["a", 1, [], []]]))).await;
    store.close();

    let store = open(tabs).await;
    let resumed = begun(&store, true, "").await;
    let anew = begun(&store, false, "").await;

    assert_eq!(
        (resumed.generation, resumed.checkpoint),
        (first.generation, Position(4))
    );
    assert_ne!(anew.generation, first.generation);
    assert_eq!(anew.checkpoint, Position(0));
}

/// Entries of an index are found by its number: with another list of indexes it is another index.
pub(crate) async fn a_rebuild_is_not_taken_up_with_other_indexes(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let begin = async |indexes| begun(&store, true, indexes).await;
    let first = begin(r#"["a","b"]"#).await;
    write(&store, &write_of(first.generation, 0, 4, &json!([["a", 1, [], ["x"]]]))).await;
    let seen = store.projection("balances", 1, r#"["b","a"]"#).await.expect("reads");
    assert!(!seen.resumable);

    let (same, other) = (begin(r#"["a","b"]"#).await, begin(r#"["b","a"]"#).await);
    let unsaid = begin("").await;
    let said = begin("[]").await;

    assert_eq!((same.generation, same.checkpoint), (first.generation, Position(4)));
    assert_eq!(other.checkpoint, Position(0));
    let generations = [same, other, unsaid, said].map(|rebuild| rebuild.generation);
    assert!(
        generations.is_sorted_by(|before, after| before < after),
        "{generations:?}"
    );
}

pub(crate) async fn rows_have_the_indexes_of_who_made_them_or_rebuilt_them(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let seen = async |store: &Store<_>, indexes| {
        let report = store.projection("balances", 1, indexes).await.expect("reads");
        (report.state.generation, report.indexes)
    };
    let (live, made) = seen(&left, r#"["a"]"#).await;
    assert_eq!(made.as_str(), r#"["a"]"#);
    assert_eq!(seen(&right, "[]").await, (live, made.clone()));
    assert_eq!(seen(&right, "").await, (live, made));

    let rebuild = right.begin_rebuild("balances", 1, false, "[]").await.expect("begins");
    let generation = rebuild.state.rebuild.expect("is there").generation;
    assert_eq!(rebuild.indexes.as_str(), r#"["a"]"#);
    assert!(
        right
            .switch_generation("balances", 1, generation)
            .await
            .expect("switches")
    );

    assert_eq!(seen(&left, r#"["a"]"#).await, (generation, "[]".to_owned()));
    while !left.drop_generation(generation, 2).await.expect("drops") {}
    assert_eq!(seen(&right, "[]").await, (generation, String::new()));
}

pub(crate) async fn rows_of_which_nobody_has_said_the_indexes_have_those_of_the_first_that_looks(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;
    write(&store, &write_of(live, 0, 5, &json!([["a", "one", [], ["x"]]]))).await;
    let others = [open(tabs).await, open(tabs).await, open(tabs).await];
    let said = ["[]", r#"["a"]"#, r#"["b"]"#];
    assert_eq!(store.projection("balances", 1, "").await.expect("reads").indexes, "");

    let looks = others
        .iter()
        .zip(said)
        .map(|(store, own)| store.projection("balances", 1, own));
    let found: BTreeSet<_> = join_all(looks)
        .await
        .into_iter()
        .map(|report| report.expect("reads").indexes)
        .collect();

    assert_eq!(found.len(), 1, "{found:?}");
    let report = store.projection("balances", 1, "").await.expect("reads");
    assert_eq!(Some(&report.indexes), found.first());
    assert_eq!((report.state.generation, report.state.checkpoint), (live, Position(5)));
    assert_eq!(rows(&store, live, &["a"]).await, json!(["one"]));
}

pub(crate) async fn versions_of_a_projection_stand_side_by_side(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let live = generation(&store).await;
    write(&store, &write_of(live, 0, 5, &json!([["a", "one", [], []]]))).await;

    let second = store.projection("balances", 2, "").await.expect("makes");

    assert_eq!(second.state.checkpoint, Position(0));
    assert_ne!(second.state.generation, live);
    let first = store.projection("balances", 1, "").await.expect("reads");
    assert_eq!((first.newest_version, first.state.checkpoint), (2, Position(5)));
    assert_eq!(rows(&store, live, &["a"]).await, json!(["one"]));
}

pub(crate) async fn a_dropped_generation_is_gone_for_readers_at_once(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[any("a", "one")]).await;
    let live = five(&store).await;

    assert!(!store.drop_generation(live, 2).await.expect("drops"));
    assert_eq!(rows(&store, live, &["e"]).await, Value::Null);
    assert_eq!(store.count_rows(live).await.expect("counts"), None);
    while !store.drop_generation(live, 2).await.expect("drops") {}

    let query = RowQuery {
        generation: live,
        index: Some(0),
        ..RowQuery::default()
    };
    assert_eq!(store.list_rows(&query).await.expect("answers"), None);
}

pub(crate) async fn what_is_left_of_a_generation_whose_dropping_was_cut_off_is_found(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[any("a", "one")]).await;
    let dropped = five(&store).await;
    let other = store.projection("others", 1, "").await.expect("makes").state.generation;
    let kept = json!({
        "name": "others", "version": 1, "generation": other, "expectedCheckpoint": 0, "checkpoint": 1,
        "rows": [["a", "one", [], ["x"]]],
    });
    assert!(write(&store, &kept).await);
    assert!(!store.drop_generation(dropped, 2).await.expect("drops"));

    let next = open(tabs).await;
    let mut calls = 0;
    while !next.drop_orphans(2).await.expect("drops") {
        calls += 1;
    }

    assert_eq!(calls, 3);
    assert!(next.drop_generation(dropped, 1).await.expect("finds nothing"));
    assert_eq!(rows(&next, other, &["a"]).await, json!(["one"]));
    assert_eq!(listed(&next, &json!({ "generation": other, "index": 0 })).await, ["a"]);
}
