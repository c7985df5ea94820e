//! Every way that two devices, three commands and two faults can go: small, and complete.
//!
//! A state is what the stores of both devices, the log of the server and the network hold. From each one, all steps are
//! tried; what must hold is checked after each; and from each one everything drains once no more goes wrong. A path is lived
//! through again from its beginning instead of being undone: that is what the real store and authority cost.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::thread;

use everfold::store::{Durability, MemoryDatabase, OpenOptions};
use everfold::sync::{Cursor, Epoch, Request};
use pollster::block_on;

use crate::faults::Tally;
use crate::gate::Gate;
use crate::ledger::Command;
use crate::random::Random;
use crate::server::{Answer, Ask, Question, Server};
use crate::shell::{self, App, Executed, Store};
use crate::tab::Body;
use crate::truth::Truth;
use crate::weather::Weather;

/// How many faults a path may have. A build for finding bugs is too slow for more.
const FAULTS: usize = if cfg!(debug_assertions) { 1 } else { 2 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A device gets its next command.
    Command(usize),
    /// It sends what is pending, or asks for what there is.
    Send(usize),
    /// The server answers its request, and the device hears.
    Answer(usize),
    /// A fault: the server takes the request, and the device hears nothing.
    Lose(usize),
    /// A fault: the device gives its request up, which is still under way.
    GiveUp(usize),
    /// A request that was given up arrives.
    Arrive(usize),
    /// It decides again.
    Walk(usize),
}

struct Device {
    store: Rc<Store>,
    commands: VecDeque<Command>,
    given: usize,
    request: Option<Question>,
}

struct Small {
    devices: [Device; 2],
    server: Server,
    truth: Truth,
    given_up: Vec<Question>,
    faults: usize,
    acknowledged: Vec<String>,
}

const APP: App = App {
    version: 1,
    broken: false,
};

impl Small {
    fn new(scripts: &[Vec<Command>; 2]) -> Self {
        // Pages of one commit: so what is missing comes in parts.
        let server = Server::new(1, Epoch([1; 16]));
        let cursor = server.state().head.cursor(server.state().epoch);
        let device = |number: usize| Device {
            store: opened(number, cursor),
            commands: scripts[number].iter().cloned().collect(),
            given: 0,
            request: None,
        };
        Self {
            devices: [device(0), device(1)],
            server,
            truth: Truth::new(),
            given_up: Vec::new(),
            faults: 0,
            acknowledged: Vec::new(),
        }
    }

    fn after(scripts: &[Vec<Command>; 2], path: &[Step]) -> Self {
        let mut small = Self::new(scripts);
        for step in path {
            small.take(*step);
        }
        small
    }

    /// What may happen next.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, device) in self.devices.iter().enumerate() {
            let state = block_on(shell::state(&device.store)).expect("is bound");
            if !device.commands.is_empty() {
                steps.push(Step::Command(number));
            }
            if state.rebase {
                steps.push(Step::Walk(number));
            }
            if device.request.is_none() {
                let behind = state.head.number < self.server.state().head.number;
                if behind || (state.pending > 0 && !state.rebase) {
                    steps.push(Step::Send(number));
                }
            } else {
                steps.push(Step::Answer(number));
                if self.faults < FAULTS {
                    steps.extend([Step::Lose(number), Step::GiveUp(number)]);
                }
            }
        }
        steps.extend((0..self.given_up.len()).map(Step::Arrive));
        steps
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Command(number) => self.command(number),
            Step::Send(number) => self.devices[number].request = Some(question(&self.devices[number].store)),
            Step::Answer(number) => {
                let question = self.devices[number].request.take().expect("it is under way");
                let answer = self.serve(&question);
                let pushes = matches!(question.ask, Ask::Push(_));
                block_on(shell::apply(&self.devices[number].store, pushes, &answer.text)).expect("is stored");
            }
            Step::Lose(number) => {
                let question = self.devices[number].request.take().expect("it is under way");
                self.serve(&question);
                self.faults += 1;
            }
            Step::GiveUp(number) => {
                self.given_up.extend(self.devices[number].request.take());
                self.faults += 1;
            }
            Step::Arrive(place) => {
                let question = self.given_up.remove(place);
                self.serve(&question);
            }
            Step::Walk(number) => {
                block_on(shell::walk(&self.devices[number].store, APP)).expect("is stored");
            }
        }
    }

    fn command(&mut self, number: usize) {
        let device = &mut self.devices[number];
        let command = device.commands.pop_front().expect("there is one");
        device.given += 1;
        let id = format!("{}:c{}", ["a", "b"][number], device.given);
        let executed = block_on(shell::execute(&device.store, APP, &command, &id, 0)).expect("is stored");
        if matches!(executed, Executed::Appended) {
            self.acknowledged.push(id);
        }
    }

    /// The rules are checked with each commit that the server takes.
    fn serve(&mut self, question: &Question) -> Answer {
        let answer = self.server.answer(question, 0);
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.truth.follow(&self.server);
        answer
    }

    /// What tells this state from others.
    fn fingerprint(&self) -> String {
        let devices = self.devices.each_ref().map(|device| {
            let state = block_on(shell::state(&device.store)).expect("is bound");
            let events = block_on(shell::read_all(&device.store)).expect("reads");
            let refusals = block_on(device.store.refusals()).expect("reads");
            let push = block_on(device.store.push_body(10, 10_000)).expect("reads");
            format!(
                "{state:?} {events:?} {refusals} {push:?} {:?} {}",
                device.request, device.given
            )
        });
        format!(
            "{devices:?} {:?} {:?} {}",
            self.truth.events, self.given_up, self.faults
        )
    }

    /// Without further faults and commands all is confirmed or refused, and both devices have it.
    fn drains(mut self) {
        for _ in 0..40 {
            let calm = |step: &Step| matches!(step, Step::Answer(_) | Step::Walk(_) | Step::Send(_) | Step::Arrive(_));
            let Some(step) = self.steps().into_iter().find(calm) else {
                return self.check_end();
            };
            self.take(step);
        }
        panic!("I6: it does not drain: {}", self.fingerprint());
    }

    fn check_end(&self) {
        for id in &self.acknowledged {
            let refused = self.devices.iter().any(|device| {
                let refusals = block_on(device.store.refusals()).expect("reads");
                refusals.contains(&format!("\"{id}\""))
            });
            assert!(self.truth.contains(id) || refused, "I1: {id} is nowhere");
        }
        for device in &self.devices {
            let events = block_on(shell::read_all(&device.store)).expect("reads");
            assert_eq!(events, self.truth.events, "I2: a device has another log");
        }
    }
}

