//! What the TypeScript around a store does: executing commands, and what a replica wants done.

use std::collections::BTreeMap;
use std::rc::Rc;

use everfold::commit::{Definition, Mode, NewCommit, StreamRead, StreamWrite};
use everfold::event::NewEvent;
use everfold::json::RawJson;
use everfold::store::{
    Adoption, BindOptions, Decide, Decision, LoadQuery, Outcome, Pulled, Query, RebaseStep, Rebased, Recovery,
    StoreError, SyncState,
};
use everfold::stream::{ExpectedVersion, Version};
use everfold::sync::{Cursor, EpochChanged, PullPage, PushAnswer, Request};

use crate::gate::{Control, Gate};
use crate::ledger::{Command, Decided, Event, Refusal, State, decide, evolve, initial};
use crate::recorded::{Recorded, recorded};
use crate::server::SPACE;
use crate::tab::Body;

pub(crate) type Store = everfold::store::Store<Gate>;

/// The app that is open in a tab.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) version: u32,
    /// A bug: it decides no transfers.
    pub(crate) broken: bool,
    /// How long it takes to decide.
    pub(crate) control: Rc<Control>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Executed {
    Appended,
    /// The decider says no.
    Refused,
    /// There is nothing to do.
    Nothing,
    /// The app has a bug.
    Failed,
    /// Other tabs were faster too often.
    Contended,
}

/// A stream as an app sees it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    state: State,
    version: Version,
}

const NAME: &str = "ledger";

async fn load(store: &Store, stream: &str, at_version: Option<Version>) -> Result<Seen, StoreError> {
    let query = LoadQuery {
        definition: Some((NAME, 1)),
        at_version,
        ..LoadQuery::default()
    };
    let loaded = store.load(stream, query).await?;
    let base = match &loaded.snapshot {
        Some(snapshot) => serde_json::from_str(&snapshot.state).expect("a snapshot is JSON"),
        None => initial(stream),
    };
    let events = recorded(&loaded.batch);
    let state = events
        .iter()
        .fold(base, |state, recorded| evolve(state, &recorded.event));
    Ok(Seen {
        state,
        version: loaded.version,
    })
}

/// Keeps the state of a stream, as it is or as the confirmed log leaves it. The store must not keep what is pending.
pub(crate) async fn snapshot(store: &Store, stream: &str, pending: bool) -> Result<(), StoreError> {
    let merges = store.merges();
    let loaded = store.load(stream, LoadQuery::default()).await?;
    let covered = |event: &&Recorded| event.confirmed || pending;
    let version = Version(recorded(&loaded.batch).iter().filter(covered).count() as u64);
    if version > Version(0) {
        let seen = load(store, stream, Some(version)).await?;
        let state = serde_json::to_string(&seen.state).expect("a state is JSON");
        store
            .put_snapshot(merges, stream, (NAME, 1), version, &state, 2)
            .await?;
    }
    Ok(())
}

/// Binds a store to the space; first to what nobody has heard of yet.
pub(crate) async fn bind(store: &Store, cursor: Option<Cursor>, adopt: Option<Adoption>) -> Result<Bound, StoreError> {
    let options = BindOptions {
        space: SPACE.to_owned(),
        subject: "ann".to_owned(),
        cursor,
        adopt,
    };
    let before = store.sync_state().await?;
    let state = store.bind(&options).await?.expect("it is bound");
    let put_on_top = before.is_some_and(|before| before.adopting) && !state.adopting;
    Ok(Bound { put_on_top, state })
}

/// What a store is bound to.
#[derive(Debug)]
pub(crate) struct Bound {
    /// The history that was here before is pending now.
    pub(crate) put_on_top: bool,
    pub(crate) state: SyncState,
}

/// The cursor of a page, or of what the server says of itself.
pub(crate) fn cursor_of(text: &str) -> Option<Cursor> {
    let document: serde_json::Value = serde_json::from_str(text).ok()?;
    document["cursor"].as_str()?.parse().ok()
}

/// How a store stands.
pub(crate) async fn state(store: &Store) -> Result<SyncState, StoreError> {
    Ok(store.sync_state().await?.expect("it is bound"))
}

/// How many commits are pending.
pub(crate) async fn pending(store: &Store) -> Result<u64, StoreError> {
    let state = store.sync_state().await?;
    Ok(state.map_or(0, |state| state.pending))
}

