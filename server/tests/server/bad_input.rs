//! Words that are wrong: the problem that the protocol names, nothing stored, never a 500.

use serde_json::{Value, json};

use crate::commits::{commit, push_of};
use crate::running::Running;
use crate::tokens::Claims;

fn whole(base: &str) -> Value {
    let mut commit = commit("c-1", "account-1", 0);
    commit["command"] = json!({ "type": "Open", "data": { "owner": "é" } });
    commit["definition"] = json!({ "name": "account", "version": 1 });
    commit["reads"] = json!([{ "streamId": "limit-1", "version": 0 }]);
    commit["subject"] = json!("ann");
    commit["causationId"] = json!("cause");
    commit["correlationId"] = json!("talk");
    commit["content"] = json!("7f");
    commit["streams"][0]["events"][0]["metadata"] = json!({ "by": "hand" });
    commit["streams"][0]["events"][0]["salt"] = json!("00ff");
    push_of(base, &[commit])
}

/// Every place in a document, as a pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let at = format!("{at}/{name}");
                found.push(at.clone());
                // What is inside of these is the app's own.
                if !["command", "data", "metadata"].contains(&&**name) {
                    places(value, &at, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let at = format!("{at}/{index}");
                found.push(at.clone());
                places(value, &at, found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_of_another_kind_is_malformed_and_nothing_is_stored() {
    let server = Running::start();
    let good = whole(&server.cursor("acme"));
    let mut all = Vec::new();
    places(&good, "", &mut all);
    assert!(all.len() > 30, "{all:?}");
    let own = ["/command", "/data", "/metadata"];
    let (mut refused, mut stored) = (0, 0);
    for place in &all {
        for wrong in [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!("\u{0}x"),
            json!([1]),
            json!({ "a": 1 }),
        ] {
            let mut push = good.clone();
            *push.pointer_mut(place).unwrap() = wrong.clone();
            let reply = server.push("acme", &push);
            assert!(reply.status < 500, "{place} = {wrong}: {} {}", reply.status, reply.text);
            let is_own = own.iter().any(|own| place.ends_with(own));
            if reply.status != 200 && !is_own {
                assert!(
                    ["malformed", "batch-invalid", "subject-mismatch"].contains(&&*reply.slug()),
                    "{place} = {wrong}: {}",
                    reply.text
                );
                refused += 1;
            }
            let plain = |value: &Value| value.is_boolean() || value.is_array() || value.is_object();
            if plain(&wrong) && !is_own && !place.ends_with("/streams") {
                let expected = [400, 422];
                let as_list = wrong.is_array() && good.pointer(place).is_some_and(Value::is_array);
                assert!(
                    expected.contains(&reply.status) || as_list,
                    "{place} = {wrong}: {}",
                    reply.text
                );
            }
            let number = server.number("acme");
            assert!(
                number == stored || reply.status == 200,
                "{place} = {wrong}: {}",
                reply.text
            );
            stored = number;
        }
    }
    assert!(refused > 100, "only {refused} were refused");
}

#[test]
fn a_required_field_that_is_missing_is_malformed() {
    let server = Running::start();
    let good = whole(&server.cursor("acme"));
    let required = [
        "/protocol",
        "/base",
        "/replica",
        "/commits",
        "/commits/0/id",
        "/commits/0/attempt",
        "/commits/0/mode",
        "/commits/0/replica",
        "/commits/0/recordedAt",
        "/commits/0/streams",
        "/commits/0/streams/0/streamId",
        "/commits/0/streams/0/expectedVersion",
        "/commits/0/streams/0/events",
        "/commits/0/streams/0/events/0/type",
        "/commits/0/streams/0/events/0/schemaVersion",
        "/commits/0/streams/0/events/0/occurredAt",
        "/commits/0/reads/0/streamId",
        "/commits/0/reads/0/version",
        "/commits/0/definition/name",
        "/commits/0/definition/version",
    ];
    for place in required {
        let mut push = good.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        push.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name)
            .unwrap();
        let reply = server.push("acme", &push);
        assert!(
            [400, 422].contains(&reply.status),
            "without {place}: {} {}",
            reply.status,
            reply.text
        );
        assert!(["malformed", "batch-invalid", "subject-mismatch"].contains(&&*reply.slug()));
    }
    assert_eq!(server.number("acme"), 0);
    assert_eq!(server.push("acme", &good).status, 200);
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let server = Running::start();
    let mut push = whole(&server.cursor("acme"));
    push["later"] = json!({ "commits": [] });
    push["commits"][0]["later"] = json!([1, { "id": "no" }]);
    push["commits"][0]["streams"][0]["events"][0]["later"] = json!("x");

    assert_eq!(server.push("acme", &push).json()["results"][0]["status"], "accepted");
    assert!(server.commits("acme")[0]["later"].is_null());
}

#[test]
fn another_protocol_is_told_which_one_is_spoken() {
    let server = Running::start();
    let mut push = whole(&server.cursor("acme"));
    push["protocol"] = json!(2);

    let reply = server.push("acme", &push);

    reply.is_problem(426, "protocol-unsupported");
    assert_eq!((&reply.json()["min"], &reply.json()["max"]), (&json!(1), &json!(1)));
}

#[test]
fn an_id_that_belongs_to_another_commit_is_not_taken_again() {
    let server = Running::start();
    let base = server.cursor("acme");
    server.push("acme", &push_of(&base, &[commit("c-1", "account-1", 0)]));
    let mut other = commit("c-1", "account-2", 0);

    let reused = server.push("acme", &push_of(&base, &[other.clone()])).json();
    other["attempt"] = json!(2);
    let later = server
        .push("acme", &push_of(&base, &[other, commit("c-2", "account-3", 0)]))
        .json();

    assert_eq!(
        reused["results"][0]["problem"]["type"],
        "urn:everfold:problem:commit-id-reused"
    );
    assert_eq!(later["results"][0]["status"], "duplicate");
    assert_eq!(server.number("acme"), 1);
}

#[test]
fn a_body_that_is_not_said_to_be_json_is_not_read() {
    let server = Running::start();
    let body = whole(&server.cursor("acme")).to_string();
    let token = Claims::owner("acme").sign();
    let post = || server.request("POST", "/v1/spaces/acme/push").token(&token);

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=latin1",
    ] {
        post()
            .header("content-type", kind)
            .body(body.clone())
            .send()
            .is_problem(415, "encoding");
    }
    post().body(body.clone()).send().is_problem(415, "encoding");
    for encoding in ["br", "deflate", "zstd", "gzip, gzip", "x"] {
        let request = post()
            .header("content-type", "application/json")
            .header("content-encoding", encoding);
        request.body(body.clone()).send().is_problem(415, "encoding");
    }
    assert_eq!(server.number("acme"), 0);
    let said = post()
        .header("content-type", "Application/JSON; Charset=\"UTF-8\"")
        .body(body)
        .send();
    assert_eq!(said.status, 200);
}

#[test]
fn a_body_that_is_no_document_is_malformed() {
    let server = Running::start();
    let body = whole(&server.cursor("acme")).to_string();
    let token = Claims::owner("acme").sign();
    let post = |body: Vec<u8>, encoding: &str| {
        let request = server.request("POST", "/v1/spaces/acme/push").token(&token);
        request
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(body)
            .send()
    };

    for text in [
        "",
        " ",
        "{",
        "[]",
        "null",
        "nonsense",
        &body[..body.len() - 1],
        &format!("{body}x"),
        &format!("\u{feff}{body}"),
    ] {
        post(text.as_bytes().to_vec(), "identity").is_problem(400, "malformed");
    }
    post(b"\xff\xfe{}".to_vec(), "identity").is_problem(400, "malformed");
    post("[".repeat(1 << 20).into_bytes(), "identity").is_problem(400, "malformed");
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    post(deep.into_bytes(), "identity").is_problem(400, "malformed");
    post(body.clone().into_bytes(), "gzip").is_problem(400, "malformed");
    post(Vec::new(), "gzip").is_problem(400, "malformed");
    assert_eq!(server.number("acme"), 0);
}

#[test]
fn a_body_that_is_cut_off_is_not_taken_for_a_shorter_one() {
    let server = Running::start();
    let body = whole(&server.cursor("acme")).to_string();
    let token = Claims::owner("acme").sign();
    let request = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&token)
        .header("content-type", "application/json");

    let reply = request.body_of_length(body.len() + 10, body).send_cut();

    if let Some(reply) = reply {
        reply.is_problem(400, "malformed");
    }
    assert_eq!(server.number("acme"), 0);
}

