//! What comes out, in words: `push 3`, `tail 4`, `cancel 3`, `token`, `token again`, `rebase`, `recover 3`; waking and
//! status are asked for by themselves.

use super::*;

/// A replica with its shell's clock. Random numbers are all 1.
struct Device {
    replica: Replica,
    now: i64,
    wakes: Option<i64>,
    status: Status,
}

impl Device {
    /// It leads, has a token and knows the epoch; its first request is under way: number 1.
    fn leading(pending: u64) -> Self {
        let mut device = Self::new();
        device.say(start(pending));
        assert_eq!(device.say(Input::Leading(true)), ["token"]);
        let sent = if pending > 0 { "push 1" } else { "pull 1" };
        assert_eq!(device.say(Input::Token(true)), [sent]);
        device
    }

    /// Nothing is pending, the tail is open: request 2.
    fn idle() -> Self {
        let mut device = Self::leading(0);
        assert_eq!(device.say(applied(1, 0)), ["tail 2"]);
        assert_eq!(device.tail(2, TailEvent::Opened), NOTHING);
        assert_eq!(device.status.state, State::Idle);
        device
    }

    fn new() -> Self {
        Self {
            replica: Replica::new(),
            now: 1_000_000,
            wakes: None,
            status: Status::default(),
        }
    }

    fn say(&mut self, input: Input<'_>) -> Vec<String> {
        self.say_with(input, 1.0)
    }

    fn say_with(&mut self, input: Input<'_>, random: f64) -> Vec<String> {
        self.replica.handle(input, self.now, random);
        let mut words = Vec::new();
        while let Some(output) = self.replica.poll_output() {
            match output {
                Output::Send { request, kind, .. } => words.push(format!("{} {request}", kind.name())),
                Output::Cancel { request } => words.push(format!("cancel {request}")),
                Output::Token { refresh: false } => words.push("token".to_owned()),
                Output::Token { refresh: true } => words.push("token again".to_owned()),
                Output::Rebase => words.push("rebase".to_owned()),
                Output::Recover { request } => words.push(format!("recover {request}")),
                Output::Wake { at } => self.wakes = Some(at),
                Output::Status(status) => self.status = status,
            }
        }
        words
    }

    fn fails(&mut self, request: u64, status: u32, problem: &'static str) -> Vec<String> {
        self.say(failed(request, status, problem, None))
    }

    fn tail(&mut self, request: u64, event: TailEvent) -> Vec<String> {
        self.say(Input::Tail { request, event })
    }

    /// Lets the time come that the replica asked to be woken at.
    #[track_caller]
    fn wake(&mut self) -> Vec<String> {
        self.now = self.wakes.take().expect("it waits for something");
        self.say(Input::Tick)
    }

    fn blocked_by(&self) -> Option<&str> {
        assert_eq!(self.status.blocked_by.is_some(), self.status.state == State::Blocked);
        self.status.blocked_by.as_deref()
    }
}

const NOTHING: [&str; 0] = [];

fn start(pending: u64) -> Input<'static> {
    Input::Start {
        pending,
        rebase: false,
        bound: true,
        live: true,
        batch: 0,
    }
}

fn applied(request: u64, pending: u64) -> Input<'static> {
    applied_with(request, pending, false, false, false)
}

fn applied_with(request: u64, pending: u64, rebase: bool, more: bool, stopped: bool) -> Input<'static> {
    Input::Applied {
        request,
        pending,
        rebase,
        more,
        stopped,
        moved: false,
    }
}

fn failed(request: u64, status: u32, problem: &'static str, retry_after: Option<i64>) -> Input<'static> {
    Input::Failed {
        request,
        status,
        problem: (!problem.is_empty()).then_some(problem.into()),
        retry_after,
    }
}

fn rebased(pending: u64, blocked: u64) -> Input<'static> {
    Input::Rebased {
        pending,
        blocked,
        rebase: false,
    }
}

