//! Devices and their server, and what a shell does between them.

use std::cell::Cell;

use everfold::commit::NewCommit;
use everfold::json::parse;
use everfold::store::{
    Adoption, BindOptions, Direction, Durability, MemoryDatabase, MemoryStorage, OpenOptions, Outcome, Progress, Query,
    RebaseStep, Recovery, Storage, Store, StoreError, SyncState,
};
use everfold::sync::{
    Authority, Cursor, Epoch, Limits, MemoryLog, PageLimit, Problem, ProblemKind, PushAnswer, Rules, SpaceLog,
    read_push,
};
use pollster::block_on;
use serde_json::{Value, json};

/// Everybody may write to every stream but this one.
struct But(&'static str);

impl Rules for But {
    fn may_write(&self, _: &str, stream: &str, _: &str) -> bool {
        stream != self.0
    }
}

/// The server of space `acme`.
pub(crate) struct Server {
    pub(crate) authority: Authority<MemoryLog>,
    epochs: Cell<u8>,
    now: Cell<i64>,
    page: Cell<usize>,
    /// Whose token devices have.
    pub(crate) actor: Cell<&'static str>,
    /// The stream that nobody may write to.
    pub(crate) forbidden: Cell<&'static str>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let authority = Authority::new(MemoryLog::new(), Limits::default());
        block_on(authority.create("acme", Epoch([1; 16]))).expect("is made");
        Self {
            authority,
            epochs: Cell::new(1),
            now: Cell::new(0),
            page: Cell::new(1_000),
            actor: Cell::new("ann"),
            forbidden: Cell::new(""),
        }
    }

    /// One whose pages have so many commits.
    pub(crate) fn with_pages_of(commits: usize) -> Self {
        let server = Self::new();
        server.page.set(commits);
        server
    }

    pub(crate) fn head(&self) -> u64 {
        let state = block_on(self.authority.log().space("acme")).expect("is read");
        state.expect("is there").head.number
    }

    /// A backup is restored, which had commits up to `number`.
    pub(crate) fn restore(&self, number: u64) {
        self.epochs.set(self.epochs.get() + 1);
        let epoch = Epoch([self.epochs.get(); 16]);
        self.authority.log().restore("acme", number, epoch);
    }

    pub(crate) fn cursor(&self) -> Cursor {
        let text = block_on(self.authority.capabilities("acme", self.tick())).expect("tells");
        let told: Value = serde_json::from_str(&text).expect("is JSON");
        told["cursor"].as_str().expect("is a text").parse().expect("is one")
    }

    pub(crate) fn push(&self, body: &str) -> Result<String, Problem> {
        let request = read_push(body.as_bytes(), self.authority.limits())?;
        let rules = But(self.forbidden.get());
        let pushed = block_on(
            self.authority
                .push("acme", self.actor.get(), &request, self.tick(), &rules),
        );
        pushed.map(|pushed| pushed.text)
    }

    fn pull(&self, after: &Cursor) -> Result<String, Problem> {
        let limit = PageLimit {
            commits: self.page.get(),
            bytes: 1 << 20,
        };
        block_on(self.authority.pull("acme", Some(after), limit)).map(|page| page.text)
    }

    fn tick(&self) -> i64 {
        self.now.set(self.now.get() + 1);
        self.now.get()
    }
}

