//! Rebase: walking through what is pending and having decided again what was decided on a state that is no more.
//!
//! The walk asks for one decision after the other and keeps what came of them in memory; at its end one record of
//! the journal says it all. If other tabs append meanwhile, it goes on with what they appended; if anything else happens to
//! the log, it begins again.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::append::MAX_TRIES;
use super::batch::{Batch, BatchWriter};
use super::binding::Binding;
use super::blocks::BlocksError;
use super::carry::Left;
use super::log::Log;
use super::read::Sink;
use super::refusals::{Refusal, RefusalKind};
use super::storage::{Change, Check, Read, Storage, Table, Write};
use super::tail::{Tail, TailCommit, TailEvent};
use super::{Progress, Store, StoreError};
use crate::commit::{Definition, Mode};
use crate::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS};
use crate::event::NewEvent;
use crate::json::{FromJson, JsonReader, ObjectWriter, RawJson};
use crate::log::FormatError;
use crate::log::block::Recorded;
use crate::log::bytes::put_bytes;
use crate::log::commit::{CommitFields, CommitParts, put_events, put_header, put_stream, read_commit, split_commit};
use crate::log::event::{put_event, read_event};
use crate::log::record::{CommitStatus, RecordKind, SyncRecord};
use crate::plant::{Plant, is_planted};
use crate::position::Position;
use crate::stream::{Version, check_id};

/// A pending commit to be decided again.
#[derive(Debug, Clone, PartialEq)]
pub struct Decide {
    /// Whether the walk begins here: batches that were given before count no more.
    pub begins: bool,
    /// Its id.
    pub commit_id: String,
    /// Whether it is a fact: its events stay whatever is decided, and a refusal only tells that it breaks a rule.
    pub mode: Mode,
    /// Name and version of what decided it.
    pub definition: Option<(String, u32)>,
    /// The command, JSON.
    pub command: String,
    /// When its first event happened.
    pub occurred_at: i64,
    /// What the app wanted to remember about it, JSON.
    pub metadata: Option<String>,
    /// The streams that it was decided on.
    pub streams: Vec<DecideStream>,
}

/// A stream that a commit was decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct DecideStream {
    /// The stream.
    pub stream_id: String,
    /// Its version in the confirmed log: its state begins there.
    pub confirmed_version: Version,
    /// Whether the commit wrote to it.
    pub written: bool,
    /// Its pending events before the commit that this walk has not given before.
    pub batch: Batch,
}

/// How a commit was decided again.
#[derive(Debug, Clone)]
pub enum Decision<'a> {
    /// With these events by stream.
    Events {
        /// The events.
        events: Vec<(Cow<'a, str>, Vec<NewEvent<'a>>)>,
        /// What decided them.
        definition: Option<Definition<'a>>,
    },
    /// It was refused.
    Refused {
        /// Why, JSON.
        reason: RawJson<'a>,
        /// The states that it was refused on, JSON.
        state_seen: Option<RawJson<'a>>,
    },
    /// It could not be decided.
    Blocked(RawJson<'a>),
}

/// What a walk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebased {
    /// Where the log is now.
    pub progress: Progress,
    /// Commits that have other events now.
    pub changed: Vec<String>,
    /// Commits that are among the refusals now.
    pub refused: Vec<String>,
    /// Facts that break a rule, and what the rule says.
    pub violated: Vec<(String, String)>,
    /// Commits that could not be decided, and why.
    pub blocked: Vec<(String, String)>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum RebaseStep {
    /// Decide this commit, and come again with the decision.
    Decide(Decide),
    /// The walk is over and stored.
    Done(Rebased),
}

