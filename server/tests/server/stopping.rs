//! Being asked to stop.

use std::io::{Read, Write};
use std::time::Duration;

use serde_json::json;

use crate::commits::{commits, push_of};
use crate::process::{Process, with_a_disk_that_stands_still};
use crate::running::{Folder, Running};
use crate::tokens::Claims;

#[test]
fn a_server_that_is_asked_to_stop_ends_its_tails_and_goes() {
    let folder = Folder::new();
    let mut server = Process::start(&folder.path("data"), "127.0.0.1:0");
    let token = Claims::owner("acme").sign();
    let mut tails: Vec<_> = (0..5)
        .map(|_| server.request("GET", "/v1/spaces/acme/tail").token(&token).open())
        .collect();
    for tail in &mut tails {
        tail.read_exact(&mut [0; 12]).unwrap();
    }

    server.terminate();

    for tail in &mut tails {
        let mut rest = String::new();
        tail.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "it ends as a stream ends: {rest:?}");
    }
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_push_that_is_under_way_is_answered_before_the_server_stops() {
    let mut server = Running::start();
    let base = server.cursor("acme");
    let body = push_of(&base, &commits("c", 500)).to_string();
    let request = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&Claims::owner("acme").sign());
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = request
        .header("content-type", "application/json")
        .header("expect", "100-continue")
        .body_of_length(body.len(), first.to_owned())
        .open();
    // What says that it is under way: the server has begun to read it.
    let mut begun = [0; 25];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.ask_to_stop();
    while server.request("GET", "/healthz").try_send().is_some() {
        std::thread::yield_now();
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.stop();
    let again = Running::start_in(
        std::sync::Arc::clone(&server.folder),
        |_| (),
        std::sync::Arc::new(everfold_server::NoRules),
    );
    assert_eq!(again.number("acme"), 500);
}

#[test]
fn a_server_whose_disk_stands_still_stops_when_its_time_is_over() {
    let (stopped, waited) = with_a_disk_that_stands_still(&["--limit", "stop-seconds=1"], 6, |server, _| {
        server.terminate();
        // Each of them would wait for ten seconds.
        (0..300).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            server.child.try_wait().unwrap().is_some()
        })
    });

    assert!(stopped, "it waits for the disk");
    assert!(waited.iter().all(Option::is_none), "nobody is told that it is stored");
}

#[test]
fn a_server_that_stopped_leaves_one_file() {
    let mut server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 3)));

    server.stop();

    assert!(server.folder.path("data.sqlite3").exists());
    assert!(!server.folder.path("data.sqlite3-wal").exists());
}

#[test]
fn health_and_readiness_are_told_without_a_token() {
    let server = Running::start();
    server.push("acme", &push_of(&server.cursor("acme"), &commits("c", 3)));

    assert_eq!(server.request("GET", "/healthz").send().status, 200);
    assert_eq!(server.request("GET", "/readyz").send().status, 200);
    let metrics = server.request("GET", "/metrics").send().text;
    for line in [
        "everfold_commits_total{result=\"accepted\"} 3",
        "everfold_requests_total{route=\"/v1/spaces/{space}/push\",status=\"200\"} 1",
        "everfold_tails 0",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("acme"), "{}", json!(metrics));
}
