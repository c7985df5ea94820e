//! Pushes that make no sense: the problem that each is, and nothing stored.

use everfold::sync::{Limits, Problem, ProblemKind, read_push};
use serde_json::{Value, json};

use crate::space::{acme, body, commit, event, head};

fn read(text: &str) -> Result<usize, Problem> {
    read_push(text.as_bytes(), &Limits::default()).map(|request| request.commits.len())
}

#[track_caller]
fn is(kind: ProblemKind, detail: &str, body: &Value) {
    let problem = read(&body.to_string()).expect_err("makes no sense");
    assert_eq!(problem.kind, kind, "{problem}");
    assert!(problem.detail.contains(detail), "{}", problem.detail);
}

fn base() -> String {
    head(&acme())
}

/// A push of one commit that was changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut commit = commit("a", "s", 0);
    change(&mut commit);
    body(&base(), &[commit])
}

/// A push of one event that was changed.
fn with_event(change: impl FnOnce(&mut Value)) -> Value {
    with(|commit| change(&mut commit["streams"][0]["events"][0]))
}

fn remove(value: &mut Value, field: &str) {
    value.as_object_mut().expect("is an object").remove(field);
}

#[test]
fn what_makes_sense_is_read() {
    assert_eq!(read(&with(|_| {}).to_string()), Ok(1));
    assert_eq!(read(&body(&base(), &[]).to_string()), Ok(0));
}

#[test]
fn a_body_that_is_no_document_is_malformed() {
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "\"push\"",
        "{\"protocol\":1}",
        "\u{feff}{}",
    ] {
        assert_eq!(read(text).expect_err("is none").kind, ProblemKind::Malformed, "{text}");
    }
    let not_text = read_push(&[b'{', 0xff, b'}'], &Limits::default());
    assert_eq!(not_text.expect_err("is no text").kind, ProblemKind::Malformed);
    let cut = with(|_| {}).to_string();
    for length in 0..cut.len() {
        assert_eq!(read(&cut[..length]).expect_err("is cut").kind, ProblemKind::Malformed);
    }
}

#[test]
fn each_field_that_must_be_there_is_missed_by_its_name() {
    for field in ["protocol", "base", "replica", "commits"] {
        let mut push = with(|_| {});
        remove(&mut push, field);
        is(ProblemKind::Malformed, field, &push);
    }
    for field in ["id", "attempt", "mode", "replica", "recordedAt"] {
        is(ProblemKind::Malformed, field, &with(|commit| remove(commit, field)));
    }
    for field in ["streamId", "events"] {
        is(
            ProblemKind::Malformed,
            field,
            &with(|commit| remove(&mut commit["streams"][0], field)),
        );
    }
    for field in ["type", "schemaVersion", "occurredAt"] {
        is(ProblemKind::Malformed, field, &with_event(|event| remove(event, field)));
    }
}

#[test]
fn each_field_of_another_type_is_malformed() {
    let wrong = [json!([]), json!({}), json!(true), json!(1.5)];
    for wrong in wrong {
        for field in ["protocol", "base", "replica", "adopt"] {
            let mut push = with(|_| {});
            push[field] = wrong.clone();
            is(ProblemKind::Malformed, "expected", &push);
        }
        for field in [
            "id",
            "attempt",
            "mode",
            "definition",
            "subject",
            "replica",
            "recordedAt",
            "causationId",
            "correlationId",
            "content",
        ] {
            is(
                ProblemKind::Malformed,
                "expected",
                &with(|commit| commit[field] = wrong.clone()),
            );
        }
        for field in ["streamId", "expectedVersion"] {
            is(
                ProblemKind::Malformed,
                "expected",
                &with(|commit| commit["streams"][0][field] = wrong.clone()),
            );
        }
        for field in ["type", "schemaVersion", "occurredAt", "salt"] {
            is(
                ProblemKind::Malformed,
                "expected",
                &with_event(|event| event[field] = wrong.clone()),
            );
        }
    }
    for field in ["commits", "reads", "streams"] {
        let change = |commit: &mut Value| commit[field] = json!("no list");
        let push = if field == "commits" {
            json!({ "protocol": 1, "base": base(), "replica": "r", "commits": 1 })
        } else {
            with(change)
        };
        is(ProblemKind::Malformed, "a list", &push);
    }
}

