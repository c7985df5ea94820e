//! What a device does next to be one with the server: a state machine that knows no store, no network and no clock.
//!
//! The shell tells it what happened, with the time and a random number, and does what comes out. Each input is handled at
//! once; [`poll_output`](Replica::poll_output) is asked until it gives nothing. See docs/sync.md for both lists.
//!
//! Invariants: only the leading tab sends; one request at a time besides the tail; nothing is pushed while confirmed
//! commits wait for the pending ones to be decided again; whatever fails is tried again, with nobody's help, sooner or
//! later, and nothing that failed is forgotten.

mod input;
mod output;

use std::borrow::Cow;
use std::collections::VecDeque;

pub use input::{Input, TailEvent};
pub use output::{Output, Request, State, Status};

use super::backoff::Backoff;
use crate::plant::{Plant, is_planted};

/// What a push brings unless the shell says otherwise.
const PUSH_COMMITS: u64 = 500;
const PUSH_BYTES: u64 = 4 << 20;
/// What a pull asks for: a page is read in one task of the browser and packed in another, and neither should take 50 ms,
/// nor when the engine is still warming up.
const PULL_COMMITS: u64 = 2_000;
const PULL_BYTES: u64 = 1 << 20;
/// A request that is not answered for so long is given up: some networks swallow requests, some browsers wait for ever.
const REQUEST_TIMEOUT: i64 = 120_000;
/// Of what the store may refuse, the one that only the app or the server's operator can put right.
const DIVERGED: &str = "sync-diverged";

/// What a device does next.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that changes by itself")]
pub struct Replica {
    started: bool,
    paused: bool,
    leading: bool,
    offline: bool,
    /// The user wants it now, whatever the browser says about the network.
    urgent: bool,
    live: bool,
    bound: bool,

    pending: u64,
    /// Confirmed commits wait for the pending ones to be decided again.
    rebase: bool,
    /// Pending commits could not be decided.
    undecided: bool,
    /// The server must be asked for what it has.
    contact: bool,
    /// The last push met what it has not seen yet: what the server has comes first.
    behind: bool,

    token: Token,
    batch: u64,
    max_commits: u64,
    max_bytes: u64,

    work: Work,
    tail: Option<u64>,
    requests: u64,
    /// After a request that failed.
    network: Backoff,
    /// After a tail that ended.
    reopening: Backoff,
    /// After a push that changed nothing.
    pushing: Backoff,
    /// After the store could not.
    storing: Backoff,
    /// After a walk that could not decide everything.
    deciding: Backoff,
    /// What failed cannot be put right by trying again soon.
    blocked_by: Option<String>,

    woken: Option<i64>,
    status: Status,
    told: Status,
    outputs: VecDeque<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Token {
    #[default]
    Unknown,
    /// The app is asked.
    Asked,
    Given,
    /// The server did not take it.
    Stale,
}

/// What the shell is doing, besides the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Work {
    #[default]
    Nothing,
    Request {
        number: u64,
        kind: Request,
        since: i64,
    },
    Rebase,
    Recovery,
}

impl Replica {
    /// One that waits for [`Input::Start`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All things to do, as a list in JSON.
    pub fn outputs(&mut self) -> String {
        let mut text = String::from("[");
        for (number, output) in self.outputs.drain(..).enumerate() {
            if number > 0 {
                text.push(',');
            }
            output.write(&mut text);
        }
        text.push(']');
        text
    }

    /// Takes in what happened at `now`, in milliseconds. `random` is from 0 to 1.
    pub fn handle(&mut self, input: Input<'_>, now: i64, random: f64) {
        match input {
            Input::Applied {
                request,
                pending,
                rebase,
                more,
                stopped,
                moved,
            } => {
                let applied = Applied {
                    pending,
                    rebase,
                    more,
                    stopped,
                    moved,
                };
                self.handle_applied(request, &applied, now, random);
            }
            Input::Heard { request } => self.handle_heard(request, now),
            Input::Failed {
                request,
                status,
                problem,
                retry_after,
            } => self.handle_failed(request, status, problem, retry_after, now, random),
            Input::Tail { request, event } => self.handle_tail(request, event, now, random),
            Input::Committed { .. } | Input::Rebased { .. } | Input::Recovered { .. } | Input::Stuck { .. } => {
                self.handle_store(input, now, random);
            }
            Input::Token(true) => {
                self.token = Token::Given;
                self.forgive();
            }
            Input::Token(false) => {
                self.token = Token::Stale;
                self.block("token-missing", now, random);
            }
            _ => self.handle_wish(&input),
        }
        self.give_up_waiting(now, random);
        self.go_on(now);
        self.tell(now);
    }

