//! Every message as it was ever said, in `tests/fixtures/protocol`: the authority says it so, and it is read and
//! written again byte for byte.
//!
//! To write them: `EVERFOLD_FIXTURES=write cargo test --test sync_authority fixtures`.

use std::path::PathBuf;

use everfold::json::{FromJson, RawJson, parse};
use everfold::sync::{
    Adopt, Authority, Epoch, EpochChanged, Limits, MemoryLog, Problem, ProblemKind, PullPage, PushAnswer, PushRequest,
    Rules, WireCommit, WireEvent, read_push,
};
use pollster::block_on;
use serde_json::Value;

use crate::space::EPOCH;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/protocol")
        .join(name)
}

fn fixture(name: &str) -> String {
    let text = std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.strip_suffix('\n').expect("ends with a line").to_owned()
}

/// What is said here is what the fixture says.
#[track_caller]
fn is_said(name: &str, text: &str) {
    if std::env::var("EVERFOLD_FIXTURES").is_ok_and(|wish| wish == "write") {
        std::fs::write(file(name), format!("{text}\n")).expect("is written");
    }
    assert_eq!(text, fixture(name), "{name}");
}

#[track_caller]
fn comes_back<'a, T: FromJson<'a>>(name: &str, text: &'a str, write: impl FnOnce(&T, &mut String)) -> T {
    let read: T = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut written = String::new();
    write(&read, &mut written);
    assert_eq!(written, text, "{name}");
    read
}

/// Ann writes everything but what is `forbidden`, and no rule lets her `cheat`.
struct OfAnn;

impl Rules for OfAnn {
    fn may_write(&self, _actor: &str, stream_id: &str, _event_type: &str) -> bool {
        stream_id != "forbidden"
    }

    fn check_schema(&self, event: &WireEvent<'_>) -> Result<(), Problem> {
        let detail = || format!("{} version {}", event.event_type, event.schema_version);
        match (&*event.event_type, event.schema_version) {
            ("account.unheard_of", _) => Err(Problem::new(ProblemKind::SchemaUnknown, detail())),
            ("account.money_deposited", 2..) => Err(Problem::new(ProblemKind::SchemaInvalid, detail())),
            _ => Ok(()),
        }
    }

