//! What becomes of a pending commit: by itself, or by the decision that was made on it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;

use super::{Walk, damaged};
use crate::commit::{Definition, MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS, Mode};
use crate::event::NewEvent;
use crate::log::FormatError;
use crate::log::bytes::put_bytes;
use crate::log::commit::{CommitFields, put_events, put_header, put_stream, read_commit};
use crate::log::event::{put_event, read_event};
use crate::plant::{Plant, is_planted};
use crate::store::StoreError;
use crate::store::decision::Decision;
use crate::store::tail::TailCommit;
use crate::stream::check_id;

/// What a walk makes of a commit.
#[derive(Debug)]
pub(super) enum Verdict {
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

impl Walk {
    /// What becomes of a commit, if nobody has to be asked.
    pub(super) fn judge(&self, commit: &TailCommit, undecided: bool) -> Result<Option<Verdict>, StoreError> {
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

    /// Takes the decision on the commit that was asked for.
    pub(in crate::store) fn take(&mut self, decision: Decision<'_>) -> Result<(), StoreError> {
        let Some((commit, _)) = self.next() else {
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
}
