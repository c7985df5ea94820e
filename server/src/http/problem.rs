//! Problems as answers.

use std::any::Any;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use everfold::sync::{Problem, ProblemKind};

use crate::access::Denied;

/// A problem, on its way to whoever asked.
#[derive(Debug)]
pub(super) struct Answer(pub(super) Problem);

/// The slug of the problem that an answer tells, for the metrics and the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slug(pub(super) &'static str);

impl<T: Into<Problem>> From<T> for Answer {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let problem = self.0;
        // One that is only told of a commit has no status, and does not come here.
        let status = StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let json = HeaderValue::from_static("application/problem+json");
        let mut answer = (status, [(CONTENT_TYPE, json)], problem.to_json()).into_response();
        answer.extensions_mut().insert(Slug(problem.kind.slug()));
        if let Some(seconds) = problem.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            answer
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<Denied> for Answer {
    fn from(denied: Denied) -> Self {
        let kind = match denied {
            Denied::Missing => ProblemKind::TokenMissing,
            Denied::Invalid(_) => ProblemKind::TokenInvalid,
            Denied::Expired => ProblemKind::TokenExpired,
            Denied::Unread => ProblemKind::EngineUnavailable,
            Denied::Space => ProblemKind::SpaceForbidden,
        };
        Self(Problem::new(kind, denied))
    }
}

/// A request that is not what the protocol says.
pub(super) fn malformed(detail: impl std::fmt::Display) -> Answer {
    Answer(Problem::new(ProblemKind::Malformed, detail))
}

/// There is nothing at this address.
pub(super) fn not_found() -> Answer {
    Answer(Problem::new(ProblemKind::NotFound, "there is nothing at this address"))
}

/// The method is not for this address.
pub(super) async fn wrong_method() -> Answer {
    Answer(Problem::new(ProblemKind::Method, "the method is not for this address"))
}

/// A mistake of ours: whoever asked cannot know whether it was done, and asks again.
pub(super) fn broken() -> Answer {
    Answer(Problem::new(
        ProblemKind::EngineUnavailable,
        "the server failed, its log says why",
    ))
}

/// As [`broken`], where a handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "as the layer gives it")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "a request panicked");
    broken().into_response()
}