impl<'a> FromJson<'a> for Decision<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        struct OfStream<'a>(Cow<'a, str>, Vec<NewEvent<'a>>);
        impl<'a> FromJson<'a> for OfStream<'a> {
            fn read(json: &mut JsonReader<'a>) -> Self {
                let (mut stream, mut events) = (None, None);
                json.object();
                while let Some(field) = json.field() {
                    match &*field {
                        "streamId" => stream = Some(json.text()),
                        "events" => events = Some(Vec::read(json)),
                        _ => drop(json.raw()),
                    }
                }
                Self(json.required(stream, "streamId"), json.required(events, "events"))
            }
        }
        let (mut events, mut definition, mut refused) = (None, None, None);
        let (mut state_seen, mut blocked) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "events" => events = Some(Vec::<OfStream<'a>>::read(json)),
                "definition" => definition = Option::read(json),
                "refused" => refused = Some(json.raw()),
                "stateSeen" => state_seen = Some(json.raw()),
                "blocked" => blocked = Some(json.raw()),
                _ => drop(json.raw()),
            }
        }
        if let Some(reason) = refused {
            return Self::Refused { reason, state_seen };
        }
        if let Some(reason) = blocked {
            return Self::Blocked(reason);
        }
        let events = json.required(events, "events").into_iter();
        Self::Events {
            events: events.map(|OfStream(stream, events)| (stream, events)).collect(),
            definition,
        }
    }
}

impl Decide {
    /// Its JSON, a `CoreDecide`.
    pub fn into_json(self) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        object.raw("begins", if self.begins { "true" } else { "false" });
        object.text("commitId", &self.commit_id);
        object.text("mode", self.mode.name());
        if let Some((name, version)) = &self.definition {
            let mut inner = ObjectWriter::new(object.field("definition"));
            inner.text("name", name);
            inner.number("version", (*version).into());
            inner.end();
        }
        object.raw("command", &self.command);
        object.number("occurredAt", self.occurred_at);
        object.raw_if("metadata", self.metadata.as_deref());
        let list = object.field("streams");
        for (place, stream) in self.streams.into_iter().enumerate() {
            list.push(if place == 0 { '[' } else { ',' });
            let mut inner = ObjectWriter::new(list);
            inner.text("streamId", &stream.stream_id);
            inner.number("confirmedVersion", stream.confirmed_version.0 as i64);
            inner.raw("written", if stream.written { "true" } else { "false" });
            inner.raw("batch", &stream.batch.into_document());
            inner.end();
        }
        list.push(']');
        object.end();
        out
    }
}

/// What a walk makes of a commit.
#[derive(Debug)]
enum Verdict {
    /// It moves: nothing is said of it.
    Stays,
    /// It could not be decided, or stands on one that could not.
    Blocked,
    /// This commit is in its place.
    Becomes(Vec<u8>),
    Refused {
        reason: String,
        state_seen: String,
    },
}

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walk {
    /// What the log was like: see [`super::log::Log::turns`].
    turn: u64,
    commits: Left,
    /// Their events, one commit's after the other's.
    events: Vec<TailEvent>,
    /// What became of those that the walk has passed.
    verdicts: Vec<Verdict>,
    /// How many of `events` it has passed.
    passed: usize,
    position: Position,
    /// Streams on which what was decided is not as it was.
    dirty: HashSet<Rc<str>>,
    blocked_streams: HashSet<Rc<str>>,
    /// Versions in the confirmed log.
    confirmed: HashMap<Rc<str>, Version>,
    /// The events of streams as the walk has come, and how many of them it has given.
    streams: HashMap<Rc<str>, (Vec<Passed>, usize)>,
    violated: Vec<(String, String)>,
    blocked: Vec<(String, String)>,
    has_asked: bool,
}

/// An event that a walk has passed: the place of its commit, its number in that, and where its bytes are if it is as it
/// was.
#[derive(Debug, Clone, Copy)]
struct Passed {
    place: usize,
    index: usize,
    event: Option<usize>,
    position: Position,
}

