//! Sentences about checks: they are made before the changes, and one that fails lets nothing through.

use everfold::store::{Table, Written};

use super::{absent, checked, present};
use crate::contract::{Tabs, all, append, done, entry, put};

/// Every sentence, for a runner to turn into tests.
macro_rules! checks_sentences {
    ($run:ident) => {
        $run! { checks:
            checks_that_hold_let_the_changes_through
            a_failed_check_writes_nothing
            the_first_failed_check_is_reported
            a_failed_check_counts_before_a_raced_append
            a_check_sees_what_was_there_before_the_changes
        }
    };
}
pub(crate) use checks_sentences;

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
