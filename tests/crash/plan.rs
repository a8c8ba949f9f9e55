//! What is passed in a scenario, and which passings are worth a case.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// Kinds of objects, by a part of their names; the first that fits.
const KINDS: [&str; 15] = [
    "/removed",
    "gc/last",
    "/journal",
    "/index",
    "/summary",
    "/lease",
    "/tags",
    "/jobs",
    "/attempt-",
    "/said-",
    "snapshots",
    "blobs",
    "memo",
    "store/tmp",
    "wrun-datastore",
];

/// A point, and the kind of object that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub point: String,
    pub about: &'static str,
}

impl Place {
    fn of(point: &str, what: &str) -> Self {
        let kind = KINDS.iter().find(|kind| what.contains(**kind));
        Self {
            point: point.to_owned(),
            about: kind.copied().unwrap_or(""),
        }
    }

    /// The plan by which `act` happens here: at one passing, or at every one.
    pub fn armed(&self, act: &str, at: Option<u64>) -> String {
        let Self { point, about } = self;
        let at = at.map_or(String::new(), |at| format!("@{at}"));
        match *about {
            "" => format!("{point}={act}{at}"),
            about => format!("{point}[{about}]={act}{at}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.point, self.about)
    }
}

/// How often each place was passed, as a log of the points says.
pub fn passed(log: &Path) -> BTreeMap<Place, u64> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut places = BTreeMap::new();
    for line in text.lines() {
        let (point, what) = line.split_once('\t').unwrap();
        *places.entry(Place::of(point, what)).or_default() += 1;
    }
    places
}
