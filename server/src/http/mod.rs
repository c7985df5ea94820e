//! The API over HTTP: thin over [`Authority`], which judges.
//!
//! Every answer that is not a success is a problem document, those that the framework would make as well.

mod body;
mod compress;
mod development;
mod health;
mod observe;
mod pages;
mod problem;
mod queue;
mod rates;
mod serve;
mod site;
mod spaces;
mod tail;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use everfold::sync::{Authority, Limits, Rules};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use self::serve::{ServeError, Server};
use crate::access::{Access, Grant};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::sqlite::{Database, SqliteLog};

/// What every handler shares.
pub(crate) struct App {
    settings: Settings,
    limits: Limits,
    access: Arc<Access>,
    database: Arc<Database>,
    /// Over connections that read; pushes have one of their own each, in a transaction.
    authority: Authority<SqliteLog<Arc<Database>>>,
    /// The rules of the app, besides those of the tokens.
    rules: Arc<dyn Rules>,
    metrics: Metrics,
    queue: Arc<queue::Queue>,
    rates: rates::Rates,
    tails: Arc<tail::Tails>,
    pages: pages::Pages,
    stopping: watch::Receiver<bool>,
}

/// The rules of a token and those of the app: both must allow.
struct Granted<'g> {
    grant: &'g Grant,
    app: &'g dyn Rules,
}

impl Rules for Granted<'_> {
    fn may_write(&self, actor: &str, stream_id: &str, event_type: &str) -> bool {
        self.grant.allows(stream_id, event_type) && self.app.may_write(actor, stream_id, event_type)
    }

    fn check_schema(&self, event: &everfold::sync::WireEvent<'_>) -> Result<(), everfold::sync::Problem> {
        self.app.check_schema(event)
    }

    fn needs(&self, commit: &everfold::sync::WireCommit<'_>) -> Vec<String> {
        self.app.needs(commit)
    }

    fn judge(
        &self,
        actor: &str,
        commit: &everfold::sync::WireCommit<'_>,
        streams: &everfold::sync::Streams<'_>,
    ) -> Result<(), everfold::sync::Problem> {
        self.app.judge(actor, commit, streams)
    }
}

/// Everything under one address.
fn router(app: Arc<App>, cors: CorsLayer) -> Router {
    let spaces = Router::new()
        .route("/v1/spaces/{space}", get(spaces::capabilities))
        .route("/v1/spaces/{space}/push", post(spaces::push))
        .route("/v1/spaces/{space}/pull", get(spaces::pull))
        .route("/v1/spaces/{space}/tail", get(tail::tail))
        .route("/v1/spaces/{space}/commits/{id}", get(spaces::outcome));
    let mut router = Router::new()
        .merge(spaces)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    if app.settings.dev {
        router = router.route("/dev/token", post(development::token));
    }
    let site = app.settings.site.clone().map(Arc::<PathBuf>::new);
    router
        .method_not_allowed_fallback(problem::wrong_method)
        .fallback(move |request| site::serve(site, request))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(cors)
        .layer(from_fn_with_state(Arc::clone(&app), observe::observe))
        .with_state(app)
}

/// No cookies are used, so that pages of other origins gain nothing without a token; they are listed all the same.
fn cors(settings: &Settings) -> Result<CorsLayer, ServeError> {
    let listed = settings.origins.iter().map(|origin| {
        let value = HeaderValue::from_str(origin).map_err(|_| ServeError::Origin(origin.clone()))?;
        // As browsers say it, or it would let nobody in.
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        let is_origin =
            !host.is_empty() && !host.contains('/') && !origin.contains(|letter: char| letter.is_uppercase());
        if is_origin {
            Ok(value)
        } else {
            Err(ServeError::Origin(origin.clone()))
        }
    });
    let listed = listed.collect::<Result<Vec<_>, _>>()?;
    let local = settings.dev;
    let allowed = move |origin: &HeaderValue| listed.contains(origin) || (local && is_local(origin));
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| allowed(origin)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            observe::REQUEST_ID,
        ])
        .max_age(std::time::Duration::from_secs(7_200)))
}

/// Another server of a developer, such as that of his page.
fn is_local(origin: &HeaderValue) -> bool {
    let hosts: [&[u8]; 3] = [b"http://localhost", b"http://127.0.0.1", b"http://[::1]"];
    let rest = hosts.iter().find_map(|host| origin.as_bytes().strip_prefix(*host));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b":"))
}
