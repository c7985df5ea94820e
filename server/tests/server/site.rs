//! Static files beside the API.

use std::sync::Arc;

use everfold_server::NoRules;

use crate::running::{Folder, Running};

fn with_site() -> Running {
    let folder = Arc::new(Folder::new());
    folder.write("site/index.html", "<p>the page");
    folder.write("site/assets/app-1.js", "go()");
    folder.write("secret.txt", "not for everybody");
    let site = folder.path("site");
    Running::start_in(folder, |settings| settings.site = Some(site), Arc::new(NoRules))
}

#[test]
fn files_are_served_under_a_strict_policy() {
    let server = with_site();
    let page = server.request("GET", "/").send();
    let script = server.request("GET", "/assets/app-1.js").send();

    assert_eq!((page.status, &*page.text), (200, "<p>the page"));
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'self'")
    );
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(script.header("content-type"), Some("text/javascript"));
    assert!(script.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(server.request("GET", "/accounts/7").send().text, "<p>the page");
}

#[test]
fn what_is_not_there_is_not_a_page() {
    let server = with_site();

    server.request("GET", "/missing.js").send().is_problem(404, "not-found");
    server.request("GET", "/v1/other").send().is_problem(404, "not-found");
    server.request("POST", "/").send().is_problem(405, "method");
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
    ] {
        assert!(
            !server.request("GET", path).send().text.contains("not for everybody"),
            "{path}"
        );
    }
}
