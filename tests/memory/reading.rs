//! What readers ask of storage.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use everfold::decider::Decider;
use everfold::position::Position;
use everfold::store::{
    Advanced, Closed, Entry, Faults, Faulty, Fold, LoadQuery, MemoryDatabase, MemoryStorage, Query, Read, Storage,
    StorageError, StoredRows, Table, When, Write, Written,
};
use everfold::stream::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::contract::export::export;
use crate::contract::log::{appended, commit, commit_of, noise, over, read_all};
use crate::meddling::{Call, Meddling};
use crate::tally::ByStream;

/// Counts the blocks that are read, and how often snapshots are asked for.
struct Counting {
    storage: MemoryStorage,
    blocks: Rc<Cell<usize>>,
    snapshots: Rc<Cell<usize>>,
}

impl Storage for Counting {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        let of_blocks = |read: &Read| {
            matches!(
                read,
                Read::Get(Table::Blocks, _)
                    | Read::Scan {
                        table: Table::Blocks,
                        ..
                    }
            )
        };
        let of_blocks: Vec<bool> = reads.iter().map(of_blocks).collect();
        let of_snapshots = |read: &&Read| {
            matches!(
                read,
                Read::Scan {
                    table: Table::Snapshots,
                    ..
                }
            )
        };
        self.snapshots
            .set(self.snapshots.get() + reads.iter().filter(of_snapshots).count());
        let found = self.storage.read(reads).await?;
        let blocks = found.iter().zip(of_blocks).filter(|(_, is)| *is);
        self.blocks
            .set(self.blocks.get() + blocks.map(|(entries, _)| entries.len()).sum::<usize>());
        Ok(found)
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.storage.write(write).await
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}

/// A commit of one event, the one with this number, which nothing compresses.
fn large(stream: &str, number: u64, bytes: usize) -> Value {
    commit_with(
        stream,
        "happened",
        number,
        &json!({ "number": number, "noise": noise(number, bytes) }),
    )
}

fn commit_with(stream: &str, event_type: &str, number: u64, data: &Value) -> Value {
    let event = json!({ "type": event_type, "schemaVersion": 1, "occurredAt": 1_000, "data": data });
    let written = json!({ "streamId": stream, "expectedVersion": "any", "events": [event] });
    commit_of(&format!("{event_type} {number}"), &[written])
}

/// Notes how many bytes the largest answer had.
struct Weighing {
    storage: MemoryStorage,
    largest: Rc<Cell<usize>>,
}

impl Storage for Weighing {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        let found = self.storage.read(reads).await?;
        let bytes = found.iter().flatten().map(|entry| entry.value.len()).sum();
        self.largest.set(self.largest.get().max(bytes));
        Ok(found)
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.storage.write(write).await
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}

/// How many blocks a worker reads that folds the first of `parts`, in pages of `budget` events and stretches of so
/// many positions.
async fn blocks_read(database: &MemoryDatabase, parts: usize, budget: usize, stretch: u64) -> usize {
    let blocks = Rc::new(Cell::new(0));
    let store = over(Counting {
        storage: MemoryStorage::open(database),
        blocks: Rc::clone(&blocks),
        snapshots: Rc::default(),
    })
    .await;
    let bounds = store.stream_bounds("", parts);
    let mut fold = Fold::new::<ByStream>(StoredRows {
        generation: 1,
        checkpoint: Position(0),
        revision: 0,
    });
    while fold.position() < store.position() {
        let query = Query {
            before_stream: bounds.first().map(|id| id.as_str().into()),
            until_position: Some(Position(fold.position().0 + stretch)),
            ..Query::default()
        };
        while fold.advance(&store, &store, &query, budget).await.expect("folds") == Advanced::More {}
    }
    blocks.get()
}

#[test]
fn a_block_is_read_once_however_small_the_pages_and_by_the_part_that_it_belongs_to() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        // Incompressible, so that a segment has many blocks; and segments that are not merged.
        for number in 0..120_u64 {
            let stream = format!("account-{:02}", number % 24);
            appended(&store, &[large(&stream, number, 6_000)]).await;
            if number % 24 == 23 {
                store.seal().await.expect("seals");
            }
        }

        let all = blocks_read(&database, 1, 1_000, 1_000).await;
        let half = blocks_read(&database, 2, 1_000, 1_000).await;

        assert!(all >= 40, "{all} blocks");
        // In each of the five segments the block at the bound may be of both parts.
        assert!((all / 2..=all / 2 + 5).contains(&half), "{half} of {all} blocks");
        assert_eq!(blocks_read(&database, 1, 3, 1_000).await, all);
        assert_eq!(blocks_read(&database, 2, 3, 1_000).await, half);
        assert_eq!(blocks_read(&database, 2, 3, 17).await, half);
    });
}

