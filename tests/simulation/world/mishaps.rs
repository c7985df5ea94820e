//! What goes wrong by itself.

use super::{Event, MINUTE, World};
use crate::faults::Fault;
use crate::server::random_epoch;

impl World {
    pub(super) fn mishap(&mut self) {
        if self.calm {
            return;
        }
        let pause = self.random.between(2_000, 40_000) as i64;
        self.after(pause, Event::Mishap);
        let device = self.random.below(self.devices.len() as u64) as usize;
        if self.strikes(Fault::ClockSet, 0.1) {
            let year = 365 * 24 * 60 * MINUTE;
            let to = self.random.between(0, 2 * year as u64) as i64 - year;
            self.devices[device].clock = to;
            self.say(|| {
                format!(
                    "the clock of {} is {} days off",
                    self.devices[device].name,
                    to / (1_440 * MINUTE)
                )
            });
        }
        if self.devices[device].online && self.strikes(Fault::Offline, 0.2) {
            self.online(device, false);
            let back = self.random.between(1_000, 300_000) as i64;
            self.after(back, Event::Online(device, true));
        }
        if self.strikes(Fault::TokenExpired, 0.1) {
            self.devices[device].token = self.now - 1;
        }
        if self.strikes(Fault::DecideFailed, 0.1) {
            self.devices[device].broken = true;
            self.reload(device, "gets an app with a bug");
        } else if self.devices[device].broken && self.random.chance(0.5) {
            self.devices[device].broken = false;
            self.reload(device, "gets an app without the bug");
        }
        if self.devices[device].version == 1 && self.strikes(Fault::Upgraded, 0.05) {
            self.devices[device].version = 2;
            self.reload(device, "gets version 2 of the app");
        }
        if self.strikes(Fault::DeviceCrashed, 0.05) {
            self.reload(device, "crashes");
        }
        if self.strikes(Fault::TabDuplicated, 0.05) {
            self.after(0, Event::Open(device));
        }
        let can_be_cloned = self.devices.len() < 6 && self.devices[device].commands > 0;
        // Of a device with work that nobody has heard of, it is more of a mishap.
        let chance = if self.devices[device].online { 0.01 } else { 0.08 };
        if can_be_cloned && self.strikes(Fault::ProfileCloned, chance) {
            self.clone_profile(device);
        }
        if self.strikes(Fault::TooLarge, 0.05) {
            self.server.push_commits = self.random.between(1, 3) as usize;
        } else {
            self.server.push_commits = usize::MAX;
        }
        if self.strikes(Fault::Overloaded, 0.05) {
            self.server.overloaded_until = self.now + self.random.between(1_000, 30_000) as i64;
        }
        if self.strikes(Fault::Restored, 0.02) {
            let head = self.truth.number();
            let number = head - self.random.below(20.min(head) + 1);
            let epoch = random_epoch(&mut self.random);
            self.server.restore(number, epoch);
            self.truth.go_back(number);
            self.ambiguous = true;
            self.say(|| format!("the server is restored to #{number} from a backup"));
            self.server_dies();
        }
    }

    fn clone_profile(&mut self, device: usize) {
        let clone = self.devices.len();
        let name = char::from(b'a' + clone as u8).to_string();
        self.say(|| format!("the profile of {} is cloned: {name}", self.devices[device].name));
        let database = self.devices[device].database.copy();
        self.ambiguous = true;
        self.add_device(name, database, 20);
        let (before, after) = self.devices.split_at_mut(clone);
        let (original, copy) = (&before[device], &mut after[0]);
        copy.origin = original.origin;
        (copy.version, copy.dismissed) = (original.version, original.dismissed.clone());
        copy.retried.clone_from(&original.retried);
        (copy.synced, copy.adopt) = (original.synced, original.adopt);
        copy.recovery = original.recovery;
        self.begin_device(clone, 0);
    }

    pub(super) fn reload(&mut self, device: usize, why: &str) {
        for tab in self.tabs_of(device) {
            self.close(tab, why);
        }
    }

    /// No fault from now on; what is broken is put right.
    pub(super) fn calm_down(&mut self) {
        self.say(|| "nothing goes wrong any more".to_owned());
        self.calm = true;
        self.weather.calm_down();
        self.server.away_until = self.now;
        self.server.overloaded_until = self.now;
        self.server.push_commits = usize::MAX;
        for device in 0..self.devices.len() {
            for tab in self.tabs_of(device) {
                self.thaw(tab);
            }
            if !self.devices[device].online {
                self.online(device, true);
            }
            self.turn_on(device);
            for tab in self.tabs_of(device) {
                if self.tab(tab).is_some_and(|tab| !tab.synced) {
                    self.close(tab, "gets an app with sync");
                }
            }
            if std::mem::take(&mut self.devices[device].broken) {
                self.reload(device, "gets an app without the bug");
            }
            // Work of version 2 that a clone brought can only be decided by version 2.
            if self.devices[device].version == 1 {
                self.devices[device].version = 2;
                self.reload(device, "gets version 2 of the app");
            }
        }
    }
}
