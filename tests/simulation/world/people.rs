//! What people do.

use std::pin::Pin;
use std::rc::Rc;

use everfold::store::{StoreError, SyncState};
use everfold::sync::Input;

use super::{ACCOUNTS, Event, World};
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
                let number = self.random.below(ACCOUNTS.into()) as u8;
                let (stream, pending) = (account(number), self.random.chance(0.5));
                self.tidy(id, |store| {
                    Box::pin(async move { shell::snapshot(&store, &stream, pending).await })
                });
            }
            10 => self.dismiss(device),
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
        let (app, Some(store)) = (tab.app, tab.store.clone()) else {
            return;
        };
        self.spawn(
            id,
            Box::pin(async move {
                let executed = async {
                    let executed = shell::execute(&store, app, &command, &commit, now).await?;
                    Ok((executed, shell::state(&store).await?))
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
        let account = self.random.below(ACCOUNTS.into()) as u8;
        let other = (account + 1 + self.random.below(u64::from(ACCOUNTS) - 1) as u8) % ACCOUNTS;
        let amount = self.random.between(1, 40);
        if poison {
            return Command::Curse { account };
        }
        match self.random.below(20) {
            0..=6 => Command::Deposit { account, amount },
            7..=10 => Command::Withdraw { account, amount },
            11..=14 => Command::Transfer {
                from: account,
                to: other,
                amount,
            },
            15..=16 => Command::Empty { account },
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
        executed: Result<(Executed, SyncState), StoreError>,
    ) {
        match executed {
            Ok((Executed::Appended, state)) => {
                self.say(|| format!("{} {commit}? {command:?}", self.name(id)));
                self.devices[id.device].acknowledged.insert(commit);
                self.tell(id, Input::Committed { pending: state.pending });
                self.notify_others(id);
            }
            Ok((ended, _)) => self.say(|| format!("{} {commit} {command:?} is {ended:?}", self.name(id))),
            Err(error) => self.say(|| format!("{} {commit} {command:?} fails: {error}", self.name(id))),
        }
    }

    pub(super) fn dismiss(&mut self, device: usize) {
        let (ids, store) = self.refusals(device);
        if let Some(id) = ids.into_keys().next() {
            pollster::block_on(store.dismiss_refusal(&id)).expect("memory does not fail");
            self.devices[device].dismissed.insert(id);
        }
    }
}
