//! Reading the log in the order of position, page by page, in constant memory.
//!
//! A page is found by position, never by journal number, so that sealing and merging between two
//! pages change nothing. Filters are decided on the packed form: segments and blocks that cannot
//! hold what is asked for are not read, and events that do not pass are not parsed.
//!
//! Some segments are read together, each with one question for each run of blocks, and each is put into the order of
//! position once, however many pages they take.

use std::rc::Rc;

use super::batch::{Batch, BatchWriter};
use super::blocks::{BlockId, BlocksError};
use super::query::{Direction, Query};
use super::sorted::{Sorted, reads_of};
use super::storage::Storage;
use super::tail::{Tail, TailEvent};
use super::{Store, StoreError};
use crate::log::block::{Recorded, read_streams, sort};
use crate::log::directory::Directory;
use crate::log::event::{EventFields, read_event};
use crate::log::record::CommitStatus;
use crate::position::Position;
use crate::stream::Version;

/// Blocks read in one transaction, but for a segment that has more.
const AHEAD_BLOCKS: usize = 128;

/// One page of events.
#[derive(Debug)]
pub struct Page {
    /// The events.
    pub batch: Batch,
    /// What the next page needs as `after_position` (forward) or `until_position` (backward); none at
    /// the end.
    pub next: Option<Position>,
}

/// Takes the events of a page. What crosses into JavaScript is one, what folds them here may be another.
pub(crate) trait Sink {
    /// About so many events come next, whose streams are numbered anew.
    fn begin(&mut self, events: usize);

    /// The next event; `stream` is the number of its stream.
    fn put(
        &mut self,
        event: &Recorded<'_>,
        fields: &EventFields<'_>,
        stream: usize,
        status: CommitStatus,
    ) -> Result<(), StoreError>;

    /// Whether the page ends here, or with the commit that this event is of.
    fn is_full(&self) -> bool;

    /// Whether the page may end with the segment that it is in.
    fn has_enough(&self) -> bool;
}

impl<S: Storage> Store<S> {
    /// One page of the events that pass. It may have few events, or none, and yet not be the last.
    pub async fn read(&self, query: &Query<'_>) -> Result<Page, StoreError> {
        let mut writer = BatchWriter::new(query.limit);
        let next = self.scan(query, &mut writer).await?;
        Ok(Page {
            batch: writer.finish()?,
            next,
        })
    }

    /// Gives one page of the events that pass to `sink`; as [`Page::next`] where the next one begins.
    pub(crate) async fn scan(&self, query: &Query<'_>, sink: &mut dyn Sink) -> Result<Option<Position>, StoreError> {
        self.ready().await?;
        let mut scan = Scan::new(query, sink);
        self.with_blocks(async || self.try_scan(&mut scan).await).await?;
        Ok(scan.next())
    }

    async fn try_scan(&self, scan: &mut Scan<'_>) -> Result<(), BlocksError> {
        let forward = scan.query.direction == Direction::Forward;
        if forward {
            // Blocks that vanished may have brought news of a later end.
            scan.until = scan.query.until_position.unwrap_or(Position(u64::MAX));
        }
        let (mut segments, base) = {
            let log = self.log.borrow();
            scan.until = scan.until.min(log.position());
            if !forward {
                scan.put_tail(&log.tail)?;
                scan.until = scan.until.min(log.tail.base());
            }
            (log.segments.clone(), log.tail.base())
        };
        if scan.is_over() {
            return Ok(());
        }
        segments.retain(|segment| scan.reaches(segment));
        if !forward {
            segments.reverse();
        }
        let life = self.blocks.life();
        let mut rest = segments.as_slice();
        let mut kept = self.sorted.take();
        let mut group = scan.query.group(&mut rest, &kept);
        if group.is_empty() {
            group = scan.query.group(&mut rest, &[]);
        }
        while !group.is_empty() {
            let next = scan.query.group(&mut rest, &[]);
            let ahead = if scan.query.limit.is_none() {
                ids_of(&next)
            } else {
                Vec::new()
            };
            let sorted = self.sorted(&group, ahead, &std::mem::take(&mut kept)).await?;
            self.blocks.check_life(life)?;
            for (place, ((segment, _), one)) in group.iter().zip(&sorted).enumerate() {
                scan.put_segment(segment, one)?;
                if scan.is_over() || (forward && scan.until < segment.last()) {
                    // The next page goes on in these.
                    *self.sorted.borrow_mut() = sorted.get(place..).unwrap_or_default().to_vec();
                }
                if scan.is_over() {
                    return Ok(());
                }
            }
            group = next;
        }
        if forward && !scan.is_over() {
            let log = self.log.borrow();
            if log.tail.base() == base {
                scan.put_tail(&log.tail)?;
            } else {
                // Sealed meanwhile: the next page finds it in segments.
                scan.stopped = Some(base);
            }
        }
        Ok(())
    }

