//! What the classes of a module with definitions of its own do: see [`module!`](crate::module!).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::lock::Mutex;
use js_sys::futures::future_to_promise;
use js_sys::{Array, JSON};
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::any_storage::AnyStorage;
use super::core::{Core, clock_of};
use super::error::CoreError;
use crate::definitions::{Decided, DefinitionError, Definitions};
use crate::json::{self, InvalidJson};
use crate::position::Position;
use crate::store::{Advanced, Fold, FoldError, LoadQuery, Query, Store, StoredRows};
use crate::stream::Version;

/// Why a definition did not do what it was asked.
#[derive(Debug)]
pub enum ModuleError {
    /// It was not asked rightly.
    Definition(DefinitionError),
    /// A projection could not be folded.
    Rows(FoldError),
    /// An argument of the TypeScript side that cannot be read.
    Argument(InvalidJson),
}

impl From<DefinitionError> for ModuleError {
    fn from(error: DefinitionError) -> Self {
        Self::Definition(error)
    }
}

impl From<ModuleError> for JsValue {
    fn from(error: ModuleError) -> Self {
        let (code, error) = match error {
            ModuleError::Definition(DefinitionError::Fold(FoldError::Store(error)))
            | ModuleError::Rows(FoldError::Store(error)) => return CoreError::from(error).into(),
            ModuleError::Definition(DefinitionError::Fold(error)) => ("evolve-failed", error),
            ModuleError::Argument(error) => return CoreError::argument(&error).into(),
            ModuleError::Definition(error) => {
                let code = match error {
                    DefinitionError::Shape { .. } => "evolve-failed",
                    _ => "invalid-argument",
                };
                return object(&Document {
                    code,
                    message: error.to_string(),
                    details: None,
                });
            }
            ModuleError::Rows(error) => ("projection-failed", error),
        };
        let code = if matches!(error, FoldError::Outdated { .. }) {
            "app-outdated"
        } else {
            code
        };
        let mut details = Details::of(&error);
        if code == "projection-failed" {
            details.projection = details.definition.take();
        }
        object(&Document {
            code,
            message: error.to_string(),
            details: Some(details),
        })
    }
}

/// A `CoreError` of `ts/core.ts`.
#[derive(Serialize)]
struct Document<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

/// Where a fold stopped, as the details of the TypeScript fold's errors have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projection: Option<&'a str>,
    #[serde(flatten)]
    place: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    event_id: &'a str,
    stream_id: &'a str,
    version: Version,
    position: Position,
    r#type: &'a str,
}

impl<'a> Details<'a> {
    fn of(error: &'a FoldError) -> Self {
        let place = error.place().map(|place| Place {
            event_id: &place.event_id,
            stream_id: &place.stream_id,
            version: place.version,
            position: place.position,
            r#type: &place.event_type,
        });
        let mut details = Self {
            definition: error.definition(),
            projection: None,
            place,
            key: None,
            found: None,
            known: None,
        };
        match error {
            FoldError::Row { key, .. } => details.key = Some(key),
            FoldError::Outdated { found, known, .. } => (details.found, details.known) = (Some(*found), Some(*known)),
            _ => {}
        }
        details
    }
}

fn object(document: &Document<'_>) -> JsValue {
    let object = serde_json::to_string(document)
        .ok()
        .and_then(|text| JSON::parse(&text).ok());
    object.unwrap_or_else(|| JsValue::from_str(document.code))
}

