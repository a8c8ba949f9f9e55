//! The options of `#[step(…)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, Lit, LitInt, LitStr, Token};

use crate::names;
use crate::units;

/// Every option, for suggestions.
const OPTIONS: [&str; 12] = [
    "next",
    "foreach",
    "switch",
    "cases",
    "max_turns",
    "join",
    "merge",
    "retry",
    "timeout",
    "catch",
    "resources",
    "float",
];

/// One way on from a switch.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) next: LitStr,
}

/// What a step needs of the machine, as in the definition.
#[derive(Default)]
pub(crate) struct Resources {
    pub(crate) cpu_millis: Option<u32>,
    pub(crate) memory_mib: Option<u32>,
    pub(crate) gpus: Option<u32>,
    pub(crate) disk_mib: Option<u32>,
}

/// The options of one step.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) next: Option<Next>,
    pub(crate) foreach: Option<LitStr>,
    pub(crate) switch: Option<LitStr>,
    pub(crate) cases: Option<(Span, Vec<Case>)>,
    pub(crate) max_turns: Option<LitInt>,
    pub(crate) join: Option<Span>,
    pub(crate) merge: Option<(Span, Vec<LitStr>)>,
    pub(crate) retry: Option<(u32, u64)>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) catch: Option<LitStr>,
    pub(crate) resources: Resources,
    pub(crate) portable_floats: bool,
}

/// What `next` says.
pub(crate) enum Next {
    One(LitStr),
    Split(Span, Vec<LitStr>),
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let name = key.to_string();
            if seen.contains(&name) {
                return Err(syn::Error::new(
                    key.span(),
                    format!("`{name}` is given twice"),
                ));
            }
            options.option(&key, &name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn option(&mut self, key: &Ident, name: &str, input: ParseStream<'_>) -> syn::Result<()> {
        match name {
            "next" => self.next = Some(next(key, input)?),
            "foreach" => self.foreach = Some(text(key, input, "items")?),
            "switch" => self.switch = Some(text(key, input, "route")?),
            "cases" => self.cases = Some((key.span(), cases(key, input)?)),
            "max_turns" => self.max_turns = Some(max_turns(key, input)?),
            "join" if !input.peek(Token![=]) => self.join = Some(key.span()),
            "join" => {
                return Err(input
                    .error("`join` stands alone: what comes in is said by the steps before it"));
            }
            "merge" => self.merge = Some((key.span(), texts(key, input)?)),
            "retry" => self.retry = Some(retry(key, input)?),
            "timeout" => self.timeout_ms = Some(duration(&text(key, input, "30s")?)?),
            "catch" => self.catch = Some(text(key, input, "failure")?),
            "resources" => self.resources = resources(key, input)?,
            "float" => self.portable_floats = float(key, input)?,
            _ => {
                let hint = names::did_you_mean(name, OPTIONS.into_iter());
                return Err(syn::Error::new(
                    key.span(),
                    format!("a step has no option `{name}`{hint}"),
                ));
            }
        }
        Ok(())
    }
}

fn expect_value(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        return Ok(());
    }
    Err(syn::Error::new(
        key.span(),
        format!("`{key}` needs a value; write `{key} = {example}`"),
    ))
}

fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    let example = format!("\"{example}\"");
    expect_value(key, input, &example)?;
    quoted(input, &format!("{key} = {example}"))
}

/// A text in quotes; a bare word is shown how it is written.
fn quoted(input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    if let Ok(word) = input.call(Ident::parse_any) {
        return Err(syn::Error::new(
            word.span(),
            format!("write `\"{word}\"`, in quotes"),
        ));
    }
    Err(input.error(format!(
        "a text in quotes is expected; write e.g. `{example}`"
    )))
}

fn texts(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    expect_value(key, input, "[\"a\", \"b\"]")?;
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![quoted(input, &format!("{key} = [\"a\", \"b\"]"))?]);
    }
    list(input)
}

fn list(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    let content;
    syn::bracketed!(content in input);
    let mut all = Vec::new();
    while !content.is_empty() {
        all.push(quoted(&content, "[\"a\", \"b\"]")?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(all)
}

fn next(key: &Ident, input: ParseStream<'_>) -> syn::Result<Next> {
    expect_value(key, input, "\"step\"")?;
    if !input.peek(syn::token::Bracket) {
        return quoted(input, "next = \"step\"").map(Next::One);
    }
    let mut all = list(input)?;
    match all.len() {
        0 => Err(syn::Error::new(
            key.span(),
            "`next` names no step; leave it out when this is the last step",
        )),
        1 => Ok(Next::One(all.remove(0))),
        _ => Ok(Next::Split(key.span(), all)),
    }
}

fn cases(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Case>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            key.span(),
            "write the cases as `cases(small = \"step\", \"too-big\" = \"other_step\")`",
        ));
    }
    let content;
    syn::parenthesized!(content in input);
    let mut all: Vec<Case> = Vec::new();
    while !content.is_empty() {
        let (name, span) = if content.peek(LitStr) {
            let name: LitStr = content.parse()?;
            (name.value(), name.span())
        } else {
            let name = content.call(Ident::parse_any)?;
            (name.unraw().to_string(), name.span())
        };
        if content.peek(Token![-]) {
            return Err(content.error(format!(
                "write the case `\"{name}-…\"` in quotes: it has a `-`"
            )));
        }
        if all.iter().any(|case| case.name == name) {
            return Err(syn::Error::new(
                span,
                format!("case `{name}` is given twice"),
            ));
        }
        if !content.peek(Token![=]) {
            return Err(syn::Error::new(
                span,
                format!("case `{name}` leads nowhere; write `{name} = \"step\"`"),
            ));
        }
        content.parse::<Token![=]>()?;
        let next = quoted(&content, "small = \"step\"")?;
        all.push(Case { name, span, next });
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    if all.is_empty() {
        return Err(syn::Error::new(
            key.span(),
            "a switch needs at least one case",
        ));
    }
    Ok(all)
}

