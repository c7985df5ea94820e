//! Loading one stream: a snapshot, if one serves, and the events after it.

use std::cmp::Ordering;
use std::rc::Rc;

use super::batch::{Batch, BatchWriter};
use super::blocks::{BlockId, BlocksError, Content, blocks_of};
use super::read::Sink;
use super::snapshots::{FoundSnapshots, Snapshot, snapshots_of};
use super::storage::Storage;
use super::tail::TailEvent;
use super::{Clock, Store, StoreError};
use crate::log::block::{Finder, Recorded};
use crate::log::commit::read_recorded_at;
use crate::log::directory::Directory;
use crate::log::event::{EventFields, read_event};
use crate::log::record::CommitStatus;
use crate::stream::Version;

/// Where snapshots are kept after fewer events than this, a stream is asked for its snapshots however short it is.
const SOME_EVENTS: u64 = 50;
/// Up to this many blocks are read in one transaction with the snapshots, of a stream that lies in more the last ones:
/// reading a few too many costs less than a second transaction.
const EAGER_BLOCKS: usize = 12;
/// What follows the last snapshot lies in these, mostly.
const LAST_BLOCKS: usize = 2;

/// What to load of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadQuery<'a> {
    /// Name and version of the definition whose snapshots may serve; none: fold from the start.
    pub definition: Option<(&'a str, u64)>,
    /// After how many events one is kept: a stream that has fewer is not asked for any.
    pub snapshot_every: Option<u64>,
    /// No event above this version.
    pub at_version: Option<Version>,
    /// No event that happened, or was recorded, later.
    pub at: Option<(i64, Clock)>,
}

/// A stream as loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The snapshot to begin with.
    pub snapshot: Option<Snapshot>,
    /// The version of the stream, whatever was asked for.
    pub version: Version,
    /// The version of its last confirmed event.
    pub confirmed: Version,
    /// The events after the snapshot that were asked for.
    pub batch: Batch,
    /// Versions of snapshots that did not verify and were dropped.
    pub dropped: Vec<u64>,
}

/// Takes a stream as it is loaded. What crosses into JavaScript is one, a state that is folded here another.
pub(crate) trait StreamSink {
    /// Begins, or begins again, with a snapshot or with nothing.
    fn begin(&mut self, snapshot: Option<&Snapshot>);

    /// The next event that was asked for.
    fn put(&mut self, event: &Recorded<'_>, fields: &EventFields<'_>, status: CommitStatus) -> Result<(), StoreError>;
}

/// What was found of a stream, beside its events.
#[derive(Debug)]
pub(crate) struct FoundStream {
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) version: Version,
    pub(crate) confirmed: Version,
    pub(crate) dropped: Vec<u64>,
}

/// The events as a batch.
struct Batched(BatchWriter);

impl StreamSink for Batched {
    fn begin(&mut self, _: Option<&Snapshot>) {
        self.0 = BatchWriter::new(None);
    }

    fn put(&mut self, event: &Recorded<'_>, fields: &EventFields<'_>, status: CommitStatus) -> Result<(), StoreError> {
        self.0.put(event, fields, 0, status)
    }
}

impl<S: Storage> Store<S> {
    /// Loads a stream. Costs one or two read transactions and, without a snapshot, one block for about
    /// every 16,000 events of the log that the stream occurs in.
    pub async fn load(&self, stream: &str, query: LoadQuery<'_>) -> Result<Loaded, StoreError> {
        let mut events = Batched(BatchWriter::new(None));
        let FoundStream {
            snapshot,
            version,
            confirmed,
            dropped,
        } = self.load_into(stream, query, &mut events).await?;
        Ok(Loaded {
            snapshot,
            version,
            confirmed,
            batch: events.0.finish()?,
            dropped,
        })
    }

    /// Loads a stream into `sink`.
    pub(crate) async fn load_into(
        &self,
        stream: &str,
        query: LoadQuery<'_>,
        sink: &mut dyn StreamSink,
    ) -> Result<FoundStream, StoreError> {
        self.ready().await?;
        self.with_blocks(async || self.try_load(stream, query, sink).await)
            .await
    }

