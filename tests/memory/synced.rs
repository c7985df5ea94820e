//! Pending and confirmed: what is appended, what the server has of it, and what others have put below.

use std::collections::HashSet;

use everfold::position::Position;
use everfold::store::{Foreign, Settled, Settlements, StoreErrorKind, Table};
use serde_json::{Value, json};

use crate::contract::log::{Seen, any, appended, read_all};
use crate::device::{add, device, done, found, page, pull, put, refusals, state_of, stored, tab};
use crate::history::assert_sound;
use crate::space::{Order, Space, assert_decided, rebase, store_answers, sync};

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
        assert!(found(&store, "c1").await.pending);
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
        let again = tab(&database).await;
        assert_eq!((again.pending(), again.confirmed()), (0, Position(1)));
        assert!(!found(&again, "c1").await.pending);
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
            assert_eq!(stored(&one_database, table).await, stored(&other_database, table).await);
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

        let pulled = pull(&store, &space).await;

        assert!(pulled.rebase && pulled.progress.rebased);
        let commits = |events: Vec<Seen>| -> Vec<_> {
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
        let again = tab(&database).await;
        assert_eq!(commits(read_all(&again).await), expected);
        assert!(state_of(&again).await.rebase);

        let done = rebase(&store, &HashSet::new()).await.expect("rebases");

        assert_eq!((done.changed, done.refused), (vec!["c2".to_owned()], vec![]));
        let changed = &refusals(&store).await[0];
        assert_eq!(
            (&changed["kind"], &changed["commitId"]),
            (&json!("changed"), &json!("c2"))
        );
        assert_eq!(changed["batch"]["data"][0]["total"], 1);
        assert_eq!(changed["after"]["data"][0]["total"], 11);
        assert_eq!(found(&store, "c2").await.attempt, 2);
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(assert_decided(&space.log().await)["b"], 11);
        assert_eq!(store.pending(), 0);
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
        let page = page(&store, &space).await;
        let before = stored(&database, Table::Journal).await;

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

        assert_eq!(stored(&database, Table::Journal).await, before);
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
        let again = tab(&database).await;
        assert_eq!(read_all(&again).await.len(), 2_502);
        assert_sound(&again).await;
        assert!(stored(&other_database, Table::Journal).await.len() <= 257);
    });
}

fn assert_decided_but_plain(log: &[Value]) {
    let decided = log.iter().filter(|commit| !commit["command"].is_null());
    assert_eq!(decided.count(), 2);
}
