//! Taking a log elsewhere while some of it is pending.

use everfold::position::Position;
use everfold::store::{MemoryDatabase, MemoryStorage};
use serde_json::json;

use crate::contract::export::export;
use crate::contract::log::{any, appended, over, read_all};
use crate::device::{device, done, pull, put, refusals, tab, take};
use crate::space::{Space, sync};

#[test]
fn what_is_imported_is_pending_and_what_is_exported_has_it() {
    pollster::block_on(async {
        let space = Space::new().await;
        let plain = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        appended(&plain, &[any("c1", "a"), any("c2", "b")]).await;
        let (_, store) = device(&space).await;
        done(&store, "own", &put("a")).await;

        let imported = store.import(&export(&plain).await, true).await.expect("imports");

        assert_eq!((imported.added.commits, imported.position), (2, Position(3)));
        assert_eq!((store.pending(), store.confirmed()), (3, Position(0)));
        let again = store.import(&export(&plain).await, true).await.expect("imports");
        assert_eq!(again.added.commits, 0);
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(space.log().await.len(), 3);
        done(&store, "pending", &put("a")).await;
        done(&store, "refused", &take("d", 0)).await;
        space.foreign("f1", &[("d", -1)]).await;
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(refusals(&store).await.len(), 1);
        let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        copy.import(&export(&store).await, false).await.expect("imports");
        assert_eq!(read_all(&copy).await, read_all(&store).await);
        assert_eq!(refusals(&copy).await, refusals(&store).await);
    });
}

#[test]
fn what_was_refused_since_an_export_does_not_come_back_by_an_import_of_it() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        done(&store, "kept", &put("a")).await;
        done(&store, "refused", &take("d", 0)).await;
        let file = export(&store).await;
        space.foreign("f1", &[("d", -1)]).await;
        sync(&store, &space, 10).await.expect("syncs");
        assert_eq!(refusals(&store).await.len(), 1);

        let imported = store.import(&file, true).await.expect("imports");
        store.dismiss_refusal("refused").await.expect("dismisses");
        let again = store.import(&file, true).await.expect("imports");

        assert_eq!((imported.added.commits, again.added.commits), (0, 0));
        assert_eq!(store.pending(), 0);
    });
}

#[test]
fn an_export_holds_what_is_pending_even_if_others_confirm_meanwhile() {
    pollster::block_on(async {
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        done(&store, "sealed", &put("a")).await;
        sync(&store, &space, 10).await.expect("syncs");
        store.seal().await.expect("seals");
        done(&store, "pending", &put("b")).await;

        let mut file = store.export_part(0).await.expect("exports").expect("begins");
        file.extend(store.export_part(1).await.expect("exports").expect("is a segment"));
        space.foreign("f1", &[("c", 1), ("d", 1)]).await;
        pull(&store, &space).await;
        store.seal().await.expect("seals");
        let mut part = 2;
        while let Some(bytes) = store.export_part(part).await.expect("exports") {
            file.extend(bytes);
            part += 1;
        }

        let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        copy.import(&file, false).await.expect("imports");
        assert!(copy.find_commit("pending").await.expect("finds").is_some());
    });
}

/// Whatever part of the file is written when a commit is refused, or a refused one is tried again.
#[test]
fn an_export_holds_each_commit_as_pending_or_as_refused() {
    pollster::block_on(async {
        for moment in 0.. {
            let space = Space::new().await;
            let (database, store) = device(&space).await;
            done(&store, "refused before", &take("d", 0)).await;
            space.foreign("f1", &[("d", -1)]).await;
            sync(&store, &space, 10).await.expect("syncs");
            done(&store, "refused meanwhile", &take("e", 0)).await;

            let mut file = Vec::new();
            let mut part = 0;
            while let Some(bytes) = store.export_part(part).await.expect("exports") {
                file.extend(bytes);
                if part == moment {
                    let other = tab(&database).await;
                    space.foreign("f2", &[("e", -1)]).await;
                    done(&other, "tried again", &put("d")).await;
                    other.dismiss_refusal("refused before").await.expect("dismisses");
                    other.lead().await.expect("leads");
                    sync(&other, &space, 10).await.expect("syncs");
                }
                part += 1;
            }

            let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
            copy.import(&file, false).await.expect("imports");
            let refused: Vec<_> = refusals(&copy)
                .await
                .iter()
                .map(|one| one["commitId"].clone())
                .collect();
            for (id, pending) in [
                ("refused before", "tried again"),
                ("refused meanwhile", "refused meanwhile"),
            ] {
                let is_pending = copy.find_commit(pending).await.expect("finds").is_some();
                assert_ne!(is_pending, refused.contains(&json!(id)), "{id}, after part {moment}");
            }
            if moment >= part {
                break;
            }
        }
    });
}

/// A block that is larger than any of ours is taken for damaged: nobody could read the file.
#[test]
fn however_much_is_pending_an_export_of_it_is_read() {
    pollster::block_on(async {
        const COMMITS: u64 = 270;
        let space = Space::new().await;
        let (_, store) = device(&space).await;
        let text = "x".repeat(250_000);
        for number in 0..COMMITS {
            let mut large = any(&format!("c{number}"), "a");
            large["streams"][0]["events"][0]["data"] = json!(text);
            appended(&store, &[large]).await;
        }

        let file = export(&store).await;

        let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        let imported = copy.import(&file, false).await.expect("imports");
        assert_eq!(imported.added.commits, COMMITS);
    });
}
