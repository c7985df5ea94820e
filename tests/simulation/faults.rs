//! What goes wrong or happens seldom, and how often it did.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal,)*) => {
        /// The kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$fault),*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)* }
            }
        }
    };
}

faults! {
    /// A request never arrives.
    Dropped = "request dropped",
    /// The server did it, the device does not hear.
    LostAnswer = "answer lost",
    /// A request arrives twice, the second time much later.
    Duplicated = "request duplicated",
    /// A message takes minutes, and others overtake it.
    Delayed = "message delayed",
    /// An answer is cut.
    TornAnswer = "answer torn",
    /// The tail ends.
    TailCut = "tail cut",
    /// Another tab does not hear of a commit.
    NoticeLost = "notice lost",
    /// A tab dies at a storage call, before or after it took effect.
    TabCrashed = "tab crashed",
    /// All tabs of a device die.
    DeviceCrashed = "device crashed",
    /// The disk is full.
    Quota = "quota",
    /// The browser aborts a transaction.
    Aborted = "transaction aborted",
    /// The connection to the database is lost, with a transaction under way.
    ConnectionLost = "connection lost",
    /// The leader freezes in the middle of something, another tab takes its lock, and it comes back.
    LeaderFrozen = "leader frozen",
    /// A tab is duplicated.
    TabDuplicated = "tab duplicated",
    /// A device goes on as two, from a copy of its profile.
    ProfileCloned = "profile cloned",
    /// The clock of a device is set by up to a year.
    ClockSet = "clock set",
    /// A device has no network for a while, and its browser says so or not.
    Offline = "offline",
    /// A token expires.
    TokenExpired = "token expired",
    /// The app has no token to give.
    TokenRefused = "token refused",
    /// A device gets the next version of the app.
    Upgraded = "app upgraded",
    /// A bug in `decide`.
    DecideFailed = "decide failed",
    /// A commit that the server can only refuse.
    Poison = "poison commit",
    /// The server dies, before or after it stored a push, and is away for a while.
    ServerCrashed = "server crashed",
    /// The log of the server fails, before or after it stored a push.
    LogFailed = "log failed",
    /// The server takes less than a push at once.
    TooLarge = "push too large",
    /// The server has too much to do.
    Overloaded = "overloaded",
    /// The server is restored from an older backup.
    Restored = "server restored",
    /// Sync is turned on on a device that has a history.
    LateSync = "sync turned on later",
    /// The space has taken over a history.
    HistoryAdopted = "history adopted",
    /// A history is put on top of what the space has.
    HistoryOnTop = "history put on top",
    /// A tab ends, or gives up, while the space takes over a history.
    AdoptionBroken = "adoption broken off",
    /// A device gives back by itself what the server has lost of others.
    OrphansGivenBack = "orphans given back",
    /// A device drops what the server has lost of others.
    OrphansDiscarded = "orphans discarded",
    /// Somebody gives back what the server has lost.
    OrphanRetried = "orphan retried",
}

/// How often each kind struck. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Rc<RefCell<BTreeMap<Fault, u64>>>);

impl Tally {
    pub(crate) fn struck(&self, fault: Fault) {
        *self.0.borrow_mut().entry(fault).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<Fault, u64> {
        self.0.borrow().clone()
    }
}
