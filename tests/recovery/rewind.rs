//! The server is restored from a backup, and devices take their log back.

use everfold::position::Position;
use everfold::store::{LoadQuery, MemoryStorage, Outcome, Problem, Recovery, RowWrite, Store, StoreErrorKind};
use everfold::stream::Version;
use everfold::sync::{Epoch, EpochChanged, Head};
use pollster::block_on;
use serde_json::Value;

use crate::device::{Server, append, bytes, commit, device, events, loner, open, refusals, state, sync, try_append};

#[test]
fn what_a_device_did_and_the_server_lost_is_offered_again() {
    let server = Server::new();
    let (_, store) = device("a");
    for id in ["1", "2", "3"] {
        append(&store, id, &["s"]);
    }
    sync(&store, &server, Recovery::Ask);
    server.restore(1);
    append(&store, "4", &["s", "t"]);

    sync(&store, &server, Recovery::Ask);

    assert_eq!(events(&store), ["1 s 1", "2 s 2", "3 s 3", "4 s 4", "4 t 1"]);
    assert_eq!((server.head(), state(&store).head.number), (4, 4));
    assert_eq!(refusals(&store), []);
}

#[test]
fn what_was_confirmed_is_pending_again_in_its_order_and_to_be_decided_again() {
    let server = Server::new();
    let (_, store) = device("a");
    append(&store, "1", &["s"]);
    append(&store, "2", &["s"]);
    sync(&store, &server, Recovery::Ask);
    append(&store, "3", &["s"]);
    let fork = Head::first("acme");
    let changed = EpochChanged {
        epoch: Epoch([9; 16]),
        forked_from: Some(fork),
    };

    let progress = block_on(store.recover(&changed, Recovery::Ask)).expect("recovers");

    assert_eq!(events(&store), ["1 s 1?", "2 s 2?", "3 s 3?"]);
    let state = state(&store);
    assert_eq!((state.head, state.confirmed, state.pending), (fork, Position(0), 3));
    assert!(state.rebase);
    assert!(progress.rebased);
    assert_eq!(block_on(store.push_body(10, 1_000)).expect("is made"), None);
}

/// Events that expect the version that their stream is at, and no command.
fn append_expecting(store: &Store<MemoryStorage>, id: &str, stream: &str, version: u64) {
    let mut commit = commit(id, &[stream]);
    commit["streams"][0]["expectedVersion"] = version.into();
    let fields = commit.as_object_mut().expect("is an object");
    fields.remove("command");
    fields.remove("definition");
    let progress = block_on(try_append(store, &[commit])).expect("appends");
    assert!(matches!(progress.outcomes[..], [Outcome::Appended(_)]), "{progress:?}");
}

#[test]
fn events_that_expected_a_version_are_refused_only_where_the_server_lost_what_they_stood_on() {
    let server = Server::new();
    let ((_, one), (_, two)) = (device("a"), device("b"));
    append(&two, "theirs", &["s"]);
    sync(&two, &server, Recovery::Ask);
    sync(&one, &server, Recovery::Ask);
    append_expecting(&one, "on-theirs", "s", 1);
    append_expecting(&one, "own-1", "t", 0);
    append_expecting(&one, "own-2", "t", 1);
    sync(&one, &server, Recovery::Ask);
    append_expecting(&one, "own-3", "t", 2);
    append_expecting(&one, "on-that", "s", 2);
    server.restore(0);

    sync(&one, &server, Recovery::Ask);

    assert_eq!(events(&one), ["own-1 t 1", "own-2 t 2", "own-3 t 3"]);
    let refused = |id: &str, kind: &str| (id.to_owned(), kind.to_owned());
    assert_eq!(
        refusals(&one),
        [
            refused("theirs", "orphaned"),
            refused("on-that", "refused"),
            refused("on-theirs", "refused")
        ]
    );
}

#[test]
fn a_device_that_had_less_than_the_backup_goes_on() {
    let server = Server::new();
    let ((_, one), (_, two)) = (device("a"), device("b"));
    append(&one, "1", &["s"]);
    sync(&one, &server, Recovery::Ask);
    sync(&two, &server, Recovery::Ask);
    append(&one, "2", &["s"]);
    sync(&one, &server, Recovery::Ask);
    server.restore(2);
    append(&two, "3", &["s"]);

    sync(&two, &server, Recovery::Ask);

    assert_eq!(events(&two), ["1 s 1", "2 s 2", "3 s 3"]);
    assert_eq!(refusals(&two), []);
}

