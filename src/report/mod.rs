//! Room: report.

pub mod graph;
