//! Events for eyes and machines.
//!
//! A [`Reporter`] is told every event of a run and shows it: [`terminal`] draws lines that change,
//! [`plain`] writes lines that do not, [`jsonl`] writes JSON, [`quiet`] writes only what went
//! wrong. [`progress`] folds events into the counts that all of them show, [`summary`] is said at
//! the end. [`style`], [`clean`], [`table`], [`human`] and [`json`] are how anything is shown, in a run or later.
//!
//! Uses `model`. Decides nothing, stores nothing, and writes only where it is told.

pub mod base64;
pub mod clean;
pub mod human;
pub mod style;
pub mod table;