/// A promise of what the future finds out.
fn promise(answer: impl Future<Output = Result<JsValue, ModuleError>> + 'static) -> JsValue {
    let answer: Pin<Box<dyn Future<Output = Result<JsValue, ModuleError>>>> = Box::pin(answer);
    future_to_promise(async move { Ok(answer.await?) }).into()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The state of an aggregate before anything happened.
pub fn initial_state(definitions: &Definitions, aggregate: &str) -> Result<String, ModuleError> {
    Ok(definitions.initial_state(aggregate)?)
}

/// `CoreDecided`.
pub fn decide(definitions: &Definitions, aggregate: &str, command: &str, state: &str) -> Result<String, ModuleError> {
    Ok(match definitions.decide(aggregate, command, state)? {
        Decided::Events(events) => format!("{{\"events\":{events}}}"),
        Decided::Refused(refusal) => format!("{{\"refused\":{refusal}}}"),
    })
}

/// The state after an event.
pub fn evolve(definitions: &Definitions, aggregate: &str, state: &str, event: &str) -> Result<String, ModuleError> {
    Ok(definitions.evolve(aggregate, state, event)?)
}

/// What a row has in an index, JSON: a number, a text or null.
pub fn index_value(definitions: &Definitions, projection: &str, index: u32, row: &str) -> Result<String, ModuleError> {
    Ok(definitions.index_value(projection, index as usize, row)?)
}

/// A promise of `CoreFolded`, and of the state. Snapshots of `version` of the aggregate may serve, none if it is 0. A
/// version, a time and a clock restrict, NaN leaves open.
pub fn load(
    definitions: &Rc<Definitions>,
    core: &Core,
    aggregate: &str,
    version: u32,
    stream_id: String,
    (at_version, at, clock): (f64, f64, &str),
) -> JsValue {
    let definitions = Rc::clone(definitions);
    let (store, clock, aggregate) = (core.store(), clock_of(clock), aggregate.to_owned());
    promise(async move {
        let query = LoadQuery {
            definition: (version > 0).then_some((&*aggregate, u64::from(version))),
            at_version: (!at_version.is_nan()).then_some(Version(at_version as u64)),
            at: (!at.is_nan()).then_some((at as i64, clock)),
            ..LoadQuery::default()
        };
        let loaded = definitions.load(&store, &aggregate, &stream_id, query).await?;
        let snapshot = match &loaded.snapshot {
            Some(snapshot) => format!("{{\"version\":{},\"state\":{}}}", snapshot.version, snapshot.state),
            None => "null".to_owned(),
        };
        let (version, confirmed, dropped) = (loaded.version, loaded.confirmed, text(&loaded.dropped));
        let text =
            format!(r#"{{"snapshot":{snapshot},"version":{version},"confirmed":{confirmed},"dropped":{dropped}}}"#);
        Ok(Array::of2(&text.into(), &loaded.state.into()).into())
    })
}

/// A projection on its way through the log.
#[derive(Debug)]
pub struct Folding {
    store: Rc<Store<AnyStorage>>,
    target: Rc<Store<AnyStorage>>,
    fold: Rc<Mutex<Fold>>,
}

/// Begins to fold what is in `core` into rows of `target`: their generation, checkpoint and revision.
pub fn fold(
    definitions: &Definitions,
    core: &Core,
    target: &Core,
    projection: &str,
    (generation, checkpoint, revision): (f64, f64, f64),
) -> Result<Folding, ModuleError> {
    let stored = StoredRows {
        generation: generation as u64,
        checkpoint: Position(checkpoint as u64),
        revision: revision as u64,
    };
    let fold = definitions.fold(projection, stored)?;
    Ok(Folding {
        store: core.store(),
        target: target.store(),
        fold: Rc::new(Mutex::new(fold)),
    })
}

impl Folding {
    /// A promise of `CoreAdvanced`: folds up to `budget` of the events of a `CoreQuery`.
    pub fn advance(&self, query: String, budget: u32) -> JsValue {
        let (store, target, fold) = (Rc::clone(&self.store), Rc::clone(&self.target), Rc::clone(&self.fold));
        promise(async move {
            let query: Query<'_> = json::parse(&query).map_err(ModuleError::Argument)?;
            let mut fold = fold.lock().await;
            let advanced = fold.advance(&store, &target, &query, budget as usize).await;
            let next = match advanced.map_err(ModuleError::Rows)? {
                Advanced::More => "more",
                Advanced::Done => "done",
                Advanced::Gone => "gone",
            };
            let (position, changed) = (fold.position().0, fold.changed());
            Ok(format!(r#"{{"position":{position},"changed":{changed},"next":"{next}"}}"#).into())
        })
    }

    /// Keys of the rows that have changed and are not written, a JSON list.
    pub fn changed(&self) -> String {
        self.fold
            .try_lock()
            .map_or_else(|| "[]".to_owned(), |fold| text(&fold.changed_keys()))
    }

    /// A promise of whether what has changed was written, with the position as checkpoint.
    pub fn write(&self, failed_at: f64) -> JsValue {
        let (target, fold) = (Rc::clone(&self.target), Rc::clone(&self.fold));
        promise(async move {
            let failed_at = (!failed_at.is_nan()).then_some(Position(failed_at as u64));
            let written = fold.lock().await.write(&target, failed_at).await;
            Ok(written.map_err(ModuleError::Rows)?.into())
        })
    }

    /// A promise of what has changed, as [`Store::stage_rows`] takes it.
    pub fn parts(&self) -> JsValue {
        let fold = Rc::clone(&self.fold);
        promise(async move { Ok(fold.lock().await.parts().map_err(ModuleError::Rows)?.into()) })
    }

    /// What has changed is where readers find it.
    pub fn forget(&self) {
        if let Some(mut fold) = self.fold.try_lock() {
            fold.forget();
        }
    }

    /// Lets go of its rows.
    pub fn end(&self) {
        if let Some(mut fold) = self.fold.try_lock() {
            fold.end();
        }
    }
}
