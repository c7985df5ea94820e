//! Import: an exported log into a store, in one transaction, all of it or nothing.

use std::collections::HashMap;

use serde::Serialize;

use super::append::{MAX_TRIES, put_segment, seal};
use super::blocks::BlocksError;
use super::export_file::{ExportContent, ExportFile, read_file};
use super::meta::Floor;
use super::refusals::RefusalKind;
use super::segments::place;
use super::storage::{Change, Check, Key, KeyRange, Storage, Table, Write};
use super::{Store, StoreError, StoreErrorKind};
use crate::commit::Mode;
use crate::log::commit::{CommitFields, CommitParts, join_commit, put_header, read_commit};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// What an import added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Position of the last event of the log afterwards.
    pub position: Position,
    /// What was new.
    #[serde(flatten)]
    pub added: ExportContent,
}

impl<S: Storage> Store<S> {
    /// Writes an export file into this store, which must be empty, or with `merge` those of its commits
    /// whose ids are new, after what is there; with sync they become pending facts. One transaction, all or nothing; costs
    /// memory for the whole file.
    pub async fn import(&self, file: &[u8], merge: bool) -> Result<Imported, StoreError> {
        let _writing = self.writing.lock().await;
        let contents = read_file(file)?;
        let damaged = |reason| StoreError::format("the import file", reason);
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            self.refresh().await?;
            let position = self.log.borrow().position();
            if !merge && position.0 > 0 {
                return Err(StoreErrorKind::NotEmpty(position.0).into());
            }
            let (commits, heads) = match self.new_commits(&contents).await {
                Ok(new) => new,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            };
            let refusals = self.new_refusals(&contents.refusals).await?;
            if commits.is_empty() {
                if !refusals.changes.is_empty() {
                    self.storage.write(refusals).await?;
                }
                return Ok(Imported {
                    position,
                    added: ExportContent::default(),
                });
            }
            if self.log.borrow().binding.is_some() {
                match self.import_pending(&commits, heads, refusals).await? {
                    Some(imported) => return Ok(imported),
                    None => continue,
                }
            }
            let (mut write, floor) = self.floor_above_tail()?;
            write.changes.extend(refusals.changes);
            let segments = place(&commits, position, Some(heads)).map_err(damaged)?;
            let last = segments.last().map_or(position, |segment| segment.directory.last());
            for segment in segments {
                put_segment(&mut write, &segment.directory, segment.blocks);
            }
            let floor = Floor {
                position: last,
                changes: floor.changes + 1,
                ..floor
            };
            write
                .changes
                .push(Change::Put(Table::Meta, Floor::key(), floor.encode()));
            if self.write_log(write).await? {
                self.refresh().await?;
                return Ok(Imported {
                    position: last,
                    added: ExportContent {
                        events: last.0 - position.0,
                        commits: commits.len() as u64,
                    },
                });
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Appends commits as pending facts: the server says when and by whom it got them. None if another tab was first.
    async fn import_pending(
        &self,
        commits: &[CommitParts<'_>],
        mut heads: HashMap<String, Version>,
        mut write: Write,
    ) -> Result<Option<Imported>, StoreError> {
        let damaged = |reason| StoreError::format("the import file", reason);
        let (number, position, subject) = {
            let log = self.log.borrow();
            (log.tail.number() + 1, log.position(), log.bound()?.subject.clone())
        };
        let mut added = ExportContent::default();
        let mut texts = Vec::with_capacity(commits.len());
        for commit in commits {
            let fields = read_commit(&commit.header).map_err(damaged)?;
            let mut bytes = Vec::new();
            let fact = CommitFields {
                mode: Mode::Fact,
                reads: Vec::new(),
                subject: Some(&subject),
                actor: None,
                received_at: None,
                ..fields
            };
            put_header(&mut bytes, &fact);
            let mut streams = commit.streams.clone();
            for stream in &mut streams {
                let head = heads.entry(stream.stream.to_owned()).or_default();
                stream.expected = ExpectedVersion::Exact(*head);
                head.0 += stream.events.len() as u64;
                added.events += stream.events.len() as u64;
            }
            join_commit(&mut bytes, &[], &streams);
            texts.push(bytes);
            added.commits += 1;
        }
        let position = Position(position.0 + added.events);
        let record = {
            let log = self.log.borrow();
            log.appended(number, position, texts.iter().map(Vec::as_slice))
        };
        write.changes.push(Change::Append {
            value: record.clone(),
            expected: number,
        });
        if !self.write_log(write).await? {
            return Ok(None);
        }
        self.log.borrow_mut().push(number, record)?;
        Ok(Some(Imported { position, added }))
    }

    /// A write that seals the tail, if there is one, and the floor above it. It fails if another tab
    /// appended meanwhile: the journal's next number is taken, by a record that is deleted again.
    fn floor_above_tail(&self) -> Result<(Write, Floor), StoreError> {
        let log = self.log.borrow();
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        let floor = if log.tail.events().is_empty() {
            write.checks.push(Check {
                table: Table::Meta,
                key: Floor::key(),
                expected: Some(log.stored_floor.clone()),
            });
            log.floor
        } else {
            seal(&log, None, &mut write)?.1
        };
        let number = log.tail.number() + 1;
        write.changes.insert(
            0,
            Change::Append {
                value: Vec::new(),
                expected: number,
            },
        );
        write
            .changes
            .push(Change::Delete(Table::Journal, KeyRange::up_to(Key::from(number))));
        Ok((write, Floor { number, ..floor }))
    }

    /// The commits of a file that the log does not hold, and the versions of their streams.
    async fn new_commits<'f>(
        &self,
        file: &'f ExportFile,
    ) -> Result<(Vec<CommitParts<'f>>, HashMap<String, Version>), BlocksError> {
        let damaged = |reason| StoreError::format("the import file", reason);
        let mut commits = file.commits().collect::<Result<Vec<_>, _>>().map_err(damaged)?;
        self.leave_out_known(&mut commits).await?;
        let streams = commits
            .iter()
            .flat_map(|commit| &commit.streams)
            .map(|stream| stream.stream);
        let heads = self.find_heads(streams.collect()).await?;
        Ok((commits, heads))
    }

    /// Removes the commits that the log holds already, or that were refused: their ids cannot be used again.
    async fn leave_out_known(&self, commits: &mut Vec<CommitParts<'_>>) -> Result<(), BlocksError> {
        let mut known = HashMap::new();
        {
            let ids = commits
                .iter()
                .map(|commit| id_of(&commit.header))
                .collect::<Result<Vec<_>, _>>()?;
            for some in ids.chunks(1_000) {
                known.extend(self.find_commits(some.iter().map(String::as_str).collect()).await?);
            }
        }
        // What was lost, and is still offered again, may come back by a file as well.
        let refused = self
            .refused_ids(|refusal| refusal.is_final() && (refusal.kind != RefusalKind::Orphaned || refusal.dismissed))
            .await?;
        let mut failed = None;
        commits.retain(|commit| {
            let Ok(fields) = read_commit(&commit.header) else {
                return false;
            };
            match known.get(&*fields.id) {
                None => !refused.contains(&*fields.id),
                Some(receipt) => {
                    if receipt.digest != fields.digest {
                        failed = Some(receipt.commit_id.clone());
                    }
                    false
                }
            }
        });
        match failed {
            Some(id) => Err(StoreError::from(StoreErrorKind::CommitIdReused(id)).into()),
            None => Ok(()),
        }
    }
}

fn id_of(header: &[u8]) -> Result<String, StoreError> {
    read_commit(header)
        .map(|fields| fields.id.into_owned())
        .map_err(|reason| StoreError::format("a commit of the import file", reason))
}
