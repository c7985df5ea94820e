//! The class `Core`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::futures::future_to_promise;
use js_sys::{Array, Float64Array, Function, JSON, Promise, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::any_storage::AnyStorage;
use super::error::CoreError;
use super::text;
use crate::bulk::Bulk;
use crate::commit::NewCommit;
use crate::json::{self, FromJson, JsonReader};
use crate::position::Position;
use crate::store::idb::{IdbStorage, delete_database};
use crate::store::{
    BindOptions, Clock, Closed, ClosedBy, Decision, Durability, Fault, Faults, Faulty, LoadQuery, Loaded,
    MemoryDatabase, MemoryStorage, OnRefused, OpenOptions, Outcome, Page, Query, Recovery, RowQuery, RowWrite, Storage,
    StorageError, Store, StoreError, When, check_export,
};
use crate::stream::Version;
use crate::sync::{Input, PushAnswer, Replica};

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
}

impl<'a> FromJson<'a> for Options<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut name, mut storage, mut durability, mut replica_id, mut now) = (None, None, None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "name" => name = Some(json.text()),
                "storage" => storage = Some(json.text()),
                "durability" => durability = Some(json.text()),
                "replicaId" => replica_id = Some(json.text()),
                "now" => now = Some(json.whole()),
                _ => drop(json.raw()),
            }
        }
        Self {
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
    replica: RefCell<Replica>,
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
                let storage = MemoryStorage::open(&MemoryDatabase::named(&options.name));
                AnyStorage::Memory(Faulty::new(storage, faults.clone()))
            } else {
                let storage = IdbStorage::open(&options.name).await?;
                AnyStorage::IndexedDb(Faulty::new(storage, faults.clone()))
            };
            let closed = storage.closed();
            let durability = if options.durability == "relaxed" {
                Durability::Relaxed
            } else {
                Durability::Strict
            };
            let options = OpenOptions {
                replica: options.replica_id.into_owned(),
                now: options.now,
                durability,
            };
            let store = Rc::new(Store::open(storage, options).await?);
            let replica = RefCell::default();
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
                MemoryDatabase::delete(&name);
            } else {
                delete_database(&name).await?;
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    /// `CoreState`.
    pub fn state(&self) -> Result<String, JsValue> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct State<'a> {
            replica_id: &'a str,
            position: Position,
            journal_records: u64,
            confirmed: Position,
            pending: u64,
            merges: u64,
        }
        Ok(text::json(&State {
            replica_id: self.store.replica(),
            position: self.store.position(),
            journal_records: self.store.journal_records(),
            confirmed: self.store.confirmed(),
            pending: self.store.pending(),
            merges: self.store.merges(),
        })?)
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
            Ok(text::progress(&store.append_decided(merges as u64, &group).await?)?.into())
        })
    }

    /// Writes commits of a bulk, from number `from` on.
    pub fn ingest(&self, bulk: String, from: u32, pass_over: bool) -> Promise {
        let store = self.store();
        promise(async move {
            let bulk = Bulk::parse(&bulk).map_err(|error| CoreError::argument(&error))?;
            let on_refused = if pass_over {
                OnRefused::PassOver
            } else {
                OnRefused::Stop
            };
            Ok(text::ingested(&store.ingest(&bulk, from as usize, on_refused).await?)?.into())
        })
    }

    /// Reads what other tabs wrote.
    #[wasm_bindgen(js_name = catchUp)]
    pub fn catch_up(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::progress(&store.catch_up().await?)?.into()) })
    }

    /// Seals the tail; false if there was nothing to seal.
    pub fn seal(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.seal().await?.into()) })
    }

    /// Merges one run of at least `run` small segments; false if there is none.
    pub fn compact(&self, run: u32) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.compact(run as usize).await?.into()) })
    }

    /// Loads a stream.
    pub fn load(
        &self,
        stream_id: String,
        definition: String,
        version: f64,
        at_version: f64,
        at: f64,
        clock: String,
    ) -> Promise {
        let store = self.store();
        promise(async move {
            let clock = clock_of(&clock);
            let query = LoadQuery {
                definition: (!definition.is_empty()).then_some((&*definition, version as u64)),
                at_version: (!at_version.is_nan()).then_some(Version(at_version as u64)),
                at: (!at.is_nan()).then_some((at as i64, clock)),
            };
            Ok(loaded_text(store.load(&stream_id, query).await?)?.into())
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

    /// Ids of streams.
    pub fn streams(&self, prefix: String, after: String, limit: u32) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.streams(&prefix, &after, limit as usize).await?)?.into()) })
    }

    /// What became of a commit; with `content`, whether it is the same one.
    pub fn outcome(&self, commit_id: String, content: String) -> Promise {
        let store = self.store();
        promise(async move {
            let outcome = match store.find_commit(&commit_id).await? {
                Some(receipt) if content.is_empty() || receipt.has_content(&content) => {
                    Some(Outcome::Duplicate(receipt))
                }
                Some(_) => Some(Outcome::Reused),
                None => None,
            };
            if outcome.is_none()
                && let Some((_, refusal)) = store.refusal_of(&commit_id).await?
            {
                return Ok(text::refused(&refusal).into());
            }
            Ok(text::found(outcome.as_ref())?.into())
        })
    }

    /// `CoreSyncState`, or null.
    #[wasm_bindgen(js_name = syncState)]
    pub fn sync_state(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(or_null(store.sync_state().await?.map(|state| state.to_json()))) })
    }

    /// Binds the store to a space.
    #[wasm_bindgen(js_name = bindSync)]
    pub fn bind_sync(&self, options: String) -> Promise {
        let store = self.store();
        promise(async move {
            let options: BindOptions = parse(&options)?;
            Ok(or_null(store.bind(&options).await?.map(|state| state.to_json())))
        })
    }

    /// Begins to lead.
    pub fn lead(&self) -> Promise {
        let store = self.store();
        promise(async move {
            store.lead().await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// What to push.
    #[wasm_bindgen(js_name = pushBody)]
    pub fn push_body(&self, max_commits: u32, max_bytes: u32) -> Promise {
        let store = self.store();
        promise(async move {
            let body = store.push_body(max_commits as usize, max_bytes as usize).await?;
            Ok(text::push_body(body))
        })
    }

    /// Stores answers of the server.
    pub fn pulled(&self, texts: Vec<String>) -> Promise {
        let store = self.store();
        promise(async move {
            let answers = texts.iter().map(|text| json::parse(text));
            let answers: Vec<PushAnswer<'_>> = answers
                .collect::<Result<_, _>>()
                .map_err(|error| StoreError::protocol(error.to_string()))?;
            Ok(text::pulled(&store.pulled(&answers).await?)?.into())
        })
    }

    /// The next step of a walk through what is pending.
    #[wasm_bindgen(js_name = rebaseNext)]
    pub fn rebase_next(&self, decision: String) -> Promise {
        let store = self.store();
        promise(async move {
            let decision = match &*decision {
                "" => None,
                decision => Some(parse::<Decision<'_>>(decision)?),
            };
            Ok(text::rebase_step(store.rebase_next(decision).await?)?.into())
        })
    }

    /// The next part of a history that the space takes over.
    #[wasm_bindgen(js_name = adoptBody)]
    pub fn adopt_body(&self, max_commits: u32, max_bytes: u32) -> Promise {
        let store = self.store();
        promise(async move {
            let body = store.adopt_request(max_commits as usize, max_bytes as usize).await?;
            Ok(text::push_body(body))
        })
    }

    /// Stores how far that has come.
    pub fn adopted(&self, answer: String) -> Promise {
        let store = self.store();
        promise(async move {
            let answer = json::parse(&answer).map_err(|error| StoreError::protocol(error.to_string()))?;
            Ok(or_null(store.adopted(&answer).await?.map(|state| state.to_json())))
        })
    }

    /// Takes the log back after `epoch-changed`.
    pub fn recover(&self, problem: String, policy: String) -> Promise {
        let store = self.store();
        promise(async move {
            let changed = json::parse(&problem).map_err(|error| StoreError::protocol(error.to_string()))?;
            let recovery = Recovery::named(&policy).unwrap_or_default();
            Ok(text::progress(&store.recover(&changed, recovery).await?)?.into())
        })
    }

    /// Offers an orphan to the server.
    #[wasm_bindgen(js_name = retryOrphan)]
    pub fn retry_orphan(&self, commit_id: String) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::progress(&store.retry_orphan(&commit_id).await?)?.into()) })
    }

    /// The refusals that are not dismissed: `CoreRefusal[]`.
    pub fn refusals(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.refusals().await?.into()) })
    }

    /// Takes a refusal from the list.
    #[wasm_bindgen(js_name = dismissRefusal)]
    pub fn dismiss_refusal(&self, commit_id: String) -> Promise {
        let store = self.store();
        promise(async move {
            store.dismiss_refusal(&commit_id).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The app has been told of a refusal.
    #[wasm_bindgen(js_name = refusalTold)]
    pub fn refusal_told(&self, commit_id: String) -> Promise {
        let store = self.store();
        promise(async move {
            store.refusal_told(&commit_id).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Keeps a snapshot.
    #[wasm_bindgen(js_name = putSnapshot)]
    pub fn put_snapshot(
        &self,
        stream_id: String,
        definition: String,
        version: f64,
        stream_version: f64,
        state: String,
        keep: u32,
    ) -> Promise {
        let store = self.store();
        promise(async move {
            let definition = (&*definition, version as u64);
            let stream_version = Version(stream_version as u64);
            store
                .put_snapshot(&stream_id, definition, stream_version, &state, keep as usize)
                .await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Deletes every snapshot of a stream.
    #[wasm_bindgen(js_name = dropSnapshots)]
    pub fn drop_snapshots(&self, stream_id: String) -> Promise {
        let store = self.store();
        promise(async move {
            store.drop_snapshots(&stream_id).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Where a projection version stands.
    pub fn projection(&self, name: String, version: u32) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.projection(&name, version).await?)?.into()) })
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

    /// How many rows a generation has.
    #[wasm_bindgen(js_name = countRows)]
    pub fn count_rows(&self, generation: f64) -> Promise {
        let store = self.store();
        promise(async move {
            let count = store.count_rows(generation as u64).await?;
            Ok(count.map_or(-1.0, |count| count as f64).into())
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

    /// Keeps rows of a rebuild packed.
    #[wasm_bindgen(js_name = stageRows)]
    pub fn stage_rows(&self, write: String, parts: String) -> Promise {
        let store = self.store();
        promise(async move {
            let write: RowWrite<'_> = parse(&write)?;
            Ok(store.stage_rows(&write, &parts).await?.into())
        })
    }

    /// Writes one staged part; true when none is left.
    #[wasm_bindgen(js_name = flushRows)]
    pub fn flush_rows(&self, name: String, version: u32, generation: f64) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.flush_rows(&name, version, generation as u64).await?.into()) })
    }

    /// Begins or resumes a rebuild.
    #[wasm_bindgen(js_name = beginRebuild)]
    pub fn begin_rebuild(&self, name: String, version: u32, resume: bool) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.begin_rebuild(&name, version, resume).await?)?.into()) })
    }

    /// Makes a rebuilt generation the live one.
    #[wasm_bindgen(js_name = switchGeneration)]
    pub fn switch_generation(&self, name: String, version: u32, generation: f64) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.switch_generation(&name, version, generation as u64).await?.into()) })
    }

    /// Deletes rows of a generation.
    #[wasm_bindgen(js_name = dropGeneration)]
    pub fn drop_generation(&self, generation: f64, limit: u32) -> Promise {
        let store = self.store();
        promise(async move { Ok(store.drop_generation(generation as u64, limit).await?.into()) })
    }

    /// Numbers about the store.
    pub fn stats(&self) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.stats().await?)?.into()) })
    }

    /// Checks one segment, or the tail.
    pub fn verify(&self, after_position: f64) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.verify(Position(after_position as u64)).await?)?.into()) })
    }

    /// One part of an export.
    #[wasm_bindgen(js_name = exportPart)]
    pub fn export_part(&self, part: u32) -> Promise {
        let store = self.store();
        promise(async move {
            let bytes = store.export_part(u64::from(part)).await?;
            Ok(bytes.map_or(JsValue::NULL, |bytes| Uint8Array::from(bytes.as_slice()).into()))
        })
    }

    /// Checks an export file.
    #[wasm_bindgen(js_name = checkImport)]
    pub fn check_import(&self, bytes: Vec<u8>) -> Promise {
        promise(async move {
            let content = check_export(&bytes)?;
            Ok(text::json(&content)?.into())
        })
    }

    /// Writes an export file into the store.
    #[wasm_bindgen(js_name = importAll)]
    pub fn import_all(&self, bytes: Vec<u8>, merge: bool) -> Promise {
        let store = self.store();
        promise(async move { Ok(text::json(&store.import(&bytes, merge).await?)?.into()) })
    }

    /// Where to divide streams into parts: `string[]`.
    #[wasm_bindgen(js_name = streamBounds)]
    pub fn stream_bounds(&self, prefix: &str, count: u32) -> Result<String, JsValue> {
        Ok(text::json(&self.store.stream_bounds(prefix, count as usize))?)
    }

    /// What sync does next: `SyncOutput[]`, after a `SyncInput`.
    pub fn replica(&self, input: &str, now: f64, random: f64) -> Result<String, JsValue> {
        let input: Input<'_> = parse(input)?;
        let mut replica = self.replica.borrow_mut();
        replica.handle(input, now as i64, random);
        Ok(replica.outputs())
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
fn promise_of(answer: Pin<Box<dyn Future<Output = Answer>>>) -> Promise {
    future_to_promise(async move { Ok(answer.await?) })
}

type Answer = Result<JsValue, CoreError>;

fn or_null(document: Option<String>) -> JsValue {
    document.map_or_else(|| "null".into(), JsValue::from)
}

fn parse<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, CoreError> {
    json::parse(text).map_err(|error| CoreError::argument(&error))
}

/// `CoreLoaded`.
fn loaded_text(loaded: Loaded) -> Result<String, CoreError> {
    let snapshot = match &loaded.snapshot {
        Some(snapshot) => format!("{{\"version\":{},\"state\":{}}}", snapshot.version, snapshot.state),
        None => "null".to_owned(),
    };
    let (version, confirmed, batch, dropped) = (
        loaded.version,
        loaded.confirmed,
        loaded.batch.into_document(),
        text::json(&loaded.dropped)?,
    );
    Ok(format!(
        r#"{{"snapshot":{snapshot},"version":{version},"confirmed":{confirmed},"batch":{batch},"dropped":{dropped}}}"#
    ))
}
