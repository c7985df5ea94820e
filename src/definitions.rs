//! Definitions: the aggregates and projections of an app behind one type each, found by their names.
//!
//! For a module that is an engine of one's own, see [`module!`](crate::module!). Whoever asks knows names and
//! JSON only.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::decider::Decider;
use crate::projection::{IndexValue, Partition, Projection};
use crate::store::{
    AnyState, Fold, FoldError, FoundStream, LoadQuery, Snapshot, StateFold, Storage, Store, StoredRows,
};
use crate::stream::Version;

/// The definitions of one module.
#[derive(Debug, Default)]
pub struct Definitions {
    aggregates: Vec<Box<dyn AnyAggregate>>,
    projections: Vec<Box<dyn AnyProjection>>,
}

/// Why a definition could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// No definition has this name.
    #[error("the module has no {kind} {name:?}")]
    Unknown {
        /// Aggregate or projection.
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// A command is not what the aggregate's type for commands knows.
    #[error("{aggregate}: the command: {reason}")]
    Command {
        /// Name of the aggregate.
        aggregate: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A state, event, refusal or row is not JSON, or not what the definition's types know.
    #[error("{definition}: {what}: {reason}")]
    Shape {
        /// Name of the aggregate or projection.
        definition: &'static str,
        /// State, event, refusal or row.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Folding stopped.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// A stream as a state of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedByName {
    /// The snapshot that folding began with.
    pub snapshot: Option<Snapshot>,
    /// The version folded to.
    pub version: Version,
    /// The version of the stream's last confirmed event.
    pub confirmed: Version,
    /// The state, JSON.
    pub state: String,
    /// Versions of snapshots that did not verify and were dropped.
    pub dropped: Vec<u64>,
}

/// What a decider said, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// A list of events.
    Events(String),
    /// Why not.
    Refused(String),
}

impl Definitions {
    /// No definition yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an aggregate. Its refusals are told as JSON.
    #[must_use]
    pub fn aggregate<D>(mut self) -> Self
    where
        D: Decider<Command: DeserializeOwned, Refusal: Serialize> + 'static,
    {
        self.aggregates.push(Box::new(Named::<D>(PhantomData)));
        self
    }

    /// Adds a projection.
    #[must_use]
    pub fn projection<P: Projection>(mut self) -> Self {
        self.projections.push(Box::new(Named::<P>(PhantomData)));
        self
    }

    /// The state of an aggregate before anything happened, JSON.
    pub fn initial_state(&self, aggregate: &str) -> Result<String, DefinitionError> {
        self.aggregate_named(aggregate)?.initial_state()
    }

    /// Decides a command on a state, both JSON.
    pub fn decide(&self, aggregate: &str, command: &str, state: &str) -> Result<Decided, DefinitionError> {
        self.aggregate_named(aggregate)?.decide(command, state)
    }

    /// The state after an event, all JSON.
    pub fn evolve(&self, aggregate: &str, state: &str, event: &str) -> Result<String, DefinitionError> {
        self.aggregate_named(aggregate)?.evolve(state, event)
    }

    /// What is defined: the JSON of `CoreDefinitionList` in `ts/core.ts`.
    pub fn describe(&self) -> String {
        let aggregates: Vec<_> = self.aggregates.iter().map(|known| known.describe()).collect();
        let projections: Vec<_> = self.projections.iter().map(|known| known.describe()).collect();
        let release = env!("CARGO_PKG_VERSION");
        serde_json::json!({ "release": release, "aggregates": aggregates, "projections": projections }).to_string()
    }

    /// Loads a stream into the state of an aggregate. The query's definition, if any, is this aggregate's, which says itself
    /// how often snapshots are kept.
    pub async fn load<S: Storage>(
        &self,
        store: &Store<S>,
        aggregate: &str,
        stream: &str,
        query: LoadQuery<'_>,
    ) -> Result<LoadedByName, DefinitionError> {
        let aggregate = self.aggregate_named(aggregate)?;
        let query = LoadQuery {
            snapshot_every: Some(aggregate.snapshot_every()),
            ..query
        };
        let mut state = aggregate.state();
        let found = store.load_into(stream, query, &mut *state).await;
        let FoundStream {
            snapshot,
            confirmed,
            dropped,
            ..
        } = found.map_err(FoldError::from)?;
        let (version, state) = state.finish()?;
        Ok(LoadedByName {
            snapshot,
            version,
            confirmed,
            state,
            dropped,
        })
    }

    /// A fold that goes on from the rows of a projection that are stored.
    pub fn fold(&self, projection: &str, stored: StoredRows) -> Result<Fold, DefinitionError> {
        let projection = find(&self.projections, "projection", AnyProjection::name, projection)?;
        Ok(projection.fold(stored))
    }

    /// What a row has in an index, by the index's number. All JSON: a number, a text, or null.
    pub fn index_value(&self, projection: &str, index: usize, row: &str) -> Result<String, DefinitionError> {
        find(&self.projections, "projection", AnyProjection::name, projection)?.index_value(index, row)
    }

    fn aggregate_named(&self, name: &str) -> Result<&dyn AnyAggregate, DefinitionError> {
        find(&self.aggregates, "aggregate", AnyAggregate::name, name)
    }
}

fn find<'d, T: ?Sized>(
    definitions: &'d [Box<T>],
    kind: &'static str,
    name_of: impl Fn(&T) -> &'static str,
    name: &str,
) -> Result<&'d T, DefinitionError> {
    let found = definitions.iter().find(|known| name_of(known) == name);
    found.map(|known| &**known).ok_or_else(|| DefinitionError::Unknown {
        kind,
        name: name.to_owned(),
    })
}

