//! Folding the log into the rows of a projection written in Rust.
//!
//! A fold reads the log from where its rows are, one page at a time and in place: payloads are read as
//! the projection's events, no text of them is made. Rows stay in memory until they are written, with
//! the checkpoint that they stand for, in one transaction that is refused if another tab has moved the
//! checkpoint meanwhile. When, and how much at once, is its owner's business.

use std::collections::HashSet;

use super::fold_error::FoldError;
use super::known_rows::{Changed, KnownRows, Rows};
use super::query::Query;
use super::read::Sink;
use super::rows::RowWrite;
use super::storage::Storage;
use super::{Store, StoreError};
use crate::log::block::Recorded;
use crate::log::event::EventFields;
use crate::log::record::CommitStatus;
use crate::position::Position;
use crate::projection::Projection;

/// So many events without a row are written as a checkpoint, to be skipped at the next start.
const CHECKPOINT_EACH: u64 = 5_000;

/// So long is what is written in one transaction: some 250 small rows, about 10 ms.
const PART_BYTES: usize = 16_000;

/// What a step of a [`Fold`] led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// There is more to fold.
    More,
    /// Everything that was asked for is folded.
    Done,
    /// The stored rows are gone: another tab replaced them.
    Gone,
}

/// What of the log a projection wants.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    name: &'static str,
    version: u32,
    aggregates: &'static [&'static str],
    events: &'static [&'static str],
}

/// Rows as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRows {
    /// Their generation.
    pub generation: u64,
    /// Up to where they are folded.
    pub checkpoint: Position,
    /// How often they were replaced without folding on.
    pub revision: u64,
}

/// One projection on its way through the log, for who decides when to fold and when to write. A
/// [`View`](super::View) does both by itself.
#[derive(Debug)]
pub struct Fold {
    wanted: Wanted,
    rows: Box<dyn Rows>,
    /// Where its rows are stored; none if they stay in memory.
    stored: Option<StoredRows>,
    position: Position,
}

impl Fold {
    /// Goes on from rows that are stored.
    pub fn new<P: Projection>(stored: StoredRows) -> Self {
        Self::of::<P>(Some(stored))
    }

    /// Begins with no rows and stores none.
    pub(crate) fn in_memory<P: Projection>() -> Self {
        Self::of::<P>(None)
    }

    fn of<P: Projection>(stored: Option<StoredRows>) -> Self {
        let position = stored.map_or(Position(0), |stored| stored.checkpoint);
        Self {
            wanted: Wanted {
                name: P::NAME,
                version: P::VERSION,
                aggregates: P::AGGREGATES,
                events: P::EVENTS,
            },
            rows: Box::new(KnownRows::<P>::new(position == Position(0))),
            stored,
            position,
        }
    }

    /// Every event up to here is in the rows.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many rows have changed and are not written.
    pub fn changed(&self) -> usize {
        self.rows.changed()
    }

    /// Folds up to `budget` of the events of `store` that follow and that `query` asks for, up to its end. Rows
    /// that are not in memory are read from `target`. When an event cannot be folded, the rows are those of all
    /// before it; after any other error they are worth nothing.
    pub async fn advance<S: Storage>(
        &mut self,
        store: &Store<S>,
        target: &Store<S>,
        query: &Query<'_>,
        budget: usize,
    ) -> Result<Advanced, FoldError> {
        let end = match self.stored {
            // Stored rows stand for what is confirmed. Who asks for more does not write them.
            Some(_) => store.confirmed(),
            None => store.position(),
        };
        let until = query.until_position.unwrap_or(end).min(store.position());
        let query = self.narrowed(query, until);
        let mut page = FoldSink {
            wanted: self.wanted,
            rows: &mut *self.rows,
            left: budget,
            failure: None,
        };
        let scanned = store.scan(&query, &mut page).await;
        let FoldSink { failure, .. } = page;
        let unknown = self.rows.unknown();
        if let (false, Some(stored)) = (unknown.is_empty(), self.stored) {
            let Some(rows) = target.row_texts(stored.generation, &unknown).await? else {
                return Ok(Advanced::Gone);
            };
            for (key, row) in unknown.into_iter().zip(rows) {
                self.rows.know(key, row.as_deref())?;
            }
        }
        self.rows.resume();
        if let Some(failure) = failure {
            if let Some(place) = failure.place() {
                self.position = Position(place.position.0 - 1);
            }
            return Err(failure);
        }
        let next = scanned?;
        self.position = next.unwrap_or(until).max(self.position);
        Ok(if next.is_none() { Advanced::Done } else { Advanced::More })
    }

