//! Names for anything: `flow/run/step/task/artifact`.
//!
//! A pathspec says what to look at; whether it is there, others find out. The parts from the left
//! are needed, those to the right may be left out, and the run may be `latest`. What stands alone
//! is a run: `latest` and `42` mean one of the current flow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::id::{Place, PlaceError, RunId, RunNumber};
use super::name::{ArtifactName, FlowName, NameError, StepName};

/// Which of the runs of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhichRun {
    /// The run that was started last.
    #[default]
    Latest,
    /// The run of this number.
    Number(RunNumber),
}

impl fmt::Display for WhichRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhichRun::Latest => f.pad("latest"),
            WhichRun::Number(number) => f.pad(&number.to_string()),
        }
    }
}

/// A text that does not name a run or something in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is empty, has an empty part, or too many parts.
    #[error("`{0}` names nothing: `flow/run/step/task/artifact` is expected, or a beginning of it")]
    Shape(String),
    /// It names more than a run.
    #[error("`{0}` is not a run: `latest`, `42`, `flow/latest` or `flow/42` is expected")]
    NotARun(String),
    /// The part that names the run does not.
    #[error("`{0}` is not the number of a run: `latest` or a number from 1 is expected")]
    Run(String),
    /// The part that names a flow, a step or an artifact does not.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The part that names a task does not.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

fn clipped(text: &str) -> String {
    text.chars().take(120).collect()
}

fn which(text: &str) -> Result<WhichRun, PathError> {
    if text == "latest" {
        return Ok(WhichRun::Latest);
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    match text.parse() {
        Ok(number) if plain => Ok(WhichRun::Number(number)),
        _ => Err(PathError::Run(clipped(text))),
    }
}

fn stands_alone(text: &str) -> bool {
    text == "latest" || text.starts_with(|c: char| c.is_ascii_digit())
}

/// A run, as one types it: `latest`, `42`, `wordcount/latest`, `wordcount/42`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunSelector {
    /// The flow; none for the current one.
    pub flow: Option<FlowName>,
    /// The run.
    pub run: WhichRun,
}

impl fmt::Display for RunSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.flow {
            None => self.run.fmt(f),
            Some(flow) => f.pad(&format!("{flow}/{}", self.run)),
        }
    }
}

impl FromStr for RunSelector {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        match text.split_once('/') {
            None if stands_alone(text) => Ok(Self {
                flow: None,
                run: which(text)?,
            }),
            None => Err(PathError::NotARun(clipped(text))),
            Some((_, rest)) if rest.contains('/') => Err(PathError::NotARun(clipped(text))),
            Some((flow, run)) => Ok(Self {
                flow: Some(flow.parse()?),
                run: which(run)?,
            }),
        }
    }
}

impl From<RunId> for RunSelector {
    fn from(id: RunId) -> Self {
        Self {
            flow: Some(id.flow),
            run: WhichRun::Number(id.number),
        }
    }
}

/// What a pathspec names inside a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Within {
    /// The run itself.
    #[default]
    Run,
    /// A step with all its tasks.
    Step(StepName),
    /// One task.
    Task(StepName, Place),
    /// An artifact of the only task of a step.
    StepArtifact(StepName, ArtifactName),
    /// An artifact of one task.
    Artifact(StepName, Place, ArtifactName),
}

/// A flow as a whole, or a run, or something in a run.
///
/// ```
/// use wrun::model::pathspec::PathSpec;
///
/// for text in ["latest", "wordcount", "wordcount/42/count/7", "wordcount/latest/end/top"] {
///     assert_eq!(text.parse::<PathSpec>().unwrap().to_string(), text);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSpec {
    /// A flow with all its runs.
    Flow(FlowName),
    /// A run, or something in it.
    Run(RunSelector, Within),
}

impl PathSpec {
    /// Reads a name as it is typed: a `/` at its end, as completion leaves it, does not matter.
    ///
    /// # Errors
    /// [`PathError`] says which part names nothing.
    pub fn typed(text: &str) -> Result<Self, PathError> {
        text.strip_suffix('/').unwrap_or(text).parse()
    }

