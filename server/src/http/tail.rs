//! The tail: what is confirmed, as it comes, as server-sent events or one answer at a time.
//!
//! A tail is told that there is something and reads it from its own place, so that one that is slow costs nothing but
//! its connection. When it is more than a page behind it is told to pull.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use everfold::sync::{Cursor, Problem, ProblemKind};
use futures_util::FutureExt;
use futures_util::stream::unfold;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::App;
use super::compress::{Wish, compress};
use super::pages::{LastPage, Page};
use super::problem::Answer;
use super::spaces::{Counted, Query, check_accept, enter, json};
use crate::access::Grant;

/// Seconds that one answer may be waited for.
const LONGEST_WAIT: u64 = 60;

pub(super) async fn tail(
    State(app): State<Arc<App>>,
    space: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    wish: Wish,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    let (space, grant) = enter(&app, space, &headers).await?;
    let query = Query::read(query.as_deref())?;
    let (after, wait) = (query.after()?, query.number::<u64>("wait")?);
    check_accept(
        &headers,
        if wait.is_some() {
            "application/json"
        } else {
            "text/event-stream"
        },
    )?;
    let seat = app.tails.sit(&space, &grant.actor, query.text("replica"))?;
    let mut tail = Tail::new(app, space, after, &grant, seat);
    if let Some(seconds) = wait {
        return tail.answer(Duration::from_secs(seconds.min(LONGEST_WAIT)), wish).await;
    }
    // What is wrong with the place is told with a status, before anything has been sent.
    tail.page().await?;
    let events = unfold(tail, |mut tail| async move {
        Some((Ok::<_, Infallible>(tail.next().await?), tail))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Proxies that gather answers would keep events back.
        (axum::http::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// One reader.
struct Tail {
    app: Arc<App>,
    space: String,
    place: Option<Cursor>,
    last_page: Arc<LastPage>,
    head: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    seat: Seat,
    /// When its token is none any more.
    expires: Instant,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has been sent.
    New,
    /// There may be commits after its place, since before it came.
    Behind,
    /// There may be commits after its place.
    Told,
    /// It has everything.
    Waiting,
    Ended,
}

impl Tail {
    fn new(app: Arc<App>, space: String, place: Option<Cursor>, grant: &Grant, seat: Seat) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let left = grant.expires_at.saturating_sub(now).min(365 * 86_400);
        Self {
            last_page: app.pages.of(&space),
            head: app.database.heads().watch(&space),
            stopping: app.stopping.clone(),
            expires: Instant::now() + Duration::from_secs(left),
            app,
            space,
            place,
            seat,
            progress: Progress::New,
        }
    }

    /// What is after its place.
    async fn page(&mut self) -> Result<Arc<Page>, Answer> {
        let seen = *self.head.borrow_and_update();
        self.last_page.read(&self.app, &self.space, self.place, seen).await
    }

    /// The next part of the stream, as soon as there is one; none at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // Who is far behind, or reads slowly, never waits.
            if self.is_over() {
                return None;
            }
            match self.progress {
                Progress::Ended => return None,
                Progress::New => {
                    self.progress = Progress::Behind;
                    // So that the reader, and every proxy before it, sees that it is open.
                    return Some(COMMENT);
                }
                Progress::Behind | Progress::Told => {
                    let page = self.page().await.ok()?;
                    if page.commits == 0 {
                        self.progress = Progress::Waiting;
                        continue;
                    }
                    let is_slow = self.progress == Progress::Told && page.more;
                    let Some(event) = page.event().filter(|_| !is_slow) else {
                        self.progress = Progress::Ended;
                        return Some(RESYNC);
                    };
                    self.place = Some(page.cursor);
                    if !page.more {
                        self.progress = Progress::Waiting;
                    }
                    return Some(event);
                }
                Progress::Waiting => {
                    let heartbeat = Duration::from_secs(self.app.settings.limits.heartbeat);
                    if !self.wait(heartbeat).await? {
                        return Some(COMMENT);
                    }
                    self.progress = Progress::Told;
                }
            }
        }
    }

    /// One answer: as soon as there is something, or after a time.
    async fn answer(&mut self, wait: Duration, wish: Wish) -> Result<Response, Answer> {
        let until = Instant::now() + wait;
        loop {
            let page = self.page().await?;
            let left = until.saturating_duration_since(Instant::now());
            if page.commits > 0 || left.is_zero() {
                return Ok(compress(page.text.clone(), wish));
            }
            if self.wait(left).await.is_none() {
                return Ok(json(page.text.clone()));
            }
        }
    }

    /// Whether it is to end, whatever there is to read.
    fn is_over(&self) -> bool {
        *self.stopping.borrow() || self.seat.is_taken() || self.expires <= Instant::now()
    }

    /// Waits for commits: whether there are some, none if the tail is to end.
    async fn wait(&mut self, at_most: Duration) -> Option<bool> {
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => None,
            () = self.seat.taken() => None,
            () = sleep_until(self.expires) => None,
            moved = self.head.changed() => moved.ok().map(|()| true),
            () = sleep(at_most) => Some(false),
        }
    }
}

const COMMENT: Bytes = Bytes::from_static(b":\n\n");
const RESYNC: Bytes = Bytes::from_static(b"event: resync\ndata: {}\n\n");

/// Who tails.
#[derive(Debug)]
pub(super) struct Tails {
    at_most: usize,
    open: prometheus_client::metrics::gauge::Gauge,
    replicas: Mutex<HashMap<Reader, Arc<Notify>>>,
}

/// A device in a space, of somebody: nobody can end the tails of others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reader {
    space: String,
    actor: String,
    replica: String,
}

/// The place of a tail. It is free again when this is dropped.
struct Seat {
    tails: Arc<Tails>,
    reader: Option<Reader>,
    taken: Arc<Notify>,
    _counted: Counted,
}

impl Tails {
    pub(super) fn new(at_most: usize, open: prometheus_client::metrics::gauge::Gauge) -> Arc<Self> {
        Arc::new(Self {
            at_most,
            open,
            replicas: Mutex::default(),
        })
    }

    /// A place for a tail. The one that the same device had before ends: its place is not counted, unless very many of
    /// them take their time.
    fn sit(self: &Arc<Self>, space: &str, actor: &str, replica: Option<&str>) -> Result<Seat, Problem> {
        let taken = Arc::new(Notify::new());
        let reader = replica.map(|replica| Reader {
            space: space.to_owned(),
            actor: actor.to_owned(),
            replica: replica.to_owned(),
        });
        let mut replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let has_one = reader.as_ref().is_some_and(|reader| replicas.contains_key(reader));
        if self.open.get() >= (self.at_most as i64) << u32::from(has_one) {
            let detail = format!("{} tails are open, more are not allowed", self.at_most);
            return Err(Problem::new(ProblemKind::Overloaded, detail));
        }
        if let Some(reader) = &reader
            && let Some(older) = replicas.insert(reader.clone(), Arc::clone(&taken))
        {
            older.notify_one();
        }
        Ok(Seat {
            tails: Arc::clone(self),
            reader,
            taken,
            _counted: Counted::new(&self.open),
        })
    }
}

impl Seat {
    async fn taken(&self) {
        self.taken.notified().await;
    }

    /// Whether it is taken. Says so once.
    fn is_taken(&self) -> bool {
        self.taken().now_or_never().is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(reader) = &self.reader else { return };
        let mut replicas = self.tails.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        if replicas
            .get(reader)
            .is_some_and(|taken| Arc::ptr_eq(taken, &self.taken))
        {
            replicas.remove(reader);
        }
    }
}
