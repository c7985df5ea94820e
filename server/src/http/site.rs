//! A folder of static files beside the API: the demo, an app.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

use super::problem::{Answer, not_found, wrong_method};

/// `'wasm-unsafe-eval'` is the one exception that any page with WebAssembly needs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:",
);

/// Paths without an extension that name no file get `index.html`, so that an address inside an app can be opened.
pub(super) async fn serve(site: Option<Arc<PathBuf>>, request: Request) -> Result<Response, Answer> {
    let path = request.uri().path().to_owned();
    let Some(folder) = site.filter(|_| !is_api(&path)) else {
        return Err(not_found());
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(wrong_method().await.into_response());
    }
    let is_page = Path::new(&path).extension().is_none();
    let index = ServeFile::new(folder.join("index.html"));
    let answer = if is_page {
        let files = ServeDir::new(&*folder)
            .append_index_html_on_directories(true)
            .fallback(index);
        files.oneshot(request).await.map(|answer| answer.map(Body::new))
    } else {
        ServeDir::new(&*folder)
            .oneshot(request)
            .await
            .map(|answer| answer.map(Body::new))
    };
    let mut answer = answer.unwrap_or_else(|never| match never {});
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(not_found());
    }
    // Names with a hash never change; everything else is asked for again, so that an update is seen.
    let keep = if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(answer)
}

/// A wrong address of the API must not look like a page.
fn is_api(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    matches!(parts.next(), Some("v1" | "dev"))
}