    /// The run that is named, or that has in it what is named: the latest for a flow.
    pub fn run(&self) -> RunSelector {
        match self {
            PathSpec::Flow(flow) => RunSelector {
                flow: Some(flow.clone()),
                run: WhichRun::Latest,
            },
            PathSpec::Run(run, _) => run.clone(),
        }
    }

    /// What is named inside the run.
    pub fn within(&self) -> Within {
        match self {
            PathSpec::Flow(_) => Within::Run,
            PathSpec::Run(_, within) => within.clone(),
        }
    }
}

impl fmt::Display for PathSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, within) = match self {
            PathSpec::Flow(flow) => return flow.fmt(f),
            PathSpec::Run(run, within) => (run, within),
        };
        f.pad(&match within {
            Within::Run => run.to_string(),
            Within::Step(step) => format!("{run}/{step}"),
            Within::Task(step, place) => format!("{run}/{step}/{place}"),
            Within::StepArtifact(step, artifact) => format!("{run}/{step}/{artifact}"),
            Within::Artifact(step, place, artifact) => {
                format!("{run}/{step}/{place}/{artifact}")
            }
        })
    }
}

impl FromStr for PathSpec {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let shape = || PathError::Shape(clipped(text));
        let parts: Vec<&str> = text.splitn(7, '/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(shape());
        }
        let (run, rest) = match parts.as_slice() {
            [first, rest @ ..] if stands_alone(first) => (
                RunSelector {
                    flow: None,
                    run: which(first)?,
                },
                rest,
            ),
            [flow] => return Ok(PathSpec::Flow(flow.parse()?)),
            [flow, run, rest @ ..] => (
                RunSelector {
                    flow: Some(flow.parse()?),
                    run: which(run)?,
                },
                rest,
            ),
            [] => return Err(shape()),
        };
        let is_artifact = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic());
        let within = match rest {
            [] => Within::Run,
            [step] => Within::Step(step.parse()?),
            [step, artifact] if is_artifact(artifact) => {
                Within::StepArtifact(step.parse()?, artifact.parse()?)
            }
            [step, place] => Within::Task(step.parse()?, place.parse()?),
            [step, place, artifact] => {
                Within::Artifact(step.parse()?, place.parse()?, artifact.parse()?)
            }
            _ => return Err(shape()),
        };
        Ok(PathSpec::Run(run, within))
    }
}

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(RunSelector);
as_text!(PathSpec);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::id::Frame;

    fn runs() -> impl Strategy<Value = RunSelector> {
        let which = prop_oneof![
            Just(WhichRun::Latest),
            (1..=u64::MAX).prop_map(WhichRun::Number),
            (1..100u64).prop_map(WhichRun::Number)
        ];
        (prop::option::of("[a-z][a-z0-9_-]{0,12}"), which)
            .prop_filter("a flow of that name cannot stand alone", |(flow, _)| {
                flow.as_deref() != Some("latest")
            })
            .prop_map(|(flow, run)| RunSelector {
                flow: flow.map(|f| f.parse().unwrap()),
                run,
            })
    }

    fn places() -> impl Strategy<Value = Place> {
        let frame = prop_oneof![
            any::<u32>().prop_map(Frame::Item),
            (1..=u32::MAX).prop_map(Frame::Turn)
        ];
        prop::collection::vec(frame, 0..4).prop_map(|frames| Place::new(&frames))
    }

    fn specs() -> impl Strategy<Value = PathSpec> {
        let step = || "[a-z][a-z0-9_]{0,12}".prop_map(|t| t.parse::<StepName>().unwrap());
        let artifact =
            || "[a-zA-Z][a-zA-Z0-9_]{0,12}".prop_map(|t| t.parse::<ArtifactName>().unwrap());
        let within = prop_oneof![
            Just(Within::Run),
            step().prop_map(Within::Step),
            (step(), places()).prop_map(|(s, p)| Within::Task(s, p)),
            (step(), artifact()).prop_map(|(s, a)| Within::StepArtifact(s, a)),
            (step(), places(), artifact()).prop_map(|(s, p, a)| Within::Artifact(s, p, a)),
        ];
        (runs(), within).prop_map(|(run, within)| PathSpec::Run(run, within))
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(spec in specs(), run in runs()) {
            prop_assert_eq!(spec.to_string().parse::<PathSpec>().unwrap(), spec);
            prop_assert_eq!(run.to_string().parse::<RunSelector>().unwrap(), run);
        }

        #[test]
        fn what_is_read_is_printed_the_same(text in "[a-z0-9/~.-]{0,24}|(latest|[a-z]/9|9)(/[a-z~.0-9-]{1,4}){0,4}") {
            if let Ok(spec) = text.parse::<PathSpec>() {
                prop_assert_eq!(spec.to_string(), text);
            }
        }
    }

    #[test]
    fn beginnings_are_enough() {
        let within = |text: &str| match text.parse::<PathSpec>().unwrap() {
            PathSpec::Run(run, within) => format!("{run} | {within:?}"),
            PathSpec::Flow(flow) => format!("all of {flow}"),
        };
        assert_eq!(within("latest"), "latest | Run");
        assert_eq!(within("42/count"), "42 | Step(`count`)");
        assert_eq!(within("wordcount"), "all of wordcount");
        assert_eq!(within("wordcount/latest"), "wordcount/latest | Run");
        assert_eq!(within("wordcount/42/count"), "wordcount/42 | Step(`count`)");
        assert_eq!(
            within("wordcount/42/count/7"),
            "wordcount/42 | Task(`count`, 7)"
        );
        assert_eq!(
            within("wordcount/42/end/-"),
            "wordcount/42 | Task(`end`, -)"
        );
        assert_eq!(
            within("wordcount/42/count/7/counts"),
            "wordcount/42 | Artifact(`count`, 7, `counts`)"
        );
        assert_eq!(
            within("wordcount/42/end/top"),
            "wordcount/42 | StepArtifact(`end`, `top`)"
        );
    }

    #[test]
    fn what_names_nothing_is_refused_by_its_part() {
        let spec = |text: &str| text.parse::<PathSpec>().unwrap_err().to_string();
        assert_eq!(
            spec("a//b"),
            "`a//b` names nothing: `flow/run/step/task/artifact` is expected, or a beginning of it"
        );
        assert!(spec("").starts_with("`` names nothing"));
        assert!(spec("a/1/b/2/c/d").starts_with("`a/1/b/2/c/d` names nothing"));
        assert_eq!(
            spec("a/first"),
            "`first` is not the number of a run: `latest` or a number from 1 is expected"
        );
        assert!(spec("a/042").starts_with("`042` is not the number of a run"));
        assert!(spec("a/0").starts_with("`0` is not the number of a run"));
        assert!(spec("a/18446744073709551616").contains("is not the number of a run"));
        assert_eq!(
            spec("a/1/b/~0"),
            "`~0` is not the name of a task: `-`, `7`, `3.1`, `~2` and `3~2` are"
        );
        let run = |text: &str| text.parse::<RunSelector>().unwrap_err().to_string();
        assert_eq!(
            run("wordcount"),
            "`wordcount` is not a run: `latest`, `42`, `flow/latest` or `flow/42` is expected"
        );
        assert!(run("a/1/b").starts_with("`a/1/b` is not a run"));
        assert!(run("7x").starts_with("`7x` is not the number of a run"));
    }

    #[test]
    fn what_completion_leaves_at_the_end_does_not_matter() {
        let typed = |text: &str| PathSpec::typed(text).map(|spec| spec.to_string());
        assert_eq!(
            typed("wordcount/42/count/").as_deref(),
            Ok("wordcount/42/count")
        );
        assert_eq!(typed("latest").as_deref(), Ok("latest"));
        assert!(typed("/").is_err() && typed("wordcount//").is_err());
    }

    #[test]
    fn the_latest_run_of_the_current_flow_is_meant_by_default() {
        assert_eq!(RunSelector::default().to_string(), "latest");
    }
}
