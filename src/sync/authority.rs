//! The authority: the server's side of sync, over a [`SpaceLog`].
//!
//! It reads what a request needs, lets the pure part judge, and writes with compare-and-set; when
//! another push came first it judges again. Tokens, rates and HTTP are the server's.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::commit::WireCommit;
use super::cursor::{Cursor, Epoch, Head};
use super::judge::{By, Ground, Judgement, Verdict, judge};
use super::limits::{CLAIM_HOLDS, Limits};
use super::message::{Adopt, PROTOCOL, PushRequest};
use super::problem::{Problem, ProblemKind};
use super::rules::{Rules, Streams};
use super::space_log::{
    Appended, Claim, KnownCommit, LogError, PageLimit, PastEpoch, SpaceLog, SpaceState, StoredText,
};
use crate::json::{ObjectWriter, parse};
use crate::plant::{Plant, is_planted};
use crate::stream::{Version, check_id};

/// So often a push is judged again because another one came first.
const ATTEMPTS: usize = 32;
/// So much of a stream is read at once for the rules.
const STREAM_PAGE: PageLimit = PageLimit {
    commits: 1_000,
    bytes: 1 << 20,
};

/// Judges pushes and reads pages, for all spaces of a log.
#[derive(Debug)]
pub struct Authority<L> {
    log: L,
    limits: Limits,
}

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The answer, JSON.
    pub text: String,
    /// The end of the log.
    pub head: Head,
    /// How many of its commits ended how.
    pub counts: PushCounts,
}

/// How many commits of a push ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PushCounts {
    /// Confirmed now.
    pub accepted: usize,
    /// Confirmed before.
    pub duplicates: usize,
    /// Decided on what is not so any more.
    pub conflicts: usize,
    /// Never to be confirmed.
    pub refused: usize,
    /// Behind one that ended the push.
    pub not_attempted: usize,
}

/// A page of confirmed commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The answer, JSON.
    pub text: String,
    /// The place after its last commit.
    pub cursor: Cursor,
    /// How many commits it has.
    pub commits: usize,
    /// Whether there are others after it.
    pub more: bool,
}

/// Whether `space` may name a space: 1 to 128 of `A-Z a-z 0-9 . _ -`, but for `.` and `..`, which are no part of an address.
pub fn is_space_name(space: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&space.len()) && space.bytes().all(allowed) && !matches!(space, "." | "..")
}

/// Reads a cursor of a request.
pub fn read_cursor(text: &str) -> Result<Cursor, Problem> {
    text.parse()
        .map_err(|error| Problem::new(ProblemKind::Malformed, error))
}

impl<L: SpaceLog> Authority<L> {
    /// Over a log.
    pub fn new(log: L, limits: Limits) -> Self {
        Self { log, limits }
    }

    /// Its log.
    pub fn log(&self) -> &L {
        &self.log
    }

    /// What it takes at once.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes a space, if there is none, with this random epoch.
    pub async fn create(&self, space: &str, epoch: Epoch) -> Result<SpaceState, Problem> {
        if !is_space_name(space) {
            return Err(unknown_space(space));
        }
        Ok(self.log.create(space, epoch).await?)
    }

    /// What a device asks first: how the space is, and what the server takes. JSON.
    pub async fn capabilities(&self, space: &str, now: i64) -> Result<String, Problem> {
        let state = self.state(space).await?;
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        let mut protocol = ObjectWriter::new(object.field("protocol"));
        protocol.number("min", PROTOCOL as i64);
        protocol.number("max", PROTOCOL as i64);
        protocol.end();
        object.text("space", space);
        object.text("epoch", &state.epoch.to_string());
        state.head.write(object.field("head"));
        object.text("cursor", &state.head.cursor(state.epoch).to_string());
        object.number("time", now);
        match holder(&state, now) {
            Some(replica) => object.text("claimedBy", replica),
            None => object.raw("claimedBy", "null"),
        }
        self.limits.write(object.field("limits"));
        object.end();
        Ok(out)
    }

    /// Judges a push that was [read](super::read_push), stores what is accepted and answers.
    pub async fn push<R: Rules>(
        &self,
        space: &str,
        actor: &str,
        request: &PushRequest<'_>,
        now: i64,
        rules: &R,
    ) -> Result<Pushed, Problem> {
        check_subject(actor, request)?;
        for _ in 0..ATTEMPTS {
            let state = self.state(space).await?;
            self.check_cursor(space, &state, &request.base).await?;
            let known = self.known(space, request).await?;
            check_claim(&state, request, &known, now)?;
            let texts = self.needed(space, request, rules).await?;
            let ground = Ground {
                head: state.head,
                known,
                versions: self.versions(space, request).await?,
                streams: streams_of(&texts)?,
            };
            let by = By {
                actor,
                now,
                rules,
                limits: &self.limits,
            };
            let judgement = judge(request, ground, by);
            let claim = claim_after(&state, request, &judgement, now);
            if !judgement.stored.is_empty() || claim != state.claim {
                let append = self
                    .log
                    .append(space, &state, &judgement.stored, claim.as_ref())
                    .await?;
                if append == Appended::HeadMoved {
                    continue;
                }
            }
            return self.answer(space, &state, request, &judgement).await;
        }
        let detail = format!("{ATTEMPTS} times another push came first");
        Err(Problem::new(ProblemKind::Overloaded, detail))
    }

