//! What every [`Storage`] must do.

use everfold::store::{
    Bound, Change, Check, ClosedBy, Durability, Entry, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write,
    Written,
};
use futures_util::future::join;

use super::{Tabs, add, all, append, change, done, entry, keys, one, put, scan};

/// Hands every sentence of this file to the macro `$run`.
#[macro_export]
macro_rules! storage_sentences {
    ($run:ident) => {
        $run! { storage:
            a_write_is_applied_whole_or_not_at_all
            a_write_without_changes_is_done
            changes_are_applied_in_their_order
            an_empty_database_answers_with_nothing
            reads_are_answered_in_their_order_and_from_one_instant
            no_reads_give_no_answers
            tables_do_not_mix
            append_gives_dense_numbers_from_one
            append_gives_dense_numbers_that_never_come_back_after_deletion
            append_with_another_number_writes_nothing
            a_raced_append_gives_its_number_back
            an_added_record_with_another_number_is_stored_and_reported
            a_number_written_by_put_counts_as_given
            two_handles_race_and_one_wins
            many_writes_in_flight_all_succeed
            checks_that_hold_let_the_changes_through
            a_failed_check_writes_nothing
            the_first_failed_check_is_reported
            a_failed_check_counts_before_a_raced_append
            a_check_sees_what_was_there_before_the_changes
            a_key_that_is_not_a_number_is_refused_and_nothing_written
            keys_order_numbers_then_text_then_lists
            text_keys_order_by_utf16
            keys_come_back_as_they_were_given
            ranges_include_and_exclude_their_bounds
            a_prefix_finds_exactly_the_lists_that_begin_with_it
            a_range_that_can_hold_nothing_is_empty_and_not_an_error
            descending_order_starts_at_the_other_end
            a_limit_cuts_either_order_and_zero_means_nothing
            counts_count_the_keys_of_a_range
            indexed_reads_return_rows_in_the_order_of_the_index
            an_index_entry_without_its_row_is_left_out_after_the_limit
            deleting_a_range_leaves_the_rest
            values_keep_every_byte
            an_empty_value_is_a_value
            a_value_of_one_mebibyte_comes_back
            ten_thousand_keys_come_back_in_order
            a_long_descending_scan_comes_back_in_order
            what_one_handle_wrote_another_reads
            what_was_written_is_there_after_closing_and_opening
            relaxed_writes_are_applied_too
            calls_after_close_are_refused
            calls_under_way_finish_when_the_handle_closes
            closing_one_handle_leaves_the_other_open
            whoever_waits_hears_that_the_handle_closed
        }
    };
}

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

pub(crate) async fn an_empty_database_answers_with_nothing(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    for table in Table::ALL {
        assert_eq!(one(&storage, Read::Get(table, Key::from(1))).await, []);
        assert_eq!(all(&storage, table).await, []);
        assert_eq!(count(&storage, table, KeyRange::ALL).await, Key::from(0));
    }
    assert_eq!(indexed(&storage, KeyRange::ALL, Order::Ascending, None).await, []);
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

pub(crate) async fn no_reads_give_no_answers(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    assert_eq!(storage.read(Vec::new()).await, Ok(Vec::new()));
}

pub(crate) async fn tables_do_not_mix(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let changes = Table::ALL.map(|table| put(table, 5, table.name()));
    done(&storage, changes.to_vec()).await;

    for table in Table::ALL {
        assert_eq!(all(&storage, table).await, [entry(5, table.name())]);
    }
}

pub(crate) async fn append_gives_dense_numbers_from_one(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    done(&storage, vec![append(1, "a")]).await;
    done(&storage, vec![append(2, "b"), append(3, "c")]).await;

    let expected = [entry(1, "a"), entry(2, "b"), entry(3, "c")];
    assert_eq!(all(&storage, Table::Journal).await, expected);
}

pub(crate) async fn append_gives_dense_numbers_that_never_come_back_after_deletion(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![append(1, "a"), append(2, "b")]).await;

    done(&storage, vec![Change::Delete(Table::Journal, KeyRange::ALL)]).await;

    assert_eq!(change(&storage, vec![append(1, "again")]).await, Written::Raced);
    done(
        &storage,
        vec![append(3, "c"), Change::Delete(Table::Journal, KeyRange::ALL)],
    )
    .await;
    drop(storage);
    let storage = tabs.open().await;
    done(&storage, vec![append(4, "d")]).await;
    assert_eq!(all(&storage, Table::Journal).await, [entry(4, "d")]);
}

