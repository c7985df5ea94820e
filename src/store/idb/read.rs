//! One readonly transaction.
//!
//! Every question is asked before the first answer is awaited. Two kinds need a second round, in the
//! same transaction: where the last few of a range need a cursor, it takes one round an entry; the
//! rows of index entries are asked for once the entries are known.

use std::slice;

use js_sys::{Array, Object, Reflect, global};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbCursor, IdbCursorDirection, IdbRequest};

use super::connection::Connection;
use super::transaction::{Access, Transaction};
use super::{error, key};
use crate::store::{Entry, Key, KeyRange, Order, Read, StorageError, Table};

pub(super) async fn read(connection: &Connection, reads: &[Read]) -> Result<Vec<Vec<Entry>>, StorageError> {
    let mut tables = Table::ALL.to_vec();
    tables.retain(|table| reads.iter().any(|read| tables_of(read).contains(table)));
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = Transaction::begin(connection, &tables, Access::Read)?;
    let mut questions = Vec::with_capacity(reads.len());
    for read in reads {
        questions.push(Question::ask(&transaction, read)?);
    }
    transaction.answers().await?;
    for question in &mut questions {
        question.finish(&transaction).await?;
    }
    for question in &mut questions {
        question.look_up_rows(&transaction)?;
    }
    transaction.answers().await?;
    transaction.is_answered();
    questions.into_iter().map(Question::answer).collect()
}

/// One [`Read`] under way.
enum Question {
    /// The answer is known without asking.
    Known(Vec<Entry>),
    Get(Key, IdbRequest),
    Count(IdbRequest),
    Scan(Scan),
    Index(Keys),
    Rows(Vec<(Key, IdbRequest)>),
}

/// Entries of a range.
enum Scan {
    /// Where the browser has no call for both.
    Apart {
        keys: IdbRequest,
        values: IdbRequest,
        order: Order,
    },
    Records(Records),
}

/// Keys of a range.
enum Keys {
    All { keys: IdbRequest, order: Order },
    Records(Records),
}

/// Records of a range, all at once where the browser can, else with a cursor that begins at the highest.
struct Records {
    request: IdbRequest,
    left: u32,
    found: Vec<Entry>,
    here: fn(&Record) -> Result<Entry, StorageError>,
}

#[wasm_bindgen]
extern "C" {
    /// In Chromium since 141. For 100 records it took a sixth of the time of a cursor; for the 100 blocks of a
    /// segment a third to a half of the time of their keys and values apart.
    type WithRecords;

    #[wasm_bindgen(catch, method, js_name = getAllRecords)]
    fn get_all_records(this: &WithRecords, options: &Object) -> Result<IdbRequest, JsValue>;

    /// A record, or a cursor that stands on one.
    type Record;

    #[wasm_bindgen(catch, method, getter)]
    fn key(this: &Record) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, method, getter)]
    fn value(this: &Record) -> Result<JsValue, JsValue>;
}

fn tables_of(read: &Read) -> &[Table] {
    match read {
        Read::Get(table, _) | Read::Count(table, _) | Read::Scan { table, .. } => slice::from_ref(table),
        Read::Indexed { .. } => &[Table::Index, Table::Rows],
    }
}

impl Question {
    fn ask(transaction: &Transaction<'_>, read: &Read) -> Result<Self, StorageError> {
        match read {
            Read::Get(table, key) => {
                let request = transaction.ask(*table, |store| store.get(&key::to_js(key)))?;
                Ok(Self::Get(key.clone(), request))
            }
            Read::Count(_, range) if range.is_empty() => Ok(Self::Known(vec![without_value(Key::from(0))])),
            Read::Count(table, range) => {
                let query = key::range_to_js(range)?;
                let request = transaction.ask(*table, |store| store.count_with_key(&query))?;
                Ok(Self::Count(request))
            }
            // To IndexedDB a limit of 0 is no limit.
            Read::Scan { range, limit, .. } | Read::Indexed { range, limit, .. }
                if range.is_empty() || *limit == Some(0) =>
            {
                Ok(Self::Known(Vec::new()))
            }
            Read::Scan {
                table,
                range,
                order,
                limit,
            } => Scan::ask(transaction, *table, range, *order, *limit).map(Self::Scan),
            Read::Indexed { range, order, limit } => Keys::ask(transaction, range, *order, *limit).map(Self::Index),
        }
    }

    async fn finish(&mut self, transaction: &Transaction<'_>) -> Result<(), StorageError> {
        match self {
            Self::Scan(Scan::Records(records)) | Self::Index(Keys::Records(records)) => {
                records.finish(transaction).await
            }
            _ => Ok(()),
        }
    }

    fn look_up_rows(&mut self, transaction: &Transaction<'_>) -> Result<(), StorageError> {
        let Self::Index(keys) = self else {
            return Ok(());
        };
        let mut rows = Vec::new();
        for entry in keys.take()? {
            if let Some(row) = entry.indexed_row() {
                let request = transaction.ask(Table::Rows, |store| store.get(&key::to_js(&row)))?;
                rows.push((entry, request));
            }
        }
        *self = Self::Rows(rows);
        Ok(())
    }

    fn answer(self) -> Result<Vec<Entry>, StorageError> {
        match self {
            Self::Known(entries) => Ok(entries),
            Self::Get(key, request) => Ok(got(key, &request)?.into_iter().collect()),
            Self::Count(request) => Ok(vec![without_value(key::from_js(&result(&request)?)?)]),
            Self::Scan(scan) => scan.answer(),
            // Its rows were looked up by now.
            Self::Index(_) => Ok(Vec::new()),
            Self::Rows(rows) => {
                let rows = rows.into_iter();
                rows.filter_map(|(key, request)| got(key, &request).transpose())
                    .collect()
            }
        }
    }
}

