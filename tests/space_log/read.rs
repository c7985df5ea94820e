//! Reading the log, and what is there after a start.

use everfold::sync::{Claim, PageLimit, SpaceLog};

use super::{ALL, Place, Writer, as_read, numbers};

fn commits(commits: usize) -> PageLimit {
    PageLimit { commits, ..ALL }
}

fn bytes(bytes: usize) -> PageLimit {
    PageLimit { bytes, ..ALL }
}

fn five<P: Place>(place: &P) -> Writer<'_, P> {
    let mut writer = Writer::new(place);
    for id in ["1", "2", "3", "4", "5"] {
        writer.append(id, &["s"]);
    }
    writer
}

pub(crate) fn a_page_has_no_more_commits_than_its_limit(place: &impl Place) {
    let writer = five(place);

    assert_eq!(numbers(&writer.read(0, commits(2))), [1, 2]);
    assert_eq!(numbers(&writer.read(2, commits(2))), [3, 4]);
    assert_eq!(numbers(&writer.read(4, commits(2))), [5]);
}

pub(crate) fn a_page_has_no_more_bytes_than_its_limit(place: &impl Place) {
    let writer = five(place);
    let two: usize = writer.read(0, commits(2)).iter().map(|commit| commit.text.len()).sum();

    assert_eq!(numbers(&writer.read(0, bytes(two))), [1, 2]);
    assert_eq!(numbers(&writer.read(0, bytes(two - 1))), [1]);
}

pub(crate) fn a_page_has_at_least_one_commit(place: &impl Place) {
    let writer = five(place);

    assert_eq!(numbers(&writer.read(0, bytes(0))), [1]);
    assert_eq!(numbers(&writer.read(3, commits(0))), [4]);
    assert_eq!(writer.read_stream("s", 3, bytes(0)), [4]);
}

pub(crate) fn there_is_nothing_beyond_the_head(place: &impl Place) {
    let writer = five(place);

    assert_eq!(writer.read(5, ALL), []);
    assert_eq!(writer.read(1_000, ALL), []);
    assert_eq!(writer.read_stream("s", 5, ALL), [0; 0]);
    assert_eq!(writer.read_stream("?", 0, ALL), [0; 0]);
}

pub(crate) fn pages_put_together_are_the_log(place: &impl Place) {
    let mut writer = Writer::new(place);
    let log: Vec<_> = (0..50)
        .map(|index| as_read(&writer.append(&format!("c{index}"), &["s"])))
        .collect();

    for limit in [commits(1), commits(7), bytes(1_000)] {
        let mut read = Vec::new();
        loop {
            let page = writer.read(read.len() as u64, limit);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, log);
    }
}

pub(crate) fn a_stream_is_read_without_the_others(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("1", &["s"]);
    writer.append("2", &["t"]);
    writer.append("3", &["t", "s"]);

    assert_eq!(writer.read_stream("s", 0, ALL), [1, 3]);
    assert_eq!(writer.read_stream("t", 0, ALL), [2, 3]);
}

pub(crate) fn a_stream_is_read_from_the_commit_that_has_the_next_event(place: &impl Place) {
    let writer = five(place);

    assert_eq!(writer.read_stream("s", 3, ALL), [4, 5]);
}

pub(crate) fn a_stream_is_read_in_pages(place: &impl Place) {
    let writer = five(place);

    assert_eq!(writer.read_stream("s", 0, commits(2)), [1, 2]);
    assert_eq!(writer.read_stream("s", 2, commits(2)), [3, 4]);
}

pub(crate) fn hashes_are_those_of_the_chain(place: &impl Place) {
    let mut writer = Writer::new(place);
    let hashes: Vec<_> = ["a", "b", "c"].map(|id| writer.append(id, &["s"]).hash).into();

    for (number, hash) in (1..).zip(hashes) {
        assert_eq!(place.run(writer.log.hash_at("acme", number)), Ok(Some(hash)));
    }
    assert_eq!(place.run(writer.log.hash_at("acme", 4)), Ok(None));
}

pub(crate) fn all_is_there_after_a_start(place: &impl Place) {
    let mut writer = Writer::new(place);
    let claim = Claim {
        replica: "r1".to_owned(),
        pushed_at: 3,
    };
    writer.claim(&writer.state, Some(&claim)).expect("is claimed");
    writer.state.claim = Some(claim);
    let log = ["a", "b", "c"].map(|id| as_read(&writer.append(id, &["s", id])));
    let state = writer.state.clone();
    drop(writer);

    let again = Writer::new(place);

    assert_eq!(again.state, state);
    assert_eq!(again.read(0, ALL), log);
    assert_eq!(again.find(&["a", "b", "c"]), [Some(1), Some(2), Some(3)]);
    assert_eq!(again.versions(&["s", "b"]), [3, 1]);
    assert_eq!(again.read_stream("b", 0, ALL), [2]);
}

pub(crate) fn what_one_handle_appended_another_reads(place: &impl Place) {
    let mut one = Writer::new(place);
    let other = Writer::new(place);

    let commit = one.append("a", &["s"]);

    assert_eq!(other.stored(), one.state);
    assert_eq!(other.read(0, ALL), [as_read(&commit)]);
    assert_eq!(other.find(&["a"]), [Some(1)]);
}
