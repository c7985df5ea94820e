//! Cutting the confirmed log off behind a place: what was above it is pending again, is refused or is gone.
//!
//! One transaction drops the segments above, builds the one that the place is in anew, adds a record with everything
//! that is pending afterwards, and takes back what was folded from what is not there any more: snapshots, and rows, whose
//! projections begin again in a new generation. The record `"cuts"` of meta counts it: what other instances
//! fold meanwhile from the log as it was is not stored, see [`Store::write_folded`].

use std::collections::HashMap;

use super::append::put_segment;
use super::binding::Binding;
use super::blocks::{BlockId, BlocksError};
use super::compact::drop_segment;
use super::confirmed::ConfirmedCommit;
use super::log::Log;
use super::meta::Floor;
use super::refusals::Refusal;
use super::segments::read_segment;
use super::storage::{Change, Check, Key, KeyRange, Storage, Table, Write, Written};
use super::tail::TailEvent;
use super::wire::StreamBytes;
use super::{Store, StoreError};
use crate::log::FormatError;
use crate::log::bytes::{Reader, put_number};
use crate::log::commit::{StreamFields, join_commit, read_commit};
use crate::log::frame::{self, Kind};
use crate::log::record::{RecordKind, SyncRecord};
use crate::log::segment::{self, Segment};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// Snapshots of more streams are not dropped one by one.
const STREAMS: usize = 1_000;

/// What is pending after a cut, and the streams whose versions it takes back.
#[derive(Debug, Default)]
pub(crate) struct Lifted {
    streams: Vec<String>,
    /// Versions of streams where the pending commits have come.
    heads: HashMap<String, Version>,
    commits: Vec<Vec<u8>>,
    undecided: Vec<bool>,
    events: u64,
}

impl Lifted {
    /// Nothing yet, on a log whose streams have these versions.
    pub(crate) fn on(heads: HashMap<String, Version>) -> Self {
        Self {
            heads,
            ..Self::default()
        }
    }

    /// What is pending, as a record holds it.
    pub(crate) fn commits(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.commits.iter().map(Vec::as_slice)
    }

    /// Where a log ends that ended there before.
    pub(crate) fn end(&self, before: Position) -> Position {
        Position(before.0 + self.events)
    }

    /// The next commit above the cut.
    pub(crate) fn lift(&mut self, commit: &ConfirmedCommit<'_>) {
        for (stream, before, _) in &commit.streams {
            if !self.heads.contains_key(*stream) {
                self.heads.insert((*stream).to_owned(), *before);
                self.streams.push((*stream).to_owned());
            }
        }
    }

    /// A commit is pending, after all before.
    pub(crate) fn put<'a>(
        &mut self,
        header: &[u8],
        streams: impl IntoIterator<Item = StreamBytes<'a>>,
        undecided: bool,
    ) {
        let mut fields = Vec::new();
        for (stream, before, events) in streams {
            let head = self.heads.entry(stream.to_owned()).or_insert(before);
            fields.push(StreamFields {
                stream,
                expected: ExpectedVersion::Exact(*head),
                events,
            });
        }
        for stream in &fields {
            if let Some(head) = self.heads.get_mut(stream.stream) {
                head.0 += stream.events.len() as u64;
                self.events += stream.events.len() as u64;
            }
        }
        let mut bytes = Vec::new();
        join_commit(&mut bytes, header, &fields);
        self.commits.push(bytes);
        self.undecided.push(undecided);
    }

    /// What was pending before stays so. `moved`: it may be on another log than it was.
    pub(crate) fn put_pending(&mut self, log: &Log, moved: bool) -> Result<(), FormatError> {
        let tail = &log.tail;
        for (commit, undecided) in tail.pending_commits().iter().zip(tail.undecided()) {
            let mut events = tail.events_in(commit).iter().map(TailEvent::bytes);
            let streams = commit.streams.iter().map(|(stream, first, count)| {
                let own = events.by_ref().take(*count as usize).collect();
                (&**stream, Version(first.0 - 1), own)
            });
            let streams: Vec<_> = streams.collect();
            let undecided = *undecided || moved && self.is_to_decide(&commit.header, &streams)?;
            self.put(&commit.header, streams, undecided);
        }
        Ok(())
    }

    /// Whether a commit that is next is to be decided again. One without a command would be refused, so only if its streams
    /// are not where they were: all that can be missing of them is at their ends.
    pub(crate) fn is_to_decide(&self, header: &[u8], streams: &[StreamBytes<'_>]) -> Result<bool, FormatError> {
        let fields = read_commit(header)?;
        let is_at = |stream: &str, version| self.heads.get(stream).is_none_or(|head| *head == version);
        let stands = fields.reads.iter().all(|(stream, version)| is_at(stream, *version))
            && streams.iter().all(|(stream, before, _)| is_at(stream, *before));
        Ok(fields.command.is_some() || !stands)
    }

    fn record(&self, number: u64, confirmed: Position) -> Vec<u8> {
        SyncRecord {
            kind: RecordKind::Carried,
            number,
            end: self.end(confirmed),
            commits: &self.commits().collect::<Vec<_>>(),
            dropped: &[],
            undecided: &self.undecided,
            pending: self.commits.len() as u64,
        }
        .encode()
    }
}

/// What became of something that was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// It is stored.
    Stored,
    /// What it was to be stored on has changed: it may be tried again.
    Changed,
    /// The log that it was folded from has been cut: it is worth nothing.
    Cut,
}

