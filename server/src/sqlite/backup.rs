//! Backups, and coming back from one.
//!
//! A backup is a file like the one that it is of, made while the server runs. A restored log may have lost its end, and
//! clients know of it: so each space gets a new epoch, and keeps where it parts from the earlier ones.

use std::fs::{self, File};
use std::io::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everfold::sync::{Epoch, Head, LogError, PastEpoch, SpaceState};
use rusqlite::backup::Backup;
use rusqlite::{Connection, Transaction, params};

use super::schema::{open_reader, open_writer};
use super::session::{Session, log_error};
use super::{OpenError, lock};

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It is never written over something.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// One of the files cannot be opened.
    #[error("{}: {source}", .file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// One of the files cannot be moved or written.
    #[error("{}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The system has no randomness for new epochs.
    #[error("no new epoch can be made: {0}")]
    Random(getrandom::Error),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its spaces, with their new epochs.
    pub spaces: Vec<(String, Epoch, Head)>,
    /// Where the file is that was there before.
    pub replaced: Option<PathBuf>,
    /// Why epochs of the file that was there before are not known, if it could not be read.
    pub unread: Option<String>,
}

/// Copies `data`, which may be in use, to `target`, which must not be there.
pub fn backup(data: &Path, target: &Path) -> Result<(), BackupError> {
    // Beside it first: half a backup must not look like one. Two at once would write into each other's.
    let partial = beside(target, "partial");
    let claim = lock(&partial).map_err(|source| match source {
        OpenError::InUse => in_file(&partial, Error::other("another backup to it is under way")),
        source => in_opening(&partial, source),
    })?;
    let made = copy_beside(data, &partial, target);
    drop(remove(&partial));
    drop(fs::remove_file(beside(&partial, "lock")));
    drop(claim);
    made
}

fn copy_beside(data: &Path, partial: &Path, target: &Path) -> Result<(), BackupError> {
    // Nor must anything be beside it: it would be taken for a part of the backup.
    if let Some(part) = parts_of(target).into_iter().find(|part| part.exists()) {
        return Err(BackupError::Exists(part));
    }
    remove(partial)?;
    copy(data, partial)?;
    rename_for_good(partial, target)
}

/// Until the folder is on the disk, a power cut may undo a renaming. Not every system can be asked for that.
fn rename_for_good(file: &Path, place: &Path) -> Result<(), BackupError> {
    fs::rename(file, place).map_err(|source| in_file(place, source))?;
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    drop(File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()));
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let source = open_reader(from).map_err(|source| in_opening(from, source))?;
    let mut target = Connection::open(to).map_err(|source| in_opening(to, source.into()))?;
    // As it is now: without a transaction that reads, what is written meanwhile has the copy begin again.
    let _now = snapshot(&source).map_err(log_error)?;
    let backup = Backup::new(&source, &mut target).map_err(log_error)?;
    backup
        .run_to_completion(4_096, Duration::ZERO, None)
        .map_err(log_error)?;
    drop(backup);
    // A file of its own, without a log beside it.
    target
        .pragma_update(None, "journal_mode", "delete")
        .map_err(log_error)?;
    Ok(())
}

fn snapshot(source: &Connection) -> rusqlite::Result<Transaction<'_>> {
    let transaction = source.unchecked_transaction()?;
    transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(transaction)
}

/// Puts `backup` in the place of `data`. What was there is kept beside it, and nobody may have it open.
pub fn restore(backup: &Path, data: &Path) -> Result<Restored, BackupError> {
    let _lock = lock(data).map_err(|source| in_opening(data, source))?;
    let fresh = beside(data, "restoring");
    remove(&fresh)?;
    let restored = put_in_place(backup, &fresh, data);
    if restored.is_err() {
        // On a full disk it would keep the server from writing.
        drop(remove(&fresh));
    }
    restored
}

fn put_in_place(backup: &Path, fresh: &Path, data: &Path) -> Result<Restored, BackupError> {
    copy(backup, fresh)?;
    let anew = data.exists().then(|| {
        let before = open_reader(data).map_err(|error| error.to_string())?;
        begin_anew(fresh, Some(&before)).map_err(|error| error.to_string())
    });
    let (spaces, unread) = match anew {
        Some(Ok(spaces)) => (spaces, None),
        // What is replaced is often damaged: the backup takes its place all the same.
        unread => (begin_anew(fresh, None)?, unread.and_then(Result::err)),
    };
    let is_there = parts_of(data).iter().any(|part| part.exists());
    let replaced = if is_there { Some(put_aside(data)?) } else { None };
    rename_for_good(fresh, data)?;
    Ok(Restored {
        spaces,
        replaced,
        unread,
    })
}

