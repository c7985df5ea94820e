//! Many runs, on all processors.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::faults::{Fault, Tally};
use crate::story::Story;
use crate::world::World;

/// How many lines of a story are printed.
const LINES: usize = 400;

/// How many runs ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seeds: u64,
    /// The lowest seed that failed, and what did not hold.
    pub(crate) failed: Option<(u64, String)>,
    struck: BTreeMap<Fault, u64>,
    took: Duration,
}

impl Outcome {
    pub(crate) fn struck(&self, fault: Fault) -> u64 {
        self.struck.get(&fault).copied().unwrap_or_default()
    }

    pub(crate) fn summary(&self) -> String {
        let mut text = format!("{} seeds in {:.1} s", self.seeds, self.took.as_secs_f64());
        for fault in Fault::ALL {
            let _ = write!(text, "\n{:>10} {}", self.struck(*fault), fault.name());
        }
        text
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds until one fails.
pub(crate) fn run(seeds: Range<u64>) -> Outcome {
    run_with(seeds, || ())
}

/// The same, with something done first in each thread.
pub(crate) fn run_with(seeds: Range<u64>, begin: impl Fn() + Sync) -> Outcome {
    let started = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(None);
    let struck = Mutex::new(BTreeMap::new());
    // A failing run is told by its replay.
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                begin();
                let tally = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || is_some(&failed) {
                        break;
                    }
                    let done = seed - seeds.start;
                    if done > 0 && done.is_multiple_of(1_000) {
                        println!("{done} seeds, {} s", started.elapsed().as_secs());
                    }
                    if let Err(why) = run_one(seed, &tally, &Story::default()) {
                        let mut failed = failed.lock().expect("nobody panicked");
                        if failed.as_ref().is_none_or(|(before, _)| *before > seed) {
                            *failed = Some((seed, why));
                        }
                    }
                }
                let mut struck = struck.lock().expect("nobody panicked");
                for (fault, count) in tally.counts() {
                    *struck.entry(fault).or_default() += count;
                }
            });
        }
    });
    set_hook(hook);
    Outcome {
        seeds: next.into_inner().min(seeds.end) - seeds.start,
        failed: failed.into_inner().expect("nobody panicked"),
        struck: struck.into_inner().expect("nobody panicked"),
        took: started.elapsed(),
    }
}

fn is_some<T>(shared: &Mutex<Option<T>>) -> bool {
    shared.lock().expect("nobody panicked").is_some()
}

/// Runs one seed; what did not hold, if something did not.
fn run_one(seed: u64, tally: &Tally, story: &Story) -> Result<(), String> {
    caught(|| World::new(seed, tally, story).run())
}

/// What a panic says, as an error.
fn caught(run: impl FnOnce()) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast::<String>().map(|text| *text);
        let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|_| "a panic".to_owned())
    })
}

/// The same, where a panic is what is looked for: it is not printed.
#[cfg(feature = "planted-bugs")]
pub(crate) fn caught_silently(run: impl FnOnce()) -> Result<(), String> {
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let ended = caught(run);
    set_hook(hook);
    ended
}

/// Runs one seed, and tells what happened if it fails.
pub(crate) fn replay(seed: u64) {
    let story = Story::told();
    let ended = run_one(seed, &Tally::default(), &story);
    let lines = story.lines();
    let Err(why) = ended else {
        return println!("seed {seed} passes, after {} lines", lines.len());
    };
    let from = lines
        .len()
        .saturating_sub(number("EVERFOLD_LINES").map_or(LINES, |lines| lines as usize));
    for line in &lines[from..] {
        println!("{line}");
    }
    panic!("{why}\nEVERFOLD_SEED={seed} tells it again");
}
