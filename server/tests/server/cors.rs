//! Pages of other origins.

use std::sync::Arc;

use everfold_server::{NoRules, ServeError, Server};

use crate::running::{Folder, Reply, Running, settings};
use crate::tokens::Claims;

fn preflight(server: &Running, origin: &str) -> Reply {
    let request = server
        .request("OPTIONS", "/v1/spaces/acme/push")
        .header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request
        .header(
            "access-control-request-headers",
            "authorization,content-type,content-encoding",
        )
        .send()
}

#[test]
fn a_page_of_a_listed_origin_may_ask_and_another_may_not() {
    let server = Running::with(|settings| settings.origins = vec!["https://app.example.org".to_owned()]);

    let listed = preflight(&server, "https://app.example.org");
    let other = preflight(&server, "https://app.example.org.evil.example");

    assert_eq!(listed.status, 200);
    assert_eq!(
        listed.header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    assert_eq!(listed.header("access-control-max-age"), Some("7200"));
    let headers = listed.header("access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "content-encoding", "idempotency-key"] {
        assert!(headers.contains(name), "{headers}");
    }
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(listed.header("access-control-allow-credentials"), None);
}

#[test]
fn problems_can_be_read_by_pages_too() {
    let server = Running::with(|settings| settings.origins = vec!["https://app.example.org".to_owned()]);

    let reply = server
        .request("GET", "/v1/spaces/acme")
        .header("origin", "https://app.example.org")
        .send();

    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://app.example.org")
    );
    // What it sends, and no more.
    assert_eq!(
        reply.header("access-control-expose-headers"),
        Some("retry-after,ratelimit,ratelimit-policy,x-request-id")
    );
}

#[test]
fn an_origin_that_no_browser_says_is_told_at_the_start() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();

    for wrong in [
        "*",
        "app.example.org",
        "https://",
        "https://app.example.org/",
        "https://app.example.org/ledger",
        "https://App.example.org",
    ] {
        let mut settings = settings(&folder.path("data.sqlite3"));
        settings.origins = vec![wrong.to_owned()];

        let bound = runtime.block_on(Server::bind(settings, Arc::new(NoRules)));

        assert!(
            matches!(bound, Err(ServeError::Origin(told)) if told == wrong),
            "{wrong}"
        );
    }
}

#[test]
fn no_origin_is_listed_unless_somebody_lists_it() {
    let server = Running::start();

    assert_eq!(
        preflight(&server, "http://localhost:5173").header("access-control-allow-origin"),
        None
    );
}

#[test]
fn in_development_pages_of_this_machine_may_ask() {
    let server = Running::with(|settings| settings.dev = true);

    let origin = "http://localhost:5173";
    assert_eq!(
        preflight(&server, origin).header("access-control-allow-origin"),
        Some(origin)
    );
    assert_eq!(
        preflight(&server, "http://localhost.evil.example").header("access-control-allow-origin"),
        None
    );
}

#[test]
fn every_answer_names_its_request() {
    let server = Running::start();
    let ask = |id: &str| {
        let request = server
            .request("GET", "/v1/spaces/acme")
            .token(&Claims::owner("acme").sign());
        request
            .header("x-request-id", id)
            .send()
            .header("x-request-id")
            .unwrap()
            .to_owned()
    };

    assert_eq!(ask("mine-7"), "mine-7");
    assert_eq!(ask(&"x".repeat(65)).len(), 16);
    assert_ne!(ask("with space"), "with space");
}