/// Gives each space of the file a new epoch, in one transaction.
fn begin_anew(file: &Path, before: Option<&Connection>) -> Result<Vec<(String, Epoch, Head)>, BackupError> {
    let mut connection = open_writer(file).map_err(|source| in_opening(file, source))?;
    let transaction = connection.transaction().map_err(log_error)?;
    let session = Session(&transaction);
    let before = before.map(Session);
    let mut names = session.spaces()?;
    if let Some(before) = &before {
        // Clients know spaces that were made after the backup.
        names.extend(
            before
                .spaces()?
                .into_iter()
                .filter(|name| !names.contains(name))
                .collect::<Vec<_>>(),
        );
    }
    let mut spaces = Vec::with_capacity(names.len());
    for name in names {
        let epoch = new_epoch()?;
        let in_backup = session.space(&name)?;
        let past = past_of(&session, before.as_ref(), &name, in_backup.as_ref())?;
        let state = session.create(&name, epoch)?;
        let sql = "UPDATE space SET epoch = ?, claimed_by = NULL, claimed_at = NULL WHERE name = ?";
        session.execute(sql, params![epoch.0, name])?;
        session.execute(
            "DELETE FROM past_epoch WHERE space = (SELECT id FROM space WHERE name = ?)",
            [&name],
        )?;
        for (place, PastEpoch { epoch, forked_at }) in (1_i64..).zip(past) {
            session.execute(
                "INSERT INTO past_epoch (space, place, epoch, number, hash)
                    VALUES ((SELECT id FROM space WHERE name = ?), ?, ?, ?, ?)",
                params![name, place, epoch.0, forked_at.number, forked_at.hash.0],
            )?;
        }
        spaces.push((name, epoch, state.head));
    }
    transaction.commit().map_err(log_error)?;
    // Everything into the file itself: it is moved without what lies beside it.
    connection
        .pragma_update(None, "journal_mode", "delete")
        .map_err(log_error)?;
    Ok(spaces)
}

/// The earlier epochs of a space: those that the backup knows, and those that the file which it replaces knew.
fn past_of(
    session: &Session<'_>,
    before: Option<&Session<'_>>,
    space: &str,
    in_backup: Option<&SpaceState>,
) -> Result<Vec<PastEpoch>, LogError> {
    let mut past = in_backup.map_or_else(Vec::new, |state| ended(state, state.head));
    if let Some(before) = before
        && let Some(replaced) = before.space(space)?
    {
        let common = match in_backup {
            Some(state) => common(session, before, space, state.head.number.min(replaced.head.number))?,
            None => Head::first(space),
        };
        for known in ended(&replaced, common) {
            // What both know parts from the new log no earlier than either of them can tell.
            match past.iter_mut().find(|past| past.epoch == known.epoch) {
                Some(past) if past.forked_at.number >= known.forked_at.number => {}
                Some(past) => *past = known,
                None => past.push(known),
            }
        }
    }
    // Each entry says where the next one parts from it, and counts for all before it.
    past.sort_by_key(|past| past.forked_at.number);
    Ok(past)
}

/// All epochs of a log that ends with this state, each with what it has in common with one that parts from it at `end`.
fn ended(state: &SpaceState, end: Head) -> Vec<PastEpoch> {
    let mut past = state.past.clone();
    past.push(PastEpoch {
        epoch: state.epoch,
        forked_at: end,
    });
    let mut least = end;
    for past in past.iter_mut().rev() {
        if past.forked_at.number < least.number {
            least = past.forked_at;
        }
        past.forked_at = least;
    }
    past
}

/// The last commit up to `highest` that two logs have in common: equal hashes mean equal logs up to there.
fn common(one: &Session<'_>, other: &Session<'_>, space: &str, highest: u64) -> Result<Head, LogError> {
    let mut found = Head::first(space);
    let (mut low, mut high) = (1, highest);
    while low <= high {
        let number = low.midpoint(high);
        match (one.hash_at(space, number)?, other.hash_at(space, number)?) {
            (Some(hash), Some(same)) if hash == same => {
                found = Head { number, hash };
                low = number + 1;
            }
            _ => high = number - 1,
        }
    }
    Ok(found)
}

/// Gives the file, with what SQLite has beside it, a name that is free. What is beside it stays behind when the file itself is
/// lost, and would be written over the next one in its place.
fn put_aside(data: &Path) -> Result<PathBuf, BackupError> {
    // Without what a server that was killed has left beside it, it is moved whole or not at all. What cannot be read is
    // moved as it is.
    if data.exists() {
        drop(in_one_file(data));
    }
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let free = (0..).map(|attempt| beside(data, &format!("replaced-{}", seconds + attempt)));
    let aside = free
        .into_iter()
        .find(|name| !name.exists())
        .unwrap_or_else(|| beside(data, "replaced"));
    for (from, to) in parts_of(data).iter().zip(parts_of(&aside)).skip(1) {
        if from.exists() {
            fs::rename(from, to).map_err(|source| in_file(from, source))?;
        }
    }
    if data.exists() {
        // Where the system can, a server finds a file in its place at every moment.
        fs::hard_link(data, &aside)
            .or_else(|_| fs::rename(data, &aside))
            .map_err(|source| in_file(data, source))?;
    }
    Ok(aside)
}

fn in_one_file(data: &Path) -> Result<(), OpenError> {
    let connection = open_writer(data)?;
    connection.pragma_update(None, "journal_mode", "delete")?;
    Ok(())
}

fn remove(file: &Path) -> Result<(), BackupError> {
    for file in parts_of(file) {
        if file.exists() {
            fs::remove_file(&file).map_err(|source| in_file(&file, source))?;
        }
    }
    Ok(())
}

/// A file, and what SQLite may have beside it.
fn parts_of(file: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| with_suffix(file, suffix))
}

fn beside(file: &Path, word: &str) -> PathBuf {
    with_suffix(file, &format!(".{word}"))
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn new_epoch() -> Result<Epoch, BackupError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(BackupError::Random)?;
    Ok(Epoch(bytes))
}

fn in_opening(file: &Path, source: OpenError) -> BackupError {
    BackupError::Open {
        file: file.to_owned(),
        source,
    }
}

fn in_file(file: &Path, source: std::io::Error) -> BackupError {
    BackupError::File {
        file: file.to_owned(),
        source,
    }
}
