//! A space on a server in memory, and what a device does with it: push, pull, decide again.
//!
//! An account is a stream; its state is the sum of its amounts. What is decided follows from command and states, so that
//! whoever reads the confirmed log can tell whether each commit was decided on what stands before it.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};

use everfold::commit::Mode;
use everfold::store::{
    Adoption, BindOptions, Decide, Decision, LoadQuery, Outcome, Pulled, RebaseStep, Rebased, Storage, Store,
    StoreError,
};
use everfold::stream::Version;
use everfold::sync::{
    Authority, Cursor, Epoch, Limits, MemoryLog, PageLimit, Problem, PushAnswer, Rules, SpaceLog, read_push,
};
use serde_json::{Value, json};

use crate::contract::log::{events_of, try_append_decided};

pub(crate) const SPACE: &str = "acme";

/// A server with one space.
pub(crate) struct Space {
    authority: Authority<MemoryLog>,
    /// Types of events that it refuses.
    pub(crate) refuses: RefCell<HashSet<String>>,
    time: Cell<i64>,
}

struct RefusedTypes(HashSet<String>);

impl Rules for RefusedTypes {
    fn may_write(&self, _: &str, _: &str, event_type: &str) -> bool {
        !self.0.contains(event_type)
    }
}

impl Space {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new(MemoryLog::new(), Limits::default());
        authority.create(SPACE, Epoch([0; 16])).await.expect("makes");
        Self {
            authority,
            refuses: RefCell::default(),
            time: Cell::new(1_000_000),
        }
    }

    pub(crate) async fn push(&self, body: &str) -> Result<String, Problem> {
        let request = read_push(body.as_bytes(), self.authority.limits())?;
        self.time.set(self.time.get() + 1);
        let rules = RefusedTypes(self.refuses.borrow().clone());
        let pushed = self
            .authority
            .push(SPACE, "ann", &request, self.time.get(), &rules)
            .await?;
        Ok(pushed.text)
    }

    pub(crate) async fn pull(&self, after: Option<&Cursor>, commits: usize) -> Result<String, Problem> {
        let limit = PageLimit {
            commits,
            bytes: 1 << 20,
        };
        Ok(self.authority.pull(SPACE, after, limit).await?.text)
    }

    pub(crate) async fn cursor(&self) -> Cursor {
        let state = self
            .authority
            .log()
            .space(SPACE)
            .await
            .expect("reads")
            .expect("is there");
        state.head.cursor(state.epoch)
    }

    /// All confirmed commits, as the wire says them.
    pub(crate) async fn log(&self) -> Vec<Value> {
        let limit = PageLimit {
            commits: usize::MAX,
            bytes: usize::MAX,
        };
        let page = self.authority.pull(SPACE, None, limit).await.expect("reads");
        let page: Value = serde_json::from_str(&page.text).expect("is JSON");
        page["commits"].as_array().expect("is a list").clone()
    }

    /// A commit that another device made, of one event on each stream.
    pub(crate) async fn foreign(&self, id: &str, streams: &[(&str, i64)]) {
        let streams: Vec<_> = streams
            .iter()
            .map(|(stream, amount)| json!({ "streamId": stream, "events": [wire_event("put", *amount, None)] }))
            .collect();
        let commit = json!({
            "id": id, "attempt": 1, "mode": "fact", "replica": "another", "recordedAt": 5, "streams": streams,
        });
        let body = json!({
            "protocol": 1, "base": self.cursor().await.to_string(), "replica": "another", "commits": [commit],
        });
        let answer = self.push(&body.to_string()).await.expect("is judged");
        assert!(answer.contains("accepted"), "{answer}");
    }
}

fn wire_event(event_type: &str, amount: i64, total: Option<i64>) -> Value {
    json!({ "type": event_type, "schemaVersion": 1, "occurredAt": 7, "data": { "amount": amount, "total": total } })
}

/// Binds a store to the space.
pub(crate) async fn bind<S: Storage>(
    store: &Store<S>,
    space: &Space,
    adopt: Option<Adoption>,
) -> Result<(), StoreError> {
    let cursor = space.cursor().await;
    let options = BindOptions {
        space: SPACE.to_owned(),
        subject: "ann".to_owned(),
        cursor: Some(cursor),
        adopt,
    };
    store.bind(&options).await?;
    store.lead().await
}

