//! Blocks: the compressed pieces of a sealed segment.
//!
//! A segment has blocks of three kinds, numbered on: its events in the order of stream and version,
//! its commit headers in the order of position, and the ids of the streams that begin in it.
//!
//! ```text
//! body of the frame: compression (1 = LZ4) | length before compression | bytes
//! events:  { flags | [stream, first version] | position | [envelope] | index in commit | event }*
//! commits: { first position | header | stream count { stream, first version, events }* }*
//! streams: { stream }*
//! ```

use std::cmp::Ordering;

use lz4_flex::block::{compress, decompress};

use super::bytes::{FormatError, Reader, put_bytes, put_signed, put_varint, quick_varint};
use super::frame::{self, Kind};
use crate::position::Position;
use crate::stream::Version;

/// Bytes before compression at which a block is closed. Loading a stream decodes a block of every segment
/// that it occurs in, so small ones make loads fast; a record costs about 60 µs to write, so they may
/// not be smaller. Far below the 64 KiB above which Chromium makes a file of a value.
pub(crate) const BLOCK_BYTES: usize = 16 << 10;

/// One event can be 256 KiB; what claims more than this is damaged.
const MAX_BLOCK_BYTES: u64 = 64 << 20;

const LZ4: u64 = 1;

const NEW_STREAM: u8 = 1;
const NEW_COMMIT: u8 = 2;

/// An event where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a str,
    pub(crate) version: Version,
    /// Header fields of its commit that travel with it, see [`super::commit::read_commit`].
    pub(crate) envelope: &'a [u8],
    /// Its place in the commit, from 0.
    pub(crate) index: u64,
    /// Its bytes, see [`super::event::read_event`].
    pub(crate) event: &'a [u8],
}

impl Recorded<'_> {
    /// The order of the log.
    pub(crate) fn by_position(&self, other: &Self) -> Ordering {
        self.position.cmp(&other.position)
    }

    /// The order of a segment's blocks.
    pub(crate) fn by_stream(&self, other: &Self) -> Ordering {
        self.stream.cmp(other.stream).then(self.version.cmp(&other.version))
    }
}

/// Sorts events. Its order is a pointer, so that one copy of the sort serves every order.
pub(crate) fn sort<'a>(events: &mut [Recorded<'a>], order: fn(&Recorded<'a>, &Recorded<'a>) -> Ordering) {
    events.sort_unstable_by(order);
}

/// A commit where it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedCommit<'a> {
    /// Position of its first event.
    pub(crate) position: Position,
    /// See [`super::commit::read_commit`].
    pub(crate) header: &'a [u8],
    /// What it wrote, in its order.
    pub(crate) streams: Vec<StreamSpan<'a>>,
}

/// Consecutive versions of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamSpan<'a> {
    pub(crate) stream: &'a str,
    pub(crate) first: Version,
    pub(crate) events: u64,
}

/// Compresses the content of a block and frames it.
pub(crate) fn pack(content: &[u8]) -> Vec<u8> {
    let compressed = compress(content);
    let mut out = frame::begin(Kind::Block, compressed.len() + 16);
    put_varint(&mut out, LZ4);
    put_varint(&mut out, content.len() as u64);
    out.extend_from_slice(&compressed);
    frame::seal(out)
}

/// The content of a block.
pub(crate) fn unpack(block: &[u8]) -> Result<Vec<u8>, FormatError> {
    let mut reader = Reader::new(frame::open(Kind::Block, block)?);
    let compression = reader.varint();
    if compression != LZ4 {
        reader.fail(FormatError::Newer {
            found: compression,
            known: LZ4,
        });
    }
    let length = reader.varint();
    if length > MAX_BLOCK_BYTES {
        reader.fail(FormatError::Malformed("block length"));
    }
    let compressed = reader.all();
    reader.end()?;
    let content = decompress(compressed, length as usize).map_err(|_| FormatError::Malformed("compressed block"))?;
    if content.len() as u64 == length {
        Ok(content)
    } else {
        Err(FormatError::Cut)
    }
}

/// Writes events one after the other, in the order of stream and version.
#[derive(Debug, Default)]
pub(crate) struct EventsWriter {
    content: Vec<u8>,
    stream: String,
    version: Version,
    position: Position,
    envelope: Vec<u8>,
}

impl EventsWriter {
    pub(crate) fn put(&mut self, event: &Recorded<'_>) {
        let new_stream = self.content.is_empty() || self.stream != event.stream || self.version.next() != event.version;
        let new_commit = self.content.is_empty() || self.envelope != event.envelope;
        self.content
            .push((u8::from(new_stream) * NEW_STREAM) | (u8::from(new_commit) * NEW_COMMIT));
        if new_stream {
            put_bytes(&mut self.content, event.stream.as_bytes());
            put_varint(&mut self.content, event.version.0);
            event.stream.clone_into(&mut self.stream);
        }
        put_signed(&mut self.content, event.position.0 as i64 - self.position.0 as i64);
        if new_commit {
            put_bytes(&mut self.content, event.envelope);
            self.envelope.clear();
            self.envelope.extend_from_slice(event.envelope);
        }
        put_varint(&mut self.content, event.index);
        put_bytes(&mut self.content, event.event);
        self.version = event.version;
        self.position = event.position;
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.content.len()
    }

    /// The content, and an empty writer in place of this one.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).content
    }
}

