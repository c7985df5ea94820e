//! How two find out that they hold the same log: a digest of each commit, and a chain of hashes over
//! the confirmed ones.
//!
//! The digest tells neither attempt nor version nor place, so that a commit that only moves keeps it. The
//! chain tells these too: equal hashes at one number mean equal logs up to it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::commit::{WireCommit, WireStream};
use crate::hex::fill;
use crate::json::RawJson;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// The first 8 bytes of a [`struct@Hash`], as a cursor has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashPrefix(pub [u8; 8]);

/// A text that is not the lower-case hexadecimal digits that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {0} lower-case hexadecimal digits")]
pub struct InvalidHash(pub(super) usize);

/// What a commit says, whoever asks and wherever it stands.
pub fn digest(commit: &WireCommit<'_>) -> Hash {
    let mut hasher = Hasher::new(b"everfold commit 1\0");
    hasher.text(&commit.id);
    hasher.text(commit.mode.name());
    hasher.json(commit.command);
    let definition = commit.definition.as_ref();
    hasher.text(definition.map_or("", |definition| &definition.name));
    hasher.number(definition.map_or(0, |definition| definition.version.into()));
    hasher.optional(commit.subject.as_deref());
    hasher.text(&commit.replica);
    hasher.number(commit.recorded_at);
    hasher.optional(commit.causation_id.as_deref());
    hasher.optional(commit.correlation_id.as_deref());
    hasher.optional(commit.content.as_deref());
    let streams = streams_of(commit);
    hasher.number(streams.len() as i64);
    for stream in streams {
        hasher.text(&stream.stream_id);
        hasher.number(stream.events.len() as i64);
        for event in &stream.events {
            hasher.text(&event.event_type);
            hasher.number(event.schema_version.into());
            hasher.number(event.occurred_at);
            hasher.json(event.metadata);
            let salt = hasher.salt(event.salt.as_deref().unwrap_or_default());
            let data = event.data.map_or("", RawJson::get);
            let payload = Sha256::new().chain_update(salt).chain_update(data).finalize();
            hasher.bytes(&payload);
        }
    }
    hasher.end()
}

/// The hash of the log of `space` before its first commit.
pub fn first_hash(space: &str) -> Hash {
    let mut hasher = Hasher::new(b"everfold chain 1\0");
    hasher.bytes(space.as_bytes());
    hasher.end()
}

/// The hash of a log that ended with `previous` and goes on with `commit`, which has its number and the
/// versions of its streams, and this [`digest`].
pub fn next_hash(previous: &Hash, commit: &WireCommit<'_>, digest: &Hash) -> Hash {
    let mut hasher = Hasher::new(&previous.0);
    hasher.number(commit.number.unwrap_or(0) as i64);
    hasher.number(commit.attempt as i64);
    hasher.optional(commit.actor.as_deref());
    hasher.number(commit.received_at.unwrap_or(0));
    hasher.number(commit.reads.len() as i64);
    for read in &commit.reads {
        hasher.text(&read.stream_id);
        hasher.number(read.version.0 as i64);
    }
    let streams = streams_of(commit);
    hasher.number(streams.len() as i64);
    for stream in streams {
        hasher.number(stream.before.map_or(0, |before| before.next().0) as i64);
    }
    hasher.bytes(&digest.0);
    hasher.end()
}

fn streams_of<'c, 'a>(commit: &'c WireCommit<'a>) -> &'c [WireStream<'a>] {
    commit.streams.as_deref().unwrap_or_default()
}

impl Hash {
    /// Its beginning.
    pub fn prefix(&self) -> HashPrefix {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(self.0.split_at(8).0);
        HashPrefix(prefix)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for HashPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for HashPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl FromStr for HashPrefix {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        parse_hex(text).map(Self)
    }
}

pub(super) fn write_hex(bytes: &[u8], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            let letter = if digit < 10 { b'0' } else { b'a' - 10 };
            fmt::Write::write_char(formatter, char::from(letter + digit))?;
        }
    }
    Ok(())
}

