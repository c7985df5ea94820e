//! Reading the log in the order of position, page by page, in constant memory.
//!
//! A page is found by position, never by journal number, so that sealing and merging between two
//! pages change nothing. Filters are decided on the packed form: segments and blocks that cannot
//! hold what is asked for are not read, and events that do not pass are not parsed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;

use super::batch::BatchWriter;
use super::blocks::{BlockId, BlocksError, Content};
use super::load::time_of;
use super::storage::Storage;
use super::tail::TailEvent;
use super::{Store, StoreError};
use crate::json::{FromJson, JsonReader};
use crate::log::block::{EventsReader, Recorded, read_streams, sort};
use crate::log::directory::Directory;
use crate::log::event::read_event;
use crate::log::record::CommitStatus;
use crate::position::Position;
use crate::stream::Version;

/// Events of a full page.
const PAGE_EVENTS: usize = 4_096;
/// Length of a page's text above which it is full before.
const PAGE_TEXT: usize = 2 << 20;
/// Blocks read ahead in one transaction.
const AHEAD_BLOCKS: usize = 128;

/// Which of an event's times counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// `occurredAt`: when it happened.
    #[default]
    Occurred,
    /// `recordedAt`: when a device first wrote it.
    Recorded,
}

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Forward,
    /// Newest first.
    Backward,
}

/// Which events to read. What is left out does not restrict; bounds are inclusive, but for
/// `after_position`.
#[derive(Debug, Clone, Default)]
pub struct Query<'a> {
    /// Only this stream.
    pub stream_id: Option<Cow<'a, str>>,
    /// Only events of this version or above in their stream.
    pub from_version: Option<Version>,
    /// Only streams whose id begins so.
    pub prefix: Option<Cow<'a, str>>,
    /// Only these streams.
    pub streams: Option<HashSet<String>>,
    /// Only these types.
    pub types: Option<HashSet<String>>,
    /// Only events above this position.
    pub after_position: Option<Position>,
    /// Only events up to this position.
    pub until_position: Option<Position>,
    /// Only events from this time on.
    pub from: Option<i64>,
    /// Only events up to this time.
    pub until: Option<i64>,
    /// Which time that is.
    pub clock: Clock,
    /// From which end.
    pub direction: Direction,
    /// At most so many.
    pub limit: Option<usize>,
}

impl FromJson<'_> for Clock {
    fn read(json: &mut JsonReader<'_>) -> Self {
        match &*json.text() {
            "occurred" => return Self::Occurred,
            "recorded" => return Self::Recorded,
            _ => json.fail("\"occurred\" or \"recorded\""),
        }
        Self::Occurred
    }
}

impl FromJson<'_> for Direction {
    fn read(json: &mut JsonReader<'_>) -> Self {
        match &*json.text() {
            "forward" => return Self::Forward,
            "backward" => return Self::Backward,
            _ => json.fail("\"forward\" or \"backward\""),
        }
        Self::Forward
    }
}

impl<'a> FromJson<'a> for Query<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut query = Self::default();
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "streamId" => query.stream_id = Option::read(json),
                "fromVersion" => query.from_version = Option::read(json).map(Version),
                "prefix" => query.prefix = Option::read(json),
                "streams" => query.streams = Option::read(json),
                "types" => query.types = Option::read(json),
                "afterPosition" => query.after_position = Option::read(json),
                "untilPosition" => query.until_position = Option::read(json),
                "from" => query.from = Option::read(json),
                "until" => query.until = Option::read(json),
                "clock" => query.clock = Clock::read(json),
                "direction" => query.direction = Direction::read(json),
                "limit" => query.limit = Option::<u32>::read(json).map(|limit| limit as usize),
                _ => drop(json.raw()),
            }
        }
        query
    }
}

/// One page of events.
#[derive(Debug)]
pub struct Page {
    /// The events, a JSON document (`CoreBatch`).
    pub batch: String,
    /// How many they are.
    pub events: usize,
    /// What the next page needs as `after_position` (forward) or `until_position` (backward); none at
    /// the end.
    pub next: Option<Position>,
}

impl<S: Storage> Store<S> {
    /// One page of the events that pass. It may have few events, or none, and yet not be the last.
    pub async fn read(&self, query: &Query<'_>) -> Result<Page, StoreError> {
        self.ready().await?;
        self.with_blocks(async || self.try_read(query).await).await
    }

