//! Binding a store to a space, and what becomes of a history that was made before.
//!
//! Into an empty space it is pushed as it is, part by part; the record of sync says how far that has come, so that it goes
//! on after a break. On top of what a space has it becomes pending: facts, all of them, in one transaction.

use super::append::MAX_TRIES;
use super::binding::Binding;
use super::blocks::BlocksError;
use super::confirmed::Place;
use super::cut::Lifted;
use super::log::Log;
use super::outbox::{PushBody, PushWriter, SyncState};
use super::rewind::as_fact;
use super::storage::{Change, Storage, Write};
use super::wire::expect_nothing;
use super::{Store, StoreError, StoreErrorKind};
use crate::json::{FromJson, JsonReader};
use crate::log::record::{RecordKind, SyncRecord};
use crate::position::Position;
use crate::sync::{Adopt, Cursor, Head, PushAnswer, PushResult, digest, next_hash};

/// What becomes of a history that was made before the store was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It becomes the beginning of the empty space.
    Empty,
    /// It becomes pending: facts on top of what the space has.
    Rebase,
}

/// What to bind a store to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindOptions {
    /// The space.
    pub space: String,
    /// Who works on this device.
    pub subject: String,
    /// Where the log of the space ends; none before the server was heard.
    pub cursor: Option<Cursor>,
    /// What becomes of a history that is here already: without it, that of an empty space.
    pub adopt: Option<Adoption>,
}

impl<'a> FromJson<'a> for BindOptions {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut space, mut subject, mut cursor, mut adopt) = (None, None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "space" => space = Some(json.text().into_owned()),
                "subject" => subject = Some(json.text().into_owned()),
                "cursor" => cursor = Option::read(json),
                "adopt" => adopt = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            space: json.required(space, "space"),
            subject: json.required(subject, "subject"),
            cursor,
            adopt,
        }
    }
}

impl FromJson<'_> for Adoption {
    fn read(json: &mut JsonReader<'_>) -> Self {
        match &*json.text() {
            "empty" => return Self::Empty,
            "rebase" => return Self::Rebase,
            _ => json.fail("\"empty\" or \"rebase\""),
        }
        Self::Empty
    }
}

impl<S: Storage> Store<S> {
    /// Binds the store to a space, once and for all: from then on what is appended is pending. Again, with the cursor of
    /// the capabilities, it finds out what becomes of the history that is here. `Diverged`, with nothing changed, if both
    /// have one and `adopt` does not say.
    pub async fn bind(&self, options: &BindOptions) -> Result<Option<SyncState>, StoreError> {
        {
            let _writing = self.writing.lock().await;
            self.bind_until_done(options).await?;
        }
        self.sync_state().await
    }

    async fn bind_until_done(&self, options: &BindOptions) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            self.refresh().await?;
            let bound = self.log.borrow().binding.clone();
            let Some(binding) = bound else {
                self.bind_first(options).await?;
                continue;
            };
            if binding.space != options.space {
                return Err(StoreErrorKind::Bound(format!("space {}", binding.space)).into());
            }
            if binding.subject != options.subject {
                self.bind_subject(&binding, &options.subject).await?;
                continue;
            }
            match self.meet(binding, options).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => self.look_for_vanished().await?,
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn bind_first(&self, options: &BindOptions) -> Result<bool, StoreError> {
        let (number, position) = {
            let log = self.log.borrow();
            (log.tail.number() + 1, log.position())
        };
        let any = position > Position(0);
        let binding = Binding {
            space: options.space.clone(),
            subject: options.subject.clone(),
            epoch: None,
            head: Head::first(&options.space),
            confirmed: position,
            fence: 0,
            adopted: any.then_some(Position(0)),
        };
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        binding.put(None, &mut write);
        // Other tabs that append without knowing of the space lose their race.
        let value = SyncRecord {
            kind: RecordKind::Carried,
            number,
            end: position,
            commits: &[],
            dropped: &[],
            undecided: &[],
            pending: 0,
        };
        write.changes.push(Change::Append {
            value: value.encode(),
            expected: number,
        });
        self.write_log(write).await
    }

    async fn bind_subject(&self, binding: &Binding, subject: &str) -> Result<bool, StoreError> {
        if self.log.borrow().pending() > 0 {
            return Err(StoreErrorKind::Bound(format!("subject {}, whose work is pending", binding.subject)).into());
        }
        let subject = subject.to_owned();
        self.write_binding(&Binding {
            subject,
            ..binding.clone()
        })
        .await
    }

    /// What the server says of the space for the first time, or after a break. False if another tab was first.
    async fn meet(&self, mut binding: Binding, options: &BindOptions) -> Result<bool, BlocksError> {
        let Some(cursor) = options.cursor else { return Ok(true) };
        let is_first = binding.epoch.is_none();
        if binding.adopted.is_none() && !is_first {
            return Ok(true);
        }
        binding.epoch = Some(cursor.epoch);
        if binding.adopted.is_none() {
            return Ok(self.write_binding(&binding).await?);
        }
        if options.adopt == Some(Adoption::Rebase) {
            return self.put_history_on_top(binding).await;
        }
        let mut place = Place::first(&binding.space);
        let mut last = place;
        self.each_confirmed(Position(0), &mut |commit| {
            if place.head.number == cursor.number {
                return Ok(false);
            }
            // The last one is pushed again, whatever became of it: that ends the claim.
            last = place;
            place.pass(commit)?;
            Ok(true)
        })
        .await?;
        if place.head.number < cursor.number {
            if is_first {
                let reason = "both have a history, and `adopt` does not say what becomes of the one here";
                return Err(StoreError::diverged(reason.to_owned()).into());
            }
            // Others have gone on, if it is taken over already: the next push tells.
            return Ok(true);
        }
        if place.head.hash.prefix() != cursor.hash {
            let reason = format!("commit {} is another one here", cursor.number);
            return Err(StoreError::diverged(reason).into());
        }
        let reached = if place.position == binding.confirmed {
            last
        } else {
            place
        };
        (binding.head, binding.adopted) = (reached.head, Some(reached.position));
        Ok(self.write_binding(&binding).await?)
    }

