//! What a token grants: spaces, and in each of them who may write what. What nothing grants is denied.
//!
//! There are no rules for reading: a space is the unit of access.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use crate::settings::Role;

/// What a token says about one space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct SpaceClaim {
    /// What may be written, besides what the roles may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<WriteRule>,
    /// Names of roles of the settings; one that is not there grants nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// Streams, and the types of event that may be written to them: `"account-*"`, or
/// `{ "streams": "account-*", "types": ["account.money_*"] }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(from = "Written")]
pub struct WriteRule {
    streams: Pattern,
    types: Vec<Pattern>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Streams(Pattern),
    Types(StreamsAndTypes),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamsAndTypes {
    streams: Pattern,
    types: Vec<Pattern>,
}

impl From<Written> for WriteRule {
    fn from(written: Written) -> Self {
        match written {
            Written::Streams(streams) => Self {
                streams,
                types: vec![Pattern::new("*")],
            },
            Written::Types(StreamsAndTypes { streams, types }) => Self { streams, types },
        }
    }
}

impl WriteRule {
    /// Every event of every stream that `streams` stands for.
    pub fn streams(streams: &str) -> Self {
        Self {
            streams: Pattern::new(streams),
            types: vec![Pattern::new("*")],
        }
    }

    fn allows(&self, stream: &str, event_type: &str) -> bool {
        self.streams.matches(stream) && self.types.iter().any(|types| types.matches(event_type))
    }
}

/// Who somebody is in one space, and what he may write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who: the token's `sub`.
    pub actor: String,
    /// Until when, in seconds since the epoch.
    pub expires_at: u64,
    rules: Vec<WriteRule>,
}

impl Grant {
    /// What `claims` grants `actor` in `space`; nothing at all if the space is not named. `*` names every space.
    pub(super) fn of(
        actor: &str,
        expires_at: u64,
        claims: &BTreeMap<String, SpaceClaim>,
        roles: &BTreeMap<String, Role>,
        space: &str,
    ) -> Option<Self> {
        let claim = claims.get(space).or_else(|| claims.get("*"))?;
        let of_roles = claim
            .roles
            .iter()
            .filter_map(|name| roles.get(name))
            .flat_map(|role| &role.write);
        let rules = claim.write.iter().chain(of_roles).cloned().collect();
        Some(Self {
            actor: actor.to_owned(),
            expires_at,
            rules,
        })
    }

    /// Whether an event of this type may be written to this stream.
    pub fn allows(&self, stream: &str, event_type: &str) -> bool {
        self.rules.iter().any(|rule| rule.allows(stream, event_type))
    }

    /// Whether there is anything that may be written.
    pub fn allows_something(&self) -> bool {
        self.rules.iter().any(|rule| !rule.types.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(spaces: &str, space: &str) -> Option<Grant> {
        let teller = "write = [{ streams = \"account-*\", types = [\"account.money_*\", \"account.opened\"] }]";
        let roles = BTreeMap::from([("teller".to_owned(), toml::from_str(teller).unwrap())]);
        Grant::of("ann", 0, &serde_json::from_str(spaces).unwrap(), &roles, space)
    }

    #[test]
    fn what_nothing_grants_is_denied() {
        let read_only = grant(r#"{ "acme": {} }"#, "acme").unwrap();
        assert!(!read_only.allows("account-1", "account.opened"));

        assert_eq!(grant(r#"{ "acme": {} }"#, "acme2"), None);
        assert_eq!(grant("{}", "acme"), None);

        let unknown_role = grant(r#"{ "acme": { "roles": ["owner"] } }"#, "acme").unwrap();
        assert!(!unknown_role.allows("account-1", "account.opened"));
    }

    #[test]
    fn rules_and_roles_add_up() {
        let claims = r#"{ "acme": { "write": ["note-*", { "streams": "limit-*", "types": ["limit.raised"] }],
            "roles": ["teller"] } }"#;
        let grant = grant(claims, "acme").unwrap();

        let allowed = [
            ("note-1", "anything", true),
            ("limit-eu", "limit.raised", true),
            ("limit-eu", "limit.lowered", false),
            ("account-1", "account.money_withdrawn", true),
            ("account-1", "account.closed", false),
            ("other-1", "limit.raised", false),
        ];
        for (stream, event_type, expected) in allowed {
            assert_eq!(grant.allows(stream, event_type), expected, "{event_type} to {stream}");
        }
    }

    #[test]
    fn a_space_that_is_named_has_what_is_said_there_and_not_what_the_star_says() {
        let claims = r#"{ "*": { "write": ["*"] }, "acme": { "write": ["note-*"] } }"#;

        assert!(grant(claims, "other").unwrap().allows("account-1", "x"));
        assert!(!grant(claims, "acme").unwrap().allows("account-1", "x"));
    }

    #[test]
    fn a_rule_with_a_word_that_is_not_known_is_no_rule() {
        let claims = r#"{ "acme": { "write": [{ "streams": "*", "types": ["*"], "unless": "sunday" }] } }"#;

        assert!(serde_json::from_str::<BTreeMap<String, SpaceClaim>>(claims).is_err());
    }
}
