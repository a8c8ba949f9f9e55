//! One step: its function, its arguments, its options.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, FnArg, GenericArgument, Ident, ItemFn, Lit, LitStr, Meta, Pat, PathArguments,
    ReturnType, Token, Type,
};

use crate::names::{self, Kind};
use crate::options::Options;
use crate::problems::Problems;

/// One step.
pub(crate) struct Step {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) options: Options,
    pub(crate) arguments: Vec<Argument>,
    /// None for `()`.
    pub(crate) output: Option<Type>,
}

/// One argument.
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) role: Role,
    /// The type, inside `Option` when `optional`.
    pub(crate) ty: Type,
    pub(crate) optional: bool,
}

/// Where an argument comes from.
pub(crate) enum Role {
    /// The artifact of its name.
    Read,
    /// A parameter of its name, declared here.
    Param(Param),
    /// The foreach element.
    Item,
    /// The branches of a join, each read as this.
    Inputs(Type),
    /// Who the task is.
    Task,
}

/// What `#[param(…)]` says.
#[derive(Default)]
pub(crate) struct Param {
    pub(crate) default: Option<Expr>,
    pub(crate) help: String,
    pub(crate) choices: Vec<LitStr>,
}

/// The last word of an attribute's path, so that `#[wrun_sdk::step]` is found as well.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    attribute
        .path()
        .segments
        .last()
        .is_some_and(|last| last.ident == name)
}

