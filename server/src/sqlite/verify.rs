//! Reading a whole file and computing every digest and hash anew.

use std::path::Path;

use everfold::sync::{ChainCheck, Hash, Head, KnownCommit, LogError, PageLimit, WireCommit};

use super::OpenError;
use super::schema::open_reader;
use super::session::{Session, log_error};

const PAGE: PageLimit = PageLimit {
    commits: 1_000,
    bytes: 4 << 20,
};

/// What was found to be in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Spaces.
    pub spaces: usize,
    /// Commits of all of them.
    pub commits: u64,
}

/// Where a log is not what was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The tables cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// SQLite finds damage in its own structure.
    #[error("SQLite finds damage: {0}")]
    Structure(String),
    /// A commit is not what it was.
    #[error("space {space}, commit {number}: {reason}")]
    Commit {
        /// The space.
        space: String,
        /// The number.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Checks the file, the chain of every space, and that ids and versions are found as the commits say.
pub fn verify(file: &Path) -> Result<Verified, Fault> {
    let connection = open_reader(file)?;
    let structure: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(log_error)?;
    if structure != "ok" {
        return Err(Fault::Structure(structure));
    }
    let session = Session(&connection);
    let mut verified = Verified::default();
    // One transaction, so that what is appended meanwhile is not seen by halves.
    let transaction = connection.unchecked_transaction().map_err(log_error)?;
    for space in session.spaces()? {
        verified.commits += verify_space(&session, &space)?;
        verified.spaces += 1;
    }
    drop(transaction);
    Ok(verified)
}

fn verify_space(session: &Session<'_>, space: &str) -> Result<u64, Fault> {
    let first = Head::first(space);
    let end = session.space(space)?.map_or(first, |state| state.head);
    let in_space = |number, reason| Fault::Commit {
        space: space.to_owned(),
        number,
        reason,
    };
    let mut chain = ChainCheck::new(first);
    loop {
        let page = session.read(space, chain.head().number, PAGE)?;
        if page.is_empty() {
            break;
        }
        for stored in &page {
            let (commit, digest) = chain
                .next(stored)
                .map_err(|broken| in_space(broken.number, broken.reason))?;
            is_found(session, space, &commit, &digest).map_err(|reason| in_space(stored.number, reason))?;
        }
    }
    chain
        .end(&end)
        .map_err(|broken| in_space(broken.number, broken.reason))?;
    Ok(end.number)
}

/// Whether its id and its streams lead to a commit.
fn is_found(session: &Session<'_>, space: &str, commit: &WireCommit<'_>, digest: &Hash) -> Result<(), String> {
    let known = session.find(space, &[&commit.id]).map_err(|error| error.to_string())?;
    let leads_here = |known: &KnownCommit| {
        Some(known.number) == commit.number && known.attempt == commit.attempt && known.digest == *digest
    };
    if !known.iter().flatten().any(leads_here) {
        return Err(format!("its id {} does not lead to it", commit.id));
    }
    for stream in commit.streams.iter().flatten() {
        let id = &stream.stream_id;
        let before = stream.before.ok_or("it has a stream without a version")?;
        let one = PageLimit { commits: 1, bytes: 0 };
        let found = session
            .read_stream(space, id, before, one)
            .map_err(|error| error.to_string())?;
        if found.first().is_none_or(|found| Some(found.number) != commit.number) {
            return Err(format!(
                "version {} of stream {id} does not lead to it",
                before.next().0
            ));
        }
    }
    Ok(())
}
