//! What records of the journal do to the tail: add commits, confirm, replace or drop those that are pending.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::{Tail, TailCommit, TailEvent};
use crate::log::FormatError;
use crate::log::commit::{CommitParts, read_commit, split_commit};
use crate::log::record::{CommitStatus, JournalRecord, RecordKind, decode_record};
use crate::position::Position;
use crate::store::StoreError;
use crate::stream::{ExpectedVersion, Version};

/// What became of a commit that was pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is in the confirmed log.
    Confirmed,
    /// It was decided again, with other events.
    Changed,
    /// It is among the refusals.
    Refused,
}

/// What a record did besides adding commits at the end.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Streams whose events are others than before.
    pub(crate) streams: HashSet<String>,
    /// Commits that were pending, with their attempts.
    pub(crate) settled: Vec<(String, Settled, u64)>,
    /// Pending events are others than before, or elsewhere, or none any more without having been confirmed as they stood.
    pub(crate) rebased: bool,
    /// It did anything else than to add commits at the end.
    pub(crate) turned: bool,
}

/// A commit on its way into the tail.
struct Draft {
    id: Rc<str>,
    attempt: u64,
    header: Rc<[u8]>,
    envelope: Rc<[u8]>,
    reads: Vec<Rc<str>>,
    /// Stream, the version before that it was written with, number of events.
    streams: Vec<(Rc<str>, Version, u64)>,
    record: Rc<[u8]>,
    events: Vec<Range<usize>>,
}

impl Draft {
    fn names(&self) -> impl Iterator<Item = String> {
        self.streams.iter().map(|(stream, ..)| stream.to_string())
    }
}

