//! `#[derive(Artifacts)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Field, Fields, Type};

use crate::names::{self, Kind};
use crate::problems::Problems;
use crate::step::inside;

/// Writes the two implementations, or what is wrong.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let mut problems = Problems::default();
    let fields = fields(&item, &mut problems);
    match problems.into_code() {
        Some(code) => code,
        None => code(&item, &fields),
    }
}

fn fields(item: &DeriveInput, problems: &mut Problems) -> Vec<Field> {
    if !item.generics.params.is_empty() {
        problems.add(
            item.generics.span(),
            "artifacts have fixed types; write the types instead of generics",
        );
    }
    let advice = "artifacts have names; write a struct with named fields, one for each artifact";
    let data = match &item.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            problems.add(data.enum_token.span(), advice);
            return Vec::new();
        }
        Data::Union(data) => {
            problems.add(data.union_token.span(), advice);
            return Vec::new();
        }
    };
    match &data.fields {
        Fields::Named(named) => {
            for field in &named.named {
                let ident = field.ident.as_ref().expect("named fields have names");
                if let Some(why) = names::refuse(Kind::Artifact, &ident.unraw().to_string()) {
                    problems.add(ident.span(), why);
                }
            }
            named.named.iter().cloned().collect()
        }
        Fields::Unnamed(fields) => {
            problems.add(fields.span(), advice);
            Vec::new()
        }
        Fields::Unit => Vec::new(),
    }
}

fn code(item: &DeriveInput, fields: &[Field]) -> TokenStream {
    let name = &item.ident;
    let mut declared = Vec::new();
    let mut written = Vec::new();
    let mut reads = Vec::new();
    let mut read = Vec::new();
    let mut bounds = Vec::new();
    for field in fields {
        let ident = field.ident.as_ref().expect("named fields have names");
        let artifact = ident.unraw().to_string();
        let optional = inside(&field.ty, "Option");
        let ty = optional.unwrap_or(&field.ty);
        let span = ty.span();
        let is_optional = optional.is_some();
        declared.push(quote!(::wrun_sdk::glue::write::<#ty>(#artifact)));
        reads.push(quote!(::wrun_sdk::glue::read::<#ty>(#artifact, #is_optional)));
        // A bound over all lifetimes is checked only where the implementation is used, so that a
        // struct may hold what can be written and not read.
        bounds.push(quote_spanned!(span=> for<'__wrun> #ty: ::wrun_sdk::FromArtifact));
        if is_optional {
            written.push(
                quote_spanned!(span=> if let ::core::option::Option::Some(value) = self.#ident {
                    <#ty as ::wrun_sdk::ToArtifact>::write(value, to, #artifact)?;
                }),
            );
            read.push(quote!(#ident: from.optional::<#ty>(#artifact)?));
        } else {
            written.push(quote_spanned!(span=> <#ty as ::wrun_sdk::ToArtifact>::write(self.#ident, to, #artifact)?;));
            read.push(quote!(#ident: from.required::<#ty>(#artifact)?));
        }
    }
    // What is borrowed, `&'static str`, can be written and never read back.
    let readable = !fields
        .iter()
        .any(|field| matches!(field.ty, Type::Reference(_)));
    let from_branch = readable.then(|| {
        quote! {
            #[automatically_derived]
            impl ::wrun_sdk::FromBranch for #name where #(#bounds),* {
                fn reads() -> ::std::vec::Vec<::wrun_sdk::glue::Read> {
                    ::std::vec![#(#reads),*]
                }

                fn read(from: &::wrun_sdk::glue::From<'_>) -> ::wrun_sdk::Result<Self> {
                    let _ = from;
                    ::core::result::Result::Ok(Self { #(#read),* })
                }
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl ::wrun_sdk::Artifacts for #name {
            fn writes() -> ::std::vec::Vec<::wrun_sdk::glue::Write> {
                ::std::vec![#(#declared),*]
            }

            fn write(self, to: &dyn ::wrun_sdk::glue::Host) -> ::wrun_sdk::Result<()> {
                let _ = to;
                #(#written)*
                ::core::result::Result::Ok(())
            }
        }

        #from_branch
    }
}
