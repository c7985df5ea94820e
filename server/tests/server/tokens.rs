//! Tokens, good and bad ones.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "a secret of the tests, long enough for HS256";
pub(crate) const ISSUER: &str = "https://issuer.test";
pub(crate) const AUDIENCE: &str = "everfold-tests";

/// The claims of a token, as JSON that a test may change.
#[derive(Clone)]
pub(crate) struct Claims(pub(crate) Value);

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Claims {
    pub(crate) fn new(subject: &str, spaces: &Value) -> Self {
        Self(json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now() + 600, "spaces": spaces }))
    }

    /// Ann, who may write everything in one space.
    pub(crate) fn owner(space: &str) -> Self {
        Self::new("ann", &json!({ space: { "write": ["*"] } }))
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.0[name] = value;
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.as_object_mut().unwrap().remove(name);
        self
    }

    pub(crate) fn sign(&self) -> String {
        self.sign_with(
            &Header::new(Algorithm::HS256),
            &EncodingKey::from_secret(SECRET.as_bytes()),
        )
    }

    pub(crate) fn sign_with(&self, header: &Header, key: &EncodingKey) -> String {
        encode(header, &self.0, key).unwrap()
    }
}
