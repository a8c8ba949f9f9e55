//! Every kind of parameter, given well and given badly.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde_bytes::ByteBuf;

use super::{Files, GivenValue, help, parse, split};
use crate::cli::error::CliError;
use crate::model::definition::{Definition, Edge, ParamKind, Parameter, Step};
use crate::model::graph::FlowGraph;
use crate::report::style::Style;

struct Made(BTreeMap<&'static str, &'static [u8]>);

impl Files for Made {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = path.to_str().and_then(|path| self.0.get(path));
        found
            .map(|bytes| bytes.to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        self.read(path).map(drop)
    }

    fn list(&self, path: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
        let name = |file: &'static str| match file.strip_prefix(path.to_str()?)? {
            "" => Some((file.rsplit('/').next()?.to_owned(), file.into())),
            below => Some((below.strip_prefix('/')?.to_owned(), file.into())),
        };
        let found: BTreeMap<_, _> = self.0.keys().copied().filter_map(name).collect();
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(found)
    }
}

fn files() -> Made {
    Made(BTreeMap::from([
        ("notes.txt", "größer\n".as_bytes()),
        ("blob.bin", b"\xff\xfe"),
        ("corpus/a.txt", b"a"),
        ("corpus/notes.txt", b"b"),
        ("some.json", br#"{"bb": 1, "a": [true, null]}"#),
    ]))
}

fn parameter(name: &str, kind: ParamKind, bits: u8) -> Parameter {
    Parameter {
        name: name.into(),
        docs: format!("What {name} is for.\nMore of it."),
        kind,
        bits,
        many: false,
        ty: "T".into(),
        default: Some(ByteBuf::from([0xf6])),
        choices: Vec::new(),
    }
}

fn flow(parameters: Vec<Parameter>) -> FlowGraph {
    let start = Step {
        name: "start".into(),
        edge: Edge::End,
        ..Step::default()
    };
    let definition = Definition {
        name: "made".into(),
        parameters,
        steps: vec![start],
        ..Definition::default()
    };
    FlowGraph::new(&definition).expect("the flow is valid")
}

fn one(kind: ParamKind, bits: u8) -> FlowGraph {
    flow(vec![parameter("it", kind, bits)])
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The CBOR of the only value, in hexadecimal digits, or the error.
fn given(graph: &FlowGraph, arguments: &[&str]) -> Result<String, CliError> {
    let values = parse(graph, &words(arguments), &files())?;
    Ok(match &values[0].value {
        GivenValue::Cbor(bytes) => hex(bytes),
        GivenValue::Text(text) => format!("text {text}"),
        GivenValue::File(path) => format!("file {}", path.display()),
        GivenValue::Files(files) => format!("{files:?}"),
    })
}

fn refused(graph: &FlowGraph, arguments: &[&str]) -> String {
    parse(graph, &words(arguments), &files())
        .unwrap_err()
        .render(&Style::plain())
}

#[test]
fn numbers_and_texts_become_deterministic_cbor() {
    use ParamKind::*;
    let table = [
        (Boolean, 0, "true", "f5"),
        (Boolean, 0, "no", "f4"),
        (Unsigned, 8, "255", "18ff"),
        (Unsigned, 64, "18446744073709551615", "1bffffffffffffffff"),
        (Unsigned, 32, "1_000", "1903e8"),
        (Signed, 8, "-128", "387f"),
        (Signed, 64, "-9223372036854775808", "3b7fffffffffffffff"),
        (Float, 64, "0.1", "fb3fb999999999999a"),
        (Float, 32, "0.1", "fa3dcccccd"),
        (Float, 64, "3", "f94200"),
        (Float, 64, "-inf", "f9fc00"),
        (Float, 64, "nan", "f97e00"),
        (Text, 0, "größer", "686772c3b6c39f6572"),
        (
            Json,
            0,
            r#"{"bb": 1, "a": [1.0, null]}"#,
            "a2616182f93c00f662626201",
        ),
        (Json, 0, "@some.json", "a2616182f5f662626201"),
        (TextFile, 0, "notes.txt", "text größer\n"),
        (Blob, 0, "blob.bin", "file blob.bin"),
    ];
    for (kind, bits, text, cbor) in table {
        let argument = format!("--it={text}");
        let made = given(&one(kind, bits), &[&argument]).map_err(|e| e.message().to_owned());
        assert_eq!(made.as_deref(), Ok(cbor), "{kind:?} {text}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    use ParamKind::*;
    let table = [
        (Boolean, 0, "maybe", "`true` or `false`"),
        (Unsigned, 8, "256", "a whole number from 0 to 255"),
        (
            Unsigned,
            64,
            "-1",
            "a whole number from 0 to 18446744073709551615",
        ),
        (Signed, 16, "40000", "a whole number from -32768 to 32767"),
        (
            Signed,
            64,
            "1.5",
            "a whole number from -9223372036854775808 to 9223372036854775807",
        ),
        (Float, 32, "1e39", "a number that 32 bits can hold"),
        (Float, 64, "abc", "a number, e.g. `0.5` or `1e-3`"),
        (
            TextFile,
            0,
            "blob.bin",
            "the path of a file in UTF-8 (byte 0 of it is not)",
        ),
        (
            TextFile,
            0,
            "none",
            "the path of a text file (entity not found)",
        ),
        (Blob, 0, "none", "the path of a file (entity not found)"),
    ];
    for (kind, bits, text, expected) in table {
        let argument = format!("--it={text}");
        let error = given(&one(kind, bits), &[&argument]).unwrap_err();
        let message = format!("parameter `it` cannot be `{text}`: expected {expected}");
        assert_eq!(error.message(), message);
    }
}

#[test]
fn a_flag_alone_is_true_and_values_follow_or_are_attached() {
    assert_eq!(given(&one(ParamKind::Boolean, 0), &["--it"]).unwrap(), "f5");
    assert_eq!(
        given(&one(ParamKind::Signed, 32), &["--it", "-3"]).unwrap(),
        "22"
    );
    assert_eq!(
        given(&one(ParamKind::Text, 0), &["--it=--x"]).unwrap(),
        "632d2d78"
    );
    let dashed = flow(vec![parameter("max_depth", ParamKind::Unsigned, 8)]);
    assert_eq!(given(&dashed, &["--max-depth", "3"]).unwrap(), "03");
}

#[test]
fn many_values_become_a_list() {
    let mut list = parameter("it", ParamKind::Unsigned, 8);
    list.many = true;
    list.default = None;
    let graph = flow(vec![list]);
    assert_eq!(
        given(&graph, &["--it", "1", "--it", "2"]).unwrap(),
        "820102"
    );
    assert_eq!(given(&graph, &[]).unwrap(), "80");
}

fn archive() -> FlowGraph {
    let mut files = parameter("it", ParamKind::Blob, 0);
    files.many = true;
    files.default = None;
    flow(vec![files])
}

#[test]
fn directories_and_files_become_one_archive() {
    let given = |arguments: &[&str]| given(&archive(), arguments).unwrap();
    assert_eq!(
        given(&["--it", "corpus"]),
        r#"{"a.txt": "corpus/a.txt", "notes.txt": "corpus/notes.txt"}"#
    );
    assert_eq!(
        given(&["--it", "corpus", "--it", "corpus/a.txt"]),
        given(&["--it", "corpus"])
    );
    assert_eq!(
        given(&["--it", "notes.txt", "--it", "corpus/a.txt"]),
        r#"{"a.txt": "corpus/a.txt", "notes.txt": "notes.txt"}"#
    );
}

#[test]
fn files_must_be_there_have_names_of_their_own_and_be_given() {
    insta::assert_snapshot!(refused(&archive(), &["--it", "corpus", "--it", "notes.txt", "--it", "none"]), @r"
    error: 2 things are wrong with the parameters of flow `made`
      caused by: parameter `it` has two files `notes.txt`: `corpus/notes.txt` and `notes.txt`
      caused by: parameter `it` cannot be `none`: expected the path of a directory or a file (entity not found)
      hint: give one directory that has both below it
      hint: the same with `--help` lists the parameters of the flow
    ");
    insta::assert_snapshot!(refused(&archive(), &[]), @r"
    error: 1 required parameter is missing: `--it`
      hint: the same with `--help` lists the parameters of the flow
    ");
}

#[test]
fn a_directory_is_no_file_and_the_type_that_takes_one_is_named() {
    let here = tempfile::tempdir().unwrap();
    let argument = format!("--it={}", here.path().display());
    for kind in [ParamKind::Blob, ParamKind::TextFile] {
        let refused = parse(&one(kind, 0), &words(&[&argument]), &super::Disk);
        let said = refused.unwrap_err().render(&Style::plain());
        assert!(
            said.contains("hint: a parameter of the type `Files` takes a directory"),
            "{said}"
        );
    }
}

#[test]
fn what_was_not_given_and_has_a_default_is_left_out() {
    assert_eq!(parse(&one(ParamKind::Text, 0), &[], &files()).unwrap(), []);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut color = parameter("color", ParamKind::Text, 0);
    color.choices = vec!["red".into(), "green".into()];
    let mut parts = parameter("parts", ParamKind::Unsigned, 32);
    parts.default = None;
    let mut corpus = parameter("corpus", ParamKind::Blob, 0);
    corpus.default = None;
    let graph = flow(vec![color, parts, corpus]);
    let arguments = [
        "stray",
        "--color",
        "gren",
        "--prats",
        "3",
        "--color=red",
        "--color=blue",
    ];
    insta::assert_snapshot!(refused(&graph, &arguments), @r"
    error: 4 things are wrong with the parameters of flow `made`
      caused by: `stray` is not a parameter: `--name value` is expected
      caused by: flow `made` has no parameter `prats`
      caused by: parameter `color` is given 3 times
      caused by: 2 required parameters are missing: `--parts`, `--corpus`
      hint: a text that begins with `-` is given as `--name=-text`
      hint: did you mean `--parts`?
      hint: the same with `--help` lists the parameters of the flow
    ");
    insta::assert_snapshot!(refused(&graph, &["--parts", "1", "--corpus", "notes.txt", "--color", "gren"]), @r"
    error: parameter `color` cannot be `gren`: expected one of `red`, `green`
      hint: did you mean `green`?
      hint: the same with `--help` lists the parameters of the flow
    ");
    insta::assert_snapshot!(refused(&graph, &["--parts", "--corpus", "notes.txt"]), @r"
    error: parameter `parts` has no value
      hint: the same with `--help` lists the parameters of the flow
    ");
}

#[test]
fn json_that_is_not_says_where() {
    insta::assert_snapshot!(refused(&one(ParamKind::Json, 0), &["--it", "text"]), @r#"
    error: parameter `it` cannot be `text`: expected JSON (expected ident at line 1 column 2)
      hint: text in JSON has quotes, which the shell needs quoted: `'"text"'`; `@FILE` reads a file
      hint: the same with `--help` lists the parameters of the flow
    "#);
}

#[test]
fn json_that_is_too_deep_to_be_kept_is_refused() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    let said = refused(&one(ParamKind::Json, 0), &["--it", &deep]);
    assert!(
        said.contains(
            "expected a value that can be kept (the value at byte 65 lies more than 64 levels deep)"
        ),
        "{said}"
    );
}

#[test]
fn help_lists_the_parameters_of_the_flow() {
    let mut color = parameter("color", ParamKind::Text, 0);
    color.choices = vec!["red".into(), "green".into()];
    color.default = Some(ByteBuf::from(b"\x63red".to_vec()));
    let mut parts = parameter("parts", ParamKind::Unsigned, 32);
    parts.default = Some(ByteBuf::from([8]));
    let mut corpus = parameter("corpus", ParamKind::Blob, 0);
    corpus.default = None;
    let mut lists = parameter("seeds", ParamKind::Signed, 64);
    (lists.many, lists.default) = (true, None);
    let graph = flow(vec![
        color,
        parts,
        corpus,
        lists,
        parameter("dry", ParamKind::Boolean, 0),
    ]);
    let own = clap::Command::new("run")
        .about("Run a flow")
        .arg(clap::Arg::new("path").help("The flow"));
    insta::assert_snapshot!(help(&graph, own, false), @r"
    Usage: run [path]

    Parameters of flow made:
          --color <TEXT>     What color is for. More of it. [one of: red, green] [default: red]
          --parts <NATURAL>  What parts is for. More of it. [default: 8]
          --corpus <FILE>    What corpus is for. More of it. [required]
          --seeds <INTEGER>  What seeds is for. More of it. [may be given many times]
          --dry [<BOOL>]     What dry is for. More of it. [optional]

    Arguments:
      [path]  The flow

    Options:
      -h, --help  Print help
    ");
}

fn run_command() -> clap::Command {
    let workers = clap::Arg::new("workers").long("max-workers").short('w');
    let json = clap::Arg::new("json")
        .long("json")
        .action(clap::ArgAction::SetTrue);
    clap::Command::new("run")
        .arg(clap::Arg::new("path"))
        .arg(workers)
        .arg(json)
}

#[test]
fn parameters_are_told_from_flags() {
    let split = |text: &str| {
        let arguments: Vec<_> = text.split_whitespace().map(OsString::from).collect();
        let split = split(&arguments, &run_command());
        split.join(&OsString::from(" ")).into_string().unwrap()
    };
    assert_eq!(split("path --parts 3 --json"), "path --json -- --parts 3");
    assert_eq!(
        split("--max-workers 4 path --x=1 -w2 -w 3"),
        "--max-workers 4 path -w2 -w 3 -- --x=1"
    );
    assert_eq!(
        split("--dry --names a b --json -h"),
        "--json -h -- --dry --names a b"
    );
    assert_eq!(
        split("path --shift -3 -- --json x"),
        "path -- --shift -3 --json x"
    );
    assert_eq!(split("path --max-workers=2"), "path --max-workers=2");
    assert_eq!(split(""), "");
}