#[test]
fn only_the_leading_tab_sends() {
    let mut device = Device::new();

    assert_eq!(device.say(start(3)), NOTHING);
    assert_eq!(device.say(Input::Now), NOTHING);
    assert_eq!(device.say(Input::Leading(true)), ["token"]);
    assert_eq!(device.say(Input::Token(true)), ["push 1"]);
    assert_eq!(device.say(Input::Leading(false)), ["cancel 1"]);
    assert_eq!(device.say(Input::Committed { pending: 4 }), NOTHING);
}

#[test]
fn what_the_server_is_comes_first() {
    let mut device = Device::new();
    device.say(Input::Start {
        pending: 1,
        rebase: false,
        bound: false,
        live: true,
        batch: 0,
    });
    device.say(Input::Leading(true));

    assert_eq!(device.say(Input::Token(true)), ["capabilities 1"]);
    assert_eq!(device.say(applied(1, 1)), ["push 2"]);
}

#[test]
fn with_nothing_pending_it_pulls_page_by_page_and_keeps_a_tail_open() {
    let mut device = Device::leading(0);

    assert_eq!(device.say(applied_with(1, 0, false, true, false)), ["pull 2"]);
    assert_eq!(device.status.state, State::Pulling);
    assert_eq!(device.say(applied(2, 0)), ["tail 3"]);
    assert_eq!(device.status.state, State::Idle);
}

#[test]
fn pushes_follow_one_another_until_nothing_is_pending() {
    let mut device = Device::leading(700);

    assert_eq!(device.status.state, State::Pushing);
    assert_eq!(device.say(Input::Committed { pending: 701 }), NOTHING);
    assert_eq!(device.say(applied(1, 201)), ["push 2"]);
    assert_eq!(device.say(applied(2, 0)), ["tail 3"]);
    assert_eq!(device.say(Input::Committed { pending: 1 }), ["push 4"]);
    assert_eq!(device.say(applied(4, 0)), NOTHING);
}

#[test]
fn nothing_is_pushed_before_pending_commits_are_decided_again() {
    let mut device = Device::leading(2);

    assert_eq!(device.say(applied_with(1, 2, true, false, true)), ["rebase"]);
    assert_eq!(device.say(Input::Committed { pending: 3 }), NOTHING);
    assert_eq!(device.say(rebased(3, 0)), ["push 2"]);
}

#[test]
fn all_pages_are_pulled_before_one_walk_over_what_is_pending() {
    let mut device = Device::leading(2);

    assert_eq!(device.say(applied_with(1, 2, true, true, true)), ["pull 2"]);
    assert_eq!(device.say(applied_with(2, 2, true, true, false)), ["pull 3"]);
    assert_eq!(device.say(applied_with(3, 2, true, false, false)), ["rebase"]);
}

#[test]
fn a_push_that_met_what_is_on_later_pages_is_not_repeated_before_they_are_here() {
    let mut device = Device::leading(2);

    assert_eq!(device.say(applied_with(1, 2, false, true, true)), ["pull 2"]);
    assert_eq!(device.say(applied_with(2, 2, false, true, false)), ["pull 3"]);
    assert_eq!(device.say(applied(3, 2)), ["push 4"]);
}

#[test]
fn commits_of_the_tail_are_followed_by_a_walk() {
    let mut device = Device::idle();
    let event = TailEvent::Applied {
        pending: 1,
        rebase: true,
    };

    assert_eq!(device.tail(2, event), ["rebase"]);
    assert_eq!(device.say(rebased(1, 0)), ["push 3"]);
}

#[test]
fn what_is_confirmed_during_a_walk_is_walked_over_too() {
    let mut device = Device::leading(2);
    device.say(applied_with(1, 2, true, false, true));

    let again = Input::Rebased {
        pending: 2,
        blocked: 0,
        rebase: true,
    };
    assert_eq!(device.say(again), ["rebase"]);
}

