//! What is pending and was decided on a state that is no more: decided again, refused, or kept as a fact.

use std::collections::HashSet;

use everfold::commit::Mode;
use everfold::store::{Outcome, StoreErrorKind};
use serde_json::json;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, appended, commit};
use crate::device::{add, device, done, funded_device, pull, put, refusals, state_of, tab, take};
use crate::space::{Order, Space, assert_decided, execute, rebase, store_answers, sync, sync_but, version_of};

#[test]
fn what_stands_on_a_refused_commit_is_decided_again() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = funded_device(&space).await;
        // From a to b, and on from b: the second stands on the first.
        done(&store, "transfer", &Order::new("take", &[("a", -5), ("b", 5)], &[])).await;
        done(&store, "spend", &take("b", 5)).await;
        done(&store, "reads", &Order::new("add", &[("c", 1)], &["b"])).await;
        space.foreign("f2", &[("a", -1)]).await;

        sync(&store, &space, 10).await.expect("syncs");

        let told = refusals(&store).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0]["reason"]["code"], "not-covered");
        assert_eq!(told[0]["stateSeen"]["a"], 4);
        assert_eq!(told[0]["command"]["type"], "take");
        assert_decided(&space.log().await);
        assert_eq!(store.pending(), 0);
        assert_eq!(version_of(&store, "b").await.0, 0);
        let again = async || execute(&store, "transfer", &take("d", 0), Mode::Intent).await;
        assert_eq!(again().await.expect("answers"), "gone");
        store.dismiss_refusal("transfer").await.expect("dismisses");
        assert_eq!(refusals(&store).await.len(), 1);
        assert_eq!(again().await.expect("answers"), "gone");
        assert!(store.refusal_of("transfer").await.expect("reads").is_some());
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

        let told = refusals(&store).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0]["reason"]["type"], "urn:everfold:problem:write-forbidden");
        assert_eq!(
            (&told[1]["commitId"], &told[1]["kind"]),
            (&json!("c2"), &json!("changed"))
        );
        assert_eq!(assert_decided(&space.log().await)["a"], 2);
        assert_eq!(store.pending(), 0);
    });
}

#[test]
fn the_id_of_a_refused_commit_is_not_taken_by_bulk() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        done(&store, "bad", &Order::new("take", &[("a", 3)], &[])).await;
        space.refuses.borrow_mut().insert("take".to_owned());
        sync(&store, &space, 10).await.expect("syncs");
        let again = BulkCommit {
            id: "bad",
            content: Some("bad"),
            events: &[("a", 1)],
        };

        let ingested = try_ingest(&store, &[again], 0).await.expect("answers");

        assert_eq!(ingested.refused, [(0, Outcome::Refused)]);
        assert_eq!(store.pending(), 0);
    });
}

#[test]
fn a_commit_whose_id_another_device_used_for_something_else_is_refused_whichever_page_says_so() {
    pollster::block_on(async {
        for commits in [1, 10] {
            let space = Space::new().await;
            let ((_, one), (_, two)) = (device(&space).await, device(&space).await);
            done(&one, "same", &put("a")).await;
            done(&two, "same", &put("a")).await;
            done(&one, "other", &put("b")).await;
            done(&two, "other", &put("c")).await;
            done(&two, "next", &add("c")).await;
            sync(&one, &space, 10).await.expect("syncs");

            while store_answers(
                &two,
                &[space
                    .pull(state_of(&two).await.cursor.as_ref(), commits)
                    .await
                    .expect("reads")],
            )
            .await
            .expect("stores")
            .more
            {}
            rebase(&two, &HashSet::new()).await.expect("rebases");
            sync(&two, &space, 10).await.expect("syncs");

            let told: Vec<_> = refusals(&two)
                .await
                .into_iter()
                .filter(|refusal| refusal["kind"] == "refused")
                .collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0]["commitId"], "other");
            assert_eq!(told[0]["command"], put("c").command());
            assert_eq!(told[0]["reason"]["type"], "urn:everfold:problem:commit-id-reused");
            assert_eq!(assert_decided(&space.log().await)["c"], 1);
            assert_eq!(two.pending(), 0);
        }
    });
}

#[test]
fn an_id_that_the_server_knows_waits_for_the_page_that_has_it() {
    pollster::block_on(async {
        let space = Space::new().await;
        let ((_, one), (_, two)) = (device(&space).await, device(&space).await);
        for number in 0..1_000 {
            space.foreign(&format!("f{number}"), &[("a", 1)]).await;
        }
        done(&one, "same", &put("b")).await;
        let word = execute(&two, "same", &put("b"), Mode::Fact).await;
        assert_eq!(word.expect("appends"), "appended");
        sync(&one, &space, 10).await.expect("syncs");

        let body = two
            .push_body(10, 1 << 20)
            .await
            .expect("is made")
            .expect("is something");
        let answer = space.push(&body.text).await.expect("is judged");
        assert!(answer.contains("commit-id-reused"));
        let pulled = store_answers(&two, &[answer]).await.expect("stores");

        assert_eq!((pulled.more, pulled.stopped, pulled.refused), (true, true, vec![]));
        sync(&two, &space, 10).await.expect("syncs");
        assert!(refusals(&two).await.is_empty());
        assert_eq!((two.pending(), space.log().await.len()), (0, 1_001));
    });
}

#[test]
fn facts_only_move_and_tell_what_rule_they_break() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = funded_device(&space).await;
        assert_eq!(
            execute(&store, "fact", &take("a", 5), Mode::Fact)
                .await
                .expect("appends"),
            "appended"
        );
        appended(&store, &[any("plain", "a")]).await;
        space.foreign("f2", &[("a", -1)]).await;

        pull(&store, &space).await;
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
        let mut commit = commit("c1", &[("a", json!(0))]);
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
        let again = tab(&database).await;
        assert_eq!(again.pending(), 3);
        again.lead().await.expect("leads");
        assert!(state_of(&again).await.rebase);
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