impl<S: Storage> Store<S> {
    /// The next step of a walk through what is pending: first without a decision, then with that of the commit that was
    /// asked for last. If the log has changed meanwhile, it asks again from the first one on.
    pub async fn rebase_next(&self, mut decision: Option<Decision<'_>>) -> Result<RebaseStep, StoreError> {
        let _writing = self.writing.lock().await;
        let mut kept = self.walk.take().filter(|_| decision.is_some());
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.make_room().await?;
            self.check_leads(&self.log.borrow())?;
            let turn = self.log.borrow().turns;
            let mut walk = if let Some(walk) = kept.take().filter(|walk| walk.turn == turn) {
                walk
            } else {
                decision = None;
                Box::new(Walk::begin(&self.log.borrow()))
            };
            match self.go_on(&mut walk, decision.take()).await {
                Ok(Some(decide)) => {
                    self.walk.replace(Some(walk));
                    return Ok(RebaseStep::Decide(decide));
                }
                Ok(None) => {}
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            }
            if walk.changes_nothing() || self.write_walk(&walk).await? {
                return Ok(RebaseStep::Done(walk.end(self.progress(Vec::new()))));
            }
            // If others have only appended, it goes on with that.
            self.refresh().await?;
            kept = Some(walk);
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn go_on(&self, walk: &mut Walk, decision: Option<Decision<'_>>) -> Result<Option<Decide>, BlocksError> {
        if let Some(decision) = decision {
            let streams = match &decision {
                Decision::Events { events, .. } => events.iter().map(|(stream, _)| stream.to_string()).collect(),
                _ => HashSet::new(),
            };
            self.find_confirmed(walk, streams).await?;
            walk.take(decision)?;
        }
        loop {
            if walk.commits.is_empty() || !is_planted(Plant::AppendedForgotten) {
                walk.extend(&self.log.borrow());
            }
            let Some((commit, undecided)) = walk.commits.get(walk.verdicts.len()).cloned() else {
                return Ok(None);
            };
            if let Some(verdict) = walk.judge(&commit, undecided)? {
                walk.pass(&commit, verdict)?;
            } else {
                let streams = commit.touched().map(ToString::to_string).collect();
                self.find_confirmed(walk, streams).await?;
                return Ok(Some(walk.ask(&commit)?));
            }
        }
    }

    async fn find_confirmed(&self, walk: &mut Walk, mut streams: HashSet<String>) -> Result<(), BlocksError> {
        streams.retain(|stream| !walk.confirmed.contains_key(&**stream));
        let found = self.confirmed_heads(streams).await?;
        walk.confirmed
            .extend(found.into_iter().map(|(stream, version)| (Rc::from(stream), version)));
        Ok(())
    }

    /// False if another tab was first.
    async fn write_walk(&self, walk: &Walk) -> Result<bool, StoreError> {
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        let mut refusals = walk.refusals(&self.log.borrow().tail)?;
        self.keep_first_form(&mut refusals).await?;
        let (number, record) = {
            let log = self.log.borrow();
            let number = log.tail.number() + 1;
            write.checks.push(Check {
                table: Table::Meta,
                key: Binding::key(),
                expected: log.stored_binding.clone(),
            });
            (number, walk.record(number))
        };
        write.changes.push(Change::Append {
            value: record.clone(),
            expected: number,
        });
        for refusal in &refusals {
            refusal.put(&mut write);
        }
        if !self.write_log(write).await? {
            return Ok(false);
        }
        self.log.borrow_mut().push(number, record)?;
        Ok(true)
    }

    /// Of a commit that was changed before, and the app has not dismissed that, the form before all changes is kept.
    async fn keep_first_form(&self, refusals: &mut [Refusal]) -> Result<(), StoreError> {
        let mut changed: Vec<_> = refusals
            .iter_mut()
            .filter(|refusal| !refusal.after.is_empty())
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let key = |refusal: &&mut Refusal| Read::Get(Table::Meta, Refusal::key(&refusal.id));
        let found = self.storage.read(changed.iter().map(key).collect()).await?;
        for (refusal, entries) in changed.iter_mut().zip(found) {
            if let Some(entry) = entries.first()
                && let Ok(before) = Refusal::decode(&refusal.id, &entry.value)
                && before.kind == RefusalKind::Changed
                && !before.dismissed
            {
                refusal.before = before.before;
            }
        }
        Ok(())
    }
}

impl Walk {
    fn begin(log: &Log) -> Self {
        Self {
            turn: log.turns,
            commits: Left::new(),
            events: Vec::new(),
            verdicts: Vec::new(),
            passed: 0,
            position: log.tail.confirmed(),
            dirty: HashSet::new(),
            blocked_streams: HashSet::new(),
            confirmed: HashMap::new(),
            streams: HashMap::new(),
            violated: Vec::new(),
            blocked: Vec::new(),
            has_asked: false,
        }
    }

