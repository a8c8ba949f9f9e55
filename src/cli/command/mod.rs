//! One file per command: its arguments and one function.

pub(crate) mod attach;
pub(crate) mod batch;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod code;
pub(crate) mod completions;
pub(crate) mod datastore;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod exit_codes;
pub(crate) mod fsck;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod graph;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod spin;
pub(crate) mod tag;
pub(crate) mod why;
pub(crate) mod worker;
