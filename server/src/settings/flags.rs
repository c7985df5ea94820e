//! Flags and environment variables. Each is named as its place in the file, or says which that is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Compress, LogFormat};

/// What was said on the command line or in the environment.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Flags {
    /// TOML file with settings; flags and environment win over it
    #[arg(long, env = "EVERFOLD_CONFIG", value_name = "FILE", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// SQLite file with all spaces [default: everfold.sqlite3]
    #[arg(long, env = "EVERFOLD_DATA", value_name = "FILE", global = true)]
    data: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one [default: localhost:4173]
    #[arg(long, env = "EVERFOLD_LISTEN", value_name = "HOST:PORT", global = true)]
    listen: Option<String>,

    /// Folder of static files to serve beside the API
    #[arg(long, env = "EVERFOLD_SITE", value_name = "DIR", global = true)]
    site: Option<PathBuf>,

    /// Origins whose pages may call the API, with commas between them [default: none]
    #[arg(
        long,
        env = "EVERFOLD_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ',',
        global = true
    )]
    origins: Option<Vec<String>>,

    /// Whether a space is made when somebody comes with a token for it [default: true]
    #[arg(long, env = "EVERFOLD_CREATE_SPACES", value_name = "BOOL", global = true)]
    create_spaces: Option<bool>,

    /// When answers are gzipped [default: auto, unless the caller is on this machine]
    #[arg(long, env = "EVERFOLD_COMPRESS", global = true)]
    compress: Option<Compress>,

    /// Development: a fixed secret, any space, tokens for whoever asks
    #[arg(long, env = "EVERFOLD_DEV", num_args = 0..=1, default_missing_value = "true", require_equals = true,
        value_name = "BOOL", global = true)]
    dev: Option<bool>,

    /// With --dev, listen on addresses that others can reach
    #[arg(long, env = "EVERFOLD_DEV_ANYWHERE", num_args = 0..=1, default_missing_value = "true",
        require_equals = true, value_name = "BOOL", global = true)]
    dev_anywhere: Option<bool>,

    /// What is logged, for example `info,everfold_server=debug` [default: info]
    #[arg(long, env = "EVERFOLD_LOG", value_name = "FILTER", global = true)]
    log: Option<String>,

    /// How it is logged [default: text]
    #[arg(long, env = "EVERFOLD_LOG_FORMAT", global = true)]
    log_format: Option<LogFormat>,

    #[command(flatten)]
    tokens: TokenFlags,

    /// Another limit, several with commas between them; docs/server.md has the list
    #[arg(long = "limit", env = "EVERFOLD_LIMITS", value_name = "NAME=NUMBER", value_delimiter = ',',
        value_parser = named_number, global = true)]
    #[serde(serialize_with = "as_table")]
    limits: Vec<(String, i64)>,
}

/// How tokens are checked.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
struct TokenFlags {
    /// Secret of HS256, at least 32 bytes; better in the environment or the file than here
    #[arg(
        long = "jwt-secret",
        env = "EVERFOLD_JWT_SECRET",
        hide_env_values = true,
        value_name = "SECRET",
        global = true
    )]
    secret: Option<String>,

    /// PEM file with the public key of the tokens
    #[arg(
        long = "jwt-public-key",
        env = "EVERFOLD_JWT_PUBLIC_KEY",
        value_name = "FILE",
        global = true
    )]
    public_key: Option<PathBuf>,

    /// JSON Web Key Set, a file or an https address
    #[arg(long = "jwks", env = "EVERFOLD_JWKS", value_name = "FILE|URL", global = true)]
    jwks: Option<String>,

    /// Algorithms that are allowed, with commas between them [default: HS256,EdDSA]
    #[arg(
        long = "jwt-algorithms",
        env = "EVERFOLD_JWT_ALGORITHMS",
        value_name = "NAMES",
        value_delimiter = ',',
        global = true
    )]
    algorithms: Option<Vec<String>>,

    /// The issuer that a token must name
    #[arg(long = "jwt-issuer", env = "EVERFOLD_JWT_ISSUER", value_name = "ISS", global = true)]
    issuer: Option<String>,

    /// The audience that a token must name
    #[arg(
        long = "jwt-audience",
        env = "EVERFOLD_JWT_AUDIENCE",
        value_name = "AUD",
        global = true
    )]
    audience: Option<String>,

    /// The claim that holds the spaces [default: spaces]
    #[arg(long = "jwt-claim", env = "EVERFOLD_JWT_CLAIM", value_name = "NAME", global = true)]
    claim: Option<String>,

    /// Seconds by which clocks may differ [default: 60]
    #[arg(
        long = "jwt-leeway",
        env = "EVERFOLD_JWT_LEEWAY",
        value_name = "SECONDS",
        global = true
    )]
    leeway: Option<u64>,
}

fn named_number(text: &str) -> Result<(String, i64), String> {
    let (name, number) = text.split_once('=').ok_or("NAME=NUMBER is expected")?;
    let number = number.parse().map_err(|_| format!("{number} is not a whole number"))?;
    Ok((name.to_owned(), number))
}

fn as_table<S: serde::Serializer>(limits: &[(String, i64)], serializer: S) -> Result<S::Ok, S::Error> {
    limits.iter().cloned().collect::<BTreeMap<_, _>>().serialize(serializer)
}
