//! Which runs go. Pure: facts in, verdicts out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::id::RunId;
use crate::model::name::{FlowName, Tag};
use crate::model::time::Timestamp;

/// Which runs go: those that all that is said here means. When nothing is said, none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Only runs of this flow.
    pub flow: Option<FlowName>,
    /// Only runs that ended, or were last heard of, longer ago than this, in microseconds.
    pub older_than_us: Option<u64>,
    /// Only runs that are not among so many newest of their flow. The newest is never meant.
    pub keep_last: Option<u64>,
}

impl Rules {
    /// Whether any run is meant.
    pub fn mean_some(&self) -> bool {
        self.older_than_us.is_some() || self.keep_last.is_some()
    }
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The run.
    pub run: RunId,
    /// When it ended, or was last heard of.
    pub at: Timestamp,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Whether somebody drives it, or may be about to.
    pub is_driven: bool,
    /// Whether it has lost its header: then it is not for rules to say that it goes.
    pub is_headless: bool,
    /// The runs that it cannot be without.
    pub refers: BTreeSet<RunId>,
}

/// Why a run stays that the rules mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// It has this tag.
    Tagged(Tag),
    /// Somebody drives it.
    Driven,
    /// This run stays, and took over from it.
    Origin(RunId),
    /// It has lost its header since it was chosen.
    Headless,
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tag) => write!(f, "it has the tag `{tag}`"),
            Self::Driven => f.write_str("it is being driven"),
            Self::Origin(run) => write!(f, "`{run}` took over from it"),
            Self::Headless => f.write_str("it has lost its header"),
        }
    }
}

/// The runs that go, and those that the rules mean and that stay.
pub fn choose(
    facts: &[Facts],
    rules: &Rules,
    now: Timestamp,
) -> (BTreeSet<RunId>, Vec<(RunId, Stays)>) {
    let mut goes = BTreeSet::new();
    let mut stays = Vec::new();
    if !rules.mean_some() {
        return (goes, stays);
    }
    for fact in meant(facts, rules, now) {
        match fact.tags.first() {
            _ if fact.is_driven => stays.push((fact.run.clone(), Stays::Driven)),
            Some(tag) => stays.push((fact.run.clone(), Stays::Tagged(tag.clone()))),
            None => drop(goes.insert(fact.run.clone())),
        }
    }
    // Whoever stays keeps what it refers to, which then stays too.
    let mut waiting: Vec<&Facts> = facts
        .iter()
        .filter(|fact| !goes.contains(&fact.run))
        .collect();
    let by_run: BTreeMap<_, _> = facts.iter().map(|fact| (&fact.run, fact)).collect();
    while let Some(fact) = waiting.pop() {
        for origin in &fact.refers {
            if goes.remove(origin) {
                stays.push((origin.clone(), Stays::Origin(fact.run.clone())));
                waiting.extend(by_run.get(origin));
            }
        }
    }
    stays.sort_by(|(one, _), (two, _)| one.cmp(two));
    (goes, stays)
}

fn meant<'a>(facts: &'a [Facts], rules: &Rules, now: Timestamp) -> Vec<&'a Facts> {
    let mut newest_first: Vec<&Facts> = facts.iter().collect();
    newest_first.sort_by(|one, two| two.run.cmp(&one.run));
    let mut of_flow: BTreeMap<&FlowName, u64> = BTreeMap::new();
    // The number of the newest run says which numbers are taken.
    let keep = rules.keep_last.unwrap_or(0).max(1);
    newest_first.retain(|fact| {
        let before = of_flow.entry(&fact.run.flow).or_default();
        *before += 1;
        let flow = rules.flow.as_ref();
        let is_old = rules
            .older_than_us
            .is_none_or(|age| now.micros_since(fact.at) > age);
        *before > keep
            && is_old
            && !fact.is_headless
            && flow.is_none_or(|flow| *flow == fact.run.flow)
    });
    newest_first
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(number: u64) -> RunId {
        RunId {
            flow: "f".parse().unwrap(),
            number,
        }
    }

    fn facts(number: u64, refers: &[u64]) -> Facts {
        Facts {
            run: run(number),
            at: Timestamp(number),
            tags: Vec::new(),
            is_driven: false,
            is_headless: false,
            refers: refers.iter().map(|it| run(*it)).collect(),
        }
    }

    fn rules(older_than_us: Option<u64>, keep_last: Option<u64>) -> Rules {
        Rules {
            flow: None,
            older_than_us,
            keep_last,
        }
    }

    #[test]
    fn what_is_tagged_driven_or_an_origin_stays() {
        let mut all: Vec<_> = (1..=7).map(|number| facts(number, &[])).collect();
        all[0].tags = vec!["release".parse().unwrap()];
        all[1].is_driven = true;
        all[6].refers = [run(5)].into();
        all[4].refers = [run(4)].into();
        all[2].is_headless = true;
        let (goes, stays) = choose(&all, &rules(None, Some(1)), Timestamp(100));
        assert_eq!(goes, [run(6)].into());
        let why: Vec<_> = stays
            .iter()
            .map(|(run, why)| format!("{run}: {why}"))
            .collect();
        assert_eq!(
            why,
            [
                "f/1: it has the tag `release`",
                "f/2: it is being driven",
                "f/4: `f/5` took over from it",
                "f/5: `f/7` took over from it",
            ]
        );
    }

    #[test]
    fn all_that_is_said_is_meant_at_once_and_the_newest_never() {
        let all: Vec<_> = (1..=5).map(|number| facts(number, &[])).collect();
        let goes = |rules| choose(&all, &rules, Timestamp(10)).0;
        assert_eq!(goes(rules(None, None)), [].into());
        assert_eq!(goes(rules(Some(7), None)), [run(1), run(2)].into());
        assert_eq!(goes(rules(Some(7), Some(4))), [run(1)].into());
        assert_eq!(goes(rules(None, Some(0))).len(), 4);
        assert_eq!(goes(rules(Some(0), None)).len(), 4);
        let other = Rules {
            flow: Some("g".parse().unwrap()),
            ..rules(Some(0), None)
        };
        assert_eq!(goes(other), [].into());
    }

    proptest! {
        #[test]
        fn nobody_stays_without_what_it_refers_to(
            edges in proptest::collection::vec((1_u64..20, 1_u64..20), 0..40),
            age in 0_u64..20,
            keep in 0_u64..5,
        ) {
            let mut all: Vec<_> = (1..20).map(|number| facts(number, &[])).collect();
            for (from, to) in edges {
                all[from as usize - 1].refers.insert(run(to));
            }
            let (goes, _) = choose(&all, &rules(Some(age), Some(keep)), Timestamp(20));
            for fact in all.iter().filter(|fact| !goes.contains(&fact.run)) {
                prop_assert!(fact.refers.is_disjoint(&goes));
            }
        }
    }
}
