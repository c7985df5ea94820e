//! Export: the log as one file, nothing that can be rebuilt, made part by part.

use std::rc::Rc;

use super::append::MAX_TRIES;
use super::blocks::{BlockId, BlocksError};
use super::export_file::{self, ExportContent};
use super::segments::read_segment;
use super::storage::Storage;
use super::tail::TailEvent;
use super::{Store, StoreError, StoreErrorKind};
use crate::log::FormatError;
use crate::log::block::{Recorded, RecordedCommit};
use crate::log::bytes::put_bytes;
use crate::log::commit::{StreamFields, join_commit};
use crate::log::directory::Directory;
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// Bytes of commits after which another frame begins: who reads one takes it to have less than 64 MiB.
const BODY_BYTES: usize = 16 << 20;

/// Where an export is: what it has written and where it ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExportProgress {
    after: Position,
    until: Position,
    written: ExportContent,
    /// The number of the next part.
    part: u64,
    /// In which life of the log it began.
    life: u64,
    is_over: bool,
}

impl ExportProgress {
    /// Appends the frames of those of `commits` that are not written yet. `events` are in the order of position, dense,
    /// beginning with the one at `first`.
    fn put_commits(
        &mut self,
        out: &mut Vec<u8>,
        commits: &[RecordedCommit<'_>],
        events: &[Recorded<'_>],
        first: Position,
    ) -> Result<(), FormatError> {
        let mut body = Vec::new();
        for commit in commits {
            if commit.position <= self.after || commit.position > self.until {
                continue;
            }
            let mut rest = events
                .get((commit.position.0 - first.0) as usize..)
                .ok_or(FormatError::Cut)?;
            let mut streams = Vec::with_capacity(commit.streams.len());
            for span in &commit.streams {
                let (own, others) = rest.split_at_checked(span.events as usize).ok_or(FormatError::Cut)?;
                rest = others;
                streams.push(StreamFields {
                    stream: span.stream,
                    expected: ExpectedVersion::Exact(Version(span.first.0 - 1)),
                    events: own.iter().map(|event| event.event).collect(),
                });
                self.written.events += span.events;
            }
            let mut bytes = Vec::new();
            join_commit(&mut bytes, commit.header, &streams);
            put_bytes(&mut body, &bytes);
            self.written.commits += 1;
            if body.len() >= BODY_BYTES {
                out.extend(export_file::body(&body));
                body.clear();
            }
        }
        out.extend(export_file::body(&body));
        Ok(())
    }
}

impl<S: Storage> Store<S> {
    /// One part of an export, from 0; none after the last. The parts one after the other are the file.
    /// Part 0 fixes where the export ends; a store makes one export at a time. One that cannot go on, as another one was
    /// begun or the log was cut meanwhile, is `Interrupted`: begin anew.
    pub async fn export_part(&self, part: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.ready().await?;
        if part == 0 {
            let until = {
                let log = self.log.borrow();
                // What is pending may move up meanwhile; it belongs to the export all the same.
                if log.binding.is_some() {
                    Position(u64::MAX)
                } else {
                    log.position()
                }
            };
            self.export.set(Some(ExportProgress {
                until,
                part: 1,
                life: self.blocks.life(),
                ..ExportProgress::default()
            }));
            return Ok(Some(export_file::header(&self.identity.replica)));
        }
        let Some(mut export) = self.export.get().filter(|export| export.part == part) else {
            return Err(interrupted());
        };
        export.part += 1;
        if export.is_over {
            self.export.set(None);
            return Ok(None);
        }
        let (export, content) = self.with_blocks(async || self.try_export(export).await).await?;
        self.export.set(Some(export));
        Ok(Some(content))
    }

    /// The frames of the next segment's commits, or of the tail's with the end.
    async fn try_export(&self, export: ExportProgress) -> Result<(ExportProgress, Vec<u8>), BlocksError> {
        // After a cut, other commits may be in the places of those that are written.
        if export.life != self.blocks.life() {
            return Err(interrupted().into());
        }
        match self.segment_after(export.after) {
            Some(segment) => self.export_segment(export, &segment).await,
            None => self.export_end(export).await,
        }
    }

    fn segment_after(&self, position: Position) -> Option<Rc<Directory>> {
        let log = self.log.borrow();
        log.segments.iter().find(|segment| segment.last() > position).cloned()
    }

    /// The tail's commits and the refusals, both of one moment: a commit that is refused in between, or tried again, would
    /// be in both or in none.
    async fn export_end(&self, mut export: ExportProgress) -> Result<(ExportProgress, Vec<u8>), BlocksError> {
        let mut content = Vec::new();
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            if self.segment_after(export.after).is_some() || export.life != self.blocks.life() {
                // The next part goes on there.
                return Ok((export, content));
            }
            if let Some(refusals) = self.refusals_of_log().await? {
                let log = self.log.borrow();
                let commits: Vec<_> = log.tail.commits().iter().map(|commit| commit.recorded()).collect();
                let events: Vec<_> = log.tail.events().iter().map(TailEvent::recorded).collect();
                export
                    .put_commits(&mut content, &commits, &events, Position(log.tail.base().0 + 1))
                    .map_err(|reason| StoreError::format("the tail", reason))?;
                content.extend(export_file::end(export.written, &refusals));
                export.is_over = true;
                return Ok((export, content));
            }
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    async fn export_segment(
        &self,
        mut export: ExportProgress,
        segment: &Rc<Directory>,
    ) -> Result<(ExportProgress, Vec<u8>), BlocksError> {
        let mut content = Vec::new();
        let blocks: Vec<_> = (0..segment.first_stream_block())
            .map(|number| BlockId::new(segment, number))
            .collect();
        let contents = self.blocks.get(&*self.storage, &blocks).await?;
        read_segment(segment, &contents)
            .and_then(|(events, commits)| export.put_commits(&mut content, &commits, &events, segment.first))
            .map_err(|reason| StoreError::format(format!("segment {}", segment.first.0), reason))?;
        export.after = segment.last();
        Ok((export, content))
    }
}

fn interrupted() -> StoreError {
    StoreErrorKind::Interrupted("the export").into()
}
