//! The closed world in which guests run. The only room that names wasmtime.
//!
//! The *agent* (the driver, later a worker in a container) holds credentials and the datastore and
//! never runs guest code. Guests run in *cells*: child processes with an empty environment, which
//! talk to the agent over one socket pair. [`call`] is what is said about one task, [`fetch`] about one request over HTTP, [`host`] is
//! what a running task may ask of the agent meanwhile.
//!
//! In the agent: [`module`] compiles modules (in a cell) and keeps the result on this machine, and
//! [`Cell`] is the handle of a cell. On the socket: [`wire`]. In the cell: [`execute`] makes an
//! instance for one call, on an [`engine`] whose every setting is pinned, in the [`world`] that is
//! all a guest can see; [`trap`] says what ended it.
//!
//! Uses `model`. Knows no datastore: it asks a [`host::Host`].

pub mod backtrace;
pub mod bindings;
pub mod call;
pub mod cell;
pub mod contract;
mod definition;
pub mod engine;
pub mod execute;
pub mod fetch;
pub mod host;
pub mod module;
mod plain;
pub mod trap;
pub mod wire;
pub mod world;

pub use self::cell::agent::{Cell, CellError, Launcher};
pub use self::cell::child::cell_main;
pub use self::module::{CompiledModule, ModuleError, Modules};
