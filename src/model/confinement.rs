//! How much an operator insists on the confinement of cells.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is done about walls that a machine does not have.
///
/// As text: `best`, `require` or `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confinement {
    /// Every wall that there is; without those that there are not.
    #[default]
    Best,
    /// No cell without every wall.
    Require,
    /// None, e.g. to look into a cell with a debugger.
    Off,
}

impl Confinement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Best, Self::Require, Self::Off];
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Best => "best",
            Self::Require => "require",
            Self::Off => "off",
        })
    }
}

/// A text that is no [`Confinement`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is `best`, `require` or `off`")]
pub struct ConfinementError;

impl FromStr for Confinement {
    type Err = ConfinementError;

    fn from_str(text: &str) -> Result<Self, ConfinementError> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.to_string() == text)
            .ok_or(ConfinementError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for it in Confinement::ALL {
            assert_eq!(it.to_string().parse(), Ok(it));
        }
        assert_eq!("none".parse::<Confinement>(), Err(ConfinementError));
    }
}
