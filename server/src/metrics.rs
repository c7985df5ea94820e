//! What can be counted, for Prometheus. No name of a space or of a person is in it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use everfold::sync::PushCounts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::sqlite::GroupCount;

/// All of it.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    problems: Family<Problem, Counter>,
    seconds: Family<Route, Histogram>,
    commits: Family<Result, Counter>,
    received: Counter<u64, AtomicU64>,
    /// Tails that are open.
    pub(crate) tails: Gauge,
    /// Pushes that wait or are judged.
    pub(crate) pushes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Problem {
    slug: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

impl Metrics {
    /// With the counts of a database.
    pub(crate) fn new(groups: &GroupCount) -> Self {
        let histogram = || Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        let mut metrics = Self {
            registry: Registry::with_prefix("everfold"),
            requests: Family::default(),
            problems: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            commits: Family::default(),
            received: Counter::default(),
            tails: Gauge::default(),
            pushes: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests that were answered", metrics.requests.clone());
        registry.register("problems", "Problems that were answered", metrics.problems.clone());
        let seconds = metrics.seconds.clone();
        registry.register_with_unit("request", "Time until an answer began", Unit::Seconds, seconds);
        registry.register(
            "commits",
            "Commits that were pushed, by what became of them",
            metrics.commits.clone(),
        );
        let received = metrics.received.clone();
        registry.register_with_unit(
            "push_body",
            "Size of the bodies of pushes, inflated",
            Unit::Bytes,
            received,
        );
        registry.register("tails", "Tails that are open", metrics.tails.clone());
        registry.register("pushes", "Pushes that wait or are judged", metrics.pushes.clone());
        registry.register("writes", "Writes to the file", groups.writes.clone());
        registry.register(
            "transactions",
            "Transactions that these shared",
            groups.transactions.clone(),
        );
        metrics
    }

    /// An answer began.
    pub(crate) fn answered(&self, route: &str, status: u16, slug: Option<&'static str>, took: Duration) {
        self.requests
            .get_or_create(&Request {
                route: route.to_owned(),
                status,
            })
            .inc();
        self.seconds
            .get_or_create(&Route {
                route: route.to_owned(),
            })
            .observe(took.as_secs_f64());
        if let Some(slug) = slug {
            self.problems.get_or_create(&Problem { slug }).inc();
        }
    }

    /// A push was judged.
    pub(crate) fn pushed(&self, bytes: usize, counts: PushCounts) {
        self.received.inc_by(bytes as u64);
        let results = [
            ("accepted", counts.accepted),
            ("duplicate", counts.duplicates),
            ("conflict", counts.conflicts),
            ("refused", counts.refused),
            ("not-attempted", counts.not_attempted),
        ];
        for (result, count) in results.into_iter().filter(|(_, count)| *count > 0) {
            self.commits.get_or_create(&Result { result }).inc_by(count as u64);
        }
    }

    /// In the text format that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}
