//! Pulling: what the server confirmed goes below what is pending.
//!
//! Answers are judged as a whole first: numbers without a hole, versions, the chain of hashes. Then one
//! transaction writes the commits and how far the store has come, or nothing. What is pending on streams that others
//! wrote to is to be decided again; nothing is decided here.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::append::MAX_TRIES;
use super::binding::Binding;
use super::blocks::BlocksError;
use super::carry::{Left, Raised, raise};
use super::ingest::{SEGMENT_FROM_BYTES, SEGMENT_FROM_EVENTS};
use super::log::{Foreign, Log, Settlements};
use super::refusals::{Refusal, RefusalKind};
use super::storage::{Change, KeyRange, Storage, Table, Write};
use super::tail::{Settled, TailCommit};
use super::wire::{put_wire, wire_of};
use super::{Progress, Store, StoreError};
use crate::hex::hex;
use crate::log::FormatError;
use crate::log::commit::read_commit;
use crate::log::record::{RecordKind, SyncRecord};
use crate::plant::{Plant, is_planted};
use crate::position::Position;
use crate::stream::Version;
use crate::sync::{Hash, Problem, ProblemKind, PushAnswer, PushResult, WireCommit, digest, next_hash};

/// Pending commits that are carried together with segments that a pull writes.
const CARRIED_WITH_SEGMENTS: usize = 1_000;

/// What a pull led to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Pulled {
    /// Where the log is now.
    pub progress: Progress,
    /// Whether pending commits are to be decided again.
    pub rebase: bool,
    /// Whether the server has more.
    pub more: bool,
    /// Whether a push ended before its end.
    pub stopped: bool,
    /// Whether anything was accepted, or is new here: however many commits were appended meanwhile.
    pub moved: bool,
    /// Pending commits that the server refused: they are among the refusals.
    pub refused: Vec<String>,
}

/// Answers of the server, in their order, with what becomes of their commits whatever the log holds: it can be worked out
/// while earlier ones are stored.
#[derive(Debug)]
pub struct Answers<'a> {
    answers: Vec<PushAnswer<'a>>,
    /// Of every commit, one answer after the other; none of one in short form, which says too little.
    prepared: Vec<Option<Prepared>>,
}

/// A commit that was said as a whole.
#[derive(Debug)]
struct Prepared {
    digest: Hash,
    /// As it is stored, or why it cannot be.
    bytes: Result<Vec<u8>, FormatError>,
}

impl Prepared {
    fn new(commit: &WireCommit<'_>) -> Self {
        let mut bytes = Vec::with_capacity(320);
        let put = put_wire(&mut bytes, commit);
        Self {
            digest: digest(commit),
            bytes: put.map(|()| bytes),
        }
    }
}

impl<'a> From<Vec<PushAnswer<'a>>> for Answers<'a> {
    fn from(answers: Vec<PushAnswer<'a>>) -> Self {
        let commits = answers.iter().flat_map(|answer| &answer.page.commits);
        Self {
            prepared: commits
                .map(|commit| commit.streams.is_some().then(|| Prepared::new(commit)))
                .collect(),
            answers,
        }
    }
}

/// Answers that are right, and what they make of the log.
struct Judged<'a> {
    /// New confirmed commits, as they are stored.
    commits: Vec<Cow<'a, [u8]>>,
    /// How many bytes and events they have.
    bytes: usize,
    events: u64,
    /// Versions of their streams after them.
    heads: HashMap<String, Version>,
    binding: Binding,
    left: Left,
    refused: Vec<(Rc<TailCommit>, String)>,
    /// New commits of this device that were not pending: of these, those that are among the refusals. The server has
    /// taken an old push that was long on its way.
    others: HashSet<String>,
    /// Streams whose events are others than before.
    dirty: HashSet<String>,
    settled: Vec<(String, Settled, u64)>,
}

