//! Executing commands of deciders written in Rust: load, decide, append, and again if someone was
//! faster.

use std::borrow::Cow;

use serde::Serialize;

use super::append::MAX_TRIES;
use super::fold_error::FoldError;
use super::plan::{InvalidCommit, Outcome};
use super::storage::Storage;
use super::{Store, StoreError};
use crate::commit::{Definition, Mode, NewCommit, StreamWrite};
use crate::decider::Decider;
use crate::event::NewEvent;
use crate::json::{self, FromJson, JsonReader, RawJson};
use crate::position::Position;
use crate::stream::{Conflict, ExpectedVersion, Version};

/// What goes with a command.
#[derive(Debug, Clone, Default)]
pub struct ExecuteOptions {
    /// A random id of 32 hexadecimal digits, or one of the caller's for a command that may come again.
    pub commit_id: String,
    /// Now, in milliseconds since the epoch.
    pub now: i64,
    /// The version that the stream must be at. Without it a lost race is decided again.
    pub expected_version: Option<Version>,
}

/// A stream folded to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedState<State> {
    /// The state.
    pub state: State,
    /// The stream's version.
    pub version: Version,
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed<D: Decider> {
    /// Its events.
    pub events: Vec<D::Event>,
    /// The state after them.
    pub state: D::State,
    /// The stream's version after them.
    pub version: Version,
    /// Position of the last event of the log afterwards.
    pub position: Position,
}

/// Why a command wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError<Refusal> {
    /// The decider said no.
    #[error("the command was refused")]
    Refused(Refusal),
    /// The stream is not at the version that was expected.
    #[error(transparent)]
    Conflict(Conflict),
    /// The commit id was used before, for another command or for this one.
    #[error("commit id {0} is known already")]
    CommitIdKnown(String),
    /// The events may not be stored.
    #[error(transparent)]
    Invalid(InvalidCommit),
    /// An event or a state is not JSON, or a stored one is not what the decider knows.
    #[error("{0}")]
    Shape(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What serde's adjacent tagging writes of an event.
struct Tagged<'a> {
    event_type: Cow<'a, str>,
    data: Option<RawJson<'a>>,
}

impl<'a> FromJson<'a> for Tagged<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut event_type, mut data) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "type" => event_type = Some(json.text()),
                "data" => data = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            event_type: json.required(event_type, "type"),
            data,
        }
    }
}

impl<S: Storage> Store<S> {
    /// Loads an aggregate: a snapshot, if one serves, and the events after it.
    pub async fn load_state<D: Decider>(&self, id: &str) -> Result<LoadedState<D::State>, ExecuteError<D::Refusal>> {
        match self.fold_state::<D>(&format!("{}-{id}", D::NAME)).await {
            Ok((version, state)) => Ok(LoadedState { state, version }),
            Err(FoldError::Store(error)) => Err(error.into()),
            Err(error) => Err(ExecuteError::Shape(error.to_string())),
        }
    }

