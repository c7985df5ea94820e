//! A history that was made before there was a server.

use everfold::position::Position;
use everfold::store::{Adoption, MemoryStorage, Recovery, Storage, Store, StoreErrorKind};
use everfold::sync::{ProblemKind, PushAnswer};
use pollster::block_on;

use crate::device::{
    Server, Trouble, append, binding, bytes, commit, device, events, loner, open, refusals, state, sync, try_append,
    try_sync,
};

fn history(store: &Store<impl Storage>, commits: u64) {
    for id in 1..=commits {
        append(store, &format!("h{id}"), &["s", "t"]);
        if id == 4 {
            block_on(store.seal()).expect("seals");
        }
    }
}

fn adopts(store: &Store<impl Storage>, server: &Server, adopt: Option<Adoption>) -> Result<(), Trouble> {
    block_on(async {
        store.bind(&binding(None, adopt)).await?;
        try_sync(store, server, Recovery::Ask, adopt).await
    })
}

#[test]
fn a_history_becomes_the_beginning_of_an_empty_space() {
    for commits in [0, 1, 3, 7, 9] {
        let server = Server::new();
        let ((_, store), (_, other)) = (loner("a"), device("b"));
        history(&store, commits);
        let before = events(&store);

        adopts(&store, &server, Some(Adoption::Empty)).expect("is adopted");
        sync(&other, &server, Recovery::Ask);

        assert_eq!((events(&store), events(&other)), (before.clone(), before));
        let state = state(&store);
        assert_eq!((state.head.number, state.adopting), (commits, false));
        assert_eq!((state.confirmed, state.pending), (Position(commits * 2), 0));
        assert_eq!(bytes(&store), bytes(&other));
    }
}

#[test]
fn what_is_done_while_a_history_is_adopted_comes_after_it() {
    let server = Server::new();
    let (_, store) = loner("a");
    history(&store, 5);
    block_on(store.bind(&binding(None, None))).expect("is bound");
    append(&store, "new", &["s"]);
    assert_eq!(state(&store).pending, 1);
    assert_eq!(block_on(store.push_body(10, 1_000)).expect("is made"), None);

    sync(&store, &server, Recovery::Ask);

    assert_eq!(events(&store).last().map(String::as_str), Some("new s 6"));
    assert_eq!(state(&store).head.number, 6);
}

/// Everything but the last answer.
fn half_adopted(server: &Server, commits: u64, parts: usize) -> (everfold::store::MemoryDatabase, Vec<String>) {
    let (database, store) = loner("a");
    history(&store, commits);
    block_on(async {
        store
            .bind(&binding(Some(server.cursor()), None))
            .await
            .expect("is bound");
        store.lead().await.expect("leads");
        for part in 1..=parts {
            let body = store
                .adopt_request(3, 1 << 20)
                .await
                .expect("is read")
                .expect("is there");
            let answer = server.push(&body.text).expect("is judged");
            if part < parts {
                let answer: PushAnswer<'_> = everfold::json::parse(&answer).expect("is one");
                store.adopted(&answer).await.expect("is stored");
            }
        }
    });
    (database, events(&store))
}

#[test]
fn an_adoption_goes_on_where_it_was_broken_off() {
    for (commits, parts) in [(9, 1), (9, 2), (9, 3), (7, 3), (1, 1)] {
        let server = Server::new();
        let (database, before) = half_adopted(&server, commits, parts);
        let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");

        sync(&store, &server, Recovery::Ask);

        assert_eq!(events(&store), before);
        assert_eq!((server.head(), state(&store).head.number), (commits, commits));
        let (_, other) = device("b");
        append(&other, "after", &["s"]);
        sync(&other, &server, Recovery::Ask);
    }
}

#[test]
fn an_adoption_whose_end_was_not_heard_is_over_though_others_went_on() {
    for pages in [1, 1_000] {
        let server = Server::with_pages_of(pages);
        let (database, before) = half_adopted(&server, 3, 1);
        let (_, other) = device("b");
        append(&other, "after", &["s"]);
        sync(&other, &server, Recovery::Ask);
        let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");

        sync(&store, &server, Recovery::Ask);

        assert_eq!(events(&store).len(), before.len() + 1);
        assert_eq!(events(&store), events(&other));
    }
}

#[test]
fn an_adoption_goes_on_after_the_server_was_restored() {
    for backup in [0, 2, 5] {
        let server = Server::new();
        let (database, before) = half_adopted(&server, 9, 3);
        server.restore(backup);
        let store = block_on(open(MemoryStorage::open(&database), "a")).expect("opens");

        let done = block_on(try_sync(&store, &server, Recovery::Ask, None));

        if backup == 0 {
            done.expect("is adopted");
            assert_eq!((server.head(), events(&store)), (9, before));
        } else {
            // The claim was lost with the rest: a space with a history adopts nothing, and nothing here has changed.
            let Err(Trouble::Problem(problem)) = done else {
                panic!("{done:?}")
            };
            assert_eq!(problem.kind, ProblemKind::SpaceNotEmpty);
            assert_eq!(events(&store), before);
        }
    }
}