impl<S: Storage> Store<S> {
    /// Stores what the answers, in their order, say that is new.
    pub async fn pulled(&self, answers: &Answers<'_>) -> Result<Pulled, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.make_room().await?;
            self.check_leads(&self.log.borrow())?;
            self.log.borrow().check_adopted()?;
            let mut judged = match self.judge(answers).await {
                Ok(judged) => judged,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            };
            if !judged.others.is_empty() {
                // Boxed: this is rare, and a copy of it in every caller would be large.
                judged.others = Box::pin(self.find_refused(judged.others)).await?;
            }
            let refused: Vec<_> = judged.refused.iter().map(|(commit, _)| commit.id.to_string()).collect();
            let nothing = judged.is_nothing(&self.log.borrow());
            if nothing || self.write_pulled(judged).await? {
                let rebase = self.log.borrow().tail.undecided().contains(&true);
                let accepted = |result: &PushResult<'_>| matches!(result, PushResult::Accepted { .. });
                let moved = !nothing || answers.results().any(accepted);
                let mut results = answers.results();
                return Ok(Pulled {
                    rebase,
                    moved,
                    progress: self.progress(Vec::new()),
                    more: answers.more(),
                    stopped: results
                        .any(|result| !matches!(result, PushResult::Accepted { .. } | PushResult::Duplicate { .. })),
                    refused,
                });
            }
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn judge<'a>(&self, answers: &'a Answers<'_>) -> Result<Judged<'a>, BlocksError> {
        let mut streams = HashSet::new();
        {
            let log = self.log.borrow();
            for commit in answers.commits_after(log.bound()?.head.number) {
                if let Some(whole) = &commit.streams {
                    add_streams(&mut streams, whole.iter().map(|stream| &*stream.stream_id));
                } else if let Some(own) = log.tail.commit(&commit.id) {
                    add_streams(&mut streams, own.streams.iter().map(|(stream, ..)| &**stream));
                }
            }
        }
        let heads = self.confirmed_heads(streams).await?;
        let log = self.log.borrow();
        let mut judged = judge(&log, answers, heads, &self.pushed.borrow())?;
        let own = answers
            .commits_after(log.bound()?.head.number)
            .filter(|commit| commit.replica == self.identity.replica && log.tail.commit(&commit.id).is_none());
        judged.others.extend(own.map(|commit| commit.id.to_string()));
        Ok(judged)
    }

    /// False if another tab was first.
    async fn write_pulled(&self, judged: Judged<'_>) -> Result<bool, StoreError> {
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        for id in &judged.others {
            let refusal = KeyRange::only(Refusal::key(id));
            write.changes.push(Change::Delete(Table::Meta, refusal));
        }
        for (commit, problem) in &judged.refused {
            let log = self.log.borrow();
            Refusal::of(&log.tail, commit, RefusalKind::Refused, problem).put(&mut write);
        }
        let is_large = judged.events >= SEGMENT_FROM_EVENTS as u64 || judged.bytes >= SEGMENT_FROM_BYTES;
        let (number, record, raised): (u64, Vec<u8>, Option<Raised>) = {
            let log = self.log.borrow();
            judged.binding.put(log.stored_binding.clone(), &mut write);
            let number = log.tail.number() + 1;
            if is_large && judged.left.len() <= CARRIED_WITH_SEGMENTS {
                let raised = raise(&log, &judged.commits, judged.heads, &judged.left, &mut write)?;
                (number, Vec::new(), Some(raised))
            } else {
                let pending: usize = judged.left.iter().map(|(commit, _)| commit.events()).sum();
                let dropped: Vec<_> = judged.refused.iter().map(|(commit, _)| &*commit.id).collect();
                let record = SyncRecord {
                    kind: RecordKind::Pulled,
                    number,
                    end: Position(judged.binding.confirmed.0 + pending as u64),
                    commits: &judged.commits.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
                    dropped: &dropped,
                    undecided: &judged.left.iter().map(|(_, undecided)| *undecided).collect::<Vec<_>>(),
                    pending: judged.left.len() as u64,
                }
                .encode();
                write.changes.push(Change::Append {
                    value: record.clone(),
                    expected: number,
                });
                (number, record, None)
            }
        };
        if !self.write_log(write).await? {
            return Ok(false);
        }
        let mut log = self.log.borrow_mut();
        log.bind(Some(judged.binding.encode()))?;
        match raised {
            None => log.push(number, record)?,
            Some(raised) => {
                let had_pending = log.pending() > 0;
                log.raised(raised)?;
                log.rebased |= !judged.dirty.is_empty() && had_pending;
                log.turns += 1;
                log.merges += 1;
                if let Foreign::Streams(streams) = &mut log.foreign {
                    streams.extend(judged.dirty);
                }
                if let Settlements::Commits(settled) = &mut log.settled {
                    settled.extend(judged.settled);
                }
            }
        }
        Ok(true)
    }
}

impl<'a> Answers<'a> {
    fn results(&self) -> impl Iterator<Item = &PushResult<'a>> {
        self.answers.iter().flat_map(|answer| &answer.results)
    }

    /// Whether the server has more.
    fn more(&self) -> bool {
        self.answers.last().is_some_and(|answer| answer.page.more)
    }

    /// The commits with higher numbers than `known`.
    fn commits_after(&self, known: u64) -> impl Iterator<Item = &WireCommit<'a>> {
        let commits = self.answers.iter().flat_map(|answer| &answer.page.commits);
        commits.filter(move |commit| commit.number.is_some_and(|number| number > known))
    }
}

/// Many commits write to few streams.
fn add_streams<'s>(set: &mut HashSet<String>, streams: impl Iterator<Item = &'s str>) {
    for stream in streams {
        if !set.contains(stream) {
            set.insert(stream.to_owned());
        }
    }
}

