//! The attributes and derives of `wrun-sdk`, where they are documented.
//!
//! They write beside what they are put on and never change it: a step stays the function that its
//! author wrote. What is wrong is shown where it is written, all at once, with what to write instead.

mod artifacts;
mod check;
mod debug;
mod expand;
mod flow;
mod names;
mod options;
mod problems;
mod step;
mod units;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;

/// Makes a module a flow. Documented in `wrun_sdk`.
#[proc_macro_attribute]
pub fn flow(options: TokenStream, module: TokenStream) -> TokenStream {
    flow::expand(options.into(), module.into()).into()
}

/// Makes a function in a flow a step. Documented in `wrun_sdk`.
#[proc_macro_attribute]
pub fn step(_: TokenStream, function: TokenStream) -> TokenStream {
    let function = Tokens::from(function);
    let message = "a step is a function inside a module with `#[flow]`; write `#[flow] mod my_flow { … }` around it";
    quote!(::core::compile_error!(#message); #function).into()
}

/// Makes the fields of a struct artifacts. Documented in `wrun_sdk`.
#[proc_macro_derive(Artifacts)]
pub fn artifacts(item: TokenStream) -> TokenStream {
    artifacts::expand(item.into()).into()
}