/// Any decider.
trait AnyAggregate: fmt::Debug {
    fn name(&self) -> &'static str;
    fn describe(&self) -> serde_json::Value;
    fn snapshot_every(&self) -> u64;
    fn initial_state(&self) -> Result<String, DefinitionError>;
    fn decide(&self, command: &str, state: &str) -> Result<Decided, DefinitionError>;
    fn evolve(&self, state: &str, event: &str) -> Result<String, DefinitionError>;
    /// A state to load a stream into.
    fn state(&self) -> Box<dyn AnyState>;
}

/// Any projection.
trait AnyProjection: fmt::Debug {
    fn name(&self) -> &'static str;
    fn describe(&self) -> serde_json::Value;
    /// A fold that goes on from rows that are stored.
    fn fold(&self, stored: StoredRows) -> Fold;
    fn index_value(&self, index: usize, row: &str) -> Result<String, DefinitionError>;
}

/// A definition as a value.
struct Named<D>(PhantomData<D>);

impl<D> fmt::Debug for Named<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::any::type_name::<D>())
    }
}

impl<D> AnyAggregate for Named<D>
where
    D: Decider<Command: DeserializeOwned, Refusal: Serialize> + 'static,
{
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "name": D::NAME, "version": D::VERSION, "snapshotEvery": D::SNAPSHOT_EVERY })
    }

    fn snapshot_every(&self) -> u64 {
        D::SNAPSHOT_EVERY
    }

    fn initial_state(&self) -> Result<String, DefinitionError> {
        write::<D>("the state", &D::initial_state())
    }

    fn decide(&self, command: &str, state: &str) -> Result<Decided, DefinitionError> {
        let command = serde_json::from_str(command).map_err(|error| DefinitionError::Command {
            aggregate: D::NAME,
            reason: error.to_string(),
        })?;
        match D::decide(&command, &read::<D, _>("the state", state)?) {
            Ok(events) => write::<D>("an event", &events).map(Decided::Events),
            Err(refusal) => write::<D>("a refusal", &refusal).map(Decided::Refused),
        }
    }

    fn evolve(&self, state: &str, event: &str) -> Result<String, DefinitionError> {
        let state = D::evolve(read::<D, _>("the state", state)?, &read::<D, _>("an event", event)?);
        write::<D>("the state", &state)
    }

    fn state(&self) -> Box<dyn AnyState> {
        Box::new(StateFold::<D>::new())
    }
}

fn read<D: Decider, T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DefinitionError> {
    serde_json::from_str(text).map_err(|error| misshapen(D::NAME, what, &error))
}

fn write<D: Decider>(what: &'static str, value: &impl Serialize) -> Result<String, DefinitionError> {
    serde_json::to_string(value).map_err(|error| misshapen(D::NAME, what, &error))
}

fn misshapen(definition: &'static str, what: &'static str, error: &serde_json::Error) -> DefinitionError {
    DefinitionError::Shape {
        definition,
        what,
        reason: error.to_string(),
    }
}

impl<P: Projection> AnyProjection for Named<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn describe(&self) -> serde_json::Value {
        let indexes: Vec<_> = P::INDEXES.iter().map(|index| index.name).collect();
        let partition = match P::PARTITION {
            Partition::Log => "log",
            Partition::Stream => "stream",
        };
        serde_json::json!({
            "name": P::NAME,
            "version": P::VERSION,
            "aggregates": P::AGGREGATES,
            "events": P::EVENTS,
            "indexes": indexes,
            "partition": partition,
        })
    }

    fn fold(&self, stored: StoredRows) -> Fold {
        Fold::new::<P>(stored)
    }

    fn index_value(&self, index: usize, row: &str) -> Result<String, DefinitionError> {
        let row = serde_json::from_str(row).map_err(|error| misshapen(P::NAME, "the row", &error))?;
        let value = P::INDEXES.get(index).and_then(|index| (index.value)(&row));
        Ok(match value {
            None => serde_json::Value::Null,
            Some(IndexValue::Number(number)) => number.into(),
            Some(IndexValue::Text(text)) => text.into_owned().into(),
        }
        .to_string())
    }
}
