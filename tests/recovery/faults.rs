//! Whichever storage call fails, or is the last one of a tab: the log is what it was, or what it was to become.

use std::collections::BTreeSet;

use everfold::store::{Adoption, Faults, Faulty, MemoryDatabase, MemoryStorage, Recovery, Store, StoreErrorKind};
use pollster::block_on;

use crate::device::{
    Server, Trouble, append, binding, bytes, device, events, loner, open, refusals, state, sync, try_sync,
};
use crate::failing_calls::fail_each_call;

/// Works on a store whose calls fail: goes on with the same instance, or, `killed`, with a new one.
fn until_done(
    database: &MemoryDatabase,
    faults: &Faults,
    killed: bool,
    mut work: impl AsyncFnMut(&Store<Faulty<MemoryStorage>>) -> Result<(), Trouble>,
) {
    block_on(async {
        let mut store = None;
        for _ in 0..4 {
            if killed || store.is_none() {
                let storage = Faulty::new(MemoryStorage::open(database), faults.clone());
                store = open(storage, "a").await.ok();
            }
            let Some(store) = &store else { continue };
            match work(store).await {
                Ok(()) => return,
                Err(Trouble::Store(error)) if matches!(error.kind(), StoreErrorKind::Storage(_)) => {}
                Err(trouble) => panic!("{trouble:?}"),
            }
        }
        panic!("one failure is enough for all tries");
    });
}

#[test]
fn a_recovery_is_whole_whichever_call_fails() {
    for killed in [false, true] {
        block_on(fail_each_call(async |faults, fault| {
            let server = Server::new();
            let ((database, store), (_, other)) = (device("a"), device("b"));
            for id in ["1", "2", "3"] {
                append(&store, id, &["s", "t"]);
                sync(&store, &server, Recovery::Ask);
                append(&other, &format!("other {id}"), &["o"]);
                sync(&other, &server, Recovery::Ask);
                if id == "2" {
                    block_on(store.seal()).expect("seals");
                }
            }
            sync(&store, &server, Recovery::Ask);
            append(&store, "4", &["s"]);
            server.restore(3);
            drop(store);

            until_done(&database, &faults, killed, async |store| {
                try_sync(store, &server, Recovery::Ask, None).await
            });

            sync(&other, &server, Recovery::Ask);
            let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");
            sync(&store, &server, Recovery::Ask);
            sync(&other, &server, Recovery::Ask);
            assert_eq!(events(&store), events(&other), "{fault:?}");
            assert_eq!(events(&store).len(), 10, "{fault:?}");
            assert_eq!(refusals(&store), [], "{fault:?}");
        }));
    }
}

#[test]
fn an_adoption_goes_on_whichever_call_fails() {
    for (killed, adopt) in [
        (false, Adoption::Empty),
        (true, Adoption::Empty),
        (false, Adoption::Rebase),
        (true, Adoption::Rebase),
    ] {
        block_on(fail_each_call(async |faults, fault| {
            let server = Server::new();
            let (database, store) = loner("a");
            for id in 1..=7 {
                append(&store, &id.to_string(), &["s", "t"]);
                if id == 4 {
                    block_on(store.seal()).expect("seals");
                }
            }
            if adopt == Adoption::Rebase {
                let (_, other) = device("b");
                append(&other, "other", &["s"]);
                sync(&other, &server, Recovery::Ask);
            }
            drop(store);

            until_done(&database, &faults, killed, async |store| {
                store.bind(&binding(None, Some(adopt))).await?;
                try_sync(store, &server, Recovery::Ask, Some(adopt)).await
            });

            let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");
            let (_, fresh) = device("c");
            sync(&fresh, &server, Recovery::Ask);
            assert_eq!(bytes(&store), bytes(&fresh), "{fault:?}");
            let commits: BTreeSet<_> = events(&store)
                .iter()
                .filter_map(|event| event.split(' ').next().map(str::to_owned))
                .collect();
            assert_eq!(commits.len() as u64, server.head(), "{fault:?}");
            assert_eq!((state(&store).adopting, state(&store).pending), (false, 0));
        }));
    }
}

#[test]
fn an_orphan_is_pending_once_whichever_call_fails() {
    block_on(fail_each_call(async |faults, fault| {
        let server = Server::new();
        let ((database, store), (_, other)) = (device("a"), device("b"));
        append(&other, "other", &["s"]);
        sync(&other, &server, Recovery::Ask);
        sync(&store, &server, Recovery::Ask);
        server.restore(0);
        sync(&store, &server, Recovery::Ask);
        drop(store);

        until_done(&database, &faults, false, async |store| {
            store.retry_orphan("other").await?;
            Ok(())
        });

        let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");
        assert_eq!(events(&store), ["other s 1?"], "{fault:?}");
        assert_eq!(refusals(&store), [], "{fault:?}");
    }));
}
