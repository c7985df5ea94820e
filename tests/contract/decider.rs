//! Sentences about deciders written in Rust, on the engine that TypeScript's run on.

use everfold::decider::Decider;
use everfold::store::{ExecuteError, ExecuteOptions, Executed, Storage, Store};
use everfold::stream::Version;
use serde::{Deserialize, Serialize};

use super::Tabs;
use super::log::{open, read_all};

/// Every sentence, for a runner to turn into tests.
macro_rules! decider_sentences {
    ($run:ident) => {
        $run! { decider:
            a_command_leads_to_events_and_state
            a_refused_command_writes_nothing
            a_command_that_is_stored_is_known_whatever_it_would_lead_to_now
            a_lost_race_is_decided_again
            a_tab_that_lags_looks_before_it_refuses_or_finds_nothing_to_do
            an_expected_version_that_is_not_met_is_a_conflict
            a_state_comes_from_a_snapshot_and_the_events_after_it
        }
    };
}
pub(crate) use decider_sentences;

/// A counter that stops at a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counter;

/// What happened to a counter.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum Counted {
    /// It went up by one.
    #[serde(rename = "counter.raised")]
    Raised { to: u64 },
}

/// How far the counter may go.
pub(crate) struct RaiseUpTo(u64);

/// The counter is at its limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AtLimit(u64);

impl Decider for Counter {
    const NAME: &'static str = "counter";
    const VERSION: u32 = 1;
    const SNAPSHOT_EVERY: u64 = 10;
    type State = u64;
    type Command = RaiseUpTo;
    type Event = Counted;
    type Refusal = AtLimit;

    fn initial_state() -> u64 {
        0
    }

    fn decide(RaiseUpTo(limit): &RaiseUpTo, state: &u64) -> Result<Vec<Counted>, AtLimit> {
        if state < limit {
            Ok(vec![Counted::Raised { to: state + 1 }])
        } else {
            Err(AtLimit(*state))
        }
    }

    fn evolve(_: u64, Counted::Raised { to }: &Counted) -> u64 {
        *to
    }
}

/// Raises counter `a` by one.
pub(crate) async fn raise<S: Storage>(
    store: &Store<S>,
    id: &str,
    limit: u64,
) -> Result<Executed<Counter>, ExecuteError<AtLimit>> {
    let options = ExecuteOptions {
        commit_id: id.to_owned(),
        now: 5,
        expected_version: None,
    };
    store.execute("a", &RaiseUpTo(limit), &options).await
}

pub(crate) async fn a_command_leads_to_events_and_state(tabs: &impl Tabs) {
    let store = open(tabs).await;

    let executed = raise(&store, "c1", 5).await.expect("executes");

    assert_eq!(executed.events, [Counted::Raised { to: 1 }]);
    assert_eq!((executed.state, executed.version), (1, Version(1)));
    let event = read_all(&open(tabs).await).await.remove(0);
    assert_eq!(
        (&*event.stream, &*event.event_type, event.occurred_at),
        ("counter-a", "counter.raised", 5)
    );
}

pub(crate) async fn a_refused_command_writes_nothing(tabs: &impl Tabs) {
    let store = open(tabs).await;
    raise(&store, "c1", 1).await.expect("executes");

    assert_eq!(raise(&store, "c2", 1).await, Err(ExecuteError::Refused(AtLimit(1))));
    assert_eq!(
        raise(&store, "c1", 9).await,
        Err(ExecuteError::CommitIdKnown("c1".to_owned()))
    );

    assert_eq!(read_all(&store).await.len(), 1);
}

/// Its answer was lost, and it comes again: not as refused, not as a conflict, not as nothing to do.
pub(crate) async fn a_command_that_is_stored_is_known_whatever_it_would_lead_to_now(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let known = || ExecuteError::CommitIdKnown("c1".to_owned());
    let first = ExecuteOptions {
        commit_id: "c1".to_owned(),
        now: 0,
        expected_version: Some(Version(0)),
    };
    left.execute::<Counter>("a", &RaiseUpTo(1), &first)
        .await
        .expect("executes");
    let lock = ExecuteOptions {
        commit_id: "c2".to_owned(),
        ..ExecuteOptions::default()
    };
    left.execute::<Door>("a", &Turn::Lock, &lock).await.expect("executes");

    for store in [left, right] {
        assert_eq!(raise(&store, "c1", 1).await, Err(known()));
        assert_eq!(store.execute::<Counter>("a", &RaiseUpTo(1), &first).await, Err(known()));
        let locked = store.execute::<Door>("a", &Turn::Lock, &lock).await;
        assert_eq!(locked, Err(ExecuteError::CommitIdKnown("c2".to_owned())));
    }
}

