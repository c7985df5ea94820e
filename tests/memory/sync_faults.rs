//! What is promised of sync holds whichever storage call fails, and whatever others do while a tab is frozen at one.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use everfold::commit::Mode;
use everfold::store::{
    Fault, Faulty, MemoryDatabase, MemoryStorage, RebaseStep, Storage, Store, StoreError, StoreErrorKind, When,
};
use serde_json::Value;

use crate::contract::log::{over, read_all, try_open};
use crate::failing_calls::fail_each_call;
use crate::history::assert_sound;
use crate::meddling::Meddling;
use crate::space::{Order, Space, assert_decided, bind, decision, execute, store_answers, sync};

/// What a device is told to do, one after the other: commits, and what others do meanwhile on the server.
const ORDERS: [(&str, &str, &str, i64); 8] = [
    ("c1", "put", "a", 5),
    ("c2", "take", "a", -5),
    ("c3", "add", "b", 1),
    ("c4", "put", "c", 1),
    ("c5", "take", "b", -6),
    ("c6", "add", "c", 2),
    ("c7", "put", "a", 1),
    ("c8", "add", "d", 1),
];

async fn order<S: Storage>(store: &Store<S>, number: usize) -> Result<&'static str, StoreError> {
    let (id, kind, stream, amount) = ORDERS[number];
    execute(store, id, &Order::new(kind, &[(stream, amount)], &[]), Mode::Intent).await
}

/// One exchange with the server, and a walk if there must be one.
async fn exchange<S: Storage>(store: &Store<S>, space: &Space) -> Result<bool, StoreError> {
    let answer = if let Some(body) = store.push_body(2, 1 << 20).await? {
        space.push(&body.text).await
    } else {
        let state = store.sync_state().await?.expect("is bound");
        space.pull(state.cursor.as_ref(), 2).await
    };
    let before = store.sync_state().await?;
    let pulled = store_answers(store, &[answer.expect("is answered")]).await?;
    walk(store).await?;
    Ok(pulled.more || store.sync_state().await? != before)
}

async fn walk<S: Storage>(store: &Store<S>) -> Result<(), StoreError> {
    let mut states = BTreeMap::new();
    let mut step = store.rebase_next(None).await?;
    while let RebaseStep::Decide(asked) = step {
        let text = decision(store, &asked, &mut states, &HashSet::new()).await?;
        step = store
            .rebase_next(Some(everfold::json::parse(&text).expect("is a decision")))
            .await?;
    }
    Ok(())
}

/// Does it again once when it fails, as an app and the state machine of sync do.
async fn again<T>(fault: &Fault, mut attempt: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    for _ in 0..3 {
        if let Ok(value) = attempt().await {
            return value;
        }
    }
    panic!("it fails once: {fault:?}")
}

/// Everything that was said to be stored is in the log of the server or among the refusals, once, and all is right.
async fn assert_settled<S: Storage>(store: &Store<S>, space: &Space, said: &[&str], what: &str) {
    store.catch_up().await.expect("catches up");
    sync(store, space, 100).await.expect("syncs");
    assert_eq!(store.pending(), 0, "{what}");
    assert_sound(store).await;
    let log = space.log().await;
    assert_decided(&log);
    let refusals: Value = serde_json::from_str(&store.refusals().await.expect("lists")).expect("is JSON");
    let refused = refusals.as_array().expect("is a list").iter();
    let refused: Vec<_> = refused
        .filter(|refusal| refusal["kind"] == "refused")
        .map(|refusal| &refusal["commitId"])
        .collect();
    for id in said {
        let confirmed = log.iter().filter(|commit| commit["id"] == *id).count();
        let refused = refused.iter().filter(|other| **other == *id).count();
        assert_eq!(confirmed + refused, 1, "{id} {what}");
    }
    let events: usize = log
        .iter()
        .map(|commit| commit["streams"].as_array().expect("is a list").len())
        .sum();
    assert_eq!(read_all(store).await.len(), events, "{what}");
}

