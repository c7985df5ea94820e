//! The server: the real authority over a log in memory that may fail, with backups and tails.

use std::sync::{Arc, Mutex};

use everfold::sync::{
    Appended, Authority, Cursor, Epoch, Hash, Limits, LogError, MemoryLog, PageLimit, Problem, ProblemKind, Rules,
    SpaceLog, SpaceState, StoredText, read_push,
};

use crate::ledger;
use crate::random::Random;
use crate::troubled::{Append, Trouble, Troubled};

/// The space of every simulation.
pub(crate) const SPACE: &str = "acme";

/// What a device asks.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    /// Until when its token is good, in true time.
    pub(crate) token: i64,
    pub(crate) max_commits: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Capabilities,
    Push(String),
    Pull(Option<Cursor>),
}

/// What it hears.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u32,
    pub(crate) text: String,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    authority: Authority<Troubled<Shaky>>,
    /// Until when it is away.
    pub(crate) away_until: i64,
    /// It takes at most so many commits in a push.
    pub(crate) push_commits: usize,
    pub(crate) overloaded_until: i64,
}

impl Server {
    pub(crate) fn new(page_commits: usize, epoch: Epoch) -> Self {
        let limits = Limits {
            page_commits,
            ..Limits::default()
        };
        let authority = Authority::new(Troubled::<Shaky>::default(), limits);
        pollster::block_on(authority.create(SPACE, epoch)).expect("makes a space");
        Self {
            authority,
            away_until: 0,
            push_commits: usize::MAX,
            overloaded_until: 0,
        }
    }

    /// Answers, as if over HTTP.
    pub(crate) fn answer(&self, question: &Question, now: i64) -> Answer {
        let answered = self.try_answer(question, now);
        match answered {
            Ok(text) => Answer { status: 200, text },
            Err(problem) => Answer {
                status: problem.kind.status().into(),
                text: problem.to_json(),
            },
        }
    }

    fn try_answer(&self, question: &Question, now: i64) -> Result<String, Problem> {
        if question.token < now {
            return Err(Problem::new(ProblemKind::TokenExpired, "it is too old"));
        }
        if self.overloaded_until > now {
            return Err(Problem::new(ProblemKind::Overloaded, "too many devices"));
        }
        pollster::block_on(async {
            match &question.ask {
                Ask::Capabilities => self.authority.capabilities(SPACE, now).await,
                Ask::Push(text) => {
                    let push = read_push(text.as_bytes(), self.authority.limits())?;
                    if push.commits.len() > self.push_commits {
                        return Err(Problem::new(ProblemKind::PayloadTooLarge, "too many commits"));
                    }
                    let pushed = self.authority.push(SPACE, "ann", &push, now, &NoCurses).await?;
                    Ok(pushed.text)
                }
                Ask::Pull(after) => {
                    let limit = self.authority.limits().page(Some(question.max_commits), None);
                    let pulled = self.authority.pull(SPACE, after.as_ref(), limit).await?;
                    Ok(pulled.text)
                }
            }
        })
    }

    /// What a tail at `after` gets next: a document, empty if there is nothing, and where it ends; none if it is cut.
    pub(crate) fn tail(&self, after: &Cursor) -> Option<(String, Cursor)> {
        let limit = self.authority.limits().page(None, None);
        let pulled = pollster::block_on(self.authority.pull(SPACE, Some(after), limit)).ok()?;
        let text = if pulled.commits > 0 { pulled.text } else { String::new() };
        Some((text, pulled.cursor))
    }

    /// The next append fails, before or after it took effect.
    pub(crate) fn fail_append(&self, after: bool) {
        *self.authority.log().trouble.fails.lock().expect("nobody panicked") = Some(after);
    }

    pub(crate) fn state(&self) -> SpaceState {
        let state = pollster::block_on(self.authority.log().log.space(SPACE));
        state.expect("a log in memory").expect("the space is there")
    }

    /// Goes back to commit `number`, as from a backup.
    pub(crate) fn restore(&self, number: u64, epoch: Epoch) {
        self.authority.log().log.restore(SPACE, number, epoch);
    }

    /// All commits after number `after`, as they were stored.
    pub(crate) fn commits(&self, after: u64) -> Vec<StoredText> {
        let all = PageLimit {
            commits: usize::MAX,
            bytes: usize::MAX,
        };
        pollster::block_on(self.authority.log().log.read(SPACE, after, all)).expect("a log in memory")
    }

    pub(crate) fn hash_at(&self, number: u64) -> Option<Hash> {
        pollster::block_on(self.authority.log().log.hash_at(SPACE, number)).expect("a log in memory")
    }
}

/// A new epoch.
pub(crate) fn random_epoch(random: &mut Random) -> Epoch {
    random.hex(32).parse().expect("32 digits are an epoch")
}

/// The rules of the server: it takes everything but curses.
struct NoCurses;

impl Rules for NoCurses {
    fn may_write(&self, _: &str, _: &str, event_type: &str) -> bool {
        event_type != ledger::CURSED
    }
}

/// A log whose appends fail when told to.
#[derive(Debug, Default)]
struct Shaky {
    /// Whether the next append fails, and if so whether after it took effect.
    fails: Mutex<Option<bool>>,
}

impl Trouble for Shaky {
    async fn append(&self, log: &Arc<MemoryLog>, append: Append<'_>) -> Result<Appended, LogError> {
        let fails = self.fails.lock().expect("nobody panicked").take();
        if fails != Some(false) {
            let appended = append.to(log).await?;
            if fails.is_none() {
                return Ok(appended);
            }
        }
        Err(LogError::Unavailable("the disk is away".to_owned()))
    }
}
