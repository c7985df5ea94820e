//! Which events to read, and what of the log need not be looked at for that.

use std::borrow::Cow;
use std::collections::HashSet;

use super::StoreError;
use super::blocks::BlockId;
use super::load::recorded_at;
use crate::json::{FromJson, JsonReader};
use crate::log::block::Recorded;
use crate::log::directory::Directory;
use crate::log::event::EventFields;
use crate::position::Position;
use crate::stream::Version;

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
    /// Only streams whose id is this or comes after it, in the order of their bytes.
    pub first_stream: Option<Cow<'a, str>>,
    /// Only streams whose id comes before this.
    pub before_stream: Option<Cow<'a, str>>,
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
                "firstStream" => query.first_stream = Option::read(json),
                "beforeStream" => query.before_stream = Option::read(json),
                "limit" => query.limit = Option::<u32>::read(json).map(|limit| limit as usize),
                _ => drop(json.raw()),
            }
        }
        query
    }
}

impl Query<'_> {
    /// Whether a segment may hold events that pass.
    pub(crate) fn may_match(&self, segment: &Directory) -> bool {
        let range = match self.clock {
            Clock::Occurred => segment.occurred,
            Clock::Recorded => segment.recorded,
        };
        range.overlaps(self.from, self.until)
            && self
                .types
                .as_ref()
                .is_none_or(|types| segment.types.iter().any(|known| types.contains(known)))
    }

    /// The blocks of a segment that may hold events that pass, in order.
    pub(crate) fn blocks_of(&self, segment: &Directory) -> Vec<BlockId> {
        let all = 0..segment.event_blocks.len();
        let mut numbers: Vec<usize> = match (&self.stream_id, &self.streams, &self.prefix) {
            (Some(stream), ..) => segment
                .blocks_of(stream, self.from_version.unwrap_or(Version(1)))
                .collect(),
            (None, Some(streams), _) => {
                let mut wanted = vec![false; all.len()];
                for stream in streams {
                    for number in segment.blocks_of(stream, Version(1)) {
                        if let Some(wanted) = wanted.get_mut(number) {
                            *wanted = true;
                        }
                    }
                }
                all.filter(|number| wanted.get(*number) == Some(&true)).collect()
            }
            (None, None, Some(prefix)) => segment.blocks_with_prefix(prefix).collect(),
            (None, None, None) => all.collect(),
        };
        if self.first_stream.is_some() || self.before_stream.is_some() {
            let range = segment.blocks_between(self.first_stream.as_deref(), self.before_stream.as_deref());
            numbers.retain(|number| range.contains(number));
        }
        if self.clock == Clock::Occurred && (self.from.is_some() || self.until.is_some()) {
            numbers.retain(|number| {
                segment
                    .event_blocks
                    .get(*number)
                    .is_some_and(|block| block.occurred.overlaps(self.from, self.until))
            });
        }
        numbers
            .into_iter()
            .map(|number| BlockId::new(segment, number))
            .collect()
    }

    /// Whether events of a stream may pass.
    pub(crate) fn wants(&self, stream: &str) -> bool {
        self.stream_id.as_ref().is_none_or(|wanted| stream == wanted)
            && self.prefix.as_ref().is_none_or(|prefix| stream.starts_with(&**prefix))
            && self.streams.as_ref().is_none_or(|streams| streams.contains(stream))
            && self.first_stream.as_ref().is_none_or(|first| stream >= &**first)
            && self.before_stream.as_ref().is_none_or(|end| stream < &**end)
    }

    /// Whether an event of a stream that is wanted passes.
    pub(crate) fn passes(&self, event: &Recorded<'_>, fields: &EventFields<'_>) -> Result<bool, StoreError> {
        if self.from.is_some() || self.until.is_some() {
            let time = match self.clock {
                Clock::Occurred => fields.occurred_at,
                Clock::Recorded => recorded_at(event)?,
            };
            if self.from.is_some_and(|from| time < from) || self.until.is_some_and(|until| time > until) {
                return Ok(false);
            }
        }
        Ok(self
            .types
            .as_ref()
            .is_none_or(|types| str::from_utf8(fields.event_type).is_ok_and(|event_type| types.contains(event_type))))
    }
}
