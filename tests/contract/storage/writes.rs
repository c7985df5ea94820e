//! Sentences about writes: one is applied whole and in order, or not at all.

use everfold::store::{Bound, Change, Durability, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use futures_util::future::join;

use super::{absent, checked, count, fill, indexed};
use crate::contract::{Tabs, all, append, change, done, entry, keys, one, put};

/// Every sentence, for a runner to turn into tests.
macro_rules! writes_sentences {
    ($run:ident) => {
        $run! { writes:
            a_write_is_applied_whole_or_not_at_all
            a_write_without_changes_is_done
            changes_are_applied_in_their_order
            tables_do_not_mix
            deleting_a_range_leaves_the_rest
            many_writes_in_flight_all_succeed
            relaxed_writes_are_applied_too
            an_empty_database_answers_with_nothing
            no_reads_give_no_answers
            reads_are_answered_in_their_order_and_from_one_instant
        }
    };
}
pub(crate) use writes_sentences;

pub(crate) async fn a_write_is_applied_whole_or_not_at_all(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![put(Table::Meta, "a", "old"), put(Table::Rows, 1, "old")]).await;

    let written = change(
        &storage,
        vec![
            put(Table::Meta, "a", "new"),
            Change::Delete(Table::Rows, KeyRange::ALL),
            append(1, "fits"),
            append(7, "does not"),
            put(Table::Blocks, 1, "new"),
        ],
    )
    .await;

    assert_eq!(written, Written::Raced);
    assert_eq!(all(&storage, Table::Meta).await, [entry("a", "old")]);
    assert_eq!(all(&storage, Table::Rows).await, [entry(1, "old")]);
    assert_eq!(all(&storage, Table::Journal).await, []);
    assert_eq!(all(&storage, Table::Blocks).await, []);
}

pub(crate) async fn a_write_without_changes_is_done(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let checks = vec![absent(Table::Meta, "a")];

    assert_eq!(storage.write(Write::default()).await, Ok(Written::Done));
    assert_eq!(checked(&storage, checks, vec![]).await, Written::Done);
}

pub(crate) async fn changes_are_applied_in_their_order(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    done(
        &storage,
        vec![
            put(Table::Rows, 1, "first"),
            put(Table::Rows, 1, "second"),
            put(Table::Rows, 2, "gone"),
            Change::Delete(Table::Rows, KeyRange::from(Key::from(2))),
            put(Table::Rows, 3, "after the deletion"),
        ],
    )
    .await;

    let expected = [entry(1, "second"), entry(3, "after the deletion")];
    assert_eq!(all(&storage, Table::Rows).await, expected);
}

pub(crate) async fn tables_do_not_mix(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let changes = Table::ALL.map(|table| put(table, 5, table.name()));
    done(&storage, changes.to_vec()).await;

    for table in Table::ALL {
        assert_eq!(all(&storage, table).await, [entry(5, table.name())]);
    }
}

pub(crate) async fn deleting_a_range_leaves_the_rest(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 9).await;

    let middle = KeyRange {
        lower: Bound::Including(Key::from(3)),
        upper: Bound::Excluding(Key::from(8)),
    };
    done(&storage, vec![Change::Delete(Table::Rows, middle)]).await;

    assert_eq!(keys(&all(&storage, Table::Rows).await), [1, 2, 8, 9].map(Key::from));
}

pub(crate) async fn many_writes_in_flight_all_succeed(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let writes = (1..=64).map(|number| change(&storage, vec![append(number, "x")]));
    let written = futures_util::future::join_all(writes).await;

    assert!(written.iter().all(|written| *written == Written::Done));
    assert_eq!(count(&storage, Table::Journal, KeyRange::ALL).await, Key::from(64));
}

pub(crate) async fn relaxed_writes_are_applied_too(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let write = Write {
        changes: vec![append(1, "a")],
        durability: Durability::Relaxed,
        ..Write::default()
    };

    assert_eq!(storage.write(write).await, Ok(Written::Done));

    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "a")]);
}

pub(crate) async fn an_empty_database_answers_with_nothing(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    for table in Table::ALL {
        assert_eq!(one(&storage, Read::Get(table, Key::from(1))).await, []);
        assert_eq!(all(&storage, table).await, []);
        assert_eq!(count(&storage, table, KeyRange::ALL).await, Key::from(0));
    }
    assert_eq!(indexed(&storage, KeyRange::ALL, Order::Ascending, None).await, []);
}

pub(crate) async fn no_reads_give_no_answers(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    assert_eq!(storage.read(Vec::new()).await, Ok(Vec::new()));
}

pub(crate) async fn reads_are_answered_in_their_order_and_from_one_instant(tabs: &impl Tabs) {
    let (reader, writer) = (tabs.open().await, tabs.open().await);
    done(&writer, vec![put(Table::Meta, "a", "0"), put(Table::Rows, 1, "0")]).await;

    for turn in 1..20 {
        let value = turn.to_string();
        let changes = vec![put(Table::Meta, "a", &value), put(Table::Rows, 1, &value)];
        let reads = vec![
            Read::Get(Table::Meta, Key::from("a")),
            Read::Count(Table::Rows, KeyRange::ALL),
            Read::Get(Table::Rows, Key::from(1)),
        ];
        let ((), answers) = join(done(&writer, changes), reader.read(reads)).await;

        let answers = answers.expect("reads");
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[1][0].key, Key::from(1));
        assert_eq!(
            answers[0][0].value, answers[2][0].value,
            "both from before or both from after"
        );
    }
}
