//! Collects what is wrong, so that a compilation shows all of it at once.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};

/// What was found to be wrong so far.
#[derive(Default)]
pub(crate) struct Problems(Option<syn::Error>);

impl Problems {
    /// Adds one that is shown at `span`.
    pub(crate) fn add(&mut self, span: Span, message: impl Display) {
        self.merge(syn::Error::new(span, message));
    }

    /// Adds those of a parser.
    pub(crate) fn merge(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    /// The value, or its problems and none.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.merge(error)).ok()
    }

    /// Code that makes the compiler show all problems; none when there are none.
    pub(crate) fn into_code(self) -> Option<TokenStream> {
        self.0.map(|error| error.to_compile_error())
    }
}