#[test]
fn another_protocol_is_told_apart_from_a_mistake() {
    let mut push = with(|_| {});
    push["protocol"] = json!(2);
    is(ProblemKind::ProtocolUnsupported, "protocol 2", &push);
    // Its commits may look otherwise.
    push["commits"] = json!({ "packed": "…" });
    is(ProblemKind::ProtocolUnsupported, "protocol 2", &push);

    let document = read(&push.to_string()).expect_err("is another").to_json();
    assert!(document.contains(r#""min":1,"max":1"#), "{document}");
}

#[test]
fn commits_that_make_no_sense_are_invalid() {
    let invalid = ProblemKind::BatchInvalid;
    let long = "x".repeat(513);
    is(invalid, "id: an id is empty", &with(|commit| commit["id"] = json!("")));
    is(invalid, "513 bytes", &with(|commit| commit["id"] = json!(long)));
    is(
        invalid,
        "control character",
        &with(|commit| commit["id"] = json!("a\nb")),
    );
    is(
        invalid,
        "replica: an id is empty",
        &with(|commit| commit["replica"] = json!("")),
    );
    is(invalid, "attempt is 0", &with(|commit| commit["attempt"] = json!(0)));
    is(
        invalid,
        "recordedAt is",
        &with(|commit| commit["recordedAt"] = json!(1_u64 << 53)),
    );
    is(
        invalid,
        "subject has 513",
        &with(|commit| commit["subject"] = json!(long)),
    );
    is(invalid, "no streams", &with(|commit| remove(commit, "streams")));
    is(invalid, "no streams", &with(|commit| commit["streams"] = json!([])));
    is(
        invalid,
        "stream s: it has no events",
        &with(|commit| commit["streams"][0]["events"] = json!([])),
    );
    is(
        invalid,
        "expects a version",
        &with(|commit| remove(&mut commit["streams"][0], "expectedVersion")),
    );
    is(
        invalid,
        "expectedVersion is",
        &with(|commit| commit["streams"][0]["expectedVersion"] = json!(1_u64 << 53)),
    );
    is(
        invalid,
        "streamId: an id is empty",
        &with(|commit| commit["streams"][0]["streamId"] = json!("")),
    );
    is(
        invalid,
        "reads: an id is empty",
        &with(|commit| commit["reads"] = json!([{ "streamId": "", "version": 1 }])),
    );
    is(
        invalid,
        "stream s twice",
        &with(|commit| {
            let again = commit["streams"][0].clone();
            commit["streams"].as_array_mut().expect("is a list").push(again);
        }),
    );
    is(invalid, "no type", &with_event(|event| event["type"] = json!("")));
    is(
        invalid,
        "occurredAt is",
        &with_event(|event| event["occurredAt"] = json!(-(1_i64 << 53))),
    );
    for salt in ["0", "0g", "FF", &"00".repeat(65)] {
        is(
            invalid,
            "a salt is not",
            &with_event(|event| event["salt"] = json!(salt)),
        );
    }
    let mut push = with(|_| {});
    push["replica"] = json!("");
    is(invalid, "replica: an id is empty", &push);
}

#[test]
fn the_commit_that_makes_no_sense_is_named() {
    let mut second = commit("the second", "s", 1);
    second["streams"][0]["events"] = json!([]);

    is(
        ProblemKind::BatchInvalid,
        "commit 1, id \"the second\": stream s: it has no events",
        &body(&base(), &[commit("a", "s", 0), second]),
    );
}

#[test]
fn a_payload_that_is_not_json_to_the_letter_is_invalid() {
    // Read as fast as we read it, these pass; every other device would choke on them.
    for data in ["01", "1.", "-", "1e", "\"\\x\"", "1-2"] {
        let text = with(|_| {}).to_string().replace(r#"{"of":"a"}"#, data);
        let problem = read(&text).expect_err("is not JSON");
        assert_eq!(problem.kind, ProblemKind::BatchInvalid, "{data}");
        assert!(problem.detail.contains("data is not JSON"), "{problem}");
    }
}

#[test]
fn a_push_that_is_too_large_is_told_the_limits() {
    let large = format!("\"{}\"", "x".repeat(4 << 20));
    let problem = read(&large).expect_err("is too large");
    assert_eq!(problem.kind, ProblemKind::PayloadTooLarge);
    assert!(problem.to_json().contains(r#""pushBytes":4194304"#));

    let commits: Vec<Value> = (0..=2_000)
        .map(|index| commit(&index.to_string(), "s", index))
        .collect();
    is(ProblemKind::PayloadTooLarge, "2001 commits", &body(&base(), &commits));
}

#[test]
fn unknown_fields_are_passed_over() {
    let mut push = with(|commit| {
        commit["later"] = json!({ "a": [1, "}"] });
        commit["streams"][0]["later"] = json!("x");
        commit["streams"][0]["events"] = json!([event("a")]);
    });
    push["later"] = json!(null);

    assert_eq!(read(&push.to_string()), Ok(1));
}
