//! Bugs that are planted on purpose, to show that the simulation of sync finds them: `tests/simulation/plants.rs`.
//!
//! Without the feature `planted-bugs`, which only tests turn on, every question is answered with a constant no.

#[cfg(feature = "planted-bugs")]
use std::cell::Cell;

use crate::store::Write;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, dead_code, reason = "nothing is planted")
)]
pub enum Plant {
    /// A pending commit whose reads were touched is not decided again.
    ReadsNotDirty,
    /// What stands on a refused commit is not decided again.
    RefusedNotDirty,
    /// What stands on a changed commit is not decided again.
    ChangedNotDirty,
    /// What stands on another form of a commit than the confirmed one is not decided again.
    WinnerNotDirty,
    /// The cursor is stored before the events.
    CursorApart,
    /// A refusal is stored after its commit has left the tail.
    RefusalApart,
    /// A record of the journal is put, whoever was first.
    PutForAdd,
    /// Whoever led once may write for ever.
    FenceForgotten,
    /// A walk does not look for what was appended meanwhile.
    AppendedForgotten,
    /// A confirmed commit stays pending.
    ConfirmedStaysPending,
    /// A confirmed commit that has moved is decided again.
    AcceptedDecidedAgain,
    /// Events that are decided again keep their attempt.
    AttemptNotRaised,
    /// A push begins behind the first pending commit.
    PushNotFromHead,
    /// What is to be decided again is pushed.
    UndecidedPushed,
    /// A snapshot covers what is pending.
    PendingSnapshot,
    /// The server judges versions before ids.
    VersionsBeforeIds,
    /// The server does not know ids again.
    IdsForgotten,
    /// The server does not check versions of what is written.
    VersionsUnchecked,
    /// The server does not check versions of what is read.
    ReadsUnchecked,
    /// A push goes on after a conflict.
    ConflictGoesOn,
    /// A push goes on after a duplicate of another attempt.
    OtherAttemptGoesOn,
    /// A page lacks a commit.
    PageWithHole,
    /// A cursor counts in every epoch.
    EpochIgnored,
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, or none.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Plant>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted.
#[cfg(feature = "planted-bugs")]
pub fn is_planted(bug: Plant) -> bool {
    PLANTED.get() == Some(bug)
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Plant) -> bool {
    false
}

/// What a write loses to a planted bug: a part that is written by itself before the rest.
#[cfg(feature = "planted-bugs")]
pub(crate) fn bend(write: &mut Write) -> Option<Write> {
    use crate::store::{Change, Key, Table};

    if is_planted(Plant::PutForAdd) {
        for change in &mut write.changes {
            if let Change::Append { value, expected } | Change::Add { value, expected } = change {
                *change = Change::Put(Table::Journal, Key::from(*expected), std::mem::take(value));
            }
        }
    }
    let is_cursor = |change: &Change| matches!(change, Change::Put(_, key, _) if *key == Key::from("sync"));
    let is_refusal = |change: &Change| matches!(change, Change::Put(Table::Meta, Key::List(_), _));
    let first: Vec<Change>;
    if is_planted(Plant::CursorApart) && write.changes.iter().any(is_cursor) {
        first = write.changes.extract_if(.., |change| is_cursor(change)).collect();
    } else if is_planted(Plant::RefusalApart) && write.changes.iter().any(is_refusal) {
        first = write.changes.extract_if(.., |change| !is_refusal(change)).collect();
    } else {
        return None;
    }
    Some(Write {
        checks: std::mem::take(&mut write.checks),
        changes: first,
        durability: write.durability,
    })
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn bend(_: &mut Write) -> Option<Write> {
    None
}
