//! One run: devices with tabs, a server, a network between them, and a clock that goes from one event to the next.

mod checks;
mod driver;
mod mishaps;
mod network;
mod people;
mod tabs;
mod tasks;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use everfold::store::{Adoption, MemoryDatabase, Recovery};
use everfold::sync::{Cursor, Input, Request};

use crate::faults::{Fault, Tally};
use crate::random::Random;
use crate::server::{Answer, Question, Server, random_epoch};
use crate::story::Story;
use crate::tab::{Job, Tab, TabId};
use crate::truth::Truth;
use crate::weather::Weather;

/// When every run begins: milliseconds since the epoch.
pub(crate) const BEGINNING: i64 = 1_790_000_000_000;
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
/// A tab that hears nothing looks for itself after so long.
const LOOK: i64 = 2 * SECOND;
/// How long after the last fault everything must be confirmed.
const PATIENCE: i64 = 60 * MINUTE;
/// How many events that may take.
const STEPS: u64 = 60_000;

enum Event {
    /// Somebody does something on a device.
    Act(usize),
    /// Something goes wrong with a device, the network or the server.
    Mishap,
    /// A task goes on.
    GoOn(TabId, u64),
    /// A request reaches the server. Nobody waits for the answer to an echo.
    Arrive {
        tab: TabId,
        request: u64,
        kind: Request,
        question: Question,
        echo: bool,
    },
    /// An answer reaches a tab; status 0 is none.
    Answered {
        tab: TabId,
        request: u64,
        kind: Request,
        answer: Answer,
    },
    /// A tail may have something to say.
    Flow(u64),
    /// A part of a tail reaches its tab, or its end.
    Tail {
        tab: TabId,
        request: u64,
        text: Option<String>,
    },
    Tick(TabId),
    Token(TabId, bool),
    Notice(TabId),
    Elect(usize),
    Thaw(TabId),
    /// A tab is opened on a device.
    Open(usize),
    Online(usize, bool),
    /// Somebody turns sync on.
    TurnOn(usize),
}

struct Queued {
    at: i64,
    order: u64,
    event: Event,
}

struct Device {
    name: String,
    /// The device that it is a copy of, or itself: it has the same name to the server.
    origin: usize,
    /// Whether sync is turned on.
    synced: bool,
    /// What becomes of the history that was made before it was.
    adopt: Option<Adoption>,
    /// What becomes of commits of others that the server has lost.
    recovery: Recovery,
    database: MemoryDatabase,
    tabs: Vec<Tab>,
    leader: Option<TabId>,
    /// The last tab that began to lead: only that one may write as leader.
    fence: Option<TabId>,
    version: u32,
    broken: bool,
    /// How far its clock is off.
    clock: i64,
    online: bool,
    /// Until when its token is good.
    token: i64,
    /// How many commands were given to it.
    commands: u64,
    /// How many operations are left.
    operations: u64,
    /// Commits that were acknowledged here.
    acknowledged: BTreeSet<String>,
    /// When what is on its disk was looked at last.
    checked: i64,
    /// Refusals that were dismissed here.
    dismissed: BTreeSet<String>,
    /// Orphans that somebody wants given back.
    retried: BTreeSet<String>,
}

/// A tail at the server.
struct Tail {
    tab: TabId,
    request: u64,
    cursor: Cursor,
    /// When the last part of it arrives: parts do not overtake each other.
    last: i64,
}

pub(crate) struct World {
    random: Random,
    now: i64,
    queue: BinaryHeap<Reverse<Queued>>,
    order: u64,
    numbers: u64,
    devices: Vec<Device>,
    /// The accounts of the ledger. Few, so that commits meet.
    accounts: u8,
    server: Server,
    truth: Truth,
    tails: BTreeMap<u64, Tail>,
    weather: Rc<Weather>,
    tally: Tally,
    story: Story,
    calm: bool,
    /// Something was refused and may have been accepted nevertheless: a copy of the profile had other plans, or the
    /// server forgot.
    ambiguous: bool,
}

impl World {
    pub(crate) fn new(seed: u64, tally: &Tally, story: &Story) -> Self {
        let mut random = Random::new(seed);
        let weather = Rc::new(Weather::of(&mut random));
        let page_commits = *random.one_of(&[1, 3, 10, 1_000]);
        let server = Server::new(page_commits, random_epoch(&mut random));
        let accounts = *random.one_of(&[2, 4, 6]);
        let mut world = Self {
            random,
            now: BEGINNING,
            queue: BinaryHeap::new(),
            order: 0,
            numbers: 0,
            devices: Vec::new(),
            accounts,
            server,
            truth: Truth::new(),
            tails: BTreeMap::new(),
            weather,
            tally: tally.clone(),
            story: story.clone(),
            calm: false,
            ambiguous: false,
        };
        let devices = world.random.between(2, 5);
        let operations = world.random.between(200, 500);
        for number in 0..devices {
            let name = char::from(b'a' + number as u8).to_string();
            world.add_device(name, MemoryDatabase::new(), operations / devices);
        }
        world.begin();
        world.after(20 * SECOND, Event::Mishap);
        world
    }