/// How many transactions it takes a new tab to load an account from its last snapshot.
async fn reads_of_load(database: &MemoryDatabase, account: &str) -> u64 {
    let faults = Faults::new();
    let store = over(Faulty::new(MemoryStorage::open(database), faults.clone())).await;
    let before = faults.reads();
    let query = LoadQuery {
        definition: Some(("account", 1)),
        ..LoadQuery::default()
    };
    let loaded = store.load(account, query).await.expect("loads");
    let snapshot = loaded.snapshot.expect("has a snapshot");
    assert_eq!(loaded.batch.events() as u64, loaded.version.0 - snapshot.version.0);
    faults.reads() - before
}

#[test]
fn a_snapshot_and_what_follows_it_are_read_in_one_transaction_however_long_the_stream() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        for number in 1..=60_u64 {
            appended(&store, &[large("account-1", number, 6_000)]).await;
        }
        store.seal().await.expect("seals");
        for (version, transactions) in [(57, 1), (10, 2)] {
            store.drop_snapshots("account-1").await.expect("drops");
            let state = store.put_snapshot(store.merges(), "account-1", ("account", 1), Version(version), "{}", 2);
            state.await.expect("keeps");

            // One that is far behind takes another transaction for what the first did not bring.
            assert_eq!(reads_of_load(&database, "account-1").await, transactions, "{version}");
        }
    });
}

#[test]
fn older_segments_are_not_asked_for_what_a_newer_one_has() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        for number in 1..=75_u64 {
            appended(&store, &[large("account-1", number, 6_000)]).await;
            if number % 15 == 0 {
                store.seal().await.expect("seals");
            }
        }
        let mut read = Vec::new();
        for version in [73, 60, 59, 1] {
            store.drop_snapshots("account-1").await.expect("drops");
            let state = store.put_snapshot(store.merges(), "account-1", ("account", 1), Version(version), "{}", 2);
            state.await.expect("keeps");
            let blocks = Rc::new(Cell::new(0));
            let other = over(Counting {
                storage: MemoryStorage::open(&database),
                blocks: Rc::clone(&blocks),
                snapshots: Rc::default(),
            })
            .await;
            let query = LoadQuery {
                definition: Some(("account", 1)),
                ..LoadQuery::default()
            };
            let loaded = other.load("account-1", query).await.expect("loads");
            assert_eq!(loaded.batch.events() as u64, 75 - version);
            read.push(blocks.get());
        }

        // The last segment begins with version 61, and each has as many blocks.
        let [last_two, segment, one_more, all] = read[..] else {
            panic!("four loads")
        };
        assert_eq!((last_two, one_more, all), (2, segment + 1, 5 * segment));
    });
}

/// Loads "short" in a new tab, where a snapshot is kept every so many events: the version of the one that served, how many
/// events came after it, and how often snapshots were asked for.
async fn load_of_short(database: &MemoryDatabase, every: u64) -> (Option<u64>, usize, usize) {
    let asked = Rc::new(Cell::new(0));
    let store = over(Counting {
        storage: MemoryStorage::open(database),
        blocks: Rc::default(),
        snapshots: Rc::clone(&asked),
    })
    .await;
    let query = LoadQuery {
        definition: Some(("account", 1)),
        snapshot_every: Some(every),
        ..LoadQuery::default()
    };
    let loaded = store.load("short", query).await.expect("loads");
    (
        loaded.snapshot.map(|snapshot| snapshot.version.0),
        loaded.batch.events(),
        asked.get(),
    )
}

#[test]
fn a_stream_with_too_few_events_for_a_snapshot_is_not_asked_for_one() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        let write = async |count: u64, seal: bool| {
            for _ in 0..count {
                let id = format!("short {}", store.position().0);
                appended(&store, &[commit(&id, &[("short", json!("any"))])]).await;
            }
            if seal {
                store.seal().await.expect("seals");
            }
        };

        // Three blocks, of a segment each, and a tail.
        for _ in 0..3 {
            write(30, true).await;
        }
        write(9, false).await;
        assert_eq!(load_of_short(&database, 100).await, (None, 99, 0));
        assert_eq!(load_of_short(&database, 99).await, (None, 99, 1));
        // It might have one that spares folding most of it.
        assert_eq!(load_of_short(&database, 49).await, (None, 99, 1));

        write(1, false).await;
        let state = store.put_snapshot(store.merges(), "short", ("account", 1), Version(100), "{}", 2);
        state.await.expect("keeps");
        assert_eq!(load_of_short(&database, 100).await, (Some(100), 0, 1));
        write(5, true).await;
        assert_eq!(load_of_short(&database, 100).await, (Some(100), 5, 1));
        assert_eq!(load_of_short(&database, 106).await, (None, 105, 0));
    });
}