pub(super) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidHash> {
    let mut bytes = [0; N];
    fill(&mut bytes, text).then_some(bytes).ok_or(InvalidHash(2 * N))
}

/// SHA-256 over numbers of 8 bytes and texts with their length before them. They are gathered and hashed at once:
/// many short updates cost a quarter of the whole.
struct Hasher(Vec<u8>);

impl Hasher {
    fn new(beginning: &[u8]) -> Self {
        let mut hasher = Self(Vec::with_capacity(512));
        hasher.bytes(beginning);
        hasher
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as i64);
        self.bytes(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    fn json(&mut self, json: Option<RawJson<'_>>) {
        self.text(json.map_or("", RawJson::get));
    }

    /// Gives its bytes. What is not hexadecimal is no salt; the authority refuses it.
    fn salt(&mut self, digits: &str) -> &[u8] {
        let mut length = digits.len() / 2;
        let start = self.0.len() + 8;
        self.0.resize(start + length, 0);
        if !fill(self.0.get_mut(start..).unwrap_or_default(), digits) {
            length = 0;
            self.0.truncate(start);
        }
        if let Some(before) = self.0.get_mut(start - 8..start) {
            before.copy_from_slice(&(length as u64).to_be_bytes());
        }
        self.0.get(start..).unwrap_or_default()
    }

    fn end(self) -> Hash {
        Hash(Sha256::digest(&self.0).into())
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::borrow::Cow;

    use serde::Deserialize;

    use super::*;
    use crate::json::parse;

    /// What `tests/fixtures/protocol/chain.mjs` computed, which shares nothing with this file.
    #[derive(Deserialize)]
    struct Worked {
        space: String,
        first: String,
        chain: Vec<Link>,
    }

    #[derive(Deserialize)]
    struct Link {
        commit: String,
        digest: String,
        hash: String,
    }

    fn worked() -> Worked {
        serde_json::from_str(include_str!("../../tests/fixtures/protocol/chain.json")).expect("is JSON")
    }

    #[test]
    fn digests_and_hashes_are_those_that_were_worked_out_by_other_means() {
        let worked = worked();
        let mut hash = first_hash(&worked.space);
        assert_eq!(hash.to_string(), worked.first);

        for link in &worked.chain {
            let commit: WireCommit<'_> = parse(&link.commit).unwrap();
            let digest = digest(&commit);
            hash = next_hash(&hash, &commit, &digest);

            assert_eq!(digest.to_string(), link.digest, "{}", commit.id);
            assert_eq!(hash.to_string(), link.hash, "{}", commit.id);
        }
    }

    #[test]
    fn a_commit_that_only_moves_keeps_its_digest_and_gets_another_hash() {
        let worked = worked();
        let commit: WireCommit<'_> = parse(&worked.chain[0].commit).unwrap();
        let mut moved = commit.clone();
        moved.attempt = 9;
        moved.reads[0].version.0 += 1;
        moved.streams.as_mut().unwrap()[0].before = None;
        moved.actor = Some(Cow::Borrowed("someone else"));

        assert_eq!(digest(&moved), digest(&commit));
        let previous = first_hash("acme");
        let said = digest(&commit);
        assert_ne!(
            next_hash(&previous, &moved, &said),
            next_hash(&previous, &commit, &said)
        );
    }

    #[test]
    fn a_hash_is_written_as_it_was_read() {
        let text = "00ff".repeat(16);

        let hash: Hash = text.parse().unwrap();

        assert_eq!(hash.to_string(), text);
        assert_eq!(hash.prefix().to_string(), text[..16]);
        assert_eq!(text[1..].parse::<Hash>(), Err(InvalidHash(64)));
        assert_eq!(text.to_uppercase().parse::<Hash>(), Err(InvalidHash(64)));
        assert_eq!(text.replace("00", "é").parse::<Hash>(), Err(InvalidHash(64)));
    }
}
