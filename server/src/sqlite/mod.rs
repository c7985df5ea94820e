//! Logs in one SQLite file.
//!
//! WAL, so that readers and the writer do not wait for each other; `synchronous=full`, so that what was answered
//! survives a power cut. One connection writes, in [groups](group); readers have connections of their own. Everything
//! here blocks: the futures of [`SqliteLog`] are ready when they are made.

mod backup;
mod group;
mod heads;
mod schema;
mod session;
mod verify;

use std::fs::{File, TryLockError};
use std::future::{Future, ready};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use everfold::stream::Version;
use everfold::sync::{
    Appended, Claim, Epoch, Hash, KnownCommit, LogError, PageLimit, Problem, SpaceLog, SpaceState, StoredCommit,
    StoredText,
};
use rusqlite::Connection;

pub use self::backup::{BackupError, Restored, backup, restore};
pub use self::group::GroupCount;
use self::group::Writer;
pub use self::heads::Heads;
use self::schema::{open_reader, open_writer};
use self::session::Session;
pub use self::verify::{Fault, Verified, verify};

/// Connections that are kept for reading.
const READERS: usize = 8;

/// An open file, the only server's on it.
#[derive(Debug)]
pub struct Database {
    file: PathBuf,
    /// Closed before the one that writes, which is the one that can tidy up at the end.
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
    heads: Heads,
    _lock: File,
}

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("another server runs on this file")]
    InUse,
    /// The lock beside it cannot be made.
    #[error("the file beside it that locks it cannot be made: {0}")]
    Lock(std::io::Error),
    /// It is not one of ours.
    #[error("it is the database of another program")]
    Foreign,
    /// It is of a version to come.
    #[error("it has version {found} of the tables, this server knows {known}")]
    Version {
        /// Its version.
        found: i64,
        /// The one that is known.
        known: i64,
    },
    /// SQLite refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Database {
    /// Opens it, and makes it if it is not there.
    pub fn open(file: &Path, count: GroupCount) -> Result<Arc<Self>, OpenError> {
        let lock = lock(file)?;
        let writer = Writer::new(open_writer(file)?, count);
        let readers = Mutex::new(vec![open_reader(file)?]);
        Ok(Arc::new(Self {
            file: file.to_owned(),
            writer,
            readers,
            heads: Heads::default(),
            _lock: lock,
        }))
    }

    /// The logs in it.
    pub fn log(self: &Arc<Self>) -> SqliteLog<Arc<Self>> {
        SqliteLog(Arc::clone(self))
    }

    /// Who wants to hear of new commits.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Runs `work` on the logs as they are now, with nobody writing meanwhile. What it appends is on disk when this
    /// returns, or, if it fails, was never there.
    pub fn alone<T>(&self, work: impl FnOnce(SqliteLog<Alone<'_>>) -> Result<T, Problem>) -> Result<T, Problem> {
        let mut moved = Vec::new();
        let done = self
            .writer
            .write(|connection| work(SqliteLog(Alone(Mutex::new((connection, &mut moved))))))?;
        for (space, number) in moved {
            self.heads.moved(&space, number);
        }
        Ok(done)
    }

    /// Whether it can be read.
    pub fn is_readable(&self) -> Result<(), LogError> {
        self.read(|session| session.space("").map(drop))
    }

    fn reader(&self) -> Result<Connection, LogError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(connection) => Ok(connection),
            None => open_reader(&self.file).map_err(|error| LogError::Unavailable(error.to_string())),
        }
    }
}

/// A lock beside the file, as SQLite locks the file itself for other purposes. The system takes it back when the
/// process ends, however it does.
fn lock(file: &Path) -> Result<File, OpenError> {
    // Where it really is: whoever comes by a symbolic link comes to the same one. A new file is where it is said to be.
    let mut name = file.canonicalize().unwrap_or_else(|_| file.to_owned()).into_os_string();
    name.push(".lock");
    let lock = File::create(name).map_err(OpenError::Lock)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(OpenError::Lock(error)),
    }
}

/// The logs of a file, through what gives connections to it.
#[derive(Debug)]
pub struct SqliteLog<S>(S);

/// What gives connections, for reading and in a transaction.
pub trait Sessions: Send + Sync {
    #[doc(hidden)]
    fn read<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError>;

    #[doc(hidden)]
    fn write<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError>;

    #[doc(hidden)]
    fn moved(&self, space: &str, number: u64);
}

impl Sessions for Database {
    fn read<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        let connection = self.reader()?;
        let done = work(&Session(&connection));
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(connection);
        }
        done
    }

    fn write<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        self.writer.write(|connection| work(&Session(connection)))
    }

    fn moved(&self, space: &str, number: u64) {
        self.heads.moved(space, number);
    }
}

impl Sessions for Arc<Database> {
    fn read<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        Database::read(self, work)
    }

    fn write<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        Database::write(self, work)
    }

    fn moved(&self, space: &str, number: u64) {
        Database::moved(self, space, number);
    }
}

/// The connection that writes, in a transaction that somebody else ends.
#[derive(Debug)]
pub struct Alone<'c>(Mutex<(&'c mut Connection, &'c mut Vec<(String, u64)>)>);

impl Sessions for Alone<'_> {
    fn read<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&Session(held.0))
    }

    fn write<T>(&self, work: impl FnOnce(&Session<'_>) -> Result<T, LogError>) -> Result<T, LogError> {
        self.read(work)
    }

    fn moved(&self, space: &str, number: u64) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .push((space.to_owned(), number));
    }
}

impl<S: Sessions> SpaceLog for SqliteLog<S> {
    fn space(&self, space: &str) -> impl Future<Output = Result<Option<SpaceState>, LogError>> + Send {
        ready(self.0.read(|session| session.space(space)))
    }

    fn create(&self, space: &str, epoch: Epoch) -> impl Future<Output = Result<SpaceState, LogError>> + Send {
        ready(self.0.write(|session| session.create(space, epoch)))
    }

    fn find(
        &self,
        space: &str,
        ids: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<KnownCommit>>, LogError>> + Send {
        ready(self.0.read(|session| session.find(space, ids)))
    }

    fn versions(&self, space: &str, streams: &[&str]) -> impl Future<Output = Result<Vec<Version>, LogError>> + Send {
        ready(self.0.read(|session| session.versions(space, streams)))
    }

    fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> impl Future<Output = Result<Appended, LogError>> + Send {
        let appended = self.0.write(|session| session.append(space, expected, commits, claim));
        if let (Ok(Appended::Done), Some(last)) = (&appended, commits.last()) {
            self.0.moved(space, last.number);
        }
        ready(appended)
    }

    fn read(
        &self,
        space: &str,
        after: u64,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send {
        ready(self.0.read(|session| session.read(space, after, limit)))
    }

    fn read_stream(
        &self,
        space: &str,
        stream_id: &str,
        after: Version,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send {
        ready(
            self.0
                .read(|session| session.read_stream(space, stream_id, after, limit)),
        )
    }

    fn hash_at(&self, space: &str, number: u64) -> impl Future<Output = Result<Option<Hash>, LogError>> + Send {
        ready(self.0.read(|session| session.hash_at(space, number)))
    }
}
