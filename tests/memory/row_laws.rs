//! Laws of rows: whatever happens to the log and to whoever folds it, rows are those of a plain replay.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use everfold::position::Position;
use everfold::projection::{Projection, index_names};
use everfold::store::{Advanced, Direction, Fold, MemoryStorage, Query, RowWrite, Store, StoredRows};
use proptest::prelude::*;

use crate::filter::filter;
use crate::history::{Step, World, step, steps};
use crate::tally::{Across, ByStream, Plain, assert_replayed};

/// One thing that happens to rows, as `ts/projector.ts` and `ts/build.ts` do it, or to the log meanwhile.
#[derive(Debug, Clone)]
enum RowStep {
    Log(Step),
    /// A tab folds on from what is stored or what it has folded, but writes nothing.
    Fold {
        tab: usize,
        budget: usize,
    },
    /// It writes what it has folded.
    Write {
        tab: usize,
    },
    /// A rebuild begins, or is taken up where it stopped; one tab at a time does so.
    Build {
        tab: usize,
        resume: bool,
    },
    /// The rebuild folds on.
    Advance {
        budget: usize,
    },
    /// It puts its rows aside.
    Stage,
    /// It writes some of what is aside.
    Flush {
        parts: usize,
    },
    /// It writes all, and switches.
    Switch,
    /// It is ended, and what it wrote is dropped.
    Abandon,
}

fn row_step() -> impl Strategy<Value = RowStep> {
    let budget = || prop_oneof![Just(1), Just(3), Just(10), Just(4_096)];
    prop_oneof![
        8 => step(0.1).prop_map(RowStep::Log),
        3 => (0..2_usize, budget()).prop_map(|(tab, budget)| RowStep::Fold { tab, budget }),
        3 => (0..2_usize).prop_map(|tab| RowStep::Write { tab }),
        2 => (0..2_usize, any::<bool>()).prop_map(|(tab, resume)| RowStep::Build { tab, resume }),
        3 => budget().prop_map(|budget| RowStep::Advance { budget }),
        2 => Just(RowStep::Stage),
        1 => (1..3_usize).prop_map(|parts| RowStep::Flush { parts }),
        2 => Just(RowStep::Switch),
        1 => Just(RowStep::Abandon),
    ]
}

/// A rebuild in the hands of a tab.
struct Build {
    tab: usize,
    generation: u64,
    live: u64,
    fold: Fold,
}

/// Who folds the rows of one projection.
struct Folders {
    live: [Option<Fold>; 2],
    build: Option<Build>,
}

impl Folders {
    async fn take<P: Projection>(&mut self, step: &RowStep, world: &mut World) {
        match step {
            RowStep::Log(step) => {
                if let Step::Reopen { tab } = step {
                    // What it had in memory is gone with it.
                    self.live[*tab] = None;
                    self.build.take_if(|build| build.tab == *tab);
                }
                world.take(step).await;
            }
            RowStep::Fold { tab, budget } => self.fold::<P>(&world.tabs[*tab], *tab, *budget).await,
            RowStep::Write { tab } => {
                if let Some(fold) = &mut self.live[*tab]
                    && !fold.write(&world.tabs[*tab], None).await.expect("writes")
                {
                    self.live[*tab] = None;
                }
            }
            RowStep::Build { tab, resume } if self.build.is_none() => {
                self.build = Some(begin::<P>(&world.tabs[*tab], *tab, *resume).await);
            }
            RowStep::Build { .. } => {}
            step => {
                if let Some(build) = self.build.take() {
                    let tab = build.tab;
                    self.build = build.take::<P>(step, &world.tabs[tab]).await;
                }
            }
        }
    }

    async fn fold<P: Projection>(&mut self, store: &Store<MemoryStorage>, tab: usize, budget: usize) {
        let mut fold = if let Some(fold) = self.live[tab].take() {
            fold
        } else {
            let state = store.projection(P::NAME, P::VERSION, "").await.expect("reads").state;
            Fold::new::<P>(StoredRows {
                generation: state.generation,
                checkpoint: state.checkpoint,
                revision: state.revision,
            })
        };
        let advanced = fold
            .advance(store, store, &Query::default(), budget)
            .await
            .expect("folds");
        self.live[tab] = (advanced != Advanced::Gone).then_some(fold);
    }
}

async fn begin<P: Projection>(store: &Store<MemoryStorage>, tab: usize, resume: bool) -> Build {
    let state = store
        .begin_rebuild(P::NAME, P::VERSION, resume, &index_names::<P>())
        .await
        .expect("begins")
        .state;
    let rebuild = state.rebuild.expect("is under way");
    let generation = rebuild.generation;
    flush::<P>(store, generation).await;
    Build {
        tab,
        generation,
        live: state.generation,
        fold: Fold::new::<P>(StoredRows {
            generation,
            checkpoint: rebuild.checkpoint,
            revision: 0,
        }),
    }
}

