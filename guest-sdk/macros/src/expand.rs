//! What `#[flow]` writes beside the steps: the definition, the dispatcher, the export.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprUnary, Ident, Lit, LitFloat, Type, UnOp};

use crate::flow::Flow;
use crate::options::Next;
use crate::step::{Argument, Param, Role, Step, inside, is_type};

/// The items that make a module a flow.
pub(crate) fn beside(flow: &Flow) -> TokenStream {
    let Flow { name, docs, steps } = flow;
    let parameters = steps
        .iter()
        .flat_map(|step| &step.arguments)
        .filter_map(parameter);
    let definitions = steps.iter().map(definition);
    let runs = steps.iter().map(|step| run(flow, step));
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        pub struct __Flow;

        #[automatically_derived]
        impl ::wrun_sdk::glue::Flow for __Flow {
            fn describe() -> ::wrun_sdk::glue::Definition {
                ::wrun_sdk::glue::Definition {
                    name: ::std::string::String::from(#name),
                    docs: ::std::string::String::from(#docs),
                    sdk: ::wrun_sdk::glue::sdk(),
                    parameters: ::std::vec![#(#parameters),*],
                    steps: ::std::vec![#(#definitions),*],
                }
            }

            fn run(
                step: &::core::primitive::str,
                host: &::std::sync::Arc<dyn ::wrun_sdk::glue::Host>,
            ) -> ::wrun_sdk::Result<::wrun_sdk::glue::Outcome> {
                match step {
                    #(#runs)*
                    other => ::wrun_sdk::glue::unknown_step(other),
                }
            }
        }

        // Natively nobody calls the steps but tests; this keeps them from looking dead.
        const _: () = {
            let _ = <__Flow as ::wrun_sdk::glue::Flow>::run;
        };

        #[cfg(target_family = "wasm")]
        ::wrun_sdk::__export_flow_impl!(__Flow with_types_in ::wrun_sdk::bindings);
    }
}

fn option<T>(value: Option<T>, code: impl Fn(T) -> TokenStream) -> TokenStream {
    match value {
        None => quote!(::core::option::Option::None),
        Some(value) => {
            let value = code(value);
            quote!(::core::option::Option::Some(#value))
        }
    }
}

fn string(text: &str) -> TokenStream {
    quote!(::std::string::String::from(#text))
}

fn parameter(argument: &Argument) -> Option<TokenStream> {
    let Role::Param(param) = &argument.role else {
        return None;
    };
    let Argument { name, ty, .. } = argument;
    let Param {
        default,
        help,
        choices,
    } = param;
    let default = match default {
        Some(default) => {
            let value = default_value(default, ty);
            quote_spanned!(default.span()=> ::wrun_sdk::glue::default::<#ty>(#value))
        }
        None if argument.optional => quote!(::wrun_sdk::glue::no_value()),
        None => quote!(::core::option::Option::None),
    };
    Some(quote_spanned!(ty.span()=>
        ::wrun_sdk::glue::parameter::<#ty>(#name, #help, #default, &[#(#choices),*])
    ))
}

/// A default as its author means it: texts are owned, lists are vectors, `1` is also a float.
fn default_value(value: &Expr, ty: &Type) -> TokenStream {
    match value {
        Expr::Array(array) => {
            let of = inside(ty, "Vec").unwrap_or(ty);
            let values = array.elems.iter().map(|value| default_value(value, of));
            quote_spanned!(value.span()=> ::std::vec![#(#values),*])
        }
        Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => {
            quote_spanned!(value.span()=> <#ty as ::wrun_sdk::glue::FromText>::from_text(#value))
        }
        Expr::Lit(literal) if is_type(ty, "f64") || is_type(ty, "f32") => match &literal.lit {
            Lit::Int(n) if n.suffix().is_empty() => {
                LitFloat::new(&format!("{}.0", n.base10_digits()), n.span()).to_token_stream()
            }
            _ => quote!(#value),
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(minus),
            expr,
            ..
        }) => {
            let value = default_value(expr, ty);
            quote!(#minus #value)
        }
        other => quote!(#other),
    }
}

fn definition(step: &Step) -> TokenStream {
    let options = &step.options;
    let name = string(&step.name);
    let docs = string(&step.docs);
    let source = quote_spanned!(step.ident.span()=>
        ::core::concat!(::core::file!(), ":", ::core::line!())
    );
    let arguments = arguments(step);
    let join = options.join.is_some();
    let merge = options
        .merge
        .iter()
        .flat_map(|(_, all)| all)
        .map(|name| string(&name.value()));
    let writes = match &step.output {
        Some(ty) => quote_spanned!(ty.span()=> ::wrun_sdk::glue::writes::<#ty>()),
        None => quote!(::std::vec::Vec::new()),
    };
    let edge = edge(step);
    let retry = option(
        options.retry,
        |(times, backoff_ms)| quote!(::wrun_sdk::glue::Retry { times: #times, backoff_ms: #backoff_ms }),
    );
    let timeout_ms = option(options.timeout_ms, |ms| quote!(#ms));
    let catch = option(options.catch.as_ref(), |name| string(&name.value()));
    let resources = resources(step);
    let portable_floats = options.portable_floats;
    quote! {
        ::wrun_sdk::glue::Step {
            name: #name,
            docs: #docs,
            source: ::std::string::String::from(#source),
            join: #join,
            #arguments
            merge: ::std::vec![#(#merge),*],
            writes: #writes,
            edge: #edge,
            retry: #retry,
            timeout_ms: #timeout_ms,
            catch: #catch,
            resources: #resources,
            portable_floats: #portable_floats,
        }
    }
}

/// What a step reads, as fields of its definition.
fn arguments(step: &Step) -> TokenStream {
    let reads = step.arguments.iter().filter_map(|argument| {
        let Argument {
            name,
            ty,
            optional,
            role,
            ..
        } = argument;
        matches!(role, Role::Read | Role::Param(_))
            .then(|| quote!(::wrun_sdk::glue::read::<#ty>(#name, #optional)))
    });
    let item = step
        .arguments
        .iter()
        .find(|argument| matches!(argument.role, Role::Item));
    let item = option(item, |argument| {
        let ty = &argument.ty;
        quote!(::wrun_sdk::glue::type_of::<#ty>())
    });
    let inputs = step
        .arguments
        .iter()
        .find_map(|argument| match &argument.role {
            Role::Inputs(branch) => {
                Some(quote_spanned!(branch.span()=> ::wrun_sdk::glue::inputs::<#branch>()))
            }
            _ => None,
        });
    let inputs = inputs.unwrap_or_else(|| quote!(::std::vec::Vec::new()));
    quote! {
        reads: ::std::vec![#(#reads),*],
        item: #item,
        inputs: #inputs,
    }
}

fn resources(step: &Step) -> TokenStream {
    let all = &step.options.resources;
    let cpu_millis = option(all.cpu_millis, |n| quote!(#n));
    let memory_mib = option(all.memory_mib, |n| quote!(#n));
    let gpus = option(all.gpus, |n| quote!(#n));
    let disk_mib = option(all.disk_mib, |n| quote!(#n));
    quote! {
        ::wrun_sdk::glue::Resources {
            cpu_millis: #cpu_millis,
            memory_mib: #memory_mib,
            gpus: #gpus,
            disk_mib: #disk_mib,
        }
    }
}

fn edge(step: &Step) -> TokenStream {
    let options = &step.options;
    let edge = quote!(::wrun_sdk::glue::Edge);
    if let (Some(artifact), Some((_, cases))) = (&options.switch, &options.cases) {
        let artifact = string(&artifact.value());
        let cases = cases.iter().map(|case| {
            let (name, next) = (string(&case.name), string(&case.next.value()));
            quote!(::wrun_sdk::glue::SwitchCase { name: #name, next: #next })
        });
        let max_turns = option(options.max_turns.as_ref(), |n| quote!(#n));
        return quote!(#edge::Switch(::wrun_sdk::glue::Decision {
            artifact: #artifact,
            cases: ::std::vec![#(#cases),*],
            max_turns: #max_turns,
        }));
    }
    match (&options.next, &options.foreach) {
        (None, _) => quote!(#edge::End),
        (Some(Next::Split(_, all)), _) => {
            let all = all.iter().map(|next| string(&next.value()));
            quote!(#edge::Split(::std::vec![#(#all),*]))
        }
        (Some(Next::One(next)), None) => {
            let next = string(&next.value());
            quote!(#edge::Next(#next))
        }
        (Some(Next::One(next)), Some(artifact)) => {
            let (artifact, next) = (string(&artifact.value()), string(&next.value()));
            quote!(#edge::Foreach(::wrun_sdk::glue::FanOut { artifact: #artifact, next: #next }))
        }
    }
}

fn run(flow: &Flow, step: &Step) -> TokenStream {
    let Step { ident, name, .. } = step;
    let mut fetches = Vec::new();
    let mut passed = Vec::new();
    for (position, argument) in step.arguments.iter().enumerate() {
        let local = format_ident!("argument_{position}");
        let Argument {
            name, ty, optional, ..
        } = argument;
        let span = ty.span();
        let fetch = match &argument.role {
            Role::Task => quote_spanned!(span=> ::wrun_sdk::glue::task(host)),
            Role::Item => quote_spanned!(span=> ::wrun_sdk::glue::item::<#ty>(host)?),
            Role::Inputs(branch) => {
                quote_spanned!(branch.span()=> ::wrun_sdk::glue::branches::<#branch>(host))
            }
            Role::Read | Role::Param(_) if *optional => {
                quote_spanned!(span=> ::wrun_sdk::glue::optional::<#ty>(host, #name)?)
            }
            Role::Read | Role::Param(_) => {
                quote_spanned!(span=> ::wrun_sdk::glue::required::<#ty>(host, #name)?)
            }
        };
        fetches.push(quote!(let #local = #fetch;));
        passed.push(match &argument.role {
            Role::Task => quote!(&#local),
            _ => quote!(#local),
        });
    }
    let outcome = outcome(flow, step);
    let output = step
        .output
        .as_ref()
        .map_or_else(|| quote!(()), |ty| ty.to_token_stream());
    let finish = quote_spanned!(output.span()=> ::wrun_sdk::glue::finish::<#output>);
    // A function of its own, named after the step and never inlined: a panic's backtrace shows in
    // which step it was, even when the step itself was inlined.
    let function = format_ident!("__step_{}", name);
    quote! {
        #name => {
            #[inline(never)]
            fn #function(
                host: &::std::sync::Arc<dyn ::wrun_sdk::glue::Host>,
            ) -> ::wrun_sdk::Result<::wrun_sdk::glue::Outcome> {
                #(#fetches)*
                #finish(#ident(#(#passed),*), host, |artifacts| #outcome)
            }
            #function(host)
        }
    }
}

/// What follows, from the field that decides. A field that is not there is shown where it is named.
fn outcome(flow: &Flow, step: &Step) -> TokenStream {
    let options = &step.options;
    if let Some(name) = &options.foreach {
        let (text, field) = (name.value(), Ident::new(&name.value(), name.span()));
        let element = element(flow, step);
        return quote_spanned!(name.span()=>
            ::wrun_sdk::glue::items::<#element, _>(#text, &artifacts.#field)
        );
    }
    if let Some(name) = &options.switch {
        let (text, field) = (name.value(), Ident::new(&name.value(), name.span()));
        return quote_spanned!(name.span()=> ::wrun_sdk::glue::case(#text, &artifacts.#field));
    }
    quote!(::wrun_sdk::glue::done(artifacts))
}

/// The type of the foreach element that the next step reads; `_` when it reads none.
fn element(flow: &Flow, step: &Step) -> TokenStream {
    let Some(Next::One(next)) = &step.options.next else {
        return quote!(_);
    };
    let next = next.value();
    let child = flow.steps.iter().find(|step| step.name == next);
    let mut arguments = child.into_iter().flat_map(|step| &step.arguments);
    match arguments.find(|argument| matches!(argument.role, Role::Item)) {
        Some(argument) => argument.ty.to_token_stream(),
        None => quote!(_),
    }
}
