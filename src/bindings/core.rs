//! The class `Core`.

use std::borrow::Cow;
use std::cell::RefCell;

use js_sys::{Function, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::any_storage::AnyStorage;
use super::error::CoreError;
use super::text;
use crate::commit::NewCommit;
use crate::position::Position;
use crate::store::idb::{IdbStorage, delete_database};
use crate::store::{
    Clock, ClosedBy, Durability, Fault, Faults, Faulty, LoadQuery, Loaded, MemoryDatabase, MemoryStorage, OpenOptions,
    Outcome, Page, Query, RowQuery, RowWrite, Storage, StorageError, Store, When,
};
use crate::stream::Version;

thread_local! {
    static ON_PANIC: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// `CoreOptions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    name: String,
    storage: String,
    durability: String,
    replica_id: String,
    now: f64,
}

/// An open store. See `ts/core.ts` for every method.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    store: Store<AnyStorage>,
    faults: Faults,
    closed: crate::store::Closed,
}

#[wasm_bindgen]
impl Core {
    /// Hands the message of a panic to `callback`, before the trap.
    #[wasm_bindgen(js_name = onPanic)]
    pub fn on_panic(callback: Function) {
        ON_PANIC.with(|on_panic| on_panic.replace(Some(callback)));
        std::panic::set_hook(Box::new(|panic| {
            let message = JsValue::from_str(&panic.to_string());
            ON_PANIC.with(|on_panic| {
                if let Ok(on_panic) = on_panic.try_borrow()
                    && let Some(callback) = &*on_panic
                {
                    // Nobody is left to tell if the callback throws.
                    let _ = callback.call1(&JsValue::UNDEFINED, &message);
                }
            });
        }));
    }

    /// Opens or makes a store.
    pub async fn open(options: JsValue) -> Result<Core, JsValue> {
        let options: Options = serde_wasm_bindgen::from_value(options).map_err(|error| CoreError::argument(&error))?;
        let faults = Faults::new();
        let storage = if options.storage == "memory" {
            let storage = MemoryStorage::open(&MemoryDatabase::named(&options.name));
            AnyStorage::Memory(Faulty::new(storage, faults.clone()))
        } else {
            let storage = IdbStorage::open(&options.name).await.map_err(CoreError::from)?;
            AnyStorage::IndexedDb(Faulty::new(storage, faults.clone()))
        };
        let durability = if options.durability == "relaxed" {
            Durability::Relaxed
        } else {
            Durability::Strict
        };
        let closed = storage.closed();
        let options = OpenOptions {
            replica: options.replica_id,
            now: options.now as i64,
            durability,
        };
        let store = Store::open(storage, options).await.map_err(CoreError::from)?;
        Ok(Self { store, faults, closed })
    }

    /// Deletes a store.
    #[wasm_bindgen(js_name = deleteStore)]
    pub async fn delete_store(name: String, storage: String) -> Result<(), JsValue> {
        if storage == "memory" {
            MemoryDatabase::delete(&name);
            return Ok(());
        }
        Ok(delete_database(&name).await.map_err(CoreError::from)?)
    }