#[test]
fn a_body_that_does_not_go_on_is_given_up() {
    let server = Running::with(|settings| settings.limits.body_seconds = 1);
    let token = Claims::owner("acme").sign();
    let request = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&token)
        .header("content-type", "application/json");

    request.body_of_length(100, "{").send().is_problem(408, "timeout");
}

#[test]
fn addresses_and_methods_that_are_not_there_are_problems_too() {
    let server = Running::start();
    let token = Claims::owner("acme").sign();
    let ask = |method: &str, path: &str| server.request(method, path).token(&token).send();

    for path in [
        "/",
        "/v1",
        "/v1/spaces",
        "/v1/spaces/acme/",
        "/v1/spaces/acme/other",
        "/v2/spaces/acme",
        "/dev/token",
    ] {
        ask("GET", path).is_problem(404, "not-found");
    }
    for (method, path) in [
        ("POST", "/v1/spaces/acme"),
        ("GET", "/v1/spaces/acme/push"),
        ("PUT", "/v1/spaces/acme/push"),
        ("DELETE", "/v1/spaces/acme/pull"),
        ("POST", "/healthz"),
    ] {
        ask(method, path).is_problem(405, "method");
    }
    for path in ["", "/pull", "/commits/x"] {
        let request = server.request("GET", &format!("/v1/spaces/acme{path}")).token(&token);
        request
            .header("accept", "text/html, image/*;q=0.5, application/json;q=0")
            .send()
            .is_problem(406, "not-acceptable");
    }
    let tail = server
        .request("GET", "/v1/spaces/acme/tail")
        .token(&token)
        .header("accept", "application/json");
    tail.send().is_problem(406, "not-acceptable");
}