    /// Takes in what was appended since.
    fn extend(&mut self, log: &Log) {
        let tail = &log.tail;
        if tail.pending() > self.commits.len() {
            let pending = tail.pending_commits().iter().map(Rc::clone);
            let pending = pending.zip(tail.undecided().iter().copied());
            self.commits.extend(pending.skip(self.commits.len()));
            let events = tail.events().iter().skip(tail.confirmed_events().len());
            self.events.extend(events.skip(self.events.len()).cloned());
        }
    }

    /// The events of the commit that is next, as they are.
    fn own_events(&self, commit: &TailCommit) -> &[TailEvent] {
        self.events
            .get(self.passed..self.passed + commit.events())
            .unwrap_or_default()
    }

    /// What becomes of a commit, if nobody has to be asked.
    fn judge(&self, commit: &TailCommit, undecided: bool) -> Result<Option<Verdict>, StoreError> {
        let stands_on =
            |streams: &HashSet<Rc<str>>| !streams.is_empty() && commit.stands_on(|stream| streams.contains(stream));
        let blocked = stands_on(&self.blocked_streams);
        if !undecided && !blocked && !stands_on(&self.dirty) {
            return Ok(Some(Verdict::Stays));
        }
        let fields = read_commit(&commit.header).map_err(damaged)?;
        Ok(match (fields.mode, fields.command) {
            (Mode::Fact, None) => Some(Verdict::Stays),
            (Mode::Fact, Some(_)) if blocked => Some(Verdict::Stays),
            (Mode::Intent, _) if blocked => Some(Verdict::Blocked),
            (Mode::Intent, None) => Some(Verdict::Refused {
                reason: r#"{"code":"conflict"}"#.to_owned(),
                state_seen: String::new(),
            }),
            _ => None,
        })
    }

    fn ask(&mut self, commit: &TailCommit) -> Result<Decide, StoreError> {
        let fields = read_commit(&commit.header).map_err(damaged)?;
        let first = self
            .own_events(commit)
            .first()
            .map(TailEvent::bytes)
            .unwrap_or_default();
        let first = read_event(first).map_err(damaged)?;
        let metadata = first.metadata.and_then(|metadata| str::from_utf8(metadata).ok());
        let (occurred_at, metadata) = (first.occurred_at, metadata.map(str::to_owned));
        let mut streams = Vec::new();
        let written = commit.streams.iter().map(|(stream, ..)| (stream, true));
        for (stream, written) in written.chain(commit.reads.iter().map(|stream| (stream, false))) {
            streams.push(DecideStream {
                stream_id: stream.to_string(),
                confirmed_version: self.confirmed.get(stream).copied().unwrap_or_default(),
                written,
                batch: self.give(stream)?,
            });
        }
        Ok(Decide {
            begins: !std::mem::replace(&mut self.has_asked, true),
            commit_id: commit.id.to_string(),
            mode: fields.mode,
            definition: fields
                .definition
                .map(|name| (name.to_owned(), fields.definition_version as u32)),
            command: fields.command.unwrap_or("null").to_owned(),
            occurred_at,
            metadata,
            streams,
        })
    }