pub(crate) async fn append_with_another_number_writes_nothing(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![append(1, "a")]).await;

    for expected in [0, 1, 3, 1 << 53] {
        let written = change(&storage, vec![append(expected, "b"), put(Table::Meta, "a", "b")]).await;
        assert_eq!(written, Written::Raced);
    }

    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "a")]);
    assert_eq!(all(&storage, Table::Meta).await, []);
}

pub(crate) async fn a_raced_append_gives_its_number_back(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    assert_eq!(change(&storage, vec![append(2, "early")]).await, Written::Raced);
    assert_eq!(
        change(&storage, vec![append(1, "a"), append(1, "b")]).await,
        Written::Raced
    );

    done(&storage, vec![append(1, "a")]).await;
}

pub(crate) async fn an_added_record_with_another_number_is_stored_and_reported(tabs: &impl Tabs) {
    let (a, b) = (tabs.open().await, tabs.open().await);

    done(&a, vec![add(1, "a")]).await;
    assert_eq!(change(&b, vec![add(1, "b")]).await, Written::Raced);
    let write = vec![add(2, "c"), put(Table::Meta, "with", "c")];
    assert_eq!(change(&a, write).await, Written::Raced);
    done(&b, vec![add(4, "d")]).await;

    let stored = [entry(1, "a"), entry(2, "b"), entry(3, "c"), entry(4, "d")];
    assert_eq!(all(&a, Table::Journal).await, stored);
    assert_eq!(all(&a, Table::Meta).await, [entry("with", "c")]);
}

pub(crate) async fn a_number_written_by_put_counts_as_given(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    done(&storage, vec![put(Table::Journal, 9, "put"), append(10, "after it")]).await;
    done(
        &storage,
        vec![put(Table::Journal, 3, "lower"), append(11, "not after that")],
    )
    .await;

    assert_eq!(count(&storage, Table::Journal, KeyRange::ALL).await, Key::from(4));
}

pub(crate) async fn two_handles_race_and_one_wins(tabs: &impl Tabs) {
    let (a, b) = (tabs.open().await, tabs.open().await);
    let race = |value: &str, number| vec![append(number, value), put(Table::Meta, "winner", value)];

    for number in 1..=20 {
        let (first, second) = join(change(&a, race("a", number)), change(&b, race("b", number))).await;

        let winner = match (first, second) {
            (Written::Done, Written::Raced) => "a",
            (Written::Raced, Written::Done) => "b",
            both => panic!("one must win: {both:?}"),
        };
        assert_eq!(all(&a, Table::Meta).await, [entry("winner", winner)]);
        assert_eq!(
            one(&b, Read::Get(Table::Journal, Key::from(number))).await,
            [entry(number, winner)]
        );
    }
}

pub(crate) async fn many_writes_in_flight_all_succeed(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let writes = (1..=64).map(|number| change(&storage, vec![append(number, "x")]));
    let written = futures_util::future::join_all(writes).await;

    assert!(written.iter().all(|written| *written == Written::Done));
    assert_eq!(count(&storage, Table::Journal, KeyRange::ALL).await, Key::from(64));
}

