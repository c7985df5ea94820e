//! Sentences about values: any bytes, kept to the last one.

use everfold::store::{Change, Key, Read, Table, Written};

use super::{checked, present};
use crate::contract::{Tabs, all, done, entry, one, put};

/// Every sentence, for a runner to turn into tests.
macro_rules! values_sentences {
    ($run:ident) => {
        $run! { values:
            values_keep_every_byte
            an_empty_value_is_a_value
            a_value_of_one_mebibyte_comes_back
        }
    };
}
pub(crate) use values_sentences;

pub(crate) async fn values_keep_every_byte(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let bytes: Vec<u8> = (0..=255).collect();

    let record = Change::Append {
        value: bytes.clone(),
        expected: 1,
    };
    done(
        &storage,
        vec![Change::Put(Table::Blocks, Key::from(1), bytes.clone()), record],
    )
    .await;

    assert_eq!(
        one(&storage, Read::Get(Table::Blocks, Key::from(1))).await[0].value,
        bytes
    );
    assert_eq!(all(&storage, Table::Journal).await[0].value, bytes);
}

pub(crate) async fn an_empty_value_is_a_value(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    done(&storage, vec![put(Table::Index, 1, "")]).await;

    assert_eq!(
        one(&storage, Read::Get(Table::Index, Key::from(1))).await,
        [entry(1, "")]
    );
    let written = checked(&storage, vec![present(Table::Index, 1, "")], vec![]).await;
    assert_eq!(written, Written::Done);
}

pub(crate) async fn a_value_of_one_mebibyte_comes_back(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let value: Vec<u8> = (0_u32..1 << 20)
        .map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();

    done(&storage, vec![Change::Put(Table::Blocks, Key::from(1), value.clone())]).await;

    let found = one(&storage, Read::Get(Table::Blocks, Key::from(1))).await;
    assert!(found[0].value == value, "one of {} bytes differs", value.len());
}
