//! Stores that are bound to a space.

use std::collections::HashSet;

use everfold::commit::Mode;
use everfold::position::Position;
use everfold::store::{
    BindOptions, Foreign, LoadQuery, MemoryDatabase, MemoryStorage, Outcome, Settled, Settlements, Storage, Store,
    StoreErrorKind, Table,
};
use everfold::stream::Version;
use everfold::sync::Cursor;
use serde_json::{Value, json};

use crate::contract::all;
use crate::contract::log::{any, append, appended, commit, over, read_all, try_append_decided};
use crate::history::assert_sound;
use crate::space::{
    Order, SPACE, Space, assert_decided, bind, execute, rebase, store_answers, sync, sync_but, version_of,
};
use crate::tally::{ByStream, assert_replayed};

/// A device that is bound to the space.
pub(crate) async fn device(space: &Space) -> (MemoryDatabase, Store<MemoryStorage>) {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    bind(&store, space, None).await.expect("binds");
    (database, store)
}

pub(crate) async fn refusals<S: Storage>(store: &Store<S>) -> Vec<Value> {
    let text = store.refusals().await.expect("lists");
    serde_json::from_str(&text).expect("is JSON")
}

pub(crate) async fn cursor_of<S: Storage>(store: &Store<S>) -> Option<Cursor> {
    store.sync_state().await.expect("reads").expect("is bound").cursor
}

pub(crate) fn put(stream: &'static str) -> Order {
    Order::new("put", &[(stream, 1)], &[])
}

fn add(stream: &'static str) -> Order {
    Order::new("add", &[(stream, 1)], &[])
}

pub(crate) fn take(stream: &'static str, amount: i64) -> Order {
    Order::new("take", &[(stream, -amount)], &[])
}

pub(crate) async fn done<S: Storage>(store: &Store<S>, id: &str, order: &Order) {
    assert_eq!(
        execute(store, id, order, Mode::Intent).await.expect("appends"),
        "appended"
    );
}

#[test]
fn what_is_appended_is_pending_until_the_server_has_it() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;

        done(&store, "c1", &put("a")).await;
        assert_eq!(
            (store.pending(), store.confirmed(), store.position()),
            (1, Position(0), Position(1))
        );
        assert!(store.find_commit("c1").await.expect("finds").expect("is there").pending);
        let body = store.push_body(10, 1 << 20).await.expect("writes").expect("is there");
        let answer = space.push(&body.text).await.expect("judges");
        let pulled = store_answers(&store, &[answer]).await.expect("stores");

        assert_eq!(
            pulled.progress.settled,
            Settlements::Commits(vec![("c1".to_owned(), Settled::Confirmed, 1)])
        );
        assert_eq!(pulled.progress.foreign, Foreign::default());
        assert!(!pulled.progress.rebased && !pulled.rebase && !pulled.more && !pulled.stopped);
        assert_eq!((store.pending(), store.confirmed()), (0, Position(1)));
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!((again.pending(), again.confirmed()), (0, Position(1)));
        assert!(!again.find_commit("c1").await.expect("finds").expect("is there").pending);
        assert_sound(&again).await;
    });
}

#[test]
fn two_devices_hold_the_same_bytes_of_what_is_confirmed() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (one_database, one) = device(&space).await;
        let (other_database, other) = device(&space).await;

        for number in 0..20 {
            done(
                &one,
                &format!("one {number}"),
                &Order::new("add", &[("a", 1), ("b", 2)], &["c"]),
            )
            .await;
            done(&other, &format!("other {number}"), &put("c")).await;
            if number % 7 == 6 {
                sync(&one, &space, 3).await.expect("syncs");
                sync(&other, &space, 100).await.expect("syncs");
            }
        }
        for store in [&one, &other, &one] {
            sync(store, &space, 5).await.expect("syncs");
        }

        assert_decided(&space.log().await);
        for store in [&one, &other] {
            assert_eq!(store.pending(), 0);
            store.seal().await.expect("seals");
            while store.compact(2).await.expect("compacts") {}
            assert_sound(store).await;
        }
        for table in [Table::Segments, Table::Blocks] {
            let (one, other) = (MemoryStorage::open(&one_database), MemoryStorage::open(&other_database));
            assert_eq!(all(&one, table).await, all(&other, table).await);
        }
    });
}

