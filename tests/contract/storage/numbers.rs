//! Sentences about the numbers that the journal gives: dense, each once, and whoever expected another one has written nothing.

use everfold::store::{Change, Key, KeyRange, Read, Table, Written};
use futures_util::future::join;

use super::count;
use crate::contract::{Tabs, add, all, append, change, done, entry, one, put};

/// Every sentence, for a runner to turn into tests.
macro_rules! numbers_sentences {
    ($run:ident) => {
        $run! { numbers:
            append_gives_dense_numbers_from_one
            append_gives_dense_numbers_that_never_come_back_after_deletion
            append_with_another_number_writes_nothing
            a_raced_append_gives_its_number_back
            an_added_record_with_another_number_is_stored_and_reported
            a_number_written_by_put_counts_as_given
            two_handles_race_and_one_wins
        }
    };
}
pub(crate) use numbers_sentences;

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
