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
#[cfg(feature = "planted-bugs")]
use crate::runs;
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
    app: App,
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

/// What two devices do.
struct Scene {
    scripts: [Vec<Command>; 2],
    /// The second is a copy of the first, with a transfer pending that stands on what somebody else has changed.
    twins: bool,
}

impl Small {
    fn new(scene: &Scene) -> Self {
        // Pages of one commit: so what is missing comes in parts.
        let server = Server::new(1, Epoch([1; 16]));
        let cursor = server.state().head.cursor(server.state().epoch);
        let databases = [MemoryDatabase::new(), MemoryDatabase::new()];
        let device = |number: usize, database: &MemoryDatabase| {
            let (store, app) = opened(number, database, cursor);
            Device {
                store,
                app,
                commands: scene.scripts[number].iter().cloned().collect(),
                given: 0,
                request: None,
            }
        };
        let [first, second] = &databases;
        let mut small = Self {
            devices: [device(0, first), device(1, second)],
            server,
            truth: Truth::new(),
            given_up: Vec::new(),
            faults: 0,
            acknowledged: Vec::new(),
        };
        if scene.twins {
            small.give(0, &Command::Deposit { account: 0, amount: 5 }, "a:deposit");
            small.take(Step::Send(0));
            small.take(Step::Answer(0));
            small.give(0, &Command::Sweep { from: 0, to: 1 }, "a:sweep");
            small.give(1, &Command::Charge { account: 0, amount: 3 }, "x:charge");
            small.take(Step::Send(1));
            small.take(Step::Answer(1));
            small.devices[1] = device(1, &first.copy());
        }
        small
    }

    fn after(scene: &Scene, path: &[Step]) -> Self {
        let mut small = Self::new(scene);
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
                let device = &self.devices[number];
                block_on(shell::walk(&device.store, &device.app)).expect("is stored");
            }
        }
    }

    fn command(&mut self, number: usize) {
        let device = &mut self.devices[number];
        let command = device.commands.pop_front().expect("there is one");
        device.given += 1;
        let id = format!("{}:c{}", ["a", "b"][number], device.given);
        self.give(number, &command, &id);
    }

    fn give(&mut self, number: usize, command: &Command, id: &str) {
        let device = &self.devices[number];
        let executed = block_on(shell::execute(&device.store, &device.app, command, id, 0)).expect("is stored");
        if matches!(executed, Executed::Appended) {
            self.acknowledged.push(id.to_owned());
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

fn opened(number: usize, database: &MemoryDatabase, cursor: Cursor) -> (Rc<Store>, App) {
    let weather = Rc::new(Weather::of(&mut Random::new(0)));
    weather.calm_down();
    let (gate, control) = Gate::open(database, 0, &weather, &Tally::default());
    let options = OpenOptions {
        replica: format!("replica-{number}"),
        now: 0,
        durability: Durability::Strict,
    };
    let store = block_on(Store::open(gate, options)).expect("opens");
    block_on(shell::bind(&store, Some(cursor), None)).expect("binds");
    block_on(store.lead()).expect("leads");
    let app = App {
        version: 1,
        broken: false,
        control,
    };
    (Rc::new(store), app)
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

/// All states that a scene leads to; returns how many.
fn explore(scene: &Scene) -> usize {
    let mut known = HashSet::new();
    let mut paths = VecDeque::from([Vec::new()]);
    while let Some(path) = paths.pop_front() {
        let small = Small::after(scene, &path);
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
    let apart = |scripts| Scene { scripts, twins: false };
    let scenes = [
        apart([vec![deposit(5), empty()], vec![deposit(4)]]),
        apart([vec![deposit(5), withdraw(5)], vec![charge()]]),
        apart([vec![deposit(5), transfer()], vec![limit()]]),
        apart([vec![charge(), deposit(9)], vec![empty()]]),
        twins(),
    ];

    let states: usize = thread::scope(|scope| {
        let explorers: Vec<_> = scenes.iter().map(|scene| scope.spawn(|| explore(scene))).collect();
        let states = explorers
            .into_iter()
            .map(|explorer| explorer.join().expect("everything holds"));
        states.sum()
    });

    println!("{states} states");
}

/// What one twin does stands on the transfer; the other one has it decided again.
fn twins() -> Scene {
    let withdraw = Command::Withdraw { account: 1, amount: 5 };
    Scene {
        scripts: [vec![withdraw], vec![]],
        twins: true,
    }
}

/// What does not hold in some way that twins can go, if something does not.
#[cfg(feature = "planted-bugs")]
pub(crate) fn explore_twins() -> Option<String> {
    runs::caught_silently(|| {
        explore(&twins());
    })
    .err()
}