#[test]
fn two_histories_stay_as_they_are_unless_the_app_says_what_to_do() {
    let server = Server::new();
    let ((_, other), (_, store)) = (device("b"), loner("a"));
    append(&other, "1", &["s"]);
    sync(&other, &server, Recovery::Ask);
    history(&store, 2);
    let before = events(&store);

    for adopt in [None, Some(Adoption::Empty)] {
        let trouble = adopts(&store, &server, adopt).expect_err("both have one");
        let Trouble::Store(error) = trouble else {
            panic!("{trouble:?}")
        };
        assert!(matches!(error.kind(), StoreErrorKind::Diverged(_)), "{error}");
        assert_eq!(events(&store), before);
        assert_eq!((server.head(), state(&store).adopting), (1, true));
    }
}

#[test]
fn a_history_is_put_on_top_of_another_one() {
    let server = Server::new();
    let ((_, other), (_, store)) = (device("b"), loner("a"));
    append(&other, "1", &["s"]);
    sync(&other, &server, Recovery::Ask);
    history(&store, 5);
    block_on(store.bind(&binding(None, None))).expect("is bound");
    append(&store, "new", &["t"]);

    adopts(&store, &server, Some(Adoption::Rebase)).expect("is adopted");
    sync(&other, &server, Recovery::Ask);

    let mut expected = vec!["1 s 1".to_owned()];
    expected.extend((1..=5).flat_map(|id| [format!("h{id} s {}", id + 1), format!("h{id} t {id}")]));
    expected.push("new t 6".to_owned());
    assert_eq!((events(&store), events(&other)), (expected.clone(), expected));
    assert_eq!(bytes(&store), bytes(&other));
    assert_eq!(refusals(&store), []);
}

#[test]
fn a_history_of_which_a_commit_is_refused_waits_for_the_server_or_the_app() {
    for app in [false, true] {
        let server = Server::new();
        server.forbidden.set("u");
        let (_, store) = loner("a");
        history(&store, 4);
        append(&store, "bad", &["u"]);
        append(&store, "last", &["s"]);
        let before = events(&store);

        for _ in 0..2 {
            let refused = adopts(&store, &server, None).expect_err("is refused");
            let Trouble::Store(error) = &refused else {
                panic!("{refused:?}");
            };
            assert!(matches!(error.kind(), StoreErrorKind::Diverged(_)), "{error}");
            let message = error.to_string();
            for part in ["commit \"bad\"", "write-forbidden", "adopt: \"rebase\""] {
                assert!(message.contains(part), "{message}");
            }
            assert_eq!((events(&store), server.head()), (before.clone(), 4));
        }
        append(&store, "new", &["s"]);
        if !app {
            server.forbidden.set("");
        }
        adopts(&store, &server, app.then_some(Adoption::Rebase)).expect("is adopted");

        let is_bad = |event: &String| event.starts_with("bad");
        let mut expected = [before, vec!["new s 6".to_owned()]].concat();
        expected.retain(|event| !app || !is_bad(event));
        assert_eq!(events(&store), expected);
        let refused = ("bad".to_owned(), "refused".to_owned());
        assert_eq!(refusals(&store), if app { vec![refused] } else { vec![] });
        assert_eq!((state(&store).pending, server.head()), (0, if app { 6 } else { 7 }));
    }
}

#[test]
fn a_tab_that_does_not_know_of_the_space_appends_what_is_pending() {
    let server = Server::new();
    let (database, store) = loner("a");
    history(&store, 5);
    let tab = block_on(open(MemoryStorage::open(&database), "x")).expect("opens");
    assert_eq!(events(&tab).len(), 10);
    block_on(store.bind(&binding(Some(server.cursor()), Some(Adoption::Rebase)))).expect("is bound");

    block_on(try_append(&tab, &[commit("tab", &["s"])])).expect("is pending");

    assert_eq!(events(&tab).last().map(String::as_str), Some("tab s 6?"));
    assert_eq!(state(&tab).pending, 6);
}

#[test]
fn nothing_is_pulled_before_the_history_is_adopted() {
    let server = Server::new();
    let (_, store) = loner("a");
    history(&store, 5);
    block_on(async {
        store
            .bind(&binding(Some(server.cursor()), None))
            .await
            .expect("is bound");
        store.lead().await.expect("leads");
        let body = store
            .adopt_request(3, 1 << 20)
            .await
            .expect("is read")
            .expect("is there");
        let answer = server.push(&body.text).expect("is judged");
        let answer: PushAnswer<'_> = everfold::json::parse(&answer).expect("is one");

        let error = store.pulled(&vec![answer].into()).await.expect_err("is not taken");

        assert!(matches!(error.kind(), StoreErrorKind::Bound(_)), "{error}");
    });
    assert_eq!(events(&store).len(), 10);
}
