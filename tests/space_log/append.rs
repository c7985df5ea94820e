//! Appending.

use everfold::stream::MAX_SAFE_INTEGER;
use everfold::sync::{Appended, Epoch, Hash, KnownCommit, SpaceLog};

use super::{ALL, Place, Writer, as_read, numbers};

pub(crate) fn an_append_moves_the_head(place: &impl Place) {
    let mut writer = Writer::new(place);

    let commit = writer.append("a", &["s"]);

    let stored = writer.stored();
    assert_eq!((stored.head.number, stored.head.hash), (1, commit.hash));
    assert_eq!(stored, writer.state);
}

pub(crate) fn what_was_appended_is_read_back_byte_for_byte(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let data = r#"{ "a" : "\u0000 \ud83d\ude00 é e\u0301 \u2028 ' \" ; -- %", "b":1.50 }"#;
    let commits = [
        writer.next_with("é 😀 'x\"", &["s-😀"], data, 1),
        writer.next_with("b", &["s"], "[\n\t]", 1),
    ];

    assert_eq!(writer.try_append(&before, &commits), Ok(Appended::Done));

    assert_eq!(writer.read(0, ALL), commits.each_ref().map(as_read));
    assert_eq!(writer.find(&["é 😀 'x\""]), [Some(1)]);
    assert_eq!(writer.versions(&["s-😀"]), [1]);
}

pub(crate) fn commits_of_one_append_are_all_there(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let commits = [
        writer.next("a", &["s", "t"]),
        writer.next("b", &["s"]),
        writer.next("c", &["u"]),
    ];

    assert_eq!(writer.try_append(&before, &commits), Ok(Appended::Done));

    assert_eq!(numbers(&writer.read(0, ALL)), [1, 2, 3]);
    assert_eq!(writer.find(&["a", "b", "c"]), [Some(1), Some(2), Some(3)]);
    assert_eq!(writer.versions(&["s", "t", "u"]), [2, 1, 1]);
    assert_eq!(writer.stored(), writer.state);
}

pub(crate) fn an_append_of_nothing_is_done(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);

    assert_eq!(writer.try_append(&writer.state, &[]), Ok(Appended::Done));

    assert_eq!(writer.stored(), writer.state);
}

pub(crate) fn an_append_on_an_old_head_writes_nothing(place: &impl Place) {
    let mut writer = Writer::new(place);
    let old = writer.state.clone();
    writer.append("a", &["s"]);
    let after = writer.state.clone();
    let mut late = Writer::new(place);
    late.state = old.clone();
    let commits = [late.next("b", &["s", "t"]), late.next("c", &["u"])];

    assert_eq!(late.try_append(&old, &commits), Ok(Appended::HeadMoved));

    assert_eq!(writer.stored(), after);
    assert_eq!(writer.find(&["b", "c"]), [None, None]);
    assert_eq!(writer.versions(&["s", "t", "u"]), [1, 0, 0]);
    assert_eq!(numbers(&writer.read(0, ALL)), [1]);
}

pub(crate) fn an_append_on_another_hash_writes_nothing(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);
    let mut expected = writer.state.clone();
    expected.head.hash = Hash([1; 32]);
    let commit = writer.next("b", &["s"]);

    assert_eq!(writer.try_append(&expected, &[commit]), Ok(Appended::HeadMoved));

    assert_eq!(writer.stored().head.number, 1);
}

pub(crate) fn an_append_on_another_epoch_writes_nothing(place: &impl Place) {
    let mut writer = Writer::new(place);
    let mut expected = writer.state.clone();
    expected.epoch = Epoch([9; 16]);
    let commit = writer.next("a", &["s"]);

    assert_eq!(writer.try_append(&expected, &[commit]), Ok(Appended::HeadMoved));

    assert_eq!(writer.stored().head.number, 0);
    assert_eq!(writer.find(&["a"]), [None]);
}

