//! What holds whatever devices, their tabs and a server do, in whichever order.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use everfold::commit::Mode;
use everfold::store::{MemoryDatabase, MemoryStorage, Query, RebaseStep, Store, Table};
use proptest::prelude::*;
use serde_json::Value;

use crate::contract::all;
use crate::contract::export::export;
use crate::contract::log::{Seen, any, append, over, read_all};
use crate::history::assert_sound;
use crate::space::{Order, Space, assert_decided, bind, decide, decision, execute, rebase, store_answers, sync};

const STREAMS: [&str; 4] = ["a", "b", "c", "d"];
const KINDS: [&str; 3] = ["put", "add", "take"];

/// One thing that happens. Devices are 0 and 1, each has two tabs.
#[derive(Debug, Clone)]
enum Step {
    Execute {
        device: usize,
        tab: usize,
        kind: usize,
        amounts: BTreeMap<usize, i64>,
        read: Option<usize>,
        fact: bool,
    },
    Append {
        device: usize,
        tab: usize,
        stream: usize,
    },
    /// A push of so many commits; its answer is lost, or comes after that of a pull.
    Push {
        device: usize,
        commits: usize,
        lost: bool,
        late: bool,
    },
    /// What was pushed once arrives again.
    Again {
        which: usize,
    },
    Pull {
        device: usize,
        commits: usize,
    },
    /// A walk, given up after so many questions; every n-th commit cannot be decided. Another tab may append meanwhile.
    Rebase {
        device: usize,
        questions: usize,
        blocks: Option<usize>,
        beside: bool,
    },
    Lead {
        device: usize,
        tab: usize,
    },
    Seal {
        device: usize,
        tab: usize,
    },
    Compact {
        device: usize,
    },
    Reopen {
        device: usize,
        tab: usize,
    },
    /// The server refuses events of this kind from now on, or none.
    Refuse {
        kind: Option<usize>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let amounts = prop::collection::btree_map(0..4_usize, -3..6_i64, 1..3);
    let any_tab = || (0..2_usize, 0..2_usize);
    prop_oneof![
        8 => (any_tab(), 0..3_usize, amounts, prop::option::weighted(0.3, 0..4_usize), prop::bool::weighted(0.2))
            .prop_map(|((device, tab), kind, amounts, read, fact)| Step::Execute { device, tab, kind, amounts, read, fact }),
        1 => (any_tab(), 0..4_usize).prop_map(|((device, tab), stream)| Step::Append { device, tab, stream }),
        3 => (0..2_usize, 1..4_usize, prop::bool::weighted(0.3), prop::bool::weighted(0.3))
            .prop_map(|(device, commits, lost, late)| Step::Push { device, commits, lost, late }),
        1 => (0..100_usize).prop_map(|which| Step::Again { which }),
        3 => (0..2_usize, 1..4_usize).prop_map(|(device, commits)| Step::Pull { device, commits }),
        3 => (0..2_usize, 0..5_usize, prop::option::weighted(0.3, 2..4_usize), prop::bool::weighted(0.3))
            .prop_map(|(device, questions, blocks, beside)| Step::Rebase { device, questions, blocks, beside }),
        1 => any_tab().prop_map(|(device, tab)| Step::Lead { device, tab }),
        1 => any_tab().prop_map(|(device, tab)| Step::Seal { device, tab }),
        1 => (0..2_usize).prop_map(|device| Step::Compact { device }),
        1 => any_tab().prop_map(|(device, tab)| Step::Reopen { device, tab }),
        1 => prop::option::weighted(0.4, 0..3_usize).prop_map(|kind| Step::Refuse { kind }),
    ]
}

struct Device {
    database: MemoryDatabase,
    tabs: [Store<MemoryStorage>; 2],
    leader: usize,
    /// Commits that were reported as stored.
    stored: HashSet<String>,
}

struct World {
    space: Space,
    devices: Vec<Device>,
    orders: HashMap<String, (Order, Mode)>,
    pushes: RefCell<Vec<String>>,
    count: usize,
}

impl World {
    async fn new() -> Self {
        let space = Space::new().await;
        let mut devices = Vec::new();
        for _ in 0..2 {
            let database = MemoryDatabase::new();
            let tabs = [
                over(MemoryStorage::open(&database)).await,
                over(MemoryStorage::open(&database)).await,
            ];
            bind(&tabs[0], &space, None).await.expect("binds");
            devices.push(Device {
                database,
                tabs,
                leader: 0,
                stored: HashSet::new(),
            });
        }
        Self {
            space,
            devices,
            orders: HashMap::new(),
            pushes: RefCell::default(),
            count: 0,
        }
    }

