//! What a walk through what is pending asks and is answered: a commit to be decided again, and how it was decided.
//!
//! Whoever decides is outside: the deciders of the app, in TypeScript or in a module of its own. Questions and answers
//! cross to them as JSON.

use std::borrow::Cow;

use super::{Batch, Progress};
use crate::commit::{Definition, Mode};
use crate::event::NewEvent;
use crate::json::{FromJson, JsonReader, ObjectWriter, RawJson};
use crate::stream::Version;

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
    /// What the app wanted to remember about it, JSON: what all its events say.
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
        object.flag("begins", self.begins);
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
            inner.flag("written", stream.written);
            inner.raw("batch", &stream.batch.into_document());
            inner.end();
        }
        list.push(']');
        object.end();
        out
    }
}