    /// What is asked for, as far as the projection wants it and has not folded it.
    fn narrowed<'q>(&self, query: &Query<'q>, until: Position) -> Query<'q> {
        let mut query = query.clone();
        query.after_position = query.after_position.max(Some(self.position));
        query.until_position = Some(until);
        if let [aggregate] = self.wanted.aggregates {
            let own = format!("{aggregate}-");
            let asked = query.prefix.take().unwrap_or_default();
            if !own.starts_with(&*asked) && !asked.starts_with(&own) {
                query.streams = Some(HashSet::new());
            }
            query.prefix = Some(if asked.len() > own.len() { asked } else { own.into() });
        }
        if !self.wanted.events.is_empty() {
            let wanted = self.wanted.events.iter().map(|event| (*event).to_owned());
            query.types = Some(match query.types {
                Some(types) => wanted.filter(|event| types.contains(event)).collect(),
                None => wanted.collect(),
            });
        }
        query
    }

    /// Keys of the rows that have changed and are not written.
    pub fn changed_keys(&self) -> Vec<&str> {
        self.rows.changed_keys()
    }

    /// Whether there is something to write.
    pub(crate) fn is_due(&self) -> bool {
        let checkpoint = self.stored.map_or(self.position, |stored| stored.checkpoint);
        self.rows.changed() > 0 || self.position.0 - checkpoint.0 >= CHECKPOINT_EACH
    }

    /// Writes what has changed with the checkpoint that it stands for, in one transaction. False if another tab
    /// has moved the checkpoint, or replaced the rows: then this fold is worth nothing any more.
    pub async fn write<S: Storage>(
        &mut self,
        store: &Store<S>,
        failed_at: Option<Position>,
    ) -> Result<bool, FoldError> {
        let changes = self.rows.changes()?;
        let Some(mut write) = self.row_write() else {
            return Ok(true);
        };
        write.rows = changes.iter().map(Changed::as_change).collect();
        write.failed_at = failed_at;
        let written = store.write_rows(&write).await?;
        if written {
            self.forget();
        }
        Ok(written)
    }

    /// As [`write`](Self::write), of a rebuild: the rows are put aside, packed, for
    /// [`flush_rows`](Store::flush_rows), and count as changed until they are [forgotten](Self::forget).
    pub async fn stage<S: Storage>(&mut self, store: &Store<S>) -> Result<bool, FoldError> {
        let parts = self.parts()?;
        let Some(write) = self.row_write() else {
            return Ok(true);
        };
        let staged = store.stage_rows(&write, &parts).await?;
        if staged {
            self.reach();
        }
        Ok(staged)
    }

    /// What has changed, as [`stage_rows`](Store::stage_rows) takes it: for a part of a rebuild that somebody else puts
    /// aside.
    pub fn parts(&self) -> Result<String, FoldError> {
        Ok(parts_of(&self.rows.changes()?))
    }

    /// What has changed is stored: it need not be kept.
    pub fn forget(&mut self) {
        self.rows.settle();
        self.reach();
    }

    /// Lets go of its rows, for an owner that cannot drop it. It must not be used afterwards.
    pub fn end(&mut self) {
        self.rows.clear();
    }

    /// The stored rows stand where this fold is.
    fn reach(&mut self) {
        let position = self.position;
        self.stored = self.stored.map(|stored| StoredRows {
            checkpoint: position,
            ..stored
        });
    }

    /// A write of no rows.
    fn row_write(&self) -> Option<RowWrite<'static>> {
        let stored = self.stored?;
        Some(RowWrite {
            name: self.wanted.name.into(),
            version: self.wanted.version,
            generation: stored.generation,
            expected_checkpoint: stored.checkpoint,
            checkpoint: self.position,
            rows: Vec::new(),
            failed_at: None,
            revision: stored.revision,
            replaces: false,
        })
    }

    /// The rows that have changed.
    pub(crate) fn changes(&self) -> Result<Vec<Changed>, FoldError> {
        self.rows.changes()
    }
}

/// Changes as [`Store::stage_rows`] takes them: lists of rows, one a line, each line ended.
fn parts_of(changes: &[Changed]) -> String {
    let mut parts = String::new();
    let mut begun = 0;
    for (place, change) in changes.iter().enumerate() {
        if parts.len() - begun > PART_BYTES {
            parts.push_str("]\n");
            begun = parts.len();
        }
        parts.push(if parts.len() == begun { '[' } else { ',' });
        change.put(&mut parts);
        if place + 1 == changes.len() {
            parts.push_str("]\n");
        }
    }
    parts
}

/// Hands the events of a page to rows, until one cannot be folded.
struct FoldSink<'f> {
    wanted: Wanted,
    rows: &'f mut dyn Rows,
    left: usize,
    failure: Option<FoldError>,
}

impl FoldSink<'_> {
    fn wants(&self, stream: &str) -> bool {
        let aggregates = self.wanted.aggregates;
        aggregates.len() < 2 || {
            let name = stream.split_once('-').map_or("", |(name, _)| name);
            aggregates.contains(&name)
        }
    }
}

impl Sink for FoldSink<'_> {
    fn begin(&mut self, _events: usize) {}

    fn put(
        &mut self,
        event: &Recorded<'_>,
        fields: &EventFields<'_>,
        _stream: usize,
        _status: CommitStatus,
    ) -> Result<(), StoreError> {
        self.left = self.left.saturating_sub(1);
        if self.failure.is_none()
            && self.wants(event.stream)
            && let Err(failure) = self.rows.put(event, fields)
        {
            self.failure = Some(failure);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.left == 0 || self.failure.is_some()
    }

    fn has_enough(&self) -> bool {
        self.left == 0
    }
}
