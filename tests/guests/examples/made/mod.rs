//! What every module in this directory has: the bindings, and a step that does nothing.

#[rustfmt::skip]
#[path = "../../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
pub mod bindings;

use bindings::wrun::flow::types::{Definition, Failure, Outcome};

/// A definition of nothing but a name.
pub fn named(name: String) -> Definition {
    Definition {
        name,
        docs: String::new(),
        sdk: String::new(),
        parameters: Vec::new(),
        steps: Vec::new(),
    }
}

/// Where `describe` is what matters.
pub trait Describe {
    /// What the module says about itself, or does instead.
    fn describe() -> Definition;
}

impl<T: Describe> bindings::Guest for T {
    fn describe() -> Definition {
        T::describe()
    }

    fn run(_: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}