fn opened(number: usize, cursor: Cursor) -> Rc<Store> {
    let weather = Rc::new(Weather::of(&mut Random::new(0)));
    weather.calm_down();
    let (gate, _) = Gate::open(&MemoryDatabase::new(), 0, &weather, &Tally::default());
    let options = OpenOptions {
        replica: format!("replica-{number}"),
        now: 0,
        durability: Durability::Strict,
    };
    let store = block_on(Store::open(gate, options)).expect("opens");
    block_on(shell::bind(&store, Some(cursor))).expect("binds");
    block_on(store.lead()).expect("leads");
    Rc::new(store)
}

fn question(store: &Store) -> Question {
    let body = block_on(shell::prepare(store, Request::Push, 10, 10_000)).expect("prepares");
    let ask = match body {
        Body::Push(text) => Ask::Push(text),
        Body::After(cursor) => Ask::Pull(Some(cursor)),
        Body::Nothing => Ask::Capabilities,
    };
    Question {
        ask,
        token: i64::MAX,
        max_commits: 1,
    }
}

/// All states that a script leads to; returns how many.
fn explore(scripts: &[Vec<Command>; 2]) -> usize {
    let mut known = HashSet::new();
    let mut paths = VecDeque::from([Vec::new()]);
    while let Some(path) = paths.pop_front() {
        let small = Small::after(scripts, &path);
        if !known.insert(small.fingerprint()) {
            continue;
        }
        for step in small.steps() {
            let mut longer: Vec<Step> = path.clone();
            longer.push(step);
            paths.push_back(longer);
        }
        small.drains();
    }
    known.len()
}

#[test]
fn every_way_that_two_devices_can_go_is_right() {
    let deposit = |amount| Command::Deposit { account: 0, amount };
    let withdraw = |amount| Command::Withdraw { account: 0, amount };
    let empty = || Command::Empty { account: 0 };
    let transfer = || Command::Transfer {
        from: 0,
        to: 1,
        amount: 5,
    };
    let charge = || Command::Charge { account: 0, amount: 9 };
    let limit = || Command::SetLimit { limit: 3 };
    let scripts = [
        [vec![deposit(5), empty()], vec![deposit(4)]],
        [vec![deposit(5), withdraw(5)], vec![charge()]],
        [vec![deposit(5), transfer()], vec![limit()]],
        [vec![charge(), deposit(9)], vec![empty()]],
    ];

    let states: usize = thread::scope(|scope| {
        let explorers: Vec<_> = scripts.iter().map(|scripts| scope.spawn(|| explore(scripts))).collect();
        let states = explorers
            .into_iter()
            .map(|explorer| explorer.join().expect("everything holds"));
        states.sum()
    });

    println!("{states} states");
}