pub(crate) async fn checks_that_hold_let_the_changes_through(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![put(Table::Meta, "a", "1")]).await;

    let checks = vec![present(Table::Meta, "a", "1"), absent(Table::Meta, "b")];
    let written = checked(&storage, checks, vec![put(Table::Meta, "a", "2"), append(1, "x")]).await;

    assert_eq!(written, Written::Done);
    assert_eq!(all(&storage, Table::Meta).await, [entry("a", "2")]);
    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "x")]);
}

pub(crate) async fn a_failed_check_writes_nothing(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![put(Table::Meta, "a", "1")]).await;

    for check in [
        present(Table::Meta, "a", "2"),
        present(Table::Meta, "a", ""),
        present(Table::Meta, "a", "1 and more"),
        present(Table::Meta, "b", "1"),
        absent(Table::Meta, "a"),
    ] {
        let changes = vec![put(Table::Meta, "a", "2"), append(1, "x")];
        let written = checked(&storage, vec![check], changes).await;
        assert_eq!(written, Written::CheckFailed { index: 0 });
    }

    assert_eq!(all(&storage, Table::Meta).await, [entry("a", "1")]);
    done(&storage, vec![append(1, "the number is free")]).await;
}

pub(crate) async fn the_first_failed_check_is_reported(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let checks = vec![
        absent(Table::Meta, "a"),
        present(Table::Rows, "b", "1"),
        present(Table::Meta, "c", "1"),
    ];
    let written = checked(&storage, checks, vec![put(Table::Meta, "a", "1")]).await;

    assert_eq!(written, Written::CheckFailed { index: 1 });
}

pub(crate) async fn a_failed_check_counts_before_a_raced_append(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let checks = vec![present(Table::Meta, "a", "1")];
    let written = checked(&storage, checks, vec![append(9, "x")]).await;

    assert_eq!(written, Written::CheckFailed { index: 0 });
}

pub(crate) async fn a_check_sees_what_was_there_before_the_changes(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let checks = vec![absent(Table::Meta, "a")];
    let changes = vec![put(Table::Meta, "a", "1")];
    assert_eq!(checked(&storage, checks.clone(), changes.clone()).await, Written::Done);

    let written = checked(&storage, checks, changes).await;
    assert_eq!(written, Written::CheckFailed { index: 0 });
}

pub(crate) async fn a_key_that_is_not_a_number_is_refused_and_nothing_written(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let nan = Key::from([Key::from("a"), Key::Number(f64::NAN)]);

    for change in [
        Change::Put(Table::Rows, nan.clone(), vec![1]),
        Change::Delete(Table::Rows, KeyRange::from(nan.clone())),
    ] {
        let write = Write {
            changes: vec![append(1, "x"), change],
            ..Write::default()
        };
        assert!(matches!(storage.write(write).await, Err(StorageError::Failed(_))));
    }
    let get = storage.read(vec![Read::Get(Table::Rows, nan)]).await;

    assert!(matches!(get, Err(StorageError::Failed(_))));
    done(&storage, vec![append(1, "the storage still works")]).await;
}

