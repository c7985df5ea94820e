//! Group commit: writes that wait for each other share one transaction, and so one write to the disk.
//!
//! Whoever writes takes the connection, writes inside a savepoint, and then either leaves the transaction open for
//! those who wait already, or ends it for all. No timer, no thread of its own: alone nobody waits, and while the disk
//! is busy with one group the next one gathers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use everfold::sync::LogError;
use prometheus_client::metrics::counter::Counter;
use rusqlite::Connection;

use super::session::log_error;

/// Members after which a group ends, whoever waits.
const LARGEST: usize = 64;

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    state: Mutex<State>,
    /// Those who have not had the connection yet.
    waiting: AtomicUsize,
    ended: Condvar,
    count: GroupCount,
}

/// How many writes shared how many transactions, for the metrics.
#[derive(Debug, Clone, Default)]
pub struct GroupCount {
    /// Writes.
    pub writes: Counter,
    /// Transactions.
    pub transactions: Counter,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    open: Option<Group>,
}

/// A transaction that is open, and how it ends.
#[derive(Debug)]
struct Group {
    members: usize,
    end: Arc<OnceLock<Result<(), LogError>>>,
}

impl Writer {
    pub(super) fn new(connection: Connection, count: GroupCount) -> Self {
        let state = State { connection, open: None };
        Self {
            state: Mutex::new(state),
            waiting: AtomicUsize::new(0),
            ended: Condvar::new(),
            count,
        }
    }

    /// Runs `work` in a transaction, and returns when that is on disk. What fails leaves nothing, and the others alone.
    pub(super) fn write<T, E: From<LogError>>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut state = self.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);

        let end = state.join()?;
        let done = catch_unwind(AssertUnwindSafe(|| state.in_savepoint(work)));
        if self.waiting.load(Ordering::SeqCst) == 0 || state.members() >= LARGEST {
            state.end(&self.count);
            self.ended.notify_all();
        }
        while end.get().is_none() {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let value = done.unwrap_or_else(|panic| resume_unwind(panic))?;
        match end.get() {
            Some(Err(error)) => Err(error.clone().into()),
            _ => Ok(value),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Panics of the work are caught while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn members(&self) -> usize {
        self.open.as_ref().map_or(0, |group| group.members)
    }

    /// Joins the open transaction, or begins one.
    fn join(&mut self) -> Result<Arc<OnceLock<Result<(), LogError>>>, LogError> {
        if self.open.is_none() {
            self.connection.execute_batch("BEGIN IMMEDIATE").map_err(log_error)?;
        }
        let group = self.open.get_or_insert_with(|| Group {
            members: 0,
            end: Arc::default(),
        });
        group.members += 1;
        Ok(Arc::clone(&group.end))
    }

    fn in_savepoint<T, E: From<LogError>>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.connection.is_autocommit() {
            return Err(rolled_back().into());
        }
        self.connection.execute_batch("SAVEPOINT member").map_err(log_error)?;
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut self.connection)));
        let end = match &done {
            Ok(Ok(_)) => "RELEASE member",
            _ => "ROLLBACK TO member; RELEASE member",
        };
        // Some failures of SQLite end the whole transaction by themselves; then there is no savepoint, and no commit.
        let ended = self.connection.execute_batch(end).map_err(log_error);
        let value = done.unwrap_or_else(|panic| resume_unwind(panic))?;
        ended?;
        Ok(value)
    }

    fn end(&mut self, count: &GroupCount) {
        let Some(group) = self.open.take() else { return };
        let ended = if self.connection.is_autocommit() {
            Err(rolled_back())
        } else {
            self.connection.execute_batch("COMMIT").map_err(log_error)
        };
        if ended.is_err() && !self.connection.is_autocommit() {
            // Fails only if there is nothing to roll back.
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        count.writes.inc_by(group.members as u64);
        count.transactions.inc();
        drop(group.end.set(ended));
    }
}

fn rolled_back() -> LogError {
    LogError::Unavailable("the transaction that this was a part of was rolled back".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE line (text TEXT UNIQUE)")
            .unwrap();
        Writer::new(connection, GroupCount::default())
    }

    fn put(connection: &Connection, text: &str) -> Result<(), LogError> {
        connection
            .execute("INSERT INTO line VALUES (?)", [text])
            .map(drop)
            .map_err(log_error)
    }

    fn lines(writer: &Writer) -> i64 {
        let count = |connection: &mut Connection| {
            connection
                .query_row("SELECT count(*) FROM line", [], |row| row.get(0))
                .map_err(log_error)
        };
        writer.write(count).unwrap()
    }

    #[test]
    fn a_member_that_fails_leaves_nothing_and_the_others_alone() {
        let writer = writer();

        thread::scope(|scope| {
            for number in 0..40 {
                let writer = &writer;
                scope.spawn(move || {
                    let written = writer.write(|connection| {
                        put(connection, &format!("of {number}"))?;
                        if number % 2 == 0 {
                            Err(LogError::Full("no".to_owned()))
                        } else {
                            Ok(())
                        }
                    });
                    assert_eq!(written.is_ok(), number % 2 == 1);
                });
            }
        });

        assert_eq!(lines(&writer), 20);
    }

    #[test]
    fn a_member_that_panics_leaves_nothing_and_the_writer_in_order() {
        let writer = writer();

        let panicked = catch_unwind(AssertUnwindSafe(|| {
            writer.write(|connection| -> Result<(), LogError> {
                put(connection, "half")?;
                panic!("in the middle");
            })
        }));

        assert!(panicked.is_err());
        assert_eq!(lines(&writer), 0);
        writer.write(|connection| put(connection, "later")).unwrap();
        assert_eq!(lines(&writer), 1);
    }

    #[test]
    fn those_who_wait_share_one_transaction() {
        let count = GroupCount::default();
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE line (text TEXT UNIQUE)")
            .unwrap();
        let writer = Writer::new(connection, count.clone());
        let all_wait = AtomicBool::new(false);

        thread::scope(|scope| {
            let (writer, all_wait) = (&writer, &all_wait);
            scope.spawn(move || {
                writer.write(|connection| {
                    all_wait.store(true, Ordering::SeqCst);
                    while writer.waiting.load(Ordering::SeqCst) < 5 {
                        thread::yield_now();
                    }
                    put(connection, "first")
                })
            });
            while !all_wait.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for number in 0..5 {
                scope.spawn(move || writer.write(|connection| put(connection, &format!("of {number}"))));
            }
        });

        assert_eq!((count.writes.get(), count.transactions.get()), (6, 1));
        assert_eq!(lines(&writer), 6);
    }

    #[test]
    fn a_transaction_that_sqlite_rolled_back_is_told_to_all_its_members() {
        let writer = writer();

        let written = writer.write(|connection| {
            put(connection, "lost")?;
            connection.execute_batch("ROLLBACK").map_err(log_error)
        });

        assert!(matches!(written, Err(LogError::Unavailable(_))), "{written:?}");
        assert_eq!(lines(&writer), 0);
    }
}
