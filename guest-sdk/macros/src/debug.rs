//! `Debug` for the artifacts of a flow, so that its tests can `unwrap` what a step returns.
//!
//! Only `#[flow]` sees whether the author derives it already: a derive does not see its neighbours.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Item, ItemStruct, Type};

/// `Debug` for each struct among `items` that derives `Artifacts` and not `Debug`.
pub(crate) fn beside(items: &[Item]) -> TokenStream {
    let structs = items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(item),
        _ => None,
    });
    structs
        .filter(|item| names(&item.attrs, "Artifacts"))
        .filter(|item| !names(&item.attrs, "Debug") && !has_impl(items, item))
        .map(code)
        .collect()
}

/// Whether a derive names `what`, under a `cfg_attr` or not.
fn names(attributes: &[Attribute], what: &str) -> bool {
    let derives = |attribute: &&Attribute| {
        ["derive", "cfg_attr"]
            .iter()
            .any(|path| attribute.path().is_ident(path))
    };
    attributes
        .iter()
        .filter(derives)
        .any(|attribute| mentions(attribute.meta.to_token_stream(), what))
}

fn mentions(tokens: TokenStream, what: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == what,
        TokenTree::Group(group) => mentions(group.stream(), what),
        _ => false,
    })
}

fn has_impl(items: &[Item], of: &ItemStruct) -> bool {
    items.iter().any(|item| {
        let Item::Impl(block) = item else {
            return false;
        };
        let is_debug = block.trait_.as_ref().is_some_and(|(_, path, _)| {
            path.segments
                .last()
                .is_some_and(|last| last.ident == "Debug")
        });
        is_debug && matches!(&*block.self_ty, Type::Path(path) if path.path.is_ident(&of.ident))
    })
}

/// A field whose type has no `Debug` is shown as `_`.
fn code(item: &ItemStruct) -> TokenStream {
    let name = &item.ident;
    let text = name.unraw().to_string();
    let cfgs = item
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    let fields = item.fields.iter().filter_map(|field| {
        let ident = field.ident.as_ref()?;
        let text = ident.unraw().to_string();
        Some(quote!(.field(#text, ::wrun_sdk::glue::Shown(&self.#ident).value())))
    });
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #[allow(unused_imports)]
                use ::wrun_sdk::glue::Unshown as _;
                f.debug_struct(#text) #(#fields)* .finish()
            }
        }
    }
}
