//! The walls that a cell builds around itself before it takes its first order.
//!
//! Whoever breaks out of wasmtime is in a process that has nothing; these keep it from getting
//! anything. Each [`Wall`] is a mechanism of the system and stands alone: where one is missing the
//! others hold. A wall cannot be taken down again, by nobody. Linux has them; elsewhere a cell is a
//! process without anything, and says that it has no walls.
//!
//! `linux` builds them, `calls` is the list of system calls that a cell may make.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod linux;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub use self::calls::{Fate, fate_of, number_of_calls};
#[cfg(target_os = "linux")]
pub use self::linux::{landlocked, walls};
use crate::model::confinement::Confinement;

/// Something that keeps a cell from what it does not need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// What it keeps the cell from, in a word or two.
    pub name: String,
    /// How it is done; or why it is not.
    pub state: Result<String, String>,
}

impl Wall {
    fn new(name: &str, state: Result<String, String>) -> Self {
        Self {
            name: name.to_owned(),
            state,
        }
    }
}

/// Builds every wall that there is around the calling thread and those that it will start.
///
/// Says of each whether it stands. [`Confinement::Off`] builds none and says nothing. To be called
/// once, while there is no other thread: the others would stay outside.
pub fn confine(confinement: Confinement) -> Vec<Wall> {
    match confinement {
        Confinement::Off => Vec::new(),
        Confinement::Best | Confinement::Require => walls(),
    }
}

#[cfg(not(target_os = "linux"))]
fn walls() -> Vec<Wall> {
    let why = "this system has no such mechanism that wrun knows".to_owned();
    vec![Wall::new("walls", Err(why))]
}

/// What is missing of `walls`, in words; none when all stand. Those with one reason are named together.
pub fn missing(walls: &[Wall]) -> Option<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for wall in walls {
        let Err(why) = &wall.state else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(&wall.name),
            None => reasons.push((why, vec![&wall.name])),
        }
    }
    let reasons = reasons
        .iter()
        .map(|(why, names)| format!("{}: {why}", names.join(", ")));
    let reasons: Vec<_> = reasons.collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