    /// Confirmed commits after a cursor, from the beginning without one.
    pub async fn pull(&self, space: &str, after: Option<&Cursor>, limit: PageLimit) -> Result<Pulled, Problem> {
        let state = self.state(space).await?;
        if let Some(cursor) = after {
            self.check_cursor(space, &state, cursor).await?;
        }
        let base = after.map_or(0, |cursor| cursor.number);
        let page = self.page(space, &state, base, limit).await?;
        let last = match page.last() {
            Some(last) => Head {
                number: last.number,
                hash: last.hash,
            },
            None => state.head,
        };
        let cursor = last.cursor(state.epoch);
        let more = last.number < state.head.number;
        let mut text = String::new();
        let mut object = ObjectWriter::new(&mut text);
        state.head.write(object.field("head"));
        object.list("commits", &page, |commit, out| out.push_str(&commit.text));
        write_end(&mut object, &cursor, more);
        object.end();
        Ok(Pulled {
            text,
            cursor,
            commits: page.len(),
            more,
        })
    }

    /// What became of a commit. JSON.
    pub async fn outcome(&self, space: &str, id: &str) -> Result<String, Problem> {
        self.state(space).await?;
        let unknown = || Problem::new(ProblemKind::CommitUnknown, format!("there is no commit {id:?}"));
        check_id(id).map_err(|_| unknown())?;
        let found = self.log.find(space, &[id]).await?;
        let known = found.into_iter().flatten().next().ok_or_else(unknown)?;
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("id", id);
        object.text("status", "accepted");
        object.number("number", known.number as i64);
        object.number("attempt", known.attempt as i64);
        object.text("digest", &known.digest.to_string());
        object.end();
        Ok(out)
    }

    async fn state(&self, space: &str) -> Result<SpaceState, Problem> {
        if !is_space_name(space) {
            return Err(unknown_space(space));
        }
        self.log.space(space).await?.ok_or_else(|| unknown_space(space))
    }

    /// Whether a device's history, up to its cursor, is that of the space.
    async fn check_cursor(&self, space: &str, state: &SpaceState, cursor: &Cursor) -> Result<(), Problem> {
        let same_life = cursor.epoch == state.epoch || is_planted(Plant::EpochIgnored);
        let forked = fork(&state.past, cursor.epoch);
        if !same_life && forked.is_none_or(|forked| forked.number < cursor.number) {
            return Err(Problem::epoch_changed(state.epoch, cursor.epoch, forked));
        }
        let hash = match cursor.number {
            number if number == state.head.number => Some(state.head.hash),
            number if number > state.head.number => None,
            number => self.log.hash_at(space, number).await?,
        };
        let common = hash.filter(|hash| hash.prefix() == cursor.hash);
        match common {
            Some(_) if same_life => Ok(()),
            // The device was not as far as the fork: it has all in common, and goes on in the new epoch.
            Some(hash) => {
                let place = Head {
                    number: cursor.number,
                    hash,
                };
                Err(Problem::epoch_changed(state.epoch, cursor.epoch, Some(place)))
            }
            None => {
                let detail = format!(
                    "commit {} of the device is not in the log, which ends at {}",
                    cursor.number, state.head.number
                );
                Err(Problem::new(ProblemKind::HistoryDiverged, detail))
            }
        }
    }

