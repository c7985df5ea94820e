//! Tabs open, lead, freeze and close.

use std::collections::VecDeque;
use std::rc::Rc;

use everfold::store::{Adoption, Durability, OpenOptions};
use everfold::sync::{Input, Replica, Status};

use super::{Event, LOOK, SECOND, World};
use crate::faults::Fault;
use crate::gate::Gate;
use crate::shell::{self, App, Store};
use crate::tab::{Done, Job, Tab, TabId};

impl World {
    pub(super) fn tab(&mut self, id: TabId) -> Option<&mut Tab> {
        self.devices[id.device].tabs.iter_mut().find(|tab| tab.id == id)
    }

    pub(super) fn name(&self, id: TabId) -> String {
        format!("{}/{}", self.devices[id.device].name, id.number)
    }

    pub(super) fn device_now(&self, device: usize) -> i64 {
        self.now + self.devices[device].clock
    }

    pub(super) fn open(&mut self, device: usize) {
        if self.devices[device].tabs.len() >= 3 {
            return;
        }
        self.numbers += 1;
        let id = TabId {
            device,
            number: self.numbers,
        };
        let seed = self.random.next();
        let database = self.devices[device].database.clone();
        let (gate, control) = Gate::open(&database, seed, &self.weather, &self.tally);
        let app = App {
            version: self.devices[device].version,
            broken: self.devices[device].broken,
            control: Rc::clone(&control),
        };
        let (synced, adopt) = (self.devices[device].synced, self.devices[device].adopt);
        self.devices[device].tabs.push(Tab {
            id,
            app,
            synced,
            store: None,
            control,
            replica: Replica::new(),
            status: Status::default(),
            tasks: Vec::new(),
            jobs: VecDeque::new(),
            busy: true,
            request: None,
            adoption: None,
            tail: None,
            problem: String::new(),
            frozen_until: None,
        });
        self.say(|| format!("{} opens", self.name(id)));
        let options = OpenOptions {
            replica: format!("replica-{}", self.devices[device].name),
            now: self.device_now(device),
            durability: Durability::Strict,
        };
        self.spawn(
            id,
            Box::pin(async move {
                let opened = async {
                    let store = Store::open(gate, options).await?;
                    if synced {
                        shell::bind(&store, None, adopt).await?;
                    }
                    Ok(Rc::new(store))
                };
                Done::Opened(opened.await)
            }),
        );
    }

    /// A tab is gone, with everything that it had not stored.
    pub(super) fn close(&mut self, id: TabId, why: &str) {
        self.say(|| format!("{} {why}", self.name(id)));
        if self.tab(id).is_some_and(|tab| tab.adoption.is_some()) {
            self.tally.struck(Fault::AdoptionBroken);
        }
        let device = &mut self.devices[id.device];
        device.tabs.retain(|tab| tab.id != id);
        if device.leader == Some(id) {
            device.leader = None;
            self.after(500, Event::Elect(id.device));
        }
        self.tails.retain(|_, tail| tail.tab != id);
        // What it did last it may have told nobody.
        for other in self.tabs_of(id.device) {
            self.after(LOOK, Event::Notice(other));
        }
        if self.devices[id.device].tabs.is_empty() {
            let delay = self.random.between(100, 20_000) as i64;
            self.after(delay, Event::Open(id.device));
        }
    }

    pub(super) fn elect(&mut self, device: usize) {
        let found = &self.devices[device];
        if found.leader.is_some() || !found.synced {
            return;
        }
        let able: Vec<_> = found
            .tabs
            .iter()
            .filter(|tab| tab.synced && tab.store.is_some() && tab.frozen_until.is_none())
            .map(|tab| tab.id)
            .collect();
        if able.is_empty() {
            self.after(SECOND, Event::Elect(device));
            return;
        }
        let leader = *self.random.one_of(&able);
        self.devices[device].leader = Some(leader);
        self.job(leader, Job::Lead);
    }

    /// It does not lead any more.
    pub(super) fn step_down(&mut self, id: TabId) {
        if let Some(tab) = self.tab(id) {
            tab.control.leads.set(false);
        }
        if self.devices[id.device].leader == Some(id) {
            self.devices[id.device].leader = None;
            self.after(500, Event::Elect(id.device));
        }
        self.tell(id, Input::Leading(false));
    }

    pub(super) fn freeze(&mut self, id: TabId) {
        let until = self.now + self.random.between(1_000, 120_000) as i64;
        if let Some(tab) = self.tab(id) {
            tab.frozen_until = Some(until);
        }
        self.say(|| format!("{} freezes in the middle of a call, its lock is stolen", self.name(id)));
        self.devices[id.device].leader = None;
        self.after(100, Event::Elect(id.device));
        self.after(until - self.now, Event::Thaw(id));
    }

    pub(super) fn thaw(&mut self, id: TabId) {
        let Some(tab) = self.tab(id) else { return };
        if tab.frozen_until.take().is_none() {
            return;
        }
        self.say(|| format!("{} goes on where it froze", self.name(id)));
        let tasks: Vec<_> = self
            .tab(id)
            .map_or_else(Vec::new, |tab| tab.tasks.iter().map(|(task, _)| *task).collect());
        for task in tasks {
            self.go_on(id, task);
        }
        if self.devices[id.device].leader != Some(id) {
            self.step_down(id);
        }
    }

    pub(super) fn online(&mut self, device: usize, online: bool) {
        self.devices[device].online = online;
        self.say(|| {
            format!(
                "{} is {}",
                self.devices[device].name,
                if online { "online" } else { "offline" }
            )
        });
        // Browsers do not always notice.
        if online || self.random.chance(0.7) {
            for tab in self.tabs_of(device) {
                self.tell(tab, Input::Online(online));
            }
        }
    }

    /// One tab gets an app with sync. The others do not know of it until they are closed.
    pub(super) fn turn_on(&mut self, device: usize) {
        if std::mem::replace(&mut self.devices[device].synced, true) {
            return;
        }
        self.tally.struck(Fault::LateSync);
        self.say(|| format!("sync is turned on at {}", self.devices[device].name));
        let tabs = self.tabs_of(device);
        if let [first, _, _, ..] = tabs[..] {
            self.close(first, "gets an app with sync");
        }
        self.after(0, Event::Open(device));
    }

    /// Both have a history: somebody says that the one here goes on top.
    pub(super) fn put_on_top(&mut self, device: usize) {
        self.devices[device].adopt = Some(Adoption::Rebase);
        self.reload(device, "gets an app that puts its history on top");
    }

    pub(super) fn tabs_of(&self, device: usize) -> Vec<TabId> {
        self.devices[device].tabs.iter().map(|tab| tab.id).collect()
    }
}