/// The text of doc comments.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let Expr::Lit(literal) = &meta.value else {
            continue;
        };
        let Lit::Str(text) = &literal.lit else {
            continue;
        };
        if meta.path.is_ident("doc") {
            let text = text.value();
            // An empty doc line has no lines, and ends a paragraph.
            let all = text
                .split('\n')
                .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
            lines.extend(all.map(str::to_owned));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The type inside `Option<…>`, `Inputs<…>`.
pub(crate) fn inside<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if path.qself.is_some() || last.ident != wrapper {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}

/// Whether the last word of a type's path is `name`.
pub(crate) fn is_type(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// Reads a step off its function, and takes the attributes of its arguments away.
pub(crate) fn parse(
    function: &mut ItemFn,
    attribute: &Attribute,
    problems: &mut Problems,
) -> Option<Step> {
    let options = match &attribute.meta {
        Meta::Path(_) => Some(Options::default()),
        Meta::List(list) => problems.keep(list.parse_args::<Options>()),
        Meta::NameValue(meta) => {
            problems.add(
                meta.value.span(),
                "write the options of a step in parentheses: `#[step(next = \"…\")]`",
            );
            None
        }
    };
    let ident = function.sig.ident.clone();
    let name = ident.unraw().to_string();
    if let Some(why) = names::refuse(Kind::Step, &name) {
        problems.add(ident.span(), why);
    }
    check_signature(function, problems);
    let mut arguments = Vec::new();
    for argument in &mut function.sig.inputs {
        let parsed = parse_argument(argument);
        arguments.extend(problems.keep(parsed));
    }
    let output = match &function.sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some((**ty).clone()),
    };
    Some(Step {
        ident,
        name,
        docs: docs(&function.attrs),
        options: options?,
        arguments,
        output,
    })
}

fn check_signature(function: &ItemFn, problems: &mut Problems) {
    let signature = &function.sig;
    if let Some(word) = &signature.asyncness {
        problems.add(
            word.span(),
            "a step cannot be `async`: it has the machine for itself; remove `async`",
        );
    }
    if let Some(word) = &signature.unsafety {
        problems.add(
            word.span(),
            "a step cannot be `unsafe`; put an `unsafe` block inside it",
        );
    }
    if let Some(word) = &signature.abi {
        problems.add(word.span(), "a step cannot be `extern`; remove it");
    }
    if !signature.generics.params.is_empty() {
        problems.add(
            signature.generics.span(),
            "a step cannot be generic: its artifacts have fixed types; write the types, and call a generic function from the step",
        );
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && let Type::ImplTrait(ty) = &**ty
    {
        problems.add(
            ty.span(),
            "a step returns a type with a name: a struct with `#[derive(Artifacts)]`",
        );
    }
}

fn parse_argument(argument: &mut FnArg) -> syn::Result<Argument> {
    let argument = match argument {
        FnArg::Typed(argument) => argument,
        FnArg::Receiver(me) => {
            return Err(syn::Error::new(
                me.span(),
                "a step is a plain function and has no `self`; read artifacts by arguments of their names",
            ));
        }
    };
    let attributes: Vec<_> = argument
        .attrs
        .extract_if(.., |a| is(a, "param") || is(a, "item") || is(a, "doc"))
        .collect();
    let ident = match &*argument.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
        other => {
            return Err(syn::Error::new(
                other.span(),
                "an argument needs a name, because its name is the artifact that is read; take it apart inside the step",
            ));
        }
    };
    let name = ident.unraw().to_string();
    let (role, ty, optional) = role(&ident, &argument.ty, &attributes)?;
    if !matches!(role, Role::Task | Role::Item | Role::Inputs(_))
        && let Some(why) = names::refuse(Kind::Artifact, &name)
    {
        let why = format!("an argument is the artifact that is read, and {why}");
        return Err(syn::Error::new(ident.span(), why));
    }
    Ok(Argument {
        name,
        span: ident.span(),
        role,
        ty,
        optional,
    })
}

fn role(ident: &Ident, ty: &Type, attributes: &[Attribute]) -> syn::Result<(Role, Type, bool)> {
    let param = attributes.iter().find(|a| is(a, "param"));
    let item = attributes.iter().find(|a| is(a, "item"));
    if let (Some(_), Some(item)) = (param, item) {
        return Err(syn::Error::new(
            item.span(),
            "an argument is a parameter or a foreach element, not both",
        ));
    }
    let special = |what: &str| match param.or(item) {
        Some(attribute) => Err(syn::Error::new(
            attribute.span(),
            format!("{what} is given by wrun; remove this"),
        )),
        None => Ok(()),
    };
    if let Type::Reference(reference) = ty {
        if is_type(&reference.elem, "Task") && reference.mutability.is_none() {
            special("`&Task`")?;
            return Ok((Role::Task, (*reference.elem).clone(), false));
        }
        return Err(syn::Error::new(ty.span(), borrowed(ident, &reference.elem)));
    }
    if is_type(ty, "Task") {
        return Err(syn::Error::new(
            ty.span(),
            format!("write `{ident}: &Task`"),
        ));
    }
    if let Type::ImplTrait(_) = ty {
        return Err(syn::Error::new(
            ty.span(),
            "an artifact has one type; write its name",
        ));
    }
    if is_type(ty, "Inputs") {
        special("`Inputs`")?;
        let branch = inside(ty, "Inputs").ok_or_else(|| {
            syn::Error::new(
                ty.span(),
                "of what? write `Inputs<T>`, where `T` is the struct that each branch returns",
            )
        })?;
        return Ok((Role::Inputs(branch.clone()), ty.clone(), false));
    }
    if item.is_some() {
        return Ok((Role::Item, ty.clone(), false));
    }
    let optional = inside(ty, "Option");
    let inner = optional.unwrap_or(ty);
    if is_type(inner, "Inputs") {
        return Err(syn::Error::new(
            ty.span(),
            "a join always has its branches; write `Inputs<…>` without `Option`",
        ));
    }
    let role = match param {
        Some(attribute) => Role::Param(parse_param(attribute, docs(attributes), inner)?),
        None => Role::Read,
    };
    Ok((role, inner.clone(), optional.is_some()))
}

/// What to write instead of a borrowed argument.
fn borrowed(ident: &Ident, to: &Type) -> String {
    let owned = match to {
        Type::Path(_) if is_type(to, "str") => "String".to_owned(),
        Type::Slice(slice) => {
            let element = &slice.elem;
            format!("Vec<{}>", quote::quote!(#element))
        }
        other => quote::quote!(#other).to_string(),
    };
    format!("a step owns what it reads; write `{ident}: {owned}`")
}

fn parse_param(attribute: &Attribute, docs: String, ty: &Type) -> syn::Result<Param> {
    let mut param = match &attribute.meta {
        Meta::Path(_) => Param::default(),
        Meta::List(list) => list.parse_args()?,
        Meta::NameValue(meta) => {
            return Err(syn::Error::new(
                meta.value.span(),
                "write `#[param(default = …)]`",
            ));
        }
    };
    if param.help.is_empty() {
        param.help = docs;
    }
    if let Some(default) = &param.default
        && ["Blob", "Files", "Text"]
            .iter()
            .any(|name| is_type(ty, name))
    {
        return Err(syn::Error::new(
            default.span(),
            "a file has no default; make the parameter an `Option`, and do without the file when it is `None`",
        ));
    }
    if let Some(choice) = param.choices.first() {
        let of = inside(ty, "Vec").unwrap_or(ty);
        if !is_type(of, "String") {
            return Err(syn::Error::new(
                choice.span(),
                "only a `String` has choices; make the parameter a `String`, or check its value in the step",
            ));
        }
        check_default(&param)?;
    }
    Ok(param)
}

/// A default among choices is one of them.
fn check_default(param: &Param) -> syn::Result<()> {
    let Some(Expr::Lit(literal)) = &param.default else {
        return Ok(());
    };
    let Lit::Str(default) = &literal.lit else {
        return Ok(());
    };
    let choices: Vec<_> = param.choices.iter().map(LitStr::value).collect();
    let default_value = default.value();
    if choices.contains(&default_value) {
        return Ok(());
    }
    let hint = names::did_you_mean(&default_value, choices.iter().map(String::as_str));
    Err(syn::Error::new(
        default.span(),
        format!("the default is not among the choices{hint}"),
    ))
}

impl Parse for Param {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut param = Self::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if !input.peek(Token![=]) {
                return Err(syn::Error::new(
                    key.span(),
                    "write `#[param(default = 8, help = \"…\")]`",
                ));
            }
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "default" => param.default = Some(input.parse()?),
                "help" => param.help = input.parse::<LitStr>()?.value(),
                "choices" => {
                    let content;
                    syn::bracketed!(content in input);
                    let all = content.parse_terminated(<LitStr as Parse>::parse, Token![,])?;
                    if all.is_empty() {
                        return Err(syn::Error::new(
                            key.span(),
                            "no choice at all; leave `choices` out when every text may be given",
                        ));
                    }
                    param.choices = all.into_iter().collect();
                }
                other => {
                    let hint =
                        names::did_you_mean(other, ["default", "help", "choices"].into_iter());
                    return Err(syn::Error::new(
                        key.span(),
                        format!("a parameter has no option `{other}`{hint}"),
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(param)
    }
}
