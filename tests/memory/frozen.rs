//! A tab that is frozen at any of its storage calls, while others go on, and wakes up.
//!
//! The work of a tab is done again and again: stopped before its first call takes effect, after it did
//! but before the tab knows, before its second call, and so on. Meanwhile another tab does all that tabs
//! do. Then nothing may be lost, doubled or overwritten, and both go on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use everfold::position::Position;
use everfold::store::{LoadQuery, MemoryDatabase, MemoryStorage, Outcome, Query, Storage, Store, When};
use everfold::stream::Version;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, append, events_of, over, read, read_all};
use crate::history::assert_sound;
use crate::meddling::Meddling;
use crate::rebuilding::try_rebuild;
use crate::tally::{ByStream, assert_replayed};

/// What the frozen tab is about, and what it got done of it: ids of commits that it was told are stored.
trait Work {
    async fn of<S: Storage>(&self, tab: &Store<S>) -> Vec<&'static str>;
}

/// What another tab does meanwhile.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// One commit.
    Appends,
    /// Commits, bulk, seals, merges, folded rows, a rebuild that ends every other one.
    Everything,
    /// It takes up the rebuild that it finds under way.
    TakesUp,
}

/// Three small segments, a tail, rows behind the log.
async fn prepared() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    for (number, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for stream in ["s-0", "s-1", "t-0"] {
            told(&store, &format!("{id} {stream}"), stream).await;
        }
        if number == 1 {
            store.view::<ByStream>().count().await.expect("folds");
        }
        if number < 3 {
            store.seal().await.expect("seals");
        }
    }
    database
}

const PREPARED: u64 = 12;

/// Appends one event, once: again with the same id, as an app does that does not know whether it is stored.
async fn told<S: Storage>(store: &Store<S>, id: &str, stream: &str) {
    let outcomes = append(store, &[any(id, stream)]).await;
    assert!(
        matches!(outcomes.as_slice(), [Outcome::Appended(_) | Outcome::Duplicate(_)]),
        "{outcomes:?}"
    );
}

async fn bulk<S: Storage>(store: &Store<S>, id: &str) {
    let events = [("s-0", 600), ("s-1", 400)];
    let commits = [BulkCommit {
        id,
        content: Some(id),
        events: &events,
    }];
    let ingested = try_ingest(store, &commits, 0).await.expect("ingests");
    assert_eq!((ingested.next, ingested.refused), (1, Vec::new()));
}

async fn compacted<S: Storage>(store: &Store<S>) {
    while store.compact(2).await.expect("compacts") {}
}

async fn rebuilt<S: Storage>(store: &Store<S>, resume: bool) {
    try_rebuild::<ByStream, S>(store, resume, PREPARED)
        .await
        .expect("rebuilds");
}

impl Meanwhile {
    /// Returns how many events it added.
    async fn happens(self, database: &MemoryDatabase) -> u64 {
        let store = over(MemoryStorage::open(database)).await;
        match self {
            Self::Appends => {
                told(&store, "meanwhile", "s-0").await;
                1
            }
            Self::Everything => {
                told(&store, "meanwhile", "s-0").await;
                store.seal().await.expect("seals");
                compacted(&store).await;
                bulk(&store, "bulk meanwhile").await;
                rebuilt(&store, false).await;
                told(&store, "and then", "t-0").await;
                store.view::<ByStream>().count().await.expect("folds");
                1_002
            }
            Self::TakesUp => {
                told(&store, "meanwhile", "s-1").await;
                rebuilt(&store, true).await;
                1
            }
        }
    }
}

/// How a tab comes to be frozen.
#[derive(Default)]
struct Sleep {
    /// Whether it has begun to work.
    awake: Cell<bool>,
    /// Moments before and after calls that it has come to.
    moments: Cell<u64>,
    /// How many events were added while it slept.
    added: Cell<Option<u64>>,
}

