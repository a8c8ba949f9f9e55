//! What the macros make of a module: its definition, and how its steps are run.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "shapes/flow.rs"]
mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;

use flow::shapes;
use wrun_sdk::glue::{self, Flow, Host, Memory, Outcome, Stored, Stores};
use wrun_sdk::prelude::*;

fn cbor<T: Serialize>(value: T) -> Stored {
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).unwrap();
    Stored {
        media_type: "application/cbor".to_owned(),
        bytes,
    }
}

fn value<T: serde::de::DeserializeOwned>(stored: &Stored) -> T {
    assert_eq!(stored.media_type, "application/cbor");
    ciborium::from_reader(&stored.bytes[..]).unwrap()
}

fn stores<const N: usize>(all: [(&str, Stored); N]) -> Stores {
    BTreeMap::from(all.map(|(name, stored)| (name.to_owned(), stored)))
}

/// Runs a step of the flow of all shapes: its outcome and what it wrote.
fn run(step: &str, host: Memory) -> Result<(Outcome, Stores)> {
    run_of::<shapes::__Flow>(step, host)
}

fn run_of<F: Flow>(step: &str, host: Memory) -> Result<(Outcome, Stores)> {
    let memory = Arc::new(host);
    let host: Arc<dyn Host> = memory.clone();
    let outcome = F::run(step, &host)?;
    Ok((outcome, memory.take_writes()))
}