fn max_turns(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitInt> {
    expect_value(key, input, "10")?;
    let turns: LitInt = input.parse()?;
    match turns.base10_parse::<u32>()? {
        0 => Err(syn::Error::new(
            turns.span(),
            "a loop turns at least once; write `max_turns = 1` or more",
        )),
        _ => Ok(turns),
    }
}

fn duration(text: &LitStr) -> syn::Result<u64> {
    match units::milliseconds(&text.value()) {
        Ok(0) => Err(syn::Error::new(
            text.span(),
            "a time of nothing; write e.g. `30s`",
        )),
        Ok(ms) => Ok(ms),
        Err(why) => Err(syn::Error::new(text.span(), why)),
    }
}

/// Calls `each` with every `name = ` of a list in parentheses.
fn settings(
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
    mut each: impl FnMut(&Ident, &str, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(key.span(), format!("write `{example}`")));
    }
    let content;
    syn::parenthesized!(content in input);
    while !content.is_empty() {
        let name = content.call(Ident::parse_any)?;
        if !content.peek(Token![=]) {
            return Err(syn::Error::new(name.span(), format!("write `{example}`")));
        }
        content.parse::<Token![=]>()?;
        each(&name, &name.to_string(), &content)?;
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn unknown(name: &Ident, of: &str, known: &[&str]) -> syn::Error {
    let hint = names::did_you_mean(&name.to_string(), known.iter().copied());
    syn::Error::new(name.span(), format!("`{of}` has no setting `{name}`{hint}"))
}

fn retry(key: &Ident, input: ParseStream<'_>) -> syn::Result<(u32, u64)> {
    let mut times = None;
    let mut backoff_ms = 0;
    settings(
        key,
        input,
        "retry(times = 3, backoff = \"2s\")",
        |name, text, input| {
            match text {
                "times" => {
                    let value: LitInt = input.parse()?;
                    let n = value.base10_parse::<u32>()?;
                    if n == 0 {
                        return Err(syn::Error::new(
                            value.span(),
                            "no retries at all; write `times = 1` or more, or leave `retry` out",
                        ));
                    }
                    times = Some(n);
                }
                "backoff" => {
                    let value = quoted(input, "backoff = \"2s\"")?;
                    backoff_ms = units::milliseconds(&value.value())
                        .map_err(|why| syn::Error::new(value.span(), why))?;
                }
                _ => return Err(unknown(name, "retry", &["times", "backoff"])),
            }
            Ok(())
        },
    )?;
    let times =
        times.ok_or_else(|| syn::Error::new(key.span(), "how often? write `retry(times = 3)`"))?;
    Ok((times, backoff_ms))
}

fn resources(key: &Ident, input: ParseStream<'_>) -> syn::Result<Resources> {
    let mut all = Resources::default();
    let example = "resources(cpu = 2, memory = \"1GiB\")";
    settings(key, input, example, |name, text, input| {
        match text {
            "cpu" => all.cpu_millis = Some(cpu(&input.parse()?)?),
            "memory" => all.memory_mib = Some(size(&quoted(input, "memory = \"1GiB\"")?)?),
            "disk" => all.disk_mib = Some(size(&quoted(input, "disk = \"10GiB\"")?)?),
            "gpu" => all.gpus = Some(input.parse::<LitInt>()?.base10_parse()?),
            _ => {
                return Err(unknown(
                    name,
                    "resources",
                    &["cpu", "memory", "gpu", "disk"],
                ));
            }
        }
        Ok(())
    })?;
    Ok(all)
}

fn size(text: &LitStr) -> syn::Result<u32> {
    units::mebibytes(&text.value()).map_err(|why| syn::Error::new(text.span(), why))
}

/// Thousandths of a processor.
fn cpu(value: &Lit) -> syn::Result<u32> {
    let n: f64 = match value {
        Lit::Int(n) => n.base10_parse()?,
        Lit::Float(n) => n.base10_parse()?,
        other => {
            return Err(syn::Error::new(
                other.span(),
                "processors are a number; write `cpu = 2` or `cpu = 0.5`",
            ));
        }
    };
    let millis = (n * 1000.0).round();
    if (1.0..=1e9).contains(&millis) {
        return Ok(millis as u32);
    }
    Err(syn::Error::new(
        value.span(),
        "write at least a thousandth of a processor, e.g. `cpu = 0.5`",
    ))
}

fn float(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    let value = text(key, input, "portable")?;
    match value.value().as_str() {
        "portable" => Ok(true),
        "fast" => Ok(false),
        _ => Err(syn::Error::new(
            value.span(),
            "write `float = \"portable\"`, or leave it out for fast floats",
        )),
    }
}