    fn leader(&self, device: usize) -> &Store<MemoryStorage> {
        let device = &self.devices[device];
        &device.tabs[device.leader]
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Execute {
                device,
                tab,
                kind,
                amounts,
                read,
                fact,
            } => {
                self.count += 1;
                let id = format!("c{} of {device}", self.count);
                let amounts: Vec<_> = amounts
                    .iter()
                    .map(|(stream, amount)| (STREAMS[*stream], *amount))
                    .collect();
                let reads: Vec<_> = read.iter().map(|stream| STREAMS[*stream]).collect();
                let reads: Vec<_> = reads
                    .into_iter()
                    .filter(|stream| amounts.iter().all(|(written, _)| written != stream))
                    .collect();
                let order = Order::new(KINDS[*kind], &amounts, &reads);
                let mode = if *fact { Mode::Fact } else { Mode::Intent };
                self.execute(*device, *tab, id, order, mode).await;
            }
            Step::Append { device, tab, stream } => {
                self.count += 1;
                let id = format!("c{} of {device}", self.count);
                append(&self.devices[*device].tabs[*tab], &[any(&id, STREAMS[*stream])]).await;
                self.devices[*device].stored.insert(id);
            }
            Step::Push {
                device,
                commits,
                lost,
                late,
            } => self.push(*device, *commits, *lost, *late).await,
            Step::Again { which } => {
                let pushes = self.pushes.borrow().clone();
                if !pushes.is_empty() {
                    self.space.push(&pushes[which % pushes.len()]).await.expect("is judged");
                }
            }
            Step::Pull { device, commits } => self.pull(*device, *commits).await,
            Step::Rebase {
                device,
                questions,
                blocks,
                beside,
            } => self.rebase(*device, *questions, *blocks, *beside).await,
            Step::Lead { device, tab } => {
                self.devices[*device].tabs[*tab].lead().await.expect("leads");
                self.devices[*device].leader = *tab;
            }
            Step::Seal { device, tab } => {
                self.devices[*device].tabs[*tab].seal().await.expect("seals");
            }
            Step::Compact { device } => {
                self.devices[*device].tabs[0].compact(2).await.expect("compacts");
            }
            Step::Reopen { device, tab } => {
                let device = &mut self.devices[*device];
                device.tabs[*tab] = over(MemoryStorage::open(&device.database)).await;
                if device.leader == *tab {
                    device.tabs[*tab].lead().await.expect("leads");
                }
            }
            Step::Refuse { kind } => {
                *self.space.refuses.borrow_mut() = kind.iter().map(|kind| KINDS[*kind].to_owned()).collect();
            }
        }
    }

    async fn execute(&mut self, device: usize, tab: usize, id: String, order: Order, mode: Mode) {
        let store = &self.devices[device].tabs[tab];
        let mut outcome = execute(store, &id, &order, mode).await.expect("answers");
        if outcome == "conflict" {
            // It lagged; now it does not.
            outcome = execute(store, &id, &order, mode).await.expect("answers");
        }
        if outcome == "appended" {
            self.devices[device].stored.insert(id.clone());
            self.orders.insert(id, (order, mode));
        } else {
            assert_eq!(outcome, "refused");
        }
    }

