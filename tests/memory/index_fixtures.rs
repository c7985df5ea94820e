//! Rows that say which indexes they are entered in are read for ever: `tests/fixtures/format-2-indexes`, as `fixtures.rs`.

use everfold::position::Position;
use everfold::projection::{Projection, index_names};
use everfold::store::{Fold, Key, MemoryDatabase, MemoryStorage, Query, Read, StoredRows, Table};

use crate::by_hand::{field, varint, with_checksum};
use crate::contract::log::{any, appended, over};
use crate::contract::one;
use crate::dump::Fixture;
use crate::fixtures::goes_on;
use crate::tally::ByStream;

#[test]
fn rows_that_say_their_indexes_read_as_they_did() {
    pollster::block_on(async {
        let fixture = Fixture::of("format-2-indexes");
        if Fixture::is_written() {
            fixture.write(&example().await).await;
        }
        let database = fixture.database().await;
        let storage = MemoryStorage::open(&database);
        // Written down from docs/format.md.
        let body = [field(1, b"by_stream"), field(2, &varint(1)), field(3, br#"["events"]"#)].concat();
        let marker = with_checksum([vec![0xEF, b'M', 2], body].concat());
        for generation in [1, 2] {
            let key = Key::from([Key::from("generation"), Key::from(generation)]);
            assert_eq!(one(&storage, Read::Get(Table::Meta, key)).await[0].value, marker);
        }
        let store = over(storage).await;
        let (name, version) = (ByStream::NAME, ByStream::VERSION);
        let seen = store.projection(name, version, "[]").await.expect("reads");
        assert_eq!((seen.indexes.as_str(), seen.resumable), (r#"["events"]"#, false));

        let indexes = index_names::<ByStream>();
        let taken_up = store
            .begin_rebuild(name, version, true, &indexes)
            .await
            .expect("begins");

        let rebuild = taken_up.state.rebuild.expect("is under way");
        assert_eq!((rebuild.generation, rebuild.checkpoint), (2, Position(2)));
        goes_on(&store, &database).await;
    });
}

/// A store whose rows say which indexes they are entered in, those that are read and those of a rebuild under way.
async fn example() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    appended(&store, &[any("c1", "one"), any("c2", "two"), any("c3", "one")]).await;
    store.view::<ByStream>().count().await.expect("folds");
    let indexes = index_names::<ByStream>();
    let begun = store.begin_rebuild(ByStream::NAME, ByStream::VERSION, false, &indexes);
    let mut fold = Fold::new::<ByStream>(StoredRows {
        generation: begun
            .await
            .expect("begins")
            .state
            .rebuild
            .expect("is under way")
            .generation,
        checkpoint: Position(0),
        revision: 0,
    });
    let query = Query {
        until_position: Some(Position(2)),
        ..Query::default()
    };
    fold.advance(&store, &store, &query, usize::MAX).await.expect("folds");
    assert!(fold.stage(&store).await.expect("stages"));
    database
}
