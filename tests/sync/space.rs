//! A space with an authority over it, and how the tests talk to it.

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
