//! Sentences about keys: they have one order, that of `IndexedDB`, and come back as they were given.

use everfold::store::{Change, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write};

use crate::contract::{Tabs, all, append, done, entry, keys, one, put, scan};

/// Every sentence, for a runner to turn into tests.
macro_rules! key_order_sentences {
    ($run:ident) => {
        $run! { key_order:
            keys_order_numbers_then_text_then_lists
            text_keys_order_by_utf16
            keys_come_back_as_they_were_given
            a_key_that_is_not_a_finite_number_is_refused_and_nothing_written
        }
    };
}
pub(crate) use key_order_sentences;

pub(crate) async fn keys_order_numbers_then_text_then_lists(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let ascending = [
        Key::Number(-1.5),
        Key::from(0),
        Key::Number(0.1),
        Key::from(9),
        Key::from(10),
        Key::from(u64::from(u32::MAX) + 1),
        Key::from(""),
        Key::from("10"),
        Key::from("9"),
        Key::from("a"),
        Key::from("aa"),
        Key::from([]),
        Key::from([Key::from(1)]),
        Key::from([Key::from(1), Key::from(2)]),
        Key::from([Key::from(1), Key::from("a")]),
        Key::from([Key::from(1), Key::from([])]),
        Key::from([Key::from(2)]),
        Key::from([Key::from("a")]),
    ];

    // Written in another order than they sort.
    let (evens, odds): (Vec<_>, Vec<_>) = ascending.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    let shuffled = odds.into_iter().rev().chain(evens);
    done(
        &storage,
        shuffled.map(|(_, key)| put(Table::Rows, key.clone(), "")).collect(),
    )
    .await;

    assert_eq!(keys(&all(&storage, Table::Rows).await), ascending);
}

/// JavaScript compares text by UTF-16 code units, Rust by code points: the two differ from U+E000 on.
pub(crate) async fn text_keys_order_by_utf16(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let ascending = ["a", "ä", "\u{d7ff}", "\u{10000}", "🦀", "\u{e000}", "\u{ffff}"].map(Key::from);

    let puts = ascending.iter().rev().map(|key| put(Table::Rows, key.clone(), ""));
    done(&storage, puts.collect()).await;

    assert_eq!(keys(&all(&storage, Table::Rows).await), ascending);
    let above = scan(
        &storage,
        Table::Rows,
        KeyRange::after(Key::from("🦀")),
        Order::Ascending,
        None,
    )
    .await;
    assert_eq!(keys(&above), ["\u{e000}", "\u{ffff}"].map(Key::from));
}

pub(crate) async fn keys_come_back_as_they_were_given(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let key = Key::from([
        Key::from("nul \0 and 🦀"),
        Key::Number(-0.25),
        Key::from((1 << 53) - 1),
        Key::from([Key::from(""), Key::from([])]),
    ]);

    done(&storage, vec![put(Table::Rows, key.clone(), "here")]).await;

    assert_eq!(all(&storage, Table::Rows).await, [entry(key.clone(), "here")]);
    assert_eq!(
        one(&storage, Read::Get(Table::Rows, key.clone())).await,
        [entry(key, "here")]
    );
}

pub(crate) async fn a_key_that_is_not_a_finite_number_is_refused_and_nothing_written(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![put(Table::Rows, 1, "kept")]).await;

    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Key::Number) {
        for key in [number.clone(), Key::from([Key::from("a"), number])] {
            for change in [
                Change::Put(Table::Rows, key.clone(), vec![1]),
                Change::Delete(Table::Rows, KeyRange::from(key.clone())),
                Change::Delete(Table::Rows, KeyRange::up_to(key.clone())),
            ] {
                let write = Write {
                    changes: vec![append(1, "x"), change],
                    ..Write::default()
                };
                assert!(matches!(storage.write(write).await, Err(StorageError::Failed(_))));
            }
            let get = storage.read(vec![Read::Get(Table::Rows, key)]).await;
            assert!(matches!(get, Err(StorageError::Failed(_))));
        }
    }
    assert_eq!(all(&storage, Table::Rows).await, [entry(1, "kept")]);
    done(&storage, vec![append(1, "the storage still works")]).await;
}