    async fn known<'r>(
        &self,
        space: &str,
        request: &'r PushRequest<'_>,
    ) -> Result<HashMap<&'r str, KnownCommit>, Problem> {
        let ids: Vec<&str> = request.commits.iter().map(|commit| &*commit.id).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.log.find(space, &ids).await?;
        let known = ids.into_iter().zip(found);
        Ok(known.filter_map(|(id, known)| Some((id, known?))).collect())
    }

    async fn versions<'r>(
        &self,
        space: &str,
        request: &'r PushRequest<'_>,
    ) -> Result<HashMap<&'r str, Version>, Problem> {
        let mut streams = BTreeSet::new();
        for commit in &request.commits {
            streams.extend(commit.streams.iter().flatten().map(|stream| &*stream.stream_id));
            streams.extend(commit.reads.iter().map(|read| &*read.stream_id));
        }
        if streams.is_empty() {
            return Ok(HashMap::new());
        }
        let streams: Vec<&str> = streams.into_iter().collect();
        let versions = self.log.versions(space, &streams).await?;
        Ok(streams.into_iter().zip(versions).collect())
    }

    /// The commits of each stream that the rules need.
    async fn needed<R: Rules>(
        &self,
        space: &str,
        request: &PushRequest<'_>,
        rules: &R,
    ) -> Result<Vec<(String, Vec<StoredText>)>, Problem> {
        let streams: BTreeSet<String> = request.commits.iter().flat_map(|commit| rules.needs(commit)).collect();
        let mut needed = Vec::with_capacity(streams.len());
        for stream in streams {
            let mut commits: Vec<StoredText> = Vec::new();
            let mut after = Version(0);
            loop {
                let page = self.log.read_stream(space, &stream, after, STREAM_PAGE).await?;
                let Some(last) = page.last() else { break };
                after = version_after(last, &stream)?;
                commits.extend(page);
            }
            needed.push((stream, commits));
        }
        Ok(needed)
    }

    /// Commits after number `base`, up to the head that `state` says.
    async fn page(
        &self,
        space: &str,
        state: &SpaceState,
        base: u64,
        limit: PageLimit,
    ) -> Result<Vec<StoredText>, Problem> {
        if base == state.head.number {
            return Ok(Vec::new());
        }
        let mut page = self.log.read(space, base, limit).await?;
        // Another life may have begun since the state was read: its commits must not come under the old epoch.
        let now = self.state(space).await?;
        if now.epoch != state.epoch {
            let forked = fork(&now.past, state.epoch);
            return Err(Problem::epoch_changed(now.epoch, state.epoch, forked));
        }
        page.retain(|commit| commit.number <= state.head.number);
        let is_dense = (base + 1..).zip(&page).all(|(number, commit)| commit.number == number);
        if is_planted(Plant::PageWithHole) && page.len() > 2 {
            page.remove(1);
        }
        if is_dense && !page.is_empty() {
            return Ok(page);
        }
        // A page past a hole would take it to every device.
        let detail = format!(
            "commits after {base} are missing, the log ends at {}",
            state.head.number
        );
        Err(LogError::Damaged(detail).into())
    }

    async fn answer(
        &self,
        space: &str,
        before: &SpaceState,
        request: &PushRequest<'_>,
        judgement: &Judgement,
    ) -> Result<Pushed, Problem> {
        let limit = self.limits.page(None, None);
        let page = self.page(space, before, request.base.number, limit).await?;
        let last = page.last();
        let reached = last.map_or(request.base.number, |last| last.number);
        let (cursor, receipts) = match last {
            Some(last) if reached < before.head.number => {
                let last = Head {
                    number: reached,
                    hash: last.hash,
                };
                (last.cursor(before.epoch), &[][..])
            }
            _ => (judgement.head.cursor(before.epoch), &*judgement.receipts),
        };
        let mut text = String::new();
        let mut object = ObjectWriter::new(&mut text);
        judgement.head.write(object.field("head"));
        let verdicts: Vec<_> = judgement.verdicts.iter().enumerate().collect();
        object.list("results", &verdicts, |(index, verdict), out| {
            verdict.write(request, *index, out);
        });
        let commits: Vec<&str> = page
            .iter()
            .map(|commit| &*commit.text)
            .chain(receipts.iter().map(|receipt| &**receipt))
            .collect();
        object.list("commits", &commits, |commit, out| out.push_str(commit));
        write_end(&mut object, &cursor, cursor.number < judgement.head.number);
        object.end();
        Ok(Pushed {
            text,
            head: judgement.head,
            counts: count(&judgement.verdicts),
        })
    }
}

fn write_end(object: &mut ObjectWriter<'_>, cursor: &Cursor, more: bool) {
    object.text("cursor", &cursor.to_string());
    object.flag("more", more);
}

fn unknown_space(space: &str) -> Problem {
    Problem::new(ProblemKind::SpaceUnknown, format!("there is no space {space:?}"))
}

fn count(verdicts: &[Verdict]) -> PushCounts {
    let mut counts = PushCounts::default();
    for verdict in verdicts {
        *match verdict {
            Verdict::Accepted { .. } => &mut counts.accepted,
            Verdict::Duplicate(_) => &mut counts.duplicates,
            Verdict::Conflict { .. } => &mut counts.conflicts,
            Verdict::Refused(_) => &mut counts.refused,
            Verdict::NotAttempted { .. } => &mut counts.not_attempted,
        } += 1;
    }
    counts
}

/// The last commit that the log of an earlier epoch and today's have in common. Each later fork may go back further.
fn fork(past: &[PastEpoch], epoch: Epoch) -> Option<Head> {
    let from = past.iter().position(|past| past.epoch == epoch)?;
    let later = past.iter().skip(from).map(|past| past.forked_at);
    later.min_by_key(|forked_at| forked_at.number)
}

