//! The suite of logs on SQLite, as the server uses it: over connections of its own, and alone in a transaction.

#![expect(clippy::unwrap_used, reason = "a failure fails the test, as it should")]

#[path = "../../tests/space_log/mod.rs"]
mod space_log;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use everfold::sync::{Epoch, LogError, SpaceLog};
use everfold_server::sqlite::{Database, GroupCount, SqliteLog};

struct OnDisk {
    folder: PathBuf,
    database: Arc<Database>,
}

impl OnDisk {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("everfold-log-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Database::open(&folder.join("data.sqlite3"), GroupCount::default()).unwrap();
        Self { folder, database }
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl space_log::Place for OnDisk {
    type Log = SqliteLog<Arc<Database>>;

    fn open(&self) -> Self::Log {
        self.database.log()
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        pollster::block_on(future)
    }
}

macro_rules! on_sqlite {
    ($($sentence:ident)*) => {
        $(
            #[test]
            fn $sentence() {
                space_log::$sentence(&OnDisk::new());
            }
        )*
    };
}

space_log::space_log_sentences!(on_sqlite);

#[test]
fn more_spaces_than_keys_have_room_for_are_not_made() {
    let place = OnDisk::new();
    let log = place.database.log();
    let create = |name| pollster::block_on(log.create(name, Epoch([1; 16])));
    create("first").unwrap();
    create("last").unwrap();
    let connection = rusqlite::Connection::open(place.folder.join("data.sqlite3")).unwrap();
    let last = (1 << 23) - 1;
    let moved = connection.execute("UPDATE space SET id = ? WHERE name = 'last'", [last]);
    assert_eq!(moved, Ok(1));

    let one_more = create("one more");

    assert!(matches!(one_more, Err(LogError::Full(_))), "{one_more:?}");
    assert!(pollster::block_on(log.space("one more")).unwrap().is_none());
    create("last").unwrap();
}
