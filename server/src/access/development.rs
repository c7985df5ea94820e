//! Tokens for whoever asks, signed with a secret that everybody knows. For one machine, and for tests.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

use super::rights::{SpaceClaim, WriteRule};
use crate::settings::Tokens;

/// The secret of HS256.
pub const SECRET: &str = "everfold development: everybody knows this secret";
/// The issuer.
pub const ISSUER: &str = "everfold-development";
/// The audience.
pub const AUDIENCE: &str = "everfold";

/// What somebody wants a token for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenWish {
    /// Who it names.
    pub subject: String,
    /// The space, `*` for every one.
    pub space: String,
    /// A role of the settings; without one it may write everything.
    #[serde(default)]
    pub role: Option<String>,
    /// Seconds until it expires.
    #[serde(default = "an_hour")]
    pub ttl: u64,
}

fn an_hour() -> u64 {
    3_600
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(flatten)]
    spaces: BTreeMap<&'a str, BTreeMap<&'a str, SpaceClaim>>,
}

impl TokenWish {
    /// The token, signed with the secret of the settings.
    pub fn sign(&self, tokens: &Tokens) -> Result<String, SignError> {
        let (Some(secret), Some(issuer), Some(audience)) = (&tokens.secret, &tokens.issuer, &tokens.audience) else {
            return Err(SignError::NoSecret);
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let rights = match &self.role {
            Some(role) => SpaceClaim {
                roles: vec![role.clone()],
                ..SpaceClaim::default()
            },
            None => SpaceClaim {
                write: vec![WriteRule::streams("*")],
                ..SpaceClaim::default()
            },
        };
        let claims = Claims {
            iss: issuer,
            aud: audience,
            sub: &self.subject,
            iat: now,
            exp: now.saturating_add(self.ttl),
            spaces: BTreeMap::from([(tokens.claim.as_str(), BTreeMap::from([(self.space.as_str(), rights)]))]),
        };
        Ok(encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )?)
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// This server only knows public keys.
    #[error("tokens are signed here with a secret: set jwt-secret, jwt-issuer and jwt-audience, or --dev")]
    NoSecret,
    /// The library refused.
    #[error("the token cannot be signed: {0}")]
    Refused(#[from] jsonwebtoken::errors::Error),
}
