//! Live tails.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everfold_server::NoRules;
use everfold_server::settings::Settings;
use serde_json::{Value, json};

use crate::commits::{commit, commits, push_of};
use crate::running::Running;
use crate::tokens::{Claims, now};

/// A tail that is open.
struct Tail(BufReader<TcpStream>);

#[derive(Debug, PartialEq)]
enum Said {
    Comment,
    Event { name: String, id: String, data: String },
    End,
}

impl Tail {
    fn open(server: &Running, query: &str) -> Self {
        Self::with_token(server, query, &Claims::owner("acme").sign())
    }

    fn with_token(server: &Running, query: &str, token: &str) -> Self {
        let request = server
            .request("GET", &format!("/v1/spaces/acme/tail{query}"))
            .token(token);
        let mut lines = BufReader::new(request.open());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Self(lines)
    }

    /// What comes next. Parts of the transfer are lines as well, and are left out.
    fn next(&mut self) -> Said {
        let (mut name, mut id, mut data) = (String::new(), String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return Said::End;
            }
            if line == "0\r\n" {
                return Said::End;
            }
            if let Some(rest) = line.strip_prefix("event: ") {
                rest.trim_end().clone_into(&mut name);
            } else if let Some(rest) = line.strip_prefix("id: ") {
                rest.trim_end().clone_into(&mut id);
            } else if let Some(rest) = line.strip_prefix("data: ") {
                data.push(rest.strip_suffix('\n').unwrap().to_owned());
            } else if line == ":\n" {
                return Said::Comment;
            } else if line == "\n" && !name.is_empty() {
                return Said::Event {
                    name,
                    id,
                    data: data.join("\n"),
                };
            }
        }
    }

    /// How many events it brings before it ends.
    fn commits_until_the_end(mut self) -> usize {
        let mut events = 0;
        loop {
            match self.next() {
                Said::Comment => {}
                Said::Event { .. } => events += 1,
                Said::End => return events,
            }
        }
    }

    /// The numbers of the next commits.
    #[track_caller]
    fn commits(&mut self) -> Vec<u64> {
        loop {
            match self.next() {
                Said::Comment => {}
                Said::Event { name, id, data } => {
                    assert_eq!(name, "commits");
                    let page: Value = serde_json::from_str(&data).unwrap();
                    assert_eq!(page["cursor"], id);
                    let commits = page["commits"].as_array().unwrap();
                    return commits
                        .iter()
                        .map(|commit| commit["number"].as_u64().unwrap())
                        .collect();
                }
                Said::End => panic!("the tail has ended"),
            }
        }
    }
}

fn push(server: &Running, base: &str, prefix: &str, count: usize) {
    let mut push = push_of(base, &commits(prefix, count));
    push["replica"] = json!(prefix);
    let answer = server.push("acme", &push);
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn a_tail_begins_with_what_is_there_and_goes_on_with_what_comes() {
    let server = Running::start();
    let base = server.cursor("acme");
    push(&server, &base, "a", 3);

    let mut from_the_beginning = Tail::open(&server, "");
    let mut from_here = Tail::open(&server, &format!("?after={}", server.cursor("acme")));
    assert_eq!(from_the_beginning.commits(), [1, 2, 3]);
    push(&server, &base, "b", 2);

    assert_eq!(from_the_beginning.commits(), [4, 5]);
    assert_eq!(from_here.commits(), [4, 5]);
}

#[test]
fn a_tail_in_one_space_hears_nothing_of_another() {
    let server = Running::start();
    let mut tail = Tail::open(&server, "");
    server.push("other", &push_of(&server.cursor("other"), &commits("x", 1)));
    let base = server.cursor("acme");

    push(&server, &base, "a", 1);

    assert_eq!(tail.commits(), [1]);
}

#[test]
fn a_tail_sees_every_commit_of_many_writers_once_and_in_order() {
    let server = Running::start();
    let base = server.cursor("acme");
    let mut tails: Vec<Tail> = (0..3).map(|_| Tail::open(&server, "")).collect();

    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (server, base) = (&server, &base);
            scope.spawn(move || {
                for round in 0..20 {
                    push(server, base, &format!("{writer}-{round}"), 3);
                }
            });
        }
        for tail in &mut tails {
            scope.spawn(|| {
                let mut seen = Vec::new();
                while seen.len() < 240 {
                    seen.extend(tail.commits());
                }
                assert_eq!(seen, (1..=240).collect::<Vec<_>>());
            });
        }
    });
}

