//! The calls of a space, but for its tail.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use everfold::sync::{
    Authority, Cursor, Epoch, LogError, PageLimit, Problem, ProblemKind, Pushed, SpaceLog, is_space_name, read_cursor,
    read_push,
};
use futures_util::FutureExt;
use tokio::task::spawn_blocking;

use super::body::{BodyLimits, check_length, drain, read_json};
use super::compress::{Wish, compress};
use super::problem::{Answer, broken, malformed, not_found};
use super::{App, Granted};
use crate::access::Grant;

type Shared = State<Arc<App>>;
type Named = Result<Path<String>, PathRejection>;

pub(super) async fn capabilities(State(app): Shared, space: Named, headers: HeaderMap) -> Result<Response, Answer> {
    let (space, _) = enter(&app, space, &headers).await?;
    check_accept(&headers, "application/json")?;
    let text = blocking(&app, move |app| {
        app.in_space(&space, |app| ready(app.authority.capabilities(&space, now())))
    })
    .await?;
    Ok(json(text.into()))
}

pub(super) async fn pull(
    State(app): Shared,
    space: Named,
    RawQuery(query): RawQuery,
    wish: Wish,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    let (space, _) = enter(&app, space, &headers).await?;
    check_accept(&headers, "application/json")?;
    let query = Query::read(query.as_deref())?;
    let (after, limit) = (query.after()?, query.limit(&app)?);
    let page = blocking(&app, move |app| {
        let page = app.in_space(&space, |app| ready(app.authority.pull(&space, after.as_ref(), limit)))?;
        Ok(compress(page.text.into(), wish))
    })
    .await?;
    Ok(page)
}

pub(super) async fn outcome(
    State(app): Shared,
    names: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    let Path((space, id)) = names.map_err(|_| not_found())?;
    let (space, _) = enter(&app, Ok(Path(space)), &headers).await?;
    check_accept(&headers, "application/json")?;
    let text = blocking(&app, move |app| {
        app.in_space(&space, |app| ready(app.authority.outcome(&space, &id)))
    })
    .await?;
    Ok(json(text.into()))
}

pub(super) async fn push(
    State(app): Shared,
    space: Named,
    wish: Wish,
    request: Request<Body>,
) -> Result<Response, Answer> {
    let (head, mut body) = request.into_parts();
    match read_body(&app, space, &head.headers, &mut body).await {
        Err(refused) => {
            drain(&mut body).await;
            Err(refused)
        }
        Ok((space, grant, body)) => {
            blocking(&app, move |app| {
                let mut rates = HeaderMap::new();
                let mut answer = match judge(app, &space, &grant, &body, &mut rates) {
                    Ok(pushed) => {
                        app.metrics.pushed(body.len(), pushed.counts);
                        compress(pushed.text.into(), wish)
                    }
                    Err(problem) => Answer(problem).into_response(),
                };
                answer.headers_mut().extend(rates);
                Ok(answer)
            })
            .await
        }
    }
}

