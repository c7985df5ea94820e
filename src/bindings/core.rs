//! The class `Core`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use js_sys::futures::future_to_promise;
use js_sys::{Array, Float64Array, Function, JSON, Promise};
use wasm_bindgen::prelude::*;

use super::answer::{Answer, Answering, or_null, parse};
use super::any_storage::AnyStorage;
use super::call::Call;
use super::memory_part::{delete_memory, memory_storage};
use super::sync_part::sync_part;
use super::text;
use super::tool_part::tool_part;
use crate::commit::NewCommit;
use crate::json::{FromJson, JsonReader, ObjectWriter, put_number};
use crate::store::idb::{IdbStorage, delete_database};
use crate::store::{
    Clock, Closed, ClosedBy, Durability, Fault, Faults, LoadQuery, Loaded, OpenOptions, Outcome, Page, Query, RowQuery,
    RowWrite, Storage, StorageError, Store, When,
};
use crate::stream::Version;
use crate::sync::Replica;

thread_local! {
    static ON_PANIC: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// `CoreOptions`.
struct Options<'a> {
    name: Cow<'a, str>,
    storage: Cow<'a, str>,
    durability: Cow<'a, str>,
    replica_id: Cow<'a, str>,
    now: i64,
    merges: i64,
}

impl<'a> FromJson<'a> for Options<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut name, mut storage, mut durability, mut replica_id, mut now) = (None, None, None, None, None);
        let mut merges = 0;
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "name" => name = Some(json.text()),
                "storage" => storage = Some(json.text()),
                "durability" => durability = Some(json.text()),
                "replicaId" => replica_id = Some(json.text()),
                "now" => now = Some(json.whole()),
                "merges" => merges = json.whole(),
                _ => drop(json.raw()),
            }
        }
        Self {
            merges,
            name: json.required(name, "name"),
            storage: json.required(storage, "storage"),
            durability: json.required(durability, "durability"),
            replica_id: json.required(replica_id, "replicaId"),
            now: json.required(now, "now"),
        }
    }
}

