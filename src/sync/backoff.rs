//! When to try again: full jitter, from one second doubling to five minutes.
//!
//! Time and randomness are arguments. Clocks of devices are set: a deadline remembers when it was made, and has passed
//! too once the time is before that.

/// The longest that the first failure waits for.
const FIRST: i64 = 1_000;
/// The longest that any failure waits for.
const LONGEST: i64 = 300_000;
/// The longest that a server may ask to wait for.
const LONGEST_ASKED: i64 = 3_600_000;

/// Counts failures, and waits after each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    failures: u32,
    wait: Option<Wait>,
}

/// A time that is waited for.
#[derive(Debug, Clone, Copy)]
struct Wait {
    since: i64,
    until: i64,
    /// The server asked for it: nothing shortens it.
    asked: bool,
}

impl Backoff {
    /// It worked: nothing is waited for, the next failure is the first one.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Waits longer than the last time, `random` from 0 to 1 times the longest, or as long as the server asked.
    pub(super) fn failed(&mut self, now: i64, random: f64, retry_after: Option<i64>) {
        let longest = FIRST.saturating_mul(1 << self.failures.min(30)).min(LONGEST);
        let jittered = (longest as f64 * random) as i64;
        let delay = match retry_after {
            // Those who were asked to wait for the same time should not all come back in the same moment.
            Some(asked) => asked.clamp(0, LONGEST_ASKED) + jittered.min(FIRST),
            None => jittered,
        };
        self.failures += 1;
        self.wait = Some(Wait {
            since: now,
            until: now + delay.max(1),
            asked: retry_after.is_some(),
        });
    }

    /// Waits for as long as any failure may, for what only somebody can put right.
    pub(super) fn blocked(&mut self, now: i64, random: f64) {
        self.failures = 30;
        self.failed(now, 0.5 + random / 2.0, None);
    }

    /// Something has changed: the next failure is the first one again, and what is waited for is over, but for what
    /// the server asked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
        self.wait.take_if(|wait| !wait.asked);
    }

    /// Something is new to send, but the server may be down: waits as after a first failure, if for longer now.
    pub(super) fn hurry(&mut self, now: i64, random: f64) {
        self.failures = 0;
        let soon = now + ((FIRST as f64 * random) as i64).max(1);
        if let Some(wait) = &mut self.wait
            && !wait.asked
            && wait.until > soon
        {
            *wait = Wait {
                since: now,
                until: soon,
                asked: false,
            };
        }
    }

    /// The time until which nothing is tried.
    pub(super) fn until(&mut self, now: i64) -> Option<i64> {
        self.wait.take_if(|wait| now >= wait.until || now < wait.since);
        self.wait.map(|wait| wait.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_doubles_from_one_second_to_five_minutes() {
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..11 {
            backoff.failed(0, 1.0, None);
            waits.extend(backoff.until(0));
        }

        let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(|seconds| seconds * 1_000);
        assert_eq!(waits, expected);
    }

    #[test]
    fn a_wait_is_anything_up_to_the_longest() {
        let mut backoff = Backoff::default();
        backoff.failed(5, 0.25, None);
        assert_eq!(backoff.until(5), Some(255));
        backoff.failed(5, 0.0, None);
        assert_eq!(backoff.until(5), Some(6));
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_whatever_happens_meanwhile() {
        let mut backoff = Backoff::default();
        backoff.failed(0, 0.5, Some(7_000));
        backoff.reset();
        backoff.hurry(0, 0.0);

        assert_eq!(backoff.until(7_499), Some(7_500));
        assert_eq!(backoff.until(7_500), None);
    }

    #[test]
    fn a_reset_ends_a_wait_and_a_hurry_shortens_it() {
        let mut backoff = Backoff::default();
        backoff.blocked(0, 1.0);
        assert_eq!(backoff.until(0), Some(300_000));
        backoff.hurry(10, 0.5);
        assert_eq!(backoff.until(10), Some(510));
        backoff.hurry(20, 0.9);
        assert_eq!(backoff.until(20), Some(510));
        backoff.reset();
        assert_eq!(backoff.until(20), None);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_wait() {
        let mut backoff = Backoff::default();
        backoff.failed(1_000_000_000, 1.0, None);

        assert_eq!(backoff.until(999), None);
    }
}
