//! The checked graph of a flow.
