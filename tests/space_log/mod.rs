//! One suite of sentences that holds for every [`SpaceLog`].
//!
//! A sentence is a function over a [`Place`]. Whoever has an engine takes this folder as a module, says what a
//! place is and runs `space_log_sentences!`: the log in memory here, SQLite in the server.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

mod append;
mod claim;
mod find;
mod made;
mod race;
mod read;

pub(crate) use append::*;
pub(crate) use claim::*;
pub(crate) use find::*;
pub(crate) use made::*;
pub(crate) use race::*;
pub(crate) use read::*;

use std::borrow::Cow;
use std::collections::HashMap;

use everfold::commit::Mode;
use everfold::json::RawJson;
use everfold::stream::Version;
use everfold::sync::{
    Appended, Claim, Epoch, Head, LogError, PageLimit, SpaceLog, SpaceState, StoredCommit, StoredText, WireCommit,
    WireEvent, WireStream, digest, next_hash,
};

/// A place for one case: a log that nobody else uses.
pub(crate) trait Place: Sync {
    /// The log under test.
    type Log: SpaceLog;

    /// One more handle on the same log, as it is after a start of the server.
    fn open(&self) -> Self::Log;

    /// Waits.
    fn run<T>(&self, future: impl Future<Output = T>) -> T;
}

/// Hands every sentence to the macro `$run`.
macro_rules! space_log_sentences {
    ($run:ident) => {
        $run! {
            a_space_that_was_not_made_is_none
            a_new_space_is_empty
            a_space_that_is_there_is_left_as_it_is
            spaces_do_not_mix
            names_of_spaces_differ_in_every_letter
            an_append_moves_the_head
            what_was_appended_is_read_back_byte_for_byte
            commits_of_one_append_are_all_there
            an_append_of_nothing_is_done
            an_append_on_an_old_head_writes_nothing
            an_append_on_another_hash_writes_nothing
            an_append_on_another_epoch_writes_nothing
            an_append_with_a_hole_is_refused_whole
            an_append_of_a_known_id_is_refused_whole
            an_append_that_has_an_id_twice_is_refused_whole
            a_log_goes_on_after_an_append_that_was_refused
            an_append_whose_answer_was_lost_is_found_by_its_ids
            an_append_of_two_thousand_commits_is_one
            a_commit_of_256_kib_is_kept
            numbers_are_kept_up_to_what_javascript_counts
            a_claim_holds_until_another_append_says_otherwise
            an_append_on_another_claim_writes_nothing
            a_claim_without_commits_is_kept
            ids_are_found_in_the_order_of_the_question
            no_ids_give_no_answers
            ids_differ_in_every_byte
            streams_differ_in_every_byte
            versions_are_those_after_the_last_commit
            thousands_of_ids_and_streams_are_looked_up_at_once
            a_page_has_no_more_commits_than_its_limit
            a_page_has_no_more_bytes_than_its_limit
            a_page_has_at_least_one_commit
            there_is_nothing_beyond_the_head
            pages_put_together_are_the_log
            a_stream_is_read_without_the_others
            a_stream_is_read_from_the_commit_that_has_the_next_event
            a_stream_is_read_in_pages
            hashes_are_those_of_the_chain
            all_is_there_after_a_start
            what_one_handle_appended_another_reads
            of_twenty_racing_appends_one_is_stored
            many_writers_leave_a_dense_log
            many_spaces_are_written_at_once
            readers_see_a_dense_beginning_at_any_time
        }
    };
}
pub(crate) use space_log_sentences;

pub(crate) const EPOCH: Epoch = Epoch([7; 16]);
pub(crate) const ALL: PageLimit = PageLimit {
    commits: usize::MAX,
    bytes: usize::MAX,
};

/// A writer that knows where its log is.
pub(crate) struct Writer<'p, P: Place> {
    pub(crate) place: &'p P,
    pub(crate) log: P::Log,
    pub(crate) space: &'static str,
    pub(crate) state: SpaceState,
    versions: HashMap<String, u64>,
}

impl<'p, P: Place> Writer<'p, P> {
    /// In a new space `acme`.
    pub(crate) fn new(place: &'p P) -> Self {
        Self::of(place, "acme")
    }

    pub(crate) fn of(place: &'p P, space: &'static str) -> Self {
        let log = place.open();
        let state = place.run(log.create(space, EPOCH)).expect("is made");
        Self {
            place,
            log,
            space,
            state,
            versions: HashMap::new(),
        }
    }