    async fn push(&self, device: usize, commits: usize, lost: bool, late: bool) {
        let store = self.leader(device);
        store.catch_up().await.expect("catches up");
        let Some(body) = store.push_body(commits, 1 << 20).await.expect("writes") else {
            return;
        };
        self.pushes.borrow_mut().push(body.text.clone());
        let answer = self.space.push(&body.text).await.expect("is judged");
        if late {
            self.pull(device, 2).await;
            rebase(store, &HashSet::new()).await.expect("rebases");
        }
        if !lost {
            store_answers(store, &[answer]).await.expect("stores");
        }
    }

    async fn pull(&self, device: usize, commits: usize) {
        let store = self.leader(device);
        store.catch_up().await.expect("catches up");
        let state = store.sync_state().await.expect("reads").expect("is bound");
        let page = self.space.pull(state.cursor.as_ref(), commits).await.expect("reads");
        store_answers(store, &[page]).await.expect("stores");
    }

    async fn rebase(&mut self, device: usize, questions: usize, blocks: Option<usize>, beside: bool) {
        let mut states = BTreeMap::new();
        self.leader(device).catch_up().await.expect("catches up");
        let mut step = self.leader(device).rebase_next(None).await.expect("begins");
        for question in 0..=questions {
            let RebaseStep::Decide(asked) = step else { return };
            let blocked: HashSet<_> = blocks
                .filter(|blocks| question % blocks == 1)
                .map(|_| asked.commit_id.clone())
                .into_iter()
                .collect();
            let text = decision(self.leader(device), &asked, &mut states, &blocked)
                .await
                .expect("decides");
            if beside {
                self.count += 1;
                let (id, order) = (
                    format!("c{} of {device}", self.count),
                    Order::new("add", &[("a", 1)], &[]),
                );
                let other = 1 - self.devices[device].leader;
                self.execute(device, other, id, order, Mode::Intent).await;
            }
            let decision = everfold::json::parse(&text).expect("is a decision");
            step = self.leader(device).rebase_next(Some(decision)).await.expect("goes on");
        }
    }

    async fn check(&self) {
        let log = self.space.log().await;
        for device in &self.devices {
            let mut seen: Option<Vec<Seen>> = None;
            for tab in &device.tabs {
                tab.catch_up().await.expect("catches up");
                assert_sound(tab).await;
                let events = read_all(tab).await;
                for (place, event) in events.iter().enumerate() {
                    assert_eq!(event.position, place as u64 + 1);
                }
                assert_eq!(events.len() as u64, tab.position().0);
                if let Some(before) = seen.replace(events) {
                    assert_eq!(seen.as_ref(), Some(&before), "two tabs");
                }
            }
            let events = seen.expect("has tabs");
            let state = device.tabs[0].sync_state().await.expect("reads").expect("is bound");
            let (confirmed, pending) = events.split_at(state.confirmed.0 as usize);
            assert_prefix(confirmed, &log, state.head.number);
            self.assert_all_there(device, &events).await;
            let ids: HashSet<_> = pending.iter().map(|event| &event.commit).collect();
            assert_eq!(ids.len() as u64, state.pending);
            if !state.rebase {
                self.assert_stands(&events);
            }
        }
    }

    /// Each commit that was reported as stored is in the log or among the refusals, once.
    async fn assert_all_there(&self, device: &Device, events: &[Seen]) {
        let refusals: Value = serde_json::from_str(&device.tabs[0].refusals().await.expect("lists")).expect("is JSON");
        let mut refused = HashSet::new();
        for refusal in refusals.as_array().expect("is a list") {
            if refusal["kind"] == "refused" {
                refused.insert(refusal["commitId"].as_str().expect("is text"));
            }
        }
        let mut here: HashMap<&str, usize> = HashMap::new();
        let mut last = "";
        for event in events {
            if event.commit != last {
                *here.entry(&event.commit).or_default() += 1;
                last = &event.commit;
            }
        }
        for id in &device.stored {
            let times = here.get(id.as_str()).copied().unwrap_or_default() + usize::from(refused.contains(id.as_str()));
            assert_eq!(times, 1, "{id}");
        }
    }

