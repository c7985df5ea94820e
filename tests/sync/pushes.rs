//! What an authority answers to a push.

use std::sync::Arc;

use everfold::sync::{Authority, Head, Limits, MemoryLog, PushCounts, read_push};
use pollster::block_on;
use serde_json::json;

use crate::space::{EPOCH, Everything, acme, body, commit, event, head, push, push_as, statuses};

#[test]
fn commits_of_one_push_build_on_each_other() {
    let authority = acme();
    let base = head(&authority);

    let answer = push(
        &authority,
        &body(&base, &[commit("a", "s", 0), commit("b", "s", 1), commit("c", "s", 2)]),
    );

    assert_eq!(statuses(&answer), ["accepted", "accepted", "accepted"]);
    assert_eq!(answer["head"]["number"], 3);
    assert_eq!(answer["cursor"], head(&authority));
    assert_eq!(answer["more"], false);
}

#[test]
fn what_this_push_brought_comes_back_in_short() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "s", 0)]));

    let answer = push(&authority, &body(&base, &[commit("b", "t", 0)]));

    assert_eq!(answer["commits"][0]["streams"][0]["firstVersion"], 1);
    assert_eq!(
        answer["commits"][1],
        json!({ "number": 2, "id": "b", "attempt": 1, "actor": "ann", "receivedAt": 100 })
    );
}

#[test]
fn the_first_conflict_ends_a_push() {
    let authority = acme();
    let base = head(&authority);

    let answer = push(
        &authority,
        &body(&base, &[commit("a", "s", 0), commit("b", "s", 0), commit("c", "t", 0)]),
    );

    assert_eq!(statuses(&answer), ["accepted", "conflict", "not-attempted"]);
    assert_eq!(
        answer["results"][1],
        json!({ "id": "b", "status": "conflict", "streamId": "s", "expected": 0, "actual": 1 })
    );
    assert_eq!(answer["results"][2]["because"], "b");
}

#[test]
fn an_id_is_judged_before_the_versions() {
    let authority = acme();
    let base = head(&authority);
    let first = push(&authority, &body(&base, &[commit("a", "s", 0)]));

    let again = push(&authority, &body(&base, &[commit("a", "s", 0), commit("b", "s", 1)]));

    assert_eq!(statuses(&again), ["duplicate", "accepted"]);
    assert_eq!(again["results"][0]["number"], 1);
    assert_eq!(again["head"]["number"], 2);
    // It is not what this push brought: it comes whole.
    assert!(again["commits"][0]["streams"].is_array());
    assert!(first["commits"][0]["streams"].is_null());
}

#[test]
fn a_duplicate_of_another_attempt_ends_a_push() {
    // A push that was delayed while its first commit was decided again: what follows was decided on the old one.
    let authority = acme();
    let base = head(&authority);
    let mut again = commit("a", "s", 0);
    again["attempt"] = json!(2);
    push(&authority, &body(&base, &[again]));

    let answer = push(&authority, &body(&base, &[commit("a", "s", 0), commit("b", "s", 1)]));

    assert_eq!(statuses(&answer), ["duplicate", "not-attempted"]);
    assert_eq!(answer["results"][0]["attempt"], 2);
    assert_eq!(answer["head"]["number"], 1);
}

#[test]
fn an_id_for_something_else_is_refused() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "s", 0)]));

    let answer = push(&authority, &body(&base, &[commit("a", "t", 0), commit("b", "t", 0)]));

    assert_eq!(statuses(&answer), ["refused", "not-attempted"]);
    assert_eq!(
        answer["results"][0]["problem"]["type"],
        "urn:everfold:problem:commit-id-reused"
    );
    assert_eq!(answer["head"]["number"], 1);
}

#[test]
fn an_id_twice_in_one_push_is_the_same_commit() {
    let authority = acme();
    let base = head(&authority);

    let answer = push(
        &authority,
        &body(&base, &[commit("a", "s", 0), commit("a", "s", 0), commit("b", "s", 1)]),
    );

    assert_eq!(statuses(&answer), ["accepted", "duplicate", "accepted"]);
}

#[test]
fn a_commit_that_only_moved_is_a_duplicate() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "s", 0)]));

    let answer = push(&authority, &body(&base, &[commit("a", "s", 7)]));

    assert_eq!(statuses(&answer), ["duplicate"]);
}

#[test]
fn a_fact_is_stored_wherever_its_streams_are() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "s", 0)]));
    let mut fact = commit("b", "s", 0);
    fact["mode"] = json!("fact");
    fact["reads"] = json!([{ "streamId": "s", "version": 9 }]);

    let answer = push(&authority, &body(&base, &[fact]));

    assert_eq!(statuses(&answer), ["accepted"]);
    let log = push(&authority, &body(&base, &[]));
    assert_eq!(log["commits"][1]["streams"][0]["firstVersion"], 2);
}

#[test]
fn streams_that_were_read_are_checked() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "limit", 0)]));
    let reading = |id: &str, version: u64| {
        let mut commit = commit(id, id, 0);
        commit["reads"] = json!([{ "streamId": "limit", "version": version }]);
        commit
    };

    let answer = push(&authority, &body(&base, &[reading("b", 1), reading("c", 0)]));

    assert_eq!(statuses(&answer), ["accepted", "conflict"]);
    assert_eq!(
        answer["results"][1],
        json!({ "id": "c", "status": "conflict", "streamId": "limit", "expected": 0, "actual": 1 })
    );
}

