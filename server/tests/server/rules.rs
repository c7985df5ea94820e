//! Rules of an app, asked on the server: those of the ledger example.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::commits::{commit, event, push_of};
use crate::ledger::LedgerRules;
use crate::running::Running;

struct Bank(Running);

impl Bank {
    fn open() -> Self {
        let bank = Self(Running::with_rules(Arc::new(LedgerRules)));
        let opened = event("account.opened", &json!({ "owner": "Ann" }));
        let deposited = event("account.money_deposited", &json!({ "amount": 100, "note": "first" }));
        for account in ["account-1", "account-2"] {
            bank.accepts(&booking(account, &[(account, 0, &[opened.clone(), deposited.clone()])]));
        }
        bank
    }

    fn push(&self, commits: &[Value]) -> Vec<Value> {
        let answer = self.0.push("bank", &push_of(&self.0.cursor("bank"), commits)).json();
        answer["results"].as_array().unwrap().clone()
    }

    #[track_caller]
    fn accepts(&self, commit: &Value) {
        assert_eq!(
            self.push(std::slice::from_ref(commit))[0]["status"],
            "accepted",
            "{commit}"
        );
    }

    #[track_caller]
    fn refuses(&self, commit: &Value, words: &str) {
        let problem = self.push(std::slice::from_ref(commit))[0]["problem"].clone();
        assert_eq!(problem["type"], "urn:everfold:problem:rule-refused", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
}

fn booking(id: &str, streams: &[(&str, u64, &[Value])]) -> Value {
    let mut booking = commit(id, "x", 0);
    let streams = streams
        .iter()
        .map(|(stream, expected, events)| json!({ "streamId": stream, "expectedVersion": expected, "events": events }));
    booking["streams"] = json!(streams.collect::<Vec<_>>());
    booking
}

fn withdrawn(amount: i64) -> Value {
    event("account.money_withdrawn", &json!({ "amount": amount }))
}

fn side(side: &str, amount: i64) -> Value {
    event(
        "account.money_transferred",
        &json!({ "amount": amount, "side": side, "account": "other" }),
    )
}

#[test]
fn a_withdrawal_that_is_not_covered_is_refused() {
    let bank = Bank::open();

    bank.refuses(
        &booking("w-1", &[("account-1", 2, &[withdrawn(101)])]),
        "101 is more than the 100",
    );
    bank.accepts(&booking("w-2", &[("account-1", 2, &[withdrawn(100)])]));
    bank.refuses(
        &booking("w-3", &[("account-1", 3, &[withdrawn(1)])]),
        "1 is more than the 0",
    );
}

#[test]
fn commits_of_one_push_are_judged_on_those_before_them() {
    let bank = Bank::open();

    let results = bank.push(&[
        booking("w-1", &[("account-1", 2, &[withdrawn(60)])]),
        booking("w-2", &[("account-1", 3, &[withdrawn(60)])]),
    ]);

    assert_eq!(results[0]["status"], "accepted");
    assert_eq!(results[1]["status"], "refused");
}

#[test]
fn a_transfer_is_judged_as_one() {
    let bank = Bank::open();

    let too_much: (&[Value], &[Value]) = (&[side("sent", 150)], &[side("received", 150)]);
    bank.refuses(
        &booking("t-1", &[("account-1", 2, too_much.0), ("account-2", 2, too_much.1)]),
        "150 is more",
    );
    bank.accepts(&booking(
        "t-2",
        &[
            ("account-1", 2, &[side("sent", 70)]),
            ("account-2", 2, &[side("received", 70)]),
        ],
    ));
    bank.accepts(&booking("w-1", &[("account-2", 3, &[withdrawn(170)])]));
}

#[test]
fn a_command_that_leads_elsewhere_is_refused() {
    let bank = Bank::open();
    let mut forged = booking("w-1", &[("account-1", 2, &[withdrawn(1)])]);
    forged["definition"] = json!({ "name": "account", "version": 1 });
    forged["command"] = json!({ "type": "Withdraw", "data": { "amount": 50 } });

    bank.refuses(&forged, "other events");
    forged["command"]["data"]["amount"] = json!(1);
    bank.accepts(&forged);
}

#[test]
fn a_fact_is_not_asked_about_and_counts_all_the_same() {
    let bank = Bank::open();
    let mut fact = booking("f-1", &[("account-1", 0, &[withdrawn(500)])]);
    fact["mode"] = json!("fact");
    fact["streams"][0].as_object_mut().unwrap().remove("expectedVersion");

    bank.accepts(&fact);
    bank.refuses(&booking("w-1", &[("account-1", 3, &[withdrawn(1)])]), "the -400");
}