    async fn try_load(
        &self,
        stream: &str,
        query: LoadQuery<'_>,
        sink: &mut dyn StreamSink,
    ) -> Result<FoundStream, BlocksError> {
        let (number, life) = (self.log.borrow().tail.number(), self.blocks.life());
        let (blocks, tail) = self.parts_of(stream, Version(1));
        let many = blocks.len() > EAGER_BLOCKS && query.definition.is_some();
        // What is merged meanwhile is in other blocks.
        let segments = if many {
            self.log.borrow().segments.clone()
        } else {
            Vec::new()
        };
        let first = if many {
            blocks.len() - query.last_blocks(&tail)
        } else {
            0
        };
        let now = blocks.get(first..).unwrap_or_default();
        let mut asks = query.definition.is_some() && !query.expects_no_snapshot(&blocks, &tail);
        loop {
            let reads = asks.then(|| snapshots_of(stream)).into_iter().collect();
            let (found, contents) = self.blocks.get_with(&*self.storage, now, reads).await?;
            let snapshots = match query.definition {
                Some((definition, version)) => self.sift_snapshots(found, definition, version).await?,
                None => FoundSnapshots::default(),
            };
            let snapshot = snapshots.usable.into_iter().find(|snapshot| serves(snapshot, query));
            let from = snapshot.as_ref().map_or(Version(1), |snapshot| snapshot.version.next());
            let contents = if many {
                // Those that were just read are not read again.
                let needed = blocks_from(stream, from, &segments, &tail);
                self.blocks.get(&*self.storage, &needed).await?
            } else {
                contents
            };
            self.blocks.check_life(life)?;
            sink.begin(snapshot.as_ref());
            let wanted = if asks { query } else { query.of_a_short_stream() };
            let collected = collect(stream, from, wanted, &contents, &tail, sink);
            let end = collected.as_ref().ok().map(|(version, _)| *version);
            if !asks && query.may_have_snapshots(end) {
                asks = true;
                continue;
            }
            let (version, confirmed) = collected?;
            // While this read, a seal may have moved later events of the stream below the tail.
            if tail.is_empty() && self.log.borrow().tail.number() == number {
                self.log.borrow_mut().keep_head(stream, version);
            }
            return Ok(FoundStream {
                snapshot,
                version,
                confirmed,
                dropped: snapshots.damaged,
            });
        }
    }

    /// Hands the events of `stream` from version `from` on to `each`, in order.
    pub(crate) async fn each_event(
        &self,
        stream: &str,
        from: Version,
        mut each: impl FnMut(&Recorded<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (contents, tail) = self
            .with_blocks(async || {
                let (blocks, tail) = self.parts_of(stream, from);
                Ok((self.blocks.get(&*self.storage, &blocks).await?, tail))
            })
            .await?;
        let mut each = |event: &Recorded<'_>| if event.version >= from { each(event) } else { Ok(()) };
        for content in &contents {
            each_of_stream(content, stream, &mut each)?;
        }
        tail.iter().try_for_each(|event| each(&event.recorded()))
    }

    /// Blocks and tail of a stream, from one instant.
    fn parts_of(&self, stream: &str, from: Version) -> (Vec<BlockId>, Vec<TailEvent>) {
        let log = self.log.borrow();
        (
            log.blocks_of(stream, from),
            log.tail.events_of(stream).cloned().collect(),
        )
    }
}

impl LoadQuery<'_> {
    /// Whether a stream in these blocks has too few events for a snapshot, as far as one can tell: one that fills a block of
    /// its own, between two others, has many.
    fn expects_no_snapshot(&self, blocks: &[BlockId], tail: &[TailEvent]) -> bool {
        let fills_one = blocks
            .windows(3)
            .any(|three| matches!(three, [one, two, three] if one.is_followed_by(*two) && two.is_followed_by(*three)));
        let ends_short = tail
            .last()
            .is_none_or(|event| !self.has_snapshots_at(event.recorded().version));
        self.snapshot_every.is_some_and(|every| every >= SOME_EVENTS)
            && blocks.len() <= EAGER_BLOCKS
            && !fills_one
            && ends_short
    }

    /// Whether a stream that ends at `version` has events enough for a snapshot. One that cannot be read may have one that
    /// makes it unnecessary.
    fn may_have_snapshots(&self, version: Option<Version>) -> bool {
        self.definition.is_some() && version.is_none_or(|version| self.has_snapshots_at(version))
    }

    fn has_snapshots_at(&self, version: Version) -> bool {
        version.0 >= self.snapshot_every.unwrap_or_default()
    }

