//! Sentences about projections written in Rust: rows are what a plain fold of the log gives.

use everfold::event::RecordedEvent;
use everfold::position::Position;
use everfold::projection::{Index, Keys, Partition, Projection};
use everfold::store::{FoldError, ListQuery, Query, Storage, Store, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Tabs;
use super::log::{appended, open};

/// Every sentence, for a runner to turn into tests.
macro_rules! projection_sentences {
    ($run:ident) => {
        $run! { projection:
            rows_follow_what_is_written
            rows_go_on_from_what_another_tab_folded
            a_row_that_becomes_none_is_gone
            an_event_may_be_about_several_rows
            events_of_other_aggregates_and_types_do_not_count
            rows_are_found_by_an_index
            rows_entered_in_other_indexes_are_left_alone_until_they_are_rebuilt
            an_event_that_does_not_fit_stops_a_projection_after_what_came_before
            an_event_of_a_later_schema_stops_a_projection
            a_stored_row_of_another_shape_is_told_by_its_key
            a_rebuild_gives_the_rows_of_a_plain_fold
            a_rebuild_drops_what_one_that_ended_early_left_behind
            rows_as_of_a_time_leave_the_stored_ones_alone
            a_filter_and_what_a_projection_wants_are_both_kept
        }
    };
}
pub(crate) use projection_sentences;

/// What a shelf hears of.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Stocked {
    #[serde(rename = "shelf.filled")]
    Filled { item: String, by: i64 },
    #[serde(rename = "shelf.moved")]
    Moved { from: String, to: String, by: i64 },
    #[serde(rename = "shelf.cleared")]
    Cleared { item: String },
}

/// How much there is of an item.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stock {
    item: String,
    amount: i64,
}

struct Stocks;

impl Projection for Stocks {
    const NAME: &'static str = "stocks";
    const VERSION: u32 = 1;
    const AGGREGATES: &'static [&'static str] = &["shelf", "depot"];
    const EVENTS: &'static [&'static str] = &["shelf.filled", "shelf.moved", "shelf.cleared"];
    const PARTITION: Partition = Partition::Log;
    const INDEXES: &'static [Index<Stock>] = &[
        Index {
            name: "item",
            value: |stock| Some(stock.item.as_str().into()),
        },
        Index {
            name: "amount",
            value: |stock| (stock.amount > 0).then(|| (stock.amount as f64).into()),
        },
    ];
    type Event = Stocked;
    type Row = Stock;

    fn keys<'e>(event: &'e RecordedEvent<'_, Stocked>) -> Keys<'e> {
        match &event.event {
            Stocked::Filled { item, .. } | Stocked::Cleared { item } => item.as_str().into(),
            Stocked::Moved { from, to, .. } => [from.as_str(), to.as_str()].into_iter().collect(),
        }
    }

    fn evolve(row: Option<Stock>, event: &RecordedEvent<'_, Stocked>, key: &str) -> Option<Stock> {
        let change = match &event.event {
            Stocked::Moved { from, by, .. } if from == key => -by,
            Stocked::Moved { by, .. } | Stocked::Filled { by, .. } => *by,
            Stocked::Cleared { .. } => return None,
        };
        let amount = row.map_or(0, |row| row.amount) + change;
        let item = key.to_owned();
        Some(Stock { item, amount })
    }
}

fn event(id: &str, stream: &str, event_type: &str, data: &Value) -> Value {
    let event = json!({ "type": event_type, "schemaVersion": 1, "occurredAt": 1_000, "data": data });
    commit(id, stream, &event)
}

fn commit(id: &str, stream: &str, event: &Value) -> Value {
    json!({
        "commitId": id, "known": true, "recordedAt": 1_000, "mode": "fact", "content": id,
        "streams": [{ "streamId": stream, "expectedVersion": "any", "events": [event] }],
    })
}

fn filled(id: &str, item: &str, by: i64) -> Value {
    event(id, "shelf-1", "shelf.filled", &json!({ "item": item, "by": by }))
}

async fn amount<S: Storage>(store: &Store<S>, item: &str) -> Option<i64> {
    let stock = store.view::<Stocks>().get(item).await.expect("reads");
    stock.map(|stock| stock.amount)
}

pub(crate) async fn rows_follow_what_is_written(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let view = store.view::<Stocks>();
    for round in 0..3 {
        appended(&store, &[filled(&format!("a{round}"), "nail", 10)]).await;
        appended(&store, &[filled(&format!("b{round}"), "bolt", 1)]).await;
        if round == 1 {
            store.seal().await.expect("seals");
        }

        let rows = view.get_many(&["nail", "bolt", "none"]).await.expect("reads");

        let amounts: Vec<_> = rows.into_iter().map(|row| row.map(|row| row.amount)).collect();
        assert_eq!(amounts, [Some(10 * (round + 1)), Some(round + 1), None]);
    }
    assert_eq!(view.count().await.expect("counts"), 2);
}

