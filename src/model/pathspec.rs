//! Names for anything: `flow/run/step/task/artifact`.