#[test]
fn what_others_confirm_goes_below_what_is_pending() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        for (id, order) in [("c1", put("a")), ("c2", add("b")), ("c3", put("c"))] {
            done(&store, id, &order).await;
        }
        space.foreign("f1", &[("b", 10), ("d", 1)]).await;

        let state = store.sync_state().await.expect("reads").expect("is bound");
        let page = space.pull(state.cursor.as_ref(), 10).await.expect("reads");
        let pulled = store_answers(&store, &[page]).await.expect("stores");

        assert!(pulled.rebase && pulled.progress.rebased);
        let commits = |events: Vec<crate::contract::log::Seen>| -> Vec<_> {
            events
                .into_iter()
                .map(|event| (event.position, event.commit, event.version))
                .collect()
        };
        let expected = [(1, "f1", 1), (2, "f1", 1), (3, "c1", 1), (4, "c2", 2), (5, "c3", 1)];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, id, version)| (at, id.to_owned(), version))
            .collect();
        assert_eq!(commits(read_all(&store).await), expected);
        // Only the first goes: c2 is to be decided again, and c3 stands behind it.
        let body = store.push_body(10, 1 << 20).await.expect("writes").expect("is there");
        assert_eq!(body.commits, 1);
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(commits(read_all(&again).await), expected);
        assert!(again.sync_state().await.expect("reads").expect("is bound").rebase);

        let done = rebase(&store, &HashSet::new()).await.expect("rebases");

        assert_eq!((done.changed, done.refused), (vec!["c2".to_owned()], vec![]));
        let changed = &refusals(&store).await[0];
        assert_eq!(
            (&changed["kind"], &changed["commitId"]),
            (&json!("changed"), &json!("c2"))
        );
        assert_eq!(changed["batch"]["data"][0]["total"], 1);
        assert_eq!(changed["after"]["data"][0]["total"], 11);
        assert_eq!(
            store.find_commit("c2").await.expect("finds").expect("is there").attempt,
            2
        );
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(assert_decided(&space.log().await)["b"], 11);
        assert_eq!(store.pending(), 0);
    });
}

/// Found by the simulation, seed 4149: a tab decided on its pending commit and froze. Another tab led meanwhile, had
/// that commit refused and one of another device confirmed in its place, at the same version.
#[test]
fn what_was_decided_before_a_merge_is_stale_even_if_its_version_fits() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("fund", &[("a", 5)]).await;
        let (database, store) = device(&space).await;
        sync(&store, &space, 10).await.expect("syncs");
        done(&store, "mine", &take("a", 5)).await;
        let (merges, decided) = (store.merges(), [commit("next", &[("a", json!(2))])]);
        let leader = over(MemoryStorage::open(&database)).await;
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
        space.foreign("fund", &[("a", 5)]).await;
        let (database, store) = device(&space).await;
        sync(&store, &space, 10).await.expect("syncs");
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
            assert_eq!(all(&MemoryStorage::open(&database), Table::Snapshots).await.len(), kept);
        }
    });
}

#[test]
fn what_stands_on_a_refused_commit_is_decided_again() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("f1", &[("a", 5)]).await;
        let (_, store) = device(&space).await;
        sync(&store, &space, 10).await.expect("syncs");
        // From a to b, and on from b: the second stands on the first.
        done(&store, "transfer", &Order::new("take", &[("a", -5), ("b", 5)], &[])).await;
        done(&store, "spend", &take("b", 5)).await;
        done(&store, "reads", &Order::new("add", &[("c", 1)], &["b"])).await;
        space.foreign("f2", &[("a", -1)]).await;

        sync(&store, &space, 10).await.expect("syncs");

        let refusals = refusals(&store).await;
        let ids: Vec<_> = refusals
            .iter()
            .map(|refusal| (&refusal["commitId"], &refusal["kind"]))
            .collect();
        assert_eq!(ids.len(), 2, "{refusals:?}");
        assert_eq!(refusals[0]["reason"]["code"], "not-covered");
        assert_eq!(refusals[0]["stateSeen"]["a"], 4);
        assert_eq!(refusals[0]["command"]["type"], "take");
        assert_decided(&space.log().await);
        assert_eq!(store.pending(), 0);
        assert_eq!(version_of(&store, "b").await.0, 0);
        let id = "transfer";
        assert_eq!(
            execute(&store, id, &take("d", 0), Mode::Intent).await.expect("answers"),
            "gone"
        );
        store.dismiss_refusal(id).await.expect("dismisses");
        assert_eq!(crate::synced::refusals(&store).await.len(), 1);
        assert_eq!(
            execute(&store, id, &take("d", 0), Mode::Intent).await.expect("answers"),
            "gone"
        );
        assert!(store.refusal_of(id).await.expect("reads").is_some());
    });
}

#[test]
fn a_commit_that_the_server_refuses_goes_and_the_queue_moves_on() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        done(&store, "c1", &put("a")).await;
        done(&store, "bad", &Order::new("take", &[("a", 3)], &[])).await;
        done(&store, "c2", &add("a")).await;
        done(&store, "c3", &add("b")).await;
        space.refuses.borrow_mut().insert("take".to_owned());

        sync(&store, &space, 10).await.expect("syncs");

        let refusals = refusals(&store).await;
        assert_eq!(refusals.len(), 2, "{refusals:?}");
        assert_eq!(refusals[0]["reason"]["type"], "urn:everfold:problem:write-forbidden");
        assert_eq!(
            (&refusals[1]["commitId"], &refusals[1]["kind"]),
            (&json!("c2"), &json!("changed"))
        );
        assert_eq!(assert_decided(&space.log().await)["a"], 2);
        assert_eq!(store.pending(), 0);
    });
}

