//! What the server can be told: by a TOML file, by the environment, by flags, the later winning.
//!
//! Each flag has an environment variable, each setting a place in the file. `docs/server.md` has the table.

mod flags;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use self::flags::Flags;
use crate::access::{self, WriteRule};

/// Everything the server can be told, with its defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Where it listens, `HOST:PORT`, all addresses that the host has.
    pub listen: String,
    /// The SQLite file with all spaces.
    pub data: PathBuf,
    /// A folder of static files that is served beside the API.
    pub site: Option<PathBuf>,
    /// Origins whose pages may call the API; none by default.
    pub origins: Vec<String>,
    /// Whether a space is made when somebody comes with a token for it.
    pub create_spaces: bool,
    /// Whether answers are compressed for those who accept it.
    pub compress: Compress,
    /// Whether it runs for development: a fixed secret, any space, tokens for whoever asks.
    pub dev: bool,
    /// Whether it may be reached from elsewhere although it runs for development.
    pub dev_anywhere: bool,
    /// What is logged, as `tracing-subscriber` reads it.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    /// How tokens are checked.
    pub tokens: Tokens,
    /// What a token grants that names a role.
    pub roles: BTreeMap<String, Role>,
    /// How much of everything.
    pub limits: Limits,
}

/// When answers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// Unless the caller is on the same machine and no proxy says that it asks for somebody else.
    Auto,
    /// Always.
    On,
    /// Never: a proxy does it.
    Off,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// How tokens are checked. At least one kind of key, an issuer and an audience are needed outside of development.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tokens {
    /// The secret of HS256, at least 32 bytes.
    pub secret: Option<String>,
    /// A PEM file with the public key that tokens are signed for.
    pub public_key: Option<PathBuf>,
    /// A file or an `https` address with a JSON Web Key Set.
    pub jwks: Option<String>,
    /// The algorithms that are allowed.
    pub algorithms: Vec<String>,
    /// The only issuer.
    pub issuer: Option<String>,
    /// The only audience.
    pub audience: Option<String>,
    /// The claim that holds the spaces.
    pub claim: String,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
}

/// What a role may write.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Role {
    /// Any of these allows it.
    pub write: Vec<WriteRule>,
}

/// How much of everything. What clients must keep to is announced to them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Bytes of a commit.
    pub commit_bytes: usize,
    /// Events of a commit.
    pub commit_events: usize,
    /// Bytes of a push, inflated.
    pub push_bytes: usize,
    /// Commits of a push.
    pub push_commits: usize,
    /// Commits of a page.
    pub page_commits: usize,
    /// Bytes of a page.
    pub page_bytes: usize,
    /// How many times larger a body may be than what was sent of it.
    pub inflation: usize,
    /// Commits a second of a replica.
    pub replica_commits: u64,
    /// Commits that a replica may bring at once.
    pub replica_burst: u64,
    /// Bytes a second of a space.
    pub space_bytes: u64,
    /// Pushes of a space that wait.
    pub queue_pushes: usize,
    /// Bytes of the pushes of a space that wait.
    pub queue_bytes: usize,
    /// Live tails in all.
    pub tails: usize,
    /// Seconds between two signs of life on a tail.
    pub heartbeat: u64,
    /// Seconds that a caller may take between two parts of a body. Whoever takes nothing of an answer has four times as long.
    pub body_seconds: u64,
    /// Seconds that requests under way have when the server is asked to stop.
    pub stop_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "localhost:4173".to_owned(),
            data: PathBuf::from("everfold.sqlite3"),
            site: None,
            origins: Vec::new(),
            create_spaces: true,
            compress: Compress::Auto,
            dev: false,
            dev_anywhere: false,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            tokens: Tokens::default(),
            roles: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            secret: None,
            public_key: None,
            jwks: None,
            algorithms: vec!["HS256".to_owned(), "EdDSA".to_owned()],
            issuer: None,
            audience: None,
            claim: "spaces".to_owned(),
            leeway: 60,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            commit_bytes: 256 << 10,
            commit_events: 1_000,
            push_bytes: 4 << 20,
            push_commits: 2_000,
            page_commits: 10_000,
            page_bytes: 8 << 20,
            inflation: 20,
            replica_commits: 5_000,
            replica_burst: 10_000,
            space_bytes: 16 << 20,
            queue_pushes: 64,
            queue_bytes: 16 << 20,
            tails: 10_000,
            heartbeat: 15,
            body_seconds: 30,
            stop_seconds: 20,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("secret", &self.secret.as_ref().map(|_| "…"))
            .field("public_key", &self.public_key)
            .field("jwks", &self.jwks)
            .field("algorithms", &self.algorithms)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// What the defaults, the file, the environment and the flags say together.
    pub fn read(flags: &Flags) -> Result<Self, SettingsError> {
        let mut said = match &flags.config {
            Some(file) => table_of(file)?,
            None => Table::new(),
        };
        lay_over(&mut said, Table::try_from(flags).map_err(SettingsError::Written)?);
        let mut settings = Self::deserialize(said).map_err(SettingsError::Flags)?;
        if settings.dev {
            let Tokens {
                secret,
                issuer,
                audience,
                ..
            } = &mut settings.tokens;
            secret.get_or_insert_with(|| access::SECRET.to_owned());
            issuer.get_or_insert_with(|| access::ISSUER.to_owned());
            audience.get_or_insert_with(|| access::AUDIENCE.to_owned());
        }
        Ok(settings)
    }
}