    /// What the user, the browser and the other tabs want.
    fn handle_wish(&mut self, input: &Input<'_>) {
        match *input {
            Input::Start {
                pending,
                rebase,
                bound,
                live,
                batch,
            } => {
                self.drop_connections();
                self.started = true;
                (self.pending, self.rebase, self.bound, self.live) = (pending, rebase, bound, live);
                self.batch = if batch == 0 { PUSH_COMMITS } else { batch };
                (self.max_commits, self.max_bytes) = (self.batch, PUSH_BYTES);
                (self.undecided, self.behind) = (false, false);
                self.forgive();
            }
            Input::Leading(leading) => {
                self.leading = leading;
                if leading {
                    self.try_again();
                } else {
                    self.drop_connections();
                }
            }
            Input::Online(online) => {
                self.offline = !online;
                if online {
                    self.try_again();
                }
            }
            Input::Visible(true) => self.try_again(),
            Input::Now => {
                self.urgent = true;
                self.reopening.succeeded();
                self.try_again();
            }
            Input::Pause => {
                self.paused = true;
                self.drop_connections();
            }
            Input::Resume => {
                self.paused = false;
                self.try_again();
            }
            // Timers may be early: then the same time is told again.
            Input::Tick => self.woken = None,
            _ => {}
        }
    }

    /// What happened to the store.
    fn handle_store(&mut self, input: Input<'_>, now: i64, random: f64) {
        match input {
            Input::Committed { pending } => {
                if pending > self.pending && self.blocked_by.is_none() {
                    self.network.hurry(now, random);
                    self.pushing.hurry(now, random);
                }
                self.pending = pending;
            }
            Input::Rebased {
                pending,
                blocked,
                rebase,
            } => {
                (self.pending, self.rebase, self.undecided) = (pending, rebase, blocked > 0);
                self.storing.succeeded();
                if blocked == 0 {
                    self.deciding.succeeded();
                    self.pushing.succeeded();
                } else {
                    self.deciding.failed(now, random, None);
                }
                if self.work == Work::Rebase {
                    self.work = Work::Nothing;
                }
            }
            Input::Recovered { pending, rebase } => {
                (self.pending, self.rebase, self.contact) = (pending, rebase, true);
                if self.work == Work::Recovery {
                    self.work = Work::Nothing;
                }
            }
            Input::Stuck { code } => {
                // What the tail brings next would not follow on what is stored.
                self.drop_connections();
                if code == DIVERGED {
                    self.storing.blocked(now, random);
                } else {
                    self.storing.failed(now, random, None);
                }
                self.blocked_by = Some(code.into_owned());
            }
            _ => {}
        }
    }

    fn handle_applied(&mut self, request: u64, applied: &Applied, now: i64, random: f64) {
        // Also what was cancelled may have been stored before.
        let progress = applied.moved || applied.pending < self.pending;
        (self.pending, self.rebase) = (applied.pending, applied.rebase);
        let Some(kind) = self.end(request) else { return };
        self.heard(now);
        self.network.succeeded();
        if !applied.rebase {
            self.storing.succeeded();
        }
        if kind == Request::Capabilities {
            self.bound = true;
            return;
        }
        // What was wished for since it was sent asks for another answer.
        self.contact |= applied.more;
        self.urgent &= self.contact;
        self.behind = applied.more && (applied.stopped || self.behind);
        if kind == Request::Push {
            self.max_commits = (self.max_commits * 2).min(self.batch);
            self.max_bytes = (self.max_bytes * 2).min(PUSH_BYTES);
            if progress || applied.more || applied.rebase {
                self.pushing.succeeded();
            } else if applied.pending > 0 {
                self.pushing.failed(now, random, None);
            }
        }
    }

    /// It goes on: there is as much time again for the next part.
    fn handle_heard(&mut self, request: u64, now: i64) {
        if let Work::Request { number, since, .. } = &mut self.work
            && *number == request
        {
            *since = now;
            self.network.succeeded();
            self.heard(now);
        }
    }

