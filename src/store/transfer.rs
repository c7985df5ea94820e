//! Export and import: the log as one file, nothing that can be rebuilt.
//!
//! ```text
//! file: { length | frame }*      the frames: a header, commits in the order of position, an end
//! ```
//! The end tells how much there must be, so that a cut file is found out. An import is one
//! transaction: all of it or nothing.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;

use super::append::{MAX_TRIES, put_segment, seal};
use super::blocks::{BlockId, BlocksError, Content};
use super::compact::SEGMENT_EVENTS;
use super::meta::Floor;
use super::storage::{Change, Check, Key, KeyRange, Storage, Table, Write};
use super::tail::TailEvent;
use super::{Store, StoreError, StoreErrorKind};
use crate::commit::Mode;
use crate::log::FormatError;
use crate::log::block::{EventsReader, Recorded, RecordedCommit, StreamSpan, pack, read_commits, sort, unpack};
use crate::log::bytes::{Reader, put_bytes, put_field, put_number};
use crate::log::commit::{CommitFields, CommitParts, StreamFields, join_commit, put_header, read_commit, split_commit};
use crate::log::directory::Directory;
use crate::log::frame::{self, Kind};
use crate::log::segment::{self, Segment};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

const PART: u64 = 1;
const REPLICA: u64 = 2;
const EVENTS: u64 = 3;
const COMMITS: u64 = 4;
const REFUSAL: u64 = 5;

const HEADER: u64 = 1;
const BODY: u64 = 2;
const END: u64 = 3;

/// How much a file of an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ExportContent {
    /// Its events.
    pub events: u64,
    /// Its commits.
    pub commits: u64,
}

/// What an import added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Position of the last event of the log afterwards.
    pub position: Position,
    /// What was new.
    #[serde(flatten)]
    pub added: ExportContent,
}

/// Where an export is: what it has written and where it ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExportProgress {
    after: Position,
    until: Position,
    written: ExportContent,
}

