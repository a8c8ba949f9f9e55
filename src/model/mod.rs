//! What a flow, a run, a task, an artifact and an event *are*.
//!
//! Pure data: nothing in here reads a clock, a file or a random number, and everything that is
//! stored or printed has one order. The types read from the outside in: names ([`name`]), places
//! ([`id`], [`pathspec`]), what a module says about itself ([`definition`]), the checked graph that
//! follows from it ([`graph`], [`validate`]), and what happens to it in a run ([`header`],
//! [`grant`], [`secret`], [`origin`], [`artifact`], [`record`], [`failure`], [`event`], [`job`]). [`confinement`] is how much an operator insists on, [`nearest`] finds what a misspelt
//! name was meant to be, and [`archive`] makes one of many files.
//!
//! Uses nothing of this crate. Every other room uses it.

pub mod archive;
pub mod artifact;
pub mod confinement;
pub mod definition;
pub mod digest;
pub mod event;
pub mod failure;
pub mod grant;
pub mod graph;
pub mod header;
pub mod id;
pub mod job;
pub mod name;
pub mod nearest;
pub mod origin;
pub mod pathspec;
pub mod record;
pub mod secret;
#[cfg(test)]
pub(crate) mod sketch;
pub mod time;
pub mod validate;