/// How a device came out of sync.
#[derive(Debug)]
pub(crate) enum Trouble {
    Store(StoreError),
    Problem(Problem),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(crate) async fn open<S: Storage>(storage: S, replica: &str) -> Result<Store<S>, StoreError> {
    let options = OpenOptions {
        replica: replica.to_owned(),
        now: 1,
        durability: Durability::Relaxed,
    };
    Store::open(storage, options).await
}

/// A device of its own, bound to the space.
pub(crate) fn device(replica: &str) -> (MemoryDatabase, Store<MemoryStorage>) {
    let (database, store) = loner(replica);
    block_on(store.bind(&binding(None, None))).expect("is bound");
    (database, store)
}

/// A device of its own.
pub(crate) fn loner(replica: &str) -> (MemoryDatabase, Store<MemoryStorage>) {
    let database = MemoryDatabase::new();
    let store = block_on(open(MemoryStorage::open(&database), replica)).expect("opens");
    (database, store)
}

pub(crate) fn binding(cursor: Option<Cursor>, adopt: Option<Adoption>) -> BindOptions {
    BindOptions {
        space: "acme".to_owned(),
        subject: "ann".to_owned(),
        cursor,
        adopt,
    }
}

/// A commit whose command says what it writes: so it is decided as before, whenever it is decided again.
pub(crate) fn commit(id: &str, streams: &[&str]) -> Value {
    let events = |stream: &&str| {
        json!({ "streamId": stream, "expectedVersion": "any", "events": [
            { "type": "happened", "schemaVersion": 1, "occurredAt": 5, "data": { "of": id } } ] })
    };
    let streams: Vec<_> = streams.iter().map(events).collect();
    json!({ "commitId": id, "known": true, "recordedAt": 7, "mode": "intent", "content": id, "subject": "ann",
        "command": { "type": "Do", "of": id }, "definition": { "name": "thing", "version": 1 }, "streams": streams })
}

pub(crate) async fn try_append<S: Storage>(store: &Store<S>, commits: &[Value]) -> Result<Progress, StoreError> {
    let text = serde_json::to_string(commits).expect("is JSON");
    let group: Vec<NewCommit<'_>> = parse(&text).expect("is a group");
    store.append(&group).await
}

#[track_caller]
pub(crate) fn append<S: Storage>(store: &Store<S>, id: &str, streams: &[&str]) {
    let progress = block_on(try_append(store, &[commit(id, streams)])).expect("appends");
    assert!(matches!(progress.outcomes[..], [Outcome::Appended(_)]), "{progress:?}");
}

/// All that a shell does until nothing is left to do.
pub(crate) async fn try_sync<S: Storage>(
    store: &Store<S>,
    server: &Server,
    recovery: Recovery,
    adopt: Option<Adoption>,
) -> Result<(), Trouble> {
    store.lead().await?;
    let mut met = false;
    for _ in 0..1_000 {
        let state = store.sync_state().await?.expect("is bound");
        let Some(cursor) = state.cursor.filter(|_| met || !state.adopting) else {
            store.bind(&binding(Some(server.cursor()), adopt)).await?;
            met = true;
            continue;
        };
        let answer = if state.adopting {
            let body = store.adopt_request(3, 1 << 20).await?.expect("is something");
            server.push(&body.text)
        } else if state.rebase {
            walk(store).await?;
            continue;
        } else {
            match store.push_body(3, 1 << 20).await? {
                Some(body) => server.push(&body.text),
                None => server.pull(&cursor),
            }
        };
        let text = match answer {
            Ok(text) => text,
            Err(problem) if problem.kind == ProblemKind::EpochChanged => {
                let changed = problem.to_json();
                store.recover(&parse(&changed).expect("is one"), recovery).await?;
                continue;
            }
            Err(problem) => return Err(Trouble::Problem(problem)),
        };
        let answer: PushAnswer<'_> = parse(&text).expect("is an answer");
        if state.adopting {
            store.adopted(&answer).await?;
            continue;
        }
        let pulled = store.pulled(&vec![answer].into()).await?;
        if pulled.progress.pending == 0 && !pulled.more && !pulled.rebase {
            return Ok(());
        }
    }
    panic!("it never comes to an end: {:?}", store.sync_state().await);
}

/// Decides everything again as it was decided.
async fn walk<S: Storage>(store: &Store<S>) -> Result<(), StoreError> {
    let mut decision: Option<String> = None;
    loop {
        let step = match &decision {
            None => store.rebase_next(None).await?,
            Some(text) => store.rebase_next(Some(parse(text).expect("is a decision"))).await?,
        };
        let RebaseStep::Decide(decide) = step else {
            return Ok(());
        };
        let command: Value = serde_json::from_str(&decide.command).expect("is JSON");
        let streams = decide.streams.iter().filter(|stream| stream.written);
        let events: Vec<_> = streams
            .map(|stream| {
                json!({ "streamId": stream.stream_id, "events": [
                    { "type": "happened", "schemaVersion": 1, "occurredAt": 5, "data": { "of": command["of"] } } ] })
            })
            .collect();
        decision = Some(json!({ "events": events }).to_string());
    }
}

#[track_caller]
pub(crate) fn sync<S: Storage>(store: &Store<S>, server: &Server, recovery: Recovery) {
    if let Err(trouble) = block_on(try_sync(store, server, recovery, None)) {
        panic!("{trouble:?}");
    }
}

pub(crate) fn state<S: Storage>(store: &Store<S>) -> SyncState {
    block_on(store.sync_state()).expect("is read").expect("is bound")
}

/// The events, each as `commit stream version`, and `?` if it is pending.
pub(crate) fn events<S: Storage>(store: &Store<S>) -> Vec<String> {
    let mut events = Vec::new();
    let mut query = Query::default();
    assert_eq!(query.direction, Direction::Forward);
    loop {
        let page = block_on(store.read(&query)).expect("is read");
        let document: Value = serde_json::from_str(&page.batch.text).expect("is JSON");
        for numbers in page.batch.numbers.chunks(8) {
            let commit = &document["commits"][numbers[5] as usize];
            let stream = document["streams"][numbers[1] as usize].as_str().expect("is a text");
            let pending = if commit[4] == json!(1) { "" } else { "?" };
            assert_eq!(numbers[3] as usize, events.len() + 1, "positions have no hole");
            let id = commit[0].as_str().expect("is a text");
            events.push(format!("{id} {stream} {}{pending}", numbers[2]));
        }
        match page.next {
            Some(next) => query.after_position = Some(next),
            None => return events,
        }
    }
}

pub(crate) fn refusals<S: Storage>(store: &Store<S>) -> Vec<(String, String)> {
    let text = block_on(store.refusals()).expect("is read");
    let list: Value = serde_json::from_str(&text).expect("is JSON");
    let of = |refusal: &Value, name: &str| refusal[name].as_str().expect("is a text").to_owned();
    let list = list.as_array().expect("is a list").iter();
    list.map(|refusal| (of(refusal, "commitId"), of(refusal, "kind")))
        .collect()
}

/// The bytes of the whole log, in one segment, as they are exported.
pub(crate) fn bytes<S: Storage>(store: &Store<S>) -> Vec<u8> {
    block_on(async {
        store.seal().await.expect("seals");
        while store.compact(2).await.expect("merges") {}
        let mut parts = Vec::new();
        while let Some(part) = store.export_part(parts.len() as u64).await.expect("is read") {
            parts.push(part);
        }
        // The first one names the device, the last one has its refusals.
        parts.pop();
        parts.split_off(1).concat()
    })
}
