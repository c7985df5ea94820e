//! Each limit, from both sides, and that what is beyond it leaves nothing.

use std::io::Write;
use std::sync::Arc;

use everfold_server::settings::Limits;
use everfold_server::{NoRules, Server};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::commits::{commit, commits, event, push_of};
use crate::running::{Folder, Reply, Running, settings};
use crate::tokens::Claims;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The body, longer by white space until it has this many bytes.
fn padded(body: &Value, length: usize) -> Vec<u8> {
    let text = body.to_string();
    let padding = " ".repeat(length - text.len());
    text.replacen('{', &format!("{{{padding}"), 1).into_bytes()
}

fn post(server: &Running, body: Vec<u8>, encoding: Option<&str>) -> Reply {
    let request = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&Claims::owner("acme").sign());
    let request = request.header("content-type", "application/json");
    let request = match encoding {
        Some(encoding) => request.header("content-encoding", encoding),
        None => request,
    };
    request.body(body).send()
}

#[test]
fn a_push_of_4_mib_is_taken_and_one_more_byte_is_not() {
    let server = Running::start();
    let push = push_of(&server.cursor("acme"), &[commit("c-1", "account-1", 0)]);

    let too_long = post(&server, padded(&push, (4 << 20) + 1), None);
    assert_eq!(server.number("acme"), 0);
    let longest = post(&server, padded(&push, 4 << 20), None);

    too_long.is_problem(413, "payload-too-large");
    assert_eq!(too_long.json()["limits"]["pushBytes"], 4 << 20);
    assert_eq!(longest.json()["results"][0]["status"], "accepted");
}

#[test]
fn whoever_sends_all_before_listening_hears_why_it_was_refused() {
    let server = Running::start();
    let body = vec![b' '; 3 << 20];
    let refused = |token: &str, body: &[u8]| {
        let request = server.request("POST", "/v1/spaces/acme/push").token(token);
        request
            .header("content-type", "application/json")
            .body(body)
            .send_patiently()
    };

    refused("nonsense", &body).is_problem(401, "token-invalid");
    refused(&Claims::owner("other").sign(), &body).is_problem(403, "space-forbidden");
    refused(&Claims::owner("acme").sign(), &body.repeat(4)).is_problem(413, "payload-too-large");
}

#[test]
fn a_body_without_a_length_is_counted_as_it_comes() {
    let server = Running::start();
    let request = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&Claims::owner("acme").sign());
    let request = request
        .header("content-type", "application/json")
        .header("transfer-encoding", "chunked");
    let part = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let mut stream = request.open();

    for _ in 0..5 {
        drop(stream.write_all(part.as_bytes()));
    }
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();

    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[test]
fn the_limit_of_a_gzipped_push_is_that_of_what_is_in_it() {
    let server = Running::start();
    let push = push_of(&server.cursor("acme"), &[commit("c-1", "account-1", 0)]);
    let noise: String = (0_u64..600_000)
        .map(|number| char::from(b'a' + (number * number % 251 % 26) as u8))
        .collect();
    let mut large = push.clone();
    large["commits"] = json!(
        (0..5)
            .map(|number| {
                let mut commit = commit(&format!("c-{number}"), &format!("s-{number}"), 0);
                commit["content"] = json!(noise);
                commit
            })
            .collect::<Vec<_>>()
    );

    let small = post(&server, gzipped(push.to_string().as_bytes()), Some("gzip"));
    assert_eq!(small.json()["results"][0]["status"], "accepted");
    let longer_inside = post(
        &server,
        gzipped(&[large.to_string().into_bytes(), vec![b' '; 2 << 20]].concat()),
        Some("gzip"),
    );
    longer_inside.is_problem(413, "payload-too-large");
}

#[test]
fn a_gzip_bomb_is_refused_and_a_small_body_may_pack_well() {
    let server = Running::start();
    let push = push_of(&server.cursor("acme"), &[commit("c-1", "account-1", 0)]);

    let bomb = post(&server, gzipped(&padded(&push, 3 << 20)), Some("gzip"));
    assert_eq!(server.number("acme"), 0);
    let small = post(&server, gzipped(&padded(&push, 1 << 20)), Some("gzip"));

    bomb.is_problem(413, "payload-too-large");
    assert!(bomb.json()["detail"].as_str().unwrap().contains("20 times"));
    assert_eq!(small.json()["results"][0]["status"], "accepted");
}

#[test]
fn a_push_of_2000_commits_is_taken_and_one_more_is_not() {
    let server = Running::start();
    let base = server.cursor("acme");

    server
        .push("acme", &push_of(&base, &commits("c", 2_001)))
        .is_problem(413, "payload-too-large");
    assert_eq!(server.number("acme"), 0);
    assert_eq!(server.push("acme", &push_of(&base, &commits("c", 2_000))).status, 200);
    assert_eq!(server.number("acme"), 2_000);
}