/// Notes, of which a decider in Rust counts.
#[derive(Debug, PartialEq, Eq)]
struct Notes;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Noted {
    #[serde(rename = "noted")]
    Noted(u64),
}

impl Decider for Notes {
    const NAME: &'static str = "notes";
    const VERSION: u32 = 1;
    type State = u64;
    type Command = ();
    type Event = Noted;
    type Refusal = ();

    fn initial_state() -> u64 {
        0
    }

    fn decide((): &(), notes: &u64) -> Result<Vec<Noted>, ()> {
        Ok(vec![Noted::Noted(*notes)])
    }

    fn evolve(notes: u64, _: &Noted) -> u64 {
        EVOLVED.set(EVOLVED.get() + 1);
        notes + 1
    }
}

thread_local! {
    /// How many notes were folded.
    static EVOLVED: Cell<u64> = const { Cell::new(0) };
}

/// A note, the so manieth of its stream.
fn note(number: u64) -> Value {
    commit_with("notes-a", "noted", number, &json!(number))
}

#[test]
fn a_decider_in_rust_says_itself_from_how_many_events_on_there_are_snapshots() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        for number in 1..=100_u64 {
            appended(&store, &[note(number)]).await;
            if number < 99 {
                continue;
            }
            let asked = Rc::new(Cell::new(0));
            let storage = Counting {
                storage: MemoryStorage::open(&database),
                blocks: Rc::default(),
                snapshots: Rc::clone(&asked),
            };
            let state = over(storage).await.load_state::<Notes>("a").await.expect("loads");
            assert_eq!((state.state, asked.get()), (number, usize::from(number == 100)));
        }
    });
}

#[test]
fn a_stream_that_turns_out_long_is_folded_in_vain_as_far_as_a_short_one_at_most() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        for number in 1..=250 {
            appended(&store, &[note(number)]).await;
        }
        store.seal().await.expect("seals");
        let state = store.put_snapshot(store.merges(), "notes-a", ("notes", 1), Version(200), "200", 2);
        state.await.expect("keeps");

        EVOLVED.set(0);
        let other = over(MemoryStorage::open(&database)).await;
        let state = other.load_state::<Notes>("a").await.expect("loads");

        assert_eq!((state.version, state.state), (Version(250), 250));
        assert_eq!(EVOLVED.get(), 99 + 50);
    });
}

#[test]
fn a_stream_whose_tail_says_that_it_is_long_is_asked_for_its_snapshots_at_once() {
    pollster::block_on(async {
        for last in [99, 100] {
            let database = MemoryDatabase::new();
            let store = over(MemoryStorage::open(&database)).await;
            for number in 1..=last {
                appended(&store, &[note(number)]).await;
                if number == 50 {
                    store.seal().await.expect("seals");
                }
            }
            let faults = Faults::new();
            let other = over(Faulty::new(MemoryStorage::open(&database), faults.clone())).await;
            let before = faults.reads();
            let state = other.load_state::<Notes>("a").await.expect("loads");

            assert_eq!(state.state, last);
            assert_eq!(faults.reads() - before, 2, "the tail, and blocks: {last}");
        }
    });
}

#[test]
fn a_stream_that_fills_a_block_is_asked_for_its_snapshots_at_once() {
    pollster::block_on(async {
        // A block is closed with the event that makes it as long as that.
        for (events, asked) in [(4, 0), (6, 1)] {
            let database = MemoryDatabase::new();
            let store = over(MemoryStorage::open(&database)).await;
            for number in 1..=events {
                appended(&store, &[large("short", number, 12_000)]).await;
            }
            store.seal().await.expect("seals");

            assert_eq!(load_of_short(&database, 100).await, (None, events as usize, asked));
        }
    });
}

/// What a tab does while its storage reads.
type Meanwhile = Rc<RefCell<Option<Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>>>>;

