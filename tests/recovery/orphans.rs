//! What becomes of commits of others that the server has lost.

use everfold::store::{BindOptions, MemoryStorage, Outcome, Recovery, Store};
use pollster::block_on;

use crate::device::{Server, append, binding, bytes, commit, device, events, refusals, state, sync, try_append};

/// Two devices with one log: `1` of the first one, `2` of the second one, and the server has lost both.
fn lost() -> (Server, Store<MemoryStorage>, Store<MemoryStorage>) {
    let server = Server::new();
    let ((_, one), (_, two)) = (device("a"), device("b"));
    append(&one, "1", &["s"]);
    sync(&one, &server, Recovery::Ask);
    sync(&two, &server, Recovery::Ask);
    append(&two, "2", &["s"]);
    sync(&two, &server, Recovery::Ask);
    sync(&one, &server, Recovery::Ask);
    server.restore(0);
    (server, one, two)
}

#[test]
fn commits_of_others_are_kept_until_the_app_decides() {
    let (server, one, _) = lost();

    sync(&one, &server, Recovery::Ask);

    assert_eq!(events(&one), ["1 s 1"]);
    assert_eq!(refusals(&one), [("2".to_owned(), "orphaned".to_owned())]);
}

#[test]
fn an_orphan_that_comes_back_is_none_any_more() {
    let (server, one, two) = lost();
    sync(&one, &server, Recovery::Ask);
    sync(&two, &server, Recovery::Ask);

    sync(&one, &server, Recovery::Ask);

    assert_eq!(events(&one), ["1 s 1", "2 s 2"]);
    assert_eq!((refusals(&one), refusals(&two)), (vec![], vec![]));
    assert_eq!(bytes(&one), bytes(&two));
}

#[test]
fn an_orphan_is_offered_again_as_a_fact_and_its_own_device_takes_it_over() {
    let (server, one, two) = lost();
    sync(&one, &server, Recovery::Ask);

    block_on(one.retry_orphan("2")).expect("is pending");
    assert_eq!(events(&one), ["1 s 1", "2 s 2?"]);
    assert_eq!(refusals(&one), []);
    sync(&one, &server, Recovery::Ask);
    sync(&two, &server, Recovery::Ask);

    assert_eq!(events(&two), ["1 s 1", "2 s 2"]);
    assert_eq!((refusals(&two), server.head()), (vec![], 2));
    assert_eq!(bytes(&one), bytes(&two));
}

#[test]
fn an_orphan_comes_back_by_an_import_unless_it_was_dismissed() {
    let (server, one, _) = lost();
    let mut file = Vec::new();
    let mut parts = 0..;
    while let Some(part) = block_on(one.export_part(parts.next().unwrap_or_default())).expect("exports") {
        file.extend(part);
    }
    sync(&one, &server, Recovery::Ask);

    block_on(one.import(&file, true)).expect("imports");
    assert_eq!(events(&one), ["1 s 1", "2 s 2?"]);
    assert_eq!(refusals(&one), []);

    let (server, one, _) = lost();
    sync(&one, &server, Recovery::Ask);
    block_on(one.dismiss_refusal("2")).expect("dismisses");
    block_on(one.import(&file, true)).expect("imports");
    assert_eq!(events(&one), ["1 s 1"]);
}

#[test]
fn an_orphan_is_offered_once() {
    let (server, one, two) = lost();
    sync(&one, &server, Recovery::Ask);
    block_on(one.retry_orphan("2")).expect("is pending");
    block_on(one.retry_orphan("2")).expect("is pending already");
    block_on(one.retry_orphan("unknown")).expect("is nothing");
    assert_eq!(state(&one).pending, 1);
    sync(&two, &server, Recovery::Ask);

    sync(&one, &server, Recovery::Ask);

    assert_eq!((events(&one), server.head()), (events(&two), 2));
}