pub(crate) async fn keys_order_numbers_then_text_then_lists(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let ascending = [
        Key::Number(f64::NEG_INFINITY),
        Key::Number(-1.5),
        Key::from(0),
        Key::Number(0.1),
        Key::from(9),
        Key::from(10),
        Key::from(u64::from(u32::MAX) + 1),
        Key::Number(f64::INFINITY),
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

pub(crate) async fn ranges_include_and_exclude_their_bounds(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 5).await;
    let found = async |lower, upper| {
        let range = KeyRange { lower, upper };
        let entries = scan(&storage, Table::Rows, range, Order::Ascending, None).await;
        keys(&entries)
    };
    let (with, without) = (
        |number: u64| Bound::Including(Key::from(number)),
        |number: u64| Bound::Excluding(Key::from(number)),
    );

    assert_eq!(found(Bound::Open, Bound::Open).await, [1, 2, 3, 4, 5].map(Key::from));
    assert_eq!(found(with(2), with(4)).await, [2, 3, 4].map(Key::from));
    assert_eq!(found(without(2), with(4)).await, [3, 4].map(Key::from));
    assert_eq!(found(with(2), without(4)).await, [2, 3].map(Key::from));
    assert_eq!(found(without(2), without(4)).await, [3].map(Key::from));
    assert_eq!(found(with(4), Bound::Open).await, [4, 5].map(Key::from));
    assert_eq!(found(without(4), Bound::Open).await, [5].map(Key::from));
    assert_eq!(found(Bound::Open, with(2)).await, [1, 2].map(Key::from));
    assert_eq!(found(Bound::Open, without(2)).await, [1].map(Key::from));
    assert_eq!(found(with(3), with(3)).await, [3].map(Key::from));
}

pub(crate) async fn a_prefix_finds_exactly_the_lists_that_begin_with_it(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let inside = [
        Key::from([Key::from(1), Key::from("a")]),
        Key::from([Key::from(1), Key::from("a"), Key::Number(-1.0)]),
        Key::from([Key::from(1), Key::from("a"), Key::from("z")]),
        Key::from([Key::from(1), Key::from("a"), Key::from("z"), Key::from("\u{ffff}")]),
    ];
    let outside = [
        Key::from(1),
        Key::from("a"),
        Key::from([Key::from(1)]),
        Key::from([Key::from(1), Key::from("a\0")]),
        Key::from([Key::from(1), Key::from("A")]),
        Key::from([Key::from(2), Key::from("a")]),
    ];
    let puts = inside
        .iter()
        .chain(&outside)
        .map(|key| put(Table::Rows, key.clone(), ""));
    done(&storage, puts.collect()).await;
    let prefix = KeyRange::prefix(&[Key::from(1), Key::from("a")]);

    let found = scan(&storage, Table::Rows, prefix.clone(), Order::Ascending, None).await;

    assert_eq!(keys(&found), inside);
    assert_eq!(count(&storage, Table::Rows, prefix).await, Key::from(4));
    assert_eq!(count(&storage, Table::Rows, KeyRange::prefix(&[])).await, Key::from(8));
}

pub(crate) async fn a_range_that_can_hold_nothing_is_empty_and_not_an_error(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 5).await;
    let (with, without) = (Bound::Including, Bound::Excluding);

    for (lower, upper) in [
        (with(Key::from(4)), with(Key::from(2))),
        (without(Key::from(3)), with(Key::from(3))),
        (with(Key::from(3)), without(Key::from(3))),
        (without(Key::from(3)), without(Key::from(3))),
        (with(Key::from("a")), with(Key::from(9))),
    ] {
        let range = KeyRange { lower, upper };
        for order in [Order::Ascending, Order::Descending] {
            assert_eq!(scan(&storage, Table::Rows, range.clone(), order, Some(9)).await, []);
            assert_eq!(indexed(&storage, range.clone(), order, None).await, []);
        }
        assert_eq!(count(&storage, Table::Rows, range.clone()).await, Key::from(0));
        done(&storage, vec![Change::Delete(Table::Rows, range)]).await;
    }

    assert_eq!(count(&storage, Table::Rows, KeyRange::ALL).await, Key::from(5));
}

pub(crate) async fn descending_order_starts_at_the_other_end(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 5).await;

    let range = KeyRange::up_to(Key::from(4));
    let found = scan(&storage, Table::Rows, range, Order::Descending, None).await;

    assert_eq!(found, [entry(4, "4"), entry(3, "3"), entry(2, "2"), entry(1, "1")]);
}

pub(crate) async fn a_limit_cuts_either_order_and_zero_means_nothing(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 5).await;
    let found = async |order, limit| {
        let entries = scan(&storage, Table::Rows, KeyRange::from(Key::from(2)), order, Some(limit)).await;
        keys(&entries)
    };

    assert_eq!(found(Order::Ascending, 2).await, [2, 3].map(Key::from));
    assert_eq!(found(Order::Descending, 2).await, [5, 4].map(Key::from));
    assert_eq!(found(Order::Ascending, u32::MAX).await.len(), 4);
    assert_eq!(found(Order::Descending, u32::MAX).await.len(), 4);
    assert_eq!(found(Order::Ascending, 0).await, []);
    assert_eq!(found(Order::Descending, 0).await, []);
    assert_eq!(indexed(&storage, KeyRange::ALL, Order::Ascending, Some(0)).await, []);
}