    /// The events of a stream that the walk has passed and not given.
    fn give(&mut self, stream: &Rc<str>) -> Result<Batch, StoreError> {
        let mut batch = BatchWriter::new(None);
        let confirmed = self.confirmed.get(stream).copied().unwrap_or_default();
        if let Some((passed, given)) = self.streams.get_mut(stream) {
            let mut version = Version(confirmed.0 + *given as u64);
            for event in passed.iter().skip(*given) {
                version = version.next();
                let put = |recorded: Recorded<'_>, batch: &mut BatchWriter| {
                    let recorded = Recorded {
                        position: event.position,
                        stream,
                        version,
                        index: event.index as u64,
                        ..recorded
                    };
                    let fields = read_event(recorded.event).map_err(damaged)?;
                    batch.put(&recorded, &fields, 0, CommitStatus::Pending)
                };
                match (event.event, self.verdicts.get(event.place)) {
                    (Some(place), _) => {
                        if let Some(event) = self.events.get(place) {
                            put(event.recorded(), &mut batch)?;
                        }
                    }
                    (None, Some(Verdict::Becomes(bytes))) => {
                        let CommitParts { envelope, streams, .. } = split_commit(bytes).map_err(damaged)?;
                        if let Some(bytes) = streams.iter().flat_map(|stream| &stream.events).nth(event.index) {
                            let recorded = Recorded {
                                position: event.position,
                                stream,
                                version,
                                envelope: &envelope,
                                index: 0,
                                event: bytes,
                            };
                            put(recorded, &mut batch)?;
                        }
                    }
                    _ => {}
                }
            }
            *given = passed.len();
        }
        batch.finish()
    }

    /// Takes the decision on the commit that was asked for.
    fn take(&mut self, decision: Decision<'_>) -> Result<(), StoreError> {
        let Some((commit, _)) = self.commits.get(self.verdicts.len()).cloned() else {
            return Ok(());
        };
        let fields = read_commit(&commit.header).map_err(damaged)?;
        let id = || commit.id.to_string();
        let verdict = match (fields.mode, decision) {
            (Mode::Fact, Decision::Refused { reason, .. }) => {
                self.violated.push((id(), reason.get().to_owned()));
                Verdict::Stays
            }
            (Mode::Fact, _) => Verdict::Stays,
            (Mode::Intent, Decision::Refused { reason, state_seen }) => Verdict::Refused {
                reason: reason.get().to_owned(),
                state_seen: state_seen.map_or(String::new(), |seen| seen.get().to_owned()),
            },
            (Mode::Intent, Decision::Blocked(reason)) => {
                self.blocked.push((id(), reason.get().to_owned()));
                Verdict::Blocked
            }
            (Mode::Intent, Decision::Events { mut events, definition }) => {
                events.retain(|(_, events)| !events.is_empty());
                match self.decided(&commit, &fields, &events, definition.as_ref())? {
                    Ok(verdict) => verdict,
                    Err(mistake) => {
                        self.blocked.push((id(), mistake));
                        Verdict::Blocked
                    }
                }
            }
        };
        self.pass(&commit, verdict)
    }

