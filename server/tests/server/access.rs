//! Who is let in, and to what: a table of tokens, and one of roles, spaces, streams, types and operations.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::commits::{commit, event, push_of};
use crate::running::{Reply, Running};
use crate::tokens::{self, AUDIENCE, Claims, ISSUER, now};

fn capabilities(server: &Running, authorization: &str) -> Reply {
    server
        .request("GET", "/v1/spaces/acme")
        .header("authorization", authorization)
        .send()
}

#[test]
fn a_token_that_is_not_right_in_every_way_lets_nobody_in() {
    let server = Running::start();
    let good = Claims::owner("acme");
    let secret = EncodingKey::from_secret(tokens::SECRET.as_bytes());
    let (head, rest) = {
        let token = good.sign();
        let (head, rest) = token
            .split_once('.')
            .map(|(head, rest)| (head.to_owned(), rest.to_owned()))
            .unwrap();
        (head, rest)
    };
    let payload = rest.split('.').next().unwrap();
    // {"typ":"JWT","alg":"none"}, and the same with another spelling.
    let none = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{payload}.");
    let capital_none = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJOT05FIn0.{payload}.");
    let cases: Vec<(&str, String, &str)> = vec![
        ("unsigned", none, "token-invalid"),
        ("unsigned in capitals", capital_none, "token-invalid"),
        ("without its signature", format!("{head}.{payload}."), "token-invalid"),
        ("without two of its parts", head.clone(), "token-invalid"),
        ("not a token", "hello".to_owned(), "token-invalid"),
        (
            "with another payload",
            format!("{head}.{}x.{}", payload, rest.split('.').nth(1).unwrap()),
            "token-invalid",
        ),
        (
            "signed with another secret",
            good.sign_with(
                &Header::new(Algorithm::HS256),
                &EncodingKey::from_secret(b"another secret, as long as that one is"),
            ),
            "token-invalid",
        ),
        (
            "with an algorithm not allowed",
            good.sign_with(&Header::new(Algorithm::HS512), &secret),
            "token-invalid",
        ),
        (
            "expired",
            good.clone().with("exp", json!(now() - 62)).sign(),
            "token-expired",
        ),
        ("without an end", good.clone().without("exp").sign(), "token-invalid"),
        (
            "with an end that is no number",
            good.clone().with("exp", json!("never")).sign(),
            "token-invalid",
        ),
        (
            "not valid yet",
            good.clone().with("nbf", json!(now() + 90)).sign(),
            "token-invalid",
        ),
        (
            "of another issuer",
            good.clone().with("iss", json!("https://other.test")).sign(),
            "token-invalid",
        ),
        ("of no issuer", good.clone().without("iss").sign(), "token-invalid"),
        (
            "for another audience",
            good.clone().with("aud", json!("others")).sign(),
            "token-invalid",
        ),
        ("for no audience", good.clone().without("aud").sign(), "token-invalid"),
        ("of nobody", good.clone().without("sub").sign(), "token-invalid"),
        (
            "of nobody in particular",
            good.clone().with("sub", json!("")).sign(),
            "token-invalid",
        ),
        (
            "with spaces that are none",
            good.clone().with("spaces", json!(["acme"])).sign(),
            "token-invalid",
        ),
        (
            "with rules that are none",
            Claims::new("ann", &json!({ "acme": { "write": "*" } })).sign(),
            "token-invalid",
        ),
        ("for another space", Claims::owner("other").sign(), "space-forbidden"),
        ("for no space", good.clone().without("spaces").sign(), "space-forbidden"),
    ];
    for (what, token, slug) in cases {
        let reply = capabilities(&server, &format!("Bearer {token}"));
        assert_eq!(reply.slug(), slug, "a token {what}");
        assert_eq!(
            reply.status,
            if slug == "space-forbidden" { 403 } else { 401 },
            "a token {what}"
        );
    }
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let server = Running::start();
    let ended = Claims::owner("acme").with("exp", json!(now() - 40));
    let begins = Claims::owner("acme").with("nbf", json!(now() + 40));
    let several = Claims::owner("acme")
        .with("aud", json!(["others", AUDIENCE]))
        .with("iss", json!(ISSUER));

    for claims in [ended, begins, several] {
        assert_eq!(
            capabilities(&server, &format!("Bearer {}", claims.sign())).status,
            200,
            "{}",
            claims.0
        );
    }
}