#[test]
fn all_devices_may_give_back_everything_by_themselves() {
    let (server, one, two) = lost();

    sync(&two, &server, Recovery::Auto);
    sync(&one, &server, Recovery::Auto);
    sync(&two, &server, Recovery::Auto);

    assert_eq!(server.head(), 2);
    assert_eq!(events(&one), events(&two));
    assert_eq!(bytes(&one), bytes(&two));
    assert_eq!((refusals(&one), refusals(&two)), (vec![], vec![]));
}

#[test]
fn what_is_discarded_is_gone() {
    let (server, one, _) = lost();

    sync(&one, &server, Recovery::Discard);

    assert_eq!(events(&one), ["1 s 1"]);
    assert_eq!(refusals(&one), []);
}

#[test]
fn the_id_of_an_orphan_is_not_used_for_something_else() {
    let (server, one, _) = lost();
    sync(&one, &server, Recovery::Ask);
    block_on(one.dismiss_refusal("2")).expect("is dismissed");

    let progress = block_on(try_append(&one, &[commit("2", &["other"])])).expect("is judged");

    assert!(matches!(progress.outcomes[..], [Outcome::Refused]), "{progress:?}");
}

#[test]
fn own_work_that_was_refused_is_not_lost_to_an_orphan_of_the_same_id() {
    let server = Server::new();
    let ((_, one), (_, two)) = (device("a"), device("b"));
    append(&two, "1", &["s"]);
    sync(&two, &server, Recovery::Ask);
    let mut of_one = commit("1", &["t"]);
    of_one["content"] = "something else".into();
    block_on(try_append(&one, &[of_one])).expect("appends");
    sync(&one, &server, Recovery::Ask);
    assert_eq!(events(&one), ["1 s 1"]);
    assert_eq!(refusals(&one), [("1".to_owned(), "refused".to_owned())]);
    server.restore(0);

    sync(&one, &server, Recovery::Ask);

    assert_eq!(refusals(&one), [("1".to_owned(), "refused".to_owned())]);
    assert_eq!(events(&one), ["1 s 1"]);
}

/// Bob's commit `1`, which the server has lost, on a device that is Ann's by now.
fn shared() -> (Server, Store<MemoryStorage>) {
    let server = Server::new();
    let (_, store) = device("a");
    sync(&store, &server, Recovery::Ask);
    sign_in(&store, &server, "bob");
    let mut of_bob = commit("1", &["s"]);
    of_bob["subject"] = "bob".into();
    block_on(try_append(&store, &[of_bob])).expect("appends");
    sync(&store, &server, Recovery::Ask);
    sign_in(&store, &server, "ann");
    server.restore(0);
    (server, store)
}

#[track_caller]
fn sign_in(store: &Store<MemoryStorage>, server: &Server, subject: &'static str) {
    server.actor.set(subject);
    let subject = subject.to_owned();
    block_on(store.bind(&BindOptions {
        subject,
        ..binding(None, None)
    }))
    .expect("is bound");
}

#[test]
fn what_somebody_else_did_on_this_device_waits_for_them_and_nobody_for_it() {
    for recovery in [Recovery::Ask, Recovery::Auto] {
        let (server, store) = shared();
        sync(&store, &server, recovery);

        let error = block_on(store.retry_orphan("1")).expect_err("is not Ann's to give back");
        assert_eq!(
            error.to_string(),
            "the store is bound to subject ann, and bob made this"
        );
        append(&store, "2", &["s"]);
        sync(&store, &server, recovery);
        assert_eq!(events(&store), ["2 s 1"]);
        assert_eq!(refusals(&store), [("1".to_owned(), "orphaned".to_owned())]);

        sign_in(&store, &server, "bob");
        block_on(store.retry_orphan("1")).expect("is pending");
        sync(&store, &server, recovery);
        assert_eq!(events(&store), ["2 s 1", "1 s 2"]);
        assert_eq!(refusals(&store), []);
    }
}
