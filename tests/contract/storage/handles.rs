//! Sentences about several handles on one database, and about closing them.

use everfold::store::{ClosedBy, Key, KeyRange, Read, Storage, StorageError, Table, Write, Written};
use futures_util::future::join;

use super::count;
use crate::contract::{Tabs, all, append, change, done, entry, put};

/// Every sentence, for a runner to turn into tests.
macro_rules! handles_sentences {
    ($run:ident) => {
        $run! { handles:
            what_one_handle_wrote_another_reads
            what_was_written_is_there_after_closing_and_opening
            calls_after_close_are_refused
            calls_under_way_finish_when_the_handle_closes
            closing_one_handle_leaves_the_other_open
            whoever_waits_hears_that_the_handle_closed
        }
    };
}
pub(crate) use handles_sentences;

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
