//! Everything that can be wrong with a flow: message, hint and stable code of each.

use crate::model::name::NameError;

/// What is wrong.
///
/// The text continues a sentence that begins with the place, e.g. "step `count` …". Names in here
/// are whatever the module said, shortened and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The fields are the things named in the message of each variant.
pub enum Fault {
    /// The name of the flow, of a step, a parameter, an artifact or a case is not a name.
    #[error("has a name that is not allowed: {0}")]
    Name(NameError),
    /// The flow has a name that means something else.
    #[error("has the name `latest`, which means the last run")]
    ReservedName,
    /// An artifact that the step names is not a name.
    #[error("names an artifact that cannot exist: {0}")]
    ArtifactName(NameError),
    /// A case of a switch is not a name.
    #[error("names a case that cannot exist: {0}")]
    CaseName(NameError),

    /// The flow is empty.
    #[error("has no steps")]
    NoSteps,
    /// The flow is larger than anyone can mean.
    #[error("has {count} steps, and {limit} are the most")]
    TooManySteps { count: usize, limit: usize },
    /// More artifacts than anyone can mean.
    #[error("has more than {limit} different artifacts")]
    TooManyArtifacts { limit: usize },
    /// Two steps have the same name.
    #[error("is there twice; the first is at {first}")]
    DuplicateStep { first: String },

    /// Two parameters have one name and differ.
    #[error("is declared twice, as `{first}` and as `{second}`")]
    DuplicateParameter { first: String, second: String },
    /// The width of a parameter does not fit its kind.
    #[error("has {bits} bits, which its kind does not have")]
    ParameterBits { bits: u8 },
    /// The type of a parameter is missing.
    #[error("has no type")]
    ParameterType,
    /// A step writes an artifact that is a parameter.
    #[error("writes `{artifact}`, which is a parameter of the flow")]
    ParameterWritten { artifact: String },

