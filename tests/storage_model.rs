//! Memory does what the plainest possible model does, whatever is read and written.
#![cfg(not(target_arch = "wasm32"))]

mod operations;

use everfold::store::{
    Change, Entry, Key, KeyRange, MemoryDatabase, MemoryStorage, Order, Read, Storage, Table, Write, Written,
};
use operations::{Choices, Operation};
use proptest::prelude::*;

/// A list of entries in no order, searched from end to end; a write works on a copy and keeps it or not.
#[derive(Debug, Clone, Default)]
struct Model {
    entries: Vec<(Table, Key, Vec<u8>)>,
    given: u64,
}

impl Model {
    fn answer(&self, read: &Read) -> Vec<Entry> {
        match read {
            Read::Get(table, key) => self.scan(*table, &KeyRange::only(key.clone()), Order::Ascending, None),
            Read::Scan {
                table,
                range,
                order,
                limit,
            } => self.scan(*table, range, *order, *limit),
            Read::Count(table, range) => {
                let count = self.scan(*table, range, Order::Ascending, None).len();
                vec![Entry {
                    key: Key::from(count as u64),
                    value: Vec::new(),
                }]
            }
            Read::Indexed { range, order, limit } => {
                let index = self.scan(Table::Index, range, *order, *limit);
                index.into_iter().filter_map(|entry| self.row(entry.key)).collect()
            }
        }
    }

    fn row(&self, index: Key) -> Option<Entry> {
        let Key::List(parts) = &index else { return None };
        let [generation, _, _, key] = parts.as_slice() else {
            return None;
        };
        let row = Key::List(vec![generation.clone(), key.clone()]);
        let value = self.get(Table::Rows, &row)?.clone();
        Some(Entry { key: index, value })
    }

    fn get(&self, table: Table, key: &Key) -> Option<&Vec<u8>> {
        let found = self.entries.iter().find(|(of, at, _)| *of == table && at == key);
        found.map(|(_, _, value)| value)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: Option<u32>) -> Vec<Entry> {
        let inside = self
            .entries
            .iter()
            .filter(|(of, at, _)| *of == table && range.contains(at));
        let mut found: Vec<Entry> = inside
            .map(|(_, key, value)| Entry {
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        found.sort_by(|a, b| match order {
            Order::Ascending => a.key.cmp(&b.key),
            Order::Descending => b.key.cmp(&a.key),
        });
        found.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
        found
    }

    fn write(&mut self, write: &Write) -> Written {
        for (index, check) in write.checks.iter().enumerate() {
            if self.get(check.table, &check.key) != check.expected.as_ref() {
                return Written::CheckFailed { index };
            }
        }
        let mut after = self.clone();
        let mut written = Written::Done;
        for change in &write.changes {
            match change {
                Change::Put(table, key, value) => after.put(*table, key, value),
                Change::Delete(table, range) => {
                    after.entries.retain(|(of, at, _)| of != table || !range.contains(at));
                }
                Change::Append { value, expected } => {
                    if *expected != after.given + 1 {
                        return Written::Raced;
                    }
                    after.put(Table::Journal, &Key::from(*expected), value);
                }
                Change::Add { value, expected } => {
                    let number = after.given + 1;
                    if *expected != number {
                        written = Written::Raced;
                    }
                    after.put(Table::Journal, &Key::from(number), value);
                }
            }
        }
        *self = after;
        written
    }

    fn put(&mut self, table: Table, key: &Key, value: &[u8]) {
        self.entries.retain(|(of, at, _)| *of != table || at != key);
        self.entries.push((table, key.clone(), value.to_vec()));
        if table == Table::Journal {
            while Key::from(self.given + 1) <= *key {
                self.given += 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn memory_does_what_the_model_does(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let storage = MemoryStorage::open(&MemoryDatabase::new());
        let mut model = Model::default();
        let mut choices = Choices(&bytes);

        while !choices.is_empty() {
            let operation = Operation::choose(&mut choices, model.given + 1);
            match &operation {
                Operation::Read(reads) => {
                    let expected: Vec<_> = reads.iter().map(|read| model.answer(read)).collect();
                    prop_assert_eq!(pollster::block_on(storage.read(reads.clone())), Ok(expected));
                }
                Operation::Write(write) => {
                    let next = operation.next_number(model.given + 1);
                    let expected = model.write(write);
                    if expected == Written::Done {
                        prop_assert_eq!(model.given + 1, next);
                    }
                    prop_assert_eq!(pollster::block_on(storage.write(write.clone())), Ok(expected));
                }
            }
        }

        for table in Table::ALL {
            let all = Read::Scan { table, range: KeyRange::ALL, order: Order::Ascending, limit: None };
            prop_assert_eq!(pollster::block_on(storage.read(vec![all.clone()])), Ok(vec![model.answer(&all)]));
        }
    }
}
