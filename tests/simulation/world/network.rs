//! Requests, answers and tails on their way, and the server's end of them.

use everfold::sync::{Input, Request, TailEvent};

use super::{Event, Tail, World};
use crate::faults::Fault;
use crate::server::{Answer, Ask, Question};
use crate::shell;
use crate::tab::{Body, Job, TabId};

impl World {
    pub(super) fn send(&mut self, id: TabId, request: u64, kind: Request, max_commits: usize, body: Body) {
        let Some(tab) = self.tab(id) else { return };
        if tab.request != Some(request) && tab.tail != Some(request) {
            return;
        }
        let ask = match body {
            Body::Nothing => Ask::Capabilities,
            Body::Push(text) => Ask::Push(text),
            Body::After(cursor) => Ask::Pull(Some(cursor)),
        };
        let question = Question {
            ask,
            token: self.devices[id.device].token,
            max_commits,
        };
        if !self.devices[id.device].online {
            self.no_answer(id, request, kind);
            return;
        }
        if self.strikes(Fault::Dropped, 0.05) {
            self.say(|| format!("{} {} {request} is lost", self.name(id), kind.name()));
            self.no_answer(id, request, kind);
            return;
        }
        if kind != Request::Tail && self.strikes(Fault::Duplicated, 0.08) {
            let delay = self.random.between(1_000, 600_000) as i64;
            let (tab, question) = (id, question.clone());
            self.after(
                delay,
                Event::Arrive {
                    tab,
                    request,
                    kind,
                    question,
                    echo: true,
                },
            );
        }
        let delay = self.latency();
        self.after(
            delay,
            Event::Arrive {
                tab: id,
                request,
                kind,
                question,
                echo: false,
            },
        );
    }

    pub(super) fn latency(&mut self) -> i64 {
        if self.strikes(Fault::Delayed, 0.03) {
            self.random.between(5_000, 400_000) as i64
        } else {
            self.random.between(5, 200) as i64
        }
    }

    /// The connection breaks, or nothing is ever heard again.
    pub(super) fn no_answer(&mut self, id: TabId, request: u64, kind: Request) {
        // A silent tail is given up by the shell.
        let silence = if kind == Request::Tail { 45_000 } else { 10_000 };
        if kind == Request::Tail || self.random.chance(0.7) {
            let delay = self.random.between(10, silence) as i64;
            let answer = Answer {
                status: 0,
                text: String::new(),
            };
            self.after(
                delay,
                Event::Answered {
                    tab: id,
                    request,
                    kind,
                    answer,
                },
            );
        }
    }

    pub(super) fn arrive(&mut self, id: TabId, request: u64, kind: Request, question: &Question, echo: bool) {
        if self.server.away_until > self.now {
            self.no_answer(id, request, kind);
            return;
        }
        let pushes = matches!(question.ask, Ask::Push(_));
        if pushes && self.strikes(Fault::LogFailed, 0.02) {
            let after = self.random.chance(0.5);
            self.server.fail_append(after);
        }
        let crashes = pushes && self.strikes(Fault::ServerCrashed, 0.02);
        if crashes && self.random.chance(0.5) {
            self.server_dies();
            return self.no_answer(id, request, kind);
        }
        let answer = self.server.answer(question, self.now);
        self.check_results(&answer);
        if self.truth.number() < self.server.state().head.number {
            let before = self.truth.number();
            self.truth.follow(&self.server);
            for event in &self.truth.events[self.truth.events_up_to(before)..] {
                self.say(|| {
                    format!(
                        "{}? => #{} {}@{} {:?}",
                        event.commit, event.position, event.stream, event.version, event.event
                    )
                });
            }
            let tails: Vec<_> = self.tails.keys().copied().collect();
            for tail in tails {
                self.after(1, Event::Flow(tail));
            }
        }
        if crashes {
            self.server_dies();
            return self.no_answer(id, request, kind);
        }
        if echo {
            return;
        }
        self.say(|| {
            format!(
                "{} {} {request} is answered with {}",
                self.name(id),
                kind.name(),
                answer.status
            )
        });
        if self.strikes(Fault::LostAnswer, 0.06) {
            self.say(|| format!("{} does not hear the answer to {request}", self.name(id)));
            return self.no_answer(id, request, kind);
        }
        let mut answer = answer;
        if answer.status == 200 && self.strikes(Fault::TornAnswer, 0.02) {
            let cut = self.random.below(answer.text.len() as u64) as usize;
            answer.text.truncate(cut);
        }
        let delay = self.latency();
        self.after(
            delay,
            Event::Answered {
                tab: id,
                request,
                kind,
                answer,
            },
        );
    }

