//! What a store with sync ever stored is read for ever: `tests/fixtures/format-2-sync`, as `fixtures.rs`.

use std::collections::{BTreeSet, HashSet};

use everfold::commit::Mode;
use everfold::store::{MemoryDatabase, MemoryStorage, Storage, Store, Table};
use serde_json::{Value, json};

use crate::contract::log::{any, appended, over, read_all};
use crate::device::{pull, state_of, stored};
use crate::dump::Fixture;
use crate::history::assert_sound;
use crate::space::{Order, Space, bind, execute, rebase, sync};

#[test]
fn a_store_with_sync_reads_as_it_did() {
    pollster::block_on(async {
        let fixture = Fixture::of("format-2-sync");
        if Fixture::is_written() {
            let database = example().await;
            let answers = answers(&over(MemoryStorage::open(&database)).await).await;
            fixture.write(&database).await;
            fixture.write_answers(&answers);
        }
        let database = fixture.database().await;
        let store = over(MemoryStorage::open(&database)).await;

        assert_eq!(answers(&store).await, fixture.answers());

        appended(&store, &[any("later", "a")]).await;
        let events = read_all(&store).await;
        store.seal().await.expect("seals");
        while store.compact(2).await.expect("merges") {}
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(read_all(&again).await, events);
        assert_sound(&again).await;
        again.lead().await.expect("leads");
        rebase(&again, &HashSet::new()).await.expect("rebases");
        assert!(!state_of(&again).await.rebase);
    });
}

#[test]
fn the_example_with_sync_has_every_kind_of_record() {
    pollster::block_on(async {
        let database = example().await;
        let journal = stored(&database, Table::Journal).await;

        // The first field of a frame's body: tag, length, kind.
        let kinds: BTreeSet<_> = journal.iter().map(|entry| entry.value[5]).collect();

        assert_eq!(kinds, BTreeSet::from([1, 2, 3, 4]));
    });
}

/// A store with every kind of record that sync writes: commits carried above a segment, appended, pulled below others,
/// decided again, blocked, and refusals of both kinds, one of them dismissed.
async fn example() -> MemoryDatabase {
    let space = Space::new().await;
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    bind(&store, &space, None).await.expect("binds");
    let order = async |id, kind, amounts: &[(&'static str, i64)], reads: &[&'static str]| {
        let order = Order::new(kind, amounts, reads);
        let word = execute(&store, id, &order, Mode::Intent).await.expect("appends");
        assert_eq!(word, "appended");
    };
    order("0123456789abcdef0123456789abcdef", "put", &[("a", 5)], &[]).await;
    sync(&store, &space, 10).await.expect("syncs");
    order("carried", "put", &[("b", 1), ("c", 1)], &[]).await;
    store.seal().await.expect("seals");
    order("refused", "take", &[("a", -5)], &[]).await;
    order("changed", "add", &[("a", 7)], &["b"]).await;
    order("dismissed", "take", &[("d", 0)], &["a"]).await;
    space.foreign("f1", &[("a", -1), ("b", 2)]).await;
    space.foreign("f2", &[("a", -9)]).await;
    pull(&store, &space).await;
    rebase(&store, &HashSet::new()).await.expect("rebases");
    store.dismiss_refusal("dismissed").await.expect("dismisses");
    order("blocked", "add", &[("e", 1)], &["a"]).await;
    order("behind", "put", &[("e", 1)], &[]).await;
    space.foreign("f3", &[("a", 2)]).await;
    pull(&store, &space).await;
    rebase(&store, &HashSet::from(["blocked".to_owned(), "changed".to_owned()]))
        .await
        .expect("rebases");
    order("last", "put", &[("a", 1)], &[]).await;
    database
}

/// Everything that the store of that fixture answers.
async fn answers<S: Storage>(store: &Store<S>) -> Value {
    let events: Vec<_> = read_all(store)
        .await
        .into_iter()
        .map(|event| {
            json!([
                event.position,
                event.stream,
                event.version,
                event.event_type,
                event.commit,
                event.data
            ])
        })
        .collect();
    let state = state_of(store).await;
    let json = |text: String| serde_json::from_str::<Value>(&text).expect("is JSON");
    let body = store.push_body(10, 1 << 20).await.expect("writes").expect("is there");
    json!({
        "events": events,
        "state": json(state.to_json()),
        "refusals": json(store.refusals().await.expect("lists")),
        "dismissed": store.refusal_of("dismissed").await.expect("reads").map(|(kind, _)| kind.name()),
        "push": json(body.text),
    })
}
