//! What may be written, and what an app's own rules say.

use everfold::decider::Decider;
use everfold::json::RawJson;
use everfold::sync::{Authority, MemoryLog, Problem, ProblemKind, Rules, Streams, WireCommit, WireEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::space::{Everything, acme, body, commit, head, push, push_as, statuses};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum AccountEvent {
    Deposited { amount: u64 },
    Withdrawn { amount: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "data")]
enum AccountCommand {
    Deposit { amount: u64 },
    Withdraw { amount: u64 },
}

struct Account;

impl Decider for Account {
    const NAME: &'static str = "account";
    const VERSION: u32 = 1;
    type State = u64;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Refusal = &'static str;

    fn initial_state() -> u64 {
        0
    }

    fn decide(command: &AccountCommand, balance: &u64) -> Result<Vec<AccountEvent>, &'static str> {
        match *command {
            AccountCommand::Deposit { amount } => Ok(vec![AccountEvent::Deposited { amount }]),
            AccountCommand::Withdraw { amount } if amount > *balance => Err("not covered"),
            AccountCommand::Withdraw { amount } => Ok(vec![AccountEvent::Withdrawn { amount }]),
        }
    }

    fn evolve(balance: u64, event: &AccountEvent) -> u64 {
        match event {
            AccountEvent::Deposited { amount } => balance + amount,
            AccountEvent::Withdrawn { amount } => balance - amount,
        }
    }
}

/// Decides each commit again, on the state here: a device cannot make money.
struct Bank;

impl Rules for Bank {
    fn may_write(&self, actor: &str, stream_id: &str, event_type: &str) -> bool {
        actor == "ann" && stream_id.starts_with("account-") && event_type != "Forged"
    }

    fn check_schema(&self, event: &WireEvent<'_>) -> Result<(), Problem> {
        if event.schema_version > 1 {
            let detail = format!("{} has version 1 here", event.event_type);
            return Err(Problem::new(ProblemKind::SchemaUnknown, detail));
        }
        event
            .read::<AccountEvent>()
            .map_err(|error| Problem::new(ProblemKind::SchemaInvalid, error))?;
        Ok(())
    }

    fn needs(&self, commit: &WireCommit<'_>) -> Vec<String> {
        let streams = commit.streams.iter().flatten();
        streams.map(|stream| stream.stream_id.to_string()).collect()
    }

    fn judge(&self, _actor: &str, commit: &WireCommit<'_>, streams: &Streams<'_>) -> Result<(), Problem> {
        let refused = |detail: &dyn std::fmt::Display| Problem::new(ProblemKind::RuleRefused, detail);
        let command = commit.command.map_or("null", RawJson::get);
        let command: AccountCommand = serde_json::from_str(command).map_err(|error| refused(&error))?;
        for stream in commit.streams.iter().flatten() {
            assert_eq!(Some(streams.version(&stream.stream_id)), stream.before);
            let balance = streams
                .state::<Account>(&stream.stream_id)
                .map_err(|error| refused(&error))?;
            let decided = Account::decide(&command, &balance).map_err(|reason| refused(&reason))?;
            let events: Result<Vec<AccountEvent>, _> = stream.events.iter().map(WireEvent::read).collect();
            if events.map_err(|error| refused(&error))? != decided {
                return Err(refused(&"its events are not what its command leads to"));
            }
        }
        Ok(())
    }
}

fn moved(id: &str, expected: u64, command: &str, event: &str, amount: i64) -> Value {
    json!({ "id": id, "attempt": 1, "mode": "intent", "replica": "r1", "recordedAt": 1,
        "command": { "type": command, "data": { "amount": amount } },
        "streams": [ { "streamId": "account-1", "expectedVersion": expected, "events": [
            { "type": event, "schemaVersion": 1, "occurredAt": 1, "data": { "amount": amount } } ] } ] })
}

fn deposit(id: &str, expected: u64, amount: i64) -> Value {
    moved(id, expected, "Deposit", "Deposited", amount)
}

fn withdraw(id: &str, expected: u64, amount: i64) -> Value {
    moved(id, expected, "Withdraw", "Withdrawn", amount)
}

fn pushed(authority: &Authority<MemoryLog>, commits: &[Value]) -> Value {
    let pushed = push_as(authority, &Bank, &body(&head(authority), commits), 1).expect("is judged");
    serde_json::from_str(&pushed.text).expect("is JSON")
}

#[track_caller]
fn is_refused(answer: &Value, slug: &str, detail: &str) {
    assert_eq!(statuses(answer), ["refused"]);
    let problem = &answer["results"][0]["problem"];
    assert_eq!(problem["type"], format!("urn:everfold:problem:{slug}"));
    assert_eq!(problem["detail"], detail);
    assert_eq!(problem["status"], Value::Null, "a problem of one commit is no status");
}

