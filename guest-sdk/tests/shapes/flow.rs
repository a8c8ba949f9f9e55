//! A flow with every shape, every kind of argument and every option.
#![deny(warnings, missing_docs)]

use wrun_sdk::prelude::*;

/// Every shape of a flow.
///
/// It computes nothing of use.
#[flow(name = "all-shapes")]
pub mod shapes {
    use std::io::Write;

    use super::*;

    /// What `start` writes.
    #[derive(Artifacts)]
    pub struct Start {
        /// Goes on to everyone.
        pub base: u32,
        /// Nobody reads it.
        pub first_line: Option<String>,
    }

    /// What a side of the split writes.
    #[derive(Artifacts)]
    pub struct Side {
        /// Differs.
        pub score: f64,
        /// Agrees.
        pub note: String,
        /// Only one side has it.
        pub extra: Option<u8>,
    }

    /// A sum.
    #[derive(Artifacts, Clone, Debug, PartialEq)]
    pub struct Sum {
        /// The sum.
        pub sum: u64,
    }

    /// One element of the outer foreach.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Group {
        /// Its name.
        pub name: String,
        /// How many cells it has.
        pub size: u32,
    }

    /// What `fan` writes.
    #[derive(Artifacts)]
    pub struct Fan {
        /// The elements.
        pub groups: Vec<Group>,
    }

    /// What `inner` writes.
    #[derive(Artifacts)]
    pub struct Inner {
        /// The elements.
        pub cells: Vec<u32>,
    }

    /// What `work` writes, and what is caught when it fails.
    #[derive(Artifacts)]
    pub struct Worked {
        /// The value.
        pub value: Option<u64>,
        /// Why there is none.
        pub failure: Option<Failure>,
    }

    /// What `work` writes.
    #[derive(Artifacts)]
    pub struct Value {
        /// The value.
        pub value: u64,
    }

    /// The way on.
    #[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    pub enum Route {
        /// Turn again.
        Again,
        /// Stop.
        GoodEnough,
    }

    /// What `decide` writes.
    #[derive(Artifacts)]
    pub struct Decided {
        /// The way on.
        pub route: Route,
    }

    /// What `end` writes.
    #[derive(Artifacts)]
    pub struct End {
        /// A page.
        pub page: Report,
        /// A table.
        pub table: Blob,
        /// What was read under another name.
        pub copy: Blob,
        /// A text.
        pub summary: Text,
        /// Anything.
        pub settings: Json,
    }

    /// Reads the parameters.
    #[step(next = ["left", "right"])]
    fn start(
        /// The file to read.
        #[param]
        corpus: Blob,
        #[param(default = 8, help = "How many parts")] parts: u32,
        #[param(default = "plain", choices = ["plain", "fancy"])] style: String,
        /// Words to leave out.
        ///
        /// None by default.
        #[param(default = ["the", "a"])]
        stop: Vec<String>,
        #[param] limit: Option<u64>,
    ) -> Result<Start> {
        let first_line = corpus.lines().next().transpose()?;
        info!("{style}, {} stop words, limit {limit:?}", stop.len());
        Ok(Start {
            base: parts,
            first_line,
        })
    }

    #[step(next = "both")]
    fn left(base: u32) -> Side {
        Side {
            score: f64::from(base) / 2.0,
            note: "same".to_owned(),
            extra: Some(1),
        }
    }

    #[step(next = "both")]
    fn right(base: u32) -> Result<Side, std::num::TryFromIntError> {
        u8::try_from(base)?;
        Ok(Side {
            score: f64::from(base) * 2.0,
            note: "same".to_owned(),
            extra: None,
        })
    }

    /// Brings both sides together.
    #[step(join, merge = ["note"], next = "fan")]
    fn both(sides: Inputs<Side>) -> Result<Sum> {
        let sum = sides.of_step("left")?.score + sides.of_step("right")?.score;
        Ok(Sum { sum: sum as u64 })
    }

    #[step(foreach = "groups", next = "inner")]
    fn fan(sum: u64) -> Fan {
        let group = |size| Group {
            name: format!("group {size}"),
            size,
        };
        Fan {
            groups: (1..=sum as u32).map(group).collect(),
        }
    }

    #[step(foreach = "cells", next = "work")]
    fn inner(#[item] group: Group) -> Result<Inner> {
        ensure!(group.size < 100, "group `{}` is too large", group.name);
        Ok(Inner {
            cells: (0..group.size).collect(),
        })
    }

    /// May fail.
    #[step(
        next = "gather",
        retry(times = 3, backoff = "2s"),
        timeout = "1m30s",
        catch = "failure",
        resources(cpu = 0.5, memory = "1GiB", gpu = 1, disk = "10GiB"),
        float = "portable"
    )]
    fn work(#[item] cell: u32, task: &Task) -> Result<Value> {
        progress(1, 2, "half");
        match cell {
            13 => bail!("cell {cell} of {task} is unlucky"),
            n => Ok(Value {
                value: u64::from(n) + task.seed(),
            }),
        }
    }

    #[step(join, next = "outer")]
    fn gather(worked: Inputs<Worked>) -> Result<Sum> {
        let mut sum = 0;
        for branch in &worked {
            let branch = branch?;
            match (branch.value, branch.failure) {
                (Some(value), None) => sum += value,
                (_, Some(failure)) => warn!("{}", failure.message),
                (None, None) => bail!("neither a value nor a failure"),
            }
        }
        Ok(Sum { sum })
    }

    #[step(join, next = "decide")]
    fn outer(sums: Inputs<Sum>) -> Result<Sum> {
        let sum = sums
            .iter()
            .map(|branch| branch.map(|branch| branch.sum))
            .sum::<Result<u64>>()?;
        Ok(Sum { sum })
    }

    /// Turns again, or stops.
    #[step(switch = "route", cases(again = "improve", "good-enough" = "end"), max_turns = 5)]
    fn decide(sum: u64) -> Decided {
        Decided {
            route: if sum < 100 {
                Route::Again
            } else {
                Route::GoodEnough
            },
        }
    }

    #[step(next = "decide")]
    fn improve(sum: u64, route: Route) -> Sum {
        debug!("{route:?}");
        Sum { sum: sum * 2 }
    }

    #[step]
    fn end(sum: u64, corpus: Blob, note: Option<String>) -> Result<End> {
        let mut table = Blob::writer().with_media_type("text/csv");
        writeln!(table, "sum,{sum}")?;
        Ok(End {
            page: report!("# {sum}"),
            table: table.finish(),
            copy: corpus,
            summary: Text::new(format!("{sum} {}", note.unwrap_or_default())),
            settings: Json(json!({ "sum": sum })),
        })
    }
}
