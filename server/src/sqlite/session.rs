//! What is asked of the tables, over one connection.

use everfold::stream::Version;
use everfold::sync::{
    Appended, Claim, Epoch, Hash, Head, KnownCommit, LogError, PageLimit, PastEpoch, SpaceState, StoredCommit,
    StoredText, first_hash,
};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

/// Bits of a key that are the number.
const NUMBER_BITS: u32 = 40;
const MAX_NUMBER: u64 = (1 << NUMBER_BITS) - 1;
/// What is left of a key for its space, but for the sign.
const MAX_SPACE: i64 = i64::MAX >> NUMBER_BITS;

/// One connection, in a transaction if it writes.
#[derive(Debug)]
pub struct Session<'c>(pub(super) &'c Connection);

type Result<T> = std::result::Result<T, LogError>;

impl Session<'_> {
    pub(super) fn spaces(&self) -> Result<Vec<String>> {
        let mut statement = self
            .0
            .prepare_cached("SELECT name FROM space ORDER BY name")
            .map_err(log_error)?;
        let names = statement.query_map([], |row| row.get(0)).map_err(log_error)?;
        names.collect::<rusqlite::Result<_>>().map_err(log_error)
    }

    pub(super) fn space(&self, space: &str) -> Result<Option<SpaceState>> {
        let read = |row: &Row<'_>| {
            let claim = match (row.get::<_, Option<String>>(4)?, row.get::<_, Option<i64>>(5)?) {
                (Some(replica), Some(pushed_at)) => Some(Claim { replica, pushed_at }),
                _ => None,
            };
            let state = SpaceState {
                epoch: Epoch(row.get(1)?),
                head: head(row, 2)?,
                claim,
                past: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, state))
        };
        let found = self
            .0
            .prepare_cached("SELECT id, epoch, number, hash, claimed_by, claimed_at FROM space WHERE name = ?")
            .and_then(|mut statement| statement.query_row([space], read).optional())
            .map_err(log_error)?;
        let Some((id, mut state)) = found else { return Ok(None) };
        let mut statement = self
            .0
            .prepare_cached("SELECT epoch, number, hash FROM past_epoch WHERE space = ? ORDER BY place")
            .map_err(log_error)?;
        let past = |row: &Row<'_>| {
            Ok(PastEpoch {
                epoch: Epoch(row.get(0)?),
                forked_at: head(row, 1)?,
            })
        };
        let past = statement.query_map([id], past).map_err(log_error)?;
        state.past = past.collect::<rusqlite::Result<_>>().map_err(log_error)?;
        Ok(Some(state))
    }

    pub(super) fn create(&self, space: &str, epoch: Epoch) -> Result<SpaceState> {
        let sql = "INSERT INTO space (name, epoch, number, hash) VALUES (?, ?, 0, ?) ON CONFLICT (name) DO NOTHING";
        let made = self.execute(sql, params![space, epoch.0, first_hash(space).0])?;
        if made > 0 && self.id(space)? > MAX_SPACE {
            return Err(LogError::Full(format!("a file has at most {MAX_SPACE} spaces")));
        }
        self.space(space)?.ok_or_else(|| no_space(space))
    }

    pub(super) fn find(&self, space: &str, ids: &[&str]) -> Result<Vec<Option<KnownCommit>>> {
        let space = self.id(space)?;
        let sql = "SELECT key, attempt, digest FROM log WHERE space = ? AND id = ?";
        let mut statement = self.0.prepare_cached(sql).map_err(log_error)?;
        let known = |row: &Row<'_>| {
            Ok(KnownCommit {
                number: number_of(row.get(0)?),
                attempt: row.get(1)?,
                digest: Hash(row.get(2)?),
            })
        };
        let found = ids
            .iter()
            .map(|id| statement.query_row(params![space, id], known).optional());
        found.collect::<rusqlite::Result<_>>().map_err(log_error)
    }

    pub(super) fn versions(&self, space: &str, streams: &[&str]) -> Result<Vec<Version>> {
        let space = self.id(space)?;
        let sql = "SELECT version FROM stream WHERE space = ? AND id = ? ORDER BY version DESC LIMIT 1";
        let mut statement = self.0.prepare_cached(sql).map_err(log_error)?;
        let versions = streams.iter().map(|stream| {
            let found = statement
                .query_row(params![space, stream], |row| row.get(0))
                .optional()?;
            Ok(Version(found.unwrap_or(0)))
        });
        versions.collect::<rusqlite::Result<_>>().map_err(log_error)
    }

    /// Must be in a transaction, which must be ended as a failure if this fails.
    pub(super) fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> Result<Appended> {
        let state = self.space(space)?.ok_or_else(|| no_space(space))?;
        if (state.epoch, state.head, &state.claim) != (expected.epoch, expected.head, &expected.claim) {
            return Ok(Appended::HeadMoved);
        }
        let id = self.id(space)?;
        for (number, commit) in (state.head.number + 1..).zip(commits) {
            if commit.number != number {
                return Err(LogError::Damaged(format!(
                    "commit {} would be number {number}",
                    commit.number
                )));
            }
            self.put(id, commit)?;
        }
        let head = commits.last().map_or(state.head, |last| Head {
            number: last.number,
            hash: last.hash,
        });
        self.execute(
            "UPDATE space SET number = ?, hash = ?, claimed_by = ?, claimed_at = ? WHERE id = ?",
            params![
                head.number,
                head.hash.0,
                claim.map(|claim| &claim.replica),
                claim.map(|claim| claim.pushed_at),
                id
            ],
        )?;
        Ok(Appended::Done)
    }

    fn put(&self, space: i64, commit: &StoredCommit) -> Result<()> {
        let key = key(space, commit.number)?;
        self.execute(
            "INSERT INTO log (key, space, id, attempt, digest, hash, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                key,
                space,
                commit.id,
                commit.attempt,
                commit.digest.0,
                commit.hash.0,
                commit.text
            ],
        )?;
        for (stream, version) in &commit.streams {
            let sql = "INSERT INTO stream (space, id, version, key) VALUES (?, ?, ?, ?)";
            self.execute(sql, params![space, stream, version.0, key])?;
        }
        Ok(())
    }

    pub(super) fn read(&self, space: &str, after: u64, limit: PageLimit) -> Result<Vec<StoredText>> {
        let space = self.id(space)?;
        let sql = "SELECT key, hash, text FROM log WHERE key > ? AND key <= ? ORDER BY key LIMIT ?";
        let mut statement = self.0.prepare_cached(sql).map_err(log_error)?;
        let bounds = params![key(space, after)?, key(space, MAX_NUMBER)?, limit.commits.max(1) as i64];
        let rows = statement.query(bounds).map_err(log_error)?;
        let mut page = page(rows, limit).map_err(log_error)?;
        let dense = (after + 1..)
            .zip(&page)
            .take_while(|(number, found)| *number == found.number)
            .count();
        if dense == 0 && !page.is_empty() {
            return Err(LogError::Damaged(format!(
                "there is no commit {}, and there are later ones",
                after + 1
            )));
        }
        page.truncate(dense);
        Ok(page)
    }

    pub(super) fn read_stream(
        &self,
        space: &str,
        stream: &str,
        after: Version,
        limit: PageLimit,
    ) -> Result<Vec<StoredText>> {
        let sql = "SELECT log.key, log.hash, log.text FROM stream JOIN log ON log.key = stream.key
            WHERE stream.space = ? AND stream.id = ? AND stream.version > ? ORDER BY stream.version LIMIT ?";
        let mut statement = self.0.prepare_cached(sql).map_err(log_error)?;
        let bounds = params![self.id(space)?, stream, after.0, limit.commits.max(1) as i64];
        let rows = statement.query(bounds).map_err(log_error)?;
        page(rows, limit).map_err(log_error)
    }

    /// The commit whose last event of this stream has this version.
    pub(super) fn part(&self, space: &str, stream: &str, version: Version) -> Result<Option<u64>> {
        let place = params![self.id(space)?, stream, version.0];
        self.0
            .prepare_cached("SELECT key FROM stream WHERE space = ? AND id = ? AND version = ?")
            .and_then(|mut statement| statement.query_row(place, |row| row.get(0)).optional())
            .map(|key| key.map(number_of))
            .map_err(log_error)
    }

    /// How many such commits there are for all streams together.
    pub(super) fn parts(&self, space: &str) -> Result<u64> {
        let space = self.id(space)?;
        let count = |row: &Row<'_>| row.get(0);
        self.0
            .query_row("SELECT count(*) FROM stream WHERE space = ?", [space], count)
            .map_err(log_error)
    }

    pub(super) fn hash_at(&self, space: &str, number: u64) -> Result<Option<Hash>> {
        let id = self.id(space)?;
        if number == 0 {
            return Ok(Some(first_hash(space)));
        }
        if number > MAX_NUMBER {
            return Ok(None);
        }
        let key = key(id, number)?;
        self.0
            .prepare_cached("SELECT hash FROM log WHERE key = ?")
            .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
            .map(|found| found.map(Hash))
            .map_err(log_error)
    }

    fn id(&self, space: &str) -> Result<i64> {
        self.0
            .prepare_cached("SELECT id FROM space WHERE name = ?")
            .and_then(|mut statement| statement.query_row([space], |row| row.get(0)).optional())
            .map_err(log_error)?
            .ok_or_else(|| no_space(space))
    }

    pub(super) fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(log_error)
    }
}