    /// Blocks of segments, read in one transaction and put into order, while those of `ahead` are being read.
    pub(crate) async fn sorted(
        &self,
        group: &Group<'_>,
        ahead: Vec<BlockId>,
        kept: &[Rc<Sorted>],
    ) -> Result<Vec<Rc<Sorted>>, BlocksError> {
        let known = |ids: &[BlockId]| kept.iter().find(|sorted| sorted.holds(ids));
        let unknown = group.iter().filter(|(_, ids)| known(ids).is_none());
        let unknown: Vec<_> = unknown.flat_map(|(_, ids)| ids).copied().collect();
        let ahead_of = self.ahead.take(&unknown).await;
        let found = match ahead_of.and_then(|found| self.blocks.of_this_log(found)) {
            Some(found) => found,
            None if unknown.is_empty() => Vec::new(),
            None => {
                let mut reads = Vec::new();
                reads_of(&unknown, &mut reads);
                self.blocks.ask(&*self.storage, reads).await?
            }
        };
        if !ahead.is_empty() {
            self.ahead.begin(&self.storage, ahead);
        }
        let mut found = found.into_iter().flatten();
        group
            .iter()
            .map(|(segment, ids)| match known(ids) {
                Some(sorted) => Ok(Rc::clone(sorted)),
                None => Sorted::decode(segment, ids.clone(), &mut found).map(Rc::new),
            })
            .collect()
    }

    /// Ids of streams that begin with `prefix`, in the order of their bytes, after `after`.
    pub async fn streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        self.ready().await?;
        self.with_blocks(async || self.try_streams(prefix, after, limit).await)
            .await
    }

    async fn try_streams(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, BlocksError> {
        let wanted = |id: &str| id > after && id.starts_with(prefix);
        let life = self.blocks.life();
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
                for content in self.blocks.get(&*self.storage, &[id]).await? {
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
        self.blocks.check_life(life)?;
        Ok(ids)
    }
}

/// Segments whose blocks are read together, each with those of its blocks that are wanted.
pub(crate) type Group<'s> = Vec<(&'s Rc<Directory>, Vec<BlockId>)>;

fn ids_of(group: &Group<'_>) -> Vec<BlockId> {
    group.iter().flat_map(|(_, ids)| ids).copied().collect()
}

impl Query<'_> {
    /// Takes the next segments of which something is wanted, none at the end; if some are kept only those, so that the
    /// following groups are what they were when these were read.
    fn group<'s>(&self, rest: &mut &'s [Rc<Directory>], kept: &[Rc<Sorted>]) -> Group<'s> {
        let mut group = Group::new();
        let mut blocks = 0;
        while let Some((segment, others)) = rest.split_first() {
            let ids = self.blocks_of(segment);
            blocks += ids.len();
            let fits = match kept {
                [] => blocks <= AHEAD_BLOCKS || group.is_empty(),
                _ => ids.is_empty() || kept.iter().any(|sorted| sorted.holds(&ids)),
            };
            if !fits {
                break;
            }
            if !ids.is_empty() {
                group.push((segment, ids));
            }
            *rest = others;
        }
        group
    }
}

/// A page under way.
struct Scan<'a> {
    query: &'a Query<'a>,
    after: Position,
    until: Position,
    sink: &'a mut dyn Sink,
    /// Set when the page is over before the end: the position of the last event that was looked at.
    stopped: Option<Position>,
    /// Set when the page is full, and ends with this commit: its envelope and the position of its last event so far.
    ending: Option<(Vec<u8>, Position)>,
}