pub(crate) async fn rows_go_on_from_what_another_tab_folded(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let (here, there) = (left.view::<Stocks>(), right.view::<Stocks>());
    for round in 0..4 {
        appended(&left, &[filled(&format!("l{round}"), "nail", 1)]).await;
        assert_eq!(
            here.get("nail").await.expect("reads").expect("is there").amount,
            2 * round + 1
        );
        appended(&right, &[filled(&format!("r{round}"), "nail", 1)]).await;
        assert_eq!(
            there.get("nail").await.expect("reads").expect("is there").amount,
            2 * round + 2
        );
        left.catch_up().await.expect("reads");
    }

    let state = right.projection("stocks", 1, "").await.expect("reads").state;
    assert_eq!(state.checkpoint, Position(8));
}

pub(crate) async fn a_row_that_becomes_none_is_gone(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[filled("c1", "nail", 3), filled("c2", "bolt", 4)]).await;
    assert_eq!(amount(&store, "nail").await, Some(3));

    let cleared = event("c3", "shelf-1", "shelf.cleared", &json!({ "item": "nail" }));
    appended(&store, &[cleared]).await;

    assert_eq!(amount(&store, "nail").await, None);
    let view = store.view::<Stocks>();
    assert_eq!(view.count().await.expect("counts"), 1);
    let by_item = ListQuery {
        index: Some("item"),
        ..ListQuery::default()
    };
    assert_eq!(view.list(&by_item).await.expect("lists").len(), 1);
}

pub(crate) async fn an_event_may_be_about_several_rows(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let moved = |id: &str, from: &str, to: &str| {
        event(
            id,
            "depot-1",
            "shelf.moved",
            &json!({ "from": from, "to": to, "by": 2 }),
        )
    };
    appended(&store, &[filled("c1", "nail", 3)]).await;
    assert_eq!(amount(&store, "nail").await, Some(3));

    // Known, unknown, the same twice: in one page, so that some must wait for stored rows.
    appended(
        &store,
        &[
            moved("c2", "nail", "bolt"),
            moved("c3", "nut", "nut"),
            filled("c4", "nail", 1),
        ],
    )
    .await;

    assert_eq!(amount(&store, "nail").await, Some(2));
    assert_eq!(amount(&store, "bolt").await, Some(2));
    assert_eq!(amount(&store, "nut").await, Some(-2));
}

pub(crate) async fn events_of_other_aggregates_and_types_do_not_count(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let data = json!({ "item": "nail", "by": 5 });
    appended(
        &store,
        &[
            event("c1", "shelfless-1", "shelf.filled", &data),
            event("c2", "shelf-1", "shelf.painted", &data),
            event("c3", "depot-1", "shelf.filled", &data),
        ],
    )
    .await;

    assert_eq!(amount(&store, "nail").await, Some(5));
}

pub(crate) async fn rows_are_found_by_an_index(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let view = store.view::<Stocks>();
    let fill = ["nail", "bolt", "nut", "cog"].into_iter().zip([30, 10, 20, -5]);
    let fill: Vec<_> = fill.map(|(item, by)| filled(item, item, by)).collect();
    appended(&store, &fill).await;
    let keys = async |query: ListQuery<'_>| {
        let rows = view.list(&query).await.expect("lists");
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };

    let by_amount = ListQuery {
        index: Some("amount"),
        ..ListQuery::default()
    };
    assert_eq!(keys(by_amount.clone()).await, ["bolt", "nut", "nail"]);
    let after = ListQuery {
        after: Some(("bolt", Some(10.0.into()))),
        limit: Some(1),
        ..by_amount
    };
    assert_eq!(keys(after).await, ["nut"]);
    let from_n = ListQuery {
        prefix: Some("n"),
        reverse: true,
        ..ListQuery::default()
    };
    assert_eq!(keys(from_n).await, ["nut", "nail"]);
    appended(&store, &[filled("more", "bolt", 100)]).await;
    let most = ListQuery {
        index: Some("amount"),
        gt: Some(25.0.into()),
        ..ListQuery::default()
    };
    assert_eq!(keys(most).await, ["nail", "bolt"]);
    let unknown = ListQuery {
        index: Some("price"),
        ..ListQuery::default()
    };
    let error = view.list(&unknown).await.expect_err("there is none");
    assert_eq!(error.to_string(), "projection stocks has no index \"price\"");
}

/// The same rows by the same indexes, in another order, under the same version.
struct Reordered;

