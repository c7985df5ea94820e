//! Commits: the batch of events that one append writes whole or not at all, over one or several
//! streams; the unit of idempotence and of sync.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::NewEvent;
use crate::stream::{ExpectedVersion, Version};

/// How a commit is merged when history changes underneath it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Its command is decided again on the new state.
    #[default]
    Intent,
    /// It happened, whatever else did: its events only move.
    Fact,
}

/// The definition that decided a commit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Definition<'a> {
    /// Name of the aggregate or decision.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: u32,
}

/// A stream that was read for a decision, at the version it was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamRead<'a> {
    /// The stream.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// Its version.
    pub version: Version,
}

/// Events for one stream of a commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamWrite<'a> {
    /// The stream.
    #[serde(borrow)]
    pub stream_id: Cow<'a, str>,
    /// What the writer believes about it.
    pub expected_version: ExpectedVersion,
    /// The events, in order; at least one.
    #[serde(borrow)]
    pub events: Vec<NewEvent<'a>>,
}

/// A commit to append.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewCommit<'a> {
    /// Its id, for ever.
    #[serde(borrow)]
    pub commit_id: Cow<'a, str>,
    /// Whether the log may hold the id already: true if someone outside chose it.
    pub known: bool,
    /// When a device first wrote it: milliseconds since the epoch.
    pub recorded_at: i64,
    /// How it is merged.
    pub mode: Mode,
    /// The command that was decided.
    #[serde(borrow, default)]
    pub command: Option<&'a RawValue>,
    /// What decided it.
    #[serde(borrow, default)]
    pub definition: Option<Definition<'a>>,
    /// What the caller gave, as text: the same id with other content is refused.
    #[serde(borrow)]
    pub content: Cow<'a, str>,
    /// Streams read and not written.
    #[serde(borrow, default)]
    pub reads: Vec<StreamRead<'a>>,
    /// The message that caused it.
    #[serde(borrow, default)]
    pub causation_id: Option<Cow<'a, str>>,
    /// The conversation it belongs to.
    #[serde(borrow, default)]
    pub correlation_id: Option<Cow<'a, str>>,
    /// Its events by stream.
    #[serde(borrow)]
    pub streams: Vec<StreamWrite<'a>>,
}