impl<'a> Scan<'a> {
    fn new(query: &'a Query<'a>, sink: &'a mut dyn Sink) -> Self {
        Self {
            query,
            after: query.after_position.unwrap_or_default(),
            until: query.until_position.unwrap_or(Position(u64::MAX)),
            sink,
            stopped: None,
            ending: None,
        }
    }

    fn is_over(&self) -> bool {
        self.stopped.is_some()
    }

    fn next(&self) -> Option<Position> {
        self.stopped.and_then(|position| match self.query.direction {
            Direction::Forward if position < self.until => Some(position),
            Direction::Backward if position.0 > self.after.0 + 1 => Some(Position(position.0 - 1)),
            _ => None,
        })
    }

    fn reaches(&self, segment: &Directory) -> bool {
        segment.last() > self.after && segment.first <= self.until && self.query.may_match(segment)
    }

    fn put_segment(&mut self, segment: &Directory, sorted: &Sorted) -> Result<(), StoreError> {
        self.sink.begin(sorted.events());
        let mut wanted = vec![None; sorted.streams()];
        let from = self.after.0.saturating_sub(segment.first.0 - 1) as usize;
        let to = (self.until.min(segment.last()).0 + 1).saturating_sub(segment.first.0) as usize;
        let forward = self.query.direction == Direction::Forward;
        for step in 0..to.saturating_sub(from) {
            let Some((event, stream)) = sorted.at(if forward { from + step } else { to - 1 - step }) else {
                continue;
            };
            let Some(wanted) = wanted.get_mut(stream) else { continue };
            if *wanted.get_or_insert_with(|| self.query.wants(event.stream)) {
                self.put(&event, stream, CommitStatus::Confirmed)?;
                if self.is_over() {
                    return Ok(());
                }
            }
        }
        let end = if forward { segment.last() } else { segment.first };
        if self.sink.has_enough() || self.ending.is_some() {
            self.stopped = Some(end);
        }
        // Where it goes on if blocks turn out to have vanished.
        if forward {
            self.after = end;
        } else {
            self.until = Position(end.0 - 1);
        }
        Ok(())
    }

    /// The events of the tail that lie in the page.
    fn put_tail(&mut self, tail: &Tail) -> Result<(), StoreError> {
        let base = tail.base();
        let from = self.after.0.saturating_sub(base.0) as usize;
        let to = self.until.0.saturating_sub(base.0) as usize;
        let events = tail.events().get(from..to).unwrap_or_default();
        self.sink.begin(events.len());
        for step in 0..events.len() {
            let place = match self.query.direction {
                Direction::Forward => step,
                Direction::Backward => events.len() - 1 - step,
            };
            let Some(event) = events.get(place) else { continue };
            let recorded = event.recorded();
            if self.query.wants(recorded.stream) {
                self.put(&recorded, tail.number_of(recorded.stream), event.status())?;
                if self.is_over() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, event: &Recorded<'_>, stream: usize, status: CommitStatus) -> Result<(), StoreError> {
        if self.query.from_version.is_some_and(|from| event.version < from) {
            return Ok(());
        }
        let fields = read_event(event.event)
            .map_err(|reason| StoreError::format(format!("event {}", event.position.0), reason))?;
        if !self.query.passes(event, &fields)? {
            return Ok(());
        }
        if let Some((commit, last)) = &mut self.ending {
            if commit != event.envelope {
                self.stopped = Some(*last);
                return Ok(());
            }
            *last = event.position;
        }
        self.sink.put(event, &fields, stream, status)?;
        if self.ending.is_none() && self.sink.is_full() {
            if self.ends_with_commits() {
                self.ending = Some((event.envelope.to_vec(), event.position));
            } else {
                self.stopped = Some(event.position);
            }
        }
        Ok(())
    }

    /// What is folded page by page is never seen with half of a commit. Who counts gets as many events as were asked for.
    fn ends_with_commits(&self) -> bool {
        self.query.limit.is_none() && self.query.direction == Direction::Forward
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
