//! One commit as bytes: the tagged fields of its header, then its events by stream.

use std::borrow::Cow;

use xxhash_rust::xxh64::xxh64;

use super::bytes::{FormatError, Reader, put_bytes, put_field, put_number, put_signed_number, put_varint};
use super::event::put_event;
use crate::commit::{Mode, NewCommit};
use crate::event::NewEvent;
use crate::hex::{fill, hex};
use crate::json::RawJson;
use crate::stream::{ExpectedVersion, Version};

const ID: u64 = 1;
/// An id of 32 lower-case hexadecimal digits, as our own ids are, in half the bytes.
const PACKED_ID: u64 = 2;
const ATTEMPT: u64 = 3;
const MODE: u64 = 4;
const COMMAND: u64 = 5;
const DEFINITION_NAME: u64 = 6;
const DEFINITION_VERSION: u64 = 7;
const READ: u64 = 8;
const SUBJECT: u64 = 9;
const ACTOR: u64 = 10;
const REPLICA: u64 = 11;
const RECORDED_AT: u64 = 12;
const RECEIVED_AT: u64 = 13;
const CAUSATION: u64 = 14;
const CORRELATION: u64 = 15;
const KEY: u64 = 16;
const TAG: u64 = 17;
const DIGEST: u64 = 18;
/// Events of one stream; only in the journal and in exports.
const STREAM: u64 = 32;

/// Header fields that travel with every event of a segment, so that reading a stream needs no
/// second block.
fn is_of_envelope(tag: u64) -> bool {
    matches!(
        tag,
        ID | PACKED_ID | ATTEMPT | ACTOR | REPLICA | RECORDED_AT | RECEIVED_AT | CAUSATION | CORRELATION | KEY
    )
}

/// Fields of a commit's header, or of its envelope. Absent fields have their default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitFields<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) attempt: u64,
    pub(crate) mode: Mode,
    pub(crate) command: Option<&'a str>,
    pub(crate) definition: Option<&'a str>,
    pub(crate) definition_version: u64,
    pub(crate) reads: Vec<(&'a str, Version)>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) actor: Option<&'a str>,
    pub(crate) replica: &'a str,
    pub(crate) recorded_at: i64,
    pub(crate) received_at: Option<i64>,
    pub(crate) causation: Option<&'a str>,
    pub(crate) correlation: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) tags: Vec<&'a str>,
    pub(crate) digest: &'a [u8],
}

/// What identifies the content of a commit, to tell a repetition from another use of its id. A guard
/// against mistakes, not against an attacker.
pub(crate) fn digest(content: &str) -> [u8; 8] {
    xxh64(content.as_bytes(), 0).to_le_bytes()
}

/// Appends a commit of this device, with its events. `before` holds the version that each
/// of its streams is at: it is stored as the expectation, so that reading the tail of the log needs
/// nothing of what is sealed.
pub(crate) fn put_commit(out: &mut Vec<u8>, commit: &NewCommit<'_>, before: &[Version], replica: &str) {
    let definition = commit.definition.as_ref();
    put_header(
        out,
        &CommitFields {
            id: Cow::Borrowed(&commit.commit_id),
            attempt: 1,
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
            actor: None,
            replica,
            recorded_at: commit.recorded_at,
            received_at: None,
            causation: commit.causation_id.as_deref(),
            correlation: commit.correlation_id.as_deref(),
            key: None,
            tags: Vec::new(),
            digest: &digest(&commit.content),
        },
    );
    for (stream, before) in commit.streams.iter().zip(before) {
        put_events(out, &stream.stream_id, *before, &stream.events);
    }
}