#[test]
fn only_a_bearer_token_is_one() {
    let server = Running::start();
    let token = Claims::owner("acme").sign();

    server
        .request("GET", "/v1/spaces/acme")
        .send()
        .is_problem(401, "token-missing");
    for authorization in ["", "Bearer", "Bearer ", "Basic YTpi", &token] {
        capabilities(&server, authorization).is_problem(401, "token-missing");
    }
    let in_the_address = server
        .request("GET", &format!("/v1/spaces/acme?token={token}&access_token={token}"))
        .send();
    in_the_address.is_problem(401, "token-missing");
    assert_eq!(in_the_address.header("www-authenticate"), Some("Bearer"));
    assert_eq!(capabilities(&server, &format!("bearer {token}")).status, 200);
}

const SPACES: [&str; 3] = ["acme", "acme-2", "other"];
const STREAMS: [&str; 4] = ["account-1", "limit-1", "note-1", "my-account-1"];
const TYPES: [&str; 4] = ["account.money_deposited", "account.opened", "limit.raised", "x"];

/// Somebody, by what the token claims, and what that is to allow: spaces, and events of a type in a stream.
type Case = (&'static str, Value, fn(&str) -> bool, fn(&str, &str) -> bool);

/// What each of them may, written out.
fn table() -> Vec<Case> {
    vec![
        (
            "owner",
            json!({ "acme": { "write": ["*"] } }),
            |space| space == "acme",
            |_, _| true,
        ),
        ("reader", json!({ "acme": {} }), |space| space == "acme", |_, _| false),
        ("nobody", json!({}), |_| false, |_, _| false),
        (
            "teller",
            json!({ "acme": { "roles": ["teller"] } }),
            |space| space == "acme",
            |stream, event_type| stream == "account-1" && event_type == "account.money_deposited",
        ),
        (
            "of a role that is not there",
            json!({ "acme": { "roles": ["owner"] } }),
            |space| space == "acme",
            |_, _| false,
        ),
        (
            "writer of notes, and teller",
            json!({ "acme": { "write": ["note-*"], "roles": ["teller"] } }),
            |space| space == "acme",
            |stream, event_type| {
                stream == "note-1" || (stream == "account-1" && event_type == "account.money_deposited")
            },
        ),
        (
            "raiser of limits",
            json!({ "acme": { "write": [{ "streams": "limit-*", "types": ["limit.raised"] }] } }),
            |space| space == "acme",
            |stream, event_type| stream == "limit-1" && event_type == "limit.raised",
        ),
        (
            "writer of nothing, by a rule without types",
            json!({ "acme": { "write": [{ "streams": "*", "types": [] }] } }),
            |space| space == "acme",
            |_, _| false,
        ),
        (
            "everywhere but in acme, where less is said",
            json!({ "*": { "write": ["*"] }, "acme": {} }),
            |_| true,
            |_, _| true,
        ),
    ]
}

#[test]
fn everybody_may_what_the_table_says_and_nothing_else() {
    let teller = r#"write = [{ streams = "account-*", types = ["account.money_*"] }]"#;
    let server = Running::with(|settings| {
        settings
            .roles
            .insert("teller".to_owned(), toml::from_str(teller).unwrap());
    });
    for space in SPACES {
        server.push(space, &push_of(&server.cursor(space), &[commit("known", "seed", 0)]));
    }
    let mut made = 0;
    for (name, claims, may_enter, may_write) in table() {
        let token = Claims::new(name, &claims).sign();
        for space in SPACES {
            for path in ["", "/pull", "/tail?wait=0", "/commits/known"] {
                let reply = server.get(&format!("/v1/spaces/{space}{path}"), &token);
                let expected = if may_enter(space) { 200 } else { 403 };
                assert_eq!(reply.status, expected, "{name} in {space}{path}: {}", reply.text);
            }
            let base = server.cursor(space);
            for (stream, event_type) in STREAMS
                .iter()
                .flat_map(|stream| TYPES.map(|event_type| (*stream, event_type)))
            {
                made += 1;
                let id = format!("of-{made}");
                let mut fact = commit(&id, stream, 0);
                fact["mode"] = json!("fact");
                fact["streams"][0]["events"][0]["type"] = json!(event_type);
                fact["streams"][0].as_object_mut().unwrap().remove("expectedVersion");
                let push = server
                    .request("POST", &format!("/v1/spaces/{space}/push"))
                    .token(&token);
                let reply = push.json(&push_of(&base, &[fact])).send();
                let told = format!("{name} writes {event_type} to {stream} in {space}: {}", reply.text);
                if !may_enter(space) {
                    assert_eq!(reply.status, 403, "{told}");
                } else if name.starts_with("everywhere") && space == "acme" || !may_write(stream, event_type) {
                    let result = &reply.json()["results"][0];
                    assert_eq!(result["status"], "refused", "{told}");
                    assert_eq!(
                        result["problem"]["type"], "urn:everfold:problem:write-forbidden",
                        "{told}"
                    );
                } else {
                    assert_eq!(reply.json()["results"][0]["status"], "accepted", "{told}");
                }
            }
        }
    }
}

#[test]
fn who_may_write_nothing_holds_no_space() {
    let server = Running::start();
    let base = server.cursor("acme");
    let mut claim = push_of(&base, &[]);
    claim["adopt"] = json!("more");
    claim["replica"] = json!("of the reader");
    let no_type = json!({ "acme": { "write": [{ "streams": "*", "types": [] }] } });

    for claims in [json!({ "acme": {} }), no_type] {
        let request = server.request("POST", "/v1/spaces/acme/push");
        let token = Claims::new("reader", &claims).sign();
        request
            .token(&token)
            .json(&claim)
            .send()
            .is_problem(403, "space-forbidden");
    }

    assert_eq!(server.capabilities("acme")["claimedBy"], Value::Null);
    assert_eq!(
        server
            .push("acme", &push_of(&base, &[commit("c-1", "note-1", 0)]))
            .status,
        200
    );
}

#[test]
fn one_event_that_may_not_be_written_keeps_the_whole_commit_out() {
    let server = Running::start();
    let token = Claims::new("bob", &json!({ "acme": { "write": ["account-*"] } })).sign();
    let mut transfer = commit("t-1", "account-1", 0);
    let other = json!({ "streamId": "limit-1", "expectedVersion": 0, "events": [event("limit.raised", &json!({}))] });
    transfer["streams"].as_array_mut().unwrap().push(other);

    let push = push_of(&server.cursor("acme"), &[transfer, commit("t-2", "account-2", 0)]);
    let answer = server
        .request("POST", "/v1/spaces/acme/push")
        .token(&token)
        .json(&push)
        .send()
        .json();

    assert_eq!(answer["results"][0]["status"], "refused");
    assert_eq!(
        answer["results"][1],
        json!({ "id": "t-2", "status": "not-attempted", "because": "t-1" })
    );
    assert_eq!(server.number("acme"), 0);
}

#[test]
fn the_server_says_who_wrote_and_not_the_one_who_writes() {
    let server = Running::start();
    let mut forged = commit("c-1", "account-1", 0);
    forged["actor"] = json!("the director");
    forged["receivedAt"] = json!(1);
    forged["number"] = json!(77);

    server.push("acme", &push_of(&server.cursor("acme"), &[forged]));

    let stored = &server.commits("acme")[0];
    assert_eq!(stored["actor"], "ann");
    assert_eq!(stored["number"], 1);
    assert!(stored["receivedAt"].as_i64().unwrap() > 1_790_000_000_000);
}