impl Projection for Reordered {
    const NAME: &'static str = Stocks::NAME;
    const VERSION: u32 = Stocks::VERSION;
    const AGGREGATES: &'static [&'static str] = Stocks::AGGREGATES;
    const EVENTS: &'static [&'static str] = Stocks::EVENTS;
    const INDEXES: &'static [Index<Stock>] = &[
        Index {
            name: "amount",
            value: |stock| Some((stock.amount as f64).into()),
        },
        Index {
            name: "item",
            value: |stock| Some(stock.item.as_str().into()),
        },
    ];
    type Event = Stocked;
    type Row = Stock;

    fn keys<'e>(event: &'e RecordedEvent<'_, Stocked>) -> Keys<'e> {
        Stocks::keys(event)
    }

    fn evolve(row: Option<Stock>, event: &RecordedEvent<'_, Stocked>, key: &str) -> Option<Stock> {
        Stocks::evolve(row, event, key)
    }
}

async fn by_amount<P: Projection<Row = Stock>, S: Storage>(view: &View<'_, S, P>) -> Result<Vec<String>, FoldError> {
    let query = ListQuery {
        index: Some("amount"),
        ..ListQuery::default()
    };
    Ok(view.list(&query).await?.into_iter().map(|(key, _)| key).collect())
}

pub(crate) async fn rows_entered_in_other_indexes_are_left_alone_until_they_are_rebuilt(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let (before, after) = (left.view::<Stocks>(), right.view::<Reordered>());
    appended(&left, &[filled("c1", "nail", 30), filled("c2", "bolt", 10)]).await;
    assert_eq!(by_amount(&before).await.expect("lists"), ["bolt", "nail"]);
    right.catch_up().await.expect("reads");

    let error = by_amount(&after).await.expect_err("are of other indexes");
    assert_eq!(
        error.to_string(),
        "the rows of projection stocks are stored with the indexes [\"item\",\"amount\"], it has [\"amount\",\"item\"] \
         under the same version: raise its VERSION, or rebuild its view"
    );
    appended(&right, &[filled("c3", "bolt", 30)]).await;
    after.get("bolt").await.expect_err("would write them");
    after.count().await.expect_err("would write them");
    left.catch_up().await.expect("reads");
    assert_eq!(by_amount(&before).await.expect("lists"), ["nail", "bolt"]);

    after.rebuild().await.expect("rebuilds");

    assert_eq!(by_amount(&after).await.expect("lists"), ["nail", "bolt"]);
    appended(&right, &[filled("c4", "nail", 20)]).await;
    assert_eq!(by_amount(&after).await.expect("lists"), ["bolt", "nail"]);
    left.catch_up().await.expect("reads");
    by_amount(&before).await.expect_err("are of other indexes now");
    before.rebuild().await.expect("rebuilds");
    assert_eq!(by_amount(&before).await.expect("lists"), ["bolt", "nail"]);
}