/// Who holds a space at this time.
fn holder(state: &SpaceState, now: i64) -> Option<&str> {
    let claim = state.claim.as_ref()?;
    (now.abs_diff(claim.pushed_at) <= CLAIM_HOLDS as u64).then_some(&*claim.replica)
}

/// What is pending on a device that several people use waits for who made it: nobody becomes the actor of the work of
/// another one. What other devices made is only given back.
fn check_subject(actor: &str, request: &PushRequest<'_>) -> Result<(), Problem> {
    let own = |commit: &&WireCommit<'_>| commit.replica == request.replica;
    let of_others = |commit: &WireCommit<'_>| commit.subject.as_ref().is_some_and(|subject| subject != actor);
    match request.commits.iter().filter(own).find(|commit| of_others(commit)) {
        Some(commit) => {
            let subject = commit.subject.as_deref().unwrap_or_default();
            let detail = format!(
                "commit {} is the work of {subject}, the token is that of {actor}",
                commit.id
            );
            Err(Problem::new(ProblemKind::SubjectMismatch, detail))
        }
        None => Ok(()),
    }
}

/// Whether a claim, or none, lets this push through.
fn check_claim(
    state: &SpaceState,
    request: &PushRequest<'_>,
    known: &HashMap<&str, KnownCommit>,
    now: i64,
) -> Result<(), Problem> {
    let all_known = request.commits.iter().all(|commit| known.contains_key(&*commit.id));
    if all_known && !request.commits.is_empty() {
        // A repetition: nothing will be stored.
        return Ok(());
    }
    if request.adopt.is_none() {
        return match holder(state, now) {
            // Its holder may leave it at what it has adopted.
            Some(replica) if !request.commits.is_empty() && *replica != request.replica => {
                let detail = format!("replica {replica} is adopting its history");
                let mut problem = Problem::new(ProblemKind::SpaceClaimed, detail);
                problem.retry_after = Some(5);
                Err(problem)
            }
            _ => Ok(()),
        };
    }
    let is_mine = state
        .claim
        .as_ref()
        .is_some_and(|claim| claim.replica == request.replica);
    if is_mine || (state.head.number == 0 && holder(state, now).is_none()) {
        return Ok(());
    }
    let detail = match holder(state, now) {
        Some(replica) => format!("replica {replica} is adopting its history"),
        None => format!("its log ends at {}", state.head.number),
    };
    Err(Problem::new(ProblemKind::SpaceNotEmpty, detail))
}

/// The claim that holds after a push.
fn claim_after(state: &SpaceState, request: &PushRequest<'_>, judgement: &Judgement, now: i64) -> Option<Claim> {
    let stores = !judgement.stored.is_empty();
    let done = |verdict: &Verdict| matches!(verdict, Verdict::Accepted { .. } | Verdict::Duplicate(_));
    let is_mine = state
        .claim
        .as_ref()
        .is_some_and(|claim| claim.replica == request.replica);
    match request.adopt {
        // Others may write: a claim that holds would not have let them.
        None if stores => None,
        None => state.claim.clone(),
        // A repetition of what someone adopted.
        Some(_) if !stores && !is_mine && state.head.number > 0 => state.claim.clone(),
        Some(Adopt::Last) if judgement.verdicts.iter().all(done) => None,
        Some(_) => Some(Claim {
            replica: request.replica.to_string(),
            pushed_at: now,
        }),
    }
}

/// The version of a stream after a stored commit that writes it.
fn version_after(stored: &StoredText, stream_id: &str) -> Result<Version, Problem> {
    let commit = read_stored(stored)?;
    let written = commit
        .streams
        .iter()
        .flatten()
        .find(|stream| stream.stream_id == stream_id);
    let after = written.map(|stream| Version(stream.before.unwrap_or_default().0 + stream.events.len() as u64));
    after.ok_or_else(|| damaged(stored, "it does not write its stream"))
}

fn read_stored(stored: &StoredText) -> Result<WireCommit<'_>, Problem> {
    parse(&stored.text).map_err(|error| damaged(stored, error))
}

fn damaged(stored: &StoredText, why: impl std::fmt::Display) -> Problem {
    LogError::Damaged(format!("commit {}: {why}", stored.number)).into()
}

fn streams_of(needed: &[(String, Vec<StoredText>)]) -> Result<Streams<'_>, Problem> {
    let mut streams = Streams::default();
    for (stream_id, commits) in needed {
        let mut events = Vec::new();
        for stored in commits {
            let written = read_stored(stored)?.streams.into_iter().flatten();
            events.extend(
                written
                    .filter(|stream| stream.stream_id == *stream_id)
                    .flat_map(|stream| stream.events),
            );
        }
        streams.events.insert(Cow::Borrowed(stream_id), events);
    }
    Ok(streams)
}