#[test]
fn a_fork_is_found_inside_a_segment_and_behind_many() {
    for fork in [0, 1, 2, 3, 4, 5, 6] {
        let server = Server::new();
        let (database, store) = device("a");
        for id in 1..=6 {
            append(&store, &id.to_string(), &["s", "t"]);
            sync(&store, &server, Recovery::Ask);
            if id == 2 || id == 5 {
                assert!(block_on(store.seal()).expect("seals"));
            }
        }
        server.restore(fork);

        sync(&store, &server, Recovery::Ask);

        let again = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");
        let expected: Vec<_> = (1..=6)
            .flat_map(|id| [format!("{id} s {id}"), format!("{id} t {id}")])
            .collect();
        assert_eq!(events(&again), expected, "fork at {fork}");
        assert_eq!((server.head(), state(&again).head.number), (6, 6));
    }
}

#[test]
fn a_log_that_parts_elsewhere_is_left_as_it_is() {
    let server = Server::new();
    let (_, store) = device("a");
    append(&store, "1", &["s"]);
    append(&store, "2", &["s"]);
    sync(&store, &server, Recovery::Ask);
    let before = (state(&store), bytes(&store));
    let other = |number| Head {
        number,
        ..Head::first("another")
    };
    for forked_from in [None, Some(other(0)), Some(other(1)), Some(other(2))] {
        let changed = EpochChanged {
            epoch: Epoch([9; 16]),
            forked_from,
        };
        let error = block_on(store.recover(&changed, Recovery::Auto)).expect_err("is another log");
        assert!(matches!(error.kind(), StoreErrorKind::Diverged(_)), "{error}");
    }

    assert_eq!((state(&store), bytes(&store)), before);
}

#[test]
fn the_same_recovery_twice_is_one() {
    let server = Server::new();
    let (_, store) = device("a");
    append(&store, "1", &["s"]);
    sync(&store, &server, Recovery::Ask);
    let changed = EpochChanged {
        epoch: Epoch([9; 16]),
        forked_from: Some(Head::first("acme")),
    };
    block_on(store.recover(&changed, Recovery::Ask)).expect("recovers");
    append(&store, "2", &["s"]);

    block_on(store.recover(&changed, Recovery::Ask)).expect("recovers");

    assert_eq!(events(&store), ["1 s 1?", "2 s 2?"]);
}

#[test]
fn a_tab_that_does_not_lead_recovers_nothing() {
    let server = Server::new();
    let (database, store) = device("a");
    append(&store, "1", &["s"]);
    sync(&store, &server, Recovery::Ask);
    let other = block_on(open(MemoryStorage::open(&database), "x")).expect("opens");
    block_on(other.lead()).expect("leads");
    block_on(store.catch_up()).expect("is read");
    let changed = EpochChanged {
        epoch: Epoch([9; 16]),
        forked_from: Some(Head::first("acme")),
    };

    let error = block_on(store.recover(&changed, Recovery::Ask)).expect_err("is fenced");

    assert_eq!(*error.kind(), StoreErrorKind::Fenced);
    assert_eq!(events(&store), ["1 s 1"]);
}

#[test]
fn another_tab_sees_the_log_as_it_is_after_a_recovery() {
    let server = Server::new();
    let (database, store) = device("a");
    for id in ["1", "2", "3"] {
        append(&store, id, &["s"]);
    }
    sync(&store, &server, Recovery::Ask);
    block_on(store.seal()).expect("seals");
    let other = block_on(open(MemoryStorage::open(&database), "x")).expect("opens");
    assert_eq!(events(&other), ["1 s 1", "2 s 2", "3 s 3"]);
    server.restore(1);
    sync(&store, &server, Recovery::Ask);

    append(&other, "4", &["s"]);

    assert_eq!(events(&other), ["1 s 1", "2 s 2", "3 s 3", "4 s 4?"]);
    let loaded = block_on(other.load("s", LoadQuery::default())).expect("loads");
    assert_eq!(loaded.version, Version(4));
}

