//! A history that becomes the beginning of a space.

use everfold::sync::{Authority, MemoryLog, Problem, ProblemKind};
use pollster::block_on;
use serde_json::{Value, json};

use crate::space::{Everything, acme, body, commit, head, push_as, statuses};

const MINUTE: i64 = 60_000;

struct Device<'a> {
    authority: &'a Authority<MemoryLog>,
    replica: &'static str,
    now: i64,
}

impl Device<'_> {
    fn push(&self, adopt: Option<&str>, commits: &[Value]) -> Result<Value, Problem> {
        let mut body = body(&head(self.authority), commits);
        body["replica"] = json!(self.replica);
        if let Some(adopt) = adopt {
            body["adopt"] = json!(adopt);
        }
        let pushed = push_as(self.authority, &Everything, &body, self.now)?;
        Ok(serde_json::from_str(&pushed.text).expect("is JSON"))
    }

    #[track_caller]
    fn adopts(&self, adopt: &str, commits: &[Value]) {
        let answer = self.push(Some(adopt), commits).expect("is judged");
        assert!(statuses(&answer).iter().all(|status| *status == "accepted"), "{answer}");
    }

    #[track_caller]
    fn is_told(&self, kind: ProblemKind, adopt: Option<&str>, commits: &[Value]) {
        let before = head(self.authority);
        assert_eq!(self.push(adopt, commits).expect_err("is refused").kind, kind);
        assert_eq!(head(self.authority), before);
    }

    fn at(&self, now: i64) -> Self {
        Self { now, ..*self }
    }
}

fn devices(authority: &Authority<MemoryLog>) -> (Device<'_>, Device<'_>) {
    let of = |replica| Device {
        authority,
        replica,
        now: 0,
    };
    (of("mine"), of("other"))
}

fn claimed_by(authority: &Authority<MemoryLog>, now: i64) -> Value {
    let text = block_on(authority.capabilities("acme", now)).expect("tells");
    serde_json::from_str::<Value>(&text).expect("is JSON")["claimedBy"].clone()
}

#[test]
fn a_history_becomes_the_beginning_of_an_empty_space() {
    let authority = acme();
    let (mine, other) = devices(&authority);

    mine.adopts("more", &[commit("a", "s", 0), commit("b", "s", 1)]);
    assert_eq!(claimed_by(&authority, 0), "mine");
    mine.adopts("last", &[commit("c", "s", 2)]);

    assert_eq!(claimed_by(&authority, 0), Value::Null);
    assert_eq!(
        statuses(&other.push(None, &[commit("d", "s", 3)]).expect("is judged")),
        ["accepted"]
    );
}

#[test]
fn an_adopted_commit_is_what_it_was_on_its_device() {
    let authority = acme();
    let (mine, _) = devices(&authority);
    let mut intent = commit("a", "s", 0);
    intent["attempt"] = json!(4);
    intent["streams"][0]
        .as_object_mut()
        .expect("is an object")
        .remove("expectedVersion");

    mine.adopts("last", &[intent]);

    let page = block_on(authority.pull("acme", None, authority.limits().page(None, None))).expect("is read");
    assert!(page.text.contains(
        r#"[{"number":1,"id":"a","attempt":4,"mode":"intent","replica":"r1","recordedAt":1,"streams":[{"streamId":"s","firstVersion":1,"#
    ), "{}", page.text);
}

#[test]
fn others_wait_while_a_history_is_adopted() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);

    other.is_told(ProblemKind::SpaceClaimed, None, &[commit("b", "t", 0)]);
    other.is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("b", "t", 0)]);
    // Reading is free.
    assert_eq!(other.push(None, &[]).expect("is a pull")["head"]["number"], 1);
}

#[test]
fn whoever_adopts_may_leave_it_at_that_and_push_as_others_do() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);

    let answer = mine.push(None, &[commit("b", "s", 1)]).expect("is judged");

    assert_eq!(statuses(&answer), ["accepted"]);
    assert_eq!(claimed_by(&authority, 0), Value::Null);
    assert_eq!(
        statuses(&other.push(None, &[commit("c", "s", 2)]).expect("is judged")),
        ["accepted"]
    );
    mine.is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("d", "s", 3)]);
}