    /// `CoreState`.
    pub fn state(&self) -> Result<String, JsValue> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct State<'a> {
            replica_id: &'a str,
            position: Position,
            journal_records: u64,
        }
        Ok(text::json(&State {
            replica_id: self.store.replica(),
            position: self.store.position(),
            journal_records: self.store.journal_records(),
        })?)
    }

    /// Resolves when the connection was closed from outside.
    pub async fn closed(&self) -> String {
        match self.closed.clone().await {
            ClosedBy::Upgrade | ClosedBy::Deletion => "versionchange".to_owned(),
            ClosedBy::Browser => "lost".to_owned(),
            ClosedBy::Caller => std::future::pending().await,
        }
    }

    /// Appends a group of commits.
    pub async fn append(&self, group: String) -> Result<String, JsValue> {
        let group: Vec<NewCommit<'_>> = parse(&group)?;
        let progress = self.store.append(&group).await.map_err(CoreError::from)?;
        Ok(text::progress(&progress)?)
    }

    /// Reads what other tabs wrote.
    #[wasm_bindgen(js_name = catchUp)]
    pub async fn catch_up(&self) -> Result<String, JsValue> {
        let progress = self.store.catch_up().await.map_err(CoreError::from)?;
        Ok(text::progress(&progress)?)
    }

    /// Seals the tail; false if there was nothing to seal.
    pub async fn seal(&self) -> Result<bool, JsValue> {
        Ok(self.store.seal().await.map_err(CoreError::from)?)
    }

    /// Loads a stream.
    pub async fn load(
        &self,
        stream_id: String,
        definition: String,
        version: f64,
        at_version: f64,
        at: f64,
        clock: String,
    ) -> Result<String, JsValue> {
        let clock = if clock == "recorded" {
            Clock::Recorded
        } else {
            Clock::Occurred
        };
        let query = LoadQuery {
            definition: (!definition.is_empty()).then_some((&*definition, version as u64)),
            at_version: (!at_version.is_nan()).then_some(Version(at_version as u64)),
            at: (!at.is_nan()).then_some((at as i64, clock)),
        };
        let loaded = self.store.load(&stream_id, query).await.map_err(CoreError::from)?;
        Ok(loaded_text(&loaded)?)
    }

    /// One page of events.
    pub async fn read(&self, query: String) -> Result<String, JsValue> {
        let query: Query<'_> = parse(&query)?;
        let Page { batch, next, .. } = self.store.read(&query).await.map_err(CoreError::from)?;
        Ok(format!("{{\"batch\":{batch},\"next\":{}}}", text::json(&next)?))
    }

    /// Ids of streams.
    pub async fn streams(&self, prefix: String, after: String, limit: u32) -> Result<String, JsValue> {
        let streams = self
            .store
            .streams(&prefix, &after, limit as usize)
            .await
            .map_err(CoreError::from)?;
        Ok(text::json(&streams)?)
    }

    /// What became of a commit; with `content`, whether it is the same one.
    pub async fn outcome(&self, commit_id: String, content: String) -> Result<String, JsValue> {
        let found = self.store.find_commit(&commit_id).await.map_err(CoreError::from)?;
        let outcome = found.map(|receipt| {
            if content.is_empty() || receipt.has_content(&content) {
                Outcome::Duplicate(receipt)
            } else {
                Outcome::Reused
            }
        });
        Ok(text::found(outcome.as_ref())?)
    }

    /// Keeps a snapshot.
    #[wasm_bindgen(js_name = putSnapshot)]
    pub async fn put_snapshot(
        &self,
        stream_id: String,
        definition: String,
        version: f64,
        stream_version: f64,
        state: String,
        keep: u32,
    ) -> Result<(), JsValue> {
        let definition = (&*definition, version as u64);
        self.store
            .put_snapshot(
                &stream_id,
                definition,
                Version(stream_version as u64),
                &state,
                keep as usize,
            )
            .await
            .map_err(CoreError::from)?;
        Ok(())
    }

    /// Deletes every snapshot of a stream.
    #[wasm_bindgen(js_name = dropSnapshots)]
    pub async fn drop_snapshots(&self, stream_id: String) -> Result<(), JsValue> {
        Ok(self.store.drop_snapshots(&stream_id).await.map_err(CoreError::from)?)
    }

    /// Where a projection version stands.
    pub async fn projection(&self, name: String, version: u32) -> Result<String, JsValue> {
        Ok(text::json(
            &self.store.projection(&name, version).await.map_err(CoreError::from)?,
        )?)
    }

    /// Rows by key.
    pub async fn rows(&self, generation: f64, keys: String) -> Result<String, JsValue> {
        let keys: Vec<Cow<'_, str>> = parse(&keys)?;
        let rows = self
            .store
            .rows(generation as u64, &keys)
            .await
            .map_err(CoreError::from)?;
        Ok(rows.unwrap_or_else(|| "null".to_owned()))
    }

    /// Rows of a range.
    #[wasm_bindgen(js_name = listRows)]
    pub async fn list_rows(&self, query: String) -> Result<String, JsValue> {
        let query: RowQuery<'_> = parse(&query)?;
        let rows = self.store.list_rows(&query).await.map_err(CoreError::from)?;
        Ok(rows.unwrap_or_else(|| "null".to_owned()))
    }

    /// How many rows a generation has.
    #[wasm_bindgen(js_name = countRows)]
    pub async fn count_rows(&self, generation: f64) -> Result<f64, JsValue> {
        let count = self
            .store
            .count_rows(generation as u64)
            .await
            .map_err(CoreError::from)?;
        Ok(count.map_or(-1.0, |count| count as f64))
    }

    /// Writes rows with their checkpoint.
    #[wasm_bindgen(js_name = writeRows)]
    pub async fn write_rows(&self, write: String) -> Result<bool, JsValue> {
        let write: RowWrite<'_> = parse(&write)?;
        Ok(self.store.write_rows(&write).await.map_err(CoreError::from)?)
    }

    /// Begins or resumes a rebuild.
    #[wasm_bindgen(js_name = beginRebuild)]
    pub async fn begin_rebuild(&self, name: String, version: u32, resume: bool) -> Result<String, JsValue> {
        let report = self
            .store
            .begin_rebuild(&name, version, resume)
            .await
            .map_err(CoreError::from)?;
        Ok(text::json(&report)?)
    }

    /// Makes a rebuilt generation the live one.
    #[wasm_bindgen(js_name = switchGeneration)]
    pub async fn switch_generation(&self, name: String, version: u32, generation: f64) -> Result<bool, JsValue> {
        let done = self.store.switch_generation(&name, version, generation as u64).await;
        Ok(done.map_err(CoreError::from)?)
    }

    /// Deletes rows of a generation.
    #[wasm_bindgen(js_name = dropGeneration)]
    pub async fn drop_generation(&self, generation: f64, limit: u32) -> Result<bool, JsValue> {
        Ok(self
            .store
            .drop_generation(generation as u64, limit)
            .await
            .map_err(CoreError::from)?)
    }

    /// Numbers about the store.
    pub async fn stats(&self) -> Result<String, JsValue> {
        Ok(text::json(&self.store.stats().await.map_err(CoreError::from)?)?)
    }

    /// Checks one segment, or the tail.
    pub async fn verify(&self, after_position: f64) -> Result<String, JsValue> {
        let report = self
            .store
            .verify(Position(after_position as u64))
            .await
            .map_err(CoreError::from)?;
        Ok(text::json(&report)?)
    }

    /// One part of an export.
    #[wasm_bindgen(js_name = exportPart)]
    pub async fn export_part(&self, part: u32) -> Result<Option<Uint8Array>, JsValue> {
        let bytes = self.store.export_part(u64::from(part)).await.map_err(CoreError::from)?;
        Ok(bytes.map(|bytes| Uint8Array::from(bytes.as_slice())))
    }

    /// Checks an export file.
    #[wasm_bindgen(js_name = checkImport)]
    pub fn check_import(&self, bytes: &[u8]) -> Result<String, JsValue> {
        Ok(text::json(
            &crate::store::check_export(bytes).map_err(CoreError::from)?,
        )?)
    }

    /// Writes an export file into the store.
    #[wasm_bindgen(js_name = importAll)]
    pub async fn import_all(&self, bytes: Vec<u8>, merge: bool) -> Result<String, JsValue> {
        let imported = self.store.import(&bytes, merge).await.map_err(CoreError::from)?;
        Ok(text::json(&imported)?)
    }

    /// Fails a storage call to come.
    #[wasm_bindgen(js_name = failStorage)]
    pub fn fail_storage(&self, call: u32, error: &str) {
        let reason = "a fault was injected".to_owned();
        let error = match error {
            "quota" => StorageError::QuotaExceeded,
            "closed" => StorageError::Closed(reason),
            "aborted" => StorageError::Aborted(reason),
            "blocked" => StorageError::Blocked(reason),
            _ => StorageError::Failed(reason),
        };
        self.faults.plan(Fault {
            call: self.faults.calls() + u64::from(call),
            when: When::Before,
            error,
        });
    }

    /// Storage calls so far.
    #[wasm_bindgen(js_name = storageCalls)]
    pub fn storage_calls(&self) -> f64 {
        self.faults.calls() as f64
    }

    /// Panics, to show what a panic leads to.
    #[wasm_bindgen(js_name = injectPanic)]
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub fn inject_panic(&self) {
        panic!("a panic was injected");
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close();
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, CoreError> {
    serde_json::from_str(text).map_err(|error| CoreError::argument(&error))
}

/// `CoreLoaded`.
fn loaded_text(loaded: &Loaded) -> Result<String, CoreError> {
    let snapshot = match &loaded.snapshot {
        Some(snapshot) => format!("{{\"version\":{},\"state\":{}}}", snapshot.version, snapshot.state),
        None => "null".to_owned(),
    };
    let (version, batch, dropped) = (loaded.version, &loaded.batch, text::json(&loaded.dropped)?);
    Ok(format!(
        r#"{{"snapshot":{snapshot},"version":{version},"batch":{batch},"dropped":{dropped}}}"#
    ))
}
