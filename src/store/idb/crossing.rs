//! How transactions cross into JavaScript: one text each, and the values one behind another. Those of an answer, which may be
//! large, are asked for one after another, so that each is copied once.
//!
//! ```text
//! read:    [question, …]
//!          get      [0, table, key]
//!          count    [1, table, range]
//!          scan     [2, table, range, descending, limit]           0 is no limit
//!          indexed  [2, index, range, descending, limit, rows]
//! answers: [[key, …], …]
//! write:   [strict, [[table, key, length | null], …], [change, …]]
//!          put      [0, table, key, length]
//!          delete   [1, table, range, null]
//!          append   [2, journal, number, length]
//!          add      [3, journal, number, length]
//! range:   [lower | null, above, upper | null, below]
//! ```

use js_sys::JSON;
use wasm_bindgen::JsValue;

use crate::json::{self, FromJson, JsonReader, put_number, put_text};
use crate::store::{Bound, Change, Durability, Entry, Key, KeyRange, Order, Read, StorageError, Table, Write, Written};

/// The names of the tables, in the order that counts them.
pub(super) fn tables() -> String {
    Table::ALL.map(Table::name).join(" ")
}

/// Questions, without those that need not be asked; none if there are no others.
pub(super) fn questions(reads: &[Read]) -> Option<String> {
    let mut out = String::new();
    for read in reads.iter().filter(|read| unasked(read).is_none()) {
        out.push(if out.is_empty() { '[' } else { ',' });
        put_question(&mut out, read);
    }
    (!out.is_empty()).then(|| out + "]")
}

/// The answer to a question that IndexedDB would not take: it throws for an empty range, and to it a limit of 0 is none.
fn unasked(read: &Read) -> Option<Vec<Entry>> {
    match read {
        Read::Count(_, range) if range.is_empty() => Some(vec![Entry {
            key: Key::from(0),
            value: Vec::new(),
        }]),
        Read::Scan { range, limit, .. } | Read::Indexed { range, limit, .. }
            if range.is_empty() || *limit == Some(0) =>
        {
            Some(Vec::new())
        }
        _ => None,
    }
}

fn put_question(out: &mut String, read: &Read) {
    match read {
        Read::Get(table, key) => {
            put_head(out, 0, *table);
            put_key(out, key);
        }
        Read::Count(table, range) => {
            put_head(out, 1, *table);
            put_range(out, range);
        }
        Read::Scan {
            table,
            range,
            order,
            limit,
        } => put_scan(out, *table, range, *order, *limit),
        Read::Indexed { range, order, limit } => {
            put_scan(out, Table::Index, range, *order, *limit);
            out.push(',');
            put_number(out, Table::Rows as i64);
        }
    }
    out.push(']');
}

fn put_scan(out: &mut String, table: Table, range: &KeyRange, order: Order, limit: Option<u32>) {
    put_head(out, 2, table);
    put_range(out, range);
    out.push_str(match order {
        Order::Ascending => ",false,",
        Order::Descending => ",true,",
    });
    put_number(out, i64::from(limit.unwrap_or(0)));
}

fn put_head(out: &mut String, what: i64, table: Table) {
    out.push('[');
    put_number(out, what);
    out.push(',');
    put_number(out, table as i64);
    out.push(',');
}

fn put_key(out: &mut String, key: &Key) {
    match key {
        Key::Number(number) => put_float(out, *number),
        Key::Text(text) => put_text(out, text),
        Key::List(parts) => {
            out.push('[');
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                put_key(out, part);
            }
            out.push(']');
        }
    }
}

/// Rust's way to write a fraction would be 8 KB. What is no number is no key, and the browser says so: `null` would be an open bound.
fn put_float(out: &mut String, number: f64) {
    if !number.is_finite() {
        out.push_str("{}");
    } else if number.trunc().to_bits() == number.to_bits() && number.abs() < (1_u64 << 53) as f64 {
        put_number(out, number as i64);
    } else {
        let text = JSON::stringify(&JsValue::from_f64(number)).ok();
        out.push_str(&text.map_or_else(String::new, String::from));
    }
}