    /// Executes a command on the aggregate `id`. It returns once the events are stored; a lost race
    /// against another tab is decided again on the newer state, unless a version was expected.
    pub async fn execute<D: Decider>(
        &self,
        id: &str,
        command: &D::Command,
        options: &ExecuteOptions,
    ) -> Result<Executed<D>, ExecuteError<D::Refusal>> {
        let stream = format!("{}-{id}", D::NAME);
        let mut is_fresh = false;
        for _ in 0..MAX_TRIES {
            let merges = self.merges();
            let LoadedState { state, version } = self.load_state::<D>(id).await?;
            if let Some(expected) = options.expected_version
                && expected != version
            {
                self.catch_up().await?;
                let actual = self.load_state::<D>(id).await?.version;
                if expected != actual {
                    self.refuse_known(&options.commit_id).await?;
                    let expected = ExpectedVersion::Exact(expected);
                    return Err(ExecuteError::Conflict(Conflict {
                        stream,
                        expected,
                        actual,
                    }));
                }
                continue;
            }
            let decided = D::decide(command, &state);
            if decided.as_ref().map_or(true, Vec::is_empty) {
                // A written record proves that nobody wrote since; a 'no' and a 'nothing to do' have to look.
                if !is_fresh {
                    self.catch_up().await?;
                    is_fresh = true;
                    continue;
                }
                self.refuse_known(&options.commit_id).await?;
            }
            let events = decided.map_err(ExecuteError::Refused)?;
            if events.is_empty() {
                return Ok(Executed {
                    events,
                    state,
                    version,
                    position: self.position(),
                });
            }
            let texts = events.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let commit = commit_of::<D>(&stream, version, &texts, options)?;
            let progress = self.append_decided(merges, &[commit]).await?;
            let merges = progress.merges;
            match progress.outcomes.into_iter().next() {
                Some(Outcome::Appended(_)) => {
                    let state = D::fold(state, &events);
                    let after = Version(version.0 + events.len() as u64);
                    if after.0 / D::SNAPSHOT_EVERY > version.0 / D::SNAPSHOT_EVERY {
                        self.keep_state::<D>(merges, &stream, after, &state).await;
                    }
                    return Ok(Executed {
                        events,
                        state,
                        version: after,
                        position: progress.position,
                    });
                }
                Some(Outcome::Invalid(error)) => return Err(ExecuteError::Invalid(error)),
                Some(Outcome::Duplicate(_) | Outcome::Reused | Outcome::Refused) => {
                    return Err(ExecuteError::CommitIdKnown(options.commit_id.clone()));
                }
                // Someone was faster, and is known now: decide again.
                _ => {}
            }
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// Of a command that comes again, what it led to is told from what it would lead to now.
    async fn refuse_known<R>(&self, commit_id: &str) -> Result<(), ExecuteError<R>> {
        match self.find_commit(commit_id).await? {
            Some(_) => Err(ExecuteError::CommitIdKnown(commit_id.to_owned())),
            None => Ok(()),
        }
    }

    /// Keeps a snapshot, if it can: it only saves time, and an error would say that nothing was written.
    async fn keep_state<D: Decider>(&self, merges: u64, stream: &str, version: Version, state: &D::State) {
        let definition = (D::NAME, D::VERSION.into());
        if let Ok(state) = serde_json::to_string(state) {
            let _ = self.put_snapshot(merges, stream, definition, version, &state, 2).await;
        }
    }
}

fn commit_of<'a, D: Decider>(
    stream: &'a str,
    version: Version,
    events: &'a [String],
    options: &'a ExecuteOptions,
) -> Result<NewCommit<'a>, ExecuteError<D::Refusal>> {
    let events = events
        .iter()
        .map(|event| {
            let Tagged { event_type, data } =
                json::parse(event).map_err(|error| ExecuteError::Shape(error.to_string()))?;
            Ok(NewEvent {
                event_type,
                schema_version: 1,
                occurred_at: options.now,
                data,
                metadata: None,
                salt: Vec::new(),
            })
        })
        .collect::<Result<_, ExecuteError<D::Refusal>>>()?;
    Ok(NewCommit {
        commit_id: (&*options.commit_id).into(),
        known: true,
        recorded_at: options.now,
        mode: Mode::Intent,
        command: None,
        definition: Some(Definition {
            name: D::NAME.into(),
            version: D::VERSION,
        }),
        content: stream.into(),
        reads: Vec::new(),
        subject: None,
        causation_id: None,
        correlation_id: None,
        streams: vec![StreamWrite {
            stream_id: stream.into(),
            expected_version: ExpectedVersion::Exact(version),
            events,
        }],
    })
}

fn text<T: Serialize, R>(value: &T) -> Result<String, ExecuteError<R>> {
    serde_json::to_string(value).map_err(|error| ExecuteError::Shape(error.to_string()))
}