/// Read twice, as only a whole file that is read at once tells where its mistakes are.
fn table_of(file: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(file).map_err(|source| SettingsError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    let invalid = |source| SettingsError::Invalid {
        file: file.to_owned(),
        source,
    };
    toml::from_str::<Settings>(&text).map_err(invalid)?;
    toml::from_str(&text).map_err(invalid)
}

fn lay_over(below: &mut Table, above: Table) {
    for (name, value) in above {
        match (below.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => lay_over(inner, value),
            (_, value) => {
                below.insert(name, value);
            }
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not a setting.
    #[error("in {}: {source}", .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What, and where.
        source: toml::de::Error,
    },
    /// A flag or the environment says something that is not a setting.
    #[error("in a flag or the environment: {0}")]
    Flags(toml::de::Error),
    /// A flag has a value that no file could have.
    #[error("in a flag or the environment: {0}")]
    Written(toml::ser::Error),
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    fn read(words: &[&str]) -> Result<Settings, SettingsError> {
        let line = Line::try_parse_from([&["server"], words].concat()).unwrap();
        Settings::read(&line.flags)
    }

    fn with_file(name: &str, text: &str, words: &[&str]) -> Result<Settings, SettingsError> {
        let file = std::env::temp_dir().join(format!("everfold-settings-{}-{name}.toml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let settings = read(&[&["--config", file.to_str().unwrap()], words].concat());
        std::fs::remove_file(file).unwrap();
        settings
    }

    #[test]
    fn nothing_said_is_the_defaults() {
        let settings = read(&[]).unwrap();

        assert_eq!(settings.listen, "localhost:4173");
        assert_eq!(settings.limits.push_bytes, 4 << 20);
        assert!(!settings.dev);
    }

    #[test]
    fn a_flag_wins_over_the_file_and_leaves_what_stands_beside_it() {
        let text = "listen = \"a:1\"\ncompress = \"off\"\n[limits]\npush-bytes = 5\npush-commits = 6\n\
                    [tokens]\nissuer = \"them\"\n[roles.teller]\nwrite = [\"account-*\"]\n";

        let settings = with_file("wins", text, &["--listen", "b:2", "--limit", "push-bytes=7"]).unwrap();

        assert_eq!(settings.listen, "b:2");
        assert_eq!(settings.compress, Compress::Off);
        assert_eq!(settings.limits.push_bytes, 7);
        assert_eq!(settings.limits.push_commits, 6);
        assert_eq!(settings.limits.page_bytes, 8 << 20);
        assert_eq!(settings.tokens.issuer.as_deref(), Some("them"));
        assert_eq!(settings.roles["teller"].write.len(), 1);
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let error = with_file("mistake", "listen = \"a:1\"\nlisen = 3\n", &[]).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");

        let error = read(&["--limit", "pushes=3"]).unwrap_err();
        assert!(error.to_string().contains("unknown field `pushes`"), "{error}");

        let error = read(&["--config", "/nowhere/everfold.toml"]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read the settings in /nowhere/everfold.toml"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        let tokens = Tokens {
            secret: Some("hush".to_owned()),
            ..Tokens::default()
        };

        assert!(!format!("{tokens:?}").contains("hush"));
    }
}