#[test]
fn a_tail_brings_what_came_while_nobody_watched() {
    let server = Running::start();
    let base = server.cursor("acme");
    let mut first = Tail::open(&server, "");
    push(&server, &base, "a", 1);
    assert_eq!(first.commits(), [1]);
    drop(first);
    until_open(&server, 0);
    // Whoever watches another space has this one forgotten.
    let other = server
        .request("GET", "/v1/spaces/other/tail")
        .token(&Claims::owner("other").sign());
    let _other = other.open();
    until_open(&server, 1);
    push(&server, &base, "b", 1);

    let mut second = Tail::open(&server, "");

    assert_eq!(second.commits(), [1, 2]);
}

fn until_open(server: &Running, tails: usize) {
    let line = format!("everfold_tails {tails}\n");
    while !server.get("/metrics", "").text.contains(&line) {
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_tail_shows_that_it_lives() {
    let server = Running::with(|settings| settings.limits.heartbeat = 1);
    let mut tail = Tail::open(&server, "");

    assert_eq!(
        [tail.next(), tail.next(), tail.next()],
        [Said::Comment, Said::Comment, Said::Comment]
    );
}

#[test]
fn a_reader_that_is_too_slow_is_told_to_pull_and_cut() {
    let server = Running::with(|settings| settings.limits.page_commits = 10);
    let base = server.cursor("acme");
    let mut tail = Tail::open(&server, "");
    push(&server, &base, "a", 1);
    assert_eq!(tail.commits(), [1]);

    push(&server, &base, "b", 11);

    assert!(matches!(tail.next(), Said::Event { name, .. } if name == "resync"));
    assert_eq!(tail.next(), Said::End);
}

#[test]
fn a_long_past_comes_in_pages() {
    let server = Running::with(|settings| settings.limits.page_commits = 10);
    let base = server.cursor("acme");
    push(&server, &base, "a", 25);

    let mut tail = Tail::open(&server, "");

    let pages = [tail.commits().len(), tail.commits().len(), tail.commits().len()];
    assert_eq!(pages, [10, 10, 5]);
    push(&server, &base, "b", 1);
    assert_eq!(tail.commits(), [26]);
}

#[test]
fn the_older_of_two_tails_of_a_replica_ends_and_nobody_ends_those_of_others() {
    let server = Running::start();
    let bob = Claims::new("bob", &json!({ "acme": {} })).sign();
    let mut older = Tail::open(&server, "?replica=device-1");
    let mut of_bob = Tail::with_token(&server, "?replica=device-1", &bob);
    let mut newer = Tail::open(&server, "?replica=device-1");
    let mut unnamed = Tail::open(&server, "");
    let base = server.cursor("acme");

    while older.next() != Said::End {}
    push(&server, &base, "a", 1);

    for tail in [&mut newer, &mut of_bob, &mut unnamed] {
        assert_eq!(tail.commits(), [1]);
    }
}

#[test]
fn a_device_that_comes_back_has_a_place_where_its_own_tail_took_the_last_one() {
    let server = Running::with(|settings| settings.limits.tails = 1);
    let mut older = Tail::open(&server, "?replica=device-1");
    let token = Claims::owner("acme").sign();
    let others = server.get("/v1/spaces/acme/tail?replica=device-2", &token);
    others.is_problem(503, "overloaded");

    let mut newer = Tail::open(&server, "?replica=device-1");

    while older.next() != Said::End {}
    push(&server, &server.cursor("acme"), "a", 1);
    assert_eq!(newer.commits(), [1]);
}

#[test]
fn a_tail_ends_when_its_token_does() {
    let server = Running::with(|settings| settings.tokens.leeway = 0);
    let claims = Claims::owner("acme").with("exp", json!(now() + 4));
    let mut tail = Tail::with_token(&server, "", &claims.sign());

    while tail.next() != Said::End {}
}

#[test]
fn a_token_that_ends_as_late_as_can_be_said_is_one() {
    let server = Running::start();
    let base = server.cursor("acme");
    let claims = Claims::owner("acme").with("exp", json!(u64::MAX));
    let mut tail = Tail::with_token(&server, "", &claims.sign());

    push(&server, &base, "a", 1);

    assert_eq!(tail.commits(), [1]);
}

#[test]
fn a_tail_that_is_far_behind_ends_when_its_token_does() {
    let server = far_behind();
    let claims = Claims::owner("acme").with("exp", json!(now() + 2));
    let tail = Tail::with_token(&server, "", &claims.sign());

    std::thread::sleep(Duration::from_secs(3));

    assert!(tail.commits_until_the_end() < FAR);
}

#[test]
fn a_tail_that_is_far_behind_ends_when_the_same_replica_opens_another() {
    let server = far_behind();
    let older = Tail::open(&server, "?replica=device-1");

    let _newer = Tail::open(&server, "?replica=device-1");

    assert!(older.commits_until_the_end() < FAR);
}

#[test]
fn a_tail_that_is_far_behind_ends_when_the_server_stops() {
    let mut server = far_behind();
    let tail = Tail::open(&server, "");

    server.ask_to_stop();
    std::thread::sleep(Duration::from_secs(1));

    assert!(tail.commits_until_the_end() < FAR);
}

#[test]
fn a_tail_that_nobody_reads_is_given_up() {
    let mut server = far_behind();
    server.stop();
    let impatient = |settings: &mut Settings| settings.limits.body_seconds = 1;
    let server = Running::start_in(Arc::clone(&server.folder), impatient, Arc::new(NoRules));
    let _stalled = server
        .request("GET", "/v1/spaces/acme/tail")
        .token(&Claims::owner("acme").sign())
        .open();
    until_open(&server, 1);

    let given_up = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        server.get("/metrics", "").text.contains("everfold_tails 0\n")
    });

    assert!(given_up, "it holds its place for ever");
}

