//! Write the steps of a wrun flow in Rust.
//!
//! (docs follow)

extern crate self as wrun_sdk;

mod abi;
mod artifact;
#[allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all)]
#[doc(hidden)]
#[rustfmt::skip]
pub mod bindings;
mod blob;
mod cbor;
mod error;
mod failure;
mod feedback;
#[doc(hidden)]
pub mod glue;
mod host;
mod inputs;
mod memory;
mod panic;
mod parameter;
mod report;
mod task;
mod type_name;
mod value;

pub use artifact::{Artifacts, FromArtifact, FromBranch, ToArtifact};
pub use blob::{Blob, BlobWriter};
pub use error::{Context, Error, Fatal, Result};
pub use failure::{Failure, FailureKind, Limit};
pub use feedback::progress;
pub use inputs::{Inputs, Iter};
pub use parameter::{Parameter, Scalar};
pub use report::Report;
pub use serde_json::json;
pub use task::Task;
pub use value::{Bytes, Json, Text};
pub use wrun_sdk_macros::{Artifacts, flow, step};

/// All that a flow needs: `use wrun_sdk::prelude::*;`.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};

    pub use crate::{
        Artifacts, Blob, BlobWriter, Bytes, Context, Error, Failure, FailureKind, Fatal, Inputs,
        Json, Report, Result, Task, Text, bail, debug, ensure, error, flow, info, json, progress,
        report, step, warn,
    };
}