    fn judge(&self, _: &str, commit: &WireCommit<'_>, _: &everfold::sync::Streams<'_>) -> Result<(), Problem> {
        match commit.command.map(RawJson::get) {
            Some(r#"{"type":"Cheat"}"#) => Err(Problem::new(ProblemKind::RuleRefused, "the balance does not cover it")
                .with("reason", r#"{"code":"not-covered"}"#)),
            _ => Ok(()),
        }
    }
}

/// A conversation: what is said in it stands in files that are numbered in their order.
struct Talk {
    authority: Authority<MemoryLog>,
    now: i64,
}

impl Talk {
    fn new() -> Self {
        let authority = Authority::new(MemoryLog::new(), Limits::default());
        block_on(authority.create("acme", EPOCH)).expect("is made");
        Self {
            authority,
            now: 1_790_000_000_000,
        }
    }

    fn head(&self) -> String {
        let told = block_on(self.authority.capabilities("acme", self.now)).expect("tells");
        let told: Value = serde_json::from_str(&told).expect("is JSON");
        told["cursor"].as_str().expect("is a text").to_owned()
    }

    #[track_caller]
    fn capabilities(&self, name: &str) {
        let told = block_on(self.authority.capabilities("acme", self.now)).expect("tells");
        is_said(name, &told);
    }

    /// Says a push and its answer.
    #[track_caller]
    fn push(&mut self, name: &str, commits: &str, adopt: &str) {
        self.now += 100;
        let base = self.head();
        let body = format!(r#"{{"protocol":1,"base":"{base}","replica":"9c01","commits":[{commits}]{adopt}}}"#);
        is_said(&format!("{name}.request.json"), &body);
        let request: PushRequest<'_> = comes_back(name, &body, PushRequest::write);
        assert_eq!(read_push(body.as_bytes(), self.authority.limits()), Ok(request.clone()));

        let pushed = block_on(self.authority.push("acme", "user-1", &request, self.now, &OfAnn));
        let pushed = pushed.expect("is judged");
        is_said(&format!("{name}.answer.json"), &pushed.text);
        comes_back(name, &pushed.text, PushAnswer::write);
    }

    #[track_caller]
    fn pull(&self, name: &str, after: Option<&str>, commits: usize) {
        let after = after.map(|cursor| cursor.parse().expect("is a cursor"));
        let limit = self.authority.limits().page(Some(commits), None);
        let pulled = block_on(self.authority.pull("acme", after.as_ref(), limit)).expect("is read");
        is_said(name, &pulled.text);
        comes_back(name, &pulled.text, PullPage::write);
    }
}

const DEPOSIT: &str = r#"{"id":"0a4f0a4f0a4f0a4f0a4f0a4f0a4f0a4f","attempt":1,"mode":"intent","command":{"type":"Deposit","data":{"amount":5}},"definition":{"name":"account","version":1},"reads":[{"streamId":"limit-eu","version":0}],"subject":"user-1","replica":"9c01","recordedAt":1790000000000,"causationId":"a cause","correlationId":"a talk","content":"7f00","streams":[{"streamId":"account-42","expectedVersion":0,"events":[{"type":"account.money_deposited","schemaVersion":1,"occurredAt":1789999999999,"metadata":{"by":"é"},"salt":"00ff","data":{ "amount" : 5.0 }}]}]}"#;
const TRANSFER: &str = r#"{"id":"a transfer","attempt":2,"mode":"intent","replica":"9c01","recordedAt":1790000000001,"streams":[{"streamId":"account-42","expectedVersion":1,"events":[{"type":"account.money_sent","schemaVersion":1,"occurredAt":1790000000001,"data":{"amount":5}}]},{"streamId":"account-43","expectedVersion":0,"events":[{"type":"account.money_received","schemaVersion":1,"occurredAt":1790000000001,"data":{"amount":5}}]}]}"#;
const FACT: &str = r#"{"id":"a fact","attempt":1,"mode":"fact","replica":"9c01","recordedAt":1790000000002,"streams":[{"streamId":"account-42","events":[{"type":"account.counted","schemaVersion":1,"occurredAt":1790000000002}]}]}"#;

fn refusable(id: &str, command: &str, stream: &str, event_type: &str, schema: u32) -> String {
    format!(
        r#"{{"id":"{id}","attempt":1,"mode":"intent","command":{command},"replica":"9c01","recordedAt":1790000000003,"streams":[{{"streamId":"{stream}","expectedVersion":0,"events":[{{"type":"{event_type}","schemaVersion":{schema},"occurredAt":1790000000003}}]}}]}}"#
    )
}

#[test]
fn a_conversation_is_what_it_was() {
    let mut talk = Talk::new();
    let beginning = talk.head();
    talk.capabilities("capabilities.json");
    talk.push("push", &[DEPOSIT, TRANSFER, FACT].join(","), "");
    talk.push("push-empty", "", "");
    talk.push("push-duplicate", DEPOSIT, "");
    talk.push(
        "push-conflict",
        &[&TRANSFER.replace("a transfer", "late"), FACT]
            .map(ToString::to_string)
            .join(","),
        "",
    );
    talk.push("push-reused", &DEPOSIT.replace("5.0", "6.0"), "");
    talk.push("push-attempt", &DEPOSIT.replace("\"attempt\":1", "\"attempt\":2"), "");
    for (slug, commit) in [
        (
            "write-forbidden",
            refusable("r1", "{}", "forbidden", "account.opened", 1),
        ),
        (
            "schema-unknown",
            refusable("r2", "{}", "account-44", "account.unheard_of", 1),
        ),
        (
            "schema-invalid",
            refusable("r3", "{}", "account-44", "account.money_deposited", 2),
        ),
        (
            "rule-refused",
            refusable("r4", r#"{"type":"Cheat"}"#, "account-44", "account.opened", 1),
        ),
    ] {
        talk.push(&format!("push-{slug}"), &commit, "");
    }
    talk.pull("pull.json", None, 2);
    talk.pull("pull-rest.json", Some(&beginning), 100);
    let head = talk.head();
    talk.pull("pull-empty.json", Some(&head), 100);
    let outcome = block_on(talk.authority.outcome("acme", "a transfer")).expect("is known");
    is_said("outcome.json", &outcome);
}

#[test]
fn an_adoption_is_what_it_was() {
    let mut talk = Talk::new();
    talk.push("adopt-more", DEPOSIT, r#","adopt":"more""#);
    talk.capabilities("capabilities-claimed.json");
    talk.push("adopt-last", FACT, r#","adopt":"last""#);
    talk.pull("pull-adopted.json", None, 100);

    let last = fixture("adopt-last.request.json");
    assert_eq!(
        parse::<PushRequest<'_>>(&last).expect("is read").adopt,
        Some(Adopt::Last)
    );
}

#[test]
fn every_problem_is_what_it_was() {
    for kind in ProblemKind::ALL {
        let mut problem = Problem::new(*kind, "what happened, for a person");
        match kind {
            ProblemKind::ProtocolUnsupported => problem = Problem::protocol(2),
            ProblemKind::PayloadTooLarge | ProblemKind::TooLarge => problem = problem.with_limits(&Limits::default()),
            ProblemKind::EpochChanged => problem = Problem::epoch_changed(Epoch([0xe1; 16]), EPOCH, None),
            _ => {}
        }
        is_said(&format!("problem-{}.json", kind.slug()), &problem.to_json());
    }
}

#[test]
fn a_fork_is_told_as_it_was() {
    let mut talk = Talk::new();
    talk.push("push", &[DEPOSIT, TRANSFER, FACT].join(","), "");
    let cursor = talk.head().parse().expect("is a cursor");
    talk.authority.log().restore("acme", 1, Epoch([0xe1; 16]));

    let limit = talk.authority.limits().page(None, None);
    let problem = block_on(talk.authority.pull("acme", Some(&cursor), limit)).expect_err("is another life");

    let text = problem.to_json();
    is_said("problem-epoch-changed-forked.json", &text);
    let told: EpochChanged = parse(&text).expect("is read");
    assert_eq!(told.forked_from.map(|head| head.number), Some(1));
}

#[test]
fn there_is_no_file_that_nobody_says() {
    // A message that is not said any more is not to be removed: it must still be read. List it here then.
    let count = std::fs::read_dir(file("")).expect("is there").count();
    let said = 2
        + ["capabilities", "capabilities-claimed", "outcome"].len()
        + ["pull", "pull-rest", "pull-empty", "pull-adopted"].len()
        + 2 * (6 + 4 + 2)
        + ProblemKind::ALL.len()
        + ["problem-epoch-changed-forked"].len();

    assert_eq!(count, said);
}
