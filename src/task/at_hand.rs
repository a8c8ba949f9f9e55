//! Values of secrets that a service was asked for, until the run has them.
//!
//! Who starts a run asks first whether a secret is there and which digest it has, and then hands its value to the
//! run. In between it is here, so that a service which counts and charges requests is asked once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::model::secret::Source;

/// Values with where they came from.
type Values = Vec<(Source, Zeroizing<String>)>;

/// Values that are at hand. Clones share them; they are overwritten when they are let go of.
#[derive(Clone, Default)]
pub struct AtHand(Arc<Mutex<Values>>);

impl fmt::Debug for AtHand {
    /// Says how many there are and nothing else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.values().len())
    }
}

impl AtHand {
    fn values(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value from `source`, if it is here.
    pub fn get(&self, source: &Source) -> Option<Zeroizing<String>> {
        let values = self.values();
        let found = values.iter().find(|(of, _)| of == source);
        found.map(|(_, value)| value.clone())
    }

    /// Holds the value from `source`.
    pub fn put(&self, source: &Source, value: &Zeroizing<String>) {
        self.values().push((source.clone(), value.clone()));
    }

    /// Lets go of all values, and overwrites them.
    pub fn clear(&self) {
        self.values().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_found_by_its_source_and_shown_to_nobody() {
        let at_hand = AtHand::default();
        let (one, other) = (
            Source::Parameter("/a".into()),
            Source::Parameter("/b".into()),
        );
        at_hand.clone().put(&one, &Zeroizing::new("hunter2".into()));
        assert_eq!(
            at_hand.get(&one).as_deref().map(String::as_str),
            Some("hunter2")
        );
        assert_eq!(at_hand.get(&other), None);
        assert_eq!(format!("{at_hand:?}"), "1 values");
        at_hand.clear();
        assert_eq!(at_hand.get(&one), None);
    }
}
