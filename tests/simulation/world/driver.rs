//! What a replica is told, and what it wants done.

use everfold::store::{Pulled, SyncState};
use everfold::sync::{Input, Output, Request, TailEvent};

use super::{Event, LOOK, World};
use crate::faults::Fault;
use crate::tab::{Job, TabId};

impl World {
    pub(super) fn tell(&mut self, id: TabId, input: Input<'_>) {
        let (now, random) = (self.device_now(id.device), self.random.float());
        let Some(tab) = self.tab(id) else { return };
        tab.replica.handle(input, now, random);
        while let Some(output) = self.tab(id).and_then(|tab| tab.replica.poll_output()) {
            self.perform(id, output);
        }
    }

    pub(super) fn perform(&mut self, id: TabId, output: Output) {
        let now = self.device_now(id.device);
        let Some(tab) = self.tab(id) else { return };
        match output {
            Output::Send {
                request,
                kind,
                max_commits,
                max_bytes,
            } => {
                if kind == Request::Tail {
                    tab.tail = Some(request);
                } else {
                    tab.request = Some(request);
                }
                self.job(
                    id,
                    Job::Prepare {
                        request,
                        kind,
                        max_commits: max_commits as usize,
                        max_bytes: max_bytes as usize,
                    },
                );
            }
            Output::Cancel { request } => {
                tab.request.take_if(|under_way| *under_way == request);
                tab.tail.take_if(|under_way| *under_way == request);
                if tab.adoption.take_if(|under_way| *under_way == request).is_some() {
                    self.tally.struck(Fault::AdoptionBroken);
                }
                let Some(tab) = self.tab(id) else { return };
                // What it brought and is not stored yet may not follow on what is.
                tab.jobs.retain(|job| job.request() != Some(request));
                self.tails.retain(|_, tail| tail.tab != id || tail.request != request);
            }
            Output::Token { .. } => {
                let ok = !self.strikes(Fault::TokenRefused, 0.1);
                let delay = self.random.between(10, 500) as i64;
                self.after(delay, Event::Token(id, ok));
            }
            Output::Rebase => self.job(id, Job::Walk),
            Output::Recover { .. } => {
                let problem = tab.problem.clone();
                self.job(id, Job::Recover(problem));
            }
            Output::Wake { at } => self.after(at - now, Event::Tick(id)),
            Output::Status(status) => tab.status = status,
        }
    }

    pub(super) fn applied(&mut self, id: TabId, request: u64, kind: Request, pulled: &Pulled, state: &SyncState) {
        let server = self.server.state();
        self.say(|| {
            let refused: Vec<_> = pulled.refused.iter().map(|id| format!("{id}!")).collect();
            format!(
                "{} has #{}, {} pending {}",
                self.name(id),
                state.head.number,
                state.pending,
                refused.join(" ")
            )
        });
        if state.cursor.is_some_and(|cursor| cursor.epoch == server.epoch) {
            assert_eq!(
                self.server.hash_at(state.head.number),
                Some(state.head.hash),
                "I2: {} has another #{}",
                self.name(id),
                state.head.number
            );
        }
        self.notify_others(id);
        if kind == Request::Tail {
            let (pending, rebase) = (state.pending, state.rebase);
            let event = TailEvent::Applied { pending, rebase };
            self.tell(id, Input::Tail { request, event });
        } else {
            self.tell(id, applied(request, state, Some(pulled)));
        }
    }

    pub(super) fn fail(&mut self, id: TabId, request: u64, status: u32, problem: Option<String>) {
        if let Some(tab) = self.tab(id)
            && tab.adoption.take_if(|under_way| *under_way == request).is_some()
        {
            self.tally.struck(Fault::AdoptionBroken);
        }
        self.tell(
            id,
            Input::Failed {
                request,
                status,
                problem: problem.map(Into::into),
                retry_after: None,
            },
        );
    }

    pub(super) fn notify_others(&mut self, id: TabId) {
        for other in self.tabs_of(id.device) {
            if other == id {
                continue;
            }
            let lost = self.strikes(Fault::NoticeLost, 0.1);
            let delay = self.random.between(0, if lost { LOOK as u64 } else { 20 }) as i64;
            self.after(delay, Event::Notice(other));
        }
    }
}

/// What a tab hears once the answer to a request is stored.
pub(super) fn applied(request: u64, state: &SyncState, pulled: Option<&Pulled>) -> Input<'static> {
    Input::Applied {
        request,
        pending: state.pending,
        rebase: state.rebase,
        more: pulled.is_some_and(|pulled| pulled.more),
        stopped: pulled.is_some_and(|pulled| pulled.stopped),
        moved: pulled.is_none_or(|pulled| pulled.moved),
    }
}
