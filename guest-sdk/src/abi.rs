//! The one file that touches the generated bindings.
//!
//! Everything above it speaks of [`Host`], so it can be exercised without a module. Natively the
//! functions in here compile, and are never called.

use std::sync::Arc;

use crate::bindings::wrun::flow::{artifacts, feedback, task};
use crate::bindings::{self, Failure as WireFailure};
use crate::blob::Blob;
use crate::error::Error;
use crate::glue::Flow;
use crate::host::{Host, Level};
use crate::panic;

pub use crate::bindings::wrun::flow::task::Context;
pub use crate::bindings::wrun::flow::types::{
    Decision, Definition, Edge, FanOut, Outcome, ParamKind, Parameter, Read, Resources, Retry,
    Step, SwitchCase, Write,
};

/// Whether this code runs inside a module and has a host around it.
pub(crate) const IN_MODULE: bool = cfg!(target_family = "wasm");

/// A value of the host that is read in pieces.
#[derive(Debug)]
pub struct Reader(artifacts::Reader);

impl Reader {
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn media_type(&self) -> String {
        self.0.media_type()
    }

    /// Up to `len` bytes from `offset`; fewer only at the end.
    pub(crate) fn read_at(&self, offset: u64, len: u32) -> Vec<u8> {
        self.0.read_at(offset, len)
    }
}

/// A value of the host that is written in pieces.
#[derive(Debug)]
pub struct Writer(artifacts::Writer);

impl Writer {
    pub(crate) fn new(media_type: &str) -> Self {
        Self(artifacts::Writer::new(media_type))
    }

    pub(crate) fn write(&self, bytes: &[u8]) {
        self.0.write(bytes);
    }
}

/// The host around this module.
struct World;

impl Host for World {
    fn task(&self) -> Context {
        task::current()
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        artifacts::get(name)
    }

    fn open(&self, name: &str) -> Option<Blob> {
        artifacts::open(name).map(|reader| Blob::given(Reader(reader)))
    }

    fn item(&self) -> Option<Vec<u8>> {
        Some(artifacts::item())
    }

    fn branches(&self) -> u32 {
        artifacts::input_count()
    }

    fn branch_task(&self, branch: u32) -> String {
        artifacts::input_task(branch)
    }

    fn branch_get(&self, branch: u32, name: &str) -> Option<Vec<u8>> {
        artifacts::input_get(branch, name)
    }

    fn branch_open(&self, branch: u32, name: &str) -> Option<Blob> {
        artifacts::input_open(branch, name).map(|reader| Blob::given(Reader(reader)))
    }

    fn put(&self, name: &str, media_type: &str, bytes: &[u8]) {
        artifacts::put(name, media_type, bytes);
    }

    fn save(&self, name: &str, writer: Writer) {
        artifacts::save(name, writer.0);
    }

    fn pass(&self, name: &str, reader: &Reader) {
        artifacts::pass(name, &reader.0);
    }
}

/// Tells the host how far the task is.
pub(crate) fn progress(done: u64, total: u64, message: &str) {
    feedback::progress(done, total, message);
}

/// Gives the host a line of the log.
pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => feedback::Level::Debug,
        Level::Info => feedback::Level::Info,
        Level::Warn => feedback::Level::Warn,
        Level::Error => feedback::Level::Error,
    };
    feedback::log(level, message);
}

impl<T: Flow> bindings::Guest for T {
    fn describe() -> Definition {
        panic::install();
        T::describe()
    }

    fn run(step: String) -> Result<Outcome, WireFailure> {
        panic::install();
        T::run(&step, &(Arc::new(World) as Arc<dyn Host>)).map_err(failure)
    }
}

fn failure(error: Error) -> WireFailure {
    let retryable = !error.is_fatal();
    let (message, causes) = error.into_parts();
    WireFailure {
        retryable,
        message,
        causes,
    }
}
