//! What holds for every message, and for bytes that are none. `PROPTEST_CASES` says for how many.

use std::borrow::Cow;
use std::mem::size_of;

use everfold::commit::{Definition, Mode, StreamRead};
use everfold::json::{RawJson, parse};
use everfold::stream::Version;
use everfold::sync::{
    Adopt, ChainCheck, Cursor, Epoch, EpochChanged, Hash, HashPrefix, Head, Limits, PageLimit, ProblemKind, PullPage,
    PushAnswer, PushRequest, PushResult, SpaceLog, WireCommit, WireEvent, WireStream, digest, read_push,
};
use pollster::block_on;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::space::{Everything, acme, body, commit};

/// Words that come twice, so that ids and streams meet.
fn word() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        "[a-c]".prop_map(Cow::Owned),
        any::<String>().prop_map(Cow::Owned),
        Just(Cow::Borrowed("\"\\\u{0}\u{7f}\u{2028}é😀")),
    ]
}

/// JSON as someone may have written it.
fn raw() -> impl Strategy<Value = RawJson<'static>> {
    prop::sample::select(vec![
        "null ",
        "true",
        "0",
        "-1.50e+3",
        "\"\"",
        "\"\\u00e9\\\"\\\\ é\"",
        "[]",
        "{}",
        "[ 1 ,\n2 ]",
        "{ \"a\" : { \"b\":[{}] , \"\\u0000\":null } }",
    ])
    .prop_map(|text| RawJson::new(text.trim()).expect("is JSON"))
    .prop_filter("null is the same as left out", |raw| raw.get() != "null")
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..4, 0..=everfold::stream::MAX_SAFE_INTEGER]
}

fn time() -> impl Strategy<Value = i64> {
    let most = everfold::stream::MAX_SAFE_INTEGER as i64;
    prop_oneof![-2_i64..2, -most..=most]
}

fn event() -> impl Strategy<Value = WireEvent<'static>> {
    let salt = option::of("([0-9a-f]{2}){0,8}".prop_map(Cow::Owned));
    (word(), any::<u32>(), time(), option::of(raw()), salt, option::of(raw())).prop_map(
        |(event_type, schema_version, occurred_at, metadata, salt, data)| WireEvent {
            event_type,
            schema_version,
            occurred_at,
            metadata,
            salt,
            data,
        },
    )
}

fn stream(most: u64) -> impl Strategy<Value = WireStream<'static>> {
    let before = option::of((0..most).prop_map(Version));
    (word(), before, vec(event(), 0..3)).prop_map(|(stream_id, before, events)| WireStream {
        stream_id,
        before,
        events,
    })
}

/// Any commit in full, pushed or confirmed.
fn any_commit() -> impl Strategy<Value = WireCommit<'static>> {
    let definition = (word(), any::<u32>()).prop_map(|(name, version)| Definition { name, version });
    let read = (word(), number()).prop_map(|(stream_id, version)| StreamRead {
        stream_id,
        version: Version(version),
    });
    let header = (
        option::of(number()),
        word(),
        number(),
        prop::bool::ANY,
        option::of(raw()),
        option::of(definition),
        vec(read, 0..3),
    );
    let rest = (
        option::of(word()),
        option::of(word()),
        word(),
        time(),
        option::of(time()),
        option::of(word()),
        option::of(word()),
        option::of(word()),
        vec(stream(1 << 52), 0..3),
    );
    (header, rest).prop_map(|(header, rest)| {
        let (number, id, attempt, fact, command, definition, reads) = header;
        let (subject, actor, replica, recorded_at, received_at, causation_id, correlation_id, content, streams) = rest;
        WireCommit {
            number,
            id,
            attempt,
            mode: if fact { Mode::Fact } else { Mode::Intent },
            command,
            definition,
            reads,
            subject,
            actor,
            replica,
            recorded_at,
            received_at,
            causation_id,
            correlation_id,
            content,
            streams: Some(streams),
        }
    })
}

fn any_head() -> impl Strategy<Value = Head> {
    (number(), any::<[u8; 32]>()).prop_map(|(number, hash)| Head {
        number,
        hash: Hash(hash),
    })
}

fn any_cursor() -> impl Strategy<Value = Cursor> {
    (any::<[u8; 16]>(), number(), any::<[u8; 8]>()).prop_map(|(epoch, number, hash)| Cursor {
        epoch: Epoch(epoch),
        number,
        hash: HashPrefix(hash),
    })
}

