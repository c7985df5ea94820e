//! A whole database as JSON, to and fro, and the folders of `tests/fixtures` that hold one.

use std::path::PathBuf;

use everfold::store::{Change, Key, KeyRange, MemoryDatabase, MemoryStorage, Order, Read, Storage, Table, Write};
use serde_json::{Value, json};

/// A store that was written down, and what it must read as.
pub(crate) struct Fixture(PathBuf);

impl Fixture {
    pub(crate) fn of(name: &str) -> Self {
        Self(
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("tests/fixtures")
                .join(name),
        )
    }

    /// Whether those of this release are to be written down again.
    pub(crate) fn is_written() -> bool {
        std::env::var("EVERFOLD_FIXTURES").is_ok()
    }

    pub(crate) async fn write(&self, database: &MemoryDatabase) {
        let tables = dump(&MemoryStorage::open(database)).await;
        std::fs::create_dir_all(&self.0).expect("makes");
        std::fs::write(self.0.join("store.json"), lines(&tables)).expect("writes");
    }

    pub(crate) fn write_answers(&self, answers: &Value) {
        std::fs::write(self.0.join("answers.json"), format!("{answers:#}\n")).expect("writes");
    }

    pub(crate) async fn database(&self) -> MemoryDatabase {
        restore(&self.read("store.json")).await
    }

    pub(crate) fn answers(&self) -> Value {
        self.read("answers.json")
    }

    fn read(&self, file: &str) -> Value {
        let bytes = std::fs::read(self.0.join(file)).expect("is there");
        serde_json::from_slice(&bytes).expect("is JSON")
    }
}

/// Every table of a database, as JSON.
pub(crate) async fn dump(storage: &impl Storage) -> Value {
    let mut tables = json!({});
    for table in Table::ALL {
        let all = Read::Scan {
            table,
            range: KeyRange::ALL,
            order: Order::Ascending,
            limit: None,
        };
        let entries = storage.read(vec![all]).await.expect("reads").remove(0);
        let entries = entries
            .iter()
            .map(|entry| json!([key_to_json(&entry.key), hex(&entry.value)]))
            .collect();
        tables
            .as_object_mut()
            .expect("is an object")
            .insert(table.name().to_owned(), entries);
    }
    tables
}

/// A database with the content of a dump.
async fn restore(tables: &Value) -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let storage = MemoryStorage::open(&database);
    let mut number = 0;
    for table in Table::ALL {
        for entry in tables.get(table.name()).and_then(Value::as_array).expect("is a table") {
            let (key, value) = (entry.get(0).expect("has a key"), entry.get(1).and_then(Value::as_str));
            let (key, value) = (key_from_json(key), unhex(value.expect("has a value")));
            let changes = match (table, &key) {
                (Table::Journal, Key::Number(wanted)) => {
                    // Numbers below were given and deleted by sealing.
                    let mut changes = Vec::new();
                    while number + 1 < *wanted as u64 {
                        number += 1;
                        changes.push(Change::Append {
                            value: Vec::new(),
                            expected: number,
                        });
                        changes.push(Change::Delete(Table::Journal, KeyRange::only(Key::from(number))));
                    }
                    number += 1;
                    if number > *wanted as u64 {
                        Vec::new()
                    } else {
                        changes.push(Change::Append {
                            value,
                            expected: number,
                        });
                        changes
                    }
                }
                _ => vec![Change::Put(table, key, value)],
            };
            storage
                .write(Write {
                    changes,
                    ..Write::default()
                })
                .await
                .expect("writes");
        }
    }
    database
}

/// A dump as text, one entry a line.
fn lines(tables: &Value) -> String {
    let tables = tables.as_object().expect("is an object").iter();
    let tables = tables.map(|(name, entries)| {
        let entries = entries.as_array().expect("is a list").iter().map(Value::to_string);
        let entries: Vec<_> = entries.map(|entry| format!("    {entry}")).collect();
        format!("  \"{name}\": [\n{}\n  ]", entries.join(",\n"))
    });
    format!("{{\n{}\n}}\n", tables.collect::<Vec<_>>().join(",\n"))
}

fn key_to_json(key: &Key) -> Value {
    match key {
        Key::Number(number) => json!(number),
        Key::Text(text) => json!(text),
        Key::List(parts) => parts.iter().map(key_to_json).collect(),
    }
}

fn key_from_json(value: &Value) -> Key {
    match value {
        Value::Number(number) => Key::Number(number.as_f64().expect("is a number")),
        Value::Array(parts) => Key::List(parts.iter().map(key_from_json).collect()),
        other => Key::from(other.as_str().expect("is text")),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("is a digit");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).expect("two digits"), 16).expect("is hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}