pub(crate) async fn an_event_that_does_not_fit_stops_a_projection_after_what_came_before(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let wrong = event(
        "c2",
        "shelf-1",
        "shelf.filled",
        &json!({ "item": "nail", "by": "many" }),
    );
    appended(&store, &[filled("c1", "nail", 3), wrong, filled("c3", "nail", 4)]).await;

    let failure = store.view::<Stocks>().get("nail").await.expect_err("does not fit");

    let place = failure.place().expect("is an event");
    assert_eq!(
        (&*place.event_id, &*place.stream_id, place.position),
        ("c2:1:0", "shelf-1", Position(2))
    );
    assert_eq!(
        failure.to_string(),
        "stocks stopped at event c2:1:0 (shelf.filled): invalid type: string \"many\", expected i64 at line 1 column 12"
    );
    let state = store.projection("stocks", 1, "").await.expect("reads").state;
    assert_eq!((state.checkpoint, state.failed_at), (Position(1), Some(Position(2))));
    let rows = store.rows(state.generation, &["nail".into()]).await.expect("reads");
    assert_eq!(rows.as_deref(), Some(r#"[{"item":"nail","amount":3}]"#));
}

pub(crate) async fn an_event_of_a_later_schema_stops_a_projection(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let data = json!({ "item": "nail", "by": 1 });
    let later = json!({ "type": "shelf.filled", "schemaVersion": 2, "occurredAt": 1_000, "data": data });
    appended(&store, &[commit("c1", "shelf-1", &later)]).await;

    let failure = store.view::<Stocks>().get("nail").await.expect_err("is newer");

    assert!(
        matches!(failure, FoldError::Outdated { found: 2, known: 1, .. }),
        "{failure}"
    );
}

pub(crate) async fn a_stored_row_of_another_shape_is_told_by_its_key(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[filled("c1", "nail", 3)]).await;
    let generation = store.projection("stocks", 1, "").await.expect("reads").state.generation;
    let write = json!({
        "name": "stocks", "version": 1, "generation": generation,
        "expectedCheckpoint": 0, "checkpoint": 1, "rows": [["nail", { "much": 3 }, [], []]],
    })
    .to_string();
    let write = everfold::json::parse(&write).expect("is a write");
    assert!(store.write_rows(&write).await.expect("writes"));
    appended(&store, &[filled("c2", "nail", 3)]).await;

    let failure = store.view::<Stocks>().get("nail").await.expect_err("has no amount");

    assert_eq!(
        failure.to_string(),
        "stocks: row \"nail\": missing field `item` at line 1 column 10; was its shape changed without a new version?"
    );
}

pub(crate) async fn a_rebuild_drops_what_one_that_ended_early_left_behind(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let view = store.view::<Stocks>();
    appended(&store, &[filled("1", "nail", 5)]).await;
    for _ in 0..2 {
        store.begin_rebuild("stocks", 1, false, "").await.expect("begins");
    }

    view.rebuild().await.expect("rebuilds");

    assert_eq!(amount(&store, "nail").await, Some(5));
    assert_eq!(store.projection("stocks", 1, "").await.expect("reads").stale, []);
}

pub(crate) async fn a_rebuild_gives_the_rows_of_a_plain_fold(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let view = store.view::<Stocks>();
    for round in 0..20 {
        let item = ["nail", "bolt", "nut"][round % 3];
        appended(&store, &[filled(&round.to_string(), item, round as i64)]).await;
        if round == 11 {
            assert_eq!(amount(&store, "nail").await, Some(18));
            store.seal().await.expect("seals");
        }
    }
    let before = view.list(&ListQuery::default()).await.expect("lists");

    view.rebuild().await.expect("rebuilds");

    assert_eq!(view.list(&ListQuery::default()).await.expect("lists"), before);
    let plain = store.project::<Stocks>(&Query::default()).await.expect("folds");
    assert_eq!(plain.into_iter().collect::<Vec<_>>(), before);
    let state = store.projection("stocks", 1, "").await.expect("reads");
    assert_eq!((state.state.rebuild, state.stale.len()), (None, 0));
}

pub(crate) async fn rows_as_of_a_time_leave_the_stored_ones_alone(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for (id, time) in [("c1", 10), ("c2", 20), ("c3", 30)] {
        let data = json!({ "item": "nail", "by": 1 });
        let event = json!({ "type": "shelf.filled", "schemaVersion": 1, "occurredAt": time, "data": data });
        appended(&store, &[commit(id, "shelf-1", &event)]).await;
    }

    let until = Query {
        until: Some(20),
        ..Query::default()
    };
    let then = store.project::<Stocks>(&until).await.expect("folds");

    assert_eq!(then.get("nail").map(|row| row.amount), Some(2));
    assert_eq!(amount(&store, "nail").await, Some(3));
}

/// Found by a law: a position to begin after, and a prefix beside the only aggregate, were overwritten by
/// what the projection itself reads.
pub(crate) async fn a_filter_and_what_a_projection_wants_are_both_kept(tabs: &impl Tabs) {
    struct Visits;
    impl Projection for Visits {
        const NAME: &'static str = "visits";
        const VERSION: u32 = 1;
        const AGGREGATES: &'static [&'static str] = &["room"];
        type Event = Value;
        type Row = u32;

        fn keys<'e>(event: &'e RecordedEvent<'_, Value>) -> Keys<'e> {
            event.stream_id.into()
        }

        fn evolve(row: Option<u32>, _event: &RecordedEvent<'_, Value>, _key: &str) -> Option<u32> {
            Some(row.unwrap_or(0) + 1)
        }
    }
    let store = open(tabs).await;
    for (id, stream) in [("c1", "room-1"), ("c2", "hall-1"), ("c3", "room-1"), ("c4", "room-20")] {
        appended(&store, &[event(id, stream, "visited", &json!({}))]).await;
    }
    let rows = async |query: Query<'_>| {
        let rows = store.project::<Visits>(&query).await.expect("folds");
        rows.into_iter().collect::<Vec<_>>()
    };
    let with_prefix = |prefix: &'static str| Query {
        prefix: Some(prefix.into()),
        ..Query::default()
    };
    let after = Query {
        after_position: Some(Position(1)),
        ..Query::default()
    };
    let row = |stream: &str, visits| (stream.to_owned(), visits);

    assert_eq!(rows(after).await, [row("room-1", 1), row("room-20", 1)]);
    assert_eq!(rows(with_prefix("room-2")).await, [row("room-20", 1)]);
    assert_eq!(rows(with_prefix("ro")).await, [row("room-1", 2), row("room-20", 1)]);
    assert_eq!(rows(with_prefix("hall-")).await, []);
}