/// Amounts of a command by stream, the streams that it only reads, and how it goes about it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// `put`: the same events whatever the states are. `add`: with the total. `take`: refused if a sum gets below zero.
    pub(crate) kind: &'static str,
    pub(crate) amounts: Vec<(&'static str, i64)>,
    pub(crate) reads: Vec<&'static str>,
}

impl Order {
    pub(crate) fn new(kind: &'static str, amounts: &[(&'static str, i64)], reads: &[&'static str]) -> Self {
        Self {
            kind,
            amounts: amounts.to_vec(),
            reads: reads.to_vec(),
        }
    }

    pub(crate) fn command(&self) -> Value {
        json!({ "type": self.kind, "amounts": self.amounts, "reads": self.reads })
    }
}

/// The events by stream that a command leads to, or why it is refused.
pub(crate) fn decide(command: &Value, states: &BTreeMap<String, i64>) -> Result<Value, Value> {
    let kind = command["type"].as_str().expect("is text");
    let state = |stream: &str| states.get(stream).copied().unwrap_or_default();
    let read: i64 = command["reads"]
        .as_array()
        .expect("is a list")
        .iter()
        .map(|stream| state(stream.as_str().expect("is text")))
        .sum();
    let mut streams = Vec::new();
    for pair in command["amounts"].as_array().expect("is a list") {
        let (stream, amount) = (pair[0].as_str().expect("is text"), pair[1].as_i64().expect("is whole"));
        if kind == "take" && state(stream) + read + amount < 0 {
            return Err(json!({ "code": "not-covered", "streamId": stream }));
        }
        let total = (kind == "add").then(|| state(stream) + read + amount);
        streams.push(json!({ "streamId": stream, "events": [wire_event(kind, amount, total)] }));
    }
    Ok(Value::from(streams))
}

/// What `execute` does: loads, decides, appends. The word of the outcome.
pub(crate) async fn execute<S: Storage>(
    store: &Store<S>,
    id: &str,
    order: &Order,
    mode: Mode,
) -> Result<&'static str, StoreError> {
    let merges = store.merges();
    let (mut states, mut versions) = (BTreeMap::new(), HashMap::new());
    for stream in order.amounts.iter().map(|(stream, _)| stream).chain(&order.reads) {
        let loaded = store.load(stream, LoadQuery::default()).await?;
        states.insert((*stream).to_owned(), sum(&loaded.batch));
        versions.insert(*stream, loaded.version.0);
    }
    let command = order.command();
    let Ok(mut streams) = decide(&command, &states) else {
        return Ok("refused");
    };
    for stream in streams.as_array_mut().expect("is a list") {
        let version = versions[stream["streamId"].as_str().expect("is text")];
        stream["expectedVersion"] = if mode == Mode::Fact {
            json!("any")
        } else {
            json!(version)
        };
    }
    let reads: Vec<_> = order
        .reads
        .iter()
        .map(|stream| json!({ "streamId": stream, "version": versions[stream] }))
        .collect();
    let commit = json!({
        "commitId": id, "known": true, "recordedAt": 3, "mode": mode.name(), "content": command.to_string(),
        "command": command, "definition": { "name": "money", "version": 1 }, "subject": "ann",
        "reads": if mode == Mode::Fact { json!([]) } else { json!(reads) }, "streams": streams,
    });
    let progress = try_append_decided(store, merges, &[commit]).await?;
    Ok(match progress.outcomes.as_slice() {
        [Outcome::Appended(_)] => "appended",
        [Outcome::Duplicate(_)] => "duplicate",
        [Outcome::Conflict(_) | Outcome::Stale { .. }] => "conflict",
        [Outcome::Refused] => "gone",
        other => panic!("{other:?}"),
    })
}

fn sum(batch: &everfold::store::Batch) -> i64 {
    events_of(batch)
        .iter()
        .map(|event| event.data["amount"].as_i64().unwrap_or_default())
        .sum()
}

/// Walks through what is pending, as TypeScript does: states are kept as long as the walk lasts.
pub(crate) async fn rebase<S: Storage>(store: &Store<S>, blocked: &HashSet<String>) -> Result<Rebased, StoreError> {
    let mut states: BTreeMap<String, i64> = BTreeMap::new();
    let mut step = store.rebase_next(None).await?;
    loop {
        let asked = match step {
            RebaseStep::Done(done) => return Ok(done),
            RebaseStep::Decide(asked) => asked,
        };
        let text = decision(store, &asked, &mut states, blocked).await?;
        let decision: Decision<'_> = everfold::json::parse(&text).expect("is a decision");
        step = store.rebase_next(Some(decision)).await?;
    }
}