#[track_caller]
fn is_refused_whole(writer: &mut Writer<'_, impl Place>, commits: &[everfold::sync::StoredCommit]) {
    let before = writer.stored();

    let refused = writer.try_append(&before, commits);

    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(writer.stored(), before);
    assert_eq!(
        numbers(&writer.read(0, ALL)),
        (1..=before.head.number).collect::<Vec<_>>()
    );
    for commit in commits {
        assert!(writer.find(&[&commit.id])[0].is_none_or(|number| number <= before.head.number));
    }
    writer.state = before;
}

pub(crate) fn an_append_with_a_hole_is_refused_whole(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);
    let [second, _, fourth] = [
        writer.next("b", &["s"]),
        writer.next("c", &["s"]),
        writer.next("d", &["s"]),
    ];

    is_refused_whole(&mut writer, &[second, fourth.clone()]);
    is_refused_whole(&mut writer, &[fourth]);
}

pub(crate) fn an_append_of_a_known_id_is_refused_whole(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);
    let commits = [writer.next("b", &["t"]), writer.next("a", &["t"])];

    is_refused_whole(&mut writer, &commits);

    assert_eq!(writer.versions(&["t"]), [0]);
}

pub(crate) fn an_append_that_has_an_id_twice_is_refused_whole(place: &impl Place) {
    let mut writer = Writer::new(place);
    let commits = [writer.next("a", &["s"]), writer.next("a", &["s"])];

    is_refused_whole(&mut writer, &commits);
}

pub(crate) fn a_log_goes_on_after_an_append_that_was_refused(place: &impl Place) {
    let mut writer = Writer::new(place);
    let commits = [writer.next("a", &["s"]), writer.next("a", &["s"])];
    is_refused_whole(&mut writer, &commits);

    assert_eq!(writer.try_append(&writer.state, &commits[..1]), Ok(Appended::Done));

    assert_eq!(writer.find(&["a"]), [Some(1)]);
}

pub(crate) fn an_append_whose_answer_was_lost_is_found_by_its_ids(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let commits = [writer.next("a", &["s"]), writer.next("b", &["s"])];
    drop(writer.try_append(&before, &commits));

    assert_eq!(writer.try_append(&before, &commits), Ok(Appended::HeadMoved));

    assert_eq!(writer.find(&["a", "b"]), [Some(1), Some(2)]);
    assert_eq!(writer.stored().head.number, 2);
}

pub(crate) fn an_append_of_two_thousand_commits_is_one(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let commits: Vec<_> = (0..2_000)
        .map(|index| writer.next(&format!("c{index}"), &["s"]))
        .collect();

    assert_eq!(writer.try_append(&before, &commits), Ok(Appended::Done));

    assert_eq!(writer.stored(), writer.state);
    assert_eq!(writer.versions(&["s"]), [2_000]);
}

pub(crate) fn a_commit_of_256_kib_is_kept(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let data = format!("\"{}\"", "x".repeat(256 << 10));
    let commit = writer.next_with("a", &["s"], &data, 1);

    assert_eq!(
        writer.try_append(&before, std::slice::from_ref(&commit)),
        Ok(Appended::Done)
    );

    assert_eq!(writer.read(0, ALL), [as_read(&commit)]);
}

pub(crate) fn numbers_are_kept_up_to_what_javascript_counts(place: &impl Place) {
    let mut writer = Writer::new(place);
    let before = writer.state.clone();
    let commit = writer.next_with("a", &["s"], "{}", MAX_SAFE_INTEGER);
    assert_eq!(
        writer.try_append(&before, std::slice::from_ref(&commit)),
        Ok(Appended::Done)
    );

    let found = place.run(writer.log.find("acme", &["a"])).expect("is read");

    let known = KnownCommit {
        number: 1,
        attempt: MAX_SAFE_INTEGER,
        digest: commit.digest,
    };
    assert_eq!(found, [Some(known)]);
}