    async fn try_read(&self, query: &Query<'_>) -> Result<Page, BlocksError> {
        let (segments, tail, after, until) = {
            let log = self.log.borrow();
            let after = query.after_position.unwrap_or_default();
            let until = query.until_position.unwrap_or(Position(u64::MAX)).min(log.position());
            (log.segments.clone(), tail_between(&log, after, until), after, until)
        };
        let mut page = PageWriter::new(query, after, until);
        if query.direction == Direction::Backward {
            page.put_tail(&tail)?;
        }
        let mut wanted: Vec<(&Directory, Vec<BlockId>)> = segments
            .iter()
            .map(Rc::as_ref)
            .filter(|segment| segment.last() > after && segment.first <= until && may_match(segment, query))
            .map(|segment| (segment, blocks_for(segment, query)))
            .filter(|(_, blocks)| !blocks.is_empty())
            .collect();
        if query.direction == Direction::Backward {
            wanted.reverse();
        }
        let mut rest = wanted.as_slice();
        while !page.is_full() {
            let mut blocks = Vec::new();
            let ahead = rest.iter().take_while(|(_, ids)| {
                let fits = blocks.is_empty() || blocks.len() + ids.len() <= AHEAD_BLOCKS;
                blocks.extend_from_slice(if fits { ids } else { &[] });
                fits
            });
            let ahead = ahead.count();
            if ahead == 0 {
                break;
            }
            let contents = self.blocks.get(&self.storage, &blocks).await?;
            let mut contents = contents.as_slice();
            let (now, later) = rest.split_at(ahead);
            for (segment, ids) in now {
                let (own, others) = contents.split_at(ids.len().min(contents.len()));
                contents = others;
                page.put_segment(segment, own)?;
            }
            rest = later;
        }
        if query.direction == Direction::Forward {
            page.put_tail(&tail)?;
        }
        Ok(page.finish())
    }

    /// Ids of streams that begin with `prefix`, in the order of their bytes, after `after`.
    pub async fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.ready().await?;
        self.with_blocks(async || self.try_streams(prefix, after, limit).await)
            .await
    }

    async fn try_streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, BlocksError> {
        let wanted = |id: &str| id > after && id.starts_with(prefix);
        let (segments, mut ids) = {
            let log = self.log.borrow();
            let mut begun: Vec<_> = log
                .tail
                .events()
                .iter()
                .map(TailEvent::recorded)
                .filter(|event| event.version == Version(1) && wanted(event.stream))
                .collect();
            sort(&mut begun, Recorded::by_stream);
            let ids: Vec<_> = begun.iter().map(|event| event.stream.to_owned()).collect();
            (log.segments.clone(), ids)
        };
        let lowest = prefix.max(after);
        for segment in &segments {
            let start = segment
                .stream_blocks
                .partition_point(|first| first.as_str() <= lowest)
                .saturating_sub(1);
            let mut found = Vec::new();
            for number in start..segment.stream_blocks.len() {
                let id = BlockId::new(segment, segment.first_stream_block() + number);
                for content in self.blocks.get(&self.storage, &[id]).await? {
                    let streams =
                        read_streams(&content).map_err(|reason| StoreError::format("a block of streams", reason))?;
                    found.extend(streams.into_iter().filter(|id| wanted(id)).map(str::to_owned));
                }
                let past = segment
                    .stream_blocks
                    .get(number + 1)
                    .is_some_and(|first| first.as_str() > prefix && !first.starts_with(prefix));
                if found.len() >= limit || past {
                    break;
                }
            }
            ids = merge(ids, found);
            ids.truncate(limit);
        }
        ids.truncate(limit);
        Ok(ids)
    }
}

/// One sorted list of two.
fn merge(left: Vec<String>, right: Vec<String>) -> Vec<String> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut right = right.into_iter().peekable();
    for id in left {
        while let Some(before) = right.next_if(|other| *other < id) {
            merged.push(before);
        }
        merged.push(id);
    }
    merged.extend(right);
    merged
}

/// The events of the tail above `after`, up to `until`.
fn tail_between(log: &super::log::Log, after: Position, until: Position) -> Vec<TailEvent> {
    let base = log.tail.base().0;
    let start = after.0.saturating_sub(base) as usize;
    let end = until.0.saturating_sub(base) as usize;
    log.tail.events().get(start..end).unwrap_or_default().to_vec()
}

fn may_match(segment: &Directory, query: &Query<'_>) -> bool {
    let range = match query.clock {
        Clock::Occurred => segment.occurred,
        Clock::Recorded => segment.recorded,
    };
    range.overlaps(query.from, query.until)
        && query
            .types
            .as_ref()
            .is_none_or(|types| segment.types.iter().any(|known| types.contains(known)))
}