pub(crate) async fn counts_count_the_keys_of_a_range(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 5).await;

    assert_eq!(count(&storage, Table::Rows, KeyRange::ALL).await, Key::from(5));
    assert_eq!(
        count(&storage, Table::Rows, KeyRange::after(Key::from(3))).await,
        Key::from(2)
    );
    assert_eq!(
        count(&storage, Table::Rows, KeyRange::only(Key::from(3))).await,
        Key::from(1)
    );
    assert_eq!(
        count(&storage, Table::Rows, KeyRange::only(Key::from(6))).await,
        Key::from(0)
    );
}

pub(crate) async fn indexed_reads_return_rows_in_the_order_of_the_index(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let row = |key: &str| Key::from([Key::from("g1"), Key::from(key)]);
    let by_city = |city: &str, key: &str| Key::from(["g1", "city", city, key].map(Key::from));
    done(
        &storage,
        vec![
            put(Table::Rows, row("a"), "Ann in Rome"),
            put(Table::Rows, row("b"), "Bob in Oslo"),
            put(Table::Rows, row("c"), "Cyd in Rome"),
            put(Table::Index, by_city("Rome", "a"), ""),
            put(Table::Index, by_city("Oslo", "b"), ""),
            put(Table::Index, by_city("Rome", "c"), ""),
            put(Table::Index, ["g1", "name", "Ann", "a"].map(Key::from), ""),
        ],
    )
    .await;
    let cities = KeyRange::prefix(&["g1", "city"].map(Key::from));
    let romans = KeyRange::prefix(&["g1", "city", "Rome"].map(Key::from));

    let ascending = indexed(&storage, cities.clone(), Order::Ascending, None).await;
    let last = indexed(&storage, cities, Order::Descending, Some(2)).await;
    let in_rome = indexed(&storage, romans, Order::Ascending, Some(1)).await;

    let ann = entry(by_city("Rome", "a"), "Ann in Rome");
    let bob = entry(by_city("Oslo", "b"), "Bob in Oslo");
    let cyd = entry(by_city("Rome", "c"), "Cyd in Rome");
    assert_eq!(ascending, [bob, ann.clone(), cyd.clone()]);
    assert_eq!(last, [cyd, ann.clone()]);
    assert_eq!(in_rome, [ann]);
}

pub(crate) async fn an_index_entry_without_its_row_is_left_out_after_the_limit(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let by_name = |name: &str, key: &str| Key::from(["g1", "name", name, key].map(Key::from));
    done(
        &storage,
        vec![
            put(Table::Rows, ["g1", "b"].map(Key::from), "Bob"),
            put(Table::Index, by_name("Ann", "a"), ""),
            put(Table::Index, by_name("Bob", "b"), ""),
            put(Table::Index, ["g1", "too short"].map(Key::from), ""),
            put(Table::Index, 7, ""),
        ],
    )
    .await;

    let bob = entry(by_name("Bob", "b"), "Bob");
    assert_eq!(indexed(&storage, KeyRange::ALL, Order::Ascending, None).await, [bob]);
    assert_eq!(indexed(&storage, KeyRange::ALL, Order::Ascending, Some(2)).await, []);
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

pub(crate) async fn ten_thousand_keys_come_back_in_order(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    fill(&storage, 10_000).await;

    let found = all(&storage, Table::Rows).await;
    assert_eq!(found.len(), 10_000);
    for (number, found) in (1_u64..).zip(found) {
        assert_eq!(found, entry(number, &number.to_string()));
    }
}

pub(crate) async fn a_long_descending_scan_comes_back_in_order(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    fill(&storage, 2_000).await;

    let found = scan(&storage, Table::Rows, KeyRange::ALL, Order::Descending, None).await;

    assert_eq!(keys(&found), (1..=2_000).rev().map(Key::from).collect::<Vec<_>>());
}

pub(crate) async fn what_one_handle_wrote_another_reads(tabs: &impl Tabs) {
    let (writer, reader) = (tabs.open().await, tabs.open().await);

    done(&writer, vec![append(1, "a")]).await;
    assert_eq!(all(&reader, Table::Journal).await, [entry(1, "a")]);

    done(&reader, vec![append(2, "b")]).await;
    assert_eq!(count(&writer, Table::Journal, KeyRange::ALL).await, Key::from(2));
}

pub(crate) async fn what_was_written_is_there_after_closing_and_opening(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    done(&storage, vec![append(1, "a"), put(Table::Meta, "m", "1")]).await;
    storage.close();

    let storage = tabs.open().await;

    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "a")]);
    assert_eq!(all(&storage, Table::Meta).await, [entry("m", "1")]);
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