#[test]
fn a_problem_of_a_claim_says_when_to_come_again() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[]);

    let problem = other.push(None, &[commit("b", "t", 0)]).expect_err("is refused");

    assert_eq!((problem.kind.status(), problem.retry_after), (503, Some(5)));
}

#[test]
fn a_space_with_a_history_adopts_nothing() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    other.push(None, &[commit("a", "s", 0)]).expect("is judged");

    mine.is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("b", "t", 0)]);
    mine.is_told(ProblemKind::SpaceNotEmpty, Some("last"), &[]);
}

#[test]
fn a_repetition_of_the_last_part_is_answered() {
    let authority = acme();
    let (mine, _) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);
    mine.adopts("last", &[commit("b", "s", 1)]);

    let again = mine.push(Some("last"), &[commit("b", "s", 1)]).expect("is judged");

    assert_eq!(statuses(&again), ["duplicate"]);
    assert_eq!(claimed_by(&authority, 0), Value::Null);
}

#[test]
fn a_part_whose_answer_was_lost_goes_on_behind_what_is_there() {
    let authority = acme();
    let (mine, _) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0), commit("b", "s", 1)]);

    let again = mine
        .push(Some("last"), &[commit("b", "s", 1), commit("c", "s", 2)])
        .expect("is judged");

    assert_eq!(statuses(&again), ["duplicate", "accepted"]);
    assert_eq!(claimed_by(&authority, 0), Value::Null);
}

#[test]
fn a_claim_without_a_push_for_ten_minutes_ends() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);

    other
        .at(10 * MINUTE)
        .is_told(ProblemKind::SpaceClaimed, None, &[commit("b", "t", 0)]);
    let late = other.at(10 * MINUTE + 1);
    assert_eq!(claimed_by(&authority, late.now), Value::Null);
    late.is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("b", "t", 0)]);
    assert_eq!(
        statuses(&late.push(None, &[commit("b", "t", 0)]).expect("is judged")),
        ["accepted"]
    );

    mine.at(late.now)
        .is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("c", "s", 1)]);
}

#[test]
fn each_part_holds_the_claim_for_ten_minutes_more() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);
    mine.at(9 * MINUTE).adopts("more", &[commit("b", "s", 1)]);

    other
        .at(18 * MINUTE)
        .is_told(ProblemKind::SpaceClaimed, None, &[commit("c", "t", 0)]);
}

#[test]
fn whoever_began_goes_on_after_any_time_if_nobody_wrote() {
    let authority = acme();
    let (mine, _) = devices(&authority);
    mine.adopts("more", &[commit("a", "s", 0)]);

    mine.at(1_000 * MINUTE).adopts("last", &[commit("b", "s", 1)]);

    assert_eq!(claimed_by(&authority, 1_000 * MINUTE), Value::Null);
}

#[test]
fn an_empty_space_whose_claim_ended_is_free() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.adopts("more", &[]);

    other.is_told(ProblemKind::SpaceNotEmpty, Some("more"), &[commit("a", "s", 0)]);
    other.at(11 * MINUTE).adopts("more", &[commit("a", "s", 0)]);

    assert_eq!(claimed_by(&authority, 11 * MINUTE), "other");
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_a_claim_for_ever() {
    let authority = acme();
    let (mine, other) = devices(&authority);
    mine.at(1_000 * MINUTE).adopts("more", &[]);

    other.adopts("more", &[commit("a", "s", 0)]);
}

#[test]
fn a_last_part_that_was_not_taken_whole_leaves_the_claim() {
    let authority = acme();
    let (mine, _) = devices(&authority);
    let mut large = commit("b", "s", 1);
    large["command"] = json!("x".repeat(256 << 10));

    let answer = mine
        .push(Some("last"), &[commit("a", "s", 0), large])
        .expect("is judged");

    assert_eq!(statuses(&answer), ["accepted", "refused"]);
    assert_eq!(claimed_by(&authority, 0), "mine");
}