#[test]
fn a_lost_answer_is_pushed_again_after_a_while() {
    let mut device = Device::leading(1);

    assert_eq!(device.fails(1, 0, ""), NOTHING);
    assert_eq!(device.status.state, State::Offline);
    assert_eq!(device.status.last_error.as_deref(), Some("no-answer"));
    assert_eq!(device.wake(), ["push 2"]);
    assert_eq!(device.fails(2, 502, ""), NOTHING);
    assert_eq!(device.status.last_error.as_deref(), Some("http-502"));
    assert_eq!(device.wake(), ["push 3"]);
    assert_eq!(device.say(applied(3, 0)), ["tail 4"]);
    assert_eq!(device.status.last_error, None);
}

#[test]
fn a_request_that_is_never_answered_is_given_up() {
    let mut device = Device::leading(1);

    assert_eq!(device.wake(), ["cancel 1"]);
    assert_eq!(device.wake(), ["push 2"]);
}

#[test]
fn a_request_of_many_parts_has_time_for_each() {
    let mut device = Device::new();
    device.say(Input::Start {
        pending: 0,
        rebase: false,
        bound: false,
        live: true,
        batch: 0,
    });
    device.say(Input::Leading(true));
    assert_eq!(device.say(Input::Token(true)), ["capabilities 1"]);

    for _ in 0..3 {
        device.now += 119_000;
        assert_eq!(device.say(Input::Heard { request: 1 }), NOTHING);
        assert_eq!(device.status.last_contact, Some(device.now));
    }

    assert_eq!(device.say(applied(1, 0)), ["pull 2"]);
    assert_eq!(device.say(Input::Heard { request: 1 }), NOTHING);
}

#[test]
fn a_push_that_takes_too_long_is_halved() {
    let mut device = Device::leading(500);
    let mut sizes = Vec::new();
    while sizes.len() < 3 {
        device.now = device.wakes.take().expect("it waits for something");
        device.replica.handle(Input::Tick, device.now, 1.0);
        while let Some(output) = device.replica.poll_output() {
            match output {
                Output::Wake { at } => device.wakes = Some(at),
                Output::Send {
                    max_commits, max_bytes, ..
                } => sizes.push((max_commits, max_bytes)),
                _ => {}
            }
        }
    }

    assert_eq!(sizes, [(250, 2 << 20), (125, 1 << 20), (62, 1 << 19)]);
}

#[test]
fn a_timer_that_is_early_is_set_again() {
    let mut device = Device::leading(1);
    device.fails(1, 0, "");
    let at = device.wakes.take();

    device.now += 999;
    assert_eq!(device.say(Input::Tick), NOTHING);
    assert_eq!(device.wakes, at);
}

#[test]
fn an_answer_to_a_request_that_was_given_up_counts_for_the_store_only() {
    let mut device = Device::leading(1);
    device.wake();
    device.wake();

    assert_eq!(device.say(applied(1, 0)), NOTHING);
    assert_eq!(device.say(applied(2, 0)), ["tail 3"]);
}

#[test]
fn a_network_that_comes_back_a_page_that_is_seen_and_a_new_commit_end_the_waiting() {
    for input in [Input::Online(true), Input::Visible(true), Input::Now] {
        let mut device = Device::leading(1);
        device.fails(1, 0, "");
        assert_eq!(device.say(input), ["push 2"]);
    }

    let mut device = Device::leading(1);
    device.fails(1, 0, "");
    device.wake();
    device.fails(2, 0, "");
    device.wake();
    device.fails(3, 0, "");
    assert_eq!(device.wakes, Some(device.now + 4_000));
    device.say(Input::Committed { pending: 2 });
    assert_eq!(device.wakes, Some(device.now + 1_000));
}

#[test]
fn what_the_server_asks_to_wait_is_waited_whoever_wishes_otherwise() {
    let mut device = Device::leading(1);

    device.say_with(failed(1, 429, "rate-limited", Some(30_000)), 0.0);
    assert_eq!(device.wakes, Some(device.now + 30_000));
    assert_eq!(device.say(Input::Visible(true)), NOTHING);
    assert_eq!(device.say(Input::Committed { pending: 2 }), NOTHING);
    assert_eq!(device.say(Input::Now), NOTHING);
    assert_eq!(device.wake(), ["push 2"]);
}

