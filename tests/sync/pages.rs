//! Pulls, and what a push brings back.

use everfold::json::parse;
use everfold::sync::{ChainCheck, Cursor, Head, PageLimit, ProblemKind, PullPage, StoredText};
use pollster::block_on;
use serde_json::Value;

use crate::space::{Everything, acme, body, commit, head, push, push_as};

fn commits(from: u64, count: u64) -> Vec<Value> {
    (from..from + count)
        .map(|version| commit(&format!("c{version}"), "s", version))
        .collect()
}

fn limit(commits: usize) -> PageLimit {
    PageLimit {
        commits,
        bytes: 1 << 20,
    }
}

#[test]
fn pages_put_together_are_the_log_and_continue_its_chain() {
    let authority = acme();
    push(&authority, &body(&head(&authority), &commits(0, 10)));
    let mut after: Option<Cursor> = None;
    let mut check = ChainCheck::new(Head::first("acme"));

    loop {
        let pulled = block_on(authority.pull("acme", after.as_ref(), limit(3))).expect("is read");
        let page: PullPage<'_> = parse(&pulled.text).expect("is a page");
        for commit in &page.commits {
            let mut text = String::new();
            commit.write(&mut text);
            let number = commit.number.expect("is confirmed");
            let hash = block_on(everfold::sync::SpaceLog::hash_at(authority.log(), "acme", number));
            let hash = hash.expect("is read").expect("is there");
            check
                .next(&StoredText { number, hash, text })
                .expect("continues the chain");
        }
        assert_eq!(page.cursor, check.head().cursor(page.cursor.epoch));
        assert_eq!(
            (pulled.cursor, pulled.more, pulled.commits),
            (page.cursor, page.more, page.commits.len())
        );
        assert_eq!(page.head.number, 10);
        after = Some(page.cursor);
        if !page.more {
            break;
        }
    }

    assert_eq!(check.head().number, 10);
    assert_eq!(after.map(|cursor| cursor.to_string()), Some(head(&authority)));
}

#[test]
fn a_page_at_the_head_is_empty_and_says_where_it_is() {
    let authority = acme();
    push(&authority, &body(&head(&authority), &commits(0, 2)));
    let cursor = head(&authority);

    let pulled = block_on(authority.pull("acme", cursor.parse().ok().as_ref(), limit(10))).expect("is read");

    assert_eq!(
        (pulled.commits, pulled.more, pulled.cursor.to_string()),
        (0, false, cursor)
    );
}

#[test]
fn a_page_that_did_not_ask_has_a_thousand_commits() {
    let authority = acme();
    push(&authority, &body(&head(&authority), &commits(0, 1_500)));

    let pulled = block_on(authority.pull("acme", None, authority.limits().page(None, None))).expect("is read");

    assert_eq!((pulled.commits, pulled.more), (1_000, true));
}

#[test]
fn nobody_gets_more_than_the_limits_say() {
    let limits = *acme().limits();

    assert_eq!(
        limits.page(Some(usize::MAX), Some(usize::MAX)),
        PageLimit {
            commits: 10_000,
            bytes: 8 << 20
        }
    );
    assert_eq!(limits.page(Some(0), Some(0)), PageLimit { commits: 1, bytes: 0 });
    assert_eq!(
        limits.page(None, None),
        PageLimit {
            commits: 1_000,
            bytes: 1 << 20
        }
    );
}

#[test]
fn a_push_from_far_behind_gets_a_page_without_a_hole() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &commits(0, 1_500)));

    let answer = push(&authority, &body(&base, &[commit("new", "t", 0)]));

    assert_eq!(answer["results"][0]["number"], 1_501);
    assert_eq!(answer["head"]["number"], 1_501);
    assert_eq!(answer["commits"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(answer["commits"][999]["number"], 1_000);
    assert_eq!(answer["more"], true);
    // What it brought comes with the pages after it, whole.
    let next = answer["cursor"].as_str().and_then(|cursor| cursor.parse().ok());
    let pulled = block_on(authority.pull("acme", next.as_ref(), limit(10_000))).expect("is read");
    let page: PullPage<'_> = parse(&pulled.text).expect("is a page");
    assert_eq!(page.commits.len(), 501);
    assert!(page.commits.iter().all(|commit| commit.streams.is_some()));
}

#[test]
fn all_that_a_push_brought_comes_back_in_its_answer() {
    let authority = acme();

    let answer = push(&authority, &body(&head(&authority), &commits(0, 2_000)));

    assert_eq!(answer["commits"].as_array().map(Vec::len), Some(2_000));
    assert_eq!(answer["more"], false);
}

#[test]
fn a_space_that_is_not_there_is_unknown() {
    let authority = acme();

    for space in ["other", "", "a b", "é", &"a".repeat(129)] {
        let asked = block_on(authority.pull(space, None, limit(1)));
        assert_eq!(asked.expect_err("is unknown").kind, ProblemKind::SpaceUnknown);
        let asked = block_on(authority.capabilities(space, 1));
        assert_eq!(asked.expect_err("is unknown").kind, ProblemKind::SpaceUnknown);
    }
}

#[test]
fn the_outcome_of_a_commit_is_told_by_its_id() {
    let authority = acme();
    let answer = push(&authority, &body(&head(&authority), &commits(0, 2)));
    let again = push(&authority, &body(&head(&authority), &commits(1, 1)));

    let told = block_on(authority.outcome("acme", "c1")).expect("is told");

    let told: Value = serde_json::from_str(&told).expect("is JSON");
    assert_eq!(
        (&told["status"], &told["number"]),
        (&"accepted".into(), &answer["results"][1]["number"])
    );
    assert_eq!(
        (&told["attempt"], &told["digest"]),
        (&1.into(), &again["results"][0]["digest"])
    );
    let unknown = block_on(authority.outcome("acme", "c9")).expect_err("is unknown");
    assert_eq!(unknown.kind, ProblemKind::CommitUnknown);
}

#[test]
fn a_refused_push_changes_nothing() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &commits(0, 1)));
    let before = head(&authority);

    let stale = push(&authority, &body(&base, &[commit("x", "s", 0)]));
    push_as(
        &authority,
        &Everything,
        &body(&base.replace(".0.", ".9."), &commits(1, 1)),
        1,
    )
    .expect_err("diverged");

    assert_eq!(stale["results"][0]["status"], "conflict");
    assert_eq!(head(&authority), before);
}