    /// What becomes of a commit by its new events, or what is wrong with them, as JSON.
    fn decided(
        &self,
        commit: &TailCommit,
        fields: &CommitFields<'_>,
        events: &[(Cow<'_, str>, Vec<NewEvent<'_>>)],
        definition: Option<&Definition<'_>>,
    ) -> Result<Result<Verdict, String>, StoreError> {
        if events.is_empty() {
            return Ok(Ok(Verdict::Refused {
                reason: r#"{"code":"no-events"}"#.to_owned(),
                state_seen: String::new(),
            }));
        }
        if self.has_events(commit, events).map_err(damaged)? {
            return Ok(Ok(self.moved(commit, fields)));
        }
        let names: HashSet<&str> = events.iter().map(|(stream, _)| &**stream).collect();
        let count: usize = events.iter().map(|(_, events)| events.len()).sum();
        let valid = names.len() == events.len()
            && count <= MAX_COMMIT_EVENTS
            && names.iter().all(|stream| check_id(stream).is_ok())
            && events
                .iter()
                .flat_map(|(_, events)| events)
                .all(|event| !event.event_type.is_empty());
        // What was written and is not any more was read all the same.
        let reads = commit.touched().filter(|stream| !names.contains(&***stream));
        let mut bytes = Vec::with_capacity(256);
        put_header(
            &mut bytes,
            &CommitFields {
                attempt: fields.attempt + u64::from(!is_planted(Plant::AttemptNotRaised)),
                definition: definition.map_or(fields.definition, |definition| Some(&definition.name)),
                definition_version: definition
                    .map_or(fields.definition_version, |definition| definition.version.into()),
                reads: reads.map(|stream| (&**stream, self.version(stream))).collect(),
                ..fields.clone()
            },
        );
        for (stream, events) in events {
            put_events(&mut bytes, stream, self.version(stream), events);
        }
        if !valid || bytes.len() > MAX_COMMIT_BYTES {
            return Ok(Err(
                r#"{"code":"invalid-event","message":"the new decision is no commit"}"#.to_owned(),
            ));
        }
        Ok(Ok(Verdict::Becomes(bytes)))
    }

    /// What becomes of a commit that has the same events again: it says what it was decided on now.
    fn moved(&self, commit: &TailCommit, fields: &CommitFields<'_>) -> Verdict {
        let reads: Vec<_> = commit
            .reads
            .iter()
            .map(|stream| (&**stream, self.version(stream)))
            .collect();
        if reads == fields.reads {
            return Verdict::Stays;
        }
        let mut bytes = Vec::with_capacity(256);
        put_header(
            &mut bytes,
            &CommitFields {
                reads,
                ..fields.clone()
            },
        );
        let mut events = self.own_events(commit).iter();
        for (stream, _, count) in &commit.streams {
            let mut list = Vec::new();
            for event in events.by_ref().take(*count as usize) {
                put_bytes(&mut list, event.bytes());
            }
            put_stream(&mut bytes, stream, self.version(stream), *count, &list);
        }
        Verdict::Becomes(bytes)
    }