/// The blocks of a segment that may hold events that pass.
fn blocks_for(segment: &Directory, query: &Query<'_>) -> Vec<BlockId> {
    let mut numbers: Vec<usize> = match (&query.stream_id, &query.streams, &query.prefix) {
        (Some(stream), ..) => segment
            .blocks_of(stream, query.from_version.unwrap_or(Version(1)))
            .collect(),
        (None, Some(streams), _) => {
            let wanted: Vec<_> = streams
                .iter()
                .map(|stream| segment.blocks_of(stream, Version(1)))
                .collect();
            let all = 0..segment.event_blocks.len();
            all.filter(|number| wanted.iter().any(|blocks| blocks.contains(number)))
                .collect()
        }
        (None, None, Some(prefix)) => segment.blocks_with_prefix(prefix).collect(),
        (None, None, None) => (0..segment.event_blocks.len()).collect(),
    };
    if query.clock == Clock::Occurred {
        numbers.retain(|number| {
            segment
                .event_blocks
                .get(*number)
                .is_some_and(|block| block.occurred.overlaps(query.from, query.until))
        });
    }
    numbers
        .into_iter()
        .map(|number| BlockId::new(segment, number))
        .collect()
}

/// Collects a page.
struct PageWriter<'q> {
    query: &'q Query<'q>,
    after: Position,
    until: Position,
    limit: usize,
    batch: BatchWriter,
    /// Set when the page is full: the position of the last event that was looked at.
    stopped: Option<Position>,
}

impl<'q> PageWriter<'q> {
    fn new(query: &'q Query<'q>, after: Position, until: Position) -> Self {
        let limit = query.limit.unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        Self {
            query,
            after,
            until,
            limit,
            batch: BatchWriter::default(),
            stopped: None,
        }
    }

    fn is_full(&self) -> bool {
        self.stopped.is_some()
    }

    fn put_segment(&mut self, segment: &Directory, contents: &[Content]) -> Result<(), StoreError> {
        let mut events = Vec::new();
        for content in contents {
            for event in EventsReader::new(content) {
                let event = event
                    .map_err(|reason| StoreError::format(format!("a block of segment {}", segment.first.0), reason))?;
                if event.position > self.after && event.position <= self.until && self.passes(&event)? {
                    events.push(event);
                }
            }
        }
        sort(&mut events, Recorded::by_position);
        if self.query.direction == Direction::Backward {
            events.reverse();
        }
        for event in &events {
            self.put(event, CommitStatus::Confirmed)?;
        }
        Ok(())
    }

    fn put_tail(&mut self, tail: &[TailEvent]) -> Result<(), StoreError> {
        let direction = self.query.direction;
        let mut put = |event: &TailEvent| {
            if self.passes(&event.recorded())? {
                self.put(&event.recorded(), event.status())
            } else {
                Ok(())
            }
        };
        match direction {
            Direction::Forward => tail.iter().try_for_each(&mut put),
            Direction::Backward => tail.iter().rev().try_for_each(&mut put),
        }
    }

    fn put(&mut self, event: &Recorded<'_>, status: CommitStatus) -> Result<(), StoreError> {
        if self.is_full() {
            return Ok(());
        }
        self.batch.put(event, status)?;
        if self.batch.count() >= self.limit || self.batch.len() >= PAGE_TEXT {
            self.stopped = Some(event.position);
        }
        Ok(())
    }

    fn passes(&self, event: &Recorded<'_>) -> Result<bool, StoreError> {
        let query = self.query;
        if query.stream_id.as_ref().is_some_and(|stream| event.stream != stream)
            || query
                .prefix
                .as_ref()
                .is_some_and(|prefix| !event.stream.starts_with(&**prefix))
            || query
                .streams
                .as_ref()
                .is_some_and(|streams| !streams.contains(event.stream))
            || query.from_version.is_some_and(|from| event.version < from)
        {
            return Ok(false);
        }
        if query.from.is_some() || query.until.is_some() {
            let time = time_of(event, query.clock)?;
            if query.from.is_some_and(|from| time < from) || query.until.is_some_and(|until| time > until) {
                return Ok(false);
            }
        }
        let Some(types) = &query.types else { return Ok(true) };
        let fields = read_event(event.event)
            .map_err(|reason| StoreError::format(format!("event {}", event.position.0), reason))?;
        Ok(types.contains(fields.event_type))
    }

    fn finish(self) -> Page {
        let next = self.stopped.and_then(|position| match self.query.direction {
            Direction::Forward if position < self.until => Some(position),
            Direction::Backward if position.0 > self.after.0 + 1 => Some(Position(position.0 - 1)),
            _ => None,
        });
        Page {
            events: self.batch.count(),
            batch: self.batch.finish(),
            next,
        }
    }
}
