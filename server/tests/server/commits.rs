//! Bodies of pushes, and that the ordinary ones do what the protocol says.

use serde_json::{Value, json};

use crate::running::Running;
use crate::tokens::Claims;

/// A commit of one event.
pub(crate) fn commit(id: &str, stream: &str, expected: u64) -> Value {
    json!({
        "id": id, "attempt": 1, "mode": "intent", "replica": "device-1", "recordedAt": 1_790_000_000_000_u64,
        "streams": [{ "streamId": stream, "expectedVersion": expected, "events": [event("account.opened", &json!({ "of": id }))] }],
    })
}

pub(crate) fn event(event_type: &str, data: &Value) -> Value {
    json!({ "type": event_type, "schemaVersion": 1, "occurredAt": 1_790_000_000_000_u64, "data": data })
}

pub(crate) fn push_of(base: &str, commits: &[Value]) -> Value {
    json!({ "protocol": 1, "base": base, "replica": "device-1", "commits": commits })
}

/// Commits to a stream each.
pub(crate) fn commits(prefix: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| commit(&format!("{prefix}-{number}"), &format!("s-{prefix}-{number}"), 0))
        .collect()
}

#[test]
fn a_push_is_stored_once_and_pulled_as_it_was_sent() {
    let server = Running::start();
    let push = push_of(
        &server.cursor("acme"),
        &[commit("c-1", "account-1", 0), commit("c-2", "account-1", 1)],
    );

    let first = server.push("acme", &push).json();
    let again = server.push("acme", &push).json();

    assert_eq!(
        first["results"][1],
        json!({ "id": "c-2", "status": "accepted", "number": 2 })
    );
    assert_eq!(first["commits"][0]["actor"], "ann");
    assert!(first["commits"][0]["streams"].is_null(), "the device has the rest");
    assert_eq!(again["results"][1]["status"], "duplicate");
    let pulled = server.commits("acme");
    assert_eq!(pulled.len(), 2);
    assert_eq!(pulled[1]["streams"][0]["firstVersion"], 2);
    assert_eq!(
        pulled[1]["streams"][0]["events"],
        push["commits"][1]["streams"][0]["events"]
    );
}

#[test]
fn an_outcome_is_told_by_id_whatever_is_in_it() {
    let server = Running::start();
    let id = "a/b c?ü";
    server.push("acme", &push_of(&server.cursor("acme"), &[commit(id, "account-1", 0)]));
    let token = Claims::owner("acme").sign();

    let known = server.get("/v1/spaces/acme/commits/a%2Fb%20c%3F%C3%BC", &token);
    let unknown = server.get("/v1/spaces/acme/commits/other", &token);

    assert_eq!((known.status, &known.json()["id"]), (200, &json!(id)));
    unknown.is_problem(404, "commit-unknown");
}

#[test]
fn pages_follow_each_other_without_a_hole() {
    let server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 25)));
    let token = Claims::owner("acme").sign();

    let (mut seen, mut path) = (Vec::new(), "/v1/spaces/acme/pull?limit=10".to_owned());
    loop {
        let page = server.get(&path, &token).json();
        seen.extend(
            page["commits"]
                .as_array()
                .unwrap()
                .iter()
                .map(|commit| commit["number"].as_u64().unwrap()),
        );
        if page["more"] == false {
            break;
        }
        path = format!(
            "/v1/spaces/acme/pull?limit=10&after={}",
            page["cursor"].as_str().unwrap()
        );
    }

    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
}

#[test]
fn a_place_that_is_not_in_the_log_is_told_apart_from_another_life_of_it() {
    let server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 3)));
    let (token, cursor) = (Claims::owner("acme").sign(), server.cursor("acme"));
    let pull = |cursor: &str| server.get(&format!("/v1/spaces/acme/pull?after={cursor}"), &token);
    let (epoch, rest) = cursor.split_once('.').unwrap();

    pull(&cursor.replace(".3.", ".4.")).is_problem(409, "history-diverged");
    pull(&cursor.replace(".3.", ".2.")).is_problem(409, "history-diverged");
    pull(&format!("{}.{rest}", epoch.chars().rev().collect::<String>())).is_problem(412, "epoch-changed");
    pull("nonsense").is_problem(400, "malformed");
}

#[test]
fn answers_are_gzipped_for_those_who_take_it_and_are_not_on_this_machine() {
    let server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 50)));
    let token = Claims::owner("acme").sign();
    let pull = || server.request("GET", "/v1/spaces/acme/pull").token(&token);

    let near = pull().header("accept-encoding", "gzip").send();
    let proxied = pull()
        .header("accept-encoding", "br, gzip")
        .header("x-forwarded-for", "192.0.2.1")
        .send();
    let plain = pull().header("x-forwarded-for", "192.0.2.1").send();

    assert_eq!(near.header("content-encoding"), None);
    assert_eq!(proxied.header("content-encoding"), Some("gzip"));
    assert!(proxied.bytes.len() * 3 < plain.bytes.len());
    let mut inflated = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*proxied.bytes), &mut inflated).unwrap();
    assert_eq!(inflated, plain.text);
}

#[test]
fn a_space_that_nobody_made_is_unknown_where_they_are_not_made_on_demand() {
    let server = Running::with(|settings| settings.create_spaces = false);
    let token = Claims::owner("acme").sign();

    server.get("/v1/spaces/acme", &token).is_problem(404, "space-unknown");
    server
        .push(
            "acme",
            &push_of(&format!("{}.0.{}", "0".repeat(32), "0".repeat(16)), &[]),
        )
        .is_problem(404, "space-unknown");
}

#[test]
fn many_devices_push_at_once_and_the_log_is_one() {
    let server = Running::start();
    let base = server.cursor("acme");

    std::thread::scope(|scope| {
        for device in 0..8 {
            let (server, base) = (&server, &base);
            scope.spawn(move || {
                for round in 0..10 {
                    let mut push = push_of(base, &commits(&format!("{device}-{round}"), 5));
                    push["replica"] = json!(format!("device-{device}"));
                    let answer = server.push("acme", &push).json();
                    let accepted = |result: &Value| result["status"] == "accepted";
                    assert!(answer["results"].as_array().unwrap().iter().all(accepted), "{answer}");
                }
            });
        }
    });

    let numbers: Vec<u64> = server
        .commits("acme")
        .iter()
        .map(|commit| commit["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
}
