//! Checks the parameters of a flow, all of them, before anything is said to be wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ciborium::Value;

use super::value::{self, Refusal};
use super::{Files, GivenParam, GivenValue};
use crate::cli::error::CliError;
use crate::model::definition::ParamKind;
use crate::model::graph::{FlowGraph, Param};
use crate::model::nearest::nearest;

/// What is wrong with one parameter.
struct Wrong {
    message: String,
    hint: Option<String>,
}

/// The values of the parameters that `arguments` give, in the order of the flow.
///
/// `arguments` are `--name value`, `--name=value`, and `--name` alone for `true`; `-` and `_` in a
/// name are the same. A parameter that takes many values is given many times. Parameters that were
/// not given and have a default are left out.
///
/// # Errors
/// A usage error that names everything that is wrong: parameters that the flow does not have, that
/// are given twice, that have a wrong value, or that are missing.
pub fn parse(
    graph: &FlowGraph,
    arguments: &[OsString],
    files: &dyn Files,
) -> Result<Vec<GivenParam>, CliError> {
    let (values, given, mut wrong) = convert_all(graph, arguments, files);
    wrong.extend(missing(graph, &given));
    if wrong.is_empty() {
        Ok(values)
    } else {
        Err(refuse(graph, wrong))
    }
}

/// The same for a run that continues another: what is not given is as it was there.
///
/// # Errors
/// As [`parse`], but nothing is missing.
pub fn parse_some(
    graph: &FlowGraph,
    arguments: &[OsString],
    files: &dyn Files,
) -> Result<Vec<GivenParam>, CliError> {
    let (values, given, wrong) = convert_all(graph, arguments, files);
    if !wrong.is_empty() {
        return Err(refuse(graph, wrong));
    }
    let is_given = |it: &GivenParam| given.contains_key(it.name.as_str());
    Ok(values.into_iter().filter(is_given).collect())
}

type Texts<'a> = BTreeMap<&'a str, Vec<String>>;

fn convert_all<'a>(
    graph: &'a FlowGraph,
    arguments: &[OsString],
    files: &dyn Files,
) -> (Vec<GivenParam>, Texts<'a>, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let given = collect(graph, arguments, &mut wrong);
    let mut values = Vec::new();
    for param in graph.parameters() {
        let texts = given
            .get(param.name.as_str())
            .map(Vec::as_slice)
            .unwrap_or_default();
        match convert(param, texts, files) {
            Ok(Some(value)) => values.push(GivenParam {
                name: param.name.clone(),
                value,
            }),
            Ok(None) => {}
            Err(it) => wrong.extend(it),
        }
    }
    (values, given, wrong)
}

/// The texts that were given for each parameter.
fn collect<'a>(
    graph: &'a FlowGraph,
    arguments: &[OsString],
    wrong: &mut Vec<Wrong>,
) -> BTreeMap<&'a str, Vec<String>> {
    let mut given: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut rest = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .peekable();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            wrong.push(stray(&argument));
            continue;
        };
        let (name, attached) = match flag.split_once('=') {
            Some((name, text)) => (name, Some(text.to_owned())),
            None => (flag, None),
        };
        let text = attached.or_else(|| {
            rest.next_if(|next| !is_flag(next))
                .map(|next| next.into_owned())
        });
        let Some(param) = find(graph, name) else {
            wrong.push(unknown(graph, name));
            continue;
        };
        match text {
            Some(text) => given.entry(param.name.as_str()).or_default().push(text),
            None if param.kind == ParamKind::Boolean => {
                given
                    .entry(param.name.as_str())
                    .or_default()
                    .push("true".into());
            }
            None => {
                given.entry(param.name.as_str()).or_default();
                wrong.push(Wrong {
                    message: format!("parameter `{}` has no value", param.name),
                    hint: None,
                });
            }
        }
    }
    given
}

fn is_flag(text: &str) -> bool {
    text.len() > 2 && text.starts_with("--")
}

fn find<'a>(graph: &'a FlowGraph, name: &str) -> Option<&'a Param> {
    let same = |param: &&Param| param.name.as_str().replace('_', "-") == name.replace('_', "-");
    let exact = graph
        .parameters()
        .iter()
        .find(|param| param.name.as_str() == name);
    exact.or_else(|| graph.parameters().iter().find(same))
}

fn stray(text: &str) -> Wrong {
    Wrong {
        message: format!("`{text}` is not a parameter: `--name value` is expected"),
        hint: Some("a text that begins with `-` is given as `--name=-text`".into()),
    }
}

fn unknown(graph: &FlowGraph, name: &str) -> Wrong {
    let names = graph.parameters().iter().map(|param| param.name.as_str());
    let near = nearest(&name.replace('-', "_"), names);
    Wrong {
        message: format!("flow `{}` has no parameter `{name}`", graph.name()),
        hint: near.map(|near| format!("did you mean `--{near}`?")),
    }
}