fn key(space: i64, number: u64) -> Result<i64> {
    if number > MAX_NUMBER {
        return Err(LogError::Full(format!("a space has at most {MAX_NUMBER} commits")));
    }
    Ok((space << NUMBER_BITS) | number as i64)
}

fn number_of(key: i64) -> u64 {
    key as u64 & MAX_NUMBER
}

fn head(row: &Row<'_>, at: usize) -> rusqlite::Result<Head> {
    Ok(Head {
        number: row.get(at)?,
        hash: Hash(row.get(at + 1)?),
    })
}

/// Rows of key, hash and text, at least one of them if there is one.
fn page(mut rows: Rows<'_>, limit: PageLimit) -> rusqlite::Result<Vec<StoredText>> {
    let mut page = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let text: String = row.get(2)?;
        bytes += text.len();
        if !page.is_empty() && bytes > limit.bytes {
            break;
        }
        page.push(StoredText {
            number: number_of(row.get(0)?),
            hash: Hash(row.get(1)?),
            text,
        });
    }
    Ok(page)
}

fn no_space(space: &str) -> LogError {
    LogError::Unavailable(format!("there is no space {space}"))
}

/// What SQLite says, as a log says it.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
pub(super) fn log_error(error: rusqlite::Error) -> LogError {
    use rusqlite::ErrorCode;
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LogError::Full(text),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => LogError::ReadOnly(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation) => {
            LogError::Damaged(text)
        }
        Some(_) => LogError::Unavailable(text),
        // A value of another type than the one that was written.
        None => LogError::Damaged(text),
    }
}