#[test]
fn a_commit_beyond_its_limits_is_refused_and_those_before_it_are_kept() {
    let server = Running::start();
    let with = |id: &str, events: usize, bytes: usize| {
        let mut commit = commit(id, id, 0);
        let text = "x".repeat(bytes / events);
        commit["streams"][0]["events"] = json!(vec![event("t", &json!(text)); events]);
        commit
    };
    let cases = [
        (with("many", 1_000, 0), "accepted"),
        (with("too-many", 1_001, 0), "refused"),
        // The stream's id, the type and two quotation marks count as well.
        (with("large", 1, (256 << 10) - 5 - 1 - 2), "accepted"),
        (with("too-large", 1, (256 << 10) - 9 - 1 - 2 + 1), "refused"),
    ];
    for (commit, expected) in cases {
        let push = push_of(&server.cursor("acme"), std::slice::from_ref(&commit));
        let answer = server.push("acme", &push).json();
        assert_eq!(answer["results"][0]["status"], expected, "{}", commit["id"]);
        if expected == "refused" {
            assert_eq!(
                answer["results"][0]["problem"]["type"],
                "urn:everfold:problem:too-large"
            );
        }
    }
    assert_eq!(server.number("acme"), 2);
}

#[test]
fn a_page_is_no_larger_than_was_asked_for_and_has_at_least_one_commit() {
    let server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 1_500)));
    let token = Claims::owner("acme").sign();
    let count = |query: &str| {
        let page = server.get(&format!("/v1/spaces/acme/pull{query}"), &token).json();
        page["commits"].as_array().unwrap().len()
    };

    assert_eq!(count(""), 1_000);
    assert_eq!(count("?limit=10000"), 1_500);
    assert_eq!(count("?limit=99999999"), 1_500);
    assert_eq!(count("?limit=7"), 7);
    assert_eq!(count("?limit=0"), 1);
    assert_eq!(count("?maxBytes=0"), 1);
    assert!((2..20).contains(&count("?maxBytes=3000")));
}

#[test]
fn a_replica_that_brings_too_many_commits_a_second_waits() {
    let server = Running::with(|settings| {
        settings.limits.push_commits = 10;
        settings.limits.replica_commits = 0;
        settings.limits.replica_burst = 15;
    });
    let base = server.cursor("acme");

    let taken = server.push("acme", &push_of(&base, &commits("a", 10)));
    let refused = server.push("acme", &push_of(&base, &commits("b", 10)));
    let mut other = push_of(&base, &commits("c", 10));
    other["replica"] = json!("device-2");

    assert_eq!(taken.status, 200);
    refused.is_problem(429, "rate-limited");
    for reply in [&taken, &refused] {
        let policy = reply.header("ratelimit-policy").unwrap();
        assert_eq!(policy, "\"commits\";q=15;w=15, \"bytes\";q=16777216;w=1");
        let left = reply.header("ratelimit").unwrap();
        assert!(left.starts_with("\"commits\";r=5;t=10, \"bytes\";r=16"), "{left}");
    }
    assert_eq!(
        refused.header("retry-after"),
        Some("5"),
        "at one a second, as 0 would be never"
    );
    assert_eq!(server.push("acme", &other).status, 200);
    assert_eq!(server.number("acme"), 20);
}

#[test]
fn nobody_uses_up_what_the_device_of_another_may_bring() {
    let server = Running::with(|settings| {
        settings.limits.push_commits = 10;
        settings.limits.replica_commits = 0;
        settings.limits.replica_burst = 15;
    });
    let base = server.cursor("acme");
    let reader = Claims::new("bob", &json!({ "acme": {} })).sign();
    let request = server.request("POST", "/v1/spaces/acme/push").token(&reader);

    let of_bob = request.json(&push_of(&base, &commits("b", 10))).send();
    let of_ann = server.push("acme", &push_of(&base, &commits("a", 10)));

    assert_eq!(of_bob.json()["results"][0]["status"], "refused");
    assert_eq!(of_ann.status, 200, "{}", of_ann.text);
}

#[test]
fn a_space_that_is_brought_too_many_bytes_a_second_waits() {
    let server = Running::with(|settings| {
        settings.limits.push_bytes = 100_000;
        settings.limits.space_bytes = 1;
    });
    let base = server.cursor("acme");
    let first = padded(&push_of(&base, &commits("a", 1)), 90_000);
    let second = padded(&push_of(&base, &commits("b", 1)), 90_000);

    assert_eq!(post(&server, first, None).status, 200);
    post(&server, second, None).is_problem(429, "rate-limited");
}

#[test]
fn tails_have_a_limit_too() {
    let server = Running::with(|settings| settings.limits.tails = 1);
    let token = Claims::owner("acme").sign();

    let first = server.request("GET", "/v1/spaces/acme/tail").token(&token).open();
    let mut seen = [0; 12];
    std::io::Read::read_exact(&mut &first, &mut seen).unwrap();
    server.get("/v1/spaces/acme/tail", &token).is_problem(503, "overloaded");
}

#[test]
fn a_limit_of_nothing_that_would_break_every_answer_is_told_at_the_start() {
    let folder = Folder::new();
    let without: [fn(&mut Limits); 4] = [
        |limits| limits.page_commits = 0,
        |limits| limits.inflation = 0,
        |limits| limits.heartbeat = 0,
        |limits| limits.body_seconds = 0,
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (change, name) in without
        .into_iter()
        .zip(["page-commits", "inflation", "heartbeat", "body-seconds"])
    {
        let mut settings = settings(&folder.path("data.sqlite3"));
        change(&mut settings.limits);

        let bound = runtime.block_on(Server::bind(settings, Arc::new(NoRules)));

        let told = bound.expect_err("nothing is served").to_string();
        assert_eq!(told, format!("the limit {name} is 0 and must be at least 1"));
    }
}
