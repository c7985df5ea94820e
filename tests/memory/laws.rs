//! Laws of the log, on histories that nobody thought of.

use std::collections::BTreeSet;

use everfold::store::{Direction, LoadQuery, Query};
use everfold::stream::Version;
use proptest::prelude::*;

use crate::contract::log::{events_of, read};
use crate::filter::filter;
use crate::history::{STREAMS, World, assert_sound, plain, step, steps};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_what_a_plain_list_is_whatever_two_tabs_do(steps in steps(0.3)) {
        pollster::block_on(async {
            let world = World::after(&steps).await;
            let [store, _] = &world.tabs;
            assert_sound(store).await;
            let streams: BTreeSet<_> = world.model.events.iter().map(|(stream, ..)| stream.clone()).collect();
            let listed = store.streams("", "", 100).await.expect("lists");
            assert_eq!(listed, streams.into_iter().collect::<Vec<_>>());
        });
    }

    #[test]
    fn any_page_size_in_either_direction_gives_the_same_events(steps in steps(0.0), limit in 1..9_usize) {
        pollster::block_on(async {
            let World { tabs: [store, _], model, .. } = World::after(&steps).await;
            let forward = read(&store, Query { limit: Some(limit), ..Query::default() }).await;
            let backward =
                read(&store, Query { limit: Some(limit), direction: Direction::Backward, ..Query::default() }).await;
            assert_eq!(plain(&forward), model.events);
            assert_eq!(backward.into_iter().rev().collect::<Vec<_>>(), forward);
        });
    }

    /// Between two pages anything may happen: either tab appends, ingests, seals, merges, is closed and opened.
    #[test]
    fn whatever_happens_between_two_pages_changes_nothing_that_is_read(
        steps in steps(0.05),
        between in prop::collection::vec(prop::collection::vec(step(0.05), 0..4), 1..12),
        filter in filter(),
        limit in 1..9_usize,
    ) {
        pollster::block_on(async {
            for direction in [Direction::Forward, Direction::Backward] {
                let mut world = World::after(&steps).await;
                let mut expected = world.check().await;
                expected.retain(|event| filter.passes(event));
                if direction == Direction::Backward {
                    expected.reverse();
                }
                let end = world.tabs[0].position();
                let mut query = Query { limit: Some(limit), ..filter.query(direction, end) };
                let mut found = Vec::new();
                for happening in between.iter().cycle() {
                    let page = world.tabs[0].read(&query).await.expect("reads");
                    found.extend(events_of(&page.batch));
                    match (page.next, direction) {
                        (None, _) => break,
                        (next, Direction::Forward) => query.after_position = next,
                        (next, Direction::Backward) => query.until_position = next,
                    }
                    for step in happening {
                        world.take(step).await;
                    }
                }
                assert_eq!(found, expected, "{direction:?}");
            }
        });
    }

    #[test]
    fn a_snapshot_and_the_events_after_it_are_the_stream(steps in steps(0.1), at in 1..6_u64) {
        pollster::block_on(async {
            let World { tabs: [store, _], model, .. } = World::after(&steps).await;
            for stream in STREAMS {
                let length = model.head(stream);
                if at <= length {
                    store.put_snapshot(store.merges(), stream, ("s", 1), Version(at), "{}", 2).await.expect("keeps");
                }
                let query = LoadQuery { definition: Some(("s", 1)), ..LoadQuery::default() };
                let loaded = store.load(stream, query).await.expect("loads");
                let base = loaded.snapshot.map_or(0, |snapshot| snapshot.version.0);
                assert_eq!(base, if at <= length { at } else { 0 });
                let versions: Vec<_> = events_of(&loaded.batch).iter().map(|event| event.version).collect();
                assert_eq!(versions, (base + 1..=length).collect::<Vec<_>>());
            }
        });
    }
}
