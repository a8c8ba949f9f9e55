//! One attempt of one task: the one path that every executor takes.
//!
//! [`attempt::run_attempt`] gathers what the step reads, lets a cell execute it, checks and stores
//! what it wrote, and gives back the record. It takes every setting from the run's header and the
//! assignment; nothing in here can tell which executor asked.
//!
//! Uses `model`, `scheduler` (its assignments), `datastore`, `sandbox`. Knows no executor and no
//! terminal.

pub mod at_hand;
pub mod attempt;
pub mod directory;
pub mod grants;
pub mod host;
mod http;
pub mod inputs;
mod intake;
pub mod list;
pub mod memo;
pub mod outputs;
pub mod redact;
pub mod secret;
pub mod site;
pub mod spec;
pub mod trace;
pub mod trouble;
pub mod values;

use crate::datastore::Datastore;
use crate::model::failure::Failure;
use crate::model::header::Limits;
use crate::sandbox::fetch::Fetch;

/// Makes one request for whoever tests the one who makes them; `datastore` takes what is large.
///
/// # Errors
/// As those of every request of a step.
pub(crate) async fn ask_once(
    datastore: &Datastore,
    fetch: Fetch,
    limits: &Limits,
) -> Result<trace::Found, Failure> {
    let redactor = redact::Redactor::default();
    let intake = intake::Intake::new(datastore, 1 << 16, &redactor);
    http::ask(fetch, limits, intake).await
}
