//! The keys that tokens are verified with: fixed ones, and a set that is read again.
//!
//! A set that does not have the key of a token is read again, at most once a minute, as an issuer that changes its
//! keys does not tell. What is known stays in use when the set cannot be read.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::settings::Tokens;

const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);
const OLD_AFTER: Duration = Duration::from_secs(3_600);
const SET_BYTES: u64 = 1 << 20;

/// All keys.
#[derive(Debug)]
pub(super) struct Keys {
    algorithms: Vec<Algorithm>,
    fixed: Vec<DecodingKey>,
    set: Option<Arc<KeySet>>,
}

/// Why tokens could never be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No token could be let in.
    #[error(
        "there is no key that tokens could be checked with: set jwt-secret, jwt-public-key or jwks, or try it with --dev"
    )]
    None,
    /// Tokens of everybody for everything would be let in.
    #[error("say whose tokens are let in, and for what: set jwt-issuer and jwt-audience")]
    WhoseFor,
    /// Short secrets can be guessed.
    #[error("the secret of HS256 has {0} bytes and needs at least 32")]
    ShortSecret(usize),
    /// A name that is no algorithm, or one that is not allowed here.
    #[error("{0} is not an algorithm for tokens: HS256, EdDSA, ES256, ES384, RS256 to RS512, PS256 to PS512")]
    Algorithm(String),
    /// A key or a set of keys cannot be read.
    #[error("cannot read the keys in {place}: {why}")]
    Unreadable {
        /// The file or the address.
        place: String,
        /// Why.
        why: String,
    },
}

/// Keys of an issuer, in a file or behind an address.
#[derive(Debug)]
struct KeySet {
    place: Place,
    known: RwLock<Known>,
    /// Held while it is read again.
    reading: Mutex<()>,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Address(String),
}

#[derive(Debug)]
struct Known {
    keys: Arc<[SetKey]>,
    tried_at: Option<Instant>,
    read_at: Option<Instant>,
}

#[derive(Debug)]
struct SetKey {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

impl Keys {
    pub(super) fn new(tokens: &Tokens) -> Result<Self, KeyError> {
        let algorithms = tokens.algorithms.iter().map(|name| {
            let algorithm = name
                .parse::<Algorithm>()
                .map_err(|_| KeyError::Algorithm(name.clone()))?;
            let weak = matches!(algorithm, Algorithm::HS384 | Algorithm::HS512);
            if weak {
                Err(KeyError::Algorithm(name.clone()))
            } else {
                Ok(algorithm)
            }
        });
        let mut keys = Self {
            algorithms: algorithms.collect::<Result<_, _>>()?,
            fixed: Vec::new(),
            set: None,
        };
        if let Some(secret) = &tokens.secret {
            if secret.len() < 32 {
                return Err(KeyError::ShortSecret(secret.len()));
            }
            keys.fixed.push(DecodingKey::from_secret(secret.as_bytes()));
        }
        if let Some(file) = &tokens.public_key {
            let unreadable = |why: String| KeyError::Unreadable {
                place: file.display().to_string(),
                why,
            };
            let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
            let key = DecodingKey::from_ed_pem(&pem)
                .or_else(|_| DecodingKey::from_ec_pem(&pem))
                .or_else(|_| DecodingKey::from_rsa_pem(&pem))
                .map_err(|_| unreadable("it is not a public key in PEM".to_owned()))?;
            keys.fixed.push(key);
        }
        if let Some(place) = &tokens.jwks {
            keys.set = Some(Arc::new(KeySet::new(place)?));
        }
        if keys.fixed.is_empty() && keys.set.is_none() {
            return Err(KeyError::None);
        }
        Ok(keys)
    }

    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Those that a token with this key id and this algorithm could be signed with. None if there may be others, but they
    /// cannot be read at present.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Vec<DecodingKey>> {
        let fixed = self
            .fixed
            .iter()
            .filter(|key| key.family() == algorithm.family())
            .cloned();
        let mut found = fixed.collect::<Vec<_>>();
        if let Some(set) = self
            .set
            .as_ref()
            .filter(|_| algorithm.family() != AlgorithmFamily::Hmac)
        {
            let in_set = KeySet::find(set, id, algorithm).await;
            if in_set.is_none() && found.is_empty() && set.is_unread() {
                return None;
            }
            found.extend(in_set);
        }
        Some(found)
    }
}