    /// The history that is here becomes pending, in the order in which it was made.
    async fn put_history_on_top(&self, binding: Binding) -> Result<bool, BlocksError> {
        let mut lifted = Lifted::default();
        self.each_confirmed(Position(0), &mut |commit| {
            let header = as_fact(commit.header).map_err(|reason| StoreError::format("a commit", reason))?;
            lifted.lift(commit);
            lifted.put(&header, commit.streams.iter().cloned(), false);
            Ok(true)
        })
        .await?;
        let put = lifted.put_pending(&self.log.borrow(), false);
        put.map_err(|reason| StoreError::format("a pending commit", reason))?;
        let binding = Binding {
            head: Head::first(&binding.space),
            confirmed: Position(0),
            adopted: None,
            ..binding
        };
        self.cut(&binding, &lifted, &[]).await
    }

    /// The next part of a history that the space takes over, to be pushed. None if there is nothing to take over, or
    /// before the server was heard.
    pub async fn adopt_request(&self, max_commits: usize, max_bytes: usize) -> Result<Option<PushBody>, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            let binding = self.log.borrow().bound()?.clone();
            let (Some(base), Some(position)) = (binding.cursor(), binding.adopted) else {
                return Ok(None);
            };
            let head = binding.head;
            let mut place = Place { head, position };
            let mut places = Vec::new();
            let mut body = PushWriter::new(max_commits, max_bytes);
            let read = self
                .each_confirmed(position, &mut |commit| {
                    let mut wire = place.pass(commit)?;
                    wire.number = None;
                    expect_nothing(&mut wire);
                    let fits = body.put(&wire);
                    if fits {
                        places.push(place);
                    }
                    Ok(fits)
                })
                .await;
            match read {
                Ok(()) => {}
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            }
            let is_last = places.last().is_none_or(|last| last.position == binding.confirmed);
            self.adopting.replace(places);
            let adopt = if is_last { Adopt::Last } else { Adopt::More };
            return Ok(Some(body.end(&base, &self.identity.replica, Some(adopt))));
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Stores how far the server has taken over the history, by its answer to the last part. `Diverged`, with nothing
    /// changed, if it has something else or refuses it.
    pub async fn adopted(&self, answer: &PushAnswer<'_>) -> Result<Option<SyncState>, StoreError> {
        {
            let _writing = self.writing.lock().await;
            self.adopted_until_done(answer).await?;
        }
        self.sync_state().await
    }

    async fn adopted_until_done(&self, answer: &PushAnswer<'_>) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.check_leads(&self.log.borrow())?;
            let mut binding = self.log.borrow().bound()?.clone();
            if binding.adopted.is_none() {
                return Ok(());
            }
            let reached = self.reached(&binding, answer)?;
            binding.head = reached.head;
            binding.adopted = (reached.position < binding.confirmed).then_some(reached.position);
            if self.write_binding(&binding).await? {
                return Ok(());
            }
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Up to where the server has the history, by an answer to the part that was made last.
    fn reached(&self, binding: &Binding, answer: &PushAnswer<'_>) -> Result<Place, StoreError> {
        let cursor = &answer.page.cursor;
        let places = self.adopting.borrow();
        let reached = places
            .iter()
            .rfind(|place| place.head.number <= cursor.number && place.head.number > binding.head.number);
        let refused = || answer.results.iter().find_map(PushResult::problem);
        let Some(reached) = reached.copied() else {
            return Err(match refused() {
                Some((id, problem)) => {
                    // Left out, what follows would be another history.
                    StoreError::diverged(format!(
                        "commit {id:?} of the history is refused; have the server take it, or open with adopt: \"rebase\": {problem}"
                    ))
                }
                None => StoreError::protocol("it takes over nothing of the history".to_owned()),
            });
        };
        let mut hash = reached.head.hash;
        if reached.head.number < cursor.number {
            // It has all of it, and others have gone on.
            hash = binding.head.hash;
            let commits = answer.page.commits.iter();
            for commit in commits.take((reached.head.number - binding.head.number) as usize) {
                hash = next_hash(&hash, commit, &digest(commit));
            }
        }
        let is_same = hash == reached.head.hash
            && (reached.head.number < cursor.number || cursor.hash == hash.prefix())
            && Some(cursor.epoch) == binding.epoch;
        if is_same {
            Ok(reached)
        } else {
            Err(StoreError::diverged(format!(
                "commit {} of the history is another one there",
                reached.head.number
            )))
        }
    }

    /// Stores a record of sync that says nothing new about the log. False if another tab was first.
    pub(crate) async fn write_binding(&self, binding: &Binding) -> Result<bool, StoreError> {
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        binding.put(self.log.borrow().stored_binding.clone(), &mut write);
        let written = self.write_log(write).await?;
        if written {
            self.log.borrow_mut().bind(Some(binding.encode()))?;
        }
        Ok(written)
    }
}

impl Log {
    /// Nothing may be pulled before the space has the history that is here.
    pub(crate) fn check_adopted(&self) -> Result<(), StoreError> {
        match self.bound()?.adopted {
            Some(_) => Err(StoreErrorKind::Bound("a space that does not have the history here yet".to_owned()).into()),
            None => Ok(()),
        }
    }
}