    /// The next commit, with one event for each of these streams.
    pub(crate) fn next(&mut self, id: &str, streams: &[&str]) -> StoredCommit {
        self.next_with(id, streams, "{}", 1)
    }

    pub(crate) fn next_with(&mut self, id: &str, streams: &[&str], data: &str, attempt: u64) -> StoredCommit {
        let mut stored = Vec::new();
        let written = streams.iter().map(|stream| {
            let version = self.versions.entry((*stream).to_owned()).or_default();
            *version += 1;
            stored.push(((*stream).to_owned(), Version(*version)));
            WireStream {
                stream_id: Cow::Borrowed(stream),
                before: Some(Version(*version - 1)),
                events: vec![WireEvent {
                    event_type: Cow::Borrowed("happened"),
                    schema_version: 1,
                    occurred_at: 1,
                    metadata: None,
                    salt: None,
                    data: Some(RawJson::new(data).expect("is JSON")),
                }],
            }
        });
        let commit = WireCommit {
            number: Some(self.state.head.number + 1),
            id: Cow::Borrowed(id),
            attempt,
            mode: Mode::Intent,
            command: None,
            definition: None,
            reads: Vec::new(),
            subject: None,
            actor: Some(Cow::Borrowed("ann")),
            replica: Cow::Borrowed("r1"),
            recorded_at: 1,
            received_at: Some(2),
            causation_id: None,
            correlation_id: None,
            content: None,
            streams: Some(written.collect()),
        };
        let digest = digest(&commit);
        let hash = next_hash(&self.state.head.hash, &commit, &digest);
        let mut text = String::new();
        commit.write(&mut text);
        self.state.head = Head {
            number: self.state.head.number + 1,
            hash,
        };
        StoredCommit {
            number: self.state.head.number,
            id: id.to_owned(),
            attempt,
            digest,
            hash,
            text,
            streams: stored,
        }
    }

    /// Appends on `expected`, keeping its claim.
    pub(crate) fn try_append(&self, expected: &SpaceState, commits: &[StoredCommit]) -> Result<Appended, LogError> {
        let append = self.log.append(self.space, expected, commits, expected.claim.as_ref());
        self.place.run(append)
    }

    /// Appends the next commit.
    #[track_caller]
    pub(crate) fn append(&mut self, id: &str, streams: &[&str]) -> StoredCommit {
        let expected = self.state.clone();
        let commit = self.next(id, streams);
        assert_eq!(
            self.try_append(&expected, std::slice::from_ref(&commit)),
            Ok(Appended::Done)
        );
        commit
    }

    pub(crate) fn claim(&self, expected: &SpaceState, claim: Option<&Claim>) -> Result<Appended, LogError> {
        self.place.run(self.log.append(self.space, expected, &[], claim))
    }

    /// How the space is stored.
    pub(crate) fn stored(&self) -> SpaceState {
        self.place
            .run(self.log.space(self.space))
            .expect("is read")
            .expect("is there")
    }

    pub(crate) fn read(&self, after: u64, limit: PageLimit) -> Vec<StoredText> {
        self.place
            .run(self.log.read(self.space, after, limit))
            .expect("is read")
    }

    pub(crate) fn read_stream(&self, stream: &str, after: u64, limit: PageLimit) -> Vec<u64> {
        let read = self.log.read_stream(self.space, stream, Version(after), limit);
        numbers(&self.place.run(read).expect("is read"))
    }

    /// The numbers under which ids are found.
    pub(crate) fn find(&self, ids: &[&str]) -> Vec<Option<u64>> {
        let found = self.place.run(self.log.find(self.space, ids)).expect("is read");
        found.into_iter().map(|known| known.map(|known| known.number)).collect()
    }

    pub(crate) fn versions(&self, streams: &[&str]) -> Vec<u64> {
        let versions = self.place.run(self.log.versions(self.space, streams)).expect("is read");
        versions.into_iter().map(|version| version.0).collect()
    }
}

pub(crate) fn numbers(page: &[StoredText]) -> Vec<u64> {
    page.iter().map(|commit| commit.number).collect()
}

pub(crate) fn as_read(commit: &StoredCommit) -> StoredText {
    StoredText {
        number: commit.number,
        hash: commit.hash,
        text: commit.text.clone(),
    }
}
