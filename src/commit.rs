//! Commits: the batch of events that one append writes whole or not at all, over one or several
//! streams; the unit of idempotence and of sync.

use std::borrow::Cow;

use crate::event::NewEvent;
use crate::json::{FromJson, JsonReader, RawJson};
use crate::stream::{ExpectedVersion, Version};

/// Most bytes that an encoded commit may have, locally as on the wire.
pub const MAX_COMMIT_BYTES: usize = 256 << 10;
/// Most events that a commit may have, locally as on the wire.
pub const MAX_COMMIT_EVENTS: usize = 1_000;

/// How a commit is merged when history changes underneath it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Its command is decided again on the new state.
    #[default]
    Intent,
    /// It happened, whatever else did: its events only move.
    Fact,
}

impl Mode {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Fact => "fact",
        }
    }
}

/// The definition that decided a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition<'a> {
    /// Name of the aggregate or decision.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: u32,
}

/// A stream that was read for a decision, at the version it was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRead<'a> {
    /// The stream.
    pub stream_id: Cow<'a, str>,
    /// Its version.
    pub version: Version,
}

/// Events for one stream of a commit.
#[derive(Debug, Clone)]
pub struct StreamWrite<'a> {
    /// The stream.
    pub stream_id: Cow<'a, str>,
    /// What the writer believes about it.
    pub expected_version: ExpectedVersion,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent<'a>>,
}

/// A commit to append.
#[derive(Debug, Clone)]
pub struct NewCommit<'a> {
    /// Its id, for ever.
    pub commit_id: Cow<'a, str>,
    /// Whether the log may hold the id already: true if someone outside chose it.
    pub known: bool,
    /// When a device first wrote it: milliseconds since the epoch.
    pub recorded_at: i64,
    /// How it is merged.
    pub mode: Mode,
    /// The command that was decided.
    pub command: Option<RawJson<'a>>,
    /// What decided it.
    pub definition: Option<Definition<'a>>,
    /// What the caller gave, as text: the same id with other content is refused.
    pub content: Cow<'a, str>,
    /// Streams read and not written.
    pub reads: Vec<StreamRead<'a>>,
    /// Who made it, as the app says.
    pub subject: Option<Cow<'a, str>>,
    /// The message that caused it.
    pub causation_id: Option<Cow<'a, str>>,
    /// The conversation it belongs to.
    pub correlation_id: Option<Cow<'a, str>>,
    /// Its events by stream.
    pub streams: Vec<StreamWrite<'a>>,
}

impl FromJson<'_> for Mode {
    fn read(json: &mut JsonReader<'_>) -> Self {
        match &*json.text() {
            "intent" => return Self::Intent,
            "fact" => return Self::Fact,
            _ => json.fail("\"intent\" or \"fact\""),
        }
        Self::Intent
    }
}

impl<'a> FromJson<'a> for Definition<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut name, mut version) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "name" => name = Some(json.text()),
                "version" => version = Some(u32::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            name: json.required(name, "name"),
            version: json.required(version, "version"),
        }
    }
}

impl<'a> FromJson<'a> for StreamRead<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut stream_id, mut version) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "streamId" => stream_id = Some(json.text()),
                "version" => version = Some(Version::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            stream_id: json.required(stream_id, "streamId"),
            version: json.required(version, "version"),
        }
    }
}

impl<'a> FromJson<'a> for StreamWrite<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut stream_id, mut expected_version, mut events) = (None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "streamId" => stream_id = Some(json.text()),
                "expectedVersion" => expected_version = Some(ExpectedVersion::read(json)),
                "events" => events = Some(Vec::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            stream_id: json.required(stream_id, "streamId"),
            expected_version: json.required(expected_version, "expectedVersion"),
            events: json.required(events, "events"),
        }
    }
}

impl<'a> FromJson<'a> for NewCommit<'a> {
    #[inline(never)] // apart from what appends, as `plan` is
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut commit_id, mut known, mut recorded_at, mut mode) = (None, None, None, None);
        let (mut command, mut definition, mut content, mut reads) = (None, None, None, None);
        let (mut subject, mut causation_id, mut correlation_id, mut streams) = (None, None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "commitId" => commit_id = Some(json.text()),
                "known" => known = Some(bool::read(json)),
                "recordedAt" => recorded_at = Some(json.whole()),
                "mode" => mode = Some(Mode::read(json)),
                "command" => command = Option::read(json),
                "definition" => definition = Option::read(json),
                "content" => content = Some(json.text()),
                "reads" => reads = Some(Vec::read(json)),
                "subject" => subject = Option::read(json),
                "causationId" => causation_id = Option::read(json),
                "correlationId" => correlation_id = Option::read(json),
                "streams" => streams = Some(Vec::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            commit_id: json.required(commit_id, "commitId"),
            known: json.required(known, "known"),
            recorded_at: json.required(recorded_at, "recordedAt"),
            mode: json.required(mode, "mode"),
            command,
            definition,
            content: json.required(content, "content"),
            reads: reads.unwrap_or_default(),
            subject,
            causation_id,
            correlation_id,
            streams: json.required(streams, "streams"),
        }
    }
}