    /// An edge leads nowhere.
    #[error("leads to `{target}`, which is not a step")]
    UnknownStep {
        target: String,
        suggestion: Option<String>,
    },
    /// A split with fewer than two branches.
    #[error("splits into {count} branches, and two are the fewest")]
    SplitTooSmall { count: usize },
    /// A split with the same branch twice.
    #[error("splits into `{branch}` twice")]
    SplitRepeats { branch: String },
    /// A switch without cases.
    #[error("decides between no cases")]
    NoCases,
    /// A switch with the same case twice.
    #[error("has the case `{case}` twice")]
    DuplicateCase { case: String },
    /// The list or decision of the edge is not written by the step.
    #[error("has `{attribute} = \"{artifact}\"`, and does not write `{artifact}`")]
    EdgeArtifact {
        attribute: &'static str,
        artifact: String,
        suggestion: Option<String>,
    },
    /// The artifact of a foreach is not a list.
    #[error("has `foreach = \"{artifact}\"`, and `{artifact}` is a `{ty}`, which is not a list")]
    NotAList { artifact: String, ty: String },
    /// An artifact is written twice by one step.
    #[error("writes `{artifact}` twice")]
    DuplicateWrite { artifact: String },
    /// An artifact is read twice by one step.
    #[error("reads `{artifact}` twice, as `{first}` and as `{second}`")]
    DuplicateRead {
        artifact: String,
        first: String,
        second: String,
    },
    /// Inputs without join.
    #[error("reads the inputs of branches, and is not a join")]
    InputsWithoutJoin,
    /// Merge without join.
    #[error("merges `{artifact}`, and is not a join")]
    MergeWithoutJoin { artifact: String },
    /// An artifact is merged and also written.
    #[error("merges `{artifact}` and writes it as well")]
    MergeAndWrite { artifact: String },
    /// An artifact is merged twice.
    #[error("merges `{artifact}` twice")]
    MergeTwice { artifact: String },
    /// A step that decides catches its failure.
    #[error("catches its failure, and must then still decide how the flow goes on")]
    CatchOnDecision,
    /// The artifact of the failure is also one that the step writes.
    #[error("keeps its failure in `{artifact}`, which it also writes")]
    CatchWritten { artifact: String },
    /// More retries than anyone can mean.
    #[error("is retried {times} times, and {limit} are the most")]
    RetryTimes { times: u32, limit: u32 },
    /// A pause longer than anyone can mean.
    #[error("pauses {backoff_ms} ms before a retry, and {limit} ms are the most")]
    RetryBackoff { backoff_ms: u64, limit: u64 },
    /// A time limit that nothing can keep, or that is none.
    #[error("has a timeout of {timeout_ms} ms, and 1 to {limit} ms are possible")]
    Timeout { timeout_ms: u64, limit: u64 },
    /// A resource of which nothing is asked.
    #[error("asks for {what} of 0")]
    NoResource { what: &'static str },
    /// A bound that no loop can keep.
    #[error("has a loop bound of 0 turns")]
    NoTurns,

    /// Nothing ends the flow.
    #[error("has no way to an end: every step leads on")]
    NoEnd,
    /// Several steps end the flow.
    #[error("has several ends: {}", list(.ends))]
    SeveralEnds { ends: Vec<String> },
    /// A step is not reached from the start.
    #[error("is never reached from `{start}`")]
    Unreachable { start: String },
    /// A step from which the end is not reached.
    #[error("has no way to the end `{end}`: {} only lead to each other", list(.steps))]
    NoWayToEnd { end: String, steps: Vec<String> },
    /// Nesting deeper than anyone can mean.
    #[error("is inside more than {limit} splits, foreaches and loops")]
    TooDeep { limit: usize },

    /// The flow ends while branches are open.
    #[error("ends the flow inside the {what} of `{opener}`, which no join closes")]
    EndInside { what: &'static str, opener: String },
    /// A join with nothing to bring together.
    #[error("is a join, and no split or foreach is open where it stands")]
    JoinWithoutSplit,
    /// A join that is reached from some branches only.
    #[error("joins the split of `{opener}`, and the branch `{branch}` does not lead to it")]
    JoinIncomplete { opener: String, branch: String },
    /// A join that is reached from branches of different splits.
    #[error("joins branches of different origin: of {}", list(.openers))]
    JoinMixed { openers: Vec<String> },
    /// A split or foreach that is closed in several places.
    #[error("joins the {what} of `{opener}`, which `{other}` joins as well")]
    SeveralJoins {
        what: &'static str,
        opener: String,
        other: String,
    },
    /// A branch with no steps in it.
    #[error("leads to the join `{join}` directly, and a branch has at least one step")]
    EmptyBranch { join: String },
    /// Branches meet at a step that is not a join.
    #[error("is where branches of `{opener}` meet (from {}), and is not a join", list(.from))]
    NotAJoin { opener: String, from: Vec<String> },
    /// A step that is both inside and outside of a split, foreach or loop.
    #[error("is reached from inside and from outside of the {what} of `{opener}` (from {})", list(.from))]
    MixedPaths {
        what: &'static str,
        opener: String,
        from: Vec<String>,
    },
    /// A loop that may turn for ever.
    #[error("leads back to `{head}`, and nothing bounds that loop")]
    LoopUnbounded { head: String },
    /// A loop that is not closed by a decision.
    #[error("leads back to `{head}`, and only a switch may lead back")]
    LoopNotSwitch { head: String },
    /// A loop that can be entered in several places.
    #[error("is in a loop that can be entered at {}", list(.heads))]
    LoopHeads { heads: Vec<String> },
    /// A loop that begins with a join.
    #[error("leads back to `{head}`, which is a join")]
    LoopIntoJoin { head: String },
    /// A loop and a split or foreach that overlap in part.
    #[error(
        "leads {}, from inside a split or foreach of that loop", way(.head, .target)
    )]
    LoopOverlap { head: String, target: String },

    /// An artifact that nothing writes.
    #[error("reads `{artifact}`, which no step writes and is no parameter")]
    ReadUnwritten {
        artifact: String,
        suggestion: Option<String>,
    },
    /// An artifact that is written later or elsewhere.
    #[error("reads `{artifact}`, which {} only later or on another way", writes(.writers))]
    ReadTooEarly {
        artifact: String,
        writers: Vec<String>,
    },
    /// An artifact that is missing on some way to the step.
    #[error("reads `{artifact}`, which is not written on the way through `{through}`")]
    ReadMaybe { artifact: String, through: String },
    /// An artifact of a step whose failure is caught.
    #[error(
        "reads `{artifact}`, which is missing when `{catcher}` fails and its failure is caught"
    )]
    ReadCaught { artifact: String, catcher: String },
    /// An artifact that a loop writes for its next turn.
    #[error("reads `{artifact}`, which is not written before the first turn of its loop")]
    ReadFirstTurn { artifact: String },
    /// The failure of a step that may succeed.
    #[error("reads `{artifact}`, which is missing when `{catcher}` succeeds")]
    ReadFailure { artifact: String, catcher: String },
    /// An artifact that does not pass the join of a foreach.
    #[error(
        "reads `{artifact}`, which is written inside the foreach of `{opener}` and does not pass its join"
    )]
    ReadNotPassed { artifact: String, opener: String },
    /// A merged artifact of a foreach that may have no elements.
    #[error("reads `{artifact}`, which is missing when the foreach of `{opener}` has no elements")]
    ReadEmptyForeach { artifact: String, opener: String },
    /// An artifact on which the branches of a split need not agree.
    #[error("reads `{artifact}`, on which the branches of `{split}` may differ ({})", writes(.writers))]
    Ambiguous {
        artifact: String,
        split: String,
        join: String,
        writers: Vec<String>,
    },
    /// Reader and writer disagree about the type.
    #[error("reads `{artifact}` as `{ty}`, and {writer} it as `{written}`")]
    TypeDiffers {
        artifact: String,
        ty: String,
        writer: String,
        written: String,
    },
    /// An input that no branch has.
    #[error("merges `{artifact}`, which no branch writes")]
    MergeUnwritten {
        artifact: String,
        suggestion: Option<String>,
    },
    /// A foreach element outside of any foreach.
    #[error("reads a foreach element, and is not inside a foreach")]
    ItemOutside,
    /// The type of the element is not that of the list.
    #[error(
        "reads the foreach element as `{ty}`, and `{artifact}` of step `{opener}` is a `{list}`"
    )]
    ItemType {
        ty: String,
        artifact: String,
        opener: String,
        list: String,
    },
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