fn missing(graph: &FlowGraph, given: &BTreeMap<&str, Vec<String>>) -> Option<Wrong> {
    let is_missing = |param: &&Param| {
        param.default.is_none() && !may_be_empty(param) && !given.contains_key(param.name.as_str())
    };
    let names: Vec<_> = graph.parameters().iter().filter(is_missing).collect();
    if names.is_empty() {
        return None;
    }
    let listed: Vec<_> = names
        .iter()
        .map(|param| format!("`--{}`", param.name))
        .collect();
    let word = if names.len() == 1 {
        "parameter is"
    } else {
        "parameters are"
    };
    let message = format!(
        "{} required {word} missing: {}",
        names.len(),
        listed.join(", ")
    );
    Some(Wrong {
        message,
        hint: None,
    })
}

/// The value of one parameter; none when it was not given.
fn convert(
    param: &Param,
    texts: &[String],
    files: &dyn Files,
) -> Result<Option<GivenValue>, Vec<Wrong>> {
    if !param.many && texts.len() > 1 {
        let message = format!("parameter `{}` is given {} times", param.name, texts.len());
        return Err(vec![Wrong {
            message,
            hint: None,
        }]);
    }
    let Some(first) = texts.first() else {
        return Ok(none_of(param));
    };
    if param.kind == ParamKind::Blob {
        let value = if param.many {
            archive(param, texts, files)
        } else {
            file(param, first, files).map_err(|it| vec![it])
        };
        return value.map(Some);
    }
    if param.kind == ParamKind::TextFile && !param.many {
        let contents = value::text_of(first, files);
        let contents = contents.map_err(|refusal| vec![refused(param, first, refusal)]);
        return contents.map(|text| Some(GivenValue::Text(text)));
    }
    let mut values = Vec::new();
    let mut wrong = Vec::new();
    for text in texts {
        match value::convert(param, text, files) {
            Ok(value) => values.push(value),
            Err(refusal) => wrong.push(refused(param, text, refusal)),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let value = if param.many {
        Value::Array(values)
    } else {
        values.remove(0)
    };
    match value::encode(&value) {
        Ok(bytes) => Ok(Some(GivenValue::Cbor(bytes))),
        Err(refusal) => Err(vec![refused(param, first, refusal)]),
    }
}

/// Whether no value is one: of a parameter that takes any number of values. Files must be given.
fn may_be_empty(param: &Param) -> bool {
    param.many && param.default.is_none() && param.kind != ParamKind::Blob
}

fn none_of(param: &Param) -> Option<GivenValue> {
    may_be_empty(param).then(|| GivenValue::Cbor(value::empty_list()))
}

fn file(param: &Param, text: &str, files: &dyn Files) -> Result<GivenValue, Wrong> {
    match files.check(Path::new(text)) {
        Ok(()) => Ok(GivenValue::File(PathBuf::from(text))),
        Err(error) => Err(unread(param, text, "the path of a file", &error)),
    }
}

fn unread(param: &Param, text: &str, expected: &str, error: &std::io::Error) -> Wrong {
    let is_directory = error.kind() == std::io::ErrorKind::IsADirectory;
    let refusal = Refusal {
        expected: format!("{expected} ({error})"),
        hint: is_directory.then(|| value::DIRECTORY.to_owned()),
    };
    refused(param, text, refusal)
}

/// All files that the paths mean. Each must have a name of its own.
fn archive(param: &Param, paths: &[String], files: &dyn Files) -> Result<GivenValue, Vec<Wrong>> {
    let mut all: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut wrong = Vec::new();
    for text in paths {
        let listed = match files.list(Path::new(text)) {
            Ok(listed) => listed,
            Err(error) => {
                let expected = "the path of a directory or a file";
                wrong.push(unread(param, text, expected, &error));
                continue;
            }
        };
        for (name, path) in listed {
            let first = all.insert(name.clone(), path.clone());
            if let Some(first) = first.filter(|first| *first != path) {
                let message = format!(
                    "parameter `{}` has two files `{name}`: `{}` and `{}`",
                    param.name,
                    first.display(),
                    path.display()
                );
                let hint = "give one directory that has both below it".to_owned();
                wrong.push(Wrong {
                    message,
                    hint: Some(hint),
                });
            }
        }
    }
    if wrong.is_empty() {
        Ok(GivenValue::Files(all))
    } else {
        Err(wrong)
    }
}

fn refused(param: &Param, text: &str, refusal: Refusal) -> Wrong {
    let text = crate::report::clean::short(text, 80);
    Wrong {
        message: format!(
            "parameter `{}` cannot be `{text}`: expected {}",
            param.name, refusal.expected
        ),
        hint: refusal.hint,
    }
}

fn refuse(graph: &FlowGraph, mut wrong: Vec<Wrong>) -> CliError {
    let mut error = match wrong.len() {
        1 => CliError::usage(std::mem::take(&mut wrong[0].message)),
        many => CliError::usage(format!(
            "{many} things are wrong with the parameters of flow `{}`",
            graph.name()
        )),
    };
    for it in wrong {
        if !it.message.is_empty() {
            error = error.cause(it.message);
        }
        error = error.hint_if(it.hint);
    }
    error.hint("the same with `--help` lists the parameters of the flow")
}
