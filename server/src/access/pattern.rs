//! Names of streams and types, `*` standing for any run of characters.

use serde::{Deserialize, Serialize};

/// `account-*` is every stream whose id begins so; without a star it is one name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern of this text. Every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it stands for `name`.
    pub fn matches(&self, name: &str) -> bool {
        let Some((beginning, rest)) = self.0.split_once('*') else {
            return self.0 == name;
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(name) = name.strip_prefix(beginning).and_then(|name| name.strip_suffix(end)) else {
            return false;
        };
        let mut rest = Some(name);
        for part in middle.split('*') {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, after)| after);
        }
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_and_nothing_else_is_special() {
        let cases = [
            ("account-1", "account-1", true),
            ("account-1", "account-12", false),
            ("account-*", "account-12", true),
            ("account-*", "account-", true),
            ("account-*", "my-account-12", false),
            ("*", "", true),
            ("*-eu", "limit-eu", true),
            ("*-eu", "limit-eu-2", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*b*c", "abbc", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a**b", "ab", true),
            ("a*ü*b", "aüb", true),
            ("a.b", "axb", false),
            ("a?", "ab", false),
            ("[ab]", "a", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} on {name:?}");
        }
    }
}