    /// Each intent was decided on what stands before it.
    fn assert_stands(&self, events: &[Seen]) {
        let mut states: BTreeMap<String, i64> = BTreeMap::new();
        for commit in events.chunk_by(|one, next| one.commit == next.commit) {
            if let Some((order, Mode::Intent)) = self.orders.get(&commit[0].commit) {
                let decided = decide(&order.command(), &states).unwrap_or_else(|reason| panic!("{commit:?} {reason}"));
                let decided: Vec<_> = decided
                    .as_array()
                    .expect("is a list")
                    .iter()
                    .map(|stream| stream["events"][0]["data"].clone())
                    .collect();
                let data: Vec<_> = commit.iter().map(|event| event.data.clone()).collect();
                assert_eq!(data, decided, "{commit:?}");
            }
            for event in commit {
                *states.entry(event.stream.clone()).or_default() += event.data["amount"].as_i64().unwrap_or_default();
            }
        }
    }

    /// Everything is pushed and pulled; the server refuses nothing.
    async fn settle(&self) {
        self.space.refuses.borrow_mut().clear();
        for device in [0, 1, 0] {
            let store = self.leader(device);
            store.catch_up().await.expect("catches up");
            rebase(store, &HashSet::new()).await.expect("rebases");
            sync(store, &self.space, 100).await.expect("syncs");
        }
        self.check().await;
        assert_decided(&self.space.log().await);
        let mut tables = Vec::new();
        for device in 0..2 {
            let store = self.leader(device);
            assert_eq!(store.pending(), 0);
            tables.push(packed(store).await);
        }
        assert_eq!(tables[0], tables[1], "the same bytes");
    }
}

/// The confirmed log is a beginning of that of the server.
fn assert_prefix(confirmed: &[Seen], log: &[Value], number: u64) {
    let mut events = confirmed.iter();
    for commit in &log[..number as usize] {
        for stream in commit["streams"].as_array().expect("is a list") {
            let first = stream["firstVersion"].as_u64().expect("is whole");
            for (version, event) in (first..).zip(stream["events"].as_array().expect("is a list")) {
                let seen = events.next().expect("is there");
                assert_eq!(seen.commit, commit["id"]);
                assert_eq!(seen.stream, stream["streamId"]);
                assert_eq!(seen.version, version);
                assert_eq!(seen.data, event["data"]);
            }
        }
    }
    assert_eq!(events.next(), None);
}

/// The blocks that a log becomes in a store of its own: the same for logs of the same bytes.
async fn packed(store: &Store<MemoryStorage>) -> Vec<Vec<everfold::store::Entry>> {
    let file = export(store).await;
    let database = MemoryDatabase::new();
    let copy = over(MemoryStorage::open(&database)).await;
    copy.import(&file, false).await.expect("imports");
    copy.read(&Query::default()).await.expect("reads");
    let storage = MemoryStorage::open(&database);
    vec![all(&storage, Table::Segments).await, all(&storage, Table::Blocks).await]
}

/// More on demand: `EVERFOLD_CASES=10000`.
fn cases() -> u32 {
    let asked = std::env::var("EVERFOLD_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(128)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_decided_on_what_is_not_so(steps in prop::collection::vec(step(), 1..60)) {
        pollster::block_on(async {
            let mut world = World::new().await;
            for (number, step) in steps.iter().enumerate() {
                world.take(step).await;
                if number % 5 == 4 {
                    world.check().await;
                }
            }
            world.check().await;
            world.settle().await;
        });
    }
}
