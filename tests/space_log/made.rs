//! Spaces: how they come to be.

use everfold::sync::{Epoch, Head, SpaceLog, SpaceState, first_hash};

use super::{ALL, EPOCH, Place, Writer};

pub(crate) fn a_space_that_was_not_made_is_none(place: &impl Place) {
    let log = place.open();

    assert_eq!(place.run(log.space("acme")), Ok(None));
}

pub(crate) fn a_new_space_is_empty(place: &impl Place) {
    let writer = Writer::new(place);

    let empty = SpaceState {
        epoch: EPOCH,
        head: Head::first("acme"),
        claim: None,
        past: Vec::new(),
    };
    assert_eq!(writer.state, empty);
    assert_eq!(writer.stored(), empty);
    assert_eq!(writer.read(0, ALL), []);
    assert_eq!(place.run(writer.log.hash_at("acme", 0)), Ok(Some(first_hash("acme"))));
}

pub(crate) fn a_space_that_is_there_is_left_as_it_is(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);

    let again = place.run(writer.log.create("acme", Epoch([8; 16]))).expect("is made");

    assert_eq!(again, writer.state);
    assert_eq!(writer.stored(), writer.state);
}

pub(crate) fn spaces_do_not_mix(place: &impl Place) {
    let mut acme = Writer::new(place);
    let mut other = Writer::of(place, "other");
    acme.append("a", &["s"]);
    acme.append("b", &["s"]);

    let first = other.append("a", &["t"]);

    assert_eq!(first.number, 1);
    assert_eq!(other.find(&["a", "b"]), [Some(1), None]);
    assert_eq!(other.versions(&["s", "t"]), [0, 1]);
    assert_eq!(other.read_stream("s", 0, ALL), [0; 0]);
    assert_eq!(acme.find(&["a", "b"]), [Some(1), Some(2)]);
    assert_eq!(acme.versions(&["s", "t"]), [2, 0]);
    assert_eq!(place.run(other.log.hash_at("other", 2)), Ok(None));
}

pub(crate) fn names_of_spaces_differ_in_every_letter(place: &impl Place) {
    let mut writer = Writer::new(place);
    writer.append("a", &["s"]);

    for name in ["Acme", "acme ", "acm", "acme.", "acme_", "acme%"] {
        assert_eq!(place.run(writer.log.space(name)), Ok(None), "{name}");
    }
}
