//! Reading a whole file and computing every digest and hash anew.

use std::path::Path;

use everfold::stream::Version;
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
    let mut parts = 0;
    loop {
        let at = chain.head().number;
        let page = session
            .read(space, at, PAGE)
            .map_err(|error| in_space(at + 1, error.to_string()))?;
        if page.is_empty() {
            break;
        }
        for stored in &page {
            let (commit, digest) = chain
                .next(stored)
                .map_err(|broken| in_space(broken.number, broken.reason))?;
            is_found(session, space, &commit, &digest).map_err(|reason| in_space(stored.number, reason))?;
            parts += commit.streams.iter().flatten().count() as u64;
        }
    }
    chain
        .end(&end)
        .map_err(|broken| in_space(broken.number, broken.reason))?;
    let found = session.parts(space)?;
    if found != parts {
        let reason = format!("up to it streams have {parts} parts, {found} are listed");
        return Err(in_space(end.number, reason));
    }
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
        let before = stream.before.ok_or("it has a stream without a version")?;
        let after = Version(before.0 + stream.events.len() as u64);
        let found = session
            .part(space, &stream.stream_id, after)
            .map_err(|error| error.to_string())?;
        if found != commit.number {
            return Err(format!(
                "version {} of stream {} does not lead to it",
                after.0, stream.stream_id
            ));
        }
    }
    Ok(())
}
