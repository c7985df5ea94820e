//! What every [`Storage`] must do, by what is promised.

pub(crate) mod checks;
pub(crate) mod handles;
pub(crate) mod key_order;
pub(crate) mod numbers;
pub(crate) mod ranges;
pub(crate) mod values;
pub(crate) mod writes;

use everfold::store::{Change, Check, Durability, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};

use super::{done, one, put};

/// Every sentence of every file, for a runner to turn into tests.
macro_rules! storage_sentences {
    ($run:ident) => {
        crate::contract::writes::writes_sentences!($run);
        crate::contract::numbers::numbers_sentences!($run);
        crate::contract::checks::checks_sentences!($run);
        crate::contract::key_order::key_order_sentences!($run);
        crate::contract::ranges::ranges_sentences!($run);
        crate::contract::values::values_sentences!($run);
        crate::contract::handles::handles_sentences!($run);
    };
}
pub(crate) use storage_sentences;

/// Rows 1 to `last`, each with its number as text.
pub(super) async fn fill(storage: &impl Storage, last: u64) {
    let puts = (1..=last).map(|number| put(Table::Rows, number, &number.to_string()));
    done(storage, puts.collect()).await;
}

pub(super) async fn checked(storage: &impl Storage, checks: Vec<Check>, changes: Vec<Change>) -> Written {
    let write = Write {
        checks,
        changes,
        durability: Durability::Strict,
    };
    storage.write(write).await.expect("writes")
}

pub(super) fn present(table: Table, key: impl Into<Key>, value: &str) -> Check {
    Check {
        table,
        key: key.into(),
        expected: Some(value.as_bytes().to_vec()),
    }
}

pub(super) fn absent(table: Table, key: impl Into<Key>) -> Check {
    Check {
        table,
        key: key.into(),
        expected: None,
    }
}

pub(super) async fn count(storage: &impl Storage, table: Table, range: KeyRange) -> Key {
    let found = one(storage, Read::Count(table, range)).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].value.is_empty());
    found[0].key.clone()
}

pub(super) async fn indexed(storage: &impl Storage, range: KeyRange, order: Order, limit: Option<u32>) -> Vec<Entry> {
    one(storage, Read::Indexed { range, order, limit }).await
}
