//! Two small projections, and the plain replay that their rows must equal byte for byte.
//!
//! What a row holds depends on the order of its events, and a row goes and comes again: a fold that
//! loses, doubles or exchanges one event shows.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::collections::BTreeMap;

use everfold::event::RecordedEvent;
use everfold::projection::{Index, Keys, Partition, Projection};
use everfold::store::{Key, KeyRange, MemoryDatabase, MemoryStorage, Read, RowQuery, Storage, Store, Table};
use serde::{Deserialize, Serialize};

use crate::contract::log::Seen;
use crate::contract::one;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub(crate) enum Happening {
    Happened { number: u64 },
    Changed { number: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    last: u64,
    order: u64,
}

impl Tally {
    /// The row after one more event; every eleventh or so ends it.
    fn after(row: Option<&Self>, position: u64, number: u64) -> Option<Self> {
        let order = (row.map_or(7, |row| row.order) * 31 + position + number) % 1_000_003;
        let events = row.map_or(0, |row| row.events) + 1;
        (order % 11 != 3).then_some(Self {
            events,
            last: position,
            order,
        })
    }
}

/// A row for each stream, of any events; an index in which not every row is.
pub(crate) struct ByStream;

/// Rows that many streams meet in, of some events of one aggregate.
pub(crate) struct Across;

impl Projection for ByStream {
    const NAME: &'static str = "by_stream";
    const VERSION: u32 = 1;
    const PARTITION: Partition = Partition::Stream;
    const INDEXES: &'static [Index<Tally>] = &[Index {
        name: "events",
        value: |row| (row.events % 3 != 0).then(|| (row.events as f64).into()),
    }];
    type Event = Happening;
    type Row = Tally;

    fn keys<'e>(event: &'e RecordedEvent<'_, Happening>) -> Keys<'e> {
        event.stream_id.into()
    }

    fn evolve(row: Option<Tally>, event: &RecordedEvent<'_, Happening>, _key: &str) -> Option<Tally> {
        let (Happening::Happened { number } | Happening::Changed { number }) = event.event;
        Tally::after(row.as_ref(), event.position.0, number)
    }

    fn schema_version(_event_type: &str) -> u32 {
        2
    }
}

impl Projection for Across {
    const NAME: &'static str = "across";
    const VERSION: u32 = 1;
    const AGGREGATES: &'static [&'static str] = &["s"];
    const EVENTS: &'static [&'static str] = &["changed"];
    type Event = Happening;
    type Row = Tally;

    fn keys<'e>(event: &'e RecordedEvent<'_, Happening>) -> Keys<'e> {
        let (Happening::Happened { number } | Happening::Changed { number }) = event.event;
        [event.stream_id.to_owned(), format!("rest {}", number % 4)]
            .into_iter()
            .collect()
    }

    fn evolve(row: Option<Tally>, event: &RecordedEvent<'_, Happening>, key: &str) -> Option<Tally> {
        ByStream::evolve(row, event, key)
    }
}

/// A projection whose plain replay is known.
pub(crate) trait Plain: Projection<Row = Tally> {
    /// The keys of an event, if it is wanted.
    fn plain_keys(event: &Seen) -> Vec<String>;

    /// The rows of a plain replay.
    fn replay<'e>(events: impl IntoIterator<Item = &'e Seen>) -> BTreeMap<String, Tally> {
        let mut rows = BTreeMap::new();
        for event in events {
            let number = event.data["number"].as_u64().expect("is a number");
            for key in Self::plain_keys(event) {
                let row = Tally::after(rows.get(&key), event.position, number);
                match row {
                    Some(row) => rows.insert(key, row),
                    None => rows.remove(&key),
                };
            }
        }
        rows
    }
}

impl Plain for ByStream {
    fn plain_keys(event: &Seen) -> Vec<String> {
        vec![event.stream.clone()]
    }
}

impl Plain for Across {
    fn plain_keys(event: &Seen) -> Vec<String> {
        let number = event.data["number"].as_u64().expect("is a number");
        if event.stream.starts_with("s-") && event.event_type == "changed" {
            vec![event.stream.clone(), format!("rest {}", number % 4)]
        } else {
            Vec::new()
        }
    }
}

/// The list that the store gives of `rows`, in the order that `place` says.
fn listed<K: Ord>(rows: &BTreeMap<String, Tally>, place: impl Fn(&str, &Tally) -> Option<K>) -> String {
    let mut rows: Vec<_> = rows
        .iter()
        .filter_map(|(key, row)| Some((place(key, row)?, (key, row))))
        .collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    serde_json::to_string(&rows).expect("is JSON")
}

fn utf16(key: &str) -> Vec<u16> {
    key.encode_utf16().collect()
}

/// What is stored of a projection is, byte for byte, what a plain replay of `events` gives: in the order
/// of keys, in that of the index, and nothing besides.
pub(crate) async fn assert_replayed<P: Plain, S: Storage>(
    store: &Store<S>,
    database: &MemoryDatabase,
    events: &[Seen],
) {
    let expected = P::replay(events);
    store.view::<P>().count().await.expect("folds");
    let generation = store
        .projection(P::NAME, P::VERSION, "")
        .await
        .expect("reads")
        .state
        .generation;
    let list = async |index| {
        let query = RowQuery {
            generation,
            index,
            ..RowQuery::default()
        };
        store.list_rows(&query).await.expect("lists").expect("is there")
    };

    assert_eq!(list(None).await, listed(&expected, |key, _| Some(utf16(key))));
    let mut entries = 0;
    for (number, index) in P::INDEXES.iter().enumerate() {
        let by_events = |key: &str, row: &Tally| (index.value)(row).map(|_| (row.events, utf16(key)));
        assert_eq!(list(Some(number as u64)).await, listed(&expected, by_events));
        entries += expected.values().filter(|row| (index.value)(row).is_some()).count();
    }
    let storage = MemoryStorage::open(database);
    let of_generation = || KeyRange::prefix(&[Key::from(generation)]);
    for (table, count) in [(Table::Rows, expected.len()), (Table::Index, entries)] {
        let found = one(&storage, Read::Count(table, of_generation())).await.remove(0);
        assert_eq!(found.key, Key::from(count as u64), "{} of {}", table.name(), P::NAME);
    }
}