/// Appends the fields of a header, in the order of their tags.
pub(crate) fn put_header(out: &mut Vec<u8>, commit: &CommitFields<'_>) {
    fn put_text(out: &mut Vec<u8>, tag: u64, text: Option<&str>) {
        if let Some(text) = text {
            put_field(out, tag, text.as_bytes());
        }
    }
    match pack_id(&commit.id) {
        Some(packed) => put_field(out, PACKED_ID, &packed),
        None => put_field(out, ID, commit.id.as_bytes()),
    }
    if commit.attempt != 1 {
        put_number(out, ATTEMPT, commit.attempt);
    }
    if commit.mode == Mode::Fact {
        put_number(out, MODE, 1);
    }
    put_text(out, COMMAND, commit.command);
    if let Some(definition) = commit.definition {
        put_field(out, DEFINITION_NAME, definition.as_bytes());
        put_number(out, DEFINITION_VERSION, commit.definition_version);
    }
    let mut bytes = Vec::new();
    for (stream, version) in &commit.reads {
        bytes.clear();
        put_bytes(&mut bytes, stream.as_bytes());
        put_varint(&mut bytes, version.0);
        put_field(out, READ, &bytes);
    }
    put_text(out, SUBJECT, commit.subject);
    put_text(out, ACTOR, commit.actor);
    put_field(out, REPLICA, commit.replica.as_bytes());
    put_signed_number(out, RECORDED_AT, commit.recorded_at);
    if let Some(received_at) = commit.received_at {
        put_signed_number(out, RECEIVED_AT, received_at);
    }
    put_text(out, CAUSATION, commit.causation);
    put_text(out, CORRELATION, commit.correlation);
    put_text(out, KEY, commit.key);
    for tag in &commit.tags {
        put_field(out, TAG, tag.as_bytes());
    }
    if !commit.digest.is_empty() {
        put_field(out, DIGEST, commit.digest);
    }
}

/// Appends what a commit writes to one stream that is at version `before`.
pub(crate) fn put_events(out: &mut Vec<u8>, stream: &str, before: Version, events: &[NewEvent<'_>]) {
    let (mut bytes, mut event_bytes) = (Vec::new(), Vec::new());
    for event in events {
        event_bytes.clear();
        put_event(&mut event_bytes, event);
        put_bytes(&mut bytes, &event_bytes);
    }
    put_stream(out, stream, before, events.len() as u64, &bytes);
}

/// Appends the part of a commit that is about one stream; `events` are its events, each with its length.
pub(crate) fn put_stream(out: &mut Vec<u8>, stream: &str, before: Version, count: u64, events: &[u8]) {
    let mut bytes = Vec::with_capacity(stream.len() + 16);
    put_bytes(&mut bytes, stream.as_bytes());
    put_expected(&mut bytes, ExpectedVersion::Exact(before));
    put_varint(&mut bytes, count);
    put_varint(out, STREAM);
    put_varint(out, (bytes.len() + events.len()) as u64);
    out.extend_from_slice(&bytes);
    out.extend_from_slice(events);
}

/// Reads a header or an envelope. Unknown tags are passed over.
pub(crate) fn read_commit(header: &[u8]) -> Result<CommitFields<'_>, FormatError> {
    let mut commit = CommitFields {
        id: Cow::Borrowed(""),
        attempt: 1,
        mode: Mode::Intent,
        command: None,
        definition: None,
        definition_version: 0,
        reads: Vec::new(),
        subject: None,
        actor: None,
        replica: "",
        recorded_at: 0,
        received_at: None,
        causation: None,
        correlation: None,
        key: None,
        tags: Vec::new(),
        digest: &[],
    };
    let mut reader = Reader::of_fields(header);
    while let Some(tag) = reader.next() {
        match tag {
            ID => commit.id = Cow::Borrowed(reader.all_text("id")),
            PACKED_ID => commit.id = Cow::Owned(hex(reader.all())),
            ATTEMPT => commit.attempt = reader.varint(),
            MODE => commit.mode = if reader.varint() == 1 { Mode::Fact } else { Mode::Intent },
            COMMAND => commit.command = Some(reader.all_text("command")),
            DEFINITION_NAME => commit.definition = Some(reader.all_text("definition")),
            DEFINITION_VERSION => commit.definition_version = reader.varint(),
            READ => {
                let stream = reader.text("read");
                commit.reads.push((stream, Version(reader.varint())));
            }
            SUBJECT => commit.subject = Some(reader.all_text("subject")),
            ACTOR => commit.actor = Some(reader.all_text("actor")),
            REPLICA => commit.replica = reader.all_text("replica"),
            RECORDED_AT => commit.recorded_at = reader.signed(),
            RECEIVED_AT => commit.received_at = Some(reader.signed()),
            CAUSATION => commit.causation = Some(reader.all_text("causationId")),
            CORRELATION => commit.correlation = Some(reader.all_text("correlationId")),
            KEY => commit.key = Some(reader.all_text("keyId")),
            TAG => commit.tags.push(reader.all_text("tag")),
            DIGEST => commit.digest = reader.all(),
            _ => {}
        }
    }
    reader.end()?;
    if commit.id.is_empty() {
        return Err(FormatError::Missing("commitId"));
    }
    Ok(commit)
}