impl Judged<'_> {
    fn is_nothing(&self, log: &Log) -> bool {
        self.refused.is_empty() && log.binding.as_ref() == Some(&self.binding)
    }
}

/// What `answers` make of `log`. `heads` holds the versions in the confirmed log of all streams that they write to.
fn judge<'a>(
    log: &Log,
    answers: &'a Answers<'_>,
    heads: HashMap<String, Version>,
    pushed: &HashMap<String, u64>,
) -> Result<Judged<'a>, StoreError> {
    let mut judged = Judged {
        commits: Vec::new(),
        bytes: 0,
        events: 0,
        heads,
        binding: log.bound()?.clone(),
        left: log.tail.left(),
        refused: Vec::new(),
        others: HashSet::new(),
        dirty: HashSet::new(),
        settled: Vec::new(),
    };
    let mut gone = vec![false; judged.left.len()];
    let mut first = 0;
    let mut prepared = answers.prepared.iter();
    for answer in &answers.answers {
        let before = judged.binding.head.number;
        for (commit, prepared) in answer.page.commits.iter().zip(prepared.by_ref()) {
            let number = commit
                .number
                .ok_or_else(|| StoreError::protocol("a commit has no number".to_owned()))?;
            if number <= judged.binding.head.number {
                continue;
            }
            if number != judged.binding.head.number + 1 {
                return Err(StoreError::diverged(format!(
                    "commit {number} follows {}",
                    judged.binding.head.number
                )));
            }
            let place = log
                .tail
                .pending_place(&commit.id)
                .filter(|place| gone.get(*place) == Some(&false));
            let own = place
                .and_then(|place| judged.left.get(place))
                .map(|(own, _)| Rc::clone(own));
            let stood = judged.confirm(log, (commit, prepared.as_ref()), own.as_deref(), place == Some(first))?;
            if let (Some(place), Some(own)) = (place, own) {
                if let Some(gone) = gone.get_mut(place) {
                    *gone = !is_planted(Plant::ConfirmedStaysPending)
                        && (stood || !is_planted(Plant::AcceptedDecidedAgain));
                }
                if stood {
                    first += 1;
                } else {
                    judged
                        .dirty
                        .extend(own.streams.iter().map(|(stream, ..)| stream.to_string()));
                }
                let reused = reused(&own, commit)?;
                let settled = match reused {
                    None => Settled::Confirmed,
                    Some(_) => Settled::Refused,
                };
                judged.settled.push((own.id.to_string(), settled, commit.attempt));
                judged.refused.extend(reused.map(|problem| (own, problem)));
            }
        }
        judged.check_place(answer, before)?;
        if answer.page.cursor.number == judged.binding.head.number {
            // Restored to a place that this device has not passed: the hashes say that it is the same log.
            judged.binding.epoch = Some(answer.page.cursor.epoch);
        }
    }
    let more = answers.more();
    for result in answers.results() {
        let PushResult::Refused { id, problem } = result else {
            continue;
        };
        let place = log
            .tail
            .pending_place(id)
            .filter(|place| gone.get(*place) == Some(&false));
        if let Some(place) = place
            && let Some((own, _)) = judged.left.get(place)
            // It has been decided again since it was pushed: then the answer is about what is no more.
            && pushed.get(&**id).is_none_or(|attempt| *attempt == own.attempt)
            // Which commit has its id is on a page that comes: perhaps the same, from elsewhere.
            && !(more && ProblemKind::CommitIdReused.is_of(problem))
        {
            let own = Rc::clone(own);
            if let Some(gone) = gone.get_mut(place) {
                *gone = true;
            }
            judged
                .dirty
                .extend(own.streams.iter().map(|(stream, ..)| stream.to_string()));
            judged.settled.push((own.id.to_string(), Settled::Refused, own.attempt));
            judged.refused.push((own, problem.get().to_owned()));
        }
    }
    if gone.is_empty() {
        judged.dirty = judged.heads.keys().cloned().collect();
    }
    let mut gone = gone.into_iter();
    judged.left.retain(|_| gone.next() == Some(false));
    for (commit, undecided) in &mut judged.left {
        *undecided |= !judged.dirty.is_empty() && commit.stands_on(|stream| judged.dirty.contains(stream));
    }
    Ok(judged)
}

/// Why a pending commit goes if `confirmed` has its id: nothing if it is the same, in whichever form.
fn reused(own: &TailCommit, confirmed: &WireCommit<'_>) -> Result<Option<String>, StoreError> {
    let fields = read_commit(&own.header).map_err(|reason| StoreError::format("a pending commit", reason))?;
    let content = confirmed.content.as_deref().unwrap_or_default();
    if content.is_empty() || fields.digest.is_empty() || content == hex(fields.digest) {
        return Ok(None);
    }
    let detail = format!("commit {} says something else, made by another device", own.id);
    Ok(Some(Problem::new(ProblemKind::CommitIdReused, detail).to_json()))
}

