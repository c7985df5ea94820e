//! A long queue on a bad link: 5,000 pending commits, a third of the messages lost, two seconds there and back.

use std::rc::Rc;

use everfold::store::{Durability, MemoryDatabase, OpenOptions};
use everfold::sync::{Input, Output, Replica, Request};
use pollster::block_on;

use crate::faults::Tally;
use crate::gate::Gate;
use crate::ledger::Command;
use crate::random::Random;
use crate::server::{Ask, Question, Server, random_epoch};
use crate::shell::{self, App, Store};
use crate::tab::Body;
use crate::weather::Weather;

const PENDING: u64 = 5_000;
/// Of requests and of answers.
const LOSS: f64 = 0.3;
const ROUND_TRIP: i64 = 2_000;
/// The largest body that may be under way.
const MOST_BYTES: usize = 4 << 20;

#[test]
fn a_long_queue_drains_on_a_bad_link() {
    let mut random = Random::new(15);
    let server = Server::new(1_000, random_epoch(&mut random));
    let (store, app) = device();
    let space = server.state();
    block_on(shell::bind(&store, Some(space.head.cursor(space.epoch)), None)).expect("binds");
    fill(&store, &app);
    block_on(store.lead()).expect("leads");

    let drained = drain(&store, &server, &mut random);

    println!(
        "{PENDING} commits in {} requests and {} s, {} bytes at most",
        drained.requests,
        drained.took / 1_000,
        drained.most_bytes
    );
    assert_eq!(server.commits(0).len() as u64, PENDING);
    assert!(drained.requests < 60, "{} requests", drained.requests);
    assert!(drained.took < 600_000, "{} ms", drained.took);
    assert!(drained.most_bytes <= MOST_BYTES, "{} bytes", drained.most_bytes);
}

fn device() -> (Store, App) {
    let weather = Rc::new(Weather::of(&mut Random::new(0)));
    weather.calm_down();
    let (gate, control) = Gate::open(&MemoryDatabase::new(), 0, &weather, &Tally::default());
    let options = OpenOptions {
        replica: "replica-a".to_owned(),
        now: 0,
        durability: Durability::Strict,
    };
    let app = App {
        version: 1,
        broken: false,
        control,
    };
    (block_on(Store::open(gate, options)).expect("opens"), app)
}

/// What was done offline, for days.
fn fill(store: &Store, app: &App) {
    for number in 1..=PENDING {
        let command = Command::Deposit {
            account: (number % 50) as u8,
            amount: number,
        };
        block_on(shell::execute(store, app, &command, &format!("a:c{number}"), 0)).expect("is stored");
    }
}

#[derive(Default)]
struct Drained {
    requests: u64,
    took: i64,
    most_bytes: usize,
}

/// Does what the replica wants until nothing is pending.
fn drain(store: &Store, server: &Server, random: &mut Random) -> Drained {
    let mut drained = Drained::default();
    let (mut replica, mut now) = (Replica::new(), 0);
    let mut inputs = vec![
        Input::Start {
            pending: PENDING,
            rebase: false,
            bound: true,
            live: false,
            batch: 0,
        },
        Input::Leading(true),
    ];
    inputs.reverse();
    while block_on(shell::state(store)).expect("is bound").pending > 0 {
        let mut wakes = None;
        while let Some(input) = inputs.pop() {
            replica.handle(input, now, random.float());
            while let Some(output) = replica.poll_output() {
                match output {
                    Output::Token { .. } => inputs.push(Input::Token(true)),
                    Output::Send {
                        request,
                        kind,
                        max_commits,
                        max_bytes,
                    } => {
                        now += ROUND_TRIP;
                        drained.requests += 1;
                        let sizes = (max_commits as usize, max_bytes as usize);
                        let (input, bytes) = send(store, server, random, (request, kind), sizes, now);
                        drained.most_bytes = drained.most_bytes.max(bytes);
                        inputs.push(input);
                    }
                    Output::Wake { at } => wakes = Some(at),
                    _ => {}
                }
            }
        }
        now = wakes.unwrap_or(now).max(now);
        inputs.push(Input::Tick);
    }
    drained.took = now;
    drained
}

/// What comes of a request, and how large the larger of it and its answer is.
fn send(
    store: &Store,
    server: &Server,
    random: &mut Random,
    (request, kind): (u64, Request),
    (max_commits, max_bytes): (usize, usize),
    now: i64,
) -> (Input<'static>, usize) {
    let lost = Input::Failed {
        request,
        status: 0,
        problem: None,
        retry_after: None,
    };
    let body = block_on(shell::prepare(store, kind, max_commits, max_bytes)).expect("prepares");
    let (ask, bytes) = match body {
        Body::Push(text) => {
            let bytes = text.len();
            (Ask::Push(text), bytes)
        }
        Body::After(cursor) => (Ask::Pull(Some(cursor)), 0),
        Body::Nothing => (Ask::Capabilities, 0),
    };
    if random.chance(LOSS) {
        return (lost, bytes);
    }
    let question = Question {
        ask,
        token: i64::MAX,
        max_commits,
    };
    let answer = server.answer(&question, now);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let bytes = bytes.max(answer.text.len());
    if random.chance(LOSS) {
        return (lost, bytes);
    }
    let pulled = block_on(shell::apply(store, kind == Request::Push, &answer.text)).expect("is stored");
    let state = block_on(shell::state(store)).expect("is bound");
    let applied = Input::Applied {
        request,
        pending: state.pending,
        rebase: state.rebase,
        more: pulled.more,
        stopped: pulled.stopped,
        moved: pulled.moved,
    };
    (applied, bytes)
}
