//! Public keys: in a file, in a set, behind an address.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use everfold_server::settings::Settings;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::running::Running;
use crate::tokens::{Claims, SECRET};

/// Two pairs of keys that were made for these tests and are used nowhere else.
const ONE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJnhOwGpNLss692Aw/WURflK7c9M7hIQeG3Wo97LcTLS
-----END PRIVATE KEY-----
";
const ONE_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAfrLrU0hKaQY9DbuXoJGuFJb4zN3/odhpukNajoXET24=
-----END PUBLIC KEY-----
";
const ONE_X: &str = "frLrU0hKaQY9DbuXoJGuFJb4zN3_odhpukNajoXET24";
const TWO: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIa+op25lOgqyTzi+Jj+3QHmRoPnyuBm2LpAAv4vvyX5
-----END PRIVATE KEY-----
";
const TWO_X: &str = "xkCIffGa2eb3wswLMwQzpGIxrcvG3iuvEC4e6TuMpws";

fn signed(private: &str, id: Option<&str>) -> String {
    let header = Header {
        kid: id.map(str::to_owned),
        ..Header::new(Algorithm::EdDSA)
    };
    Claims::owner("acme").sign_with(&header, &EncodingKey::from_ed_pem(private.as_bytes()).unwrap())
}

fn set(keys: &[(&str, &str)]) -> String {
    let keys = keys.iter().map(|(id, x)| {
        format!(r#"{{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "{id}", "x": "{x}" }}"#)
    });
    format!(r#"{{ "keys": [{}] }}"#, keys.collect::<Vec<_>>().join(","))
}

fn status(server: &Running, token: &str) -> u16 {
    server.get("/v1/spaces/acme", token).status
}

fn only_public(settings: &mut Settings) {
    settings.tokens.secret = None;
}

#[test]
fn a_public_key_lets_in_what_its_private_key_signed() {
    let folder = Arc::new(crate::running::Folder::new());
    let file = folder.write("key.pem", ONE_PUBLIC);
    let server = Running::start_in(
        folder,
        |settings| {
            only_public(settings);
            settings.tokens.public_key = Some(file);
        },
        Arc::new(everfold_server::NoRules),
    );

    assert_eq!(status(&server, &signed(ONE, None)), 200);
    assert_eq!(status(&server, &signed(TWO, None)), 401);
    assert_eq!(
        status(&server, &Claims::owner("acme").sign()),
        401,
        "there is no secret"
    );
    // The old trick: the public key, which everybody has, used as if it were the secret.
    for bytes in [ONE_PUBLIC.as_bytes(), ONE_X.as_bytes()] {
        let confused =
            Claims::owner("acme").sign_with(&Header::new(Algorithm::HS256), &EncodingKey::from_secret(bytes));
        assert_eq!(status(&server, &confused), 401);
    }
}

#[test]
fn a_set_is_read_again_for_a_key_it_does_not_have_and_not_more_than_once_a_minute() {
    let folder = Arc::new(crate::running::Folder::new());
    let file = folder.write("keys.json", &set(&[("one", ONE_X)]));
    let server = Running::start_in(
        Arc::clone(&folder),
        |settings| {
            only_public(settings);
            settings.tokens.jwks = Some(file.display().to_string());
        },
        Arc::new(everfold_server::NoRules),
    );
    assert_eq!(status(&server, &signed(ONE, Some("one"))), 200);
    assert_eq!(
        status(&server, &signed(TWO, Some("one"))),
        401,
        "the id is that of another key"
    );

    folder.write("keys.json", &set(&[("one", ONE_X), ("two", TWO_X)]));
    assert_eq!(status(&server, &signed(TWO, Some("two"))), 200);
    assert_eq!(status(&server, &signed(TWO, None)), 401, "it could be any of two");

    folder.write("keys.json", &set(&[("three", TWO_X)]));
    assert_eq!(
        status(&server, &signed(TWO, Some("three"))),
        401,
        "it was read a moment ago"
    );
    assert_eq!(status(&server, &signed(ONE, Some("one"))), 200);
}

#[test]
fn a_set_behind_an_address_is_fetched_once_for_all_who_need_it() {
    let fetched = Arc::new(AtomicUsize::new(0));
    let body = Arc::new(Mutex::new(set(&[("one", ONE_X)])));
    let issuer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/keys.json", issuer.local_addr().unwrap());
    let (counted, answered) = (Arc::clone(&fetched), Arc::clone(&body));
    std::thread::spawn(move || {
        for stream in issuer.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 2_048]));
            counted.fetch_add(1, Ordering::SeqCst);
            let body = answered.lock().unwrap().clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    let server = Running::with(|settings| {
        only_public(settings);
        settings.tokens.jwks = Some(address);
    });

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(status(&server, &signed(ONE, Some("one"))), 200));
        }
    });
    for id in 0..20 {
        assert_eq!(status(&server, &signed(TWO, Some(&format!("unknown-{id}")))), 401);
    }

    assert_eq!(fetched.load(Ordering::SeqCst), 1);
}

#[test]
fn while_the_set_cannot_be_fetched_nobody_is_told_that_a_token_is_wrong() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Running::with(|settings| settings.tokens.jwks = Some(format!("http://{closed}/keys.json")));
    let ask = |token: &str| server.get("/v1/spaces/acme", token);

    for _ in 0..2 {
        ask(&signed(ONE, Some("one"))).is_problem(503, "engine-unavailable");
    }

    assert_eq!(ask(&Claims::owner("acme").sign()).status, 200, "the secret is known");
    let other = EncodingKey::from_secret(b"another secret, as long as that one is");
    let wrong = Claims::owner("acme").sign_with(&Header::new(Algorithm::HS256), &other);
    ask(&wrong).is_problem(401, "token-invalid");
    ask("nonsense").is_problem(401, "token-invalid");
}

#[test]
fn a_secret_in_a_set_is_none() {
    let folder = Arc::new(crate::running::Folder::new());
    let secret = r#"{ "keys": [{ "kty": "oct", "kid": "one", "k": "YSBzZWNyZXQgb2YgdGhlIHRlc3RzLCBsb25nIGVub3VnaCBmb3IgSFMyNTY" }] }"#;
    let file = folder.write("keys.json", secret);
    let server = Running::start_in(
        folder,
        |settings| {
            only_public(settings);
            settings.tokens.jwks = Some(file.display().to_string());
        },
        Arc::new(everfold_server::NoRules),
    );
    let header = Header {
        kid: Some("one".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let token = Claims::owner("acme").sign_with(&header, &EncodingKey::from_secret(SECRET.as_bytes()));

    assert_eq!(status(&server, &token), 401);
}
