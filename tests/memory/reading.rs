//! What readers ask of storage.

use std::cell::Cell;
use std::rc::Rc;

use everfold::position::Position;
use everfold::store::{
    Advanced, Closed, Entry, Faults, Faulty, Fold, LoadQuery, MemoryDatabase, MemoryStorage, Query, Read, Storage,
    StorageError, StoredRows, Table, Write, Written,
};
use everfold::stream::Version;
use serde_json::json;

use crate::contract::log::{appended, commit, noise, over};
use crate::tally::ByStream;

/// Counts the blocks that are read.
struct Counting {
    storage: MemoryStorage,
    blocks: Rc<Cell<usize>>,
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

/// How many blocks a worker reads that folds the first of `parts`, in pages of `budget` events and stretches of so
/// many positions.
async fn blocks_read(database: &MemoryDatabase, parts: usize, budget: usize, stretch: u64) -> usize {
    let blocks = Rc::new(Cell::new(0));
    let store = over(Counting {
        storage: MemoryStorage::open(database),
        blocks: Rc::clone(&blocks),
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
            let mut large = commit(&format!("large {number}"), &[(&stream, json!("any"))]);
            large["streams"][0]["events"][0]["data"] = json!({ "number": number, "noise": noise(number, 6_000) });
            appended(&store, &[large]).await;
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
            let mut large = commit(&format!("large {number}"), &[("account-1", json!("any"))]);
            large["streams"][0]["events"][0]["data"] = json!({ "noise": noise(number, 6_000) });
            appended(&store, &[large]).await;
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
