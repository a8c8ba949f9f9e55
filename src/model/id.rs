//! Runs, and the places of tasks in them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::name::{FlowName, NameError, StepName};

/// One step of the way from the start of a run to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Frame {
    /// The element of a foreach, counted from 0.
    Item(u32),
    /// The turn of a loop, counted from 1.
    Turn(u32),
}

/// Where a task stands among the tasks of its step: the foreach elements and loop turns around it,
/// outermost first.
///
/// Written `-` outside any foreach and loop, `7` for an element, `3.1` for nested ones, `~3` for
/// the third turn of a loop, `3~2` for the second turn inside the fourth element.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(Option<Arc<[Frame]>>);

/// A text that is not a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a task: `-`, `7`, `3.1`, `~2` and `3~2` are")]
pub struct PlaceError(String);

impl Place {
    /// The place outside any foreach and loop.
    pub const ROOT: Place = Place(None);

    /// The place behind these frames, outermost first.
    pub fn new(frames: &[Frame]) -> Self {
        if frames.is_empty() {
            Self::ROOT
        } else {
            Self(Some(frames.into()))
        }
    }

    /// The frames, outermost first.
    pub fn frames(&self) -> &[Frame] {
        self.0.as_deref().unwrap_or(&[])
    }

    /// This place with one more frame inside it.
    pub fn with(&self, frame: Frame) -> Self {
        let mut frames = Vec::with_capacity(self.frames().len() + 1);
        frames.extend_from_slice(self.frames());
        frames.push(frame);
        Self::new(&frames)
    }

    /// The first `depth` frames of this place.
    pub fn prefix(&self, depth: usize) -> Self {
        let frames = self.frames();
        if depth >= frames.len() {
            self.clone()
        } else {
            Self::new(&frames[..depth])
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let mut text = String::new();
        for frame in self.frames() {
            match frame {
                Frame::Item(i) if text.is_empty() => write!(text, "{i}")?,
                Frame::Item(i) => write!(text, ".{i}")?,
                Frame::Turn(n) => write!(text, "~{n}")?,
            }
        }
        f.pad(if text.is_empty() { "-" } else { &text })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain && digits {
        text.parse().ok()
    } else {
        None
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text == "-" {
            return Ok(Self::ROOT);
        }
        let wrong = || PlaceError(text.chars().take(80).collect());
        let mut frames = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (turn, body) = match rest.as_bytes()[0] {
                b'~' => (true, &rest[1..]),
                b'.' if !frames.is_empty() => (false, &rest[1..]),
                _ if frames.is_empty() => (false, rest),
                _ => return Err(wrong()),
            };
            let end = body.find(['.', '~']).unwrap_or(body.len());
            let n = number(&body[..end]).ok_or_else(wrong)?;
            match (turn, n) {
                (true, 0) => return Err(wrong()),
                (true, n) => frames.push(Frame::Turn(n)),
                (false, n) => frames.push(Frame::Item(n)),
            }
            rest = &body[end..];
        }
        if frames.is_empty() {
            Err(wrong())
        } else {
            Ok(Self::new(&frames))
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One execution of a step in a run, named by its place and never by chance: `count/7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The step that is executed.
    pub step: StepName,
    /// Which of the step's tasks it is.
    pub place: Place,
}

/// A text that is not a [`TaskId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskIdError {
    /// There is no `/` in it.
    #[error("`{0}` is not a task: `step/task` is expected, e.g. `count/7`")]
    Shape(String),
    /// The part before `/`.
    #[error(transparent)]
    Step(#[from] NameError),
    /// The part after `/`.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.step, self.place))
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.step, self.place)
    }
}

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(text: &str) -> Result<Self, TaskIdError> {
        let shape = || TaskIdError::Shape(text.chars().take(120).collect());
        let (step, place) = text.split_once('/').ok_or_else(shape)?;
        Ok(Self {
            step: step.parse()?,
            place: place.parse()?,
        })
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The number of a run among the runs of its flow, counted from 1.
pub type RunNumber = u64;

/// A run: `wordcount/42`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The flow that ran.
    pub flow: FlowName,
    /// Its number, from 1.
    pub number: RunNumber,
}

/// A text that is not a [`RunId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunIdError {
    /// There is no `/` in it, or no number from 1 after it.
    #[error("`{0}` is not a run: `flow/number` is expected, e.g. `wordcount/42`")]
    Shape(String),
    /// The part before `/`.
    #[error(transparent)]
    Flow(#[from] NameError),
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.flow, self.number))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.flow, self.number)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let shape = || RunIdError::Shape(text.chars().take(120).collect());
        let (flow, digits) = text.split_once('/').ok_or_else(shape)?;
        let flow = flow.parse()?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let number = digits
            .parse::<u64>()
            .ok()
            .filter(|_| plain)
            .ok_or_else(shape)?;
        Ok(Self { flow, number })
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