#[test]
fn a_commit_over_several_streams_is_stored_whole_or_not_at_all() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "to", 0)]));
    let mut transfer = commit("b", "from", 0);
    let to = json!({ "streamId": "to", "expectedVersion": 0, "events": [event("b")] });
    transfer["streams"].as_array_mut().expect("is a list").push(to);

    let refused = push(&authority, &body(&base, &[transfer.clone()]));
    transfer["streams"][1]["expectedVersion"] = json!(1);
    let accepted = push(&authority, &body(&base, &[transfer]));

    assert_eq!(statuses(&refused), ["conflict"]);
    assert_eq!(statuses(&accepted), ["accepted"]);
    let log = push(&authority, &body(&base, &[]));
    assert_eq!(log["commits"][1]["streams"][0]["firstVersion"], 1);
    assert_eq!(log["commits"][1]["streams"][1]["firstVersion"], 2);
}

#[test]
fn what_a_device_says_of_number_actor_and_time_counts_for_nothing() {
    let authority = acme();
    let base = head(&authority);
    let mut forged = commit("a", "s", 0);
    forged["number"] = json!(99);
    forged["actor"] = json!("eve");
    forged["receivedAt"] = json!(-1);

    push(&authority, &body(&base, &[forged]));

    let log = push(&authority, &body(&base, &[]));
    let stored = &log["commits"][0];
    assert_eq!((&stored["number"], &stored["actor"]), (&json!(1), &json!("ann")));
    assert_eq!(stored["receivedAt"], 100);
}

#[test]
fn payloads_keep_their_bytes() {
    let authority = acme();
    let data = r#"{ "b" : 1.50, "a":"\u00e9\/" }"#;
    let text = body(&head(&authority), &[commit("a", "s", 0)]).to_string();
    let text = text.replace(r#"{"of":"a"}"#, data);
    let request = read_push(text.as_bytes(), authority.limits()).expect("is read");

    block_on(authority.push("acme", "ann", &request, 1, &Everything)).expect("is judged");

    let page = block_on(authority.pull("acme", None, authority.limits().page(None, None))).expect("is read");
    assert!(page.text.contains(data), "{}", page.text);
}

#[test]
fn a_commit_that_is_too_large_is_refused_and_told_why() {
    let authority = acme();
    let base = head(&authority);
    let mut large = commit("a", "s", 0);
    large["command"] = json!("x".repeat(256 << 10));
    let mut long = commit("b", "s", 0);
    long["streams"][0]["events"] = (0..=1_000).map(|_| event("b")).collect();

    for commit in [large, long] {
        let answer = push(&authority, &body(&base, &[commit]));
        assert_eq!(statuses(&answer), ["refused"]);
        let problem = &answer["results"][0]["problem"];
        assert_eq!(problem["type"], "urn:everfold:problem:too-large");
        assert_eq!(problem["limits"]["commitEvents"], 1_000);
    }
    assert_eq!(head(&authority), base);
}

#[test]
fn a_commit_that_was_taken_is_a_duplicate_also_under_lower_limits() {
    let log = Arc::new(MemoryLog::new());
    let before = Authority::new(Arc::clone(&log), Limits::default());
    let lower = Limits {
        commit_events: 0,
        ..Limits::default()
    };
    let since = Authority::new(log, lower);
    block_on(before.create("acme", EPOCH)).expect("is made");
    let base = Head::first("acme").cursor(EPOCH).to_string();
    let text = body(&base, &[commit("a", "s", 0)]).to_string();
    let request = read_push(text.as_bytes(), before.limits()).expect("is read");
    block_on(before.push("acme", "ann", &request, 1, &Everything)).expect("is judged");

    // Its answer was lost.
    let again = block_on(since.push("acme", "ann", &request, 2, &Everything)).expect("is judged");

    let answer = serde_json::from_str(&again.text).expect("is JSON");
    assert_eq!(statuses(&answer), ["duplicate"]);
}

#[test]
fn how_a_commit_is_written_does_not_count_as_its_size() {
    // 1,000 events whose payloads just fit: with the names of their fields they are half as large again.
    let authority = acme();
    let mut commit = commit("a", "s", 0);
    let events = (0..1_000).map(|_| {
        let mut event = event("");
        event["data"] = json!("x".repeat(240));
        event
    });
    commit["streams"][0]["events"] = events.collect();

    let answer = push(&authority, &body(&head(&authority), &[commit]));

    assert_eq!(statuses(&answer), ["accepted"]);
}

#[test]
fn counts_tell_how_a_push_ended() {
    let authority = acme();
    let base = head(&authority);
    push(&authority, &body(&base, &[commit("a", "s", 0)]));
    let body = body(
        &base,
        &[
            commit("a", "s", 0),
            commit("b", "s", 1),
            commit("c", "s", 0),
            commit("d", "t", 0),
        ],
    );

    let pushed = push_as(&authority, &Everything, &body, 1).expect("is judged");

    let counts = PushCounts {
        accepted: 1,
        duplicates: 1,
        conflicts: 1,
        refused: 0,
        not_attempted: 1,
    };
    assert_eq!(pushed.counts, counts);
    assert_eq!(pushed.head.number, 2);
}

#[test]
fn a_push_is_a_future_that_can_be_sent_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let authority = acme();
    let text = body(&head(&authority), &[]).to_string();
    let request = read_push(text.as_bytes(), authority.limits()).expect("is read");

    is_send(&authority.push("acme", "ann", &request, 1, &Everything));
    is_send(&authority.pull("acme", None, authority.limits().page(None, None)));
}
