//! Whatever devices do, and wherever their server is taken back to: in the end all have one log, with everything in it once.

use std::collections::BTreeMap;

use everfold::store::{MemoryDatabase, MemoryStorage, Recovery, Store};
use pollster::block_on;
use proptest::prelude::*;

use crate::device::{Server, append, bytes, device, events, open, refusals, state, sync};

const STREAMS: [&str; 4] = ["s-0", "s-1", "s-🦀", "t"];

#[derive(Debug, Clone)]
enum Step {
    Append {
        device: usize,
        streams: Vec<u8>,
    },
    Sync {
        device: usize,
    },
    /// The server goes back by so many commits, if it has them.
    Restore {
        by: u64,
    },
    Seal {
        device: usize,
    },
    Compact {
        device: usize,
    },
    Reopen {
        device: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let streams = prop::collection::btree_set(0..4_u8, 1..3);
    prop_oneof![
        6 => (0..2_usize, streams).prop_map(|(device, streams)| Step::Append {
            device,
            streams: streams.into_iter().collect(),
        }),
        4 => (0..2_usize).prop_map(|device| Step::Sync { device }),
        2 => (0..12_u64).prop_map(|by| Step::Restore { by }),
        1 => (0..2_usize).prop_map(|device| Step::Seal { device }),
        1 => (0..2_usize).prop_map(|device| Step::Compact { device }),
        1 => (0..2_usize).prop_map(|device| Step::Reopen { device }),
    ]
}

struct World {
    server: Server,
    devices: Vec<(MemoryDatabase, Store<MemoryStorage>)>,
    recovery: Recovery,
    /// Streams of each commit.
    commits: BTreeMap<String, usize>,
}

impl World {
    fn new(recovery: Recovery) -> Self {
        Self {
            server: Server::with_pages_of(3),
            devices: vec![device("a"), device("b")],
            recovery,
            commits: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append { device, streams } => {
                let id = format!("c{}", self.commits.len());
                let streams: Vec<_> = streams.iter().map(|stream| STREAMS[usize::from(*stream)]).collect();
                append(&self.devices[*device].1, &id, &streams);
                self.commits.insert(id, streams.len());
            }
            Step::Sync { device } => sync(&self.devices[*device].1, &self.server, self.recovery),
            Step::Restore { by } => self.server.restore(self.server.head().saturating_sub(*by)),
            Step::Seal { device } => drop(block_on(self.devices[*device].1.seal()).expect("seals")),
            Step::Compact { device } => drop(block_on(self.devices[*device].1.compact(2)).expect("merges")),
            Step::Reopen { device } => {
                let (database, store) = &mut self.devices[*device];
                *store = block_on(open(MemoryStorage::open(database), "x")).expect("opens");
            }
        }
    }

    /// Everybody comes back, and every orphan is offered.
    fn end(&self) {
        for _ in 0..3 {
            for (_, store) in &self.devices {
                sync(store, &self.server, self.recovery);
                for (id, _) in refusals(store) {
                    block_on(store.retry_orphan(&id)).expect("is pending");
                }
                sync(store, &self.server, self.recovery);
            }
        }
        let (one, two) = (&self.devices[0].1, &self.devices[1].1);
        assert_eq!(events(one), events(two));
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for event in events(one) {
            let id = event.split(' ').next().expect("is there").to_owned();
            *found.entry(id).or_default() += 1;
        }
        assert_eq!(found, self.commits, "nothing is lost, nothing is there twice");
        assert_eq!(self.server.head(), self.commits.len() as u64);
        assert_eq!((refusals(one), refusals(two)), (vec![], vec![]));
        assert_eq!(state(one).head, state(two).head);
        assert_eq!(bytes(one), bytes(two));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn all_have_one_log_in_the_end(
        steps in prop::collection::vec(step(), 1..50),
        recovery in prop_oneof![Just(Recovery::Ask), Just(Recovery::Auto), Just(Recovery::Discard)],
    ) {
        let mut world = World::new(recovery);
        for step in &steps {
            world.take(step);
        }
        world.end();
    }
}
