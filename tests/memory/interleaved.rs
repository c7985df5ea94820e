//! Many calls of two tabs at once, whose storage takes its time: none of them is told anything wrong.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use everfold::store::{
    Closed, Direction, Entry, LoadQuery, MemoryDatabase, MemoryStorage, Outcome, Query, Read, Storage, StorageError,
    Store, Write, Written,
};
use everfold::stream::Version;
use futures_util::future::join_all;
use serde_json::json;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{append, commit, events_of, over, read, read_all};
use crate::history::assert_sound;

/// Numbers that look random.
#[derive(Clone)]
struct Dice(Rc<Cell<u64>>);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        (state >> 11) % sides
    }
}

/// Waits for so many turns.
struct Turns(u64);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Storage whose calls take some turns, before they take effect and after.
struct Slow {
    storage: MemoryStorage,
    dice: Dice,
}

impl Storage for Slow {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        Turns(self.dice.roll(6)).await;
        let found = self.storage.read(reads).await;
        Turns(self.dice.roll(6)).await;
        found
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        Turns(self.dice.roll(6)).await;
        let written = self.storage.write(write).await;
        Turns(self.dice.roll(6)).await;
        written
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}

/// Most is written to the first one.
const STREAMS: [&str; 3] = ["one", "two", "three"];

/// A tab, and what it knows of its own commits.
struct Tab {
    store: Store<Slow>,
    dice: Dice,
    versions: RefCell<BTreeMap<&'static str, u64>>,
    ids: RefCell<Vec<String>>,
}

impl Tab {
    fn version(&self, stream: &str) -> u64 {
        self.versions.borrow().get(stream).copied().unwrap_or_default()
    }

    /// One of several calls, by a name that is its own.
    async fn call(&self, name: &str) {
        let stream = STREAMS[self.dice.roll(6).saturating_sub(3) as usize];
        match self.dice.roll(16) {
            0..=4 => self.decide(name, stream).await,
            5 | 6 => self.load(stream).await,
            7 => self.read().await,
            8 => self.look_around(stream).await,
            9..=11 => drop(self.store.seal().await.expect("seals")),
            12 if self.dice.roll(3) == 0 => {
                let run = [2, 8][self.dice.roll(2) as usize];
                self.store.compact(run).await.expect("compacts");
            }
            13 if self.dice.roll(40) == 0 => self.ingest(name, stream).await,
            _ => drop(self.store.catch_up().await.expect("catches up")),
        }
    }

    /// Appends what was decided on the stream as it is loaded.
    async fn decide(&self, name: &str, stream: &'static str) {
        let query = LoadQuery {
            definition: Some(("d", 1)),
            snapshot_every: (self.dice.roll(2) == 0).then_some(60),
            ..LoadQuery::default()
        };
        let loaded = self.store.load(stream, query).await.expect("loads");
        let outcomes = append(&self.store, &[commit(name, &[(stream, json!(loaded.version.0))])]).await;
        match &outcomes[..] {
            [Outcome::Appended(receipt)] => {
                assert_eq!(receipt.streams[0].1, loaded.version.next());
                self.versions.borrow_mut().insert(stream, loaded.version.next().0);
                self.ids.borrow_mut().push(name.to_owned());
            }
            [Outcome::Conflict(conflict)] => assert!(conflict.actual > loaded.version, "{conflict}"),
            other => panic!("{other:?}"),
        }
    }

    async fn load(&self, stream: &str) {
        let own = self.version(stream);
        let query = LoadQuery {
            definition: (self.dice.roll(2) == 0).then_some(("d", 1)),
            ..LoadQuery::default()
        };
        let loaded = self.store.load(stream, query).await.expect("loads");
        let version = loaded.version;
        assert!(version.0 >= own, "{stream} is at {own}, loaded {version}");
        let base = loaded.snapshot.map_or(0, |snapshot| snapshot.version.0);
        let versions: Vec<_> = events_of(&loaded.batch).iter().map(|event| event.version).collect();
        assert_eq!(versions, (base + 1..=version.0).collect::<Vec<_>>());
        if version > Version(0) && self.dice.roll(3) == 0 {
            let state = self
                .store
                .put_snapshot(self.store.merges(), stream, ("d", 1), version, "{}", 2);
            state.await.expect("keeps");
        }
    }

    async fn read(&self) {
        let until = self.store.position();
        let direction = [Direction::Forward, Direction::Backward][self.dice.roll(2) as usize];
        let query = Query {
            until_position: Some(until),
            direction,
            limit: (self.dice.roll(2) == 0).then_some(7),
            ..Query::default()
        };
        let mut positions: Vec<_> = read(&self.store, query)
            .await
            .iter()
            .map(|event| event.position)
            .collect();
        if direction == Direction::Backward {
            positions.reverse();
        }
        assert_eq!(positions, (1..=until.0).collect::<Vec<_>>());
    }

    /// What it has written is found in every way.
    async fn look_around(&self, stream: &'static str) {
        let own = self.version(stream);
        let query = Query {
            stream_id: Some(stream.into()),
            ..Query::default()
        };
        let versions: Vec<_> = read(&self.store, query)
            .await
            .iter()
            .map(|event| event.version)
            .collect();
        assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
        assert!(versions.len() as u64 >= own);
        let streams = self.store.streams("", "", 10).await.expect("lists");
        assert!(own == 0 || streams.iter().any(|id| id == stream), "{streams:?}");
        let id = self.ids.borrow().last().cloned();
        if let Some(id) = id {
            assert!(self.store.find_commit(&id).await.expect("finds").is_some(), "{id}");
        }
    }

    async fn ingest(&self, name: &str, stream: &'static str) {
        let commits = [BulkCommit {
            id: name,
            content: Some(name),
            events: &[(stream, 1_000)],
        }];
        let ingested = try_ingest(&self.store, &commits, 0).await.expect("ingests");
        assert_eq!((ingested.next, ingested.refused), (1, Vec::new()));
        self.ids.borrow_mut().push(name.to_owned());
    }
}

async fn interleaved(seed: u64) {
    println!("seed {seed}");
    let dice = Dice(Rc::new(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)));
    let database = MemoryDatabase::new();
    let tabs = join_all((0..2).map(async |_| {
        let storage = Slow {
            storage: MemoryStorage::open(&database),
            dice: dice.clone(),
        };
        Tab {
            store: over(storage).await,
            dice: dice.clone(),
            versions: RefCell::default(),
            ids: RefCell::default(),
        }
    }))
    .await;

    join_all((0..6).map(async |caller| {
        for number in 0..150 {
            tabs[caller % 2].call(&format!("{caller} {number}")).await;
        }
    }))
    .await;

    let written: usize = tabs.iter().map(|tab| tab.ids.borrow().len()).sum();
    for tab in &tabs {
        tab.store.catch_up().await.expect("catches up");
        let events = read_all(&tab.store).await;
        let ids: BTreeSet<_> = events.into_iter().map(|event| event.commit).collect();
        assert_eq!(ids.len(), written);
        assert_sound(&tab.store).await;
    }
}

/// Found by it: a load went on in the segments that a merge had left, and missed what the merge had moved.
#[test]
fn whatever_two_tabs_call_at_the_same_time_none_is_told_anything_wrong() {
    for seed in 1..=20 {
        pollster::block_on(interleaved(seed));
    }
}