#[test]
fn a_rule_sees_what_is_confirmed() {
    let authority = acme();
    pushed(&authority, &[deposit("a", 0, 10)]);

    assert_eq!(statuses(&pushed(&authority, &[withdraw("b", 1, 10)])), ["accepted"]);
    is_refused(
        &pushed(&authority, &[withdraw("c", 2, 1)]),
        "rule-refused",
        "not covered",
    );
}

#[test]
fn a_rule_sees_the_commits_before_it_in_its_push() {
    let authority = acme();

    let answer = pushed(
        &authority,
        &[
            deposit("a", 0, 10),
            withdraw("b", 1, 7),
            withdraw("c", 2, 7),
            deposit("d", 3, 1),
        ],
    );

    assert_eq!(statuses(&answer), ["accepted", "accepted", "refused", "not-attempted"]);
}

#[test]
fn events_that_the_command_does_not_lead_to_are_refused() {
    let authority = acme();

    let answer = pushed(
        &authority,
        &[moved("a", 0, "Deposit", "Deposited", 1), {
            let mut forged = deposit("b", 1, 1);
            forged["streams"][0]["events"][0]["data"]["amount"] = json!(1_000);
            forged
        }],
    );

    assert_eq!(statuses(&answer), ["accepted", "refused"]);
}

#[test]
fn a_fact_happened_whatever_the_rules_say() {
    let authority = acme();
    let mut fact = withdraw("a", 0, 0);
    fact["mode"] = json!("fact");
    fact["command"] = Value::Null;

    assert_eq!(statuses(&pushed(&authority, &[fact])), ["accepted"]);
}

#[test]
fn who_may_not_write_is_refused_facts_too() {
    let authority = acme();
    let mut elsewhere = deposit("a", 0, 1);
    elsewhere["streams"][0]["streamId"] = json!("limit");
    elsewhere["mode"] = json!("fact");

    is_refused(
        &pushed(&authority, &[elsewhere]),
        "write-forbidden",
        "ann may not write Deposited to limit",
    );
    let forged = moved("b", 0, "Deposit", "Forged", 1);
    is_refused(
        &pushed(&authority, &[forged]),
        "write-forbidden",
        "ann may not write Forged to account-1",
    );
}

#[test]
fn an_event_is_what_its_schema_says() {
    let authority = acme();
    let mut newer = deposit("a", 0, 1);
    newer["streams"][0]["events"][0]["schemaVersion"] = json!(2);

    is_refused(
        &pushed(&authority, &[newer]),
        "schema-unknown",
        "Deposited has version 1 here",
    );
    let answer = pushed(&authority, &[deposit("b", 0, -1)]);
    assert_eq!(
        answer["results"][0]["problem"]["type"],
        "urn:everfold:problem:schema-invalid"
    );
}

#[test]
fn a_conflict_is_told_before_a_rule() {
    let authority = acme();

    let answer = pushed(&authority, &[withdraw("a", 3, 1)]);

    assert_eq!(statuses(&answer), ["conflict"]);
}

#[test]
fn a_rule_sees_streams_of_many_pages() {
    let authority = acme();
    for push in 0..3 {
        let mut commits: Vec<_> = (0..900)
            .map(|index| deposit(&format!("{push} {index}"), push * 900 + index, 1))
            .collect();
        for commit in &mut commits {
            commit["mode"] = json!("fact");
        }
        assert!(
            statuses(&pushed(&authority, &commits))
                .iter()
                .all(|status| *status == "accepted")
        );
    }

    assert_eq!(
        statuses(&pushed(&authority, &[withdraw("all", 2_700, 2_700)])),
        ["accepted"]
    );
    is_refused(
        &pushed(&authority, &[withdraw("more", 2_701, 1)]),
        "rule-refused",
        "not covered",
    );
}

#[test]
fn work_of_one_is_not_pushed_with_the_token_of_another() {
    let authority = acme();
    let of = |subject: Option<&str>, replica: &str, id: &str| {
        let mut commit = commit(id, id, 0);
        commit["subject"] = json!(subject);
        commit["replica"] = json!(replica);
        commit
    };
    let base = head(&authority);
    let mixed = body(&base, &[of(Some("ann"), "r1", "a"), of(Some("ben"), "r1", "b")]);

    let problem = push_as(&authority, &Everything, &mixed, 100).expect_err("is not taken");

    assert_eq!(problem.kind, ProblemKind::SubjectMismatch);
    assert_eq!(problem.detail, "commit b is the work of ben, the token is that of ann");
    assert_eq!(head(&authority), base);
    // What another device made, by whomever, is given back after the server was restored.
    let others = [
        of(Some("ann"), "r1", "a"),
        of(None, "r1", "c"),
        of(Some("ben"), "r2", "b"),
    ];
    let answer = push(&authority, &body(&base, &others));
    assert_eq!(statuses(&answer), ["accepted"; 3]);
    assert_eq!(answer["commits"][2]["actor"], "ann");
}