/// Kinds of refusals, by the ids of their commits.
pub(crate) async fn refusals(store: &Store) -> Result<BTreeMap<String, String>, StoreError> {
    let text = store.refusals().await?;
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
    let word = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let ids = list
        .iter()
        .map(|refusal| (word(&refusal["commitId"]), word(&refusal["kind"])));
    Ok(ids.collect())
}

/// Goes back to where the log of the server parts from the one here.
pub(crate) async fn recover(store: &Store, problem: &str, recovery: Recovery) -> Result<SyncState, StoreError> {
    let changed: EpochChanged = everfold::json::parse(problem).expect("a problem can be read");
    store.recover(&changed, recovery).await?;
    state(store).await
}

/// What a request says.
pub(crate) async fn prepare(
    store: &Store,
    kind: Request,
    max_commits: usize,
    max_bytes: usize,
) -> Result<Body, StoreError> {
    let state = state(store).await?;
    Ok(match kind {
        Request::Capabilities => Body::Nothing,
        Request::Pull | Request::Tail => Body::After(state.cursor.expect("the epoch is known")),
        Request::Push => match store.push_body(max_commits, max_bytes).await? {
            Some(body) => Body::Push(body.text),
            None => Body::After(state.cursor.expect("the epoch is known")),
        },
    })
}

/// Everything that a store holds.
pub(crate) async fn read_all(store: &Store) -> Result<Vec<Recorded>, StoreError> {
    let mut query = Query::default();
    let mut all = Vec::new();
    loop {
        let page = store.read(&query).await?;
        all.extend(recorded(&page.batch));
        let Some(next) = page.next else { return Ok(all) };
        query.after_position = Some(next);
    }
}

/// The state of a stream, snapshots and all.
pub(crate) async fn state_of(store: &Store, stream: &str) -> Result<State, StoreError> {
    Ok(load(store, stream, None).await?.state)
}

/// Loads, decides and appends, again if another tab was faster.
pub(crate) async fn execute(
    store: &Store,
    app: &App,
    command: &Command,
    id: &str,
    now: i64,
) -> Result<Executed, StoreError> {
    for _ in 0..20 {
        let merges = store.merges();
        let mut seen = BTreeMap::new();
        for stream in command.reads() {
            let found = load(store, &stream, None).await?;
            seen.insert(stream, found);
        }
        let states = seen.iter().map(|(stream, seen)| (stream.clone(), seen.state)).collect();
        if app.broken && matches!(command, Command::Transfer { .. }) {
            return Ok(Executed::Failed);
        }
        let Ok(decided) = decide(app.version, command, &states) else {
            return Ok(Executed::Refused);
        };
        if decided.iter().all(|(_, events)| events.is_empty()) {
            return Ok(Executed::Nothing);
        }
        app.control.think().await;
        let text = serde_json::to_string(command).expect("a command is JSON");
        let parts = parts_of(&decided);
        let version_of = |stream: &str| seen.get(stream).map_or(Version(0), |seen| seen.version);
        let written: Vec<&str> = decided.iter().map(|(stream, _)| stream.as_str()).collect();
        let fact = command.mode() == Mode::Fact;
        let commit = NewCommit {
            commit_id: id.into(),
            known: true,
            recorded_at: now,
            mode: command.mode(),
            command: Some(RawJson::new(&text).expect("it is JSON")),
            definition: Some(Definition {
                name: command.definition().into(),
                version: app.version,
            }),
            content: text.as_str().into(),
            reads: seen
                .iter()
                .filter(|(stream, _)| !written.contains(&stream.as_str()))
                .map(|(stream, seen)| StreamRead {
                    stream_id: stream.as_str().into(),
                    version: seen.version,
                })
                .collect(),
            subject: Some("ann".into()),
            causation_id: None,
            correlation_id: None,
            streams: parts
                .iter()
                .map(|(stream, events)| StreamWrite {
                    stream_id: (*stream).into(),
                    expected_version: if fact {
                        ExpectedVersion::Any
                    } else {
                        ExpectedVersion::Exact(version_of(stream))
                    },
                    events: new_events(events, now),
                })
                .collect(),
        };
        let progress = store.append_decided(merges, &[commit]).await?;
        match progress.outcomes.first() {
            Some(Outcome::Appended(_) | Outcome::Duplicate(_)) => return Ok(Executed::Appended),
            Some(Outcome::Conflict(_) | Outcome::Stale { .. }) => {}
            other => panic!("commit {id} was not appended: {other:?}"),
        }
    }
    Ok(Executed::Contended)
}

