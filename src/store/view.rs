//! Views: reading the rows of a projection written in Rust, brought up to date first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use futures_util::lock::Mutex;

use super::append::MAX_TRIES;
use super::fold::{Advanced, Fold, StoredRows};
use super::fold_error::FoldError;
use super::known_rows::Changed;
use super::projections::{ProjectionReport, ProjectionState};
use super::query::Query;
use super::rows::{After, RowQuery};
use super::storage::Storage;
use super::{Store, StoreError, StoreErrorKind};
use crate::position::Position;
use crate::projection::{IndexValue, Projection, index_names};

/// Events folded between two chances for others to run.
const STEP_EVENTS: usize = 4_096;
/// Changed rows above which they are written before the end is reached.
const ROWS_AT_ONCE: usize = 4_096;
/// Rows of an old generation deleted in one transaction.
const DROP_AT_ONCE: u32 = 1_000;

/// Which rows to list. What is left out does not restrict.
#[derive(Debug, Clone, Default)]
pub struct ListQuery<'a> {
    /// In the order of the index of this name; of keys if left out.
    pub index: Option<&'a str>,
    /// At least.
    pub gte: Option<IndexValue<'a>>,
    /// Above.
    pub gt: Option<IndexValue<'a>>,
    /// At most.
    pub lte: Option<IndexValue<'a>>,
    /// Below.
    pub lt: Option<IndexValue<'a>>,
    /// Texts that begin so.
    pub prefix: Option<&'a str>,
    /// Highest first.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<u32>,
    /// The key of the last row of the page before, and its value in the index.
    pub after: Option<(&'a str, Option<IndexValue<'a>>)>,
}

/// The rows of one projection. Each read sees everything that this store has written before; dropping a view
/// loses nothing.
pub struct View<'s, S, P> {
    store: &'s Store<S>,
    /// Rows in memory, taken out while they are worked on: a panic of the projection leaves none behind.
    fold: Mutex<Option<(u64, Fold)>>,
    projection: PhantomData<P>,
}

impl<S, P: Projection> fmt::Debug for View<'_, S, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "View of {}", P::NAME)
    }
}

impl<S: Storage> Store<S> {
    /// The rows of a projection.
    ///
    /// ```
    /// use everfold::event::RecordedEvent;
    /// use everfold::projection::{Keys, Projection};
    /// # use everfold::decider::Decider;
    /// # use everfold::store::{Durability, ExecuteOptions, MemoryDatabase, MemoryStorage, OpenOptions, Store};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// #[serde(tag = "type", content = "data")]
    /// enum Visit {
    ///     Came { who: String },
    /// }
    ///
    /// struct Visits;
    ///
    /// impl Projection for Visits {
    ///     const NAME: &'static str = "visits";
    ///     const VERSION: u32 = 1;
    ///     type Event = Visit;
    ///     type Row = u32;
    ///
    ///     fn keys<'e>(event: &'e RecordedEvent<'_, Visit>) -> Keys<'e> {
    ///         let Visit::Came { who } = &event.event;
    ///         who.as_str().into()
    ///     }
    ///
    ///     fn evolve(row: Option<u32>, _: &RecordedEvent<'_, Visit>, _: &str) -> Option<u32> {
    ///         Some(row.unwrap_or(0) + 1)
    ///     }
    /// }
    /// #
    /// # struct House;
    /// # impl Decider for House {
    /// #     const NAME: &'static str = "house";
    /// #     const VERSION: u32 = 1;
    /// #     type State = ();
    /// #     type Command = &'static str;
    /// #     type Event = Visit;
    /// #     type Refusal = ();
    /// #     fn initial_state() {}
    /// #     fn decide(who: &&'static str, _: &()) -> Result<Vec<Visit>, ()> {
    /// #         Ok(vec![Visit::Came { who: (*who).to_owned() }])
    /// #     }
    /// #     fn evolve(_: (), _: &Visit) {}
    /// # }
    ///
    /// # pollster::block_on(async {
    /// # let storage = MemoryStorage::open(&MemoryDatabase::new());
    /// # let options = OpenOptions { replica: "device-1".to_owned(), now: 0, durability: Durability::Strict };
    /// # let store = Store::open(storage, options).await?;
    /// # for (id, who) in [("c1", "ann"), ("c2", "bob"), ("c3", "ann")] {
    /// #     let options = ExecuteOptions { commit_id: id.to_owned(), ..ExecuteOptions::default() };
    /// #     store.execute::<House>("1", &who, &options).await.expect("is never refused");
    /// # }
    /// let visits = store.view::<Visits>();
    ///
    /// assert_eq!(visits.get("ann").await.expect("folds"), Some(2));
    /// # Ok::<(), everfold::store::StoreError>(())
    /// # }).expect("opens");
    /// ```
    pub fn view<P: Projection>(&self) -> View<'_, S, P> {
        View {
            store: self,
            fold: Mutex::new(None),
            projection: PhantomData,
        }
    }

    /// The rows that a projection has when only some events are folded; nothing is stored.
    pub async fn project<P: Projection>(&self, query: &Query<'_>) -> Result<BTreeMap<String, P::Row>, FoldError> {
        let mut fold = Fold::in_memory::<P>();
        while fold.advance(self, self, query, STEP_EVENTS).await? == Advanced::More {}
        let rows = fold.changes()?.into_iter().filter_map(Changed::into_text);
        rows.map(|(key, row)| Ok((parse::<P>(&key, &row)?, key)))
            .map(|row| row.map(|(row, key)| (key, row)))
            .collect()
    }
}

