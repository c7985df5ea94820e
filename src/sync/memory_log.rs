//! A log in memory, for tests and simulations.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chain::{Hash, first_hash};
use super::cursor::{Epoch, Head};
use super::space_log::{
    Appended, Claim, KnownCommit, LogError, PageLimit, PastEpoch, SpaceLog, SpaceState, StoredCommit, StoredText,
};
use crate::stream::Version;

/// Logs in memory. They are gone with it.
#[derive(Debug, Default)]
pub struct MemoryLog {
    spaces: Mutex<HashMap<String, Space>>,
}

#[derive(Debug)]
struct Space {
    state: SpaceState,
    commits: Vec<StoredCommit>,
    numbers: HashMap<String, u64>,
    /// By version afterwards, the number of the commit.
    streams: HashMap<String, BTreeMap<Version, u64>>,
}

impl MemoryLog {
    /// Without spaces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a space back to commit `number` under a new epoch, as the restore of a backup does. A space that is not
    /// there, or never was at that number, stays as it is.
    pub fn restore(&self, space: &str, number: u64, epoch: Epoch) {
        let mut spaces = self.lock();
        let Some(found) = spaces.get_mut(space) else { return };
        if number > found.state.head.number {
            return;
        }
        let hash = found.hash_at(space, number);
        let forked_at = Head {
            number,
            hash: hash.unwrap_or_else(|| first_hash(space)),
        };
        let mut restored = Space::new(space, epoch);
        restored.state.past.clone_from(&found.state.past);
        restored.state.past.push(PastEpoch {
            epoch: found.state.epoch,
            forked_at,
        });
        for commit in found.commits.drain(..).take(number as usize) {
            restored.put(commit);
        }
        *found = restored;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Space>> {
        // Nothing is half-written if a thread panicked: changes are checked before the first of them.
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, space: &str, read: impl FnOnce(&Space) -> T) -> Result<T, LogError> {
        self.lock().get(space).map(read).ok_or_else(|| no_space(space))
    }
}

fn no_space(space: &str) -> LogError {
    LogError::Unavailable(format!("there is no space {space}"))
}

impl Space {
    fn new(space: &str, epoch: Epoch) -> Self {
        let state = SpaceState {
            epoch,
            head: Head::first(space),
            claim: None,
            past: Vec::new(),
        };
        Self {
            state,
            commits: Vec::new(),
            numbers: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    fn hash_at(&self, space: &str, number: u64) -> Option<Hash> {
        match number {
            0 => Some(first_hash(space)),
            _ => self.commits.get(number as usize - 1).map(|commit| commit.hash),
        }
    }

    /// Why these commits cannot come next: a mistake of the caller.
    fn objection(&self, commits: &[StoredCommit]) -> Option<String> {
        let mut ids: Vec<&str> = Vec::new();
        for (number, commit) in (self.state.head.number + 1..).zip(commits) {
            if commit.number != number {
                return Some(format!("commit {} would be number {number}", commit.number));
            }
            if self.numbers.contains_key(&commit.id) || ids.contains(&&*commit.id) {
                return Some(format!("there is a commit {}", commit.id));
            }
            ids.push(&commit.id);
        }
        None
    }

    fn put(&mut self, commit: StoredCommit) {
        self.state.head = Head {
            number: commit.number,
            hash: commit.hash,
        };
        self.numbers.insert(commit.id.clone(), commit.number);
        for (stream, version) in &commit.streams {
            let commits = self.streams.entry(stream.clone()).or_default();
            commits.insert(*version, commit.number);
        }
        self.commits.push(commit);
    }

    fn page<'s>(&'s self, numbers: impl Iterator<Item = u64> + 's, limit: PageLimit) -> Vec<StoredText> {
        let mut bytes = 0;
        let commits = numbers.map_while(|number| self.commits.get(number as usize - 1));
        commits
            .enumerate()
            .take_while(|(index, commit)| {
                bytes += commit.text.len();
                *index == 0 || (*index < limit.commits && bytes <= limit.bytes)
            })
            .map(|(_, commit)| StoredText {
                number: commit.number,
                hash: commit.hash,
                text: commit.text.clone(),
            })
            .collect()
    }
}

impl SpaceLog for MemoryLog {
    async fn space(&self, space: &str) -> Result<Option<SpaceState>, LogError> {
        Ok(self.lock().get(space).map(|space| space.state.clone()))
    }

    async fn create(&self, space: &str, epoch: Epoch) -> Result<SpaceState, LogError> {
        let mut spaces = self.lock();
        let made = spaces
            .entry(space.to_owned())
            .or_insert_with(|| Space::new(space, epoch));
        Ok(made.state.clone())
    }

    async fn find(&self, space: &str, ids: &[&str]) -> Result<Vec<Option<KnownCommit>>, LogError> {
        self.with(space, |space| {
            let known = |id: &&str| {
                let commit = space.commits.get(*space.numbers.get(*id)? as usize - 1)?;
                Some(KnownCommit {
                    number: commit.number,
                    attempt: commit.attempt,
                    digest: commit.digest,
                })
            };
            ids.iter().map(known).collect()
        })
    }

    async fn versions(&self, space: &str, streams: &[&str]) -> Result<Vec<Version>, LogError> {
        self.with(space, |space| {
            let last = |stream: &&str| space.streams.get(*stream)?.last_key_value();
            streams
                .iter()
                .map(|stream| last(stream).map_or(Version(0), |(version, _)| *version))
                .collect()
        })
    }

    async fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> Result<Appended, LogError> {
        let mut spaces = self.lock();
        let found = spaces.get_mut(space).ok_or_else(|| no_space(space))?;
        let state = &found.state;
        if (state.epoch, state.head, &state.claim) != (expected.epoch, expected.head, &expected.claim) {
            return Ok(Appended::HeadMoved);
        }
        if let Some(objection) = found.objection(commits) {
            return Err(LogError::Damaged(objection));
        }
        found.state.claim = claim.cloned();
        for commit in commits {
            found.put(commit.clone());
        }
        Ok(Appended::Done)
    }

    async fn read(&self, space: &str, after: u64, limit: PageLimit) -> Result<Vec<StoredText>, LogError> {
        self.with(space, |space| space.page(after + 1.., limit))
    }

    async fn read_stream(
        &self,
        space: &str,
        stream_id: &str,
        after: Version,
        limit: PageLimit,
    ) -> Result<Vec<StoredText>, LogError> {
        self.with(space, |space| match space.streams.get(stream_id) {
            Some(commits) => space.page(commits.range(after.next()..).map(|(_, number)| *number), limit),
            None => Vec::new(),
        })
    }

    async fn hash_at(&self, space: &str, number: u64) -> Result<Option<Hash>, LogError> {
        self.with(space, |found| found.hash_at(space, number))
    }
}
