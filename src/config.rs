//! Settings, each knowing where it came from.