    fn handle_failed(
        &mut self,
        request: u64,
        status: u32,
        problem: Option<Cow<'_, str>>,
        retry_after: Option<i64>,
        now: i64,
        random: f64,
    ) {
        let Some(kind) = self.end(request) else { return };
        self.contact |= kind != Request::Tail;
        let error = match problem {
            Some(problem) => problem.into_owned(),
            None if status == 0 => "no-answer".to_owned(),
            None => format!("http-{status}"),
        };
        match status {
            401 => {
                // A token that the app gave for a refused one, and that is refused too: not at once again.
                if self.status.last_error.as_deref() == Some(&error) {
                    self.block(&error, now, random);
                }
                self.token = Token::Stale;
            }
            // If a request is under way besides the tail it will get the same answer.
            412 if self.work == Work::Nothing => {
                if self.status.last_error.as_deref() == Some(&error) {
                    // Nothing was answered since the last time.
                    self.network.failed(now, random, None);
                }
                self.drop_connections();
                self.work = Work::Recovery;
                self.outputs.push_back(Output::Recover { request });
            }
            412 => self.contact = true,
            413 if kind == Request::Push && self.halve() => {}
            0 | 408 | 429 | 500..=506 | 508.. => {
                let backoff = if kind == Request::Tail {
                    &mut self.reopening
                } else {
                    &mut self.network
                };
                backoff.failed(now, random, retry_after);
            }
            _ => self.block(&error, now, random),
        }
        self.status.last_error = Some(error);
    }

    fn handle_tail(&mut self, request: u64, event: TailEvent, now: i64, random: f64) {
        if let TailEvent::Applied { pending, rebase } = event {
            (self.pending, self.rebase) = (pending, rebase);
        }
        if self.tail != Some(request) {
            return;
        }
        match event {
            TailEvent::Opened => self.heard(now),
            TailEvent::Applied { .. } => {
                self.heard(now);
                self.reopening.succeeded();
            }
            TailEvent::Closed => {
                self.tail = None;
                self.reopening.failed(now, random, None);
            }
        }
    }

    /// Ends what was waited for long enough: an answer, or the time to try again.
    fn give_up_waiting(&mut self, now: i64, random: f64) {
        if let Work::Request { number, kind, since } = self.work
            && !(since..since + REQUEST_TIMEOUT).contains(&now)
        {
            if kind == Request::Push {
                // Perhaps it was more than the network takes in that time.
                self.halve();
            }
            self.outputs.push_back(Output::Cancel { request: number });
            self.work = Work::Nothing;
            self.contact = true;
            self.status.last_error = Some("no-answer".to_owned());
            self.network.failed(now, random, None);
        }
        if self.blocked_by.is_some() && self.wait(now).is_none() {
            self.blocked_by = None;
            self.contact = true;
        }
        if self.undecided && self.deciding.until(now).is_none() {
            self.undecided = false;
            self.rebase = true;
        }
    }

    /// Begins what is to be done next, if nothing is under way.
    fn go_on(&mut self, now: i64) {
        if !self.started || self.paused || !self.leading || self.work != Work::Nothing {
            return;
        }
        let waiting = self.wait(now).is_some() || (self.offline && !self.urgent);
        // A walk needs no network, but one is enough for all pages.
        if self.rebase && self.storing.until(now).is_none() && (waiting || !self.contact) {
            self.work = Work::Rebase;
            self.outputs.push_back(Output::Rebase);
            return;
        }
        if waiting {
            return;
        }
        match self.token {
            Token::Given => {}
            Token::Asked => return,
            Token::Unknown | Token::Stale => {
                let refresh = self.token == Token::Stale;
                self.token = Token::Asked;
                self.outputs.push_back(Output::Token { refresh });
                return;
            }
        }
        let undecided = self.rebase && !is_planted(Plant::UndecidedPushed);
        let pushes = self.pending > 0 && !undecided && !self.behind && self.pushing.until(now).is_none();
        if !self.bound {
            self.send(Request::Capabilities, now);
        } else if pushes {
            self.send(Request::Push, now);
        } else if self.contact {
            self.send(Request::Pull, now);
        } else if self.live && self.tail.is_none() && self.reopening.until(now).is_none() {
            self.send(Request::Tail, now);
        }
    }

    /// Until when nothing is sent.
    fn wait(&mut self, now: i64) -> Option<i64> {
        self.network.until(now).max(self.storing.until(now))
    }