type Parts<'d> = Vec<(&'d str, Vec<(&'static str, String)>)>;

fn parts_of(decided: &Decided) -> Parts<'_> {
    let streams = decided.iter().filter(|(_, events)| !events.is_empty());
    streams
        .map(|(stream, events)| (stream.as_str(), events.iter().map(Event::parts).collect()))
        .collect()
}

fn new_events<'p>(parts: &'p [(&'static str, String)], occurred_at: i64) -> Vec<NewEvent<'p>> {
    parts
        .iter()
        .map(|(event_type, data)| NewEvent {
            event_type: (*event_type).into(),
            schema_version: 1,
            occurred_at,
            data: Some(RawJson::new(data).expect("it is JSON")),
            metadata: None,
            salt: vec![7; 16],
        })
        .collect()
}

/// What an answer brought.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is not a whole answer.
    Torn,
    Store(StoreError),
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Puts an answer into the store.
pub(crate) async fn apply(store: &Store, push: bool, text: &str) -> Result<Pulled, Unusable> {
    let answer = if push {
        everfold::json::parse::<PushAnswer<'_>>(text)
    } else {
        everfold::json::parse::<PullPage<'_>>(text).map(|page| PushAnswer {
            page,
            results: Vec::new(),
        })
    };
    let answer = answer.map_err(|_| Unusable::Torn)?;
    Ok(store.pulled(&vec![answer].into()).await?)
}

/// Stores how far the space has taken over the history.
pub(crate) async fn adopted(store: &Store, text: &str) -> Result<SyncState, Unusable> {
    let answer = everfold::json::parse::<PushAnswer<'_>>(text).map_err(|_| Unusable::Torn)?;
    Ok(store.adopted(&answer).await?.expect("it is bound"))
}

/// Walks through what is pending and decides what is asked for.
pub(crate) async fn walk(store: &Rc<Store>, app: &App) -> Result<Rebased, StoreError> {
    let mut streams: BTreeMap<String, State> = BTreeMap::new();
    let mut step = store.rebase_next(None).await?;
    loop {
        let asked = match step {
            RebaseStep::Done(rebased) => return Ok(rebased),
            RebaseStep::Decide(asked) => asked,
        };
        if asked.begins {
            streams.clear();
        }
        for stream in &asked.streams {
            let known = streams.get(&stream.stream_id).copied();
            let base = match known {
                Some(state) => state,
                None if stream.confirmed_version == Version(0) => initial(&stream.stream_id),
                None => {
                    load(store, &stream.stream_id, Some(stream.confirmed_version))
                        .await?
                        .state
                }
            };
            let pending = recorded(&stream.batch);
            let state = pending
                .iter()
                .fold(base, |state, recorded| evolve(state, &recorded.event));
            streams.insert(stream.stream_id.clone(), state);
        }
        app.control.think().await;
        step = answer(store, app, &asked, &streams).await?;
    }
}

async fn answer(
    store: &Rc<Store>,
    app: &App,
    asked: &Decide,
    states: &BTreeMap<String, State>,
) -> Result<RebaseStep, StoreError> {
    let command: Command = serde_json::from_str(&asked.command).expect("a command is JSON");
    let version = asked.definition.as_ref().map_or(1, |(_, version)| *version);
    if version > app.version || (app.broken && matches!(command, Command::Transfer { .. })) {
        let reason = RawJson::new(r#"{"code":"decide-failed","message":"a bug"}"#).expect("it is JSON");
        return store.rebase_next(Some(Decision::Blocked(reason))).await;
    }
    match decide(app.version, &command, states) {
        Err(refusal) => {
            let reason = match refusal {
                Refusal::NotCovered => r#""NotCovered""#,
                Refusal::AboveTheLimit => r#""AboveTheLimit""#,
            };
            let decision = Decision::Refused {
                reason: RawJson::new(reason).expect("it is JSON"),
                state_seen: None,
            };
            store.rebase_next(Some(decision)).await
        }
        Ok(decided) => {
            let parts = parts_of(&decided);
            let events = parts
                .iter()
                .map(|(stream, events)| ((*stream).into(), new_events(events, asked.occurred_at)));
            let decision = Decision::Events {
                events: events.collect(),
                definition: Some(Definition {
                    name: command.definition().into(),
                    version: app.version,
                }),
            };
            store.rebase_next(Some(decision)).await
        }
    }
}