    /// What is wanted while a stream seems to be too short for a snapshot: one that is not is collected anew.
    fn of_a_short_stream(self) -> Self {
        let last = self.snapshot_every.filter(|_| self.definition.is_some());
        let last = last.map(|every| Version(every.saturating_sub(1)));
        Self {
            at_version: self.at_version.into_iter().chain(last).min(),
            ..self
        }
    }

    /// How many of many blocks to read together with the snapshots.
    fn last_blocks(&self, tail: &[TailEvent]) -> usize {
        let covered = self.snapshot_every.is_some_and(|every| tail.len() as u64 >= every);
        if covered { 0 } else { LAST_BLOCKS }
    }
}

/// Those blocks of `segments` that hold versions of `stream` from `from` on; none if the tail has all of these.
fn blocks_from(stream: &str, from: Version, segments: &[Rc<Directory>], tail: &[TailEvent]) -> Vec<BlockId> {
    if tail.first().is_some_and(|event| event.recorded().version <= from) {
        return Vec::new();
    }
    blocks_of(segments, stream, from)
}

/// Whether folding may begin with `snapshot`: it must cover nothing that was not asked for.
fn serves(snapshot: &Snapshot, query: LoadQuery<'_>) -> bool {
    query.at_version.is_none_or(|version| snapshot.version <= version)
        && query.at.is_none_or(|(time, clock)| match clock {
            Clock::Occurred => snapshot.occurred_at <= time,
            Clock::Recorded => snapshot.recorded_at <= time,
        })
}

/// The events of `stream` from version `from` on that pass. Returns the stream's last version, and that of its last
/// confirmed event; what is before `from` is.
fn collect(
    stream: &str,
    from: Version,
    query: LoadQuery<'_>,
    contents: &[Content],
    tail: &[TailEvent],
    sink: &mut dyn StreamSink,
) -> Result<(Version, Version), StoreError> {
    let mut last = Version(from.0 - 1);
    let mut confirmed = last;
    let mut put = |event: &Recorded<'_>, status| {
        if event.version < from {
            return Ok(());
        }
        if event.version != last.next() {
            let record = format!("stream {stream}");
            return Err(StoreError::gap(record, event.version.0, last.0 + 1));
        }
        last = event.version;
        if status == CommitStatus::Confirmed {
            confirmed = last;
        }
        if passes(event, query)? {
            let fields = read_event(event.event)
                .map_err(|reason| StoreError::format(format!("event {}", event.position.0), reason))?;
            sink.put(event, &fields, status)
        } else {
            Ok(())
        }
    };
    for content in contents {
        each_of_stream(content, stream, &mut |event| put(event, CommitStatus::Confirmed))?;
    }
    for event in tail {
        put(&event.recorded(), event.status())?;
    }
    Ok((last, confirmed))
}

/// Hands the events that a block has of one stream on to `each`, in order. Those before them are passed over, and what comes
/// after them is not read.
fn each_of_stream<'a>(
    content: &'a Content,
    stream: &'a str,
    each: &mut dyn FnMut(&Recorded<'a>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut finder = Finder::new(content, 0);
    let mut order = Ordering::Less;
    while let Some(found) = finder
        .next()
        .map_err(|reason| StoreError::format("a block of events", reason))?
    {
        if found.new_stream {
            order = found.stream.of(content).cmp(stream.as_bytes());
        }
        match order {
            Ordering::Less => {}
            Ordering::Equal => each(&found.recorded(content, stream))?,
            Ordering::Greater => break,
        }
    }
    Ok(())
}

fn passes(event: &Recorded<'_>, query: LoadQuery<'_>) -> Result<bool, StoreError> {
    if query.at_version.is_some_and(|version| event.version > version) {
        return Ok(false);
    }
    let Some((until, clock)) = query.at else {
        return Ok(true);
    };
    Ok(time_of(event, clock)? <= until)
}

/// When an event happened, or was recorded.
pub(crate) fn time_of(event: &Recorded<'_>, clock: Clock) -> Result<i64, StoreError> {
    match clock {
        Clock::Occurred => read_event(event.event)
            .map(|event| event.occurred_at)
            .map_err(|reason| StoreError::format(format!("event {}", event.position.0), reason)),
        Clock::Recorded => recorded_at(event),
    }
}

/// When a device first wrote an event.
pub(crate) fn recorded_at(event: &Recorded<'_>) -> Result<i64, StoreError> {
    read_recorded_at(event.envelope).map_err(|reason| StoreError::format(format!("event {}", event.position.0), reason))
}