fn put_range(out: &mut String, range: &KeyRange) {
    out.push('[');
    put_bound(out, &range.lower);
    out.push(',');
    put_bound(out, &range.upper);
    out.push(']');
}

fn put_bound(out: &mut String, bound: &Bound) {
    match bound {
        Bound::Open => out.push_str("null,false"),
        Bound::Including(key) => {
            put_key(out, key);
            out.push_str(",false");
        }
        Bound::Excluding(key) => {
            put_key(out, key);
            out.push_str(",true");
        }
    }
}

/// What was answered to `reads`. `value` gives the value of an entry, by its number among all of them.
pub(super) fn answers(
    reads: &[Read],
    text: &str,
    value: impl Fn(u32) -> Vec<u8>,
) -> Result<Vec<Vec<Entry>>, StorageError> {
    let lists: Vec<Vec<Key>> =
        json::parse(text).map_err(|reason| StorageError::Failed(format!("an answer of the browser: {reason}")))?;
    let mut lists = lists.into_iter();
    let mut numbers = 0..;
    let mut answer = |read| {
        unasked(read).unwrap_or_else(|| {
            let keys = lists.next().unwrap_or_default().into_iter();
            keys.zip(&mut numbers)
                .map(|(key, number)| Entry {
                    key,
                    value: value(number),
                })
                .collect()
        })
    };
    Ok(reads.iter().map(&mut answer).collect())
}

impl<'a> FromJson<'a> for Key {
    fn read(json: &mut JsonReader<'a>) -> Self {
        if json.is_text() {
            return Self::Text(json.text().into_owned());
        }
        if !json.is_list() {
            return Self::Number(json.float());
        }
        let mut parts = Vec::new();
        json.list();
        while json.item() {
            parts.push(Self::read(json));
        }
        Self::List(parts)
    }
}

/// A write, and its values.
pub(super) fn write(write: &Write) -> (String, Vec<u8>) {
    let mut text = String::from(match write.durability {
        Durability::Strict => "[true,[",
        Durability::Relaxed => "[false,[",
    });
    let mut bytes = Vec::with_capacity(
        write
            .changes
            .iter()
            .map(|change| value_of(change).map_or(0, <[u8]>::len))
            .sum(),
    );
    let mut put_value = |out: &mut String, value: Option<&[u8]>| {
        out.push(',');
        match value {
            Some(value) => {
                put_number(out, value.len() as i64);
                bytes.extend_from_slice(value);
            }
            None => out.push_str("null"),
        }
        out.push(']');
    };
    for (index, check) in write.checks.iter().enumerate() {
        text.push_str(if index > 0 { ",[" } else { "[" });
        put_number(&mut text, check.table as i64);
        text.push(',');
        put_key(&mut text, &check.key);
        put_value(&mut text, check.expected.as_deref());
    }
    text.push_str("],[");
    for (index, change) in write
        .changes
        .iter()
        .filter(|change| !changes_nothing(change))
        .enumerate()
    {
        if index > 0 {
            text.push(',');
        }
        put_change(&mut text, change);
        put_value(&mut text, value_of(change));
    }
    text.push_str("]]");
    (text, bytes)
}

fn changes_nothing(change: &Change) -> bool {
    matches!(change, Change::Delete(_, range) if range.is_empty())
}

fn put_change(out: &mut String, change: &Change) {
    match change {
        Change::Put(table, key, _) => {
            put_head(out, 0, *table);
            put_key(out, key);
        }
        Change::Delete(table, range) => {
            put_head(out, 1, *table);
            put_range(out, range);
        }
        Change::Append { expected, .. } => {
            put_head(out, 2, Table::Journal);
            put_number(out, *expected as i64);
        }
        Change::Add { expected, .. } => {
            put_head(out, 3, Table::Journal);
            put_number(out, *expected as i64);
        }
    }
}

fn value_of(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Put(_, _, value) | Change::Append { value, .. } | Change::Add { value, .. } => Some(value),
        Change::Delete(..) => None,
    }
}

/// How a write ended, as a number.
pub(super) fn written(outcome: f64) -> Written {
    match outcome as usize {
        0 => Written::Done,
        1 => Written::Raced,
        check => Written::CheckFailed { index: check - 2 },
    }
}
