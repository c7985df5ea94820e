//! The directory of a sealed segment: enough to know, without reading a block, whether and where a
//! segment holds a stream, a type, a time or a commit. All directories are kept in memory.

use super::bytes::{FormatError, Reader, put_bytes, put_field, put_number, put_signed, put_varint};
use super::filter;
use super::frame::{self, Kind};
use crate::position::Position;
use crate::stream::Version;

const FIRST: u64 = 1;
const EVENTS: u64 = 2;
const COMMITS: u64 = 3;
const OCCURRED: u64 = 4;
const RECORDED: u64 = 5;
const TYPE: u64 = 6;
const EVENT_BLOCK: u64 = 7;
const COMMIT_BLOCK: u64 = 8;
const STREAM_BLOCK: u64 = 9;
const STREAM_FILTER: u64 = 10;
const STREAMS_BEGUN: u64 = 11;
const BYTES: u64 = 12;

/// Earliest and latest time of some events, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl TimeRange {
    /// The range of nothing: any time added makes it that time.
    pub(crate) const EMPTY: Self = Self {
        min: i64::MAX,
        max: i64::MIN,
    };

    pub(crate) fn add(&mut self, time: i64) {
        self.min = self.min.min(time);
        self.max = self.max.max(time);
    }

    /// Whether some time of this range may lie between the two, ends included.
    pub(crate) fn overlaps(&self, from: Option<i64>, until: Option<i64>) -> bool {
        from.is_none_or(|from| self.max >= from) && until.is_none_or(|until| self.min <= until)
    }

    fn put(self, out: &mut Vec<u8>) {
        put_signed(out, self.min);
        put_signed(out, self.max);
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            min: reader.signed(),
            max: reader.signed(),
        }
    }
}

/// What the directory knows of one block of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    /// Stream and version of its first event.
    pub(crate) stream: String,
    pub(crate) version: Version,
    pub(crate) occurred: TimeRange,
}

/// The directory of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// Position of its first event.
    pub(crate) first: Position,
    pub(crate) events: u64,
    pub(crate) commits: u64,
    pub(crate) occurred: TimeRange,
    pub(crate) recorded: TimeRange,
    /// Every event type in it, sorted.
    pub(crate) types: Vec<String>,
    /// One for each block of events, in order.
    pub(crate) event_blocks: Vec<Fence>,
    /// Position of the first commit of each block of commits.
    pub(crate) commit_blocks: Vec<Position>,
    /// First id of each block of stream ids.
    pub(crate) stream_blocks: Vec<String>,
    /// A [`filter`] of the streams that it holds events of.
    pub(crate) stream_filter: Vec<u8>,
    /// How many streams have their first event in it.
    pub(crate) streams_begun: u64,
    /// Bytes of all its blocks.
    pub(crate) bytes: u64,
}

impl Directory {
    /// That of a segment which begins at `first` and has nothing yet.
    pub(crate) fn begin(first: Position) -> Self {
        Self {
            first,
            events: 0,
            commits: 0,
            occurred: TimeRange::EMPTY,
            recorded: TimeRange::EMPTY,
            types: Vec::new(),
            event_blocks: Vec::new(),
            commit_blocks: Vec::new(),
            stream_blocks: Vec::new(),
            stream_filter: Vec::new(),
            streams_begun: 0,
            bytes: 0,
        }
    }

    /// Position of its last event.
    pub(crate) fn last(&self) -> Position {
        Position(self.first.0 + self.events - 1)
    }

    /// Number of the first block of commits; blocks of events come before it.
    pub(crate) fn first_commit_block(&self) -> usize {
        self.event_blocks.len()
    }

    /// Number of the first block of stream ids.
    pub(crate) fn first_stream_block(&self) -> usize {
        self.first_commit_block() + self.commit_blocks.len()
    }

    /// Number of the block that is the filter of commit ids, the last one.
    pub(crate) fn commit_filter_block(&self) -> usize {
        self.first_stream_block() + self.stream_blocks.len()
    }