pub(crate) async fn calls_after_close_are_refused(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    storage.close();
    storage.close();

    let read = storage.read(vec![Read::Count(Table::Rows, KeyRange::ALL)]).await;
    let write = storage.write(Write::default()).await;

    assert!(matches!(read, Err(StorageError::Closed(_))), "{read:?}");
    assert!(matches!(write, Err(StorageError::Closed(_))), "{write:?}");
}

pub(crate) async fn calls_under_way_finish_when_the_handle_closes(tabs: &impl Tabs) {
    let storage = tabs.open().await;

    let close = async { storage.close() };
    let (written, ()) = join(change(&storage, vec![append(1, "a")]), close).await;

    assert_eq!(written, Written::Done);
    assert_eq!(all(&tabs.open().await, Table::Journal).await, [entry(1, "a")]);
}

pub(crate) async fn closing_one_handle_leaves_the_other_open(tabs: &impl Tabs) {
    let (one, other) = (tabs.open().await, tabs.open().await);

    one.close();

    done(&other, vec![append(1, "a")]).await;
}

pub(crate) async fn whoever_waits_hears_that_the_handle_closed(tabs: &impl Tabs) {
    let storage = tabs.open().await;
    let (first, second) = (storage.closed(), storage.closed());

    let close = async { storage.close() };
    let ((first, second), ()) = join(join(first, second), close).await;

    assert_eq!((first, second), (ClosedBy::Caller, ClosedBy::Caller));
    assert_eq!(storage.closed().await, ClosedBy::Caller);
}

/// Rows 1 to `last`, each with its number as text.
async fn fill(storage: &impl Storage, last: u64) {
    let puts = (1..=last).map(|number| put(Table::Rows, number, &number.to_string()));
    done(storage, puts.collect()).await;
}

async fn checked(storage: &impl Storage, checks: Vec<Check>, changes: Vec<Change>) -> Written {
    let write = Write {
        checks,
        changes,
        durability: Durability::Strict,
    };
    storage.write(write).await.expect("writes")
}

fn present(table: Table, key: impl Into<Key>, value: &str) -> Check {
    Check {
        table,
        key: key.into(),
        expected: Some(value.as_bytes().to_vec()),
    }
}

fn absent(table: Table, key: impl Into<Key>) -> Check {
    Check {
        table,
        key: key.into(),
        expected: None,
    }
}

async fn count(storage: &impl Storage, table: Table, range: KeyRange) -> Key {
    let found = one(storage, Read::Count(table, range)).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].value.is_empty());
    found[0].key.clone()
}

async fn indexed(storage: &impl Storage, range: KeyRange, order: Order, limit: Option<u32>) -> Vec<Entry> {
    one(storage, Read::Indexed { range, order, limit }).await
}