#[test]
fn a_clock_that_is_set_makes_no_long_wait() {
    let year = 31_536_000_000;
    for jump in [year, -year] {
        let mut device = Device::leading(1);
        device.fails(1, 0, "");
        device.now += jump;
        assert_eq!(device.say(Input::Tick), ["push 2"]);
    }
}

#[test]
fn offline_nothing_is_sent_but_what_the_user_asks_for() {
    let mut device = Device::idle();

    assert_eq!(device.say(Input::Online(false)), NOTHING);
    assert_eq!(device.say(Input::Committed { pending: 1 }), NOTHING);
    assert_eq!(device.status.state, State::Offline);
    assert_eq!(device.say(Input::Now), ["push 3"]);
    assert_eq!(device.fails(3, 0, ""), NOTHING);
    assert_eq!(device.say(Input::Online(true)), ["push 4"]);
}

#[test]
fn offline_pending_commits_are_decided_again_nevertheless() {
    let mut device = Device::leading(1);
    device.say(Input::Online(false));

    assert_eq!(device.say(applied_with(1, 1, true, true, true)), ["rebase"]);
}

#[test]
fn what_the_user_asks_for_is_not_answered_by_what_was_sent_before() {
    let mut device = Device::idle();
    assert_eq!(device.say(Input::Committed { pending: 1 }), ["push 3"]);
    assert_eq!(device.say(Input::Now), NOTHING);

    assert_eq!(device.say(applied(3, 0)), ["pull 4"]);
    assert_ne!(device.status.state, State::Idle);

    assert_eq!(device.say(applied(4, 0)), NOTHING);
    assert_eq!(device.status.state, State::Idle);
}

#[test]
fn a_token_that_is_not_taken_is_a_pause_and_never_a_failure() {
    let mut device = Device::leading(1);

    assert_eq!(device.fails(1, 401, "token-expired"), ["token again"]);
    assert_eq!(device.say(Input::Committed { pending: 2 }), NOTHING);
    assert_eq!(device.say(Input::Token(true)), ["push 2"]);
    assert_eq!(device.say(applied(2, 0)), ["tail 3"]);
}

#[test]
fn a_fresh_token_that_is_not_taken_either_is_not_asked_for_at_once() {
    let mut device = Device::leading(1);
    device.fails(1, 401, "token-invalid");
    device.say(Input::Token(true));

    assert_eq!(device.fails(2, 401, "token-invalid"), NOTHING);
    assert_eq!(device.blocked_by(), Some("token-invalid"));
    assert_eq!(device.wake(), ["token again"]);
    assert_eq!(device.say(Input::Token(false)), NOTHING);
    assert_eq!(device.blocked_by(), Some("token-missing"));
    assert_eq!(device.say(Input::Token(true)), ["push 3"]);
}

#[test]
fn what_somebody_has_to_put_right_blocks_and_keeps_the_queue() {
    for (status, problem) in [
        (400, "malformed"),
        (403, "space-forbidden"),
        (404, "space-unknown"),
        (409, "history-diverged"),
        (415, "encoding"),
        (422, "batch-invalid"),
        (426, "protocol-unsupported"),
        (507, "quota-exceeded"),
    ] {
        let mut device = Device::leading(1);

        assert_eq!(device.fails(1, status, problem), NOTHING);
        assert_eq!(device.blocked_by(), Some(problem));
        assert_eq!(device.say(Input::Committed { pending: 2 }), NOTHING);
        assert_eq!(device.say(Input::Now), ["push 2"]);
        device.fails(2, status, problem);
        assert_eq!(device.say(Input::Online(true)), ["push 3"]);
        device.fails(3, status, problem);
        assert_eq!(device.wake(), ["push 4"]);
        assert_eq!(device.say(applied(4, 0)), ["tail 5"]);
        assert_eq!(device.blocked_by(), None);
    }
}