    /// Numbers of the blocks that may hold events of `stream` with a version of at least `from`:
    /// none when the segment surely has none.
    pub(crate) fn blocks_of(&self, stream: &str, from: Version) -> std::ops::Range<usize> {
        if !filter::may_contain(&self.stream_filter, stream.as_bytes()) {
            return 0..0;
        }
        let end = self
            .event_blocks
            .partition_point(|fence| fence.stream.as_str() <= stream);
        let start = self
            .event_blocks
            .partition_point(|fence| (fence.stream.as_str(), fence.version) <= (stream, from))
            .saturating_sub(1);
        start..end
    }

    /// Numbers of the blocks that may hold events of streams whose id begins with `prefix`.
    pub(crate) fn blocks_with_prefix(&self, prefix: &str) -> std::ops::Range<usize> {
        let before = |fence: &Fence| fence.stream.as_str() < prefix;
        let start = self.event_blocks.partition_point(before).saturating_sub(1);
        let end = self
            .event_blocks
            .partition_point(|fence| before(fence) || fence.stream.starts_with(prefix));
        start..end
    }

    /// Numbers of the blocks that may hold events of streams from `first` on and before `end`.
    pub(crate) fn blocks_between(&self, first: Option<&str>, end: Option<&str>) -> std::ops::Range<usize> {
        let up_to = |bound: &str| self.event_blocks.partition_point(|fence| fence.stream.as_str() < bound);
        // The block before the first fence that is not below may end with the stream.
        let start = first.map_or(0, |first| up_to(first).saturating_sub(1));
        start..end.map_or(self.event_blocks.len(), up_to)
    }

    /// The directory as it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Directory, 512 + self.stream_filter.len());
        put_number(&mut out, FIRST, self.first.0);
        put_number(&mut out, EVENTS, self.events);
        put_number(&mut out, COMMITS, self.commits);
        let mut bytes = Vec::new();
        for (tag, range) in [(OCCURRED, self.occurred), (RECORDED, self.recorded)] {
            bytes.clear();
            range.put(&mut bytes);
            put_field(&mut out, tag, &bytes);
        }
        for event_type in &self.types {
            put_field(&mut out, TYPE, event_type.as_bytes());
        }
        for fence in &self.event_blocks {
            bytes.clear();
            put_bytes(&mut bytes, fence.stream.as_bytes());
            put_varint(&mut bytes, fence.version.0);
            fence.occurred.put(&mut bytes);
            put_field(&mut out, EVENT_BLOCK, &bytes);
        }
        for first in &self.commit_blocks {
            put_number(&mut out, COMMIT_BLOCK, first.0);
        }
        for first in &self.stream_blocks {
            put_field(&mut out, STREAM_BLOCK, first.as_bytes());
        }
        put_field(&mut out, STREAM_FILTER, &self.stream_filter);
        put_number(&mut out, STREAMS_BEGUN, self.streams_begun);
        put_number(&mut out, BYTES, self.bytes);
        frame::seal(out)
    }

    /// Reads a stored directory.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut directory = Self::begin(Position(0));
        let mut reader = Reader::of_fields(frame::open(Kind::Directory, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                FIRST => directory.first = Position(reader.varint()),
                EVENTS => directory.events = reader.varint(),
                COMMITS => directory.commits = reader.varint(),
                OCCURRED => directory.occurred = TimeRange::read(&mut reader),
                RECORDED => directory.recorded = TimeRange::read(&mut reader),
                TYPE => directory.types.push(reader.all_text("type").to_owned()),
                EVENT_BLOCK => directory.event_blocks.push(Fence {
                    stream: reader.text("fence").to_owned(),
                    version: Version(reader.varint()),
                    occurred: TimeRange::read(&mut reader),
                }),
                COMMIT_BLOCK => directory.commit_blocks.push(Position(reader.varint())),
                STREAM_BLOCK => directory.stream_blocks.push(reader.all_text("stream").to_owned()),
                STREAM_FILTER => reader.all().clone_into(&mut directory.stream_filter),
                STREAMS_BEGUN => directory.streams_begun = reader.varint(),
                BYTES => directory.bytes = reader.varint(),
                _ => {}
            }
        }
        reader.end()?;
        if directory.first.0 == 0 || directory.events == 0 || directory.event_blocks.is_empty() {
            return Err(FormatError::Missing("first position or events"));
        }
        Ok(directory)
    }
}