impl<S: Storage, P: Projection> View<'_, S, P> {
    /// The row of a key.
    pub async fn get(&self, key: &str) -> Result<Option<P::Row>, FoldError> {
        Ok(self.get_many(&[key]).await?.into_iter().next().flatten())
    }

    /// The rows of several keys, none where there is none.
    pub async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<P::Row>>, FoldError> {
        for _ in 0..MAX_TRIES {
            let generation = self.catch_up().await?;
            if let Some(rows) = self.store.row_texts(generation, keys).await? {
                let row = |(key, row): (&&str, Option<String>)| row.map(|row| parse::<P>(key, &row)).transpose();
                return keys.iter().zip(rows).map(row).collect();
            }
            self.forget().await;
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// Rows with their keys, in the order of an index or of keys.
    pub async fn list(&self, query: &ListQuery<'_>) -> Result<Vec<(String, P::Row)>, FoldError> {
        let index = match query.index {
            Some(name) => Some(index_number::<P>(name)?),
            None => None,
        };
        for _ in 0..MAX_TRIES {
            let query = RowQuery {
                generation: self.catch_up().await?,
                index,
                gte: query.gte.clone(),
                gt: query.gt.clone(),
                lte: query.lte.clone(),
                lt: query.lt.clone(),
                prefix: query.prefix.map(Cow::from),
                reverse: query.reverse,
                limit: query.limit,
                after: query.after.clone().map(|(key, value)| After { value, key: key.into() }),
            };
            if let Some(rows) = self.store.find_rows(&query).await? {
                let row = |(key, row): (String, String)| Ok((parse::<P>(&key, &row)?, key));
                return rows
                    .into_iter()
                    .map(row)
                    .map(|row| row.map(|(row, key)| (key, row)))
                    .collect();
            }
            self.forget().await;
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// How many rows there are.
    pub async fn count(&self) -> Result<u64, FoldError> {
        for _ in 0..MAX_TRIES {
            let generation = self.catch_up().await?;
            if let Some(count) = self.store.count_rows(generation).await? {
                return Ok(count);
            }
            self.forget().await;
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// Builds all rows anew, beside the old ones, which are read until the new ones are complete. Drops then what it
    /// replaced, and what rebuilds that ended early left behind.
    pub async fn rebuild(&self) -> Result<(), FoldError> {
        let store = self.store;
        for _ in 0..MAX_TRIES {
            let names = index_names::<P>();
            let report = store.begin_rebuild(P::NAME, P::VERSION, false, &names).await?;
            let before = report.state;
            let generation = before.rebuild.map_or(before.generation, |rebuild| rebuild.generation);
            let mut fold = Fold::new::<P>(StoredRows {
                generation,
                checkpoint: Position(0),
                revision: 0,
            });
            while fold.advance(store, store, &Query::default(), STEP_EVENTS).await? == Advanced::More {}
            if fold.stage(store).await? {
                while !store.flush_rows(P::NAME, P::VERSION, generation).await? {}
                if store.switch_generation(P::NAME, P::VERSION, generation).await? {
                    self.forget().await;
                    for abandoned in report.stale.iter().filter(|stale| stale.version == P::VERSION) {
                        while !store.drop_generation(abandoned.generation, DROP_AT_ONCE).await? {}
                    }
                    while !store.drop_orphans(DROP_AT_ONCE).await? {}
                    return Ok(());
                }
            }
            store.catch_up().await?;
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// Folds to the end of the log. Returns the generation that has the rows.
    async fn catch_up(&self) -> Result<u64, FoldError> {
        let mut slot = self.fold.lock().await;
        for _ in 0..MAX_TRIES {
            let (generation, mut fold) = if let Some(kept) = slot.take() {
                kept
            } else {
                let state = self.own_rows().await?;
                let stored = StoredRows {
                    generation: state.generation,
                    checkpoint: state.checkpoint,
                    revision: state.revision,
                };
                (state.generation, Fold::new::<P>(stored))
            };
            if self.fold_to_end(&mut fold).await? {
                *slot = Some((generation, fold));
                return Ok(generation);
            }
        }
        Err(StoreError::contended(MAX_TRIES).into())
    }

    /// Where the stored rows are, unless they are entered in other indexes.
    async fn own_rows(&self) -> Result<ProjectionState, StoreError> {
        let names = index_names::<P>();
        let ProjectionReport { state, indexes, .. } = self.store.projection(P::NAME, P::VERSION, &names).await?;
        if indexes.is_empty() || indexes == names {
            return Ok(state);
        }
        let reason = format!(
            "the rows of projection {} are stored with the indexes {indexes}, it has {names} under the same version: \
             raise its VERSION, or rebuild its view",
            P::NAME
        );
        Err(StoreErrorKind::InvalidArgument(reason).into())
    }

    /// False if another tab moved the checkpoint or replaced the rows.
    async fn fold_to_end(&self, fold: &mut Fold) -> Result<bool, FoldError> {
        let (store, query) = (self.store, Query::default());
        while fold.position() < store.confirmed() {
            match fold.advance(store, store, &query, STEP_EVENTS).await {
                Ok(Advanced::Gone) => return Ok(false),
                Ok(Advanced::More) if fold.changed() < ROWS_AT_ONCE => {}
                Ok(_) => {
                    if fold.is_due() && !fold.write(store, None).await? {
                        return Ok(false);
                    }
                }
                Err(failure) => {
                    // What was folded before it is good.
                    if let Some(place) = failure.place() {
                        fold.write(store, Some(place.position)).await?;
                    }
                    return Err(failure);
                }
            }
        }
        Ok(true)
    }

    /// The rows are not where they were: looks again next time.
    async fn forget(&self) {
        *self.fold.lock().await = None;
    }
}

fn index_number<P: Projection>(name: &str) -> Result<u64, FoldError> {
    let number = P::INDEXES.iter().position(|index| index.name == name);
    let unknown = || {
        StoreError::from(StoreErrorKind::InvalidArgument(format!(
            "projection {} has no index {name:?}",
            P::NAME
        )))
    };
    Ok(number.ok_or_else(unknown)? as u64)
}

fn parse<P: Projection>(key: &str, row: &str) -> Result<P::Row, FoldError> {
    serde_json::from_str(row).map_err(|error| FoldError::row::<P>(key, &error))
}
