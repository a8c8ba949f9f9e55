//! The closed world in which guests run. The only room that names wasmtime.
//!
//! The *agent* (the driver, later a worker in a container) holds credentials and the datastore and
//! never runs guest code. Guests run in *cells*: child processes with an empty environment, which
//! talk to the agent over one socket pair. [`call`] is what is said about one task, [`host`] is
//! what a running task may ask of the agent meanwhile.

pub mod call;
pub mod host;
