//! What tabs have under way: each is a future over their store, asked to go on until it is done.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use everfold::store::{StoreError, StoreErrorKind, SyncState};
use everfold::sync::{Input, Request};

use super::driver::applied;
use super::{Event, LOOK, SECOND, World};
use crate::faults::Fault;
use crate::shell::{self, Store, Unusable};
use crate::tab::{Body, Done, Job, TabId, Task};

impl World {
    pub(super) fn spawn(&mut self, id: TabId, task: Task) {
        self.numbers += 1;
        let number = self.numbers;
        if let Some(tab) = self.tab(id) {
            tab.tasks.push((number, task));
            self.go_on(id, number);
        }
    }

    pub(super) fn go_on(&mut self, id: TabId, number: u64) {
        let Some(tab) = self.tab(id) else { return };
        let Some(place) = tab.tasks.iter().position(|(task, _)| *task == number) else {
            return;
        };
        let (_, mut task) = tab.tasks.swap_remove(place);
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Some(tab) = self.tab(id) else { return };
        if tab.control.died.get() {
            drop(task);
            self.close(id, "dies at a storage call");
            return;
        }
        match polled {
            Poll::Pending => {
                tab.tasks.push((number, task));
                let slow = tab.control.slow.take();
                if tab.control.froze.take() {
                    self.freeze(id);
                } else if let Some(slow) = slow {
                    self.after(slow, Event::GoOn(id, number));
                }
            }
            Poll::Ready(done) => {
                drop(task);
                // What it held others may have waited for.
                let waiting: Vec<_> = tab.tasks.iter().map(|(task, _)| *task).collect();
                for task in waiting {
                    self.after(0, Event::GoOn(id, task));
                }
                self.done(id, done);
            }
        }
    }

    pub(super) fn job(&mut self, id: TabId, job: Job) {
        if let Some(tab) = self.tab(id) {
            tab.jobs.push_back(job);
            self.next_job(id);
        }
    }

    pub(super) fn next_job(&mut self, id: TabId) {
        let Some(tab) = self.tab(id) else { return };
        if tab.busy || tab.frozen_until.is_some() {
            return;
        }
        let Some(store) = tab.store.clone() else { return };
        let Some(job) = tab.jobs.pop_front() else { return };
        tab.busy = true;
        let app = tab.app.clone();
        let (adopt, recovery) = (self.devices[id.device].adopt, self.devices[id.device].recovery);
        let task: Task = match job {
            Job::Lead => Box::pin(async move {
                let led = async {
                    store.lead().await?;
                    shell::state(&store).await
                };
                Done::Led(led.await)
            }),
            Job::CatchUp => Box::pin(async move {
                let caught_up = async {
                    store.catch_up().await?;
                    shell::pending(&store).await
                };
                Done::CaughtUp(caught_up.await)
            }),
            Job::Prepare {
                request,
                kind,
                max_commits,
                max_bytes,
            } => Box::pin(async move {
                let body = shell::prepare(&store, kind, max_commits, max_bytes).await;
                Done::Prepared {
                    request,
                    kind,
                    max_commits,
                    body,
                }
            }),
            Job::Apply {
                request,
                kind: Request::Capabilities,
                text,
            } => Box::pin(async move {
                let bound = async {
                    let cursor = shell::cursor_of(&text).ok_or(Unusable::Torn)?;
                    Ok(shell::bind(&store, Some(cursor), adopt).await?)
                };
                let bound = bound.await;
                Done::Bound { request, bound }
            }),
            Job::Apply { request, kind, text } => Box::pin(async move {
                let applied = async {
                    let pulled = shell::apply(&store, kind == Request::Push, &text).await?;
                    Ok((pulled, shell::state(&store).await?))
                };
                let applied = applied.await;
                Done::Applied { request, kind, applied }
            }),
            Job::Recover(problem) => {
                let before = self.events(id.device);
                Box::pin(async move {
                    let recovered = shell::recover(&store, &problem, recovery).await;
                    Done::Recovered { before, recovered }
                })
            }
            Job::Adopt { request } => Box::pin(async move {
                let body = async {
                    // Few, so that something may happen in between.
                    let body = store.adopt_request(5, 1 << 20).await?;
                    Ok((body.map(|body| body.text), shell::state(&store).await?))
                };
                let body = body.await;
                Done::AdoptionPrepared { request, body }
            }),
            Job::Adopted { request, text } => Box::pin(async move {
                let adopted = shell::adopted(&store, &text).await;
                Done::Adopted { request, adopted }
            }),
            Job::Walk => Box::pin(async move {
                let walked = async {
                    let rebased = shell::walk(&store, &app).await?;
                    Ok((rebased, shell::state(&store).await?))
                };
                Done::Walked(walked.await)
            }),
        };
        self.spawn(id, task);
    }

