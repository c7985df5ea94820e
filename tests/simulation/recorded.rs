//! Events as a store gives them.

use everfold::store::Batch;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ledger::Event;

/// An event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) stream: String,
    pub(crate) version: u64,
    pub(crate) position: u64,
    pub(crate) commit: String,
    pub(crate) attempt: u64,
    pub(crate) confirmed: bool,
    pub(crate) event: Event,
}

#[derive(Deserialize)]
struct Document<'a> {
    data: Vec<Data>,
    #[serde(borrow)]
    types: Vec<&'a str>,
    #[serde(borrow)]
    streams: Vec<&'a str>,
    #[serde(borrow)]
    commits: Vec<Commit<'a>>,
}

/// Id, attempt, recordedAt, replica, status, and what nobody asks for.
#[derive(Deserialize)]
struct Commit<'a>(
    &'a str,
    u64,
    IgnoredAny,
    IgnoredAny,
    u8,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

/// The data of any event of the ledger.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    amount: u64,
    limit: u64,
}

/// The events of a batch.
pub(crate) fn recorded(batch: &Batch) -> Vec<Recorded> {
    if batch.numbers.is_empty() {
        return Vec::new();
    }
    let document: Document<'_> = serde_json::from_str(&batch.text).expect("a batch is JSON");
    let events = batch.numbers.chunks(8).zip(&document.data);
    events
        .map(|(numbers, data)| {
            let commit = &document.commits[numbers[5] as usize];
            Recorded {
                stream: document.streams[numbers[1] as usize].to_owned(),
                version: numbers[2] as u64,
                position: numbers[3] as u64,
                commit: commit.0.to_owned(),
                attempt: commit.1,
                confirmed: commit.4 == 1,
                event: event(document.types[numbers[0] as usize], data),
            }
        })
        .collect()
}

fn event(name: &str, data: &Data) -> Event {
    match name {
        "deposited" => Event::Deposited { amount: data.amount },
        "withdrawn" => Event::Withdrawn { amount: data.amount },
        "limit_set" => Event::LimitSet { limit: data.limit },
        "charged" => Event::Charged { amount: data.amount },
        "cursed" => Event::Cursed {},
        other => panic!("no event of the ledger: {other}"),
    }
}

impl Event {
    /// Type and data, as they are stored.
    pub(crate) fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Deposited { amount } => ("deposited", format!(r#"{{"amount":{amount}}}"#)),
            Self::Withdrawn { amount } => ("withdrawn", format!(r#"{{"amount":{amount}}}"#)),
            Self::LimitSet { limit } => ("limit_set", format!(r#"{{"limit":{limit}}}"#)),
            Self::Charged { amount } => ("charged", format!(r#"{{"amount":{amount}}}"#)),
            Self::Cursed {} => ("cursed", "{}".to_owned()),
        }
    }

    /// From type and data, as they are on the wire.
    pub(crate) fn of_parts(name: &str, data: &str) -> Self {
        event(name, &serde_json::from_str(data).expect("data is JSON"))
    }
}
