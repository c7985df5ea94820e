//! Rates, counted in commits and bytes and not in requests: a bucket for each replica and one for each space.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use everfold::sync::{Problem, ProblemKind};

use crate::settings::Limits;

/// Buckets that are looked through for full ones, which say nothing.
const SWEEP_ABOVE: usize = 10_000;

/// A bucket that fills steadily.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// How fast a bucket fills, and how far.
#[derive(Debug, Clone, Copy)]
struct Flow {
    a_second: f64,
    at_most: f64,
}

/// All buckets.
#[derive(Debug)]
pub(super) struct Rates {
    commits: Flow,
    bytes: Flow,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Rates {
    pub(super) fn new(limits: &Limits) -> Self {
        let flow = |a_second: u64, at_most: u64| Flow {
            a_second: a_second as f64,
            at_most: at_most as f64,
        };
        Self {
            commits: flow(
                limits.replica_commits,
                limits.replica_burst.max(limits.push_commits as u64),
            ),
            bytes: flow(limits.space_bytes, limits.space_bytes.max(limits.push_bytes as u64)),
            buckets: Mutex::default(),
        }
    }

    /// Takes a push out of the buckets, or says when to come again.
    pub(super) fn take(
        &self,
        space: &str,
        replica: &str,
        commits: usize,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Problem> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > SWEEP_ABOVE {
            let slowest = self.commits.to_fill().max(self.bytes.to_fill());
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < slowest);
        }
        let of_replica = format!("{space}\0{replica}");
        let wait = [
            (&of_replica, self.commits, commits),
            (&space.to_owned(), self.bytes, bytes),
        ]
        .map(|(name, flow, amount)| flow.wait(buckets.get(name), amount as f64, now));
        if let Some(wait) = wait.into_iter().flatten().max() {
            let detail = "more commits or bytes a second than the limits allow";
            let mut problem = Problem::new(ProblemKind::RateLimited, detail);
            problem.retry_after = Some(wait.as_secs_f64().ceil().max(1.0) as u32);
            return Err(problem);
        }
        self.commits.take(&mut buckets, of_replica, commits as f64, now);
        self.bytes.take(&mut buckets, space.to_owned(), bytes as f64, now);
        Ok(())
    }

    /// How much there is, and how much of it is left, as draft-ietf-httpapi-ratelimit-headers-10 says it: `q` in `w` seconds,
    /// `r` left and all of it again in `t`.
    pub(super) fn headers(&self, space: &str, replica: &str, now: Instant) -> HeaderMap {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = (self.commits, buckets.get(&format!("{space}\0{replica}")));
        let both = [("commits", commits), ("bytes", (self.bytes, buckets.get(space)))];
        let policy = both.map(|(name, (flow, _))| {
            let window = flow.to_fill().as_secs_f64().ceil();
            format!("\"{name}\";q={};w={window}", flow.at_most)
        });
        let left = both.map(|(name, (flow, bucket))| {
            let left = flow.tokens(bucket, now).floor();
            let full = flow.wait(bucket, flow.at_most, now).unwrap_or_default();
            format!("\"{name}\";r={left};t={}", full.as_secs_f64().ceil())
        });
        let fields = [("ratelimit-policy", policy), ("ratelimit", left)];
        let fields = fields.into_iter().filter_map(|(name, items)| {
            let value = HeaderValue::from_str(&items.join(", ")).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        fields.collect()
    }
}

impl Flow {
    fn to_fill(self) -> Duration {
        Duration::from_secs_f64(self.at_most / self.a_second.max(1.0))
    }

    fn tokens(self, bucket: Option<&Bucket>, now: Instant) -> f64 {
        bucket.map_or(self.at_most, |bucket| {
            let since = now.duration_since(bucket.at).as_secs_f64();
            (bucket.tokens + since * self.a_second).min(self.at_most)
        })
    }

    fn wait(self, bucket: Option<&Bucket>, amount: f64, now: Instant) -> Option<Duration> {
        let missing = amount - self.tokens(bucket, now);
        (missing > 0.0).then(|| Duration::from_secs_f64(missing / self.a_second.max(1.0)))
    }

    fn take(self, buckets: &mut HashMap<String, Bucket>, name: String, amount: f64, now: Instant) {
        let tokens = self.tokens(buckets.get(&name), now) - amount;
        buckets.insert(name, Bucket { tokens, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let limits = Limits {
            replica_commits: 10,
            replica_burst: 20,
            space_bytes: 1_000,
            ..Limits::default()
        };
        Rates::new(&Limits {
            push_commits: 20,
            push_bytes: 1_000,
            ..limits
        })
    }

    #[test]
    fn a_burst_passes_and_what_follows_waits_until_there_is_room() {
        let (rates, start) = (rates(), Instant::now());

        rates.take("acme", "a", 20, 0, start).unwrap();
        let problem = rates.take("acme", "a", 15, 0, start).unwrap_err();

        assert_eq!(problem.kind, ProblemKind::RateLimited);
        assert_eq!(problem.retry_after, Some(2));
        assert!(
            rates
                .take("acme", "a", 15, 0, start + Duration::from_millis(1_400))
                .is_err()
        );
        rates
            .take("acme", "a", 15, 0, start + Duration::from_millis(1_500))
            .unwrap();
    }

    #[test]
    fn replicas_and_spaces_do_not_share_what_is_theirs() {
        let (rates, now) = (rates(), Instant::now());

        rates.take("acme", "a", 20, 600, now).unwrap();

        rates.take("acme", "b", 20, 400, now).unwrap();
        assert!(
            rates.take("acme", "c", 1, 1, now).is_err(),
            "the bytes of the space are used up"
        );
        rates.take("other", "a", 20, 1_000, now).unwrap();
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let (rates, now) = (rates(), Instant::now());

        assert!(rates.take("acme", "a", 1, 2_000, now).is_err());

        rates.take("acme", "a", 20, 1_000, now).unwrap();
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (rates, start) = (rates(), Instant::now());
        for replica in 0..=SWEEP_ABOVE {
            rates.take("acme", &replica.to_string(), 1, 0, start).unwrap();
        }

        rates.take("acme", "a", 1, 0, start + Duration::from_secs(3)).unwrap();

        assert_eq!(rates.buckets.lock().unwrap().len(), 2);
    }
}
