//! A flow that does not do as it says: a foreach over `list`, and the parameter `how` chooses the lie.

#[rustfmt::skip]
#[path = "../../../guest-sdk/src/bindings.rs"]
#[allow(missing_docs, clippy::all, warnings)]
mod bindings;
#[path = "../src/step.rs"]
mod step;

use bindings::wrun::flow::artifacts;
use bindings::wrun::flow::types::{
    Definition, Edge, Failure, FanOut, Outcome, ParamKind, Parameter, Read, Write,
};
use step::step;

/// A list of two numbers, in CBOR.
const LIST: &[u8] = &[0x82, 1, 2];

struct Flow;

/// Does what the text in CBOR asks for.
fn start(how: &[u8]) -> Outcome {
    let put = |media: &str, bytes: &[u8]| artifacts::put("list", media, bytes);
    let cbor = "application/cbor";
    match how {
        b"\x66honest" => put(cbor, LIST),
        b"\x64case" => {
            put(cbor, LIST);
            return Outcome::Case("each".into());
        }
        b"\x64more" => {
            put(cbor, LIST);
            return Outcome::Items(3);
        }
        b"\x67nothing" => {}
        b"\x66number" => put(cbor, &[7]),
        b"\x67garbage" => put(cbor, &[0x82, 1]),
        _ => put("text/plain", b"[1, 2]"),
    }
    Outcome::Items(2)
}

impl bindings::Guest for Flow {
    fn describe() -> Definition {
        let each = FanOut {
            artifact: "list".into(),
            next: "each".into(),
        };
        let mut start = step("start", Edge::Foreach(each));
        start.reads.push(Read {
            name: "how".into(),
            ty: "String".into(),
            optional: false,
        });
        start.writes.push(Write {
            name: "list".into(),
            ty: "Vec<u32>".into(),
        });
        let mut join = step("join", Edge::End);
        join.join = true;
        Definition {
            name: "lies".into(),
            docs: String::new(),
            sdk: String::new(),
            parameters: vec![Parameter {
                name: "how".into(),
                docs: String::new(),
                kind: ParamKind::Text,
                bits: 0,
                many: false,
                ty: "String".into(),
                default: None,
                choices: Vec::new(),
            }],
            steps: vec![start, step("each", Edge::Next("join".into())), join],
        }
    }

    fn run(name: String) -> Result<Outcome, Failure> {
        match name.as_str() {
            "start" => Ok(start(&artifacts::get("how").unwrap_or_default())),
            _ => Ok(Outcome::Done),
        }
    }
}

bindings::export_flow!(Flow with_types_in bindings);
