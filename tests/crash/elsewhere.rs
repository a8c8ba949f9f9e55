//! The points that a datastore in a directory and a driver alone do not pass: of workers and of buckets.

/// Those points.
pub const POINTS: [&str; 0] = [];
