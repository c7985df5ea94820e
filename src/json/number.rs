//! Numbers with a fraction or an exponent, as Rust reads them.

/// The number that `text` is, or not a number.
pub(super) fn parse(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}
