//! Finds every error of a flow at once.