    pub(super) fn done(&mut self, id: TabId, done: Done) {
        if !matches!(done, Done::Executed { .. } | Done::Retried { .. } | Done::Tidied)
            && let Some(tab) = self.tab(id)
        {
            tab.busy = false;
        }
        self.check_fence(id, &done);
        match done {
            Done::Opened(Ok(store)) => self.opened(id, store),
            Done::Opened(Err(error)) => self.close(id, &format!("does not open: {error}")),
            Done::Led(Ok(state)) => self.led(id, &state),
            Done::CaughtUp(Ok(pending)) => self.tell(id, Input::Committed { pending }),
            Done::CaughtUp(Err(_)) => self.after(LOOK, Event::Notice(id)),
            Done::Tidied => {}
            Done::Prepared {
                request,
                kind,
                max_commits,
                body,
            } => match body {
                Ok(body) => self.send(id, request, kind, max_commits, body),
                Err(error) => self.stuck(id, error),
            },
            Done::Applied { request, kind, applied } => match applied {
                Ok((pulled, state)) => self.applied(id, request, kind, &pulled, &state),
                Err(Unusable::Torn) => self.fail(id, request, 0, None),
                Err(Unusable::Store(error)) => self.stuck(id, error),
            },
            Done::Bound { request, bound } => match bound {
                Ok(bound) => {
                    if bound.put_on_top {
                        self.tally.struck(Fault::HistoryOnTop);
                        self.say(|| format!("{} puts its history on top", self.name(id)));
                        self.notify_others(id);
                    }
                    self.adopt(id, request, &bound.state);
                }
                Err(Unusable::Torn) => self.fail(id, request, 0, None),
                Err(Unusable::Store(error)) => self.stuck(id, error),
            },
            Done::AdoptionPrepared { request, body } => match body {
                Ok((Some(text), _)) => self.send(id, request, Request::Capabilities, 0, Body::Push(text)),
                Ok((None, state)) => self.end_adoption(id, request, &state),
                Err(error) => self.stuck(id, error),
            },
            Done::Adopted { request, adopted } => match adopted {
                Ok(state) => {
                    if !state.adopting {
                        self.tally.struck(Fault::HistoryAdopted);
                    }
                    self.adopt(id, request, &state);
                }
                Err(Unusable::Torn) => self.fail(id, request, 0, None),
                Err(Unusable::Store(error)) => self.stuck(id, error),
            },
            Done::Retried { id: commit, retried } => self.retried(id, commit, retried),
            Done::Walked(Ok((rebased, state))) => {
                self.say(|| {
                    let (changed, refused) = (rebased.changed.join(" "), rebased.refused.join("! "));
                    format!("{} decided again: changed {changed}, refused {refused}!", self.name(id))
                });
                self.notify_others(id);
                let blocked = rebased.blocked.len() as u64;
                let (pending, rebase) = (state.pending, state.rebase && blocked == 0);
                self.tell(
                    id,
                    Input::Rebased {
                        pending,
                        blocked,
                        rebase,
                    },
                );
            }
            Done::Led(Err(error)) => {
                self.say(|| format!("{} cannot lead: {error}", self.name(id)));
                self.step_down(id);
            }
            Done::Recovered {
                before,
                recovered: Ok(state),
            } => {
                self.check_recovered(id.device, &before);
                self.say(|| format!("{} has gone back to #{}", self.name(id), state.head.number));
                self.notify_others(id);
                let (pending, rebase) = (state.pending, state.rebase);
                self.tell(id, Input::Recovered { pending, rebase });
            }
            Done::Walked(Err(error))
            | Done::Recovered {
                recovered: Err(error), ..
            } => self.stuck(id, error),
            Done::Executed {
                id: commit,
                command,
                executed,
            } => self.executed(id, commit, &command, executed),
        }
        self.next_job(id);
    }

    /// Goes on with taking over the history, if there is one.
    fn adopt(&mut self, id: TabId, request: u64, state: &SyncState) {
        if !state.adopting {
            return self.end_adoption(id, request, state);
        }
        let Some(tab) = self.tab(id).filter(|tab| tab.request == Some(request)) else {
            return;
        };
        tab.adoption = Some(request);
        self.say(|| format!("{} is adopted up to #{}", self.name(id), state.head.number));
        self.job(id, Job::Adopt { request });
    }

    fn end_adoption(&mut self, id: TabId, request: u64, state: &SyncState) {
        if let Some(tab) = self.tab(id) {
            tab.adoption = None;
        }
        self.tell(id, applied(request, state, None));
    }

    pub(super) fn stuck(&mut self, id: TabId, error: StoreError) {
        let text = error.to_string();
        let code = match error.into_kind() {
            StoreErrorKind::Fenced => {
                self.say(|| format!("{} is fenced off", self.name(id)));
                self.step_down(id);
                return;
            }
            StoreErrorKind::Diverged(_) if self.is_adopting(id.device) => {
                self.say(|| format!("{} cannot be adopted: {text}", self.name(id)));
                return self.put_on_top(id.device);
            }
            StoreErrorKind::Diverged(_) => "sync-diverged",
            StoreErrorKind::Protocol(_) => "sync-protocol",
            StoreErrorKind::Storage(_) => "storage",
            _ => panic!("{} is stuck: {text}", self.name(id)),
        };
        self.say(|| format!("{} is stuck: {text}", self.name(id)));
        assert!(code == "storage" || self.ambiguous, "{}: {text}", self.name(id));
        self.tell(id, Input::Stuck { code: code.into() });
    }

    pub(super) fn opened(&mut self, id: TabId, store: Rc<Store>) {
        let device = id.device;
        if let Some(tab) = self.tab(id) {
            tab.store = Some(store);
        }
        if self.devices[device].checked + 5 * SECOND < self.now {
            self.devices[device].checked = self.now;
            self.check_device(device);
        }
        let online = self.devices[device].online;
        self.tell(id, Input::Online(online));
        if self.tab(id).is_some_and(|tab| tab.synced) {
            self.after(10, Event::Elect(device));
        }
    }

    pub(super) fn led(&mut self, id: TabId, state: &SyncState) {
        if self.devices[id.device].leader != Some(id) {
            return;
        }
        self.say(|| {
            format!(
                "{} leads at #{} with {} pending",
                self.name(id),
                state.head.number,
                state.pending
            )
        });
        if let Some(tab) = self.tab(id) {
            tab.control.leads.set(true);
        }
        let live = true;
        self.tell(
            id,
            Input::Start {
                pending: state.pending,
                rebase: state.rebase,
                bound: state.cursor.is_some() && !state.adopting,
                live,
                batch: 0,
            },
        );
        self.tell(id, Input::Leading(true));
    }
}
