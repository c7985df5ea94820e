//! Reading the body of a push, which may be gzipped, without ever holding more of it than is allowed.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use everfold::sync::{Limits, Problem, ProblemKind};
use flate2::write::GzDecoder;
use http_body_util::BodyExt;

use super::problem::{Answer, malformed};

/// A body this long is read whatever it was before it was inflated: no commit that fits the limits is longer, and it
/// must be possible to push each.
const ALWAYS_INFLATED: usize = 1 << 20;

/// Bytes of a refused body that are read all the same, and what between two of its parts is a pause.
const DRAINED: usize = 32 << 20;
const A_PAUSE: Duration = Duration::from_millis(500);

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Those that clients are told, bytes among them.
    pub(super) announced: Limits,
    /// How many times larger than what was sent.
    pub(super) inflation: usize,
    /// The longest pause between two parts.
    pub(super) pause: Duration,
}

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    TooLong,
    Inflates,
    NotGzip,
}

/// Refuses a body by its headers, before anything else is looked at.
pub(super) fn check_length(headers: &HeaderMap, limits: &Limits) -> Result<(), Answer> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match length {
        Some(length) if length > limits.push_bytes => Err(too_large(limits)),
        _ => Ok(()),
    }
}

/// The body of a request that says that it is JSON.
pub(super) async fn read_json(headers: &HeaderMap, body: &mut Body, limits: BodyLimits) -> Result<Vec<u8>, Answer> {
    let mut inflating = Inflating::new(is_gzipped(headers)?, limits);
    if !is_json(headers) {
        return Err(encoding("the body is application/json, and says so"));
    }
    loop {
        let frame = match tokio::time::timeout(limits.pause, body.frame()).await {
            Err(_) => return Err(timeout("the body did not go on")),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(malformed("the body was cut off")),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Some(part) = frame.data_ref() {
            inflating.put(part).map_err(|refused| answer(refused, limits))?;
        }
    }
    inflating.end().map_err(|refused| answer(refused, limits))
}

/// Reads what is left of a body that nobody wants, as most clients hear no answer before they have sent all of theirs.
/// Who pauses listens; and a connection that brings more than is reasonable is closed.
pub(super) async fn drain(body: &mut Body) {
    let mut left = DRAINED;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(A_PAUSE, body.frame()).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn is_gzipped(headers: &HeaderMap) -> Result<bool, Answer> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let gzipped = match encodings
        .next()
        .map(|encoding| encoding.as_bytes().to_ascii_lowercase())
    {
        None => false,
        Some(encoding) if encoding == b"identity" => false,
        Some(encoding) if encoding == b"gzip" => true,
        Some(_) => return Err(encoding("bodies are read as they are or gzipped")),
    };
    match encodings.next() {
        None => Ok(gzipped),
        Some(_) => Err(encoding("bodies are read as they are or gzipped once")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(said)) = headers.get(CONTENT_TYPE).map(|said| said.to_str()) else {
        return false;
    };
    let (kind, parameters) = said.split_once(';').unwrap_or((said, ""));
    let utf8 = parameters.trim().to_ascii_lowercase().replace('"', "");
    kind.trim().eq_ignore_ascii_case("application/json") && matches!(&*utf8, "" | "charset=utf-8")
}

fn encoding(detail: &str) -> Answer {
    Answer(Problem::new(ProblemKind::Encoding, detail))
}

/// A network that stood still, or a device that slept: the same body may pass the next time.
fn timeout(detail: &str) -> Answer {
    Answer(Problem::new(ProblemKind::Timeout, detail))
}

fn too_large(limits: &Limits) -> Answer {
    let detail = format!("the body has more than {} bytes", limits.push_bytes);
    Answer(Problem::new(ProblemKind::PayloadTooLarge, detail).with_limits(limits))
}

fn answer(refused: Refused, limits: BodyLimits) -> Answer {
    match refused {
        Refused::TooLong => too_large(&limits.announced),
        Refused::Inflates => {
            let detail = format!(
                "the body inflates to more than {} times what was sent",
                limits.inflation
            );
            Answer(Problem::new(ProblemKind::PayloadTooLarge, detail).with_limits(&limits.announced))
        }
        Refused::NotGzip => malformed("the body is not gzip, or was cut off"),
    }
}

/// A body as far as it has come.
enum Inflating {
    Plain(Bounded),
    Gzipped {
        decoder: Box<GzDecoder<Bounded>>,
        sent: usize,
        limits: BodyLimits,
    },
}

/// Bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inflating {
    fn new(gzipped: bool, limits: BodyLimits) -> Self {
        let bounded = Bounded {
            bytes: Vec::new(),
            limit: limits.announced.push_bytes,
        };
        if gzipped {
            Self::Gzipped {
                decoder: Box::new(GzDecoder::new(bounded)),
                sent: 0,
                limits,
            }
        } else {
            Self::Plain(bounded)
        }
    }

    fn put(&mut self, part: &[u8]) -> Result<(), Refused> {
        let (decoder, sent, limits) = match self {
            Self::Plain(bytes) => return bytes.write_all(part).map_err(|_| Refused::TooLong),
            Self::Gzipped { decoder, sent, limits } => (decoder, sent, limits),
        };
        // In small steps, so that what a step can inflate to stays small.
        for step in part.chunks(1_024) {
            decoder.write_all(step).map_err(reason)?;
            *sent += step.len();
            let inflated = decoder.get_ref().bytes.len();
            if inflated > ALWAYS_INFLATED && inflated / limits.inflation > *sent {
                return Err(Refused::Inflates);
            }
        }
        Ok(())
    }

    fn end(self) -> Result<Vec<u8>, Refused> {
        match self {
            Self::Plain(bytes) => Ok(bytes.bytes),
            Self::Gzipped { decoder, sent, limits } => {
                let bytes = decoder.finish().map_err(reason)?.bytes;
                let inflates = bytes.len() > ALWAYS_INFLATED && bytes.len() / limits.inflation > sent;
                if inflates { Err(Refused::Inflates) } else { Ok(bytes) }
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn reason(error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Refused::TooLong,
        _ => Refused::NotGzip,
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const BYTES: usize = 4 << 20;

    fn inflating(gzip: bool) -> Inflating {
        let announced = Limits {
            push_bytes: BYTES,
            ..Limits::default()
        };
        Inflating::new(
            gzip,
            BodyLimits {
                announced,
                inflation: 20,
                pause: Duration::from_secs(1),
            },
        )
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(gzip: bool, parts: &[&[u8]]) -> Result<Vec<u8>, Refused> {
        let mut inflating = inflating(gzip);
        for part in parts {
            inflating.put(part)?;
        }
        inflating.end()
    }

    /// Bytes that gzip makes about three times smaller.
    fn ordinary(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b"0123456789"[(state >> 24) as usize % 10]
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_read_and_one_more_byte_is_not() {
        let longest = ordinary(BYTES);
        let longer = ordinary(BYTES + 1);

        assert_eq!(read(false, &[&longest]).as_deref(), Ok(&*longest));
        assert_eq!(read(false, &[&longer]), Err(Refused::TooLong));
        assert_eq!(read(true, &[&gzipped(&longest)]).as_deref(), Ok(&*longest));
        assert_eq!(read(true, &[&gzipped(&longer)]), Err(Refused::TooLong));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_inflated() {
        let bomb = gzipped(&vec![b' '; 2 << 20]);
        let mut inflating = inflating(true);

        let refused = inflating.put(&bomb);

        assert_eq!(refused, Err(Refused::Inflates));
        let Inflating::Gzipped { decoder, .. } = inflating else {
            panic!("it is gzipped")
        };
        assert!(decoder.get_ref().bytes.len() <= ALWAYS_INFLATED + (2 << 20));
    }

    #[test]
    fn a_commit_of_the_largest_size_is_read_however_well_it_is_compressed() {
        let spaces = vec![b' '; 256 << 10];

        assert_eq!(read(true, &[&gzipped(&spaces)]).as_deref(), Ok(&*spaces));
    }

    #[test]
    fn what_is_cut_off_or_no_gzip_is_refused() {
        let whole = gzipped(&ordinary(10_000));

        assert_eq!(read(true, &[&whole[..whole.len() - 1]]), Err(Refused::NotGzip));
        assert_eq!(read(true, &[&whole, b"more"]), Err(Refused::NotGzip));
        assert_eq!(read(true, &[b"{}"]), Err(Refused::NotGzip));
        assert_eq!(read(true, &[]), Err(Refused::NotGzip));
    }

    #[test]
    fn parts_of_any_size_make_the_same_body() {
        let body = ordinary(5_000);
        let sent = gzipped(&body);

        let parts: Vec<&[u8]> = sent.chunks(1).collect();

        assert_eq!(read(true, &parts).as_deref(), Ok(&*body));
    }
}