#[test]
fn nothing_is_lost_or_doubled_whichever_call_of_sync_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let space = Space::new().await;
        let database = MemoryDatabase::new();
        let faulty = || Faulty::new(MemoryStorage::open(&database), faults.clone());
        let store = match try_open(faulty()).await {
            Ok(store) => store,
            Err(_) => over(faulty()).await,
        };
        again(fault, async || bind(&store, &space, None).await).await;
        let mut said = Vec::new();
        for (number, (id, ..)) in ORDERS.iter().enumerate() {
            let word = again(fault, async || order(&store, number).await).await;
            if word != "refused" {
                said.push(*id);
            }
            match number {
                1 => space.foreign("f1", &[("a", -1)]).await,
                3 => space.foreign("f2", &[("b", 3), ("c", 1)]).await,
                5 => {
                    space.refuses.borrow_mut().insert("put".to_owned());
                }
                _ => {}
            }
            if number % 2 == 1 {
                again(fault, async || exchange(&store, &space).await).await;
            }
            if number == 4 {
                again(fault, async || store.seal().await).await;
                again(fault, async || store.dismiss_refusal("none").await).await;
            }
        }
        while again(fault, async || exchange(&store, &space).await).await {}
        again(fault, async || store.refusals().await).await;

        space.refuses.borrow_mut().clear();
        let fresh = over(MemoryStorage::open(&database)).await;
        fresh.lead().await.expect("leads");
        assert_settled(&fresh, &space, &said, &format!("{fault:?}")).await;
    }));

    assert!(runs > 200, "{runs} runs");
}

/// What another tab does while one is frozen.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    /// It appends.
    Appends,
    /// It appends, begins to lead, and does all that the frozen one was about to do, and more.
    Leads,
}

impl Meanwhile {
    async fn happens(self, database: &MemoryDatabase, space: &Space) {
        let other = over(MemoryStorage::open(database)).await;
        let order = Order::new("add", &[("a", 1)], &["b"]);
        let word = execute(&other, "meanwhile", &order, Mode::Intent)
            .await
            .expect("appends");
        assert_eq!(word, "appended");
        if let Self::Leads = self {
            other.lead().await.expect("leads");
            while exchange(&other, space).await.expect("exchanges") {}
            other.seal().await.expect("seals");
            space.foreign("later", &[("b", 7)]).await;
        }
    }
}

#[test]
fn a_leader_that_is_frozen_at_any_call_writes_nothing_that_is_out_of_date() {
    for meanwhile in [Meanwhile::Appends, Meanwhile::Leads] {
        let moments = pollster::block_on(async {
            let mut moment = 1;
            while frozen(moment, meanwhile).await {
                moment += 1;
            }
            moment - 1
        });
        assert!(moments >= 8, "{moments} moments, {meanwhile:?}");
    }
}

/// False if the tab did not come to this moment.
async fn frozen(moment: u64, meanwhile: Meanwhile) -> bool {
    let space = Rc::new(Space::new().await);
    let database = MemoryDatabase::new();
    let first = over(MemoryStorage::open(&database)).await;
    bind(&first, &space, None).await.expect("binds");
    let mut said = Vec::new();
    for (number, order_of) in ORDERS.iter().enumerate() {
        if order(&first, number).await.expect("appends") == "appended" {
            said.push(order_of.0);
        }
    }
    space.foreign("f1", &[("a", -1)]).await;
    space.foreign("f2", &[("b", 3), ("c", 1)]).await;
    let (awake, count, slept) = (
        Rc::new(Cell::new(false)),
        Rc::new(Cell::new(0)),
        Rc::new(Cell::new(false)),
    );
    let tab = over(Meddling {
        storage: MemoryStorage::open(&database),
        meddle: {
            let (awake, count, slept) = (Rc::clone(&awake), Rc::clone(&count), Rc::clone(&slept));
            let (space, database) = (Rc::clone(&space), database.clone());
            async move |_, _: When| {
                if awake.get() {
                    count.set(count.get() + 1);
                    if count.get() == moment {
                        slept.set(true);
                        meanwhile.happens(&database, &space).await;
                    }
                }
            }
        },
    })
    .await;
    tab.lead().await.expect("leads");
    awake.set(true);

    loop {
        match exchange(&tab, &space).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                assert_eq!(error.kind(), &StoreErrorKind::Fenced, "{meanwhile:?}");
                break;
            }
        }
    }

    awake.set(false);
    if slept.get() {
        said.push("meanwhile");
        let what = format!("frozen at moment {moment}, {meanwhile:?}");
        let fresh = over(MemoryStorage::open(&database)).await;
        fresh.lead().await.expect("leads");
        assert_settled(&fresh, &space, &said, &what).await;
        tab.catch_up().await.expect("catches up");
        assert_eq!(read_all(&tab).await, read_all(&fresh).await, "{what}");
    }
    slept.get()
}
