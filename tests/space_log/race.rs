//! Many at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use everfold::sync::Appended;

use super::{ALL, Place, Writer, numbers};

pub(crate) fn of_twenty_racing_appends_one_is_stored(place: &impl Place) {
    Writer::new(place);

    let done = thread::scope(|scope| {
        let racers: Vec<_> = (0..20)
            .map(|index| {
                scope.spawn(move || {
                    let mut writer = Writer::new(place);
                    let before = writer.state.clone();
                    let commits = [writer.next(&format!("c{index}"), &["s"])];
                    writer.try_append(&before, &commits).expect("is judged") == Appended::Done
                        && before.head.number == 0
                })
            })
            .collect();
        racers
            .into_iter()
            .filter_map(|racer| racer.join().ok())
            .filter(|done| *done)
            .count()
    });

    assert_eq!(done, 1);
    let writer = Writer::new(place);
    assert_eq!(
        numbers(&writer.read(0, ALL)),
        (1..=writer.state.head.number).collect::<Vec<_>>()
    );
}

/// Appends `count` commits, each as often as it takes.
fn append_until_done<P: Place>(place: &P, space: &'static str, name: &str, count: usize) {
    let mut writer = Writer::of(place, space);
    for index in 0..count {
        loop {
            let before = writer.stored();
            writer.state = before.clone();
            let commit = writer.next(&format!("{name} {index}"), &[name]);
            if writer.try_append(&before, &[commit]).expect("is judged") == Appended::Done {
                break;
            }
            // Of a lost race nothing is to be left.
            let mut again = Writer::of(place, space);
            again.versions.insert(name.to_owned(), index as u64);
            writer = again;
        }
    }
}

#[track_caller]
fn is_dense<P: Place>(writer: &Writer<'_, P>, count: u64) {
    let page = writer.read(0, ALL);
    assert_eq!(numbers(&page), (1..=count).collect::<Vec<_>>());
    assert_eq!(writer.state.head.number, count);
    assert_eq!(page.last().map(|last| last.hash), Some(writer.state.head.hash));
}

pub(crate) fn many_writers_leave_a_dense_log(place: &impl Place) {
    Writer::new(place);

    thread::scope(|scope| {
        for writer in ["one", "two", "three", "four", "five", "six"] {
            scope.spawn(move || append_until_done(place, "acme", writer, 20));
        }
    });

    let writer = Writer::new(place);
    is_dense(&writer, 120);
    assert_eq!(writer.versions(&["one", "two", "six"]), [20, 20, 20]);
}

pub(crate) fn many_spaces_are_written_at_once(place: &impl Place) {
    let spaces = ["a", "b", "c", "d"];

    thread::scope(|scope| {
        for space in spaces {
            scope.spawn(move || append_until_done(place, space, "s", 25));
        }
    });

    for space in spaces {
        is_dense(&Writer::of(place, space), 25);
    }
}

pub(crate) fn readers_see_a_dense_beginning_at_any_time(place: &impl Place) {
    Writer::new(place);
    let done = AtomicBool::new(false);

    thread::scope(|scope| {
        let done = &done;
        let reader = scope.spawn(move || {
            let reader = Writer::new(place);
            let mut seen = 0;
            while !done.load(Ordering::Acquire) || seen < 100 {
                let page = numbers(&reader.read(0, ALL));
                assert_eq!(page, (1..=page.len() as u64).collect::<Vec<_>>());
                assert!(page.len() >= seen, "what was read once is there for ever");
                seen = page.len();
            }
        });
        append_until_done(place, "acme", "s", 100);
        done.store(true, Ordering::Release);
        reader.join().expect("saw no hole");
    });
}