#[test]
fn a_push_that_is_too_large_is_halved_down_to_one_commit() {
    let mut device = Device::leading(5);
    let mut sizes = Vec::new();
    for request in 1..=2 {
        device
            .replica
            .handle(failed(request, 413, "payload-too-large", None), 0, 1.0);
        while let Some(output) = device.replica.poll_output() {
            if let Output::Send { max_commits, .. } = output {
                sizes.push(max_commits);
            }
        }
    }

    assert_eq!(sizes, [2, 1]);
    assert_eq!(device.fails(3, 413, "payload-too-large"), NOTHING);
    assert_eq!(device.blocked_by(), Some("payload-too-large"));
}

#[test]
fn another_epoch_is_recovered_from() {
    let mut device = Device::leading(1);

    assert_eq!(device.fails(1, 412, "epoch-changed"), ["recover 1"]);
    let recovered = Input::Recovered {
        pending: 3,
        rebase: true,
    };
    assert_eq!(device.say(recovered), ["pull 2"]);
    assert_eq!(device.say(applied_with(2, 3, true, false, false)), ["rebase"]);
}

#[test]
fn a_server_that_tells_of_another_epoch_over_and_over_is_not_asked_all_the_time() {
    let mut device = Device::leading(1);
    let recovered = || Input::Recovered {
        pending: 1,
        rebase: false,
    };
    assert_eq!(device.fails(1, 412, "epoch-changed"), ["recover 1"]);
    assert_eq!(device.say(recovered()), ["push 2"]);

    assert_eq!(device.fails(2, 412, "epoch-changed"), ["recover 2"]);
    assert_eq!(device.say(recovered()), NOTHING);
    assert_eq!(device.wakes, Some(device.now + 1_000));
    assert_eq!(device.wake(), ["push 3"]);
    assert_eq!(device.fails(3, 412, "epoch-changed"), ["recover 3"]);
    assert_eq!(device.say(recovered()), NOTHING);
    assert_eq!(device.wakes, Some(device.now + 2_000));
}

#[test]
fn another_epoch_that_the_tail_meets_is_recovered_from_once() {
    let mut device = Device::idle();
    assert_eq!(device.say(Input::Committed { pending: 1 }), ["push 3"]);

    assert_eq!(device.fails(2, 412, "epoch-changed"), NOTHING);
    assert_eq!(device.fails(3, 412, "epoch-changed"), ["recover 3"]);
}

#[test]
fn a_store_that_cannot_is_tried_again_ever_more_slowly() {
    let mut device = Device::leading(1);
    device.say(applied_with(1, 1, true, false, true));

    let mut waits = Vec::new();
    for request in 2..6 {
        let stuck = Input::Stuck {
            code: "quota-exceeded".into(),
        };
        assert_eq!(device.say(stuck), NOTHING);
        assert_eq!(device.blocked_by(), Some("quota-exceeded"));
        waits.extend(device.wakes.map(|at| at - device.now));
        assert_eq!(device.wake(), [format!("pull {request}")]);
        assert_eq!(device.say(applied_with(request, 1, true, false, false)), ["rebase"]);
    }
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000]);
    assert_eq!(device.say(rebased(1, 0)), ["push 6"]);
}

#[test]
fn a_log_that_is_not_the_servers_is_asked_for_again_in_minutes_or_when_somebody_wants_it() {
    let mut device = Device::leading(0);
    device.say(applied_with(1, 0, true, false, true));

    let diverged = || Input::Stuck {
        code: "sync-diverged".into(),
    };
    assert_eq!(device.say(diverged()), NOTHING);
    assert_eq!(device.blocked_by(), Some("sync-diverged"));
    assert_eq!(device.wakes, Some(device.now + 300_000));
    assert_eq!(device.say(Input::Now), ["pull 2"]);

    assert_eq!(device.say(diverged()), ["cancel 2"]);
    assert_eq!(device.wakes, Some(device.now + 300_000));
    assert_eq!(device.wake(), ["pull 3"]);
}

#[test]
fn a_push_that_changes_nothing_is_repeated_ever_more_slowly() {
    let mut device = Device::leading(1);
    device.say(applied(1, 1));
    assert_eq!(device.wakes, Some(device.now + 1_000));

    assert_eq!(device.wake(), ["push 3"]);
    assert_eq!(device.say(applied(3, 1)), NOTHING);
    assert_eq!(device.wakes, Some(device.now + 2_000));
    assert_eq!(device.say(Input::Committed { pending: 2 }), NOTHING);
    assert_eq!(device.wakes, Some(device.now + 1_000));
}