fn way(head: &str, target: &str) -> String {
    if head == target {
        format!("back to `{head}`")
    } else {
        format!("to `{target}`, out of the loop of `{head}`")
    }
}

fn writes(writers: &[String]) -> String {
    format!(
        "{} {}",
        list(writers),
        if writers.len() == 1 {
            "writes"
        } else {
            "write"
        }
    )
}

fn did_you_mean(suggestion: &Option<String>) -> Option<String> {
    suggestion
        .as_ref()
        .map(|name| format!("did you mean `{name}`?"))
}

impl Fault {
    /// A name for this kind of fault that does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Name(_) => "name",
            Fault::ReservedName => "reserved-name",
            Fault::ArtifactName(_) => "artifact-name",
            Fault::CaseName(_) => "case-name",
            Fault::NoSteps => "no-steps",
            Fault::TooManySteps { .. } => "too-many-steps",
            Fault::TooManyArtifacts { .. } => "too-many-artifacts",
            Fault::DuplicateStep { .. } => "duplicate-step",
            Fault::DuplicateParameter { .. } => "duplicate-parameter",
            Fault::ParameterBits { .. } => "parameter-bits",
            Fault::ParameterType => "parameter-type",
            Fault::ParameterWritten { .. } => "parameter-written",
            Fault::UnknownStep { .. } => "unknown-step",
            Fault::SplitTooSmall { .. } => "split-too-small",
            Fault::SplitRepeats { .. } => "split-repeats",
            Fault::NoCases => "no-cases",
            Fault::DuplicateCase { .. } => "duplicate-case",
            Fault::EdgeArtifact { .. } => "edge-artifact",
            Fault::NotAList { .. } => "not-a-list",
            Fault::DuplicateWrite { .. } => "duplicate-write",
            Fault::DuplicateRead { .. } => "duplicate-read",
            Fault::InputsWithoutJoin => "inputs-without-join",
            Fault::MergeWithoutJoin { .. } => "merge-without-join",
            Fault::MergeAndWrite { .. } => "merge-and-write",
            Fault::MergeTwice { .. } => "merge-twice",
            Fault::CatchOnDecision => "catch-on-decision",
            Fault::CatchWritten { .. } => "catch-written",
            Fault::RetryTimes { .. } => "retry-times",
            Fault::RetryBackoff { .. } => "retry-backoff",
            Fault::Timeout { .. } => "timeout",
            Fault::NoResource { .. } => "no-resource",
            Fault::NoTurns => "no-turns",
            _ => self.code_of_the_whole(),
        }
    }

    /// Codes of what is wrong with the shape of the flow or with the ways of its artifacts.
    fn code_of_the_whole(&self) -> &'static str {
        match self {
            Fault::NoEnd => "no-end",
            Fault::SeveralEnds { .. } => "several-ends",
            Fault::Unreachable { .. } => "unreachable",
            Fault::NoWayToEnd { .. } => "no-way-to-end",
            Fault::TooDeep { .. } => "too-deep",
            Fault::EndInside { .. } => "end-inside",
            Fault::JoinWithoutSplit => "join-without-split",
            Fault::JoinIncomplete { .. } => "join-incomplete",
            Fault::JoinMixed { .. } => "join-mixed",
            Fault::SeveralJoins { .. } => "several-joins",
            Fault::EmptyBranch { .. } => "empty-branch",
            Fault::NotAJoin { .. } => "not-a-join",
            Fault::MixedPaths { .. } => "mixed-paths",
            Fault::LoopUnbounded { .. } => "loop-unbounded",
            Fault::LoopNotSwitch { .. } => "loop-not-switch",
            Fault::LoopHeads { .. } => "loop-heads",
            Fault::LoopIntoJoin { .. } => "loop-into-join",
            Fault::LoopOverlap { .. } => "loop-overlap",
            Fault::ReadUnwritten { .. } => "read-unwritten",
            Fault::ReadTooEarly { .. } => "read-too-early",
            Fault::ReadMaybe { .. } => "read-maybe",
            Fault::ReadFirstTurn { .. } => "read-first-turn",
            Fault::ReadCaught { .. } => "read-caught",
            Fault::ReadFailure { .. } => "read-failure",
            Fault::ReadNotPassed { .. } => "read-not-passed",
            Fault::ReadEmptyForeach { .. } => "read-empty-foreach",
            Fault::Ambiguous { .. } => "ambiguous",
            Fault::TypeDiffers { .. } => "type-differs",
            Fault::MergeUnwritten { .. } => "merge-unwritten",
            Fault::ItemOutside => "item-outside",
            Fault::ItemType { .. } => "item-type",
            _ => unreachable!("`code` knows all other faults"),
        }
    }

    /// What to do about it, where that does not follow from the message.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Fault::UnknownStep { suggestion, .. }
            | Fault::EdgeArtifact { suggestion, .. }
            | Fault::ReadUnwritten { suggestion, .. }
            | Fault::MergeUnwritten { suggestion, .. } => return did_you_mean(suggestion),
            Fault::ReadMaybe { artifact, .. }
            | Fault::ReadFirstTurn { artifact }
            | Fault::ReadCaught { artifact, .. }
            | Fault::ReadFailure { artifact, .. }
            | Fault::ReadEmptyForeach { artifact, .. } => {
                format!("read it as `{artifact}: Option<…>`")
            }
            Fault::Ambiguous { artifact, join, .. } => format!(
                "let the join `{join}` read it through `Inputs` and write it, or list it there: `merge = [\"{artifact}\"]`"
            ),
            Fault::ReadNotPassed { artifact, .. } => format!(
                "let the join read it through `Inputs`, or list it there: `merge = [\"{artifact}\"]`"
            ),
            _ => return self.fixed_hint().map(str::to_owned),
        };
        Some(text)
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        Some(match self {
            Fault::NoSteps => "mark a function with `#[step]`",
            Fault::ParameterWritten { .. } => "give one of the two another name",
            Fault::SplitTooSmall { .. } => "write `next = \"step\"` for a single way on",
            Fault::InputsWithoutJoin => "mark it with `#[step(join, …)]`",
            Fault::MergeWithoutJoin { .. } => "only a join can merge: write `#[step(join, …)]`",
            Fault::MergeAndWrite { .. } => "do one of the two",
            Fault::CatchOnDecision => "move what may fail to a step before it",
            Fault::NoEnd => "one step must have no `next`",
            Fault::SeveralEnds { .. } => "let all of them lead to one last step",
            Fault::Unreachable { .. } => "lead to it from another step, or remove it",
            Fault::NoWayToEnd { .. } => "add a case that leads out",
            Fault::EndInside { .. } => "let its branches lead to a `#[step(join, …)]`",
            Fault::JoinWithoutSplit => "remove `join`, or split before it",
            Fault::JoinIncomplete { .. } => "let every branch lead to the same join",
            Fault::JoinMixed { .. } => "join the inner branches first",
            Fault::SeveralJoins { .. } => "let all branches lead to one of them",
            Fault::EmptyBranch { .. } => "put a step between",
            Fault::NotAJoin { .. } => "mark it with `#[step(join, …)]`",
            Fault::MixedPaths { .. } => "close the inner one before, or use two steps",
            Fault::LoopUnbounded { .. } => "add `max_turns = …` to its switch",
            Fault::LoopNotSwitch { .. } => {
                "make it `switch = \"…\"` with a case that leads back and one that leads on"
            }
            Fault::LoopHeads { .. } => "let every way into the loop go through one step",
            Fault::LoopIntoJoin { .. } => "lead back to a step after the join, or before the split",
            Fault::LoopOverlap { .. } => {
                "a loop lies within one branch, or has whole splits and foreaches in it"
            }
            Fault::ItemOutside => "remove `#[item]`, or lead to it by `foreach = \"…\"`",
            Fault::NotAList { .. } => "write a `Vec<…>`",
            _ => return None,
        })
    }
}