impl<'a> Judged<'a> {
    /// Takes the next commit of the confirmed log. Whether it is `own`, the `first` pending one, as it stands.
    fn confirm(
        &mut self,
        log: &Log,
        (commit, prepared): (&WireCommit<'_>, Option<&'a Prepared>),
        own: Option<&TailCommit>,
        first: bool,
    ) -> Result<bool, StoreError> {
        let damaged = |reason| StoreError::format("a pending commit", reason);
        let stored = own.map(|own| wire_of(&log.tail, own)).transpose().map_err(damaged)?;
        let completed;
        let whole = match (&commit.streams, &stored) {
            (Some(_), _) => commit,
            (None, Some(own)) if own.attempt == commit.attempt => {
                completed = self.complete(commit, own.clone());
                &completed
            }
            _ => return Err(StoreError::protocol(format!("commit {} is not here", commit.id))),
        };
        let mut stands = first && stored.is_some();
        let stored_streams = stored.as_ref().and_then(|own| own.streams.as_deref());
        let mut stored_streams = stored_streams.unwrap_or_default().iter();
        stands &= own.is_some_and(|own| own.attempt == commit.attempt);
        for stream in whole.streams.iter().flatten() {
            let Some(before) = stream.before else {
                return Err(StoreError::protocol("a commit has no firstVersion".to_owned()));
            };
            let head = match self.heads.get_mut(&*stream.stream_id) {
                Some(head) => head,
                None => self.heads.entry(stream.stream_id.to_string()).or_default(),
            };
            if before != *head {
                let number = commit.number.unwrap_or_default();
                return Err(StoreError::diverged(format!(
                    "commit {number} finds stream {} at {before}, here it is at {head}",
                    stream.stream_id
                )));
            }
            stands &= stored_streams.next().is_some_and(|own| own == stream);
            if stream.events.is_empty() {
                return Err(StoreError::protocol("a commit has no events".to_owned()));
            }
            head.0 += stream.events.len() as u64;
            self.events += stream.events.len() as u64;
            self.binding.confirmed.0 += stream.events.len() as u64;
        }
        stands &= stored_streams.next().is_none();
        stands |= is_planted(Plant::WinnerNotDirty) && stored.is_some();
        let unfit = |reason: &FormatError| StoreError::protocol(reason.to_string());
        let (digest, bytes) = if let Some(Prepared { digest, bytes }) = prepared {
            (*digest, Cow::Borrowed(&**bytes.as_ref().map_err(unfit)?))
        } else {
            let Prepared { digest, bytes } = Prepared::new(whole);
            (digest, Cow::Owned(bytes.map_err(|reason| unfit(&reason))?))
        };
        self.binding.head.hash = next_hash(&self.binding.head.hash, whole, &digest);
        self.binding.head.number += 1;
        self.bytes += bytes.len();
        self.commits.push(bytes);
        // Where nothing is pending, nothing stands on them: who wants to know them all finds them at the end.
        if !stands && log.tail.pending() > 0 {
            let streams = whole.streams.iter().flatten();
            add_streams(&mut self.dirty, streams.map(|stream| &*stream.stream_id));
        }
        Ok(stands)
    }

    /// What `own` became by the short form of an answer: its streams are where they are now.
    fn complete<'c>(&self, short: &WireCommit<'c>, own: WireCommit<'c>) -> WireCommit<'c> {
        let mut whole = WireCommit {
            number: short.number,
            actor: short.actor.clone(),
            received_at: short.received_at,
            ..own
        };
        for stream in whole.streams.iter_mut().flatten() {
            stream.before = Some(self.heads.get(&*stream.stream_id).copied().unwrap_or_default());
        }
        whole
    }

    /// Whether an answer ends where it says, and says what the log here says. Before it this was at number `before`.
    fn check_place(&self, answer: &PushAnswer<'_>, before: u64) -> Result<(), StoreError> {
        let (own, page) = (&self.binding.head, &answer.page);
        if page.cursor.number > own.number {
            return Err(StoreError::diverged(format!(
                "a page ends at {}, not at {}",
                page.cursor.number, own.number
            )));
        }
        let differs = page.cursor.number == own.number && page.cursor.hash != own.hash.prefix()
            || page.head.number == own.number && page.head.hash != own.hash;
        if differs || page.head.number < page.cursor.number {
            return Err(StoreError::diverged(format!(
                "the hashes at commit {} differ",
                own.number
            )));
        }
        if own.number > before && page.cursor.number != own.number {
            return Err(StoreError::protocol(
                "the cursor is not that of the last commit".to_owned(),
            ));
        }
        Ok(())
    }
}