fn any_page() -> impl Strategy<Value = PullPage<'static>> {
    (any_head(), vec(any_commit(), 0..4), any_cursor(), any::<bool>()).prop_map(|(head, commits, cursor, more)| {
        PullPage {
            head,
            commits,
            cursor,
            more,
        }
    })
}

fn any_result() -> impl Strategy<Value = PushResult<'static>> {
    prop_oneof![
        (word(), number()).prop_map(|(id, number)| PushResult::Accepted { id, number }),
        (word(), number(), number(), any::<[u8; 32]>()).prop_map(|(id, number, attempt, digest)| {
            PushResult::Duplicate {
                id,
                number,
                attempt,
                digest: Hash(digest),
            }
        }),
        (word(), word(), number(), number()).prop_map(|(id, stream_id, expected, actual)| PushResult::Conflict {
            id,
            stream_id,
            expected: Version(expected),
            actual: Version(actual),
        }),
        (word(), raw()).prop_map(|(id, problem)| PushResult::Refused { id, problem }),
        (word(), word()).prop_map(|(id, because)| PushResult::NotAttempted { id, because }),
    ]
}

fn any_request() -> impl Strategy<Value = PushRequest<'static>> {
    let adopt = option::of(prop_oneof![Just(Adopt::More), Just(Adopt::Last)]);
    (any_cursor(), word(), vec(any_commit(), 0..4), adopt).prop_map(|(base, replica, commits, adopt)| PushRequest {
        protocol: 1,
        base,
        replica,
        commits,
        adopt,
    })
}

fn written<T>(value: &T, write: impl Fn(&T, &mut String)) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