#[test]
fn names_of_spaces_have_an_alphabet() {
    let server = Running::start();
    let all = Claims::new("ann", &json!({ "*": {} })).sign();
    let long = "x".repeat(129);

    for name in ["a%20b", "a%2Fb", "%C3%BC", "a%00", "..%2f..", "%ff", &long, ".", ".."] {
        let reply = server.get(&format!("/v1/spaces/{name}"), &all);
        assert!(
            ["space-unknown", "not-found"].contains(&&*reply.slug()),
            "{name}: {}",
            reply.text
        );
        assert_eq!(reply.status, 404, "{name}");
    }
    for name in ["A.b_c-9", &long[1..], "..."] {
        assert_eq!(server.get(&format!("/v1/spaces/{name}"), &all).status, 200, "{name}");
    }
}

#[test]
fn questions_that_are_no_numbers_or_places_are_malformed() {
    let server = Running::start();
    let token = Claims::owner("acme").sign();

    for query in [
        "limit=-1",
        "limit=1e3",
        "limit=",
        "maxBytes=x",
        "after=",
        "after=1.2.3",
        "limit=1&limit=2",
    ] {
        server
            .get(&format!("/v1/spaces/acme/pull?{query}"), &token)
            .is_problem(400, "malformed");
    }
    for query in ["wait=-1", "wait=soon", "after=x"] {
        server
            .get(&format!("/v1/spaces/acme/tail?{query}"), &token)
            .is_problem(400, "malformed");
    }
    assert_eq!(server.get("/v1/spaces/acme/pull?later=1&%ff=%00", &token).status, 200);
}

#[test]
fn what_is_not_http_does_not_hurt() {
    use std::io::{Read, Write};
    let server = Running::start();

    for words in [
        "hello\r\n\r\n",
        "GET / HTTP/9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET /v1/spaces/acme HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream.write_all(words.as_bytes()).unwrap();
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(server.number("acme"), 0);
}

#[test]
fn bytes_that_are_changed_at_random_never_break_it() {
    let server = Running::start();
    let good = whole(&server.cursor("acme")).to_string().into_bytes();
    let token = Claims::owner("acme").sign();
    let seed = std::env::var("EVERFOLD_SEED")
        .ok()
        .and_then(|seed| seed.parse::<u64>().ok());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ seed.unwrap_or_default();
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for round in 0..500 {
        let mut body = good.clone();
        for _ in 0..=random(3) {
            let at = random(body.len());
            match random(3) {
                0 => body[at] = random(256) as u8,
                1 => drop(body.remove(at)),
                _ => body.insert(at, b"{}[]\",:0-9e"[random(11)]),
            }
        }
        let request = server.request("POST", "/v1/spaces/acme/push").token(&token);
        let reply = request
            .header("content-type", "application/json")
            .body(body.clone())
            .send();
        assert!(
            reply.status < 500,
            "round {round} of seed {seed:?}: {} for {}",
            reply.text,
            String::from_utf8_lossy(&body)
        );
        if reply.status != 200 {
            reply.slug();
        }
    }
}