#[test]
fn a_stream_is_loaded_while_the_tail_is_sealed_again_and_again() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let meanwhile: Meanwhile = Rc::default();
        let due = Rc::clone(&meanwhile);
        let store = Rc::new(
            over(Meddling {
                storage: MemoryStorage::open(&database),
                meddle: async move |call, when| {
                    if call == Call::Read && when == When::After {
                        // What it reads itself is left alone.
                        let work = due.take();
                        if let Some(work) = work {
                            work().await;
                            due.replace(Some(work));
                        }
                    }
                },
            })
            .await,
        );
        for number in 0..20 {
            appended(&store, &[commit(&number.to_string(), &[("one", json!("any"))])]).await;
            if number == 9 {
                store.seal().await.expect("seals");
            }
        }

        let seals = Rc::new(Cell::new(0));
        let (sealing, sealed) = (Rc::downgrade(&store), Rc::clone(&seals));
        meanwhile.replace(Some(Box::new(move || {
            let (sealing, sealed) = (sealing.clone(), Rc::clone(&sealed));
            Box::pin(async move {
                let store = sealing.upgrade().expect("is open");
                let id = format!("later {}", sealed.replace(sealed.get() + 1));
                appended(&store, &[commit(&id, &[("one", json!("any"))])]).await;
                assert!(store.seal().await.expect("seals"));
            })
        })));
        let loaded = store.load("one", LoadQuery::default()).await.expect("loads");
        meanwhile.take();

        // What was there when it began, whatever became of it meanwhile.
        assert_eq!((loaded.version, loaded.batch.events()), (Version(20), 20));
        assert_eq!(seals.get(), 1);
    });
}

#[test]
fn a_long_stream_is_loaded_whole_while_its_segments_are_merged() {
    pollster::block_on(async {
        for kept in [None, Some(3)] {
            let database = MemoryDatabase::new();
            let meanwhile: Meanwhile = Rc::default();
            let due = Rc::clone(&meanwhile);
            let store = Rc::new(
                over(Meddling {
                    storage: MemoryStorage::open(&database),
                    meddle: async move |call, when| {
                        if (call, when) == (Call::Read, When::Before) {
                            let work = due.take();
                            if let Some(work) = work {
                                work().await;
                            }
                        }
                    },
                })
                .await,
            );
            for number in 1..=14 {
                appended(&store, &[commit(&number.to_string(), &[("one", json!("any"))])]).await;
                assert!(store.seal().await.expect("seals"));
            }
            if let Some(version) = kept {
                let state = store.put_snapshot(store.merges(), "one", ("one", 1), Version(version), "{}", 2);
                state.await.expect("keeps");
            }
            // Merging has just read them, so that they are in memory.
            let whole = store.load("one", LoadQuery::default()).await.expect("loads");
            assert_eq!(whole.version, Version(14));

            let merging = Rc::downgrade(&store);
            meanwhile.replace(Some(Box::new(move || {
                let merging = merging.clone();
                Box::pin(async move {
                    let store = merging.upgrade().expect("is open");
                    assert!(store.compact(2).await.expect("compacts"));
                })
            })));
            let query = LoadQuery {
                definition: Some(("one", 1)),
                ..LoadQuery::default()
            };
            let loaded = store.load("one", query).await.expect("loads");

            assert!(meanwhile.borrow().is_none());
            let base = loaded.snapshot.map_or(0, |snapshot| snapshot.version.0);
            assert_eq!(
                (Some(base).filter(|base| *base > 0), loaded.version),
                (kept, Version(14))
            );
            assert_eq!(loaded.batch.events() as u64, 14 - base);
            appended(&store, &[commit("next", &[("one", json!(14))])]).await;
        }
    });
}

/// Segments were merged, and made of an import, by the number of their events alone: with large ones a page took the memory
/// of most of the log.
#[test]
fn a_log_of_large_events_is_read_in_small_parts_however_it_was_merged_or_imported() {
    pollster::block_on(async {
        const EVENTS: u64 = 200;
        let (merged, imported) = (MemoryDatabase::new(), MemoryDatabase::new());
        let store = over(MemoryStorage::open(&merged)).await;
        for number in 1..=EVENTS {
            appended(&store, &[large("one", number, 200_000)]).await;
        }
        store.seal().await.expect("seals");
        while store.compact(2).await.expect("compacts") {}
        let copy = over(MemoryStorage::open(&imported)).await;
        copy.import(&export(&store).await, false).await.expect("imports");

        for database in [merged, imported] {
            let largest = Rc::new(Cell::new(0));
            let weighing = over(Weighing {
                storage: MemoryStorage::open(&database),
                largest: Rc::clone(&largest),
            })
            .await;
            assert_eq!(read_all(&weighing).await.len() as u64, EVENTS);
            assert!(largest.get() < 30 << 20, "{} bytes", largest.get());
        }
    });
}