/// What is checked before a push is read, and then its body.
async fn read_body(
    app: &App,
    space: Named,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<(String, Grant, Vec<u8>), Answer> {
    check_length(headers, &app.limits)?;
    let (space, grant) = enter(app, space, headers).await?;
    check_accept(headers, "application/json")?;
    let limits = BodyLimits {
        announced: app.limits,
        inflation: app.settings.limits.inflation,
        pause: Duration::from_secs(app.settings.limits.body_seconds),
    };
    Ok((space, grant, read_json(headers, body, limits).await?))
}

fn judge(app: &App, space: &str, grant: &Grant, body: &[u8], rates: &mut HeaderMap) -> Result<Pushed, Problem> {
    let request = read_push(body, &app.limits)?;
    // The first of these, even without commits, keeps all others from writing.
    if request.adopt.is_some() && !grant.allows_something() {
        let detail = "the token allows nothing to be written to this space";
        return Err(Problem::new(ProblemKind::SpaceForbidden, detail));
    }
    // Somebody's device, so that nobody stands in the way of those of others by their names.
    let (replica, at) = (format!("{}\0{}", grant.actor, request.replica), Instant::now());
    let _turn = app.queue.enter(space, &replica, body.len())?;
    let taken = app.rates.take(space, &replica, request.commits.len(), body.len(), at);
    *rates = app.rates.headers(space, &replica, at);
    taken?;
    let _counted = Counted::new(&app.metrics.pushes);
    let (actor, rules) = (
        &*grant.actor,
        Granted {
            grant,
            app: &*app.rules,
        },
    );
    if request.commits.is_empty() && request.adopt.is_none() {
        return app.in_space(space, |app| {
            ready(app.authority.push(space, actor, &request, now(), &rules))
        });
    }
    app.in_space(space, |app| {
        app.database.alone(|log| {
            let authority = Authority::new(log, app.limits);
            ready(authority.push(space, actor, &request, now(), &rules))
        })
    })
}

/// One more, until it is dropped.
pub(super) struct Counted(prometheus_client::metrics::gauge::Gauge);

impl Counted {
    pub(super) fn new(gauge: &prometheus_client::metrics::gauge::Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What comes before everything else: the name of the space, and a token for it.
pub(super) async fn enter(app: &App, space: Named, headers: &HeaderMap) -> Result<(String, Grant), Answer> {
    let Path(space) = space.map_err(|_| not_found())?;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let grant = app.access.check(token, &space).await?;
    if !is_space_name(&space) {
        let detail = "a space is 1 to 128 of A-Z a-z 0-9 . _ -, not . or ..";
        return Err(Answer(Problem::new(ProblemKind::SpaceUnknown, detail)));
    }
    Ok((space, grant))
}

/// Whether whoever asks takes an answer of this kind.
pub(super) fn check_accept(headers: &HeaderMap, kind: &str) -> Result<(), Answer> {
    let Some(accepted) = headers.get(ACCEPT) else {
        return Ok(());
    };
    let accepted = String::from_utf8_lossy(accepted.as_bytes()).to_ascii_lowercase();
    let group = format!("{}/*", kind.split_once('/').map_or(kind, |(group, _)| group));
    let fits = accepted.split(',').any(|range| {
        let name = range.split(';').next().unwrap_or(range).trim();
        let refused = range.replace(' ', "").ends_with(";q=0");
        !refused && (name == "*/*" || name == group || name == kind)
    });
    if fits {
        return Ok(());
    }
    Err(Answer(Problem::new(
        ProblemKind::NotAcceptable,
        format!("the answer is {kind}"),
    )))
}

/// The part of an address after `?`. What is not known is passed over.
pub(super) struct Query<'q>(HashMap<Cow<'q, str>, Cow<'q, str>>);

impl<'q> Query<'q> {
    pub(super) fn read(query: Option<&'q str>) -> Result<Self, Answer> {
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if let Some(twice) = fields.insert(name.clone(), value) {
                return Err(malformed(format!("{name} is given twice, once as {twice}")));
            }
        }
        Ok(Self(fields))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Answer> {
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|_| malformed(format!("{name} is not a whole number")))
        };
        self.text(name).map(parse).transpose()
    }

    pub(super) fn after(&self) -> Result<Option<Cursor>, Answer> {
        Ok(self.text("after").map(read_cursor).transpose()?)
    }

    fn limit(&self, app: &App) -> Result<PageLimit, Answer> {
        Ok(app.limits.page(self.number("limit")?, self.number("maxBytes")?))
    }
}

impl App {
    /// Does something in a space, which is made first if it is not there and the settings say so.
    pub(super) fn in_space<T>(&self, space: &str, work: impl Fn(&Self) -> Result<T, Problem>) -> Result<T, Problem> {
        match work(self) {
            Err(problem) if problem.kind == ProblemKind::SpaceUnknown && self.settings.create_spaces => {
                let mut epoch = [0; 16];
                getrandom::fill(&mut epoch).map_err(|error| LogError::Unavailable(error.to_string()))?;
                self.database.alone(|log| Ok(ready(log.create(space, Epoch(epoch)))?))?;
                work(self)
            }
            done => done,
        }
    }
}

/// Runs what waits for the disk where it may.
pub(super) async fn blocking<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Arc<App>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Answer> {
    let app = Arc::clone(app);
    match spawn_blocking(move || work(&app)).await {
        Ok(done) => Ok(done?),
        Err(error) => {
            tracing::error!(%error, "a request failed");
            Err(broken())
        }
    }
}

/// What a future over SQLite gives, which is ready when it is made.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("logs over SQLite answer at once")
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

/// An answer that nobody keeps.
pub(super) fn json(text: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text).into_response()
}
