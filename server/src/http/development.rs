//! Tokens for whoever asks. Only there when the server runs for development.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use everfold::sync::Limits;

use super::App;
use super::body::{BodyLimits, read_json};
use super::problem::{Answer, malformed};
use super::spaces::json;
use crate::access::TokenWish;

pub(super) async fn token(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Answer> {
    let (head, mut body) = request.into_parts();
    let announced = Limits {
        push_bytes: 16 << 10,
        ..app.limits
    };
    let limits = BodyLimits {
        announced,
        inflation: 20,
        pause: Duration::from_secs(10),
    };
    let body = read_json(&head.headers, &mut body, limits).await?;
    let wish: TokenWish = serde_json::from_slice(&body).map_err(malformed)?;
    let token = wish.sign(&app.settings.tokens).map_err(malformed)?;
    Ok(json(serde_json::json!({ "token": token }).to_string().into()))
}
