//! What a browser does to a connection, and databases that others have made.

use everfold::store::idb::{IdbStorage, delete_database};
use everfold::store::{ClosedBy, KeyRange, Read, Storage, StorageError, Table, Written};
use futures_util::future::{Either, join, ready, select};
use indexed_db_futures::database::Database;
use indexed_db_futures::prelude::Build;
use wasm_bindgen_test::wasm_bindgen_test;

use super::Idb;
use crate::contract::{Tabs, all, append, change, done, entry};

#[wasm_bindgen_test]
async fn a_database_of_a_later_release_is_refused_and_left_as_it_is() {
    let tabs = Idb::new("later");
    done(&tabs.open().await, vec![append(1, "a")]).await;
    let later = Database::open(tabs.name.as_str())
        .with_version(7_u32)
        .with_on_upgrade_needed(|_, database| {
            database.create_object_store("of the future").build()?;
            Ok(())
        })
        .await
        .unwrap();
    later.close();

    let refused = IdbStorage::open(&tabs.name).await;

    assert_eq!(refused.err(), Some(StorageError::Newer { found: 7, known: 1 }));
    let later = Database::open(tabs.name.as_str()).await.unwrap();
    assert!(later.version() > 6.0);
    assert!(later.object_store_names().any(|name| name == "of the future"));
    assert!(later.object_store_names().any(|name| name == "journal"));
    later.close();
}

#[wasm_bindgen_test]
async fn a_database_that_is_not_a_store_is_refused() {
    let tabs = Idb::new("not a store");
    let other = Database::open(tabs.name.as_str()).await.unwrap();
    other.close();

    let refused = IdbStorage::open(&tabs.name).await;

    assert!(matches!(refused.err(), Some(StorageError::Foreign(_))));
    delete_database(&tabs.name).await.unwrap();
}

#[wasm_bindgen_test]
async fn deleting_the_database_closes_its_handles() {
    let tabs = Idb::new("deleted");
    let (one, other) = (tabs.open().await, tabs.open().await);
    done(&one, vec![append(1, "a")]).await;

    let (deleted, by) = join(delete_database(&tabs.name), other.closed()).await;

    assert_eq!(deleted, Ok(()));
    assert_eq!(by, ClosedBy::Deletion);
    let read = one.read(vec![Read::Count(Table::Journal, KeyRange::ALL)]).await;
    assert_eq!(read, Err(ClosedBy::Deletion.into()));
    assert_eq!(all(&tabs.open().await, Table::Journal).await, []);
}

#[wasm_bindgen_test]
async fn a_newer_version_in_another_tab_closes_the_handle() {
    let tabs = Idb::new("upgraded");
    let storage = tabs.open().await;

    let upgrade = async {
        Database::open(tabs.name.as_str())
            .with_version(2_u32)
            .await
            .unwrap()
            .close();
    };
    let ((), by) = join(upgrade, storage.closed()).await;

    assert_eq!(by, ClosedBy::Upgrade);
    let written = storage.write(everfold::store::Write::default()).await;
    assert_eq!(written, Err(ClosedBy::Upgrade.into()));
}

#[wasm_bindgen_test]
async fn a_deletion_that_another_holder_blocks_is_reported_and_happens_later() {
    let tabs = Idb::new("blocked");
    tabs.open().await.close();
    let holder = Database::open(tabs.name.as_str()).await.unwrap();

    let deleted = delete_database(&tabs.name).await;
    assert!(matches!(deleted, Err(StorageError::Blocked(_))), "{deleted:?}");

    holder.close();
    delete_database(&tabs.name).await.unwrap();
    assert_eq!(all(&tabs.open().await, Table::Journal).await, []);
}

#[wasm_bindgen_test]
async fn deleting_what_is_not_there_is_no_error() {
    assert_eq!(delete_database(&Idb::new("never made").name).await, Ok(()));
}

#[wasm_bindgen_test]
async fn a_dropped_handle_lets_go_of_the_database() {
    let tabs = Idb::new("dropped");
    drop(tabs.open().await);

    delete_database(&tabs.name).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_write_dropped_before_its_end_is_not_applied() {
    let tabs = Idb::new("write dropped");
    let storage = tabs.open().await;

    // `select` polls it once, which begins it, and drops it as the other is ready.
    let write = Box::pin(change(&storage, vec![append(1, "a")]));
    assert!(matches!(select(write, ready(())).await, Either::Right(_)));

    assert_eq!(all(&storage, Table::Journal).await, []);
    assert_eq!(change(&storage, vec![append(1, "b")]).await, Written::Done);
    assert_eq!(all(&storage, Table::Journal).await, [entry(1, "b")]);
}

#[wasm_bindgen_test]
async fn a_value_that_is_not_bytes_is_reported_and_the_rest_stays_readable() {
    let tabs = Idb::new("foreign value");
    let storage = tabs.open().await;
    done(&storage, vec![append(1, "a")]).await;
    let other = Database::open(tabs.name.as_str()).await.unwrap();
    put_text(&other, "rows").await;
    other.close();

    let read = |table| storage.read(vec![Read::Get(table, everfold::store::Key::from(1))]);

    assert!(matches!(read(Table::Rows).await, Err(StorageError::Failed(_))));
    assert_eq!(read(Table::Journal).await, Ok(vec![vec![entry(1, "a")]]));
}

async fn put_text(database: &Database, store: &str) {
    use indexed_db_futures::prelude::BuildPrimitive;
    use indexed_db_futures::transaction::TransactionMode;

    let transaction = database
        .transaction(store)
        .with_mode(TransactionMode::Readwrite)
        .build()
        .unwrap();
    let rows = transaction.object_store(store).unwrap();
    rows.put("not bytes")
        .with_key(1_u32)
        .primitive()
        .unwrap()
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}
