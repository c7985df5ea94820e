//! Where a device is: cursors, and logs that have begun another life.

use everfold::json::parse;
use everfold::sync::{
    Authority, Cursor, Epoch, EpochChanged, Head, MemoryLog, Problem, ProblemKind, PushAnswer, read_cursor,
};
use pollster::block_on;

use crate::space::{EPOCH, Everything, acme, body, commit, head, push, push_as};

const SECOND: Epoch = Epoch([0xe1; 16]);
const THIRD: Epoch = Epoch([0xe2; 16]);

fn refused(authority: &Authority<MemoryLog>, base: &str) -> Problem {
    let pushed = push_as(authority, &Everything, &body(base, &[commit("new", "s", 0)]), 1);
    let problem = pushed.expect_err("is refused");
    let cursor = base.parse().expect("is a cursor");
    let pulled = block_on(authority.pull("acme", Some(&cursor), authority.limits().page(None, None)));
    assert_eq!(pulled, Err(problem.clone()), "a pull is told the same");
    problem
}

/// Five commits, and the cursor after each, from 0.
fn five() -> (Authority<MemoryLog>, Vec<String>) {
    let authority = acme();
    let mut cursors = vec![head(&authority)];
    for (version, id) in (0..).zip(["a", "b", "c", "d", "e"]) {
        push(&authority, &body(&cursors[0], &[commit(id, "s", version)]));
        cursors.push(head(&authority));
    }
    (authority, cursors)
}

fn fork(problem: &Problem) -> Option<(u64, String)> {
    assert_eq!(problem.kind, ProblemKind::EpochChanged);
    let document = problem.to_json();
    let told: EpochChanged = parse(&document).expect("is read");
    told.forked_from
        .map(|head| (head.number, head.hash.prefix().to_string()))
}

#[track_caller]
fn is_at(cursor: &str, problem: &Problem) {
    let cursor: Cursor = cursor.parse().expect("is a cursor");
    assert_eq!(fork(problem), Some((cursor.number, cursor.hash.to_string())));
}

#[test]
fn every_place_of_the_log_is_a_base() {
    let (authority, cursors) = five();

    for (number, cursor) in cursors.iter().enumerate() {
        let answer = push(&authority, &body(cursor, &[]));
        assert_eq!(answer["commits"].as_array().map(Vec::len), Some(5 - number));
        assert_eq!(answer["cursor"], cursors[5]);
    }
}

#[test]
fn a_cursor_beyond_the_head_has_diverged() {
    let (authority, cursors) = five();

    let problem = refused(&authority, &cursors[5].replace(".5.", ".6."));

    assert_eq!(problem.kind, ProblemKind::HistoryDiverged);
}

#[test]
fn a_cursor_with_another_hash_has_diverged() {
    let (authority, cursors) = five();

    for cursor in &cursors {
        let (place, _) = cursor.rsplit_once('.').expect("has a hash");
        let problem = refused(&authority, &format!("{place}.0123456789abcdef"));
        assert_eq!(problem.kind, ProblemKind::HistoryDiverged);
    }
}

#[test]
fn what_is_not_a_cursor_is_malformed() {
    assert_eq!(
        read_cursor("nowhere").expect_err("is none").kind,
        ProblemKind::Malformed
    );
    let authority = acme();

    let problem = push_as(&authority, &Everything, &body("nowhere", &[]), 1).expect_err("is refused");

    assert_eq!(problem.kind, ProblemKind::Malformed);
}

#[test]
fn an_unknown_epoch_has_no_fork() {
    let (authority, cursors) = five();

    let problem = refused(&authority, &cursors[2].replace(&EPOCH.to_string(), &SECOND.to_string()));

    assert_eq!(fork(&problem), None);
    assert!(problem.to_json().contains(r#""forkedFrom":null"#));
}

#[test]
fn after_a_restore_a_device_is_told_where_the_logs_part() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 3, SECOND);

    let problem = refused(&authority, &cursors[5]);

    is_at(&cursors[3], &problem);
    let told: EpochChanged = parse(&problem.to_json()).expect("is read");
    assert_eq!(told.epoch, SECOND);
}

#[test]
fn a_device_that_was_not_as_far_as_the_fork_has_all_in_common() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 3, SECOND);

    for cursor in &cursors[..=3] {
        is_at(cursor, &refused(&authority, cursor));
    }
}

#[test]
fn each_later_fork_may_go_back_further() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 4, SECOND);
    let second = head(&authority);
    authority.log().restore("acme", 2, THIRD);

    is_at(&cursors[2], &refused(&authority, &cursors[5]));
    let (_, hash) = fork(&refused(&authority, &second)).expect("is known");
    assert!(cursors[2].ends_with(&hash));
}

#[test]
fn a_later_fork_that_goes_back_less_leaves_the_earlier_one() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 2, SECOND);
    push(
        &authority,
        &body(&head(&authority), &[commit("f", "t", 0), commit("g", "t", 1)]),
    );
    authority.log().restore("acme", 3, THIRD);

    is_at(&cursors[2], &refused(&authority, &cursors[5]));
}

#[test]
fn a_cursor_of_an_old_epoch_with_another_hash_has_diverged() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 3, SECOND);
    let (place, _) = cursors[2].rsplit_once('.').expect("has a hash");

    let problem = refused(&authority, &format!("{place}.0123456789abcdef"));

    assert_eq!(problem.kind, ProblemKind::HistoryDiverged);
}

#[test]
fn after_recovery_a_device_goes_on_in_the_new_epoch() {
    let (authority, cursors) = five();
    authority.log().restore("acme", 3, SECOND);
    let told: EpochChanged = parse(&refused(&authority, &cursors[5]).to_json()).expect("is read");
    let place: Head = told.forked_from.expect("is known");

    let text = push(
        &authority,
        &body(&place.cursor(told.epoch).to_string(), &[commit("d", "s", 3)]),
    )
    .to_string();

    let answer: PushAnswer<'_> = parse(&text).expect("is read");
    assert_eq!(answer.page.head.number, 4);
    assert_eq!(answer.page.cursor.epoch, SECOND);
}