#[test]
fn a_push_during_which_as_much_was_appended_is_followed_by_the_next_at_once() {
    let mut device = Device::leading(1);
    assert_eq!(device.say(Input::Committed { pending: 2 }), NOTHING);
    let applied = Input::Applied {
        request: 1,
        pending: 2,
        rebase: false,
        more: false,
        stopped: false,
        moved: true,
    };

    assert_eq!(device.say(applied), ["push 2"]);
}

#[test]
fn what_could_not_be_decided_is_told_and_tried_again() {
    let mut device = Device::leading(2);
    device.say(applied_with(1, 2, true, false, true));

    assert_eq!(device.say(rebased(2, 1)), ["push 2"]);
    assert_eq!(device.say(applied(2, 1)), ["push 3"]);
    assert_eq!(device.say(applied(3, 1)), ["tail 4"]);
    assert_eq!(device.blocked_by(), Some("decide-failed"));
    assert_eq!(device.wake(), ["rebase"]);
    assert_eq!(device.say(rebased(1, 0)), ["push 5"]);
}

#[test]
fn a_tail_that_ends_is_opened_again_ever_more_slowly_and_work_goes_on() {
    let mut device = Device::idle();

    assert_eq!(device.tail(2, TailEvent::Closed), NOTHING);
    assert_eq!(device.wake(), ["tail 3"]);
    assert_eq!(device.fails(3, 503, "overloaded"), NOTHING);
    assert_eq!(device.wakes, Some(device.now + 2_000));
    assert_eq!(device.say(Input::Committed { pending: 1 }), ["push 4"]);
    assert_eq!(device.say(applied(4, 0)), NOTHING);
    device.now += 2_000;
    assert_eq!(device.say(Input::Tick), ["tail 5"]);
}

#[test]
fn a_pause_ends_everything_and_loses_nothing() {
    let mut device = Device::idle();
    device.say(Input::Committed { pending: 1 });

    assert_eq!(device.say(Input::Pause), ["cancel 3", "cancel 2"]);
    assert_eq!(device.status.state, State::Offline);
    assert_eq!(device.say(Input::Now), NOTHING);
    assert_eq!(device.say(Input::Resume), ["push 4"]);
}

#[test]
fn a_pause_before_the_start_holds() {
    let mut device = Device::new();
    device.say(Input::Pause);
    device.say(start(1));

    assert_eq!(device.say(Input::Leading(true)), NOTHING);
    assert_eq!(device.say(Input::Resume), ["token"]);
}

#[test]
fn inputs_and_outputs_are_json() {
    let read = |text| crate::json::parse::<Input<'_>>(text);

    assert_eq!(
        read(r#"{"input":"failed","request":3,"status":503,"problem":"overloaded","retryAfter":5000}"#),
        Ok(failed(3, 503, "overloaded", Some(5_000)))
    );
    assert_eq!(
        read(r#"{"input":"tail","request":2,"event":"applied","pending":1,"rebase":true}"#),
        Ok(Input::Tail {
            request: 2,
            event: TailEvent::Applied {
                pending: 1,
                rebase: true
            }
        })
    );
    assert_eq!(read(r#"{"input":"leading","on":true}"#), Ok(Input::Leading(true)));
    assert_eq!(read(r#"{"input":"token","ok":true}"#), Ok(Input::Token(true)));
    assert!(read(r#"{"input":"dance"}"#).is_err());

    let mut text = String::new();
    let status = Status {
        state: State::Blocked,
        blocked_by: Some("a \"reason\"".to_owned()),
        last_error: None,
        last_contact: Some(5),
    };
    Output::Status(status).write(&mut text);
    assert_eq!(
        text,
        r#"{"output":"status","state":"blocked","blockedBy":"a \"reason\"","lastContact":5}"#
    );
}