impl KeySet {
    fn new(place: &str) -> Result<Self, KeyError> {
        let place = match place {
            address if is_address(address)? => Place::Address(address.to_owned()),
            file => Place::File(PathBuf::from(file)),
        };
        let known = match &place {
            Place::File(_) => Known {
                keys: place.read()?,
                tried_at: None,
                read_at: Some(Instant::now()),
            },
            Place::Address(_) => Known {
                keys: Arc::new([]),
                tried_at: None,
                read_at: None,
            },
        };
        Ok(Self {
            place,
            known: RwLock::new(known),
            reading: Mutex::new(()),
        })
    }

    async fn find(set: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let (found, old) = {
            let known = set.known.read().unwrap_or_else(PoisonError::into_inner);
            let old = known.read_at.is_none_or(|at| at.elapsed() > OLD_AFTER);
            (known.find(id, algorithm), old)
        };
        if found.is_some() {
            if old {
                let set = Arc::clone(set);
                tokio::spawn(async move { set.read_again().await });
            }
            return found;
        }
        set.read_again().await;
        set.known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .find(id, algorithm)
    }

    /// Whether it could not be read when that was tried last.
    fn is_unread(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.read_at < known.tried_at
    }

    /// Not more often than once a minute. Who comes while somebody else reads waits for what he reads.
    async fn read_again(self: &Arc<Self>) {
        let _reading = self.reading.lock().await;
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.tried_at.is_some_and(|at| at.elapsed() < READ_AGAIN_AFTER) {
                return;
            }
            known.tried_at = Some(Instant::now());
        }
        let place = self.place.clone();
        match spawn_blocking(move || place.read()).await {
            Ok(Ok(keys)) => {
                info!(
                    keys = keys.len(),
                    place = self.place.name(),
                    "read the keys of the issuer"
                );
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                known.keys = keys;
                known.read_at = Some(Instant::now());
            }
            Ok(Err(error)) => warn!(%error, "the keys that are known stay in use"),
            Err(error) => warn!(%error, "reading the keys of the issuer failed"),
        }
    }
}

impl Known {
    /// The key of this id; for a token that names none, the only one that fits.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.key.family() == algorithm.family() && key.algorithm.is_none_or(|only| only == algorithm));
        let found = match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        };
        found.map(|found| found.key.clone())
    }
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Address(address) => address.clone(),
        }
    }

    fn read(&self) -> Result<Arc<[SetKey]>, KeyError> {
        let text = match self {
            Self::File(file) => std::fs::read_to_string(file).map_err(|error| self.unreadable(&error))?,
            Self::Address(address) => fetch(address).map_err(|error| self.unreadable(&error))?,
        };
        let set = serde_json::from_str::<JwkSet>(&text).map_err(|error| self.unreadable(&error))?;
        let usable = set.keys.iter().filter_map(|jwk| {
            let key = DecodingKey::from_jwk(jwk).ok()?;
            let signs = jwk
                .common
                .public_key_use
                .as_ref()
                .is_none_or(|used| *used == PublicKeyUse::Signature);
            let algorithm = match jwk.common.key_algorithm {
                None => None,
                Some(named) => Some(Algorithm::try_from(named).ok()?),
            };
            // A set is public: a secret in it is none.
            let public = key.family() != AlgorithmFamily::Hmac;
            (signs && public).then(|| SetKey {
                id: jwk.common.key_id.clone(),
                algorithm,
                key,
            })
        });
        Ok(usable.collect())
    }

    fn unreadable(&self, why: &dyn std::fmt::Display) -> KeyError {
        KeyError::Unreadable {
            place: self.name(),
            why: why.to_string(),
        }
    }
}

/// Keys must come from whom they claim to come from: over TLS, or from this machine.
fn is_address(place: &str) -> Result<bool, KeyError> {
    let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
    if place.starts_with("https://") {
        return Ok(true);
    }
    if local.iter().any(|host| {
        place
            .strip_prefix(host)
            .is_some_and(|rest| rest.starts_with([':', '/']))
    }) {
        return Ok(true);
    }
    if place.contains("://") {
        let why = "keys are fetched over https".to_owned();
        return Err(KeyError::Unreadable {
            place: place.to_owned(),
            why,
        });
    }
    Ok(false)
}

fn fetch(address: &str) -> Result<String, ureq::Error> {
    // Those of the machine; if it has none, no issuer can be believed.
    let trusted = rustls_native_certs::load_native_certs().certs;
    let trusted = trusted
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::from(trusted.collect::<Vec<_>>()))
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(Duration::from_secs(10)))
        .build();
    let mut answer = ureq::Agent::new_with_config(config).get(address).call()?;
    answer.body_mut().with_config().limit(SET_BYTES).read_to_string()
}
