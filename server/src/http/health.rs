//! For those who watch the server.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use everfold::sync::{Problem, ProblemKind};

use super::App;
use super::problem::Answer;
use super::spaces::blocking;

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The file can be read, and the server does not stop.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Answer> {
    if *app.stopping.borrow() {
        return Err(Answer(Problem::new(ProblemKind::Overloaded, "the server stops")));
    }
    blocking(&app, |app| Ok(app.database.is_readable()?)).await?;
    Ok("ok\n")
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.text()).into_response()
}
