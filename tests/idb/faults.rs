//! What a browser refuses, or does not have. Its own functions are replaced for the time of a case.

use everfold::store::idb::IdbStorage;
use everfold::store::{Durability, Storage, StorageError, Table, Write, Written};
use futures_util::future::join;
use indexed_db_futures::database::Database;
use indexed_db_futures::prelude::{Build, BuildPrimitive, QuerySource};
use indexed_db_futures::transaction::TransactionMode;
use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::DomException;

use super::Idb;
use crate::contract::{self, Tabs, all, append, change, entry, put};

/// Replaces a property of a global object, or of its prototype, until dropped.
struct Replaced {
    object: Object,
    name: &'static str,
    original: Object,
}

impl Replaced {
    fn new(object: Object, name: &'static str, value: &JsValue) -> Self {
        let original = Object::get_own_property_descriptor(&object, &name.into()).unchecked_into();
        let descriptor = Object::new();
        Reflect::set(&descriptor, &"value".into(), value).unwrap();
        Reflect::set(&descriptor, &"configurable".into(), &true.into()).unwrap();
        Object::define_property(&object, &name.into(), &descriptor);
        Self { object, name, original }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        Reflect::delete_property(&self.object, &self.name.into()).unwrap();
        if !self.original.is_undefined() {
            Object::define_property(&self.object, &self.name.into(), &self.original);
        }
    }
}

fn prototype(class: &str) -> Object {
    let class = Reflect::get(&js_sys::global(), &class.into()).unwrap();
    Reflect::get(&class, &"prototype".into()).unwrap().unchecked_into()
}

/// A function that throws a `DOMException` of this name.
fn throwing(name: &'static str) -> Closure<dyn FnMut() -> Result<JsValue, JsValue>> {
    Closure::new(move || Err(DomException::new_with_message_and_name("refused", name).unwrap().into()))
}

#[wasm_bindgen_test]
async fn without_indexeddb_storage_is_unavailable() {
    let replaced = Replaced::new(js_sys::global(), "indexedDB", &JsValue::UNDEFINED);

    let opened = IdbStorage::open("nowhere").await;

    drop(replaced);
    assert!(matches!(opened.err(), Some(StorageError::Unavailable(_))));
    Idb::new("somewhere").open().await;
}

#[wasm_bindgen_test]
async fn a_page_that_may_not_use_indexeddb_is_told_that_storage_is_unavailable() {
    let refusal = throwing("SecurityError");
    let replaced = Replaced::new(prototype("IDBFactory"), "open", refusal.as_ref());

    let opened = IdbStorage::open("forbidden").await;

    drop(replaced);
    assert!(matches!(opened.err(), Some(StorageError::Unavailable(_))));
}

#[wasm_bindgen_test]
async fn a_full_disk_is_told_from_other_failures_and_nothing_is_written() {
    let storage = Idb::new("full").open().await;
    let refusal = throwing("QuotaExceededError");
    let replaced = Replaced::new(prototype("IDBObjectStore"), "put", refusal.as_ref());

    let write = Write {
        changes: vec![append(1, "a"), put(Table::Rows, 1, "a")],
        ..Write::default()
    };
    let written = storage.write(write).await;

    drop(replaced);
    assert_eq!(written, Err(StorageError::QuotaExceeded));
    assert_eq!(change(&storage, vec![append(1, "b")]).await, Written::Done);
    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "b")]);
}

#[wasm_bindgen_test]
async fn a_write_whose_values_find_no_memory_fails_and_the_next_one_is_written() {
    let storage = Idb::new("no memory").open().await;
    let refusal = throwing("RangeError");
    let replaced = Replaced::new(prototype("Uint8Array"), "slice", refusal.as_ref());

    let write = Write {
        changes: vec![append(1, "a")],
        ..Write::default()
    };
    let written = storage.write(write).await;

    drop(replaced);
    assert!(matches!(written, Err(StorageError::Failed(_))), "{written:?}");
    assert_eq!(change(&storage, vec![append(1, "b")]).await, Written::Done);
}

/// Firefox refuses every transaction like this once the quota was used up, Safari when its storage
/// process is gone: only opening again may help.
#[wasm_bindgen_test]
async fn a_connection_that_no_longer_gives_transactions_is_closed() {
    let tabs = Idb::new("lost");
    let storage = tabs.open().await;
    let refusal = throwing("InvalidStateError");
    let replaced = Replaced::new(prototype("IDBDatabase"), "transaction", refusal.as_ref());

    let (written, by) = join(
        storage.write(Write {
            changes: vec![append(1, "a")],
            ..Write::default()
        }),
        storage.closed(),
    )
    .await;

    drop(replaced);
    assert_eq!(written, Err(StorageError::Closed("refused".to_owned())));
    assert_eq!(by, everfold::store::ClosedBy::Browser);
    assert_eq!(change(&tabs.open().await, vec![append(1, "b")]).await, Written::Done);
}

#[wasm_bindgen_test]
async fn the_last_few_are_found_with_a_cursor_where_there_is_nothing_better() {
    let tabs = |case| Idb::new(case);
    let stores = prototype("IDBObjectStore");
    let name = JsValue::from("getAllRecords");
    let original = Reflect::get(&stores, &name).unwrap();
    Reflect::delete_property(&stores, &name).unwrap();

    contract::ranges::a_limit_cuts_either_order_and_zero_means_nothing(&tabs("limit")).await;
    contract::ranges::indexed_reads_return_rows_in_the_order_of_the_index(&tabs("indexed")).await;
    contract::ranges::a_long_descending_scan_comes_back_in_order(&tabs("descending")).await;
    contract::writes::an_empty_database_answers_with_nothing(&tabs("empty")).await;

    if !original.is_undefined() {
        Reflect::set(&stores, &name, &original).unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_write_that_cannot_begin_in_ten_seconds_is_given_up_and_not_applied() {
    let tabs = Idb::new("held");
    let storage = tabs.open().await;
    let holder = Database::open(tabs.name.as_str()).await.unwrap();
    let transaction = holder
        .transaction("journal")
        .with_mode(TransactionMode::Readwrite)
        .build()
        .unwrap();
    let journal = transaction.object_store("journal").unwrap();
    let given_up = std::cell::Cell::new(false);

    // A transaction lasts as long as it asks.
    let hold = async {
        while !given_up.get() {
            journal.count().primitive().unwrap().await.unwrap();
        }
    };
    let write = async {
        let write = Write {
            changes: vec![append(1, "a")],
            durability: Durability::Relaxed,
            ..Write::default()
        };
        let written = storage.write(write).await;
        given_up.set(true);
        written
    };
    let ((), written) = join(hold, write).await;
    transaction.commit().await.unwrap();

    assert!(matches!(written, Err(StorageError::Blocked(_))), "{written:?}");
    assert_eq!(all(&storage, Table::Journal).await, []);
    assert_eq!(change(&storage, vec![append(1, "b")]).await, Written::Done);
    holder.close();
}