#[test]
fn a_definition_holds_all_that_the_module_says() {
    let mut text = format!("{:#?}\n", shapes::__Flow::describe());
    text = text.replace(
        concat!("wrun-sdk ", env!("CARGO_PKG_VERSION")),
        "wrun-sdk VERSION",
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_step_says_where_it_is_written() {
    let source = &shapes::__Flow::describe().steps[0].source;
    let (file, line) = source.rsplit_once(':').unwrap();
    assert!(file.ends_with("tests/shapes/flow.rs"), "{file}");

    let text = include_str!("shapes/flow.rs");
    let line: usize = line.parse().unwrap();
    assert_eq!(text.lines().nth(line - 1).unwrap().trim(), "fn start(");
}

#[test]
fn parameters_are_read_like_artifacts() {
    let reads = stores([
        (
            "corpus",
            Stored {
                media_type: "text/plain".to_owned(),
                bytes: b"one\ntwo".to_vec(),
            },
        ),
        ("parts", cbor(8)),
        ("style", cbor("plain")),
        ("stop", cbor(["a"])),
        ("limit", cbor(())),
    ]);
    let (outcome, wrote) = run("start", Memory::new().with_reads(reads)).unwrap();

    assert!(matches!(outcome, Outcome::Done));
    assert_eq!(value::<u32>(&wrote["base"]), 8);
    assert_eq!(value::<String>(&wrote["first_line"]), "one");
}

#[test]
fn a_field_without_value_writes_nothing() {
    let (_, wrote) = run(
        "right",
        Memory::new().with_reads(stores([("base", cbor(3))])),
    )
    .unwrap();
    assert_eq!(wrote.keys().collect::<Vec<_>>(), ["note", "score"]);
}

#[test]
fn an_error_of_any_kind_can_be_retried() {
    let error = run(
        "right",
        Memory::new().with_reads(stores([("base", cbor(300))])),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "out of range integral type conversion attempted"
    );
    assert!(!error.is_fatal());
}

#[test]
fn a_join_finds_branches_by_their_steps() {
    let side = |score: f64| stores([("score", cbor(score)), ("note", cbor("same"))]);
    let branches = vec![
        ("left/-".to_owned(), side(1.5)),
        ("right/-".to_owned(), side(6.5)),
    ];
    let (_, wrote) = run("both", Memory::new().with_branches(branches)).unwrap();

    assert_eq!(value::<u64>(&wrote["sum"]), 8);
}

#[test]
fn a_foreach_says_how_many_elements_there_are() {
    let (outcome, wrote) =
        run("fan", Memory::new().with_reads(stores([("sum", cbor(3))]))).unwrap();

    assert!(matches!(outcome, Outcome::Items(3)));
    let groups: Vec<shapes::Group> = value(&wrote["groups"]);
    let (outcome, _) = run("inner", Memory::new().with_item(cbor(&groups[1]).bytes)).unwrap();
    assert!(matches!(outcome, Outcome::Items(2)));
}

#[test]
fn a_step_reads_its_element_and_who_it_is() {
    let context = glue::Context {
        flow: "all-shapes".to_owned(),
        run: 7,
        step: "work".to_owned(),
        task: "0.13".to_owned(),
        indices: vec![0, 13],
        turns: vec![],
        attempt: 0,
        seed: 1000,
    };
    let host = |cell: u32| {
        Memory::new()
            .with_item(cbor(cell).bytes)
            .with_context(context.clone())
    };

    assert_eq!(
        value::<u64>(&run("work", host(12)).unwrap().1["value"]),
        1012
    );
    let error = run("work", host(13)).unwrap_err();
    assert_eq!(error.to_string(), "cell 13 of work/0.13 is unlucky");
}

#[test]
fn a_failure_that_was_caught_is_read_as_the_host_writes_it() {
    let failure = json!({
        "kind": { "limit": "memory" },
        "message": "more than 512 MiB",
        "causes": ["a", "b"],
        "hint": "ask for more",
    });
    let failed = stores([("failure", cbor(failure))]);
    let worked = stores([("value", cbor(5))]);
    let branches = vec![
        ("work/0".to_owned(), failed.clone()),
        ("work/1".to_owned(), worked),
    ];
    let (_, wrote) = run("gather", Memory::new().with_branches(branches)).unwrap();
    assert_eq!(value::<u64>(&wrote["sum"]), 5);

    let failure: Failure = value(&failed["failure"]);
    assert_eq!(failure.kind, FailureKind::Limit(wrun_sdk::Limit::Memory));
    assert_eq!(failure.causes, ["a", "b"]);
}

#[test]
fn a_switch_chooses_by_the_text_of_its_field() {
    let decide = |sum: u64| {
        run(
            "decide",
            Memory::new().with_reads(stores([("sum", cbor(sum))])),
        )
    };
    let case = |sum| match decide(sum).unwrap().0 {
        Outcome::Case(name) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(case(1), "again");
    assert_eq!(case(100), "good-enough");
}

#[test]
fn files_texts_and_reports_keep_their_kind() {
    let corpus = Stored {
        media_type: "text/plain".to_owned(),
        bytes: b"x".to_vec(),
    };
    let reads = stores([
        ("sum", cbor(9)),
        ("corpus", corpus.clone()),
        ("note", cbor("n")),
    ]);
    let (outcome, wrote) = run("end", Memory::new().with_reads(reads)).unwrap();

    assert!(matches!(outcome, Outcome::Done));
    let kept = |media_type: &str, bytes: &str| Stored {
        media_type: media_type.to_owned(),
        bytes: bytes.as_bytes().to_vec(),
    };
    assert_eq!(wrote["page"], kept("text/markdown", "# 9"));
    assert_eq!(wrote["table"], kept("text/csv", "sum,9\n"));
    assert_eq!(wrote["copy"], corpus);
    assert_eq!(wrote["summary"], kept("text/plain", "9 n"));
    assert_eq!(value::<BTreeMap<String, u32>>(&wrote["settings"])["sum"], 9);
}

#[test]
fn what_cannot_be_read_is_said_with_name_type_and_reason() {
    let missing = run("left", Memory::new()).unwrap_err();
    assert!(missing.is_fatal());
    assert_eq!(
        missing.to_string(),
        "artifact `base` was never written; read it as `Option<u32>` if it may be missing"
    );

    let wrong = run(
        "left",
        Memory::new().with_reads(stores([("base", cbor("x"))])),
    )
    .unwrap_err();
    assert!(wrong.is_fatal());
    assert_eq!(wrong.to_string(), "artifact `base` cannot be read as `u32`");
    assert_eq!(wrong.causes(), ["invalid type: string, expected integer"]);

    let cut = Stored {
        media_type: "application/cbor".to_owned(),
        bytes: vec![0x19, 1],
    };
    let cut = run("left", Memory::new().with_reads(stores([("base", cut)]))).unwrap_err();
    assert_eq!(cut.causes(), ["the value ends too early"]);

    let branches = vec![("work/7".to_owned(), stores([("sum", cbor(-1))]))];
    let branch = run("outer", Memory::new().with_branches(branches)).unwrap_err();
    assert_eq!(
        branch.to_string(),
        "artifact `sum` of `work/7` cannot be read as `u64`"
    );

    let item = run("work", Memory::new().with_item(cbor("x").bytes)).unwrap_err();
    assert_eq!(
        item.to_string(),
        "the foreach element cannot be read as `u32`"
    );

    let step = run("nowhere", Memory::new()).unwrap_err();
    assert_eq!(step.to_string(), "the module has no step `nowhere`");
}

/// A flow of one step, with a borrowed text as the way on and a result without `Result`.
#[flow]
mod tiny {
    use super::*;

    #[derive(Artifacts)]
    pub struct Chosen {
        pub route: &'static str,
    }

    #[step(switch = "route", cases(r#loop = "only", stop = "last"), max_turns = 1)]
    fn only(task: &Task) -> Chosen {
        Chosen {
            route: if task.turn() == Some(1) {
                "loop"
            } else {
                "stop"
            },
        }
    }

    #[step(catch = "failure")]
    pub(super) fn last() {}
}

#[test]
fn a_borrowed_text_decides_too() {
    let definition = tiny::__Flow::describe();
    assert_eq!(definition.name, "tiny");
    assert_eq!(definition.steps[0].writes[0].ty, "String");
    let (outcome, wrote) = run_of::<tiny::__Flow>("only", Memory::new()).unwrap();
    assert!(matches!(outcome, Outcome::Case(name) if name == "stop"));
    assert_eq!(value::<String>(&wrote["route"]), "stop");
    assert!(
        run_of::<tiny::__Flow>("last", Memory::new())
            .unwrap()
            .1
            .is_empty()
    );
}

mod parameters {
    use super::*;

    /// A parameter of every type.
    #[flow]
    mod typed {
        use super::*;

        #[step]
        #[allow(clippy::too_many_arguments, unused_variables)]
        fn only(
            #[param(default = true)] a: bool,
            #[param(default = -1)] b: i8,
            #[param(default = 300)] c: u16,
            #[param(default = -9_000_000_000)] d: i64,
            #[param(default = 1)] e: usize,
            #[param(default = 2)] f: f64,
            #[param(default = 1.5)] g: f32,
            #[param(default = "x")] h: String,
            #[param(default = [1, 2])] i: Vec<u64>,
            #[param(default = [-1, 2.5])] j: Vec<f64>,
            #[param(default = json!({ "k": 1 }).into())] k: Json,
            #[param] l: Option<Blob>,
            #[param] m: Text,
            #[param(default = [])] n: Vec<String>,
            #[param(default = 5)] o: Option<i32>,
        ) {
        }
    }

    #[test]
    fn every_type_has_its_kind_width_and_default() {
        let lines: Vec<String> = typed::__Flow::describe()
            .parameters
            .iter()
            .map(|p| {
                let default = p.default.as_ref().map(|bytes| {
                    bytes
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<String>()
                });
                let many = if p.many { " many" } else { "" };
                let default = default.unwrap_or_else(|| "required".to_owned());
                format!(
                    "{} {} {:?} {}{many} {default}",
                    p.name, p.ty, p.kind, p.bits
                )
            })
            .collect();

        assert_eq!(
            lines,
            [
                "a bool ParamKind::Boolean 0 f5",
                "b i8 ParamKind::Signed 8 20",
                "c u16 ParamKind::Unsigned 16 19012c",
                "d i64 ParamKind::Signed 64 3b00000002187119ff",
                "e usize ParamKind::Unsigned 32 01",
                "f f64 ParamKind::Float 64 f94000",
                "g f32 ParamKind::Float 32 f93e00",
                "h String ParamKind::Text 0 6178",
                "i Vec<u64> ParamKind::Unsigned 64 many 820102",
                "j Vec<f64> ParamKind::Float 64 many 82f9bc00f94100",
                "k Json ParamKind::Json 0 a1616b01",
                "l Blob ParamKind::Blob 0 f6",
                "m Text ParamKind::TextFile 0 required",
                "n Vec<String> ParamKind::Text 0 many 80",
                "o i32 ParamKind::Signed 32 05",
            ]
        );
    }
}

/// A step may return what can be written and not read back.
#[flow]
mod one_way {
    use super::*;

    #[derive(Serialize)]
    pub struct Written {
        pub n: u8,
    }

    #[derive(Artifacts)]
    pub struct Out {
        pub written: Written,
    }

    #[step]
    pub(super) fn only() -> Out {
        Out {
            written: Written { n: 1 },
        }
    }
}

#[test]
fn a_type_that_is_only_written_need_not_be_readable() {
    let (_, wrote) = run_of::<one_way::__Flow>("only", Memory::new()).unwrap();
    assert_eq!(value::<BTreeMap<String, u8>>(&wrote["written"])["n"], 1);
    assert_eq!(one_way::only().written.n, 1);
}

/// Files that may be left out.
#[flow]
mod left_out {
    use super::*;

    #[derive(Artifacts)]
    pub struct Seen {
        pub seen: (Option<u64>, Option<String>, bool, bool),
    }

    #[step]
    fn only(
        #[param] table: Option<Blob>,
        #[param] words: Option<Text>,
        #[param] limit: Option<u32>,
        #[param] settings: Option<Json>,
    ) -> Seen {
        let words = words.map(Text::into_string);
        let table = table.map(|table| table.len());
        Seen {
            seen: (table, words, limit.is_some(), settings.is_some()),
        }
    }
}

#[test]
fn a_parameter_that_was_left_out_is_none() {
    let seen = |reads: Stores| {
        let (_, wrote) =
            run_of::<left_out::__Flow>("only", Memory::new().with_reads(reads)).unwrap();
        value::<(Option<u64>, Option<String>, bool, bool)>(&wrote["seen"])
    };
    let file = |bytes: &[u8]| Stored {
        media_type: "text/plain".to_owned(),
        bytes: bytes.to_vec(),
    };

    assert_eq!(seen(Stores::new()), (None, None, false, false));
    let nulls = [
        ("table", cbor(())),
        ("words", cbor(())),
        ("limit", cbor(())),
        ("settings", cbor(())),
    ];
    assert_eq!(seen(stores(nulls)), (None, None, false, false));
    let given = [
        ("table", file(&[0xf6])),
        ("words", file(b"")),
        ("limit", cbor(0)),
        ("settings", cbor(false)),
    ];
    let all = (Some(1), Some(String::new()), true, true);
    assert_eq!(seen(stores(given)), all);
}
