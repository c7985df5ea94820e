//! Claims of a space by a device that adopts its history.

use everfold::sync::{Appended, Claim};

use super::{Place, Writer};

fn claim(replica: &str, pushed_at: i64) -> Claim {
    Claim {
        replica: replica.to_owned(),
        pushed_at,
    }
}

pub(crate) fn a_claim_holds_until_another_append_says_otherwise(place: &impl Place) {
    let mut writer = Writer::new(place);
    let mine = claim("r'1", 1_790_000_000_000);
    assert_eq!(writer.claim(&writer.state, Some(&mine)), Ok(Appended::Done));
    writer.state.claim = Some(mine.clone());

    writer.append("a", &["s"]);
    assert_eq!(writer.stored().claim, Some(mine));

    assert_eq!(writer.claim(&writer.state, None), Ok(Appended::Done));
    assert_eq!(writer.stored().claim, None);
}

pub(crate) fn an_append_on_another_claim_writes_nothing(place: &impl Place) {
    let mut writer = Writer::new(place);
    let unclaimed = writer.state.clone();
    assert_eq!(writer.claim(&unclaimed, Some(&claim("r1", -5))), Ok(Appended::Done));
    let commits = [writer.next("a", &["s"])];

    assert_eq!(writer.try_append(&unclaimed, &commits), Ok(Appended::HeadMoved));
    for other in [claim("r2", -5), claim("r1", -4)] {
        let mut expected = unclaimed.clone();
        expected.claim = Some(other);
        assert_eq!(writer.try_append(&expected, &commits), Ok(Appended::HeadMoved));
    }

    assert_eq!(writer.stored().head.number, 0);
    assert_eq!(writer.stored().claim, Some(claim("r1", -5)));
}

pub(crate) fn a_claim_without_commits_is_kept(place: &impl Place) {
    let writer = Writer::new(place);
    assert_eq!(writer.claim(&writer.state, Some(&claim("r1", 7))), Ok(Appended::Done));

    assert_eq!(Writer::new(place).state.claim, Some(claim("r1", 7)));
}