/// Freezes `work` at each of its calls. Returns how many there were.
async fn frozen_at_each_call(work: impl Work, meanwhile: Meanwhile) -> u64 {
    for moment in 1.. {
        let database = prepared().await;
        let sleep = Rc::new(Sleep::default());
        let storage = Meddling {
            storage: MemoryStorage::open(&database),
            meddle: {
                let (sleep, database) = (Rc::clone(&sleep), database.clone());
                async move |_, when: When| {
                    if sleep.awake.get() {
                        sleep.moments.set(sleep.moments.get() + 1);
                        if sleep.moments.get() == moment {
                            sleep.added.set(Some(meanwhile.happens(&database).await));
                            println!("frozen at moment {moment}, {when:?}, {meanwhile:?}");
                        }
                    }
                }
            },
        };
        let tab = over(storage).await;
        tab.catch_up().await.expect("catches up");
        sleep.awake.set(true);

        let own = work.of(&tab).await;

        sleep.awake.set(false);
        let Some(added) = sleep.added.get() else {
            return moment - 1;
        };
        let other = over(MemoryStorage::open(&database)).await;
        told(&other, "other goes on", "s-0").await;
        told(&tab, "goes on", "s-0").await;
        other.catch_up().await.expect("catches up");
        let events = read_all(&tab).await;
        let mut commits = BTreeMap::new();
        for event in &events {
            *commits.entry(event.commit.as_str()).or_insert(0) += 1;
        }
        let mut expected = PREPARED + added + 2;
        for id in own {
            let events = if id.starts_with("bulk") { 1_000 } else { 1 };
            assert_eq!(commits.get(id), Some(&events), "{id}");
            expected += events;
        }
        assert_eq!(events.len() as u64, expected);
        assert_replayed::<ByStream, _>(&tab, &database, &events).await;
        assert_replayed::<ByStream, _>(&other, &database, &events).await;
        compacted(&tab).await;
        tab.seal().await.expect("seals");
        other.catch_up().await.expect("catches up");
        assert_eq!(other.position().0, expected);
        assert_sound(&other).await;
    }
    0
}

/// The work whatever happens meanwhile, which it must have been long enough to meet.
fn freeze(work: impl Work + Copy, calls: u64) {
    for meanwhile in [Meanwhile::Appends, Meanwhile::Everything, Meanwhile::TakesUp] {
        let moments = pollster::block_on(frozen_at_each_call(work, meanwhile));
        assert!(moments >= 2 * calls, "{moments} moments");
    }
}

macro_rules! frozen {
    ($($sentence:ident, at least $calls:literal calls: |$tab:ident| $work:block)*) => {
        $(
            #[test]
            fn $sentence() {
                #[derive(Clone, Copy)]
                struct It;
                impl Work for It {
                    async fn of<S: Storage>(&self, $tab: &Store<S>) -> Vec<&'static str> $work
                }
                freeze(It, $calls);
            }
        )*
    };
}

frozen! {
    a_frozen_append_is_there_once, at least 1 calls: |tab| {
        for id in ["one", "two"] {
            told(tab, id, "s-0").await;
        }
        vec!["one", "two"]
    }

    frozen_bulk_is_there_once, at least 1 calls: |tab| {
        bulk(tab, "bulk").await;
        vec!["bulk"]
    }

    a_frozen_seal_loses_and_doubles_nothing, at least 1 calls: |tab| {
        tab.seal().await.expect("seals");
        told(tab, "sealed", "s-1").await;
        tab.seal().await.expect("seals");
        vec!["sealed"]
    }

    a_frozen_merge_loses_and_doubles_nothing, at least 2 calls: |tab| {
        compacted(tab).await;
        vec![]
    }

    a_frozen_reader_reads_every_event_once, at least 1 calls: |tab| {
        let query = Query {
            limit: Some(2),
            until_position: Some(Position(PREPARED)),
            ..Query::default()
        };
        let positions: Vec<_> = read(tab, query).await.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=PREPARED).collect::<Vec<_>>());
        vec![]
    }

    a_frozen_projection_writes_no_event_twice, at least 2 calls: |tab| {
        let view = tab.view::<ByStream>();
        view.count().await.expect("folds");
        told(tab, "folded", "s-1").await;
        view.count().await.expect("folds");
        vec!["folded"]
    }

    a_frozen_rebuild_overwrites_nothing, at least 8 calls: |tab| {
        rebuilt(tab, false).await;
        vec![]
    }

    a_frozen_rebuild_that_was_taken_up_overwrites_nothing, at least 8 calls: |tab| {
        rebuilt(tab, true).await;
        vec![]
    }

    a_frozen_rebuild_of_a_view_overwrites_nothing, at least 8 calls: |tab| {
        tab.view::<ByStream>().rebuild().await.expect("rebuilds");
        vec![]
    }

    a_frozen_snapshot_is_what_it_says, at least 1 calls: |tab| {
        tab.put_snapshot(tab.merges(), "s-0", ("s", 1), Version(3), "{}", 2).await.expect("keeps");
        let query = LoadQuery {
            definition: Some(("s", 1)),
            ..LoadQuery::default()
        };
        let loaded = tab.load("s-0", query).await.expect("loads");
        let base = loaded.snapshot.expect("is there").version.0;
        let versions: Vec<_> = events_of(&loaded.batch).iter().map(|event| event.version).collect();
        assert_eq!(versions, (base + 1..=loaded.version.0).collect::<Vec<_>>());
        vec![]
    }
}
