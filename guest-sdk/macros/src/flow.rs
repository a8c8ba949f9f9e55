//! `#[flow]`: reads a module, checks it, and writes beside it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Item, ItemMod, LitStr, Token};

use crate::check;
use crate::debug;
use crate::expand;
use crate::names::{self, Kind};
use crate::problems::Problems;
use crate::step::{self, Step};

/// A flow as its module says it.
pub(crate) struct Flow {
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) steps: Vec<Step>,
}

/// The module with what makes it a flow beside it, or with what is wrong.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut module = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Mod(module)) => module,
        Ok(other) => return refuse_item(&other),
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#item #error);
        }
    };
    let mut problems = Problems::default();
    let name = problems.keep(flow_name(options, &module));
    let steps = read_steps(&mut module, &mut problems);
    let flow = Flow {
        name: name.unwrap_or_default(),
        docs: step::docs(&module.attrs),
        steps,
    };
    check::check(&flow, &mut problems);
    match problems.into_code() {
        Some(errors) => quote!(#[allow(dead_code, unused_imports)] #module #errors),
        None => {
            let (_, items) = module
                .content
                .as_mut()
                .expect("a module without a body was refused");
            let shown = debug::beside(items);
            items.push(Item::Verbatim(expand::beside(&flow)));
            items.push(Item::Verbatim(shown));
            module.into_token_stream()
        }
    }
}

fn refuse_item(item: &Item) -> TokenStream {
    let advice = "a flow is a module; write `#[flow] mod my_flow { … }` around its steps";
    let error = syn::Error::new(Span::call_site(), advice).to_compile_error();
    quote!(#item #error)
}

fn flow_name(options: TokenStream, module: &ItemMod) -> syn::Result<String> {
    let mut given: Option<LitStr> = None;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta
                .error("a flow has only the option `name`; write `#[flow(name = \"my-flow\")]`"));
        }
        given = Some(meta.value()?.parse()?);
        let _ = meta.input.peek(Token![,]);
        Ok(())
    });
    parser.parse2(options)?;
    let (name, span) = match &given {
        Some(name) => (name.value(), name.span()),
        None => (module.ident.unraw().to_string(), module.ident.span()),
    };
    match names::refuse(Kind::Flow, &name) {
        Some(why) => Err(syn::Error::new(span, why)),
        None => Ok(name),
    }
}

fn read_steps(module: &mut ItemMod, problems: &mut Problems) -> Vec<Step> {
    let Some((_, items)) = &mut module.content else {
        problems.add(
            module.span(),
            "the steps of a flow are written inside its module; write `mod my_flow { … }` with a body",
        );
        return Vec::new();
    };
    let mut steps = Vec::new();
    let mut found = false;
    for item in items {
        let Item::Fn(function) = item else { continue };
        let Some(at) = function.attrs.iter().position(|a| step::is(a, "step")) else {
            continue;
        };
        let attribute = function.attrs.remove(at);
        found = true;
        steps.extend(step::parse(function, &attribute, problems));
    }
    if !found {
        problems.add(
            module.ident.span(),
            "a flow needs at least one step; write `#[step]` on a function in this module",
        );
    }
    steps
}