    /// Some devices may have a history when sync is turned on; or only the first one, and the others come then.
    fn begin(&mut self) {
        let late = self.weather.allows(Fault::LateSync);
        let alone = late && self.random.chance(0.5);
        let mut beginning = 0;
        for device in 0..self.devices.len() {
            let begins = beginning
                + if alone {
                    self.random.between(0, 20_000) as i64
                } else {
                    0
                };
            self.begin_device(device, begins);
            if late && self.random.chance(if alone { 1.0 } else { 0.4 }) && beginning == 0 {
                let on = self.random.between(5_000, 120_000) as i64;
                self.devices[device].synced = false;
                self.devices[device].adopt =
                    *self
                        .random
                        .one_of(&[None, Some(Adoption::Empty), Some(Adoption::Rebase)]);
                self.after(on, Event::TurnOn(device));
                beginning = if alone { on } else { 0 };
            }
        }
    }

    fn begin_device(&mut self, device: usize, after: i64) {
        for _ in 0..self.random.between(1, 3) {
            self.after(after, Event::Open(device));
        }
        self.after(after + SECOND, Event::Act(device));
    }

    fn add_device(&mut self, name: String, database: MemoryDatabase, operations: u64) {
        let origin = self.devices.len();
        let recoveries = [Recovery::Ask, Recovery::Ask, Recovery::Auto, Recovery::Discard];
        let recovery = *self.random.one_of(&recoveries);
        self.devices.push(Device {
            name,
            origin,
            synced: true,
            adopt: None,
            recovery,
            database,
            tabs: Vec::new(),
            leader: None,
            fence: None,
            version: 1,
            broken: false,
            clock: 0,
            online: true,
            token: 0,
            commands: 0,
            operations,
            acknowledged: BTreeSet::new(),
            checked: 0,
            dismissed: BTreeSet::new(),
            retried: BTreeSet::new(),
        });
    }

    /// Lives through everything, lets it calm down, and checks what is left.
    pub(crate) fn run(mut self) {
        while self.devices.iter().any(|device| device.operations > 0) {
            self.step();
        }
        self.calm_down();
        let (patience, mut steps) = (self.now + PATIENCE, 0);
        let mut look = self.now;
        loop {
            self.step();
            steps += 1;
            if self.now < look {
                continue;
            }
            look = self.now + 5 * SECOND;
            if self.unsettled().next().is_none() {
                break;
            }
            assert!(
                self.now < patience && steps < STEPS,
                "I6: after {steps} steps and {} s without faults: {}",
                (self.now + PATIENCE - patience) / SECOND,
                self.unsettled().collect::<Vec<_>>().join("; ")
            );
        }
        self.check_end();
    }

    fn after(&mut self, milliseconds: i64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Queued {
            at: self.now + milliseconds.max(0),
            order: self.order,
            event,
        }));
    }

    fn step(&mut self) {
        let Some(Reverse(next)) = self.queue.pop() else {
            self.now += SECOND;
            return;
        };
        self.now = next.at;
        if let Some(tab) = next.event.tab()
            && let Some(until) = self.tab(tab).and_then(|tab| tab.frozen_until)
            && !matches!(next.event, Event::Thaw(_))
        {
            self.after(until - self.now + 1, next.event);
            return;
        }
        self.happen(next.event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(device) => self.act(device),
            Event::Mishap => self.mishap(),
            Event::GoOn(tab, task) => self.go_on(tab, task),
            Event::Arrive {
                tab,
                request,
                kind,
                question,
                echo,
            } => self.arrive(tab, request, kind, &question, echo),
            Event::Answered {
                tab,
                request,
                kind,
                answer,
            } => self.answered(tab, request, kind, answer),
            Event::Flow(tail) => self.flow(tail),
            Event::Tail { tab, request, text } => self.tail_brings(tab, request, text),
            Event::Tick(tab) => self.tell(tab, Input::Tick),
            Event::Token(tab, ok) => {
                if ok && let Some(device) = self.devices.get_mut(tab.device) {
                    device.token = self.now + self.random.between(1, 30) as i64 * MINUTE;
                }
                self.tell(tab, Input::Token(ok));
            }
            Event::Notice(tab) => self.job(tab, Job::CatchUp),
            Event::Elect(device) => self.elect(device),
            Event::Thaw(tab) => self.thaw(tab),
            Event::Open(device) => self.open(device),
            Event::Online(device, online) => self.online(device, online),
            Event::TurnOn(device) => self.turn_on(device),
        }
    }

    fn strikes(&mut self, fault: Fault, probability: f64) -> bool {
        let strikes = self.weather.allows(fault) && self.random.chance(probability * self.weather.strength());
        if strikes {
            self.tally.struck(fault);
        }
        strikes
    }

    fn say(&self, line: impl FnOnce() -> String) {
        self.story.tell(self.now - BEGINNING, line);
    }
}

impl Event {
    /// The tab that it happens to: it waits while that is frozen.
    fn tab(&self) -> Option<TabId> {
        match self {
            Self::GoOn(tab, _)
            | Self::Answered { tab, .. }
            | Self::Tail { tab, .. }
            | Self::Tick(tab)
            | Self::Token(tab, _)
            | Self::Notice(tab) => Some(*tab),
            _ => None,
        }
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
