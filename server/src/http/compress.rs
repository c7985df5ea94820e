//! Answers, gzipped where that helps.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, FORWARDED, VARY};
use axum::http::request::Parts;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::App;
use super::spaces::json;
use crate::settings::Compress;

/// Shorter answers are not worth it.
const WORTH_IT: usize = 1_024;

/// Whether an answer is to be gzipped if it is long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Gzip,
    Plain,
}

impl FromRequestParts<Arc<App>> for Wish {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        // Over the loopback, packing takes longer than sending. A proxy also asks from there, and says for whom.
        let proxied = parts.headers.contains_key(FORWARDED) || parts.headers.contains_key("x-forwarded-for");
        let near = parts
            .extensions
            .get::<SocketAddr>()
            .is_some_and(|peer| peer.ip().is_loopback());
        let wanted = match app.settings.compress {
            Compress::On => true,
            Compress::Off => false,
            Compress::Auto => proxied || !near,
        };
        let accepted = parts.headers.get(ACCEPT_ENCODING).is_some_and(accepts_gzip);
        Ok(if wanted && accepted { Self::Gzip } else { Self::Plain })
    }
}

fn accepts_gzip(accepted: &HeaderValue) -> bool {
    let accepted = String::from_utf8_lossy(accepted.as_bytes())
        .to_ascii_lowercase()
        .replace(' ', "");
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name == "gzip" && !refused
    })
}

/// An answer of this text.
pub(super) fn compress(text: Bytes, wish: Wish) -> Response {
    if wish == Wish::Plain || text.len() < WORTH_IT {
        return json(text);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::fast());
    let packed = encoder.write_all(&text).and_then(|()| encoder.finish());
    // Writing to memory does not fail; if it did, the text is still there.
    let Ok(packed) = packed else { return json(text) };
    let mut answer = json(packed.into());
    answer
        .headers_mut()
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_when_it_is_named_and_not_refused() {
        let cases = [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("GZIP", true),
            ("gzip; q=0", false),
            ("br", false),
            ("", false),
            ("x-gzip-not", false),
        ];
        for (header, expected) in cases {
            assert_eq!(accepts_gzip(&HeaderValue::from_static(header)), expected, "{header:?}");
        }
    }
}