/// Those fields of a header that travel with each event.
pub(crate) fn envelope_of(header: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut envelope = Vec::new();
    let mut reader = Reader::of_fields(header);
    while let Some(tag) = reader.next() {
        if is_of_envelope(tag) {
            envelope.extend_from_slice(reader.raw());
        }
    }
    reader.end().map(|()| envelope)
}

/// The time at which the commit of a header or envelope was recorded, and nothing else of it.
pub(crate) fn read_recorded_at(header: &[u8]) -> Result<i64, FormatError> {
    let mut reader = Reader::of_fields(header);
    while let Some(tag) = reader.next() {
        if tag == RECORDED_AT {
            let recorded_at = reader.signed();
            return reader.end().map(|()| recorded_at);
        }
    }
    reader.end().map(|()| 0)
}

/// The id of the commit of a header or envelope and the time at which it was recorded, and nothing else of it.
pub(crate) fn read_id(header: &[u8]) -> Result<(Cow<'_, str>, i64), FormatError> {
    let (mut id, mut recorded_at) = (Cow::Borrowed(""), 0);
    let mut reader = Reader::of_fields(header);
    while let Some(tag) = reader.next() {
        match tag {
            ID => id = Cow::Borrowed(reader.all_text("id")),
            PACKED_ID => id = Cow::Owned(hex(reader.all())),
            RECORDED_AT => {
                recorded_at = reader.signed();
                break;
            }
            _ => {}
        }
    }
    reader.end().map(|()| (id, recorded_at))
}

/// The events that a commit writes to one stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamFields<'a> {
    pub(crate) stream: &'a str,
    pub(crate) expected: ExpectedVersion,
    /// Each event's bytes, in order.
    pub(crate) events: Vec<&'a [u8]>,
}

/// A commit taken apart, without looking into its header.
#[derive(Debug, Clone)]
pub(crate) struct CommitParts<'a> {
    /// Every field but the streams, byte for byte.
    pub(crate) header: Cow<'a, [u8]>,
    /// Those of them that travel with each event.
    pub(crate) envelope: Vec<u8>,
    pub(crate) streams: Vec<StreamFields<'a>>,
}

/// Takes a commit apart.
pub(crate) fn split_commit(bytes: &[u8]) -> Result<CommitParts<'_>, FormatError> {
    let mut parts = CommitParts {
        header: Cow::Borrowed(&[]),
        envelope: Vec::with_capacity(64),
        streams: Vec::new(),
    };
    let mut reader = Reader::of_fields(bytes);
    while let Some(tag) = reader.next() {
        if tag == STREAM {
            let stream = reader.text("streamId");
            let expected = read_expected(&mut reader);
            let count = reader.varint();
            parts.streams.push(StreamFields {
                stream,
                expected,
                events: reader.list(count, Reader::bytes),
            });
        } else {
            let field = reader.raw();
            match &mut parts.header {
                // We write a header in one piece, before the streams.
                Cow::Borrowed(header) if parts.streams.is_empty() => {
                    *header = bytes.get(..header.len() + field.len()).unwrap_or_default();
                }
                header => header.to_mut().extend_from_slice(field),
            }
            if is_of_envelope(tag) {
                parts.envelope.extend_from_slice(field);
            }
        }
    }
    reader.end().map(|()| parts)
}