#[test]
fn facts_only_move_and_tell_what_rule_they_break() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("f1", &[("a", 5)]).await;
        let (_, store) = device(&space).await;
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(
            execute(&store, "fact", &take("a", 5), Mode::Fact)
                .await
                .expect("appends"),
            "appended"
        );
        appended(&store, &[any("plain", "a")]).await;
        space.foreign("f2", &[("a", -1)]).await;

        let page = space.pull(cursor_of(&store).await.as_ref(), 9).await.expect("reads");
        store_answers(&store, &[page]).await.expect("stores");
        let done = rebase(&store, &HashSet::new()).await.expect("rebases");

        assert_eq!(done.violated.len(), 1);
        assert_eq!(done.violated[0].0, "fact");
        assert!(done.violated[0].1.contains("not-covered"));
        assert_eq!((done.changed, done.refused), (vec![], vec![]));
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(space.log().await.len(), 4);
        assert!(refusals(&store).await.is_empty());
    });
}

#[test]
fn an_append_with_an_expectation_and_no_command_is_refused_when_it_does_not_hold() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        let mut commit = crate::contract::log::commit("c1", &[("a", json!(0))]);
        commit["mode"] = json!("intent");
        appended(&store, &[commit]).await;
        space.foreign("f1", &[("a", 5)]).await;

        sync(&store, &space, 10).await.expect("syncs");

        assert_eq!(refusals(&store).await[0]["reason"]["code"], "conflict");
        assert_eq!(store.pending(), 0);
    });
}

#[test]
fn what_cannot_be_decided_waits_and_holds_up_only_what_is_behind_it() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        done(&store, "c1", &put("a")).await;
        done(&store, "c2", &add("b")).await;
        done(&store, "c3", &add("b")).await;
        done(&store, "c4", &put("d")).await;
        space.foreign("f1", &[("b", 5)]).await;
        let blocked = HashSet::from(["c2".to_owned()]);

        sync_but(&store, &space, 10, &blocked).await.expect("syncs");

        assert_eq!(store.pending(), 3, "c1 is confirmed");
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(again.pending(), 3);
        again.lead().await.expect("leads");
        assert!(again.sync_state().await.expect("reads").expect("is bound").rebase);
        assert_eq!(again.push_body(10, 1 << 20).await.expect("writes"), None);
        store.catch_up().await.expect("catches up");
        let error = store.rebase_next(None).await.expect_err("another one leads");
        assert_eq!(error.kind(), &StoreErrorKind::Fenced);
        rebase(&again, &HashSet::new()).await.expect("rebases");
        sync(&again, &space, 10).await.expect("syncs");
        assert_eq!(again.pending(), 0);
        assert_eq!(assert_decided(&space.log().await)["b"], 7);
    });
}

#[test]
fn a_log_that_is_another_one_than_before_changes_nothing() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("f1", &[("a", 5)]).await;
        space.foreign("f2", &[("a", 5)]).await;
        let (database, store) = device(&space).await;
        done(&store, "c1", &put("a")).await;
        let cursor = store.sync_state().await.expect("reads").expect("is bound").cursor;
        let page = space.pull(cursor.as_ref(), 10).await.expect("reads");
        let before = all(&MemoryStorage::open(&database), Table::Journal).await;

        for (from, to) in [
            ("\"amount\":5", "\"amount\":6"),
            ("\"number\":2,\"id\"", "\"number\":3,\"id\""),
            ("\"firstVersion\":2", "\"firstVersion\":3"),
            ("\"actor\":\"ann\"", "\"actor\":\"bob\""),
        ] {
            let other = page.replace(from, to);
            assert_ne!(page, other);
            let error = store_answers(&store, &[other]).await.expect_err("is another log");
            assert!(matches!(error.kind(), StoreErrorKind::Diverged(_)), "{error}");
        }

        assert_eq!(all(&MemoryStorage::open(&database), Table::Journal).await, before);
        store_answers(&store, &[page.clone(), page]).await.expect("stores");
        assert_eq!(store.confirmed(), Position(2));
    });
}