/// An open store. See `ts/core.ts` for every method.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    store: Rc<Store<AnyStorage>>,
    faults: Faults,
    closed: Closed,
    replica: Rc<RefCell<Replica>>,
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
    pub fn open(options: &JsValue) -> Promise {
        let options = JSON::stringify(options)
            .ok()
            .and_then(|text| text.as_string())
            .unwrap_or_default();
        promise(async move {
            let options: Options<'_> = parse(&options)?;
            let faults = Faults::new();
            let storage = if options.storage == "memory" {
                memory_storage(options.name.into_owned(), faults.clone()).await?
            } else {
                AnyStorage::new(IdbStorage::open(&options.name).await?)
            };
            let closed = storage.closed();
            let durability = if options.durability == "relaxed" {
                Durability::Relaxed
            } else {
                Durability::Strict
            };
            let merges = options.merges as u64;
            let options = OpenOptions {
                replica: options.replica_id.into_owned(),
                now: options.now,
                durability,
            };
            let store = Rc::new(Store::open(storage, options).await?);
            store.count_merges_from(merges);
            let replica = Rc::default();
            Ok(Self {
                store,
                faults,
                closed,
                replica,
            }
            .into())
        })
    }

    /// Deletes a store.
    #[wasm_bindgen(js_name = deleteStore)]
    pub fn delete_store(name: String, storage: String) -> Promise {
        promise(async move {
            if storage == "memory" {
                return delete_memory(name).await;
            }
            delete_database(&name).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// `CoreState`.
    pub fn state(&self) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("replicaId", self.store.replica());
        object.number("position", self.store.position().0 as i64);
        object.number("journalRecords", self.store.journal_records() as i64);
        object.number("confirmed", self.store.confirmed().0 as i64);
        object.number("pending", self.store.pending() as i64);
        object.number("merges", self.store.merges() as i64);
        object.end();
        out
    }

    /// Resolves when the connection was closed from outside.
    pub fn closed(&self) -> Promise {
        let closed = self.closed.clone();
        promise(async move {
            Ok(match closed.await {
                ClosedBy::Upgrade | ClosedBy::Deletion => "versionchange".into(),
                ClosedBy::Browser => "lost".into(),
                ClosedBy::Caller => std::future::pending().await,
            })
        })
    }

    /// Appends a group of commits.
    pub fn append(&self, group: String, merges: f64) -> Promise {
        let store = self.store();
        promise(async move {
            let group: Vec<NewCommit<'_>> = parse(&group)?;
            Ok(text::progress(&store.append_decided(merges as u64, &group).await?).into())
        })
    }

    /// Reads what other tabs wrote.
    #[wasm_bindgen(js_name = catchUp)]
    pub fn catch_up(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::progress(&store.catch_up().await?).into()) })
    }

    /// Seals the tail if it has at least so many confirmed events; false if nothing was sealed.
    pub fn seal(&self, least: f64) -> Promise {
        if self.store.unsealed() < least as u64 {
            return Promise::resolve(&JsValue::FALSE);
        }
        self.tool("seal".to_owned(), Array::new())
    }

    /// Loads a stream.
    #[expect(clippy::too_many_arguments, reason = "JavaScript passes them one by one")]
    pub fn load(
        &self,
        stream_id: String,
        definition: String,
        version: f64,
        snapshot_every: f64,
        at_version: f64,
        at: f64,
        clock: String,
    ) -> Promise {
        let store = self.store();
        promise(async move {
            let clock = clock_of(&clock);
            let query = LoadQuery {
                definition: (!definition.is_empty()).then_some((&*definition, version as u64)),
                snapshot_every: Some(snapshot_every as u64),
                at_version: (!at_version.is_nan()).then_some(Version(at_version as u64)),
                at: (!at.is_nan()).then_some((at as i64, clock)),
            };
            Ok(loaded_text(store.load(&stream_id, query).await?).into())
        })
    }

    /// One page of events.
    pub fn read(&self, query: String) -> Promise {
        let store = self.store();
        promise(async move {
            let query: Query<'_> = parse(&query)?;
            let Page { batch, next } = store.read(&query).await?;
            let next = next.map_or(JsValue::NULL, |position| (position.0 as f64).into());
            let numbers = Float64Array::from(batch.numbers.as_slice());
            Ok(Array::of3(&batch.text.into(), &numbers, &next).into())
        })
    }

    /// What became of a commit; with `content`, whether it is the same one.
    pub fn outcome(&self, commit_id: String, content: String) -> Promise {
        let store = self.store();
        promise(async move {
            let outcome = match store.find_commit(&commit_id).await? {
                Some(receipt) if content.is_empty() || receipt.has_content(&content) => Outcome::Duplicate(receipt),
                Some(_) => Outcome::Reused,
                None if store.has_refusal(&commit_id).await? => {
                    let call = Call::new("refusal".to_owned(), Array::of1(&commit_id.into()));
                    return tool_part(store, call).await;
                }
                None => return Ok(or_null(None)),
            };
            Ok(text::found(&outcome).into())
        })
    }

    /// Where a projection version stands.
    pub fn projection(&self, name: String, version: u32, indexes: String) -> Promise {
        let store = self.store();
        promise(async move {
            let report = store.projection(&name, version, &indexes).await?;
            Ok(text::projection(&report).into())
        })
    }

    /// Rows by key.
    pub fn rows(&self, generation: f64, keys: String) -> Promise {
        let store = self.store();
        promise(async move {
            let keys: Vec<Cow<'_, str>> = parse(&keys)?;
            Ok(or_null(store.rows(generation as u64, &keys).await?))
        })
    }

    /// Rows of a range.
    #[wasm_bindgen(js_name = listRows)]
    pub fn list_rows(&self, query: String) -> Promise {
        let store = self.store();
        promise(async move {
            let query: RowQuery<'_> = parse(&query)?;
            Ok(or_null(store.list_rows(&query).await?))
        })
    }

    /// Writes rows with their checkpoint.
    #[wasm_bindgen(js_name = writeRows)]
    pub fn write_rows(&self, write: String) -> Promise {
        let store = self.store();
        promise(async move {
            let write: RowWrite<'_> = parse(&write)?;
            Ok(store.write_rows(&write).await?.into())
        })
    }

    /// A call that is seldom or long, by its name in `CoreTools`.
    pub fn tool(&self, name: String, arguments: Array) -> Promise {
        promise(tool_part(self.store(), Call::new(name, arguments)))
    }

    /// A call of a store that syncs, by its name in `CoreSync`.
    pub fn sync(&self, name: String, arguments: Array) -> Promise {
        let replica = Rc::clone(&self.replica);
        promise(sync_part(self.store(), replica, Call::new(name, arguments)))
    }

    /// Fails a storage call to come, of a store in memory.
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

    /// Storage calls so far, of a store in memory.
    #[wasm_bindgen(js_name = storageCalls)]
    pub fn storage_calls(&self) -> f64 {
        self.faults.calls() as f64
    }

    /// Panics, to show what a panic leads to.
    ///
    /// # Panics
    ///
    /// Always.
    #[wasm_bindgen(js_name = injectPanic)]
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub fn inject_panic(&self) {
        panic!("a panic was injected");
    }

    /// Closes the store.
    pub fn close(&self) -> Promise {
        let store = self.store();
        promise(async move {
            store.close();
            Ok(JsValue::UNDEFINED)
        })
    }

    pub(super) fn store(&self) -> Rc<Store<AnyStorage>> {
        Rc::clone(&self.store)
    }
}

/// The clock of this name.
pub(super) fn clock_of(name: &str) -> Clock {
    if name == "recorded" {
        Clock::Recorded
    } else {
        Clock::Occurred
    }
}

/// A promise of what the future finds out.
fn promise(answer: impl Future<Output = Answer> + 'static) -> Promise {
    promise_of(Box::pin(answer))
}

/// The one place where a future becomes a promise: an `async fn` would bring its own copy of all that this takes.
fn promise_of(answer: Answering) -> Promise {
    future_to_promise(async move { Ok(answer.await?) })
}

/// `CoreLoaded`.
fn loaded_text(loaded: Loaded) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    match &loaded.snapshot {
        Some(snapshot) => {
            let mut inner = ObjectWriter::new(object.field("snapshot"));
            inner.number("version", snapshot.version.0 as i64);
            inner.raw("state", &snapshot.state);
            inner.end();
        }
        None => object.raw("snapshot", "null"),
    }
    object.number("version", loaded.version.0 as i64);
    object.number("confirmed", loaded.confirmed.0 as i64);
    object.raw("batch", &loaded.batch.into_document());
    object.list("dropped", &loaded.dropped, |version, out| {
        put_number(out, *version as i64);
    });
    object.end();
    out
}
