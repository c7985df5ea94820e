//! Other pushes that come first, and logs that fail.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use everfold::sync::{
    Appended, Authority, Epoch, Limits, LogError, MemoryLog, Problem, ProblemKind, SpaceLog, read_push,
};
use pollster::block_on;
use serde_json::Value;

use crate::space::{EPOCH, Everything, body, commit, statuses};
use crate::troubled::{Append, Trouble, Troubled};

/// What happens to the next append.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    /// Another push is stored first: it writes this stream.
    Raced(&'static str),
    /// It is stored, and the answer lost.
    AnswerLost,
    /// It is not stored.
    Failed,
    /// The log is taken back to its beginning before what comes next is read.
    Restored,
}

#[derive(Debug, Default)]
struct Unlucky {
    /// A commit that has been lost.
    hole: Option<u64>,
    mishaps: Mutex<VecDeque<Mishap>>,
}

impl Trouble for Unlucky {
    async fn append(&self, log: &Arc<MemoryLog>, append: Append<'_>) -> Result<Appended, LogError> {
        let Append { space, expected, .. } = append;
        let mishap = self.mishaps.lock().expect("is not poisoned").pop_front();
        let failure = Err(LogError::Unavailable("unplugged".to_owned()));
        match mishap {
            None => {}
            Some(Mishap::Raced(stream)) => {
                let authority = Authority::new(Arc::clone(log), Limits::default());
                let id = format!("first {}", expected.head.number);
                let version = log.versions(space, &[stream]).await?[0].0;
                let text = body(
                    &expected.head.cursor(EPOCH).to_string(),
                    &[commit(&id, stream, version)],
                )
                .to_string();
                let request = read_push(text.as_bytes(), authority.limits()).expect("is read");
                authority
                    .push(space, "bob", &request, 1, &Everything)
                    .await
                    .expect("is judged");
            }
            Some(Mishap::AnswerLost) => {
                append.to(log).await?;
                return failure;
            }
            Some(Mishap::Failed) => return failure,
            Some(Mishap::Restored) => log.restore(space, 0, Epoch([0xe1; 16])),
        }
        append.to(log).await
    }

    fn has_lost(&self, number: u64) -> bool {
        self.hole == Some(number)
    }
}

fn unlucky(mishaps: impl IntoIterator<Item = Mishap>) -> Authority<Troubled<Unlucky>> {
    let log = Troubled {
        log: Arc::default(),
        trouble: Unlucky {
            hole: None,
            mishaps: Mutex::new(mishaps.into_iter().collect()),
        },
    };
    let authority = Authority::new(log, Limits::default());
    block_on(authority.create("acme", EPOCH)).expect("is made");
    authority
}

fn push(authority: &Authority<Troubled<Unlucky>>, commits: &[Value]) -> Result<Value, Problem> {
    let base = everfold::sync::Head::first("acme").cursor(EPOCH).to_string();
    let text = body(&base, commits).to_string();
    let request = read_push(text.as_bytes(), authority.limits())?;
    let pushed = block_on(authority.push("acme", "ann", &request, 1, &Everything))?;
    Ok(serde_json::from_str(&pushed.text).expect("is JSON"))
}

#[test]
fn a_push_that_another_came_before_is_judged_again() {
    let authority = unlucky([Mishap::Raced("t"), Mishap::Raced("t")]);

    let answer = push(&authority, &[commit("a", "s", 0)]).expect("is judged");

    assert_eq!(statuses(&answer), ["accepted"]);
    assert_eq!(answer["results"][0]["number"], 3);
    assert_eq!(answer["commits"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_push_that_another_took_the_version_of_is_a_conflict() {
    let authority = unlucky([Mishap::Raced("s")]);

    let answer = push(&authority, &[commit("a", "s", 0), commit("b", "s", 1)]).expect("is judged");

    assert_eq!(statuses(&answer), ["conflict", "not-attempted"]);
    assert_eq!(answer["commits"][0]["id"], "first 0");
}

#[test]
fn a_push_that_never_comes_first_is_told_to_come_again() {
    let authority = unlucky((0..100).map(|_| Mishap::Raced("t")));

    let problem = push(&authority, &[commit("a", "s", 0)]).expect_err("never comes first");

    assert_eq!((problem.kind, problem.retry_after), (ProblemKind::Overloaded, Some(1)));
}

#[test]
fn a_push_whose_answer_was_lost_takes_effect_once() {
    let authority = unlucky([Mishap::AnswerLost]);
    let lost = push(&authority, &[commit("a", "s", 0)]).expect_err("is lost");
    assert_eq!(lost.kind, ProblemKind::EngineUnavailable);

    let answer = push(&authority, &[commit("a", "s", 0), commit("b", "s", 1)]).expect("is judged");

    assert_eq!(statuses(&answer), ["duplicate", "accepted"]);
    assert_eq!(answer["head"]["number"], 2);
}

#[test]
fn a_push_that_was_not_stored_can_be_repeated() {
    let authority = unlucky([Mishap::Failed]);
    push(&authority, &[commit("a", "s", 0)]).expect_err("fails");

    let answer = push(&authority, &[commit("a", "s", 0)]).expect("is judged");

    assert_eq!(statuses(&answer), ["accepted"]);
}

#[test]
fn a_restore_while_a_push_is_judged_changes_the_epoch_under_it() {
    let authority = unlucky([Mishap::Restored]);

    let problem = push(&authority, &[commit("a", "s", 0)]).expect_err("is another log");

    assert_eq!(problem.kind, ProblemKind::EpochChanged);
}

#[test]
fn nobody_is_taken_past_a_hole() {
    for hole in [1, 2, 3] {
        let mut authority = unlucky([]);
        let commits = [commit("a", "s", 0), commit("b", "s", 1), commit("c", "s", 2)];
        push(&authority, &commits).expect("is judged");
        authority = Authority::new(
            Troubled {
                log: Arc::clone(&authority.log().log),
                trouble: Unlucky {
                    hole: Some(hole),
                    ..Unlucky::default()
                },
            },
            Limits::default(),
        );

        let mut after = None;
        let problem = loop {
            match block_on(authority.pull("acme", after.as_ref(), authority.limits().page(None, None))) {
                Ok(page) => {
                    assert!(page.more && page.cursor.number < hole, "{}", page.text);
                    after = Some(page.cursor);
                }
                Err(problem) => break problem,
            }
        };

        assert_eq!(problem.kind, ProblemKind::EngineUnavailable);
        assert!(problem.detail.contains("are missing"), "{problem}");
    }
}

#[test]
fn what_a_log_says_is_a_problem_with_its_own_status() {
    for (error, status, slug) in [
        (LogError::Unavailable(String::new()), 503, "engine-unavailable"),
        (LogError::ReadOnly(String::new()), 503, "read-only"),
        (LogError::Full(String::new()), 507, "quota-exceeded"),
        (LogError::Damaged(String::new()), 503, "engine-unavailable"),
    ] {
        let kind = Problem::from(error).kind;
        assert_eq!((kind.status(), kind.slug()), (status, slug));
    }
}
