//! Who may do what: tokens are checked here, and nowhere else.
//!
//! A token is a JWT, signed with a key of the settings by one of the algorithms of the settings, from the one issuer
//! for the one audience. What it grants is read from one claim. Anything else is a [`Denied`].

mod development;
mod keys;
mod pattern;
mod rights;

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::development::{AUDIENCE, ISSUER, SECRET, TokenWish};
pub use self::keys::KeyError;
use self::keys::Keys;
pub use self::pattern::Pattern;
pub use self::rights::{Grant, SpaceClaim, WriteRule};
use crate::settings::{Role, Settings};

/// The one door.
#[derive(Debug)]
pub struct Access {
    keys: Keys,
    validation: Validation,
    claim: String,
    roles: BTreeMap<String, Role>,
}

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is no `Authorization: Bearer`.
    #[error("there is no bearer token")]
    Missing,
    /// The token is not one, or not from whom it should be.
    #[error("{0}")]
    Invalid(&'static str),
    /// It was one.
    #[error("the token has expired")]
    Expired,
    /// It may be one: the keys that it could be checked with cannot be read at present.
    #[error("the keys of the issuer cannot be read at present")]
    Unread,
    /// It is one, for other spaces.
    #[error("the token does not name this space")]
    Space,
}

/// What every token must say; the claim with the spaces has a name that the settings choose.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Access {
    /// As the settings say; keys that are files are read now. A set behind an address is fetched when it is needed.
    pub fn new(settings: &Settings) -> Result<Self, KeyError> {
        let keys = Keys::new(&settings.tokens)?;
        let mut validation = Validation {
            algorithms: keys.algorithms().to_vec(),
            leeway: settings.tokens.leeway,
            validate_nbf: true,
            ..Validation::default()
        };
        let (Some(issuer), Some(audience)) = (&settings.tokens.issuer, &settings.tokens.audience) else {
            return Err(KeyError::WhoseFor);
        };
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self {
            keys,
            validation,
            claim: settings.tokens.claim.clone(),
            roles: settings.roles.clone(),
        })
    }

    /// Lets a call to `space` in, or not. `header` is what it has as `Authorization`.
    pub async fn check(self: &Arc<Self>, header: Option<&str>, space: &str) -> Result<Grant, Denied> {
        let token = header.and_then(bearer).ok_or(Denied::Missing)?;
        let claims = self.verify(token).await?;
        let spaces = match claims.others.get(&self.claim) {
            None => BTreeMap::new(),
            Some(spaces) => BTreeMap::<String, SpaceClaim>::deserialize(spaces)
                .map_err(|_| Denied::Invalid("the token's spaces are not what docs/server.md says"))?,
        };
        if claims.sub.is_empty() {
            return Err(Denied::Invalid("the token names no subject"));
        }
        let expires_at = (claims.exp as u64).saturating_add(self.validation.leeway);
        Grant::of(&claims.sub, expires_at, &spaces, &self.roles, space).ok_or(Denied::Space)
    }

    async fn verify(self: &Arc<Self>, token: &str) -> Result<Claims, Denied> {
        let header = decode_header(token).map_err(|_| Denied::Invalid("this is not a token"))?;
        if !self.validation.algorithms.contains(&header.alg) {
            return Err(Denied::Invalid("the token's algorithm is not allowed"));
        }
        let candidates = self.keys.find(header.kid.as_deref(), header.alg).await;
        let candidates = candidates.ok_or(Denied::Unread)?;
        let mut denied = Denied::Invalid("no key is known that could have signed the token");
        // A key belongs to one family of algorithms: a secret never verifies what claims to be signed with a public one.
        let validation = Validation {
            algorithms: vec![header.alg],
            ..self.validation.clone()
        };
        for key in candidates {
            match decode::<Claims>(token, &key, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => denied = reason(error.kind()),
            }
        }
        Err(denied)
    }
}

/// Schemes are told apart without regard to case, RFC 9110.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn reason(kind: &ErrorKind) -> Denied {
    Denied::Invalid(match kind {
        ErrorKind::ExpiredSignature => return Denied::Expired,
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is from another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks one of exp, iss, aud and sub",
        ErrorKind::InvalidAlgorithm => "the token's algorithm is not that of its key",
        _ => "this is not a token",
    })
}
