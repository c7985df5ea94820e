//! The server is killed in the middle of pushes, over and over, while a client goes on trying.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::commits::{commit, push_of};
use crate::process::{Process, ask};
use crate::running::{Folder, Request};
use crate::tokens::Claims;

const KILLS: u64 = 20;
const COMMITS: usize = 15;

#[test]
fn what_was_acknowledged_is_there_exactly_once_however_often_the_server_is_killed() {
    let folder = Folder::new();
    let data = folder.path("data.sqlite3");
    let token = Claims::owner("acme").sign();
    let mut server = Process::start(&data, "127.0.0.1:0");
    // Another one each time: somebody else may have taken the last one meanwhile.
    let address = Mutex::new(server.address);
    let base = server.get("/v1/spaces/acme", &token).json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);

    let acknowledged = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut acknowledged = HashMap::new();
            let mut batch = 0;
            while !done.load(Ordering::SeqCst) {
                let id = |index: usize| format!("c-{batch}-{index}");
                let commits: Vec<Value> = (0..COMMITS)
                    .map(|index| commit(&id(index), &format!("s-{index}"), batch))
                    .collect();
                let push = push_of(&base, &commits);
                // The same bytes until somebody says what became of them.
                let answer = loop {
                    let request = Request::to(*address.lock().unwrap(), "POST", "/v1/spaces/acme/push")
                        .token(&token)
                        .json(&push);
                    match request.try_send() {
                        Some(reply) if reply.status == 200 => break reply.json(),
                        Some(reply) => assert!([429, 503].contains(&reply.status), "{}", reply.text),
                        None => std::thread::sleep(Duration::from_millis(2)),
                    }
                };
                for result in answer["results"].as_array().unwrap() {
                    assert!(
                        ["accepted", "duplicate"].contains(&result["status"].as_str().unwrap()),
                        "{result}"
                    );
                    let id = result["id"].as_str().unwrap().to_owned();
                    acknowledged.insert(id, result["number"].as_u64().unwrap());
                }
                batch += 1;
                answered.fetch_add(1, Ordering::SeqCst);
            }
            acknowledged
        });
        for kill in 0..KILLS {
            // Of each server something comes through, however slow the machine is.
            let before = answered.load(Ordering::SeqCst);
            while answered.load(Ordering::SeqCst) == before && !client.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Somewhere in a push, another place each time.
            std::thread::sleep(Duration::from_millis(20 + kill * 37 % 90));
            server.kill();
            server = Process::start(&data, "127.0.0.1:0");
            *address.lock().unwrap() = server.address;
        }
        done.store(true, Ordering::SeqCst);
        client.join().unwrap()
    });

    assert!(
        acknowledged.len() > COMMITS * 10,
        "only {} commits came through",
        acknowledged.len()
    );
    let mut found = HashMap::new();
    let mut after = String::new();
    loop {
        let page = server
            .get(&format!("/v1/spaces/acme/pull?limit=10000{after}"), &token)
            .json();
        for commit in page["commits"].as_array().unwrap() {
            let (id, number) = (
                commit["id"].as_str().unwrap().to_owned(),
                commit["number"].as_u64().unwrap(),
            );
            assert_eq!(number, found.len() as u64 + 1, "there is a hole");
            assert_eq!(found.insert(id, number), None, "a commit is there twice");
        }
        if page["more"] == false {
            break;
        }
        after = format!("&after={}", page["cursor"].as_str().unwrap());
    }
    for (id, number) in &acknowledged {
        assert_eq!(found.get(id), Some(number), "{id} was acknowledged");
    }
    drop(server);
    assert!(ask(&data, &["verify"]).contains(&format!("{} commits", found.len())));
}
