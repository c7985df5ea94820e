//! Bulk beside tabs that write all the time.

use std::cell::Cell;

use everfold::position::Position;
use everfold::store::{
    Change, Closed, Entry, MemoryDatabase, MemoryStorage, Read, Storage, StorageError, Store, Write, Written,
};

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, appended, over, read_all};

/// Lets another tab append just before each of this tab's first writes to the journal.
struct Meddling {
    storage: MemoryStorage,
    other: Store<MemoryStorage>,
    times: Cell<u64>,
}

impl Storage for Meddling {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.storage.read(reads).await
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        let appends = |change: &Change| matches!(change, Change::Append { .. } | Change::Add { .. });
        if self.times.get() > 0 && write.changes.iter().any(appends) {
            self.times.set(self.times.get() - 1);
            appended(&self.other, &[any(&format!("other {}", self.times.get()), "shared")]).await;
        }
        self.storage.write(write).await
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}

#[test]
fn bulk_gets_through_in_smaller_parts_when_another_tab_is_always_first() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let meddling = Meddling {
            storage: MemoryStorage::open(&database),
            other: over(MemoryStorage::open(&database)).await,
            times: Cell::new(3),
        };
        let store = over(meddling).await;
        let ids: Vec<_> = (0..16).map(|number| format!("c{number}")).collect();
        let events = [("shared", 500)];
        let commits: Vec<_> = ids
            .iter()
            .map(|id| BulkCommit {
                id,
                content: None,
                events: &events,
            })
            .collect();

        let (mut from, mut calls) = (0, 0);
        while from < commits.len() {
            let ingested = try_ingest(&store, &commits, from).await.expect("ingests");
            assert_eq!(ingested.refused, []);
            from = ingested.next;
            calls += 1;
        }

        assert_eq!(calls, 2, "an eighth, then the rest");
        assert_eq!(store.position(), Position(8_003));
        let versions: Vec<_> = read_all(&store).await.iter().map(|event| event.version).collect();
        assert_eq!(versions, (1..=8_003).collect::<Vec<_>>());
    });
}
