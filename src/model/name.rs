//! Names that authors give: of flows, steps, artifacts, parameters and cases.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("a {what} cannot be empty")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// The text has more than [`MAX_NAME`] bytes.
    #[error("{what} `{text}` is longer than {MAX_NAME} bytes")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The beginning of the text.
        text: String,
    },
    /// A character that names do not have.
    #[error(
        "{what} `{text}` has the character {character:?}; {allowed} are allowed, and a letter comes first"
    )]
    Character {
        /// What was to be named.
        what: &'static str,
        /// The whole text.
        text: String,
        /// The first character that is not allowed.
        character: char,
        /// The characters that are allowed, in words.
        allowed: &'static str,
    },
}

fn check(what: &'static str, text: &str, hyphen: bool, upper: bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > MAX_NAME {
        let text = text.chars().take(24).collect::<String>() + "…";
        return Err(NameError::TooLong { what, text });
    }
    let allowed = |i: usize, c: char| match c {
        'a'..='z' => true,
        'A'..='Z' => upper,
        '0'..='9' | '_' => i > 0,
        '-' => hyphen && i > 0,
        _ => false,
    };
    match text.char_indices().find(|&(i, c)| !allowed(i, c)) {
        None => Ok(()),
        Some((_, character)) => Err(NameError::Character {
            what,
            text: text.to_owned(),
            character,
            allowed: match (upper, hyphen) {
                (false, false) => "lower-case letters, digits and `_`",
                (false, true) => "lower-case letters, digits, `_` and `-`",
                (true, false) => "letters, digits and `_`",
                (true, true) => "letters, digits, `_` and `-`",
            },
        }),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, hyphen: $hyphen:literal, upper: $upper:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// [`NameError`] says which character, or that the length, is not allowed.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check($what, text, $hyphen, $upper)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// A flow's name: lower-case letters, digits, `_` and `-`, starting with a letter, at most 64 bytes.
    FlowName, "flow name", hyphen: true, upper: false
);
name!(
    /// A step's name: lower-case letters, digits and `_`, starting with a letter, at most 64 bytes.
    StepName, "step name", hyphen: false, upper: false
);
name!(
    /// The name of an artifact or a parameter: letters, digits and `_`, starting with a letter, at most 64 bytes.
    ArtifactName, "artifact name", hyphen: false, upper: true
);
name!(
    /// The name of a case of a switch: letters, digits, `_` and `-`, starting with a letter, at most 64 bytes.
    CaseName, "case name", hyphen: true, upper: true
);
name!(
    /// A tag of a run: letters, digits, `_` and `-`, starting with a letter, at most 64 bytes.
    Tag, "tag", hyphen: true, upper: true
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_tells_what_is_allowed_for_this_kind_of_name() {
        let said = [
            FlowName::new("9").unwrap_err().to_string(),
            StepName::new("Fit").unwrap_err().to_string(),
            ArtifactName::new("a-b").unwrap_err().to_string(),
            CaseName::new("too big").unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        flow name `9` has the character '9'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
        step name `Fit` has the character 'F'; lower-case letters, digits and `_` are allowed, and a letter comes first
        artifact name `a-b` has the character '-'; letters, digits and `_` are allowed, and a letter comes first
        case name `too big` has the character ' '; letters, digits, `_` and `-` are allowed, and a letter comes first
        ");
    }
}