impl Build {
    /// None when it is over.
    async fn take<P: Projection>(mut self, step: &RowStep, store: &Store<MemoryStorage>) -> Option<Self> {
        match step {
            RowStep::Advance { budget } => {
                let advanced = self.fold.advance(store, store, &Query::default(), *budget).await;
                assert_ne!(advanced.expect("folds"), Advanced::Gone, "nobody else rebuilds");
            }
            RowStep::Stage => assert!(self.fold.stage(store).await.expect("stages")),
            RowStep::Flush { parts } => {
                assert!(self.fold.stage(store).await.expect("stages"));
                let mut done = false;
                for _ in 0..*parts {
                    done = store
                        .flush_rows(P::NAME, P::VERSION, self.generation)
                        .await
                        .expect("writes");
                }
                if !done {
                    return None;
                }
                self.fold.forget();
            }
            RowStep::Switch => {
                assert!(self.fold.stage(store).await.expect("stages"));
                flush::<P>(store, self.generation).await;
                self.fold.forget();
                if store
                    .switch_generation(P::NAME, P::VERSION, self.generation)
                    .await
                    .expect("switches")
                {
                    while !store.drop_generation(self.live, 2).await.expect("drops") {}
                    return None;
                }
            }
            RowStep::Abandon => {
                while !store.drop_generation(self.generation, 2).await.expect("drops") {}
                return None;
            }
            _ => {}
        }
        Some(self)
    }
}

async fn flush<P: Projection>(store: &Store<MemoryStorage>, generation: u64) {
    while !store.flush_rows(P::NAME, P::VERSION, generation).await.expect("writes") {}
}

/// Rows of both tabs, of a rebuild by either, and of a rebuild taken up, are those of a plain replay.
async fn assert_rows_of_everything<P: Plain>(steps: &[RowStep]) {
    let mut world = World::new().await;
    let mut folders = Folders {
        live: [None, None],
        build: None,
    };
    for step in steps {
        folders.take::<P>(step, &mut world).await;
    }
    let events = world.check().await;
    let [one, two] = &world.tabs;

    assert_replayed::<P, _>(one, &world.database, &events).await;
    assert_replayed::<P, _>(two, &world.database, &events).await;
    // The rebuild that was under way when everybody left.
    let mut build = begin::<P>(two, 1, true).await;
    while build.fold.advance(two, two, &Query::default(), 7).await.expect("folds") == Advanced::More {
        assert!(build.fold.stage(two).await.expect("stages"));
    }
    let over = build.take::<P>(&RowStep::Switch, two).await;
    assert!(over.is_none(), "it is at the end of the log");
    assert_replayed::<P, _>(two, &world.database, &events).await;
    one.view::<P>().rebuild().await.expect("rebuilds");
    assert_replayed::<P, _>(one, &world.database, &events).await;
}

/// A rebuild that is divided: each part is folded by a tab of its own in a store of its own, as `ts/worker.ts` does, and
/// handed back as text to whoever drives it, once on the way and once at the end.
async fn divided(world: &World, count: usize) {
    let [store, _] = &world.tabs;
    let build = begin::<ByStream>(store, 0, false).await;
    let bounds = store.stream_bounds("", count);
    let mut parts = Vec::new();
    for part in 0..=bounds.len() {
        let worker = crate::contract::log::over(MemoryStorage::open(&world.database)).await;
        let before = part.checked_sub(1).and_then(|before| bounds.get(before));
        let query = Query {
            first_stream: before.map(|id| id.as_str().into()),
            before_stream: bounds.get(part).map(|id| id.as_str().into()),
            ..Query::default()
        };
        let fold = Fold::new::<ByStream>(StoredRows {
            generation: build.generation,
            checkpoint: Position(0),
            revision: 0,
        });
        parts.push((worker, fold, query));
    }
    let mut write = RowWrite {
        name: ByStream::NAME.into(),
        version: ByStream::VERSION,
        generation: build.generation,
        expected_checkpoint: Position(0),
        checkpoint: Position(0),
        rows: Vec::new(),
        failed_at: None,
        revision: 0,
        replaces: false,
    };
    let end = store.position();
    for until in [Position(end.0 / 2), end] {
        let mut lines = String::new();
        for (worker, fold, query) in &mut parts {
            query.until_position = Some(until);
            while fold.advance(worker, worker, query, 7).await.expect("folds") == Advanced::More {}
            lines += &fold.parts().expect("are JSON");
            fold.forget();
        }
        write.checkpoint = until;
        assert!(store.stage_rows(&write, &lines).await.expect("stages"));
        write.expected_checkpoint = until;
        flush::<ByStream>(store, build.generation).await;
    }
    assert!(
        store
            .switch_generation(ByStream::NAME, ByStream::VERSION, build.generation)
            .await
            .expect("switches")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_of_streams_are_those_of_a_plain_replay(steps in prop::collection::vec(row_step(), 1..80)) {
        pollster::block_on(assert_rows_of_everything::<ByStream>(&steps));
    }

    #[test]
    fn rows_across_streams_are_those_of_a_plain_replay(steps in prop::collection::vec(row_step(), 1..80)) {
        pollster::block_on(assert_rows_of_everything::<Across>(&steps));
    }

    #[test]
    fn rows_as_of_any_filter_are_those_of_a_plain_replay_of_what_passes(steps in steps(0.1), filter in filter()) {
        pollster::block_on(async {
            let world = World::after(&steps).await;
            let mut events = world.check().await;
            events.retain(|event| filter.passes(event));
            let [store, _] = &world.tabs;
            let query = filter.query(Direction::Forward, store.position());

            let by_stream = store.project::<ByStream>(&query).await.expect("folds");
            let across = store.project::<Across>(&query).await.expect("folds");

            assert_eq!(by_stream, ByStream::replay(&events));
            assert_eq!(across, Across::replay(&events));
        });
    }

    #[test]
    fn rows_folded_in_any_number_of_parts_are_those_of_a_plain_replay(steps in steps(0.3), count in 1..7_usize) {
        pollster::block_on(async {
            let world = World::after(&steps).await;
            let events = world.check().await;

            divided(&world, count).await;

            assert_replayed::<ByStream, _>(&world.tabs[0], &world.database, &events).await;
        });
    }
}
