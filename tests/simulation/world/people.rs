//! What people do.

use std::pin::Pin;
use std::rc::Rc;

use everfold::store::{RefusalKind, StoreError};
use everfold::sync::Input;

use super::{Event, World};
use crate::faults::Fault;
use crate::ledger::{Command, account};
use crate::shell::{self, Executed, Store};
use crate::tab::{Done, TabId};

impl World {
    pub(super) fn act(&mut self, device: usize) {
        if self.devices[device].operations == 0 {
            return;
        }
        self.devices[device].operations -= 1;
        let pause = match self.random.below(10) {
            0 => self.random.between(10_000, 120_000),
            1..=4 => self.random.between(500, 8_000),
            _ => self.random.between(1, 300),
        };
        self.after(pause as i64, Event::Act(device));
        let able: Vec<_> = self.devices[device]
            .tabs
            .iter()
            .filter(|tab| tab.store.is_some() && tab.frozen_until.is_none())
            .map(|tab| tab.id)
            .collect();
        if able.is_empty() {
            return;
        }
        let id = *self.random.one_of(&able);
        match self.random.below(40) {
            0 => self.tell(id, Input::Now),
            1 => self.tell(id, Input::Visible(true)),
            2 => {
                self.tell(id, Input::Pause);
                self.tell(id, Input::Resume);
            }
            3 => self.close(id, "is closed"),
            4 => self.after(0, Event::Open(device)),
            5 => self.tidy(id, |store| Box::pin(async move { store.seal().await.map(drop) })),
            6 => self.tidy(id, |store| Box::pin(async move { store.compact(2).await.map(drop) })),
            7..=9 => {
                let number = self.random.below(self.accounts.into()) as u8;
                let (stream, pending) = (account(number), self.random.chance(0.5));
                self.tidy(id, |store| {
                    Box::pin(async move { shell::snapshot(&store, &stream, pending).await })
                });
            }
            10 => self.see_refusals(device, id),
            _ => self.command(id),
        }
    }

    pub(super) fn tidy(
        &mut self,
        id: TabId,
        task: impl FnOnce(Rc<Store>) -> Pin<Box<dyn Future<Output = Result<(), StoreError>>>>,
    ) {
        if let Some(store) = self.tab(id).and_then(|tab| tab.store.clone()) {
            let task = task(store);
            self.spawn(
                id,
                Box::pin(async move {
                    // If it fails it is done another time.
                    let _ = task.await;
                    Done::Tidied
                }),
            );
        }
    }

    pub(super) fn command(&mut self, id: TabId) {
        let poison = self.strikes(Fault::Poison, 0.01);
        let command = self.random_command(poison);
        let now = self.device_now(id.device);
        let device = &mut self.devices[id.device];
        device.commands += 1;
        let commit = format!("{}:c{}", device.name, device.commands);
        let Some(tab) = self.tab(id) else { return };
        let (app, Some(store)) = (tab.app.clone(), tab.store.clone()) else {
            return;
        };
        self.spawn(
            id,
            Box::pin(async move {
                let executed = async {
                    let executed = shell::execute(&store, &app, &command, &commit, now).await?;
                    Ok((executed, shell::pending(&store).await?))
                };
                let executed = executed.await;
                Done::Executed {
                    id: commit,
                    command,
                    executed,
                }
            }),
        );
    }

    pub(super) fn random_command(&mut self, poison: bool) -> Command {
        let accounts = self.accounts;
        let account = self.random.below(accounts.into()) as u8;
        let other = (account + 1 + self.random.below(u64::from(accounts) - 1) as u8) % accounts;
        let amount = self.random.between(1, 40);
        if poison {
            return Command::Curse { account };
        }
        match self.random.below(20) {
            0..=5 => Command::Deposit { account, amount },
            6..=9 => Command::Withdraw { account, amount },
            10..=13 => Command::Transfer {
                from: account,
                to: other,
                amount,
            },
            14 => Command::Empty { account },
            15..=16 => Command::Sweep {
                from: account,
                to: other,
            },
            17 => Command::SetLimit {
                limit: self.random.between(5, 50),
            },
            _ => Command::Charge { account, amount },
        }
    }

    pub(super) fn executed(
        &mut self,
        id: TabId,
        commit: String,
        command: &Command,
        executed: Result<(Executed, u64), StoreError>,
    ) {
        match executed {
            Ok((Executed::Appended, pending)) => {
                self.say(|| format!("{} {commit}? {command:?}", self.name(id)));
                self.devices[id.device].acknowledged.insert(commit);
                self.tell(id, Input::Committed { pending });
                self.notify_others(id);
            }
            Ok((ended, _)) => self.say(|| format!("{} {commit} {command:?} is {ended:?}", self.name(id))),
            Err(error) => self.say(|| format!("{} {commit} {command:?} fails: {error}", self.name(id))),
        }
    }

    /// Looks at what was refused or lost: gives it back, or does not want to see it any more.
    fn see_refusals(&mut self, device: usize, id: TabId) {
        let (refusals, store) = self.refusals(device);
        let orphaned = |kind: &String| kind == RefusalKind::Orphaned.name();
        let orphan = refusals.iter().find(|(_, kind)| orphaned(kind));
        let Some((commit, kind)) = orphan.or(refusals.iter().next()) else {
            return;
        };
        let commit = commit.clone();
        if !orphaned(kind) || self.random.chance(0.3) {
            pollster::block_on(store.dismiss_refusal(&commit)).expect("memory does not fail");
            self.devices[device].dismissed.insert(commit);
            return;
        }
        let Some(store) = self.tab(id).and_then(|tab| tab.store.clone()) else {
            return;
        };
        self.devices[device].retried.insert(commit.clone());
        let task = async move {
            let retried = async {
                store.retry_orphan(&commit).await?;
                shell::pending(&store).await
            };
            let retried = retried.await;
            Done::Retried { id: commit, retried }
        };
        self.spawn(id, Box::pin(task));
    }

    pub(super) fn retried(&mut self, id: TabId, commit: String, retried: Result<u64, StoreError>) {
        match retried {
            Ok(pending) => {
                self.tally.struck(Fault::OrphanRetried);
                self.say(|| format!("{} gives back {commit}", self.name(id)));
                self.devices[id.device].acknowledged.insert(commit);
                self.tell(id, Input::Committed { pending });
                self.notify_others(id);
            }
            Err(error) => self.say(|| format!("{} gives back {commit}, which fails: {error}", self.name(id))),
        }
    }
}