/// Some bytes of a content, by place and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// The bytes meant.
    pub(crate) fn of(self, content: &[u8]) -> &[u8] {
        let start = self.start as usize;
        content.get(start..start + self.length as usize).unwrap_or_default()
    }
}

/// An event of a block, its parts as places in the content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    pub(crate) position: u64,
    pub(crate) version: u64,
    pub(crate) index: u64,
    pub(crate) stream: Span,
    pub(crate) envelope: Span,
    pub(crate) event: Span,
    /// Whether stream and envelope are others than those of the event before.
    pub(crate) new_stream: bool,
    pub(crate) new_envelope: bool,
}

/// Finds the events of a block, in the order of stream and version. A replay spends much of its time here, so it
/// reads bytes by itself and leaves to its caller what bytes mean.
#[derive(Debug, Clone)]
pub(crate) struct Finder<'a> {
    content: &'a [u8],
    at: usize,
    last: Found,
}

impl<'a> Finder<'a> {
    /// Begins at `start`, in a content of at most 4 GiB.
    pub(crate) fn new(content: &'a [u8], start: usize) -> Self {
        Self {
            content,
            at: start,
            last: Found::default(),
        }
    }

    /// The next event; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, FormatError> {
        if self.at >= self.content.len() {
            return Ok(None);
        }
        self.find()
    }

    fn find(&mut self) -> Result<Option<Found>, FormatError> {
        let flags = self.number()?;
        if flags & !u64::from(NEW_STREAM | NEW_COMMIT) != 0 {
            return Err(FormatError::Malformed("event flags"));
        }
        self.last.new_stream = flags & u64::from(NEW_STREAM) != 0;
        if self.last.new_stream {
            self.last.stream = self.span()?;
            self.last.version = self.number()?;
        } else {
            self.last.version += 1;
        }
        let step = self.number()?;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        let position = (self.last.position as i64).wrapping_add(step);
        self.last.position = u64::try_from(position).map_err(|_| FormatError::Malformed("position"))?;
        self.last.new_envelope = flags & u64::from(NEW_COMMIT) != 0;
        if self.last.new_envelope {
            self.last.envelope = self.span()?;
        }
        self.last.index = self.number()?;
        self.last.event = self.span()?;
        Ok(Some(self.last))
    }

    #[expect(
        clippy::inline_always,
        reason = "read for each event; optimising for size inlines nothing"
    )]
    #[inline(always)]
    fn number(&mut self) -> Result<u64, FormatError> {
        quick_varint(self.content, &mut self.at)
    }

    fn span(&mut self) -> Result<Span, FormatError> {
        let length = self.number()? as usize;
        let start = self.at;
        self.at = start.saturating_add(length);
        if self.at > self.content.len() {
            return Err(FormatError::Cut);
        }
        Ok(Span {
            start: start as u32,
            length: length as u32,
        })
    }
}

/// Reads the events of a block in the order of stream and version.
#[derive(Debug, Clone)]
pub(crate) struct EventsReader<'a> {
    content: &'a [u8],
    finder: Finder<'a>,
    stream: &'a str,
}

impl<'a> EventsReader<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self {
            content,
            finder: Finder::new(content, 0),
            stream: "",
        }
    }

    fn read(&mut self) -> Result<Option<Recorded<'a>>, FormatError> {
        let Some(found) = self.finder.next()? else {
            return Ok(None);
        };
        if found.new_stream {
            self.stream =
                str::from_utf8(found.stream.of(self.content)).map_err(|_| FormatError::Malformed("streamId"))?;
        }
        Ok(Some(found.recorded(self.content, self.stream)))
    }
}

impl Found {
    /// The event, of the stream with this id.
    pub(crate) fn recorded<'a>(&self, content: &'a [u8], stream: &'a str) -> Recorded<'a> {
        Recorded {
            position: Position(self.position),
            stream,
            version: Version(self.version),
            envelope: self.envelope.of(content),
            index: self.index,
            event: self.event.of(content),
        }
    }
}

impl<'a> Iterator for EventsReader<'a> {
    type Item = Result<Recorded<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Appends a commit to the content of a block.
pub(crate) fn put_recorded_commit(out: &mut Vec<u8>, commit: &RecordedCommit<'_>) {
    put_varint(out, commit.position.0);
    put_bytes(out, commit.header);
    put_varint(out, commit.streams.len() as u64);
    for span in &commit.streams {
        put_bytes(out, span.stream.as_bytes());
        put_varint(out, span.first.0);
        put_varint(out, span.events);
    }
}

/// The commits of a block.
pub(crate) fn read_commits(content: &[u8]) -> Result<Vec<RecordedCommit<'_>>, FormatError> {
    let mut reader = Reader::new(content);
    let mut commits = Vec::new();
    while !reader.is_empty() {
        let position = Position(reader.varint());
        let header = reader.bytes();
        let count = reader.varint();
        let streams = reader.list(count, |reader| StreamSpan {
            stream: reader.text("streamId"),
            first: Version(reader.varint()),
            events: reader.varint(),
        });
        commits.push(RecordedCommit {
            position,
            header,
            streams,
        });
    }
    reader.end().map(|()| commits)
}

/// The stream ids of a block.
pub(crate) fn read_streams(content: &[u8]) -> Result<Vec<&str>, FormatError> {
    let mut reader = Reader::new(content);
    let mut streams = Vec::new();
    while !reader.is_empty() {
        streams.push(reader.text("streamId"));
    }
    reader.end().map(|()| streams)
}
