//! Modules that act while they are loaded, import what there is not, or fill what they are given before they are asked.
//!
//! Written by hand in WebAssembly's text, because no compiler makes them.

use wrun::model::failure::{FailureKind, Limit};
use wrun::sandbox::ModuleError;

use crate::harness::{modules, prepare};

/// A component whose core module is `inside`, with exports of a flow that do nothing.
fn component(inside: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m {inside} (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "describe") (canon lift (core func $i "f")))
            (func (export "run") (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(text).expect("the test's own text")
}

/// What is said of a module whose instance does `inside`.
async fn said(inside: &str) -> ModuleError {
    let module = match prepare(&component(inside)).await {
        Ok(module) => module,
        Err(error) => return error,
    };
    modules()
        .describe(&module)
        .await
        .expect_err("it is no flow")
}

fn kind(error: &ModuleError) -> Option<FailureKind> {
    match error {
        ModuleError::DescribeFailed { failure } => Some(failure.kind),
        _ => None,
    }
}

#[tokio::test]
async fn what_begins_before_it_is_asked_has_the_same_limits() {
    let spin = r#"(func $s (loop $l br $l)) (start $s)"#;
    let table = r#"(table $t 1 funcref) (func $s (loop $l (br_if $l (i32.ne (i32.const -1)
        (table.grow $t (ref.null func) (i32.const 100000)))) unreachable)) (start $s)"#;
    let memory = r#"(memory 1) (func $s (loop $l (br_if $l (i32.ne (i32.const -1)
        (memory.grow (i32.const 100)))) unreachable)) (start $s)"#;
    let memory_at_once = r#"(memory 65536)"#;
    let recursion = r#"(func $s call $s) (start $s)"#;
    let trap = r#"(func $s unreachable) (start $s)"#;
    for (name, inside, must) in [
        ("spins", spin, FailureKind::Limit(Limit::Time)),
        ("fills tables", table, FailureKind::Limit(Limit::Tables)),
        ("fills memory", memory, FailureKind::Limit(Limit::Memory)),
        (
            "has 4 GiB at once",
            memory_at_once,
            FailureKind::Limit(Limit::Memory),
        ),
        ("recurses", recursion, FailureKind::Limit(Limit::Stack)),
        ("traps", trap, FailureKind::Trap),
    ] {
        let error = said(inside).await;
        assert_eq!(kind(&error), Some(must), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn many_memories_and_tables_are_counted_together() {
    let memories = "(memory 1000) ".repeat(10);
    let error = said(&memories).await;
    // Several memories are another feature, which may be off: refused in either way.
    let refused = kind(&error) == Some(FailureKind::Limit(Limit::Memory))
        || matches!(error, ModuleError::CompileFailed { .. });
    assert!(refused, "{error:?}");
    let tables = "(table 150000 funcref) ".repeat(10);
    let error = said(&tables).await;
    assert_eq!(
        kind(&error),
        Some(FailureKind::Limit(Limit::Tables)),
        "{error:?}"
    );
}

#[tokio::test]
async fn instances_without_end_are_refused() {
    let many: String = (0..20_000)
        .map(|i| format!("(core instance $i{i} (instantiate $m))\n"))
        .collect();
    let text = format!(
        r#"(component (core module $m (memory 1) (func (export "f"))) {many}
            (func (export "describe") (canon lift (core func $i0 "f")))
            (func (export "run") (canon lift (core func $i0 "f"))))"#
    );
    let wasm = wat::parse_str(text).expect("the test's own text");
    let error = match prepare(&wasm).await {
        Ok(module) => modules()
            .describe(&module)
            .await
            .expect_err("it is no flow"),
        Err(error) => error,
    };
    assert!(!error.to_string().is_empty());
}

#[tokio::test]
async fn code_that_is_hard_to_compile_ends() {
    let huge = format!(
        "(func $s (local i64) {}) ",
        "(local.set 0 (i64.add (local.get 0) (i64.const 7)))".repeat(30_000)
    );
    let many: String = (0..20_000)
        .map(|i| format!("(func $f{i} (result i32) i32.const {i}) "))
        .collect();
    let nested = format!("(func {} {}) ", "(block ".repeat(900), ")".repeat(900));
    for inside in [huge, many, nested] {
        let error = said(&inside).await;
        // It is compiled, and is then no flow, or is refused; in a cell, and within a limit of time.
        assert!(!error.to_string().is_empty());
    }
}

#[tokio::test]
async fn imports_of_other_times_and_places_are_refused_by_name() {
    for import in [
        "wasi:sockets/tcp@0.2.0",
        "wasi:sockets/instance-network@0.2.0",
        "wasi:sockets/ip-name-lookup@0.2.99",
        "wasi:cli/run@0.2.0",
        "wasi:http/incoming-handler@0.2.0",
        "wasi:http/outgoing-handler@9.9.9",
        "wasi:filesystem/preopens@0.3.0",
        "wasi:threads/spawn@0.1.0",
        "wasi:nn/graph@0.2.0",
        "wasi:config/store@0.2.0",
        "wasi:blobstore/container@0.2.0",
        "wrun:flow/artifacts@0.2.0",
        "wrun:flow/secrets@0.1.0",
        "wrun:flow/artifacts",
        "acme:host/shell@1.0.0",
    ] {
        let text = format!(
            r#"(component (import "{import}" (instance (export "x" (func))))
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "describe") (canon lift (core func $i "f")))
                (func (export "run") (canon lift (core func $i "f"))))"#
        );
        let error = prepare(&wat::parse_str(text).expect("text"))
            .await
            .expect_err(import);
        let named = match &error {
            ModuleError::Import { name, .. } => name == import,
            ModuleError::WrongWorld { message } => {
                message.contains(import.split('@').next().unwrap())
            }
            // Of another version than this wrun's, which is named instead of one of its interfaces.
            ModuleError::Contract { theirs } => {
                import.starts_with("wrun:flow/") && import.ends_with(&format!("@{theirs}"))
            }
            _ => false,
        };
        assert!(named, "{import}: {error:?}");
    }
}