/// The key of the record that counts cuts. It is not there before the first.
pub(crate) fn cuts_key() -> Key {
    Key::from("cuts")
}

fn next_cut(stored: Option<&[u8]>) -> Result<Vec<u8>, FormatError> {
    let mut cuts = 0;
    if let Some(stored) = stored {
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, stored)?);
        while let Some(tag) = reader.next() {
            if tag == 1 {
                cuts = reader.varint();
            }
        }
        reader.end()?;
    }
    let mut out = frame::begin(Kind::Meta, 16);
    put_number(&mut out, 1, cuts + 1);
    Ok(frame::seal(out))
}

impl<S: Storage> Store<S> {
    /// Cuts the confirmed log off where `binding` says that it ends. False if another tab was first. For whoever holds
    /// `writing` and has refreshed.
    pub(crate) async fn cut(
        &self,
        binding: &Binding,
        lifted: &Lifted,
        refusals: &[Refusal],
    ) -> Result<bool, BlocksError> {
        let position = binding.confirmed;
        let kept = self.cut_segment(position).await?;
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        self.unfold(position, &mut write).await?;
        {
            let log = self.log.borrow();
            let number = log.tail.number() + 1;
            let any = !lifted.commits.is_empty();
            let floor = Floor {
                number: number - u64::from(any),
                position,
                changes: log.floor.changes + 1,
            };
            write.checks.push(Check {
                table: Table::Meta,
                key: Floor::key(),
                expected: Some(log.stored_floor.clone()),
            });
            binding.put(log.stored_binding.clone(), &mut write);
            let cuts = next_cut(log.stored_cuts.as_deref())
                .map_err(|reason| StoreError::format("the number of cuts", reason))?;
            let changes = &mut write.changes;
            changes.push(Change::Put(Table::Meta, cuts_key(), cuts));
            changes.push(Change::Put(Table::Meta, Floor::key(), floor.encode()));
            let value = if any {
                lifted.record(number, position)
            } else {
                Vec::new()
            };
            changes.push(Change::Append {
                value,
                expected: number,
            });
            let below = KeyRange::up_to(Key::from(floor.number));
            changes.push(Change::Delete(Table::Journal, below));
            for segment in log.segments.iter().filter(|segment| segment.last() > position) {
                drop_segment(segment, &mut write);
            }
        }
        if let Some(Segment { directory, blocks }) = kept {
            put_segment(&mut write, &directory, blocks);
        }
        let snapshots = |range| Change::Delete(Table::Snapshots, range);
        if lifted.streams.len() > STREAMS {
            write.changes.push(snapshots(KeyRange::ALL));
        } else {
            let streams = lifted.streams.iter();
            let ranges = streams.map(|stream| snapshots(KeyRange::prefix(&[Key::from(stream.as_str())])));
            write.changes.extend(ranges);
        }
        for refusal in refusals {
            refusal.put(&mut write);
        }
        if !self.write_log(write).await? {
            return Ok(false);
        }
        // Whatever happens to the next read: it comes before anything else.
        self.doubtful.set(true);
        self.refresh().await?;
        Ok(true)
    }

    /// What is above the floor afterwards and was not sealed up to `position`, or was with more than that.
    async fn cut_segment(&self, position: Position) -> Result<Option<Segment>, BlocksError> {
        let damaged = |reason| StoreError::format("what is cut", reason);
        let segment = {
            let log = self.log.borrow();
            let segment = log.segments.iter().find(|segment| segment.last() > position);
            segment.filter(|segment| segment.first <= position).cloned()
        };
        if let Some(segment) = segment {
            let blocks = (0..segment.first_stream_block()).map(|number| BlockId::new(&segment, number));
            let blocks: Vec<_> = blocks.collect();
            let contents = self.blocks.get(&*self.storage, &blocks).await?;
            let (mut events, mut commits) = read_segment(&segment, &contents).map_err(damaged)?;
            events.retain(|event| event.position <= position);
            commits.retain(|commit| commit.position <= position);
            return Ok(Some(segment::build(events, &commits).map_err(damaged)?));
        }
        let log = self.log.borrow();
        if log.tail.base() >= position {
            return Ok(None);
        }
        let events = log.tail.confirmed_events().iter().map(TailEvent::recorded);
        let events = events.filter(|event| event.position <= position).collect();
        let commits = log.tail.confirmed_commits().iter().map(|commit| commit.recorded());
        let commits: Vec<_> = commits.filter(|commit| commit.position <= position).collect();
        Ok(Some(segment::build(events, &commits).map_err(damaged)?))
    }

    /// Stores what was folded from the log, unless that was cut: then it is read again, so that what comes next is folded
    /// from what is there.
    pub(crate) async fn write_folded(&self, mut write: Write) -> Result<Folded, StoreError> {
        write.checks.insert(
            0,
            Check {
                table: Table::Meta,
                key: cuts_key(),
                expected: self.log.borrow().stored_cuts.clone(),
            },
        );
        Ok(match self.storage.write(write).await? {
            Written::Done => Folded::Stored,
            Written::CheckFailed { index: 0 } => {
                let _writing = self.writing.lock().await;
                // Boxed: this is rare, and a copy of it in every caller would be large.
                Box::pin(self.refresh()).await?;
                Folded::Cut
            }
            _ => Folded::Changed,
        })
    }
}
