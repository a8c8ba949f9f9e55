//! What a flow is and what its steps do, as data. The module and the tests have it in common.

use serde::{Deserialize, Serialize};

/// What stands before the plan in the module.
pub const MARK: [u8; 16] = *b"wrun plan here: ";
/// How much room a plan has, in bytes.
pub const ROOM: usize = 64 * 1024;

/// A flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Its steps; the first is where a run starts.
    pub steps: Vec<Step>,
}

/// A step. It writes `v_<name>`, and what its edge and acts need besides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it reads, and whether that may be absent.
    pub reads: Vec<(String, bool)>,
    /// Whether it reads the element of the foreach around it.
    pub item: bool,
    /// Whether it joins.
    pub join: bool,
    /// What it reads of each branch, and whether that may be absent.
    pub inputs: Vec<(String, bool)>,
    /// What follows.
    pub edge: Edge,
    /// How often it is tried again.
    pub retries: u32,
    /// Whether its failure is caught, as `c_<name>`.
    pub catch: bool,
    /// Whether its floats are portable.
    pub portable: bool,
    /// What it does beside mixing all that it reads.
    pub acts: Vec<Act>,
}

/// What follows a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Edge {
    /// Nothing.
    End,
    /// A step.
    Next(String),
    /// Several steps.
    Split(Vec<String>),
    /// A step for each element of `l_<name>`, of which there are this many at most.
    Foreach(String, u32),
    /// One of these steps, whose numbers are the cases of `w_<name>`.
    Switch(Vec<String>),
    /// Back to the first, this often at most, or on to the second.
    Loop(String, String, u32),
}

/// Something that a step does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Draws random numbers, secure and insecure.
    Draw,
    /// Reads both clocks, and sleeps this many milliseconds between.
    Clock(u64),
    /// Goes through a hash map.
    Hash,
    /// Computes with floats, among them NaN.
    Float,
    /// Prints this many lines on both streams and the log.
    Print(u32),
    /// Asks who it is.
    Who,
    /// Asks which tasks its branches ended with.
    Branches,
    /// Writes this many KiB as `b_<name>`.
    Big(u32),
    /// Looks at the environment and at files.
    Look,
    /// Fails in this many first attempts: by an error, a panic or a trap.
    Fail(u32, u32),
    /// Fails for good, if what it mixed is odd.
    Odd,
    /// Fails for good, if the parameter `doom` is not 0.
    Doom,
}
