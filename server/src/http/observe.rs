//! One line in the log and one count in the metrics for each request, under an id that the answer names.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, info, info_span};

use super::App;
use super::problem::Slug;

/// The id of a request, the caller's own if it sends one.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST_ID: usize = 64;

pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = info_span!("request", id = id.to_str().unwrap_or_default());
    let started = Instant::now();

    let mut answer = next.run(request).instrument(span.clone()).await;

    let took = started.elapsed();
    let slug = answer.extensions().get::<Slug>().map(|slug| slug.0);
    let status = answer.status().as_u16();
    app.metrics.answered(&route, status, slug, took);
    span.in_scope(|| {
        let milliseconds = took.as_secs_f64() * 1_000.0;
        info!(%method, path, status, problem = slug, milliseconds, "answered");
    });
    answer.headers_mut().insert(REQUEST_ID, id);
    answer
}

fn id_of(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|given| {
        let bytes = given.as_bytes();
        (1..=LONGEST_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        let random = getrandom::u64().unwrap_or_default();
        HeaderValue::from_str(&format!("{random:016x}")).unwrap_or(HeaderValue::from_static("none"))
    })
}