proptest! {
    #[test]
    fn every_commit_is_read_as_it_was_written(commit in any_commit()) {
        let text = written(&commit, WireCommit::write);
        let read: WireCommit<'_> = parse(&text).expect("is read");
        prop_assert_eq!(&read, &commit);
        prop_assert_eq!(digest(&read), digest(&commit));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn every_push_is_read_as_it_was_written(request in any_request()) {
        let text = written(&request, PushRequest::write);
        prop_assert_eq!(parse::<PushRequest<'_>>(&text), Ok(request));
    }

    #[test]
    fn every_answer_is_read_as_it_was_written(page in any_page(), results in vec(any_result(), 0..4)) {
        let text = written(&page, PullPage::write);
        prop_assert_eq!(parse::<PullPage<'_>>(&text), Ok(page.clone()));
        let answer = PushAnswer { page, results };
        let text = written(&answer, PushAnswer::write);
        prop_assert_eq!(parse::<PushAnswer<'_>>(&text), Ok(answer));
    }

    #[test]
    fn every_cursor_is_read_as_it_was_written(cursor in any_cursor()) {
        prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn commits_that_say_something_else_have_other_digests(one in any_full_commit(), other in any_full_commit()) {
        prop_assume!(said(&one) != said(&other));
        prop_assert_ne!(digest(&one), digest(&other));
    }
}

/// Of these no text is empty and no version 0, which is hashed as left out is.
fn any_full_commit() -> impl Strategy<Value = WireCommit<'static>> {
    any_commit().prop_filter("something is empty", |commit| {
        let said = said(commit);
        !said.contains(":\"\"") && !said.contains("\"version\":0")
    })
}

/// What a digest is of.
fn said(commit: &WireCommit<'_>) -> String {
    let mut said = commit.clone();
    (said.number, said.attempt, said.actor, said.received_at) = (None, 1, None, None);
    said.reads.clear();
    said.streams
        .iter_mut()
        .flatten()
        .for_each(|stream| stream.before = None);
    written(&said, WireCommit::write)
}

/// A message that was damaged on its way: bytes changed, dropped, doubled or cut.
fn damaged(text: String) -> impl Strategy<Value = Vec<u8>> {
    let blow = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..5, 0_usize..40);
    (Just(text.into_bytes()), vec(blow, 0..6)).prop_map(|(mut bytes, blows)| {
        for (index, value, kind, length) in blows {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            let end = (at + length).min(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let valid = prop_oneof![
        any_request().prop_map(|request| written(&request, PushRequest::write)),
        any_page().prop_map(|page| written(&page, PullPage::write)),
        vec(any_result(), 0..4).prop_map(|results| {
            let text = include_str!("../fixtures/protocol/pull.json").trim_end();
            let page = parse(text).expect("is read");
            written(&PushAnswer { page, results }, PushAnswer::write)
        }),
        Just(include_str!("../fixtures/protocol/push.request.json").to_owned()),
        Just(include_str!("../fixtures/protocol/problem-epoch-changed-forked.json").to_owned()),
    ];
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\",:0-9a-z\\\\ ]{0,200}".prop_map(String::into_bytes),
        8 => valid.prop_flat_map(damaged),
    ]
}

/// What a list of commits takes, besides the texts that it points into.
fn heap(commits: &Vec<WireCommit<'_>>) -> usize {
    let owned = |text: &Cow<'_, str>| match text {
        Cow::Owned(text) => text.capacity(),
        Cow::Borrowed(_) => 0,
    };
    let of_stream = |stream: &WireStream<'_>| {
        let events = stream
            .events
            .iter()
            .map(|event| owned(&event.event_type))
            .sum::<usize>();
        stream.events.capacity() * size_of::<WireEvent<'_>>() + owned(&stream.stream_id) + events
    };
    let of_commit = |commit: &WireCommit<'_>| {
        let streams = commit.streams.as_ref();
        streams.map_or(0, |streams| {
            streams.capacity() * size_of::<WireStream<'_>>() + streams.iter().map(of_stream).sum::<usize>()
        }) + commit.reads.capacity() * size_of::<StreamRead<'_>>()
            + owned(&commit.id)
    };
    commits.capacity() * size_of::<WireCommit<'_>>() + commits.iter().map(of_commit).sum::<usize>()
}

/// A list that grows holds up to twice what is in it, from 4.
fn is_bounded(commits: &Vec<WireCommit<'_>>, length: usize) -> bool {
    heap(commits) <= 16 * length + 16 * size_of::<WireCommit<'_>>()
}

proptest! {
    #[test]
    fn a_push_of_any_bytes_is_judged_or_refused(bytes in bytes()) {
        let limits = Limits::default();
        if let Ok(request) = read_push(&bytes, &limits) {
            prop_assert!(is_bounded(&request.commits, bytes.len()));
            let authority = acme();
            // Whatever it says of its base.
            let request = PushRequest { base: Head::first("acme").cursor(crate::space::EPOCH), ..request };
            // By whoever it says.
            let actor = request.commits.iter().find_map(|commit| commit.subject.clone()).unwrap_or_default();
            let pushed = block_on(authority.push("acme", &actor, &request, 1, &Everything));
            let pushed = match pushed {
                Err(problem) if problem.kind == ProblemKind::SubjectMismatch => return Ok(()),
                pushed => pushed.expect("is judged"),
            };
            prop_assert!(parse::<PushAnswer<'_>>(&pushed.text).is_ok(), "{}", pushed.text);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&pushed.text).is_ok(), "{}", pushed.text);
        }
    }

    #[test]
    fn a_page_of_any_bytes_is_read_or_not(bytes in bytes()) {
        let Ok(text) = str::from_utf8(&bytes) else { return Ok(()) };
        if let Ok(page) = parse::<PullPage<'_>>(text) {
            prop_assert!(is_bounded(&page.commits, bytes.len()));
            for commit in &page.commits {
                digest(commit);
            }
        }
        if let Ok(answer) = parse::<PushAnswer<'_>>(text) {
            prop_assert!(answer.results.capacity() * size_of::<PushResult<'_>>() <= 16 * bytes.len() + 1024);
        }
        let _ = parse::<EpochChanged>(text);
    }

    #[test]
    fn a_cursor_of_any_text_is_read_or_not(
        text in prop_oneof![any::<String>(), "[0-9a-f]{30,34}\\.[0-9+-]{0,18}\\.[0-9a-fA-F]{14,18}"],
        cursor in any_cursor(),
        at: prop::sample::Index,
        with: char,
    ) {
        let mut mutated: Vec<char> = cursor.to_string().chars().collect();
        let at = at.index(mutated.len());
        mutated[at] = with;
        for text in [text, mutated.into_iter().collect()] {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}

/// The texts that make the most of the least: each item as short as one can be.
#[test]
fn the_smallest_items_take_a_bounded_multiple_of_their_text() {
    let event = r#"{"type":"","schemaVersion":1,"occurredAt":1}"#;
    let stream = |events: &str| format!(r#"{{"streamId":"","events":[{events}]}}"#);
    let commit = |reads: &str, streams: &str| {
        format!(
            r#"{{"id":"","attempt":1,"mode":"fact","replica":"","recordedAt":1,"reads":[{reads}],"streams":[{streams}]}}"#
        )
    };
    let many = |item: &str, length: usize| vec![item; length].join(",");
    for commits in [
        many(&commit("", ""), 5_000),
        commit("", &many(&stream(""), 10_000)),
        commit("", &stream(&many(event, 10_000))),
        commit(&many(r#"{"streamId":"","version":1}"#, 10_000), ""),
    ] {
        let text = format!(
            r#"{{"protocol":1,"base":"{}.0.{}","replica":"","commits":[{commits}]}}"#,
            "0".repeat(32),
            "0".repeat(16)
        );
        let request: PushRequest<'_> = parse(&text).expect("is read");
        let ratio = heap(&request.commits) as f64 / text.len() as f64;
        assert!(ratio < 9.0, "{ratio} times the text");
    }
}

#[derive(Debug, Clone)]
struct Pushed {
    id: u8,
    stream: u8,
    expected: u64,
    attempt: u64,
    fact: bool,
    events: usize,
    read: Option<(u8, u64)>,
}

fn any_push() -> impl Strategy<Value = Vec<Pushed>> {
    let read = option::weighted(0.2, (0_u8..3, 0_u64..4));
    let commit = (
        0_u8..12,
        0_u8..3,
        0_u64..6,
        1_u64..3,
        prop::bool::weighted(0.3),
        1_usize..3,
        read,
    );
    let commit = commit.prop_map(|(id, stream, expected, attempt, fact, events, read)| Pushed {
        id,
        stream,
        expected,
        attempt,
        fact,
        events,
        read,
    });
    vec(commit, 0..5)
}

fn body_of(push: &[Pushed]) -> serde_json::Value {
    let commits: Vec<_> = push
        .iter()
        .map(|pushed| {
            let mut made = commit(
                &format!("c{}", pushed.id),
                &format!("s{}", pushed.stream),
                pushed.expected,
            );
            made["attempt"] = pushed.attempt.into();
            made["mode"] = if pushed.fact { "fact" } else { "intent" }.into();
            made["streams"][0]["events"] = vec![crate::space::event("x"); pushed.events].into();
            if let Some((stream, version)) = pushed.read {
                made["reads"] = serde_json::json!([{ "streamId": format!("s{stream}"), "version": version }]);
            }
            made
        })
        .collect();
    body(&Head::first("acme").cursor(crate::space::EPOCH).to_string(), &commits)
}

proptest! {
    /// Whatever is pushed: the log is dense, its versions are dense, each id is there once, its chain holds, what was read
    /// once stays, and a push that is repeated stores nothing.
    #[test]
    fn any_pushes_leave_a_sound_log(pushes in vec(any_push(), 1..12)) {
        let authority = acme();
        let all = PageLimit { commits: usize::MAX, bytes: usize::MAX };
        let mut seen = Vec::new();
        for push in &pushes {
            let text = body_of(push).to_string();
            let request = read_push(text.as_bytes(), authority.limits()).expect("makes sense");
            let answer = block_on(authority.push("acme", "ann", &request, 1, &Everything)).expect("is judged");
            let log = block_on(authority.log().read("acme", 0, all)).expect("is read");
            prop_assert_eq!(&log[..seen.len()], &*seen);
            prop_assert_eq!(log.len(), seen.len() + answer.counts.accepted);

            let again = block_on(authority.push("acme", "ann", &request, 2, &Everything)).expect("is judged");
            prop_assert_eq!(again.head, answer.head, "a repetition stores nothing");
            prop_assert_eq!(again.counts.accepted, 0);
            seen = log;
        }

        let mut check = ChainCheck::new(Head::first("acme"));
        let mut versions = std::collections::HashMap::new();
        let mut ids = std::collections::HashSet::new();
        for stored in &seen {
            let (commit, _) = check.next(stored).expect("continues the chain");
            prop_assert!(ids.insert(commit.id.to_string()));
            for stream in commit.streams.iter().flatten() {
                let version = versions.entry(stream.stream_id.to_string()).or_insert(0);
                prop_assert_eq!(stream.before, Some(Version(*version)));
                *version += stream.events.len() as u64;
            }
        }
        let state = block_on(authority.log().space("acme")).expect("is read").expect("is there");
        prop_assert_eq!(check.end(&state.head), Ok(()));
    }
}
