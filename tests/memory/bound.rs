//! Tabs of a store that is bound to a space: which of them binds it, and which leads.

use everfold::position::Position;
use everfold::store::{BindOptions, LoadQuery, MemoryDatabase, MemoryStorage, StoreErrorKind, Table};

use crate::contract::log::{any, append, appended, over};
use crate::device::{add, device, done, page, stored, tab};
use crate::space::{SPACE, Space, assert_decided, bind, store_answers, sync};

#[test]
fn a_store_is_bound_before_anybody_has_reached_the_server() {
    pollster::block_on(async {
        let space = Space::new().await;
        space.foreign("f1", &[("a", 5)]).await;
        let database = MemoryDatabase::new();
        let store = tab(&database).await;
        let offline = BindOptions {
            space: SPACE.to_owned(),
            subject: "ann".to_owned(),
            cursor: None,
            adopt: None,
        };

        let state = store.bind(&offline).await.expect("binds").expect("is bound");
        assert_eq!(state.cursor, None);
        done(&store, "c1", &add("a")).await;
        assert_eq!((store.pending(), store.confirmed()), (1, Position(0)));
        assert_eq!(store.push_body(10, 1 << 20).await.expect("writes"), None);
        let store = tab(&database).await;
        bind(&store, &space, None).await.expect("binds");
        sync(&store, &space, 10).await.expect("syncs");

        assert_eq!(assert_decided(&space.log().await)["a"], 6);
        let other = BindOptions {
            space: "another".to_owned(),
            ..offline.clone()
        };
        assert!(matches!(
            store.bind(&other).await.expect_err("is bound").kind(),
            StoreErrorKind::Bound(_)
        ));
        done(&store, "c2", &add("a")).await;
        let other = BindOptions {
            subject: "bob".to_owned(),
            ..offline.clone()
        };
        assert!(matches!(
            store.bind(&other).await.expect_err("work is pending").kind(),
            StoreErrorKind::Bound(_)
        ));
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(
            store.bind(&other).await.expect("binds").expect("is bound").subject,
            "bob"
        );
        let plain = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        appended(&plain, &[any("c1", "a")]).await;
        let state = plain.bind(&offline).await.expect("binds").expect("is bound");
        assert_eq!((state.cursor, state.adopting), (None, true));
        appended(&plain, &[any("c2", "a")]).await;
        assert_eq!((plain.pending(), plain.confirmed()), (1, Position(1)));
    });
}

#[test]
fn another_tab_appends_pending_commits_as_soon_as_one_has_bound_the_store() {
    pollster::block_on(async {
        let space = Space::new().await;
        let database = MemoryDatabase::new();
        let (one, other) = (tab(&database).await, tab(&database).await);
        bind(&one, &space, None).await.expect("binds");

        append(&other, &[any("c1", "a")]).await;

        assert_eq!((other.pending(), other.confirmed()), (1, Position(0)));
        one.catch_up().await.expect("catches up");
        assert_eq!(one.pending(), 1);
        let loaded = one.load("a", LoadQuery::default()).await.expect("loads");
        assert!(loaded.batch.text.contains("\"replica\",0"), "{}", loaded.batch.text);
    });
}

#[test]
fn a_tab_that_led_before_another_one_stores_nothing_of_what_it_hears() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (database, store) = device(&space).await;
        space.foreign("f1", &[("a", 1)]).await;
        let page = page(&store, &space).await;
        let other = tab(&database).await;
        other.lead().await.expect("leads");
        let before = stored(&database, Table::Journal).await;

        // It does not know yet, and hears it from the record that it checks.
        let error = store_answers(&store, std::slice::from_ref(&page))
            .await
            .expect_err("is fenced");

        assert_eq!(error.kind(), &StoreErrorKind::Fenced);
        assert_eq!(stored(&database, Table::Journal).await, before);
        store_answers(&other, &[page]).await.expect("stores");
        assert_eq!(other.confirmed(), Position(1));
    });
}
