//! Bulk and rebuilds beside tabs that write all the time.

use std::cell::Cell;

use everfold::position::Position;
use everfold::store::{Fold, MemoryDatabase, MemoryStorage, Query, StoredRows, When};
use futures_util::lock::Mutex;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, appended, over, read_all};
use crate::meddling::{Call, Meddling};
use crate::rebuilding::try_rebuild;
use crate::tally::ByStream;

#[test]
fn bulk_gets_through_in_smaller_parts_when_another_tab_is_always_first() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let other = over(MemoryStorage::open(&database)).await;
        let times = Cell::new(3);
        let meddling = Meddling {
            storage: MemoryStorage::open(&database),
            meddle: async move |call, when| {
                if times.get() > 0 && (call, when) == (Call::Append, When::Before) {
                    times.set(times.get() - 1);
                    appended(&other, &[any(&format!("other {}", times.get()), "shared")]).await;
                }
            },
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

#[test]
fn a_rebuild_gets_through_while_the_live_rows_are_still_being_folded() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        let other = over(MemoryStorage::open(&database)).await;
        for number in 0..40 {
            appended(
                &other,
                &[any(&format!("c{number}"), &format!("account-{}", number % 7))],
            )
            .await;
        }
        let generation = other
            .projection("by_stream", 1, "")
            .await
            .expect("is made")
            .state
            .generation;
        let live = Mutex::new(Fold::new::<ByStream>(StoredRows {
            generation,
            checkpoint: Position(0),
            revision: 0,
        }));
        let writes = Cell::new(0);
        let meddling = Meddling {
            storage: MemoryStorage::open(&database),
            meddle: async move |call, when| {
                if (call, when) == (Call::Write, When::Before) {
                    writes.set(writes.get() + 1);
                    // What was tried in vain gets through the second time.
                    if writes.get() % 2 == 0 {
                        return;
                    }
                    let mut live = live.lock().await;
                    live.advance(&other, &other, &Query::default(), 1).await.expect("folds");
                    live.write(&other, None).await.expect("writes");
                }
            },
        };
        let store = over(meddling).await;

        let switched = try_rebuild::<ByStream, _>(&store, false, 40).await.expect("rebuilds");

        assert!(switched);
        let state = store.projection("by_stream", 1, "").await.expect("is there").state;
        assert_eq!((state.checkpoint, state.rebuild), (Position(40), None));
    });
}