    pub(super) fn server_dies(&mut self) {
        self.server.away_until = self.now + self.random.between(1_000, 60_000) as i64;
        self.say(|| "the server dies".to_owned());
        let tails = std::mem::take(&mut self.tails);
        for tail in tails.into_values() {
            self.end_tail(&tail);
        }
    }

    pub(super) fn answered(&mut self, id: TabId, request: u64, kind: Request, answer: Answer) {
        let Some(tab) = self.tab(id) else { return };
        if tab.request != Some(request) && tab.tail != Some(request) {
            return;
        }
        if answer.status != 200 {
            let problem = slug(&answer.text);
            tab.problem = answer.text;
            tab.request.take_if(|under_way| *under_way == request);
            tab.tail.take_if(|under_way| *under_way == request);
            let not_empty = problem.as_deref() == Some("space-not-empty");
            self.fail(id, request, answer.status, problem);
            if not_empty {
                self.put_on_top(id.device);
            }
            return;
        }
        if tab.adoption == Some(request) {
            let text = answer.text;
            return self.job(id, Job::Adopted { request, text });
        }
        match kind {
            Request::Tail => {
                let Some(cursor) = shell::cursor_of(&answer.text) else {
                    tab.tail = None;
                    return self.fail(id, request, 0, None);
                };
                self.numbers += 1;
                let number = self.numbers;
                let event = TailEvent::Opened;
                self.tell(id, Input::Tail { request, event });
                self.tails.insert(
                    number,
                    Tail {
                        tab: id,
                        request,
                        cursor,
                        last: self.now,
                    },
                );
                self.job(
                    id,
                    Job::Apply {
                        request,
                        kind,
                        text: answer.text,
                    },
                );
                self.after(1, Event::Flow(number));
            }
            Request::Capabilities | Request::Push | Request::Pull => self.job(
                id,
                Job::Apply {
                    request,
                    kind,
                    text: answer.text,
                },
            ),
        }
    }

    pub(super) fn flow(&mut self, number: u64) {
        let cut = self.strikes(Fault::TailCut, 0.05);
        let Some(tail) = self.tails.get(&number) else { return };
        let (id, request) = (tail.tab, tail.request);
        let offline = !self.devices[id.device].online;
        let found = self.server.tail(&tail.cursor).filter(|_| !cut && !offline);
        let Some((text, cursor)) = found else {
            if let Some(tail) = self.tails.remove(&number) {
                self.end_tail(&tail);
            }
            return;
        };
        if text.is_empty() {
            return;
        }
        let latency = self.random.between(1, 100) as i64;
        let Some(tail) = self.tails.get_mut(&number) else {
            return;
        };
        let at = (self.now + latency).max(tail.last);
        (tail.cursor, tail.last) = (cursor, at);
        let text = Some(text);
        self.after(at - self.now, Event::Tail { tab: id, request, text });
        self.after(1, Event::Flow(number));
    }

    pub(super) fn end_tail(&mut self, tail: &Tail) {
        // A connection that is gone shows after a silence.
        let silence = self.random.between(10, 45_000) as i64;
        let at = (self.now + silence).max(tail.last);
        let (tab, request, text) = (tail.tab, tail.request, None);
        self.after(at - self.now, Event::Tail { tab, request, text });
    }

    pub(super) fn tail_brings(&mut self, id: TabId, request: u64, text: Option<String>) {
        let Some(tab) = self.tab(id) else { return };
        if tab.tail != Some(request) {
            return;
        }
        let kind = Request::Tail;
        if let Some(text) = text {
            self.job(id, Job::Apply { request, kind, text });
        } else {
            tab.tail = None;
            let event = TailEvent::Closed;
            self.tell(id, Input::Tail { request, event });
        }
    }
}

/// The slug of a problem document.
fn slug(text: &str) -> Option<String> {
    let document: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(document["type"].as_str()?.rsplit(':').next()?.to_owned())
}