    /// Whether a commit has these events: all but the times at which they happened and what makes digests tell nothing.
    fn has_events(
        &self,
        commit: &TailCommit,
        events: &[(Cow<'_, str>, Vec<NewEvent<'_>>)],
    ) -> Result<bool, FormatError> {
        let streams = commit
            .streams
            .iter()
            .map(|(stream, _, count)| (&**stream, *count as usize));
        if !streams.eq(events.iter().map(|(stream, events)| (&**stream, events.len()))) {
            return Ok(false);
        }
        let new = events.iter().flat_map(|(_, events)| events);
        for (old, new) in self.own_events(commit).iter().zip(new) {
            let mut bytes = Vec::new();
            put_event(&mut bytes, new);
            let (old, new) = (read_event(old.bytes())?, read_event(&bytes)?);
            let same = old.event_type == new.event_type
                && old.schema_version == new.schema_version
                && old.metadata == new.metadata
                && old.data == new.data;
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The version of a stream where the walk is.
    fn version(&self, stream: &str) -> Version {
        let confirmed = self.confirmed.get(stream).copied().unwrap_or_default();
        let passed = self.streams.get(stream).map_or(0, |(passed, _)| passed.len());
        Version(confirmed.0 + passed as u64)
    }

    /// Goes past a commit.
    fn pass(&mut self, commit: &TailCommit, verdict: Verdict) -> Result<(), StoreError> {
        let place = self.verdicts.len();
        let written = || commit.streams.iter().map(|(stream, ..)| Rc::clone(stream));
        let first = self.passed;
        self.passed += commit.events();
        let mut index = 0;
        match &verdict {
            Verdict::Refused { .. } if is_planted(Plant::RefusedNotDirty) => {}
            Verdict::Refused { .. } => self.dirty.extend(written()),
            Verdict::Stays | Verdict::Blocked => {
                for (stream, _, count) in &commit.streams {
                    for _ in 0..*count {
                        self.add(Rc::clone(stream), place, index, Some(first + index));
                        index += 1;
                    }
                }
                if matches!(verdict, Verdict::Blocked) {
                    self.blocked_streams.extend(written());
                }
            }
            Verdict::Becomes(bytes) => {
                let parts = split_commit(bytes).map_err(damaged)?;
                let changed = read_commit(&parts.header).map_err(damaged)?.attempt != commit.attempt
                    && !is_planted(Plant::ChangedNotDirty);
                if changed {
                    self.dirty.extend(written());
                }
                for stream in &parts.streams {
                    let name: Rc<str> = Rc::from(stream.stream);
                    for _ in &stream.events {
                        self.add(Rc::clone(&name), place, index, None);
                        index += 1;
                    }
                    if changed {
                        self.dirty.insert(name);
                    }
                }
            }
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    fn add(&mut self, stream: Rc<str>, place: usize, index: usize, event: Option<usize>) {
        self.position.0 += 1;
        self.streams.entry(stream).or_default().0.push(Passed {
            place,
            index,
            event,
            position: self.position,
        });
    }

    /// Whether there was nothing to decide.
    fn changes_nothing(&self) -> bool {
        let mut verdicts = self.commits.iter().zip(&self.verdicts);
        verdicts.all(|((_, undecided), verdict)| match verdict {
            Verdict::Stays => !undecided,
            Verdict::Blocked => *undecided,
            _ => false,
        })
    }

    fn record(&self, number: u64) -> Vec<u8> {
        let (mut commits, mut dropped, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            match verdict {
                Verdict::Refused { .. } => {
                    dropped.push(&*commit.id);
                    continue;
                }
                Verdict::Becomes(bytes) => commits.push(bytes.as_slice()),
                Verdict::Stays | Verdict::Blocked => {}
            }
            undecided.push(matches!(verdict, Verdict::Blocked));
        }
        SyncRecord {
            kind: RecordKind::Rebased,
            number,
            end: self.position,
            commits: &commits,
            dropped: &dropped,
            undecided: &undecided,
            pending: undecided.len() as u64,
        }
        .encode()
    }

    /// What the app is to be told of, beside what is pending.
    fn refusals(&self, tail: &Tail) -> Result<Vec<Refusal>, StoreError> {
        let mut refusals = Vec::new();
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            let Some(commit) = tail.commit(&commit.id) else {
                continue;
            };
            match verdict {
                Verdict::Refused { reason, state_seen } => refusals.push(Refusal {
                    state_seen: state_seen.clone(),
                    ..Refusal::of(tail, commit, RefusalKind::Refused, reason)
                }),
                Verdict::Becomes(bytes) if attempt_of(bytes)? != commit.attempt => refusals.push(Refusal {
                    after: bytes.clone(),
                    ..Refusal::of(tail, commit, RefusalKind::Changed, "")
                }),
                _ => {}
            }
        }
        Ok(refusals)
    }

    fn end(self, progress: Progress) -> Rebased {
        let (mut changed, mut refused) = (Vec::new(), Vec::new());
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            match verdict {
                Verdict::Refused { .. } => refused.push(commit.id.to_string()),
                Verdict::Becomes(bytes) if attempt_of(bytes).ok() != Some(commit.attempt) => {
                    changed.push(commit.id.to_string());
                }
                _ => {}
            }
        }
        Rebased {
            progress,
            changed,
            refused,
            violated: self.violated,
            blocked: self.blocked,
        }
    }
}

fn attempt_of(bytes: &[u8]) -> Result<u64, StoreError> {
    let parts = split_commit(bytes).map_err(damaged)?;
    read_commit(&parts.header).map(|fields| fields.attempt).map_err(damaged)
}

#[cold]
fn damaged(reason: FormatError) -> StoreError {
    StoreError::format("a pending commit", reason)
}
