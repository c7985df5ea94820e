//! T16: whatever is changed in a stored log is found, with the number of the commit.

use std::sync::OnceLock;

use everfold::sync::{BrokenChain, ChainCheck, Hash, Head, PageLimit, SpaceLog, StoredText};
use pollster::block_on;
use serde_json::{Value, json};

use crate::space::{acme, body, commit, head, push};

/// A thousand confirmed commits of many shapes, and the head before each.
fn log() -> (Vec<StoredText>, Vec<Head>) {
    static LOG: OnceLock<(Vec<StoredText>, Vec<Head>)> = OnceLock::new();
    LOG.get_or_init(make_log).clone()
}

fn make_log() -> (Vec<StoredText>, Vec<Head>) {
    let authority = acme();
    let base = head(&authority);
    for hundred in 0..10 {
        let commits: Vec<Value> = (0..100).map(|index| shaped(hundred * 100 + index)).collect();
        push(&authority, &body(&base, &commits));
    }
    let all = PageLimit {
        commits: usize::MAX,
        bytes: usize::MAX,
    };
    let log = block_on(authority.log().read("acme", 0, all)).expect("is read");
    assert_eq!(log.len(), 1_000);
    let mut heads = vec![Head::first("acme")];
    heads.extend(log.iter().map(|commit| Head {
        number: commit.number,
        hash: commit.hash,
    }));
    (log, heads)
}

fn shaped(index: u64) -> Value {
    let mut commit = commit(&format!("c{index}"), &format!("s{}", index % 50), index / 50);
    if index.is_multiple_of(2) {
        commit["command"] = json!({ "type": "Happen", "data": { "index": index, "é": [1.5, null] } });
        commit["definition"] = json!({ "name": "account", "version": 3 });
        commit["subject"] = json!("ann");
    }
    if index.is_multiple_of(3) {
        commit["reads"] = json!([{ "streamId": "never-written", "version": 0 }]);
        commit["causationId"] = json!("cause");
        commit["correlationId"] = json!("talk");
        commit["content"] = json!("7f");
    }
    if index.is_multiple_of(5) {
        commit["streams"][0]["events"][0]["salt"] = json!("00ff");
        commit["streams"][0]["events"][0]["metadata"] = json!({ "by": "\u{1}\"x\\" });
    }
    commit
}

fn check(from: Head, log: &[StoredText], head: &Head) -> Result<(), BrokenChain> {
    let mut check = ChainCheck::new(from);
    for commit in log {
        check.next(commit)?;
    }
    check.end(head)
}

#[track_caller]
fn is_broken_at(number: u64, checked: Result<(), BrokenChain>) {
    assert_eq!(checked.expect_err("it was changed").number, number);
}

/// With one bit turned; none if that is not a text any more, which no database gives as one.
fn turned(commit: &StoredText, bit: usize) -> Option<StoredText> {
    let mut bytes = commit.text.clone().into_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    let text = String::from_utf8(bytes).ok()?;
    Some(StoredText { text, ..commit.clone() })
}

#[test]
fn what_was_not_changed_passes() {
    let (log, heads) = log();

    assert_eq!(check(heads[0], &log, &heads[1_000]), Ok(()));
    assert_eq!(check(heads[500], &log[500..], &heads[1_000]), Ok(()));
}

#[test]
fn a_turned_bit_is_found_in_every_commit() {
    let (log, heads) = log();
    let mut turns = 0;

    for (index, commit) in log.iter().enumerate() {
        let bits = commit.text.len() * 8;
        // All bits of the first commits, which have every shape; one in 97 of the others.
        let step = if index < 6 { 1 } else { 97 };
        for bit in (index % step..bits).step_by(step) {
            let Some(turned) = turned(commit, bit) else { continue };
            turns += 1;
            is_broken_at(commit.number, check(heads[index], &[turned], &heads[index + 1]));
        }
    }

    assert!(turns > 30_000, "only {turns} bits were turned");
}

#[test]
fn a_turned_bit_of_a_hash_is_found() {
    let (log, heads) = log();

    for index in [0, 1, 500, 999] {
        for bit in 0..256 {
            let mut bytes = log[index].hash.0;
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut log = log.clone();
            log[index].hash = Hash(bytes);
            is_broken_at(index as u64 + 1, check(heads[index], &log[index..], &heads[1_000]));
        }
    }
}

#[test]
fn a_dropped_commit_is_found() {
    let (log, heads) = log();

    for index in 0..1_000 {
        // What comes before it is fine, what comes after is never looked at.
        let after = &log[(index + 1).min(1_000)..(index + 3).min(1_000)];
        is_broken_at(index as u64 + 1, check(heads[index], after, &heads[1_000]));
    }
}

#[test]
fn a_dropped_commit_is_found_when_the_others_are_numbered_again() {
    let (log, heads) = log();
    let mut fewer = log.clone();
    fewer.remove(10);
    for (number, commit) in (1..).zip(&mut fewer) {
        commit.text = commit.text.replacen(
            &format!("\"number\":{}", commit.number),
            &format!("\"number\":{number}"),
            1,
        );
        commit.number = number;
    }

    is_broken_at(11, check(heads[0], &fewer, &heads[1_000]));
}

#[test]
fn swapped_commits_are_found() {
    let (log, heads) = log();

    for (one, other) in [(0, 1), (3, 900), (998, 999)] {
        let mut swapped = log.clone();
        swapped.swap(one, other);
        is_broken_at(one as u64 + 1, check(heads[0], &swapped, &heads[1_000]));

        // Also when they change only what they say.
        let mut swapped = log.clone();
        swapped[one].text.clone_from(&log[other].text);
        swapped[other].text.clone_from(&log[one].text);
        is_broken_at(one as u64 + 1, check(heads[0], &swapped, &heads[1_000]));
    }
}

#[test]
fn a_cut_log_is_found() {
    let (log, heads) = log();

    for length in [0, 1, 500, 999] {
        is_broken_at(length as u64 + 1, check(heads[0], &log[..length], &heads[1_000]));
    }
}

#[test]
fn a_log_of_another_space_is_found() {
    let (log, heads) = log();

    is_broken_at(1, check(Head::first("other"), &log, &heads[1_000]));
}

#[test]
fn what_is_broken_tells_what_to_do() {
    let (log, heads) = log();

    let broken = check(heads[0], &log[1..], &heads[1_000]).expect_err("one is missing");

    assert_eq!(
        broken.to_string(),
        "the log is damaged at commit 1: commit 2 is in its place; restore the space from a backup"
    );
}
