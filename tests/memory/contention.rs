//! Bulk beside tabs that write all the time.

use std::cell::Cell;

use everfold::position::Position;
use everfold::store::{MemoryDatabase, MemoryStorage, When};

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, appended, over, read_all};
use crate::meddling::{Call, Meddling};

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
