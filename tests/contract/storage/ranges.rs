//! Sentences about what a range finds: its bounds, either order, limits, counts and indexes.

use everfold::store::{Bound, Change, Key, KeyRange, Order, Table};

use super::{count, fill, indexed};
use crate::contract::{Tabs, all, done, entry, keys, put, scan};

/// Every sentence, for a runner to turn into tests.
macro_rules! ranges_sentences {
    ($run:ident) => {
        $run! { ranges:
            ranges_include_and_exclude_their_bounds
            a_prefix_finds_exactly_the_lists_that_begin_with_it
            a_range_that_can_hold_nothing_is_empty_and_not_an_error
            descending_order_starts_at_the_other_end
            a_limit_cuts_either_order_and_zero_means_nothing
            counts_count_the_keys_of_a_range
            indexed_reads_return_rows_in_the_order_of_the_index
            an_index_entry_without_its_row_is_left_out_after_the_limit
            ten_thousand_keys_come_back_in_order
            a_long_descending_scan_comes_back_in_order
        }
    };
}
pub(crate) use ranges_sentences;

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