/// More than the network holds, in pages of one commit.
const FAR: usize = 120;

fn far_behind() -> Running {
    let server = Running::with(|settings| {
        settings.tokens.leeway = 0;
        settings.limits.page_commits = 1;
        settings.limits.space_bytes = 1 << 30;
    });
    let base = server.cursor("acme");
    for round in 0..FAR / 10 {
        let mut commits = commits(&format!("{round}"), 10);
        for commit in &mut commits {
            commit["streams"][0]["events"][0]["data"] = json!("x".repeat(200_000));
        }
        assert_eq!(server.push("acme", &push_of(&base, &commits)).status, 200);
    }
    server
}

#[test]
fn what_is_wrong_with_a_place_is_told_before_the_stream_begins() {
    let server = Running::start();
    let cursor = server.cursor("acme").replace(".0.", ".7.");

    let reply = server.get(
        &format!("/v1/spaces/acme/tail?after={cursor}"),
        &Claims::owner("acme").sign(),
    );

    reply.is_problem(409, "history-diverged");
}

#[test]
fn lines_inside_of_a_payload_do_not_break_the_stream() {
    let server = Running::start();
    let cursor = server.cursor("acme");
    let send = |id: &str, stream: &str, data: &str| {
        let push = push_of(&cursor, &[commit(id, stream, 0)]).to_string();
        let body = push.replace(&format!("{{\"of\":\"{id}\"}}"), data);
        let request = server
            .request("POST", "/v1/spaces/acme/push")
            .token(&Claims::owner("acme").sign());
        let reply = request.header("content-type", "application/json").body(body).send();
        assert_eq!(reply.json()["results"][0]["status"], "accepted");
    };
    let mut tail = Tail::open(&server, "");

    send("c-1", "s-1", "{\n  \"a\": 1\n}");
    let event = loop {
        match tail.next() {
            Said::Comment => {}
            other => break other,
        }
    };
    assert!(matches!(event, Said::Event { data, .. } if data.contains("\"data\":{\n  \"a\": 1\n}")));

    // A carriage return ends a line of the stream and cannot be said: the reader pulls it.
    send("c-2", "s-2", "{\r\n}");
    assert!(matches!(tail.next(), Said::Event { name, .. } if name == "resync"));
    let pulled = server.get("/v1/spaces/acme/pull", &Claims::owner("acme").sign());
    assert!(pulled.text.contains("\"data\":{\r\n}"));
}

#[test]
fn one_answer_can_be_waited_for() {
    let server = Running::start();
    let base = server.cursor("acme");
    let token = Claims::owner("acme").sign();
    let wait = |seconds: u64| {
        server
            .get(&format!("/v1/spaces/acme/tail?after={base}&wait={seconds}"), &token)
            .json()
    };

    assert_eq!(wait(0)["commits"], json!([]));
    let began = Instant::now();
    assert_eq!(wait(1)["commits"], json!([]));
    assert!(began.elapsed() >= Duration::from_secs(1));
    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(30));
        while !server.get("/metrics", "").text.contains("everfold_tails 1") {
            std::thread::yield_now();
        }
        push(&server, &base, "a", 2);
        waiting.join().unwrap()
    });
    assert_eq!(waited["commits"].as_array().unwrap().len(), 2);
    assert_eq!(waited["more"], false);
}
