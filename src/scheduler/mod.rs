//! Room: scheduler.