#[test]
fn a_snapshot_of_what_is_no_more_serves_nobody() {
    let server = Server::new();
    let (database, store) = device("a");
    for id in ["1", "2", "3"] {
        append(&store, id, &["s"]);
    }
    sync(&store, &server, Recovery::Ask);
    let put = |store: &Store<MemoryStorage>, version| {
        block_on(store.put_snapshot(store.merges(), "s", ("thing", 1), Version(version), "{}", 2))
            .expect("is put or not");
    };
    put(&store, 3);
    let late = block_on(open(MemoryStorage::open(&database), "x")).expect("opens");
    assert_eq!(events(&late).len(), 3);
    let changed = EpochChanged {
        epoch: Epoch([9; 16]),
        forked_from: Some(Head::first("acme")),
    };
    block_on(store.recover(&changed, Recovery::Ask)).expect("recovers");

    // It does not know yet.
    put(&late, 2);

    let query = LoadQuery {
        definition: Some(("thing", 1)),
        ..LoadQuery::default()
    };
    for store in [&store, &late] {
        assert_eq!(block_on(store.load("s", query)).expect("loads").snapshot, None);
    }
}

/// Brings a projection from `from` to `to`; false if what it was folded from is not what is stored.
fn fold(store: &Store<MemoryStorage>, name: &'static str, from: u64, to: u64) -> bool {
    let state = block_on(store.projection(name, 1, "")).expect("is read").state;
    let write = RowWrite {
        name: name.into(),
        version: 1,
        generation: state.generation,
        expected_checkpoint: Position(from),
        checkpoint: Position(to),
        rows: Vec::new(),
        failed_at: None,
        revision: state.revision,
        replaces: false,
    };
    block_on(store.write_rows(&write)).expect("is written or not")
}

