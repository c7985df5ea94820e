//! Commits of the log as they are said on the wire, and the other way.
//!
//! A confirmed commit is stored as the wire says it, on the device that made it too: so that all devices
//! hold the same bytes.

use std::borrow::Cow;

use super::tail::{Tail, TailCommit, TailEvent};
use crate::commit::{Definition, Mode, StreamRead};
use crate::event::NewEvent;
use crate::hex::{hex, unhex};
use crate::json::RawJson;
use crate::log::FormatError;
use crate::log::commit::{CommitFields, put_events, put_header, read_commit};
use crate::log::event::read_event;
use crate::stream::Version;
use crate::sync::{WireCommit, WireEvent, WireStream};

/// What a commit writes to one stream: its id, the version before, the bytes of each event.
pub(crate) type StreamBytes<'a> = (&'a str, Version, Vec<&'a [u8]>);

/// A commit, as confirmed: each stream has the version before it.
pub(crate) fn wire_commit<'a>(
    header: &'a [u8],
    streams: impl IntoIterator<Item = StreamBytes<'a>>,
) -> Result<WireCommit<'a>, FormatError> {
    let fields = read_commit(header)?;
    let streams = streams.into_iter().map(|(stream, before, events)| {
        Ok(WireStream {
            stream_id: stream.into(),
            before: Some(before),
            events: events.into_iter().map(wire_event).collect::<Result<_, _>>()?,
        })
    });
    Ok(WireCommit {
        number: None,
        id: fields.id,
        attempt: fields.attempt,
        mode: fields.mode,
        command: fields.command.and_then(json),
        definition: fields.definition.map(|name| Definition {
            name: name.into(),
            version: fields.definition_version as u32,
        }),
        reads: fields
            .reads
            .into_iter()
            .map(|(stream, version)| StreamRead {
                stream_id: stream.into(),
                version,
            })
            .collect(),
        subject: fields.subject.map(Cow::from),
        actor: fields.actor.map(Cow::from),
        replica: fields.replica.into(),
        recorded_at: fields.recorded_at,
        received_at: fields.received_at,
        causation_id: fields.causation.map(Cow::from),
        correlation_id: fields.correlation.map(Cow::from),
        content: (!fields.digest.is_empty()).then(|| hex(fields.digest).into()),
        streams: Some(streams.collect::<Result<_, FormatError>>()?),
    })
}

/// A commit of the tail, as confirmed.
pub(crate) fn wire_of<'t>(tail: &'t Tail, commit: &'t TailCommit) -> Result<WireCommit<'t>, FormatError> {
    let mut events = tail.events_in(commit).iter().map(TailEvent::bytes);
    wire_commit(
        &commit.header,
        commit
            .streams
            .iter()
            .map(|(stream, first, count)| (&**stream, Version(first.0 - 1), take(&mut events, *count))),
    )
}

fn take<'a>(events: &mut impl Iterator<Item = &'a [u8]>, count: u64) -> Vec<&'a [u8]> {
    events.take(count as usize).collect()
}

/// A commit as it is pushed: a fact expects nothing.
pub(crate) fn pushed<'t>(tail: &'t Tail, commit: &'t TailCommit) -> Result<WireCommit<'t>, FormatError> {
    let mut wire = wire_of(tail, commit)?;
    if wire.mode == Mode::Fact {
        expect_nothing(&mut wire);
    }
    Ok(wire)
}

pub(crate) fn expect_nothing(wire: &mut WireCommit<'_>) {
    for stream in wire.streams.iter_mut().flatten() {
        stream.before = None;
    }
}

fn wire_event(bytes: &[u8]) -> Result<WireEvent<'_>, FormatError> {
    let event = read_event(bytes)?;
    let text = |bytes| str::from_utf8(bytes).map_err(|_| FormatError::Malformed("data"));
    Ok(WireEvent {
        event_type: event.event_type()?.into(),
        schema_version: event.schema_version as u32,
        occurred_at: event.occurred_at,
        metadata: event.metadata.map(text).transpose()?.and_then(json),
        salt: (!event.salt.is_empty()).then(|| hex(event.salt).into()),
        data: event.data.map(text).transpose()?.and_then(json),
    })
}

/// On the wire, null is the same as nothing.
fn json(text: &str) -> Option<RawJson<'_>> {
    (text != "null").then(|| RawJson::trusted(text))
}

/// Appends a confirmed commit as it is stored.
pub(crate) fn put_wire(out: &mut Vec<u8>, commit: &WireCommit<'_>) -> Result<(), FormatError> {
    let digest = commit.content.as_deref().map_or(Some(Vec::new()), unhex);
    let definition = commit.definition.as_ref();
    put_header(
        out,
        &CommitFields {
            id: Cow::Borrowed(&commit.id),
            attempt: commit.attempt,
            mode: commit.mode,
            command: commit.command.map(RawJson::get),
            definition: definition.map(|definition| &*definition.name),
            definition_version: definition.map_or(0, |definition| definition.version.into()),
            reads: commit
                .reads
                .iter()
                .map(|read| (&*read.stream_id, read.version))
                .collect(),
            subject: commit.subject.as_deref(),
            actor: commit.actor.as_deref(),
            replica: &commit.replica,
            recorded_at: commit.recorded_at,
            received_at: commit.received_at,
            causation: commit.causation_id.as_deref(),
            correlation: commit.correlation_id.as_deref(),
            key: None,
            tags: Vec::new(),
            digest: &digest.ok_or(FormatError::Malformed("content"))?,
        },
    );
    for stream in commit.streams.iter().flatten() {
        let before = stream.before.ok_or(FormatError::Missing("firstVersion"))?;
        let events = stream.events.iter().map(new_event).collect::<Result<Vec<_>, _>>()?;
        put_events(out, &stream.stream_id, before, &events);
    }
    Ok(())
}

fn new_event<'a>(event: &'a WireEvent<'_>) -> Result<NewEvent<'a>, FormatError> {
    let salt = event.salt.as_deref().map_or(Some(Vec::new()), unhex);
    Ok(NewEvent {
        event_type: Cow::Borrowed(&event.event_type),
        schema_version: event.schema_version,
        occurred_at: event.occurred_at,
        data: event.data,
        metadata: event.metadata,
        salt: salt.ok_or(FormatError::Malformed("salt"))?,
    })
}