/// What TypeScript answers when it is asked.
pub(crate) async fn decision<S: Storage>(
    store: &Store<S>,
    asked: &Decide,
    states: &mut BTreeMap<String, i64>,
    blocked: &HashSet<String>,
) -> Result<String, StoreError> {
    if asked.begins {
        states.clear();
    }
    for stream in &asked.streams {
        if !states.contains_key(&stream.stream_id) {
            let query = LoadQuery {
                at_version: Some(stream.confirmed_version),
                ..LoadQuery::default()
            };
            let loaded = store.load(&stream.stream_id, query).await?;
            assert_eq!(events_of(&loaded.batch).len() as u64, stream.confirmed_version.0);
            states.insert(stream.stream_id.clone(), sum(&loaded.batch));
        }
        *states.get_mut(&stream.stream_id).expect("is there") += sum(&stream.batch);
    }
    if blocked.contains(&asked.commit_id) {
        return Ok(json!({ "blocked": { "code": "app-outdated", "message": "unknown" } }).to_string());
    }
    let command: Value = serde_json::from_str(&asked.command).expect("is JSON");
    Ok(match decide(&command, states) {
        Ok(streams) => json!({ "events": streams, "definition": { "name": "money", "version": 1 } }),
        Err(reason) => json!({ "refused": reason, "stateSeen": states }),
    }
    .to_string())
}

/// Stores answers of the server.
pub(crate) async fn store_answers<S: Storage>(store: &Store<S>, texts: &[String]) -> Result<Pulled, StoreError> {
    let answers: Vec<PushAnswer<'_>> = texts
        .iter()
        .map(|text| everfold::json::parse(text).expect("is an answer"))
        .collect();
    store.pulled(&answers.into()).await
}

/// Pushes, pulls and decides again until there is nothing left to do.
pub(crate) async fn sync<S: Storage>(store: &Store<S>, space: &Space, commits: usize) -> Result<(), StoreError> {
    sync_but(store, space, commits, &HashSet::new()).await
}

/// The same, but for commits that cannot be decided.
pub(crate) async fn sync_but<S: Storage>(
    store: &Store<S>,
    space: &Space,
    commits: usize,
    blocked: &HashSet<String>,
) -> Result<(), StoreError> {
    for _ in 0..1_000 {
        let answer = if let Some(body) = store.push_body(commits, 1 << 20).await? {
            space.push(&body.text).await
        } else {
            let state = store.sync_state().await?.expect("is bound");
            space.pull(state.cursor.as_ref(), commits).await
        };
        let answer = answer.expect("is answered");
        let before = store.sync_state().await?;
        let pulled = store_answers(store, &[answer]).await?;
        if pulled.rebase {
            rebase(store, blocked).await?;
        }
        if !pulled.more && store.sync_state().await? == before {
            return Ok(());
        }
    }
    panic!("syncing never ends");
}

/// Every confirmed commit was decided on what stands before it. Returns the sums of all streams.
pub(crate) fn assert_decided(log: &[Value]) -> BTreeMap<String, i64> {
    let mut states: BTreeMap<String, i64> = BTreeMap::new();
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    let mut ids = HashSet::new();
    for commit in log {
        assert!(
            ids.insert(commit["id"].as_str().expect("is text")),
            "{commit} came twice"
        );
        let streams = commit["streams"].as_array().expect("is a list");
        if commit["mode"] == "intent" && !commit["command"].is_null() {
            let decided = decide(&commit["command"], &states).unwrap_or_else(|reason| panic!("{commit}: {reason}"));
            for (stream, decided) in streams.iter().zip(decided.as_array().expect("is a list")) {
                assert_eq!(
                    stream["events"][0]["data"], decided["events"][0]["data"],
                    "{commit} {states:?}"
                );
            }
        }
        for stream in streams {
            let name = stream["streamId"].as_str().expect("is text");
            let version = versions.entry(name.to_owned()).or_default();
            assert_eq!(stream["firstVersion"], *version + 1, "{commit}");
            for event in stream["events"].as_array().expect("is a list") {
                *version += 1;
                *states.entry(name.to_owned()).or_default() += event["data"]["amount"].as_i64().unwrap_or_default();
            }
        }
    }
    states
}

/// The version of a stream.
pub(crate) async fn version_of<S: Storage>(store: &Store<S>, stream: &str) -> Version {
    store.load(stream, LoadQuery::default()).await.expect("loads").version
}