#[test]
fn rows_of_what_is_no_more_begin_anew_and_others_stay() {
    let server = Server::new();
    let (database, store) = device("a");
    for id in ["1", "2", "3"] {
        append(&store, id, &["s"]);
    }
    sync(&store, &server, Recovery::Ask);
    assert!(fold(&store, "far", 0, 3));
    assert!(fold(&store, "near", 0, 1));
    let late = block_on(open(MemoryStorage::open(&database), "x")).expect("opens");
    assert_eq!(events(&late).len(), 3);
    let before = |name| block_on(store.projection(name, 1, "")).expect("is read").state;
    let (far, near) = (before("far"), before("near"));
    let indexes_of = |name, own| {
        let report = block_on(store.projection(name, 1, own)).expect("is read");
        report.indexes
    };
    for name in ["far", "near"] {
        assert_eq!(indexes_of(name, r#"["old"]"#), r#"["old"]"#);
    }
    server.restore(1);

    sync(&store, &server, Recovery::Ask);

    let (after_far, after_near) = (before("far"), before("near"));
    assert_eq!(after_far.checkpoint, Position(0));
    assert_ne!(after_far.generation, far.generation);
    assert_eq!(after_near.checkpoint, Position(1));
    assert_eq!(after_near.generation, near.generation);
    assert_ne!(after_near.revision, near.revision);
    // Of what is not there yet nobody knows the indexes.
    assert_eq!(indexes_of("far", ""), "");
    assert_eq!(indexes_of("near", r#"["new"]"#), r#"["old"]"#);
    // A tab that has folded what it knows, and knows nothing of it, stores nothing; then it knows.
    assert!(!fold(&late, "near", 1, 3));
    assert_eq!(before("near"), after_near);
    assert!(fold(&late, "near", 1, 3));
}

/// The ids of the commits that a stream is made of, as it is loaded.
fn loaded(store: &Store<MemoryStorage>, stream: &str) -> Vec<String> {
    let loaded = block_on(store.load(stream, LoadQuery::default())).expect("loads");
    let document: Value = serde_json::from_str(&loaded.batch.text).expect("is JSON");
    let commits = document["commits"].as_array().expect("is a list").iter();
    commits
        .map(|commit| commit[0].as_str().expect("is a text").to_owned())
        .collect()
}

/// What verifying finds; between two steps something may happen.
fn verify(store: &Store<MemoryStorage>, between: impl Fn()) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut after = Some(Position(0));
    while let Some(from) = after {
        let step = block_on(store.verify(from)).expect("is read");
        problems.extend(step.problems);
        after = step.next;
        between();
    }
    problems
}

#[test]
fn verifying_begins_anew_when_the_log_was_cut_and_finds_nothing_wrong() {
    let server = Server::new();
    let ((database, store), (_, other)) = (device("a"), device("b"));
    for id in ["1", "2", "3"] {
        append(&other, id, &["s", "t"]);
        sync(&other, &server, Recovery::Ask);
        sync(&store, &server, Recovery::Ask);
        assert!(block_on(store.seal()).expect("seals"));
    }
    let tabs = ["x", "y"].map(|replica| block_on(open(MemoryStorage::open(&database), replica)).expect("opens"));
    let [sleeper, reader] = &tabs;
    for tab in &tabs {
        block_on(tab.catch_up()).expect("is read");
    }
    let first = block_on(reader.verify(Position(0))).expect("is read");
    server.restore(1);
    let (_, third) = device("c");
    append(&third, "4", &["t"]);
    append(&third, "5", &["t"]);
    sync(&third, &server, Recovery::Ask);
    sync(&store, &server, Recovery::Discard);
    assert!(block_on(store.seal()).expect("seals"));

    assert_eq!(verify(sleeper, || ()), []);
    block_on(reader.catch_up()).expect("is read");
    let next = block_on(reader.verify(first.next.expect("goes on"))).expect("is read");
    assert_eq!((next.problems, next.next), (Vec::new(), Some(Position(0))));
    assert_eq!(verify(reader, || block_on(async { drop(reader.catch_up().await) })), []);
}

/// What was pending when the export began came to stand where it had been before, and was left out.
#[test]
fn an_export_does_not_go_on_in_a_log_that_was_cut_meanwhile() {
    let server = Server::new();
    let ((_, store), (_, other)) = (device("a"), device("b"));
    for id in ["1", "2", "3"] {
        append(&other, id, &["s", "t"]);
    }
    sync(&other, &server, Recovery::Ask);
    sync(&store, &server, Recovery::Ask);
    assert!(block_on(store.seal()).expect("seals"));
    append(&store, "mine", &["s"]);
    let part = |number| block_on(store.export_part(number));
    part(0).expect("exports").expect("is a header");
    part(1).expect("exports").expect("is a segment");
    server.restore(1);
    sync(&store, &server, Recovery::Ask);
    assert!(events(&store).contains(&"mine s 2".to_owned()));

    let error = part(2).expect_err("is of another log");

    assert!(matches!(error.kind(), StoreErrorKind::Interrupted(_)), "{error}");
    let file: Vec<u8> = (0..)
        .map_while(|number| part(number).expect("exports"))
        .flatten()
        .collect();
    let (_, copy) = loner("c");
    block_on(copy.import(&file, false)).expect("imports");
    assert_eq!(events(&copy), events(&store));
}

/// A segment after a cut may be where another one was, and as long: a tab that had slept since read its blocks with what it
/// knew of the old one, and went on in its old tail.
#[test]
fn a_tab_that_slept_through_a_cut_never_reads_half_of_each_log() {
    for read_before in [false, true] {
        let server = Server::new();
        let ((database, store), (_, other)) = (device("a"), device("b"));
        append(&store, "1", &["s"]);
        sync(&store, &server, Recovery::Ask);
        assert!(block_on(store.seal()).expect("seals"));
        sync(&other, &server, Recovery::Ask);
        append(&other, "2", &["s", "t"]);
        sync(&other, &server, Recovery::Ask);
        sync(&store, &server, Recovery::Ask);
        assert!(block_on(store.seal()).expect("seals"));
        append(&other, "3", &["s"]);
        sync(&other, &server, Recovery::Ask);
        sync(&store, &server, Recovery::Ask);
        let [sleeper, reader] = ["x", "y"].map(|replica| {
            let tab = block_on(open(MemoryStorage::open(&database), replica)).expect("opens");
            block_on(tab.catch_up()).expect("is read");
            tab
        });
        if read_before {
            assert_eq!(loaded(&sleeper, "t"), ["2"]);
        }
        server.restore(1);
        let (_, third) = device("c");
        append(&third, "4", &["t", "s"]);
        sync(&third, &server, Recovery::Ask);
        sync(&store, &server, Recovery::Discard);
        assert!(block_on(store.seal()).expect("seals"));

        assert_eq!(loaded(&store, "s"), ["1", "4"]);
        assert_eq!(loaded(&sleeper, "s"), ["1", "4"], "read before: {read_before}");
        assert_eq!(events(&reader), events(&store));
        assert_eq!(events(&sleeper), events(&store));
    }
}
