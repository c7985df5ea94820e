//! Long queues: what each step costs, counted in what goes to the storage and comes from it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use everfold::position::Position;
use everfold::store::{
    Change, Closed, Entry, Faults, Faulty, LoadQuery, MemoryDatabase, MemoryStorage, Read, Storage, StorageError,
    Table, Write, Written,
};
use serde_json::{Value, json};

use crate::contract::all;
use crate::contract::ingest::{BulkCommit, ingested};
use crate::contract::log::{Seen, any, appended, over, read_all};
use crate::device::{device, pull, state_of};
use crate::history::assert_sound;
use crate::space::{Space, bind, rebase, store_answers, sync};

const PENDING: u64 = 50_000;
/// Every fifth commit is on this stream, the others are on a thousand.
const BUSY: &str = "busy";
/// What the client pushes at a time.
const BATCH: usize = 500;

/// What went through a storage.
#[derive(Debug, Default)]
struct Weight {
    calls: u64,
    read: u64,
    written: u64,
}

/// Weighs it. Clones are the same one.
#[derive(Clone, Default)]
struct Scale(Rc<RefCell<Weight>>);

impl Scale {
    fn add(&self, read: usize, written: usize) {
        let mut weight = self.0.borrow_mut();
        weight.calls += 1;
        weight.read += read as u64;
        weight.written += written as u64;
    }

    /// What there was since this was asked the last time.
    fn take(&self) -> Weight {
        self.0.take()
    }
}

struct Weighed(MemoryStorage, Scale);

impl Storage for Weighed {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        let found = self.0.read(reads).await?;
        self.1
            .add(found.iter().flatten().map(|entry| entry.value.len()).sum(), 0);
        Ok(found)
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        let size = |change: &Change| match change {
            Change::Put(_, _, value) | Change::Append { value, .. } | Change::Add { value, .. } => value.len(),
            Change::Delete(..) => 0,
        };
        self.1.add(0, write.changes.iter().map(size).sum());
        self.0.write(write).await
    }

    fn close(&self) {
        self.0.close();
    }

    fn closed(&self) -> Closed {
        self.0.closed()
    }
}

fn stream(number: u64) -> String {
    if number.is_multiple_of(5) {
        BUSY.to_owned()
    } else {
        format!("s-{}", number % 1_000)
    }
}

fn commit(number: u64, version: u64) -> Value {
    let stream = stream(number);
    json!({
        "commitId": format!("c{number}"), "known": false, "recordedAt": 3, "mode": "intent", "content": number.to_string(),
        "command": { "type": "put", "amounts": [[stream, 1]], "reads": [] },
        "definition": { "name": "money", "version": 1 }, "subject": "ann", "reads": [],
        "streams": [{ "streamId": stream, "expectedVersion": version, "events": [
            { "type": "put", "schemaVersion": 1, "occurredAt": 7, "data": { "amount": 1, "total": null } } ] }],
    })
}