#[test]
fn a_large_pull_becomes_segments_and_what_is_pending_is_carried() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (other_database, other) = device(&space).await;
        for number in 0..2_500 {
            appended(
                &other,
                &[any(&format!("o{number}"), if number % 2 == 0 { "a" } else { "b" })],
            )
            .await;
        }
        sync(&other, &space, 1_000).await.expect("syncs");
        let (database, store) = device(&space).await;
        done(&store, "c1", &add("a")).await;
        done(&store, "c2", &add("c")).await;

        sync(&store, &space, 2_000).await.expect("syncs");

        let stats = store.stats().await.expect("counts");
        assert!(stats.segments >= 1, "{stats:?}");
        assert_eq!(store.pending(), 0);
        assert_eq!(store.confirmed(), Position(2_502));
        assert_decided_but_plain(&space.log().await);
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(read_all(&again).await.len(), 2_502);
        assert_sound(&again).await;
        assert!(all(&MemoryStorage::open(&other_database), Table::Journal).await.len() <= 257);
    });
}

fn assert_decided_but_plain(log: &[Value]) {
    let decided = log.iter().filter(|commit| !commit["command"].is_null());
    assert_eq!(decided.count(), 2);
}

#[test]
fn another_tab_appends_pending_commits_as_soon_as_one_has_bound_the_store() {
    pollster::block_on(async {
        let space = Space::new().await;
        let database = MemoryDatabase::new();
        let (one, other) = (
            over(MemoryStorage::open(&database)).await,
            over(MemoryStorage::open(&database)).await,
        );
        bind(&one, &space, None).await.expect("binds");

        append(&other, &[any("c1", "a")]).await;

        assert_eq!((other.pending(), other.confirmed()), (1, Position(0)));
        one.catch_up().await.expect("catches up");
        assert_eq!(one.pending(), 1);
        let loaded = one.load("a", LoadQuery::default()).await.expect("loads");
        assert!(loaded.batch.text.contains("\"replica\",0"), "{}", loaded.batch.text);
    });
}

#[test]
fn a_tab_that_led_before_another_one_stores_nothing_of_what_it_hears() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        space.foreign("f1", &[("a", 1)]).await;
        let page = space.pull(cursor_of(&store).await.as_ref(), 10).await.expect("reads");
        let other = over(MemoryStorage::open(&database)).await;
        other.lead().await.expect("leads");
        let before = all(&MemoryStorage::open(&database), Table::Journal).await;

        // It does not know yet, and hears it from the record that it checks.
        let error = store_answers(&store, std::slice::from_ref(&page))
            .await
            .expect_err("is fenced");

        assert_eq!(error.kind(), &StoreErrorKind::Fenced);
        assert_eq!(all(&MemoryStorage::open(&database), Table::Journal).await, before);
        store_answers(&other, &[page]).await.expect("stores");
        assert_eq!(other.confirmed(), Position(1));
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
        assert_eq!(all(&MemoryStorage::open(&database), Table::Snapshots).await, []);
        store
            .put_snapshot(store.merges(), "s-0", ("s", 1), Version(1), "{}", 2)
            .await
            .expect("keeps");
        assert_eq!(all(&MemoryStorage::open(&database), Table::Snapshots).await.len(), 1);
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

#[test]
fn a_store_is_bound_before_anybody_has_reached_the_server() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("f1", &[("a", 5)]).await;
        let database = MemoryDatabase::new();
        let store = over(MemoryStorage::open(&database)).await;
        let offline = BindOptions {
            space: SPACE.to_owned(),
            subject: "ann".to_owned(),
            cursor: None,
            adopt: None,
        };

        let state = store.bind(&offline).await.expect("binds").expect("is bound");
        assert_eq!(state.cursor, None);
        done(&store, "c1", &add("a")).await;
        assert_eq!((store.pending(), store.confirmed()), (1, Position(0)));
        assert_eq!(store.push_body(10, 1 << 20).await.expect("writes"), None);
        let store = over(MemoryStorage::open(&database)).await;
        bind(&store, &space, None).await.expect("binds");
        sync(&store, &space, 10).await.expect("syncs");

        assert_eq!(assert_decided(&space.log().await)["a"], 6);
        let other = BindOptions {
            space: "another".to_owned(),
            ..offline.clone()
        };
        assert!(matches!(
            store.bind(&other).await.expect_err("is bound").kind(),
            StoreErrorKind::Bound(_)
        ));
        done(&store, "c2", &add("a")).await;
        let other = BindOptions {
            subject: "bob".to_owned(),
            ..offline.clone()
        };
        assert!(matches!(
            store.bind(&other).await.expect_err("work is pending").kind(),
            StoreErrorKind::Bound(_)
        ));
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(
            store.bind(&other).await.expect("binds").expect("is bound").subject,
            "bob"
        );
        let plain = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        appended(&plain, &[any("c1", "a")]).await;
        let state = plain.bind(&offline).await.expect("binds").expect("is bound");
        assert_eq!((state.cursor, state.adopting), (None, true));
        appended(&plain, &[any("c2", "a")]).await;
        assert_eq!((plain.pending(), plain.confirmed()), (1, Position(1)));
    });
}
