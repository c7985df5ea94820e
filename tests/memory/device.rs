//! A device of the space: its orders, what it stores and what it answers.

use everfold::commit::Mode;
use everfold::store::{Entry, MemoryDatabase, MemoryStorage, Pulled, Receipt, Storage, Store, SyncState, Table};
use serde_json::Value;

use crate::contract::all;
use crate::contract::log::over;
use crate::space::{Order, Space, bind, execute, store_answers, sync};

/// A device that is bound to the space.
pub(crate) async fn device(space: &Space) -> (MemoryDatabase, Store<MemoryStorage>) {
    let database = MemoryDatabase::new();
    let store = tab(&database).await;
    bind(&store, space, None).await.expect("binds");
    (database, store)
}

/// One that knows of five in `a`, which another one has put there.
pub(crate) async fn funded_device(space: &Space) -> (MemoryDatabase, Store<MemoryStorage>) {
    space.foreign("fund", &[("a", 5)]).await;
    let (database, store) = device(space).await;
    sync(&store, space, 10).await.expect("syncs");
    (database, store)
}

/// One more tab of it.
pub(crate) async fn tab(database: &MemoryDatabase) -> Store<MemoryStorage> {
    over(MemoryStorage::open(database)).await
}

/// All that it has stored in a table.
pub(crate) async fn stored(database: &MemoryDatabase, table: Table) -> Vec<Entry> {
    all(&MemoryStorage::open(database), table).await
}

pub(crate) async fn state_of<S: Storage>(store: &Store<S>) -> SyncState {
    store.sync_state().await.expect("reads").expect("is bound")
}

pub(crate) async fn found<S: Storage>(store: &Store<S>, id: &str) -> Receipt {
    store.find_commit(id).await.expect("finds").expect("is there")
}

pub(crate) async fn refusals<S: Storage>(store: &Store<S>) -> Vec<Value> {
    let text = store.refusals().await.expect("lists");
    serde_json::from_str(&text).expect("is JSON")
}

pub(crate) fn put(stream: &'static str) -> Order {
    Order::new("put", &[(stream, 1)], &[])
}

pub(crate) fn add(stream: &'static str) -> Order {
    Order::new("add", &[(stream, 1)], &[])
}

pub(crate) fn take(stream: &'static str, amount: i64) -> Order {
    Order::new("take", &[(stream, -amount)], &[])
}

/// Executes an order, which must be appended.
pub(crate) async fn done<S: Storage>(store: &Store<S>, id: &str, order: &Order) {
    let word = execute(store, id, order, Mode::Intent).await;
    assert_eq!(word.expect("appends"), "appended");
}

/// The next page that the server has for it.
pub(crate) async fn page<S: Storage>(store: &Store<S>, space: &Space) -> String {
    let cursor = state_of(store).await.cursor;
    space.pull(cursor.as_ref(), 10).await.expect("reads")
}

/// Stores it.
pub(crate) async fn pull<S: Storage>(store: &Store<S>, space: &Space) -> Pulled {
    let page = page(store, space).await;
    store_answers(store, &[page]).await.expect("stores")
}
