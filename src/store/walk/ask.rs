//! What a walk asks: the commit, and the events of its streams that were not given before.

use std::borrow::Cow;
use std::rc::Rc;

use super::verdict::Verdict;
use super::{Walk, damaged};
use crate::json::{FromJson, JsonReader, parse, put_text};
use crate::log::FormatError;
use crate::log::block::Recorded;
use crate::log::commit::{CommitParts, read_commit, split_commit};
use crate::log::event::read_event;
use crate::log::record::CommitStatus;
use crate::store::StoreError;
use crate::store::batch::{Batch, BatchWriter};
use crate::store::decision::{Decide, DecideStream};
use crate::store::read::Sink;
use crate::store::tail::{TailCommit, TailEvent};
use crate::stream::Version;

/// The members of an object, each with its JSON.
struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> FromJson<'a> for Members<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut members = Vec::new();
        json.object();
        while let Some(name) = json.field() {
            members.push((name, json.raw().get()));
        }
        Self(members)
    }
}

/// What all events of a commit have in their metadata. What was given with the commit is in there, and what one of them
/// has of its own is not.
fn common_metadata(events: &[TailEvent]) -> Result<Option<String>, FormatError> {
    let mut common: Option<Members<'_>> = None;
    for event in events {
        let Some(metadata) = read_event(event.bytes())?.metadata else {
            return Ok(None);
        };
        let malformed = FormatError::Malformed("metadata");
        let members: Option<Members<'_>> = str::from_utf8(metadata).ok().and_then(|text| parse(text).ok());
        let members = members.ok_or(malformed)?;
        match &mut common {
            Some(Members(common)) => common.retain(|member| members.0.contains(member)),
            None => common = Some(members),
        }
    }
    Ok(common.map(|Members(common)| {
        let mut out = String::from("{");
        for (name, value) in common {
            if out.len() > 1 {
                out.push(',');
            }
            put_text(&mut out, &name);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }))
}

impl Walk {
    /// The question that decides a commit.
    pub(in crate::store) fn ask(&mut self, commit: &TailCommit) -> Result<Decide, StoreError> {
        let fields = read_commit(&commit.header).map_err(damaged)?;
        let first = self
            .own_events(commit)
            .first()
            .map(TailEvent::bytes)
            .unwrap_or_default();
        let occurred_at = read_event(first).map_err(damaged)?.occurred_at;
        let metadata = common_metadata(self.own_events(commit)).map_err(damaged)?;
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
}