impl Tail {
    /// Adds the next record of the journal. On an error the tail is what it was.
    pub(crate) fn push(&mut self, number: u64, record: Vec<u8>) -> Result<News, StoreError> {
        let name = || format!("journal record {number}");
        if number != self.number + 1 {
            return Err(StoreError::gap(name(), number, self.number + 1));
        }
        let record: Rc<[u8]> = record.into();
        let decoded = decode_record(&record).map_err(|reason| StoreError::format(name(), reason))?;
        let mut news = News::default();
        if decoded.counts_at(number) {
            let pending = decoded.status == CommitStatus::Pending;
            let drafts = decoded
                .commits
                .iter()
                .map(|bytes| self.draft(&record, split_commit(bytes)?, pending))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|reason| StoreError::format(name(), reason))?;
            match (decoded.kind, decoded.status) {
                (RecordKind::Appended, CommitStatus::Confirmed) if self.pending() > 0 => {
                    let reason = FormatError::Malformed("place of a confirmed commit");
                    return Err(StoreError::format(name(), reason));
                }
                (RecordKind::Appended, status) => drafts.into_iter().for_each(|draft| self.add(draft, status)),
                (RecordKind::Pulled, _) => self.pull(drafts, &decoded, &mut news),
                (RecordKind::Rebased, _) => self.rebase(drafts, &decoded, &mut news),
                (RecordKind::Carried, _) => {
                    drop(self.take_pending());
                    for draft in drafts {
                        self.add(draft, CommitStatus::Pending);
                    }
                }
            }
            if decoded.kind != RecordKind::Appended {
                news.turned = true;
                self.mark(&decoded.undecided);
            }
            if !pending {
                self.confirmed_bytes += record.len() as u64;
            }
        }
        self.number = number;
        self.records += 1;
        self.bytes += record.len() as u64;
        Ok(news)
    }

    /// The commits of `drafts` are confirmed.
    #[inline(never)] // `push` is hot, this is not
    fn pull(&mut self, drafts: Vec<Draft>, record: &JournalRecord<'_>, news: &mut News) {
        let mut drafts = drafts.into_iter().peekable();
        let before = self.confirmed_commits;
        while let Some(draft) = drafts.next_if(|draft| self.stands(draft)) {
            news.settled
                .push((draft.id.to_string(), Settled::Confirmed, draft.attempt));
            self.confirm(draft);
        }
        self.undecided.drain(..self.confirmed_commits - before);
        if drafts.peek().is_none() && record.dropped.is_empty() {
            return;
        }
        let drafts: Vec<_> = drafts.map(|draft| (self.pending_place(&draft.id), draft)).collect();
        let dropped: Vec<_> = record.dropped.iter().map(|id| self.pending_place(id)).collect();
        let mut pending = self.take_pending();
        news.rebased = !pending.is_empty();
        let mut left = vec![true; pending.len()];
        let mut take = |place: Option<usize>| std::mem::take(left.get_mut(place?)?).then(|| pending.get(place?))?;
        let mut names = Vec::new();
        for (place, draft) in drafts {
            names.extend(draft.names());
            if let Some(own) = take(place) {
                names.extend(own.names());
                news.settled
                    .push((draft.id.to_string(), Settled::Confirmed, draft.attempt));
            }
            self.add(draft, CommitStatus::Confirmed);
        }
        for own in dropped.into_iter().filter_map(take) {
            names.extend(own.names());
            news.settled.push((own.id.to_string(), Settled::Refused, own.attempt));
        }
        news.streams.extend(names);
        let mut left = left.into_iter();
        pending.retain(|_| left.next() == Some(true));
        for draft in pending {
            self.add(draft, CommitStatus::Pending);
        }
    }

    /// Whether `confirmed` is the first pending commit, as it stands.
    fn stands(&self, confirmed: &Draft) -> bool {
        let Some(own) = self.pending_commits().first() else {
            return false;
        };
        let events = self.events_in(own).iter().map(TailEvent::bytes);
        let spans = own
            .streams
            .iter()
            .map(|(stream, first, events)| (stream, first.0 - 1, *events));
        own.id == confirmed.id
            && own.attempt == confirmed.attempt
            && spans.eq(confirmed
                .streams
                .iter()
                .map(|(stream, before, events)| (stream, before.0, *events)))
            && events.eq(confirmed
                .events
                .iter()
                .map(|range| confirmed.record.get(range.clone()).unwrap_or_default()))
    }

    /// The first pending commit is confirmed, as it stands.
    fn confirm(&mut self, confirmed: Draft) {
        let Some(own) = self.commits.get_mut(self.confirmed_commits) else {
            return;
        };
        let commit = Rc::new(TailCommit {
            id: confirmed.id,
            attempt: confirmed.attempt,
            header: confirmed.header,
            envelope: confirmed.envelope,
            status: CommitStatus::Confirmed,
            position: own.position,
            streams: own.streams.clone(),
            reads: Vec::new(),
        });
        *own = Rc::clone(&commit);
        let events = self.events.iter_mut().skip(self.confirmed_events);
        for (event, bytes) in events.zip(confirmed.events) {
            event.commit = Rc::clone(&commit);
            event.record = Rc::clone(&confirmed.record);
            event.bytes = bytes;
            self.confirmed_events += 1;
        }
        self.confirmed_commits += 1;
    }

    /// Pending commits are replaced by those of the same ids, or are none any more.
    #[inline(never)] // as `pull`
    fn rebase(&mut self, drafts: Vec<Draft>, record: &JournalRecord<'_>, news: &mut News) {
        let mut drafts: HashMap<Rc<str>, Draft> =
            drafts.into_iter().map(|draft| (Rc::clone(&draft.id), draft)).collect();
        let dropped: HashSet<&str> = record.dropped.iter().copied().collect();
        for old in self.take_pending() {
            let new = drafts.remove(&old.id);
            let refused = dropped.contains(&*old.id);
            let changed = new.as_ref().filter(|new| new.attempt != old.attempt);
            if refused || changed.is_some() {
                let settled = if refused { Settled::Refused } else { Settled::Changed };
                let attempt = changed.map_or(old.attempt, |new| new.attempt);
                news.settled.push((old.id.to_string(), settled, attempt));
                news.streams.extend(old.names());
                news.streams.extend(changed.into_iter().flat_map(Draft::names));
                news.rebased = true;
            }
            if !refused {
                self.add(new.unwrap_or(old), CommitStatus::Pending);
            }
        }
    }

    /// Takes the pending commits out, in their order.
    fn take_pending(&mut self) -> Vec<Draft> {
        let events = self.events.split_off(self.confirmed_events);
        let commits = self.commits.split_off(self.confirmed_commits);
        self.undecided.clear();
        for event in &events {
            if let Some(places) = self.events_by_stream.get_mut(&event.stream) {
                places.pop();
                if places.is_empty() {
                    self.events_by_stream.remove(&event.stream);
                }
            }
        }
        let mut events = events.into_iter();
        let mut drafts = Vec::with_capacity(commits.len());
        for commit in commits {
            self.commit_by_id.remove(&commit.id);
            let own: Vec<_> = events.by_ref().take(commit.events()).collect();
            let Some(record) = own.first().map(|event| Rc::clone(&event.record)) else {
                continue;
            };
            drafts.push(Draft {
                id: Rc::clone(&commit.id),
                attempt: commit.attempt,
                header: Rc::clone(&commit.header),
                envelope: Rc::clone(&commit.envelope),
                reads: commit.reads.clone(),
                streams: commit
                    .streams
                    .iter()
                    .map(|(stream, first, events)| (Rc::clone(stream), Version(first.0 - 1), *events))
                    .collect(),
                record,
                events: own.into_iter().map(|event| event.bytes).collect(),
            });
        }
        drafts
    }

    fn mark(&mut self, runs: &[u64]) {
        let (mut place, mut kind) = (0, false);
        self.undecided.fill(false);
        for run in runs {
            for undecided in self.undecided.iter_mut().skip(place).take(*run as usize) {
                *undecided = kind;
            }
            place += *run as usize;
            kind = !kind;
        }
    }

    fn draft(&self, record: &Rc<[u8]>, parts: CommitParts<'_>, pending: bool) -> Result<Draft, FormatError> {
        let fields = read_commit(&parts.header)?;
        let name = |stream: &str| match self.events_by_stream.get_key_value(stream) {
            Some((name, _)) => Rc::clone(name),
            None => Rc::from(stream),
        };
        let reads = fields.reads.iter().filter(|_| pending);
        let (id, attempt) = (Rc::from(&*fields.id), fields.attempt);
        let reads = reads.map(|(stream, _)| name(stream)).collect();
        let mut streams = Vec::with_capacity(parts.streams.len());
        let mut events = Vec::new();
        for stream in &parts.streams {
            let ExpectedVersion::Exact(before) = stream.expected else {
                return Err(FormatError::Missing("version of a confirmed stream"));
            };
            streams.push((name(stream.stream), before, stream.events.len() as u64));
            events.extend(stream.events.iter().map(|bytes| {
                let start = offset(record, bytes);
                start..start + bytes.len()
            }));
        }
        Ok(Draft {
            id,
            attempt,
            header: Rc::from(&*parts.header),
            envelope: parts.envelope.into(),
            reads,
            streams,
            record: Rc::clone(record),
            events,
        })
    }

    /// Adds a commit at the end.
    fn add(&mut self, draft: Draft, status: CommitStatus) {
        let pending = status == CommitStatus::Pending;
        let mut streams = draft.streams;
        for (stream, before, _) in &mut streams {
            if pending {
                let head = self.head(stream);
                *before = head.unwrap_or(*before);
                if head.is_none() {
                    self.bases.insert(Rc::clone(stream), *before);
                }
            }
            *before = before.next();
        }
        let commit = Rc::new(TailCommit {
            id: draft.id,
            attempt: draft.attempt,
            header: draft.header,
            envelope: draft.envelope,
            status,
            position: Position(self.position().0 + 1),
            streams,
            reads: if pending { draft.reads } else { Vec::new() },
        });
        let mut bytes = draft.events.into_iter();
        let mut index = 0;
        for (name, first, events) in &commit.streams {
            let mut version = *first;
            for bytes in bytes.by_ref().take(*events as usize) {
                self.events_by_stream
                    .entry(Rc::clone(name))
                    .or_default()
                    .push(self.events.len());
                self.events.push(TailEvent {
                    position: Position(self.position().0 + 1),
                    stream: Rc::clone(name),
                    version,
                    commit: Rc::clone(&commit),
                    index,
                    record: Rc::clone(&draft.record),
                    bytes,
                });
                version = version.next();
                index += 1;
            }
        }
        self.commit_by_id.insert(Rc::clone(&commit.id), self.commits.len());
        self.commits.push(commit);
        if pending {
            self.undecided.push(false);
        } else {
            self.confirmed_commits = self.commits.len();
            self.confirmed_events = self.events.len();
        }
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
