//! Looking up ids and streams.

use super::{Place, Writer};

pub(crate) fn ids_are_found_in_the_order_of_the_question(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);
    writer.append("b", &["s"]);

    assert_eq!(writer.find(&["b", "?", "a", "b"]), [Some(2), None, Some(1), Some(2)]);
}

pub(crate) fn no_ids_give_no_answers(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);

    assert_eq!(writer.find(&[]), []);
    assert_eq!(writer.versions(&[]), [0; 0]);
}

/// Texts that a database with a collation takes for the same.
const ALIKE: [&str; 8] = ["a", "A", "a ", " a", "á", "a\u{301}", "a\u{200d}", "％"];

pub(crate) fn ids_differ_in_every_byte(place: &impl Place) {
    let mut writer = Writer::new(place);
    for id in ALIKE {
        assert_eq!(writer.find(&[id]), [None], "{id:?}");
        writer.append(id, &["s"]);
    }

    assert_eq!(writer.find(&ALIKE), (1..=8).map(Some).collect::<Vec<_>>());
    assert_eq!(writer.find(&["%", "_", "a'"]), [None, None, None]);
}

pub(crate) fn streams_differ_in_every_byte(place: &impl Place) {
    let mut writer = Writer::new(place);
    for (index, stream) in ALIKE.iter().enumerate() {
        for event in 0..=index {
            writer.append(&format!("{index} {event}"), &[stream]);
        }
    }

    assert_eq!(writer.versions(&ALIKE), (1..=8).collect::<Vec<_>>());
}

pub(crate) fn versions_are_those_after_the_last_commit(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s", "t"]);
    writer.append("b", &["s"]);
    writer.append("c", &["u", "s"]);

    assert_eq!(writer.versions(&["u", "s", "?", "t", "s"]), [1, 3, 0, 1, 3]);
}

pub(crate) fn thousands_of_ids_and_streams_are_looked_up_at_once(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("id 4999", &["stream 4999"]);
    let ids: Vec<String> = (0..5_000).map(|index| format!("id {index}")).collect();
    let streams: Vec<String> = (0..5_000).map(|index| format!("stream {index}")).collect();

    let found = writer.find(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let versions = writer.versions(&streams.iter().map(String::as_str).collect::<Vec<_>>());

    assert_eq!((found.len(), found[4_999]), (5_000, Some(1)));
    assert_eq!((versions.len(), versions[4_999]), (5_000, 1));
}