    fn send(&mut self, kind: Request, now: i64) {
        self.requests += 1;
        let number = self.requests;
        if kind == Request::Tail {
            self.tail = Some(number);
        } else {
            self.work = Work::Request {
                number,
                kind,
                since: now,
            };
            self.contact &= kind == Request::Capabilities;
        }
        let (max_commits, max_bytes) = match kind {
            Request::Push => (self.max_commits, self.max_bytes),
            _ => (PULL_COMMITS, PULL_BYTES),
        };
        self.outputs.push_back(Output::Send {
            request: number,
            kind,
            max_commits,
            max_bytes,
        });
    }

    /// Says when to come back and how it stands, if that has changed.
    fn tell(&mut self, now: i64) {
        let timeout = match self.work {
            Work::Request { since, .. } => Some(since + REQUEST_TIMEOUT),
            _ => None,
        };
        let at = [
            timeout,
            self.network.until(now),
            self.storing.until(now),
            self.pushing.until(now),
            self.deciding.until(now),
            self.reopening.until(now),
        ];
        let at = at.into_iter().flatten().min();
        if at != self.woken {
            self.woken = at;
            self.outputs.extend(at.map(|at| Output::Wake { at }));
        }
        self.status.state = self.state(now);
        self.status.blocked_by.clone_from(&self.blocked_by);
        if self.undecided && self.status.blocked_by.is_none() {
            self.status.blocked_by = Some("decide-failed".to_owned());
        }
        if self.status != self.told {
            self.told.clone_from(&self.status);
            self.outputs.push_back(Output::Status(self.status.clone()));
        }
    }

    fn state(&mut self, now: i64) -> State {
        if !self.started {
            return State::Off;
        }
        if self.paused {
            return State::Offline;
        }
        if self.blocked_by.is_some() {
            return State::Blocked;
        }
        match self.work {
            Work::Request {
                kind: Request::Push, ..
            }
            | Work::Rebase => return State::Pushing,
            Work::Request {
                kind: Request::Pull, ..
            }
            | Work::Recovery => return State::Pulling,
            _ => {}
        }
        if self.undecided {
            State::Blocked
        } else if self.offline || self.network.until(now).is_some() {
            State::Offline
        } else if self.contact || !self.bound {
            State::Connecting
        } else if self.live && self.tail.is_none() && self.reopening.until(now).is_some() {
            State::Offline
        } else {
            State::Idle
        }
    }

    /// Has the next push bring half as much. False if that is less than one commit.
    fn halve(&mut self) -> bool {
        let commits = self.max_commits.min(self.pending);
        if commits > 1 {
            self.max_commits = commits / 2;
            self.max_bytes /= 2;
        }
        commits > 1
    }

    /// The kind of a request that is under way; it is not any more.
    fn end(&mut self, request: u64) -> Option<Request> {
        if self.tail.take_if(|tail| *tail == request).is_some() {
            return Some(Request::Tail);
        }
        match self.work {
            Work::Request { number, kind, .. } if number == request => {
                self.work = Work::Nothing;
                Some(kind)
            }
            _ => None,
        }
    }

    fn heard(&mut self, now: i64) {
        self.status.last_contact = Some(now);
        self.status.last_error = None;
    }

    fn block(&mut self, reason: &str, now: i64, random: f64) {
        self.blocked_by = Some(reason.to_owned());
        self.network.blocked(now, random);
    }

    /// What was in the way may be gone.
    fn forgive(&mut self) {
        self.blocked_by = None;
        self.network.reset();
        self.reopening.reset();
        self.pushing.reset();
        self.storing.reset();
        self.deciding.reset();
    }

    /// The same, and the server is asked for what it has.
    fn try_again(&mut self) {
        self.forgive();
        self.contact = true;
    }

    fn drop_connections(&mut self) {
        if let Work::Request { number, .. } = self.work {
            self.outputs.push_back(Output::Cancel { request: number });
        }
        self.outputs
            .extend(self.tail.take().map(|request| Output::Cancel { request }));
        self.work = Work::Nothing;
        self.contact = true;
    }
}

/// What the store says after an answer.
#[expect(clippy::struct_excessive_bools, reason = "as in `Replica`")]
struct Applied {
    pending: u64,
    rebase: bool,
    more: bool,
    stopped: bool,
    moved: bool,
}

#[cfg(test)]
mod tests;