impl ExportProgress {
    /// Appends those of `commits` that are not written yet. `events` are in the order of position, dense,
    /// beginning with the one at `first`.
    fn put_commits(
        &mut self,
        out: &mut Vec<u8>,
        commits: &[RecordedCommit<'_>],
        events: &[Recorded<'_>],
        first: Position,
    ) -> Result<(), FormatError> {
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
            put_bytes(out, &bytes);
            self.written.commits += 1;
        }
        Ok(())
    }
}

impl<S: Storage> Store<S> {
    /// One part of an export, from 0; none after the last. The parts one after the other are the file.
    /// Part 0 fixes where the export ends; a store makes one export at a time.
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
                ..ExportProgress::default()
            }));
            let mut frame = begin(HEADER);
            put_field(&mut frame, REPLICA, self.identity.replica.as_bytes());
            return Ok(Some(close(frame)));
        }
        let Some(export) = self.export.get() else {
            return Ok(None);
        };
        if export.after >= export.until {
            let refusals = self.stored_refusals().await?;
            self.export.set(None);
            let mut frame = begin(END);
            put_number(&mut frame, EVENTS, export.written.events);
            put_number(&mut frame, COMMITS, export.written.commits);
            for (id, refusal) in refusals {
                let mut bytes = Vec::new();
                put_bytes(&mut bytes, id.as_bytes());
                bytes.extend_from_slice(&refusal);
                put_field(&mut frame, REFUSAL, &bytes);
            }
            return Ok(Some(close(frame)));
        }
        let (export, content) = self.with_blocks(async || self.try_export(export).await).await?;
        self.export.set(Some(export));
        let mut frame = begin(BODY);
        put_field(&mut frame, COMMITS, &pack(&content));
        Ok(Some(close(frame)))
    }

    /// The next segment's commits, or the tail's.
    async fn try_export(&self, mut export: ExportProgress) -> Result<(ExportProgress, Vec<u8>), BlocksError> {
        let mut content = Vec::new();
        let segment = self
            .log
            .borrow()
            .segments
            .iter()
            .find(|segment| segment.last() > export.after)
            .map(Rc::clone);
        let Some(segment) = segment else {
            let log = self.log.borrow();
            let commits: Vec<_> = log.tail.commits().iter().map(|commit| commit.recorded()).collect();
            let events: Vec<_> = log.tail.events().iter().map(TailEvent::recorded).collect();
            export
                .put_commits(&mut content, &commits, &events, Position(log.tail.base().0 + 1))
                .map_err(|reason| StoreError::format("the tail", reason))?;
            export.after = export.until;
            return Ok((export, content));
        };
        let blocks: Vec<_> = (0..segment.first_stream_block())
            .map(|number| BlockId::new(&segment, number))
            .collect();
        let contents = self.blocks.get(&*self.storage, &blocks).await?;
        read_segment(&segment, &contents)
            .and_then(|(events, commits)| export.put_commits(&mut content, &commits, &events, segment.first))
            .map_err(|reason| StoreError::format(format!("segment {}", segment.first.0), reason))?;
        export.after = segment.last();
        Ok((export, content))
    }

    /// Writes an export file into this store, which must be empty, or with `merge` those of its commits
    /// whose ids are new, after what is there; with sync they become pending facts. One transaction, all or nothing; costs memory for the
    /// whole file.
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

    /// Removes the commits that the log holds already.
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
        let mut failed = None;
        commits.retain(|commit| {
            let Ok(fields) = read_commit(&commit.header) else {
                return false;
            };
            match known.get(&*fields.id) {
                None => true,
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

/// Checks a whole export file, without a store.
pub fn check_export(file: &[u8]) -> Result<ExportContent, StoreError> {
    Ok(read_file(file)?.end)
}

/// A file whose frames, checksums and counts are right.
struct ExportFile {
    /// Unpacked, each the commits of one part.
    parts: Vec<Vec<u8>>,
    /// By the ids of their commits.
    refusals: Vec<(String, Vec<u8>)>,
    end: ExportContent,
}

impl ExportFile {
    fn commits(&self) -> impl Iterator<Item = Result<CommitParts<'_>, FormatError>> {
        self.parts.iter().flat_map(|part| {
            let mut reader = Reader::new(part);
            // Of a cut one nothing is left, and that is no commit.
            std::iter::from_fn(move || (!reader.is_empty()).then(|| split_commit(reader.bytes())))
        })
    }
}

fn read_file(file: &[u8]) -> Result<ExportFile, StoreError> {
    let damaged = |reason| StoreError::format("the import file", reason);
    let mut content = ExportFile {
        parts: Vec::new(),
        refusals: Vec::new(),
        end: ExportContent::default(),
    };
    let mut kinds = Vec::new();
    let mut reader = Reader::new(file);
    while !reader.is_empty() {
        kinds.push(read_part(reader.bytes(), &mut content).map_err(damaged)?);
    }
    let whole = kinds.first() == Some(&HEADER) && kinds.last() == Some(&END);
    if !whole {
        return Err(damaged(FormatError::Cut));
    }
    let mut found = ExportContent::default();
    for commit in content.commits() {
        let commit = commit.map_err(damaged)?;
        read_commit(&commit.header).map_err(damaged)?;
        found.commits += 1;
        found.events += commit
            .streams
            .iter()
            .map(|stream| stream.events.len() as u64)
            .sum::<u64>();
    }
    if found == content.end {
        Ok(content)
    } else {
        Err(damaged(FormatError::Cut))
    }
}

/// Reads one frame of a file into `content` and says which kind it is.
fn read_part(frame: &[u8], content: &mut ExportFile) -> Result<u64, FormatError> {
    let mut kind = 0;
    let mut reader = Reader::of_fields(frame::open(Kind::Export, frame)?);
    while let Some(tag) = reader.next() {
        match (kind, tag) {
            (_, PART) => kind = reader.varint(),
            (BODY, COMMITS) => content.parts.push(unpack(reader.all())?),
            (END, EVENTS) => content.end.events = reader.varint(),
            (END, COMMITS) => content.end.commits = reader.varint(),
            (END, REFUSAL) => {
                let id = reader.text("id of a refusal").to_owned();
                content.refusals.push((id, reader.all().to_vec()));
            }
            _ => {}
        }
    }
    reader.end()?;
    if (HEADER..=END).contains(&kind) {
        Ok(kind)
    } else {
        Err(FormatError::Newer {
            found: kind,
            known: END,
        })
    }
}

fn begin(part: u64) -> Vec<u8> {
    let mut frame = frame::begin(Kind::Export, 64);
    put_number(&mut frame, PART, part);
    frame
}

fn close(frame: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + 16);
    put_bytes(&mut out, &frame::seal(frame));
    out
}

fn id_of(header: &[u8]) -> Result<String, StoreError> {
    read_commit(header)
        .map(|fields| fields.id.into_owned())
        .map_err(|reason| StoreError::format("a commit of the import file", reason))
}

/// The events, by position, and commits of a segment.
pub(crate) fn read_segment<'a>(
    segment: &Directory,
    contents: &'a [Content],
) -> Result<(Vec<Recorded<'a>>, Vec<RecordedCommit<'a>>), FormatError> {
    let (event_blocks, commit_blocks) = contents
        .split_at_checked(segment.first_commit_block())
        .ok_or(FormatError::Cut)?;
    let mut events = Vec::with_capacity(segment.events as usize);
    for content in event_blocks {
        for event in EventsReader::new(content) {
            events.push(event?);
        }
    }
    sort(&mut events, Recorded::by_position);
    let mut commits = Vec::with_capacity(segment.commits as usize);
    for content in commit_blocks {
        commits.extend(read_commits(content)?);
    }
    Ok((events, commits))
}

/// Gives commits their place after `position` and seals them into segments. A stream that `heads` does not know is
/// where its first commit expects it; without `heads` every commit expects what is.
pub(crate) fn place(
    commits: &[CommitParts<'_>],
    position: Position,
    mut heads: Option<HashMap<String, Version>>,
) -> Result<Vec<Segment>, FormatError> {
    let mut segments = Vec::new();
    let (mut events, mut placed) = (Vec::new(), Vec::new());
    let mut last = position;
    for commit in commits {
        let mut streams = Vec::with_capacity(commit.streams.len());
        let first = Position(last.0 + 1);
        let mut index = 0;
        for stream in &commit.streams {
            let mut expected = match stream.expected {
                ExpectedVersion::Exact(version) => version,
                _ => Version(0),
            };
            let head = match &mut heads {
                Some(heads) => heads.entry(stream.stream.to_owned()).or_insert(expected),
                None => &mut expected,
            };
            let span = StreamSpan {
                stream: stream.stream,
                first: head.next(),
                events: stream.events.len() as u64,
            };
            for event in &stream.events {
                *head = head.next();
                last = Position(last.0 + 1);
                events.push(Recorded {
                    position: last,
                    stream: stream.stream,
                    version: *head,
                    envelope: &commit.envelope,
                    index,
                    event,
                });
                index += 1;
            }
            streams.push(span);
        }
        placed.push(RecordedCommit {
            position: first,
            header: &commit.header,
            streams,
        });
        if events.len() as u64 >= SEGMENT_EVENTS {
            segments.push(segment::build(std::mem::take(&mut events), &placed)?);
            placed.clear();
        }
    }
    if !events.is_empty() {
        segments.push(segment::build(events, &placed)?);
    }
    Ok(segments)
}