#[test]
fn fifty_thousand_pending_commits_cost_each_step_what_they_are() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, scale) = (MemoryDatabase::new(), Scale::default());
        let open = async || over(Weighed(MemoryStorage::open(&database), scale.clone())).await;
        let store = open().await;
        bind(&store, &space, None).await.expect("binds");
        scale.take();

        let mut versions = HashMap::new();
        for number in 0..PENDING {
            let version = versions.entry(stream(number)).or_insert(0);
            appended(&store, &[commit(number, *version)]).await;
            *version += 1;
        }
        let appends = scale.take();
        let store = open().await;
        let start = scale.take();
        assert_eq!(state_of(&store).await.pending, PENDING);
        let tail = scale.take();
        // Carried whenever the journal has grown by a quarter: so each commit is written about five times.
        assert!(appends.calls < PENDING + 30, "{appends:?}");
        assert!(appends.written < 5 * tail.read, "{appends:?} {tail:?}");
        assert!(
            (start.calls, tail.calls) == (1, 1) && start.read < 1_000,
            "{start:?} {tail:?}"
        );

        assert_eq!(read_all(&store).await.len() as u64, PENDING);
        let busy = store.load(BUSY, LoadQuery::default()).await.expect("loads");
        assert_eq!(busy.batch.events() as u64, PENDING / 5);
        assert_eq!(scale.take().calls, 0);

        store.lead().await.expect("leads");
        space.foreign("theirs", &[(BUSY, 1)]).await;
        assert!(pull(&store, &space).await.rebase);
        let rebased = rebase(&store, &HashSet::new()).await.expect("rebases");
        assert_eq!((rebased.changed.len(), rebased.refused.len()), (0, 0));
        let merge = scale.take();
        assert!(merge.calls < 10 && merge.written < tail.read / 100, "{merge:?}");

        while let Some(body) = store.push_body(BATCH, 1 << 20).await.expect("writes") {
            let answer = space.push(&body.text).await.expect("judges");
            let pulled = store_answers(&store, &[answer]).await.expect("stores");
            assert!(!pulled.rebase && !pulled.stopped);
        }
        let pushes = scale.take();
        // One write a push, and now and then one that seals what is confirmed and carries the rest.
        assert!(pushes.calls < PENDING / BATCH as u64 + 10, "{pushes:?}");
        assert!(pushes.written < 5 * tail.read, "{pushes:?} {tail:?}");
        assert_eq!((store.pending(), store.confirmed()), (0, Position(PENDING + 1)));
        let again = open().await;
        assert_eq!(read_all(&again).await.len() as u64, PENDING + 1);
        assert_sound(&again).await;
    });
}

#[test]
fn a_journal_stays_short_while_much_is_pending() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        for number in 0..3_000 {
            appended(&store, &[any(&format!("c{number}"), "a")]).await;
        }
        let events = read_all(&store).await;
        let journal = all(&MemoryStorage::open(&database), Table::Journal).await;
        assert!(journal.len() <= 751, "{}", journal.len());

        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(again.pending(), 3_000);
        assert_eq!(read_all(&again).await, events);
        again.lead().await.expect("leads");
        sync(&again, &space, 500).await.expect("syncs");

        assert_eq!(again.pending(), 0);
        assert_eq!(space.log().await.len(), 3_000);
        assert_sound(&again).await;
        let ids = |events: Vec<Seen>| -> Vec<_> {
            events
                .into_iter()
                .map(|event| (event.position, event.version, event.commit))
                .collect()
        };
        assert_eq!(ids(read_all(&again).await), ids(events));
    });
}

/// 5,000 commits in bulk, pushed 500 at a time.
#[test]
fn a_long_queue_costs_no_more_calls_a_push_than_a_short_one() {
    pollster::block_on(async {
        let space = Space::new().await;
        let database = MemoryDatabase::new();
        let faults = Faults::new();
        let store = over(Faulty::new(MemoryStorage::open(&database), faults.clone())).await;
        bind(&store, &space, None).await.expect("binds");
        let ids: Vec<_> = (0..5_000).map(|number| format!("c{number}")).collect();
        let commits: Vec<_> = ids
            .iter()
            .map(|id| BulkCommit {
                id,
                content: Some(id),
                events: &[("a", 1), ("b", 1)],
            })
            .collect();
        for part in commits.chunks(1_000) {
            ingested(&store, part).await;
        }
        assert_eq!((store.pending(), store.confirmed()), (5_000, Position(0)));

        let before = faults.calls();
        let mut exchanges = 0;
        while let Some(body) = store.push_body(500, 1 << 20).await.expect("writes") {
            let answer = space.push(&body.text).await.expect("judges");
            let pulled = store_answers(&store, &[answer]).await.expect("stores");
            assert!(!pulled.rebase && !pulled.progress.rebased);
            exchanges += 1;
        }

        assert_eq!(exchanges, 10);
        assert!(faults.calls() - before <= 2 * exchanges, "{}", faults.calls() - before);
        assert_eq!((store.pending(), store.confirmed()), (0, Position(10_000)));
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(read_all(&again).await.len(), 10_000);
        assert_sound(&again).await;
    });
}
