//! What an authority answers to pushes, pulls and questions.

use everfold::sync::{Authority, Epoch, Limits, MemoryLog, Problem, Pushed, Rules, read_push};
use pollster::block_on;
use serde_json::{Value, json};

pub(crate) const EPOCH: Epoch = Epoch([0xe0; 16]);

/// Everybody may write everything.
pub(crate) struct Everything;

impl Rules for Everything {
    fn may_write(&self, _: &str, _: &str, _: &str) -> bool {
        true
    }
}

/// A space `acme` with an authority over it.
pub(crate) fn acme() -> Authority<MemoryLog> {
    let authority = Authority::new(MemoryLog::new(), Limits::default());
    block_on(authority.create("acme", EPOCH)).expect("is made");
    authority
}

/// A commit of one event that expects its stream at `expected`.
pub(crate) fn commit(id: &str, stream: &str, expected: u64) -> Value {
    json!({ "id": id, "attempt": 1, "mode": "intent", "replica": "r1", "recordedAt": 1, "streams": [
        { "streamId": stream, "expectedVersion": expected, "events": [event(id)] } ] })
}

pub(crate) fn event(of: &str) -> Value {
    json!({ "type": "happened", "schemaVersion": 1, "occurredAt": 1, "data": { "of": of } })
}

/// The body of a push from `base`.
pub(crate) fn body(base: &str, commits: &[Value]) -> Value {
    json!({ "protocol": 1, "base": base, "replica": "r1", "commits": commits })
}

pub(crate) fn push_as(
    authority: &Authority<MemoryLog>,
    rules: &impl Rules,
    body: &Value,
    now: i64,
) -> Result<Pushed, Problem> {
    let text = body.to_string();
    let request = read_push(text.as_bytes(), authority.limits())?;
    block_on(authority.push("acme", "ann", &request, now, rules))
}

/// Pushes, and gives the answer as JSON.
#[track_caller]
pub(crate) fn push(authority: &Authority<MemoryLog>, body: &Value) -> Value {
    let pushed = push_as(authority, &Everything, body, 100).expect("is judged");
    serde_json::from_str(&pushed.text).expect("is JSON")
}

pub(crate) fn statuses(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().expect("is a list");
    results
        .iter()
        .map(|result| result["status"].as_str().expect("is a text"))
        .collect()
}

/// The cursor of today's head.
pub(crate) fn head(authority: &Authority<MemoryLog>) -> String {
    let text = block_on(authority.capabilities("acme", 0)).expect("tells");
    let told: Value = serde_json::from_str(&text).expect("is JSON");
    told["cursor"].as_str().expect("is a text").to_owned()
}

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
fn a_push_is_a_future_that_can_be_sent_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let authority = acme();
    let text = body(&head(&authority), &[]).to_string();
    let request = read_push(text.as_bytes(), authority.limits()).expect("is read");

    is_send(&authority.push("acme", "ann", &request, 1, &Everything));
    is_send(&authority.pull("acme", None, authority.limits().page(None, None)));
}