impl Scan {
    fn ask(
        transaction: &Transaction<'_>,
        table: Table,
        range: &KeyRange,
        order: Order,
        limit: Option<u32>,
    ) -> Result<Self, StorageError> {
        let query = key::range_to_js(range)?;
        let here = |record: &Record| entry(&property(record.key())?, &property(record.value())?);
        if all_at_once() || (order == Order::Descending && limit.is_some()) {
            return Records::ask(transaction, table, &query, (order, limit), here).map(Self::Records);
        }
        let limit = limit.unwrap_or(0);
        Ok(Self::Apart {
            keys: transaction.ask(table, |store| store.get_all_keys_with_key_and_limit(&query, limit))?,
            values: transaction.ask(table, |store| store.get_all_with_key_and_limit(&query, limit))?,
            order,
        })
    }

    fn answer(self) -> Result<Vec<Entry>, StorageError> {
        match self {
            Self::Apart { keys, values, order } => {
                let pairs = array(&keys)?.into_iter().zip(array(&values)?);
                let entries = pairs.map(|(key, value)| entry(&key, &value));
                entries
                    .collect::<Result<_, _>>()
                    .map(|entries| in_order(entries, order))
            }
            Self::Records(records) => Ok(records.found),
        }
    }
}

impl Keys {
    fn ask(
        transaction: &Transaction<'_>,
        range: &KeyRange,
        order: Order,
        limit: Option<u32>,
    ) -> Result<Self, StorageError> {
        let query = key::range_to_js(range)?;
        if order == Order::Descending && limit.is_some() {
            let here = |record: &Record| key::from_js(&property(record.key())?).map(without_value);
            return Records::ask(transaction, Table::Index, &query, (order, limit), here).map(Self::Records);
        }
        let limit = limit.unwrap_or(0);
        Ok(Self::All {
            keys: transaction.ask(Table::Index, |store| {
                store.get_all_keys_with_key_and_limit(&query, limit)
            })?,
            order,
        })
    }

    fn take(&mut self) -> Result<Vec<Key>, StorageError> {
        match self {
            Self::All { keys, order } => {
                let keys = array(keys)?.into_iter().map(|key| key::from_js(&key));
                keys.collect::<Result<_, _>>().map(|keys| in_order(keys, *order))
            }
            Self::Records(records) => Ok(records.found.drain(..).map(|entry| entry.key).collect()),
        }
    }
}

impl Records {
    fn ask(
        transaction: &Transaction<'_>,
        table: Table,
        query: &JsValue,
        (order, limit): (Order, Option<u32>),
        here: fn(&Record) -> Result<Entry, StorageError>,
    ) -> Result<Self, StorageError> {
        let request = transaction.ask(table, |store| {
            if !all_at_once() {
                return store.open_cursor_with_range_and_direction(query, IdbCursorDirection::Prev);
            }
            let options = Object::new();
            Reflect::set(&options, &"query".into(), query)?;
            if let Some(limit) = limit {
                Reflect::set(&options, &"count".into(), &limit.into())?;
            }
            if order == Order::Descending {
                Reflect::set(&options, &"direction".into(), &"prev".into())?;
            }
            store.unchecked_ref::<WithRecords>().get_all_records(&options)
        })?;
        Ok(Self {
            request,
            left: limit.unwrap_or(u32::MAX),
            found: Vec::new(),
            here,
        })
    }

    async fn finish(&mut self, transaction: &Transaction<'_>) -> Result<(), StorageError> {
        loop {
            let found = result(&self.request)?;
            if let Some(records) = found.dyn_ref::<Array>() {
                let records = records.iter().map(|record| (self.here)(record.unchecked_ref()));
                self.found = records.collect::<Result<_, _>>()?;
                return Ok(());
            }
            if found.is_null() {
                return Ok(());
            }
            self.found.push((self.here)(found.unchecked_ref())?);
            self.left -= 1;
            if self.left == 0 {
                return Ok(());
            }
            transaction.ask_again(&self.request, || found.unchecked_ref::<IdbCursor>().continue_())?;
            transaction.answers().await?;
        }
    }
}

/// Whether the browser has `getAllRecords`.
fn all_at_once() -> bool {
    let of = |object: &JsValue, name: &str| Reflect::get(object, &name.into());
    of(&global(), "IDBObjectStore")
        .and_then(|class| of(&class, "prototype"))
        .and_then(|prototype| Reflect::has(&prototype, &"getAllRecords".into()))
        .unwrap_or(false)
}

fn result(request: &IdbRequest) -> Result<JsValue, StorageError> {
    property(request.result())
}

fn property(value: Result<JsValue, JsValue>) -> Result<JsValue, StorageError> {
    value.map_err(|thrown| error::thrown(&thrown))
}

fn array(request: &IdbRequest) -> Result<Array, StorageError> {
    Ok(result(request)?.unchecked_into())
}

fn got(key: Key, request: &IdbRequest) -> Result<Option<Entry>, StorageError> {
    let value = result(request)?;
    if value.is_undefined() {
        return Ok(None);
    }
    let value = key::bytes_from_js(&value)?;
    Ok(Some(Entry { key, value }))
}

fn entry(key: &JsValue, value: &JsValue) -> Result<Entry, StorageError> {
    Ok(Entry {
        key: key::from_js(key)?,
        value: key::bytes_from_js(value)?,
    })
}

fn without_value(key: Key) -> Entry {
    Entry { key, value: Vec::new() }
}

fn in_order<T>(mut ascending: Vec<T>, order: Order) -> Vec<T> {
    if order == Order::Descending {
        ascending.reverse();
    }
    ascending
}