pub(crate) async fn a_lost_race_is_decided_again(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    for number in 0..5 {
        raise(&left, &format!("left {number}"), 99).await.expect("executes");
        raise(&right, &format!("right {number}"), 99).await.expect("executes");
    }

    let state = right.load_state::<Counter>("a").await.expect("loads");

    assert_eq!((state.state, state.version), (10, Version(10)));
}

/// A door that is locked from either side.
#[derive(Debug, PartialEq, Eq)]
struct Door;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Turned {
    #[serde(rename = "door.locked")]
    Locked,
    #[serde(rename = "door.unlocked")]
    Unlocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing to do if it is locked.
    Lock,
    /// Refused if it is not locked.
    Unlock,
}

impl Decider for Door {
    const NAME: &'static str = "door";
    const VERSION: u32 = 1;
    type State = bool;
    type Command = Turn;
    type Event = Turned;
    type Refusal = ();

    fn initial_state() -> bool {
        false
    }

    fn decide(turn: &Turn, is_locked: &bool) -> Result<Vec<Turned>, ()> {
        match (turn, is_locked) {
            (Turn::Lock, true) => Ok(Vec::new()),
            (Turn::Lock, false) => Ok(vec![Turned::Locked]),
            (Turn::Unlock, true) => Ok(vec![Turned::Unlocked]),
            (Turn::Unlock, false) => Err(()),
        }
    }

    fn evolve(_: bool, turned: &Turned) -> bool {
        *turned == Turned::Locked
    }
}

pub(crate) async fn a_tab_that_lags_looks_before_it_refuses_or_finds_nothing_to_do(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    let turn = async |store: &Store<_>, id: &str, turn| {
        let options = ExecuteOptions {
            commit_id: id.to_owned(),
            ..ExecuteOptions::default()
        };
        let executed = store.execute::<Door>("a", &turn, &options).await;
        executed.map(|executed| executed.version.0)
    };

    assert_eq!(turn(&right, "1", Turn::Unlock).await, Err(ExecuteError::Refused(())));
    assert_eq!(turn(&left, "2", Turn::Lock).await, Ok(1));
    assert_eq!(turn(&right, "3", Turn::Unlock).await, Ok(2));
    assert_eq!(turn(&right, "4", Turn::Lock).await, Ok(3));
    assert_eq!(turn(&left, "5", Turn::Unlock).await, Ok(4));
    assert_eq!(turn(&right, "6", Turn::Lock).await, Ok(5));
    assert_eq!(turn(&right, "7", Turn::Lock).await, Ok(5));
}

pub(crate) async fn an_expected_version_that_is_not_met_is_a_conflict(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    raise(&left, "c1", 99).await.expect("executes");
    let expecting = |id: &str, version| ExecuteOptions {
        commit_id: id.to_owned(),
        now: 0,
        expected_version: Some(Version(version)),
    };

    let conflict = right.execute::<Counter>("a", &RaiseUpTo(99), &expecting("c2", 0)).await;

    let Err(ExecuteError::Conflict(conflict)) = conflict else {
        panic!("{conflict:?}")
    };
    assert_eq!(conflict.actual, Version(1));
    right
        .execute::<Counter>("a", &RaiseUpTo(99), &expecting("c2", 1))
        .await
        .expect("executes");
}

pub(crate) async fn a_state_comes_from_a_snapshot_and_the_events_after_it(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..23 {
        raise(&store, &number.to_string(), 99).await.expect("executes");
    }

    let fresh = open(tabs).await;

    assert_eq!(fresh.stats().await.expect("counts").snapshots, 2);
    let state = fresh.load_state::<Counter>("a").await.expect("loads");
    assert_eq!((state.state, state.version), (23, Version(23)));
}
