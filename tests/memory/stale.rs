//! What was made of the log before a merge: it is not kept, and nothing is appended on it.

use everfold::store::{LoadQuery, Outcome, Table};
use everfold::stream::Version;
use serde_json::json;

use crate::contract::log::{any, appended, commit, read_all, try_append_decided};
use crate::device::{device, done, funded_device, refusals, stored, tab, take};
use crate::space::{Space, sync, version_of};
use crate::tally::{ByStream, assert_replayed};

/// Found by the simulation, seed 4149: a tab decided on its pending commit and froze. Another tab led meanwhile, had
/// that commit refused and one of another device confirmed in its place, at the same version.
#[test]
fn what_was_decided_before_a_merge_is_stale_even_if_its_version_fits() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = funded_device(&space).await;
        done(&store, "mine", &take("a", 5)).await;
        let (merges, decided) = (store.merges(), [commit("next", &[("a", json!(2))])]);
        let leader = tab(&database).await;
        leader.lead().await.expect("leads");
        space.foreign("theirs", &[("a", -5)]).await;
        sync(&leader, &space, 10).await.expect("syncs");
        assert_eq!(refusals(&leader).await.len(), 1);
        assert_eq!(version_of(&leader, "a").await, Version(2));

        let progress = try_append_decided(&store, merges, &decided).await.expect("answers");

        assert!(matches!(&progress.outcomes[..], [Outcome::Stale { stream }] if stream == "a"));
        assert_eq!(store.pending(), 0);
        let progress = try_append_decided(&store, progress.merges, &decided)
            .await
            .expect("appends");
        assert!(matches!(&progress.outcomes[..], [Outcome::Appended(_)]));
    });
}

/// Found by the simulation: between reading a state and keeping it, what was pending was refused, and a commit of another
/// device confirmed in its place.
#[test]
fn a_state_that_was_read_before_a_merge_is_not_kept() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = funded_device(&space).await;
        done(&store, "mine", &take("a", 5)).await;
        let merges = store.merges();
        space.foreign("theirs", &[("a", -4)]).await;
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!((version_of(&store, "a").await, store.pending()), (Version(2), 0));

        for (merges, kept) in [(merges, 0), (store.merges(), 1)] {
            store
                .put_snapshot(merges, "a", ("s", 1), Version(2), "{}", 2)
                .await
                .expect("keeps or not");
            assert_eq!(stored(&database, Table::Snapshots).await.len(), kept);
        }
    });
}

#[test]
fn a_state_that_rests_on_what_is_pending_is_not_kept_and_rows_stand_for_what_is_confirmed() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        appended(&store, &[any("c1", "s-0")]).await;
        sync(&store, &space, 10).await.expect("syncs");
        appended(&store, &[any("c2", "s-0")]).await;

        store
            .put_snapshot(store.merges(), "s-0", ("s", 1), Version(2), "{}", 2)
            .await
            .expect("passes over");
        assert_eq!(stored(&database, Table::Snapshots).await, []);
        store
            .put_snapshot(store.merges(), "s-0", ("s", 1), Version(1), "{}", 2)
            .await
            .expect("keeps");
        assert_eq!(stored(&database, Table::Snapshots).await.len(), 1);
        let loaded = store.load("s-0", LoadQuery::default()).await.expect("loads");
        assert_eq!((loaded.version, loaded.confirmed), (Version(2), Version(1)));

        let write = |generation: u64, from: u64, to: u64| {
            json!({
                "name": "rows", "version": 1, "generation": generation, "expectedCheckpoint": from, "checkpoint": to,
                "rows": [["row", to, [], []]],
            })
            .to_string()
        };
        let generation = store.projection("rows", 1, "").await.expect("makes").state.generation;
        for (from, to, stored) in [(0, 2, false), (0, 1, true), (1, 2, false)] {
            let text = write(generation, from, to);
            let write = everfold::json::parse(&text).expect("is a write");
            assert_eq!(
                store.write_rows(&write).await.expect("answers"),
                stored,
                "{from} to {to}"
            );
        }
        let rebuild = store.begin_rebuild("rows", 1, false, "").await.expect("begins");
        let generation = rebuild.state.rebuild.expect("is under way").generation;
        for (from, to, stored) in [(0, 2, false), (0, 1, true), (1, 2, false)] {
            let text = write(generation, from, to);
            let write = everfold::json::parse(&text).expect("is a write");
            let staged = store.stage_rows(&write, "[[\"row\",1,[],[]]]\n").await;
            assert_eq!(staged.expect("answers"), stored, "{from} to {to}");
        }
        assert_eq!(store.view::<ByStream>().count().await.expect("folds"), 1);
        sync(&store, &space, 10).await.expect("syncs");
        let events = read_all(&store).await;
        assert_replayed::<ByStream, _>(&store, &database, &events).await;
    });
}