/// Puts a commit together again: the reverse of [`split_commit`].
pub(crate) fn join_commit<'a>(
    out: &mut Vec<u8>,
    header: &[u8],
    streams: impl IntoIterator<Item = &'a StreamFields<'a>>,
) {
    out.extend_from_slice(header);
    for stream in streams {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, stream.stream.as_bytes());
        put_expected(&mut bytes, stream.expected);
        put_varint(&mut bytes, stream.events.len() as u64);
        for event in &stream.events {
            put_bytes(&mut bytes, event);
        }
        put_field(out, STREAM, &bytes);
    }
}

fn put_expected(out: &mut Vec<u8>, expected: ExpectedVersion) {
    match expected {
        ExpectedVersion::Any => out.push(0),
        ExpectedVersion::NoStream => out.push(1),
        ExpectedVersion::StreamExists => out.push(2),
        ExpectedVersion::Exact(version) => {
            out.push(3);
            put_varint(out, version.0);
        }
    }
}

fn read_expected(reader: &mut Reader<'_>) -> ExpectedVersion {
    match reader.byte() {
        0 => ExpectedVersion::Any,
        1 => ExpectedVersion::NoStream,
        2 => ExpectedVersion::StreamExists,
        3 => ExpectedVersion::Exact(Version(reader.varint())),
        _ => {
            reader.fail(FormatError::Malformed("expectedVersion"));
            ExpectedVersion::Any
        }
    }
}

fn pack_id(id: &str) -> Option<[u8; 16]> {
    let mut packed = [0; 16];
    fill(&mut packed, id).then_some(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_ours_takes_half_the_bytes() {
        let id = "0123456789abcdef00ff10203040506f";

        assert_eq!(hex(&pack_id(id).unwrap()), id);
    }

    #[test]
    fn other_ids_stay_text() {
        assert_eq!(pack_id("tx-695247"), None);
        assert_eq!(pack_id("0123456789ABCDEF00ff10203040506f"), None);
    }

    #[test]
    fn a_commit_split_and_joined_is_the_same_bytes() {
        let text = r#"{"commitId":"tx-1","known":true,"recordedAt":5,"mode":"fact","content":"c","reads":[{"streamId":"limit","version":3}],
            "command":{"type":"Go"},"definition":{"name":"transfer","version":2},"causationId":"a","correlationId":"b",
            "streams":[{"streamId":"account-1","expectedVersion":"any","events":[{"type":"opened","schemaVersion":2,"occurredAt":-4,"data":{"a":1},"metadata":{}}]}]}"#;
        let commit: NewCommit<'_> = crate::json::parse(text).unwrap();
        let mut bytes = Vec::new();
        put_commit(&mut bytes, &commit, &[Version(7)], "replica");
        // A field of a later release.
        let mut later = Vec::new();
        put_field(&mut later, 99, b"later");
        later.extend_from_slice(&bytes);

        let parts = split_commit(&later).unwrap();
        let mut joined = Vec::new();
        join_commit(&mut joined, &parts.header, &parts.streams);

        assert_eq!(joined, later);
        let fields = read_commit(&parts.header).unwrap();
        assert_eq!(fields.id, "tx-1");
        assert_eq!(fields.reads, [("limit", Version(3))]);
        assert_eq!(fields.mode, Mode::Fact);
        assert_eq!(read_commit(&parts.envelope).unwrap().correlation, Some("b"));
        assert_eq!(parts.streams[0].expected, ExpectedVersion::Exact(Version(7)));
    }
}
