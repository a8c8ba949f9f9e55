//! Modules that are no flows, or mean harm: each is refused with a message that says what to do.

use wrun::model::failure::{FailureKind, Limit};
use wrun::sandbox::ModuleError;

use crate::harness::*;

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own text")
}

async fn refused(wasm: &[u8]) -> ModuleError {
    prepare(wasm).await.expect_err("it is refused")
}

/// What `describe` of an example ends in.
async fn undescribed(name: &str) -> ModuleError {
    let module = prepare(&example(name)).await.expect("it compiles");
    modules()
        .describe(&module)
        .await
        .expect_err("it does not describe itself")
}

#[tokio::test]
async fn what_is_not_webassembly_is_named() {
    for (bytes, expected) in [
        (&b""[..], "an empty file"),
        (b"\x7fELF\x02\x01", "a native Linux program"),
        (b"PK\x03\x04rest", "a zip archive"),
        (
            b"(component)",
            "WebAssembly text, which must be assembled first",
        ),
        (b"hello", "text"),
        (b"\x00as\xff", "data of another kind"),
    ] {
        match refused(bytes).await {
            ModuleError::NotWasm { looks_like } => assert_eq!(looks_like, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_core_module_is_named() {
    let error = refused(&component("(module)")).await;
    assert!(matches!(error, ModuleError::CoreModule), "{error:?}");
}

#[tokio::test]
async fn a_truncated_module_does_not_compile() {
    let error = refused(&GUESTS[..GUESTS.len() / 2]).await;
    assert!(
        matches!(error, ModuleError::CompileFailed { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_damaged_module_does_no_harm() {
    for at in (8..GUESTS.len()).step_by(GUESTS.len() / 12) {
        let mut bytes = GUESTS.to_vec();
        bytes[at] ^= 0x55;
        // It may still be a module: then it must still be one that says so.
        if let Ok(module) = prepare(&bytes).await {
            let _ = modules().describe(&module).await;
        }
    }
}

#[tokio::test]
async fn a_component_of_another_world_is_refused() {
    for (text, expected) in [
        ("(component)", "exports no function `describe`"),
        (
            r#"(component
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func (export "describe") (canon lift (core func $i "f"))))"#,
            "exports no function `run`",
        ),
    ] {
        match refused(&component(text)).await {
            ModuleError::WrongWorld { message } => assert!(message.contains(expected), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn exports_of_other_types_are_named() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "describe") (canon lift (core func $i "f")))
        (func (export "run") (canon lift (core func $i "f"))))"#;
    let module = prepare(&component(text)).await.expect("it compiles");
    let error = modules()
        .describe(&module)
        .await
        .expect_err("it is no flow");
    assert!(
        matches!(&error, ModuleError::WrongWorld { message } if message.contains("`run`")),
        "{error:?}"
    );
}

#[tokio::test]
async fn unknown_imports_are_named() {
    for (import, advice) in [
        ("wasi:http/incoming-handler@0.2.0", "are not asked"),
        ("wasi:keyvalue/store@0.2.0", "WASI"),
        ("acme:tools/run", "wrun build"),
    ] {
        let text = format!(r#"(component (import "{import}" (instance)))"#);
        match refused(&component(&text)).await {
            ModuleError::Import { name, reason } => {
                assert_eq!(name, import);
                assert!(reason.contains(advice), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn functions_that_an_interface_does_not_have_are_refused() {
    let text = r#"(component
        (import "wasi:random/random@0.2.0" (instance (export "get-lucky" (func)))))"#;
    let error = refused(&component(text)).await;
    let exported = matches!(&error, ModuleError::WrongWorld { .. });
    assert!(exported, "{error:?}");
}

#[tokio::test]
async fn connections_are_refused_by_name() {
    match refused(&example("connects")).await {
        ModuleError::Import { name, reason } => {
            assert!(name.starts_with("wasi:sockets/"), "{name}");
            assert!(reason.contains("open no connections"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_description_that_never_ends_is_ended() {
    match undescribed("loops").await {
        ModuleError::DescribeFailed { failure } => {
            assert_eq!(failure.kind, FailureKind::Limit(Limit::Time));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_description_that_panics_says_so() {
    match undescribed("traps").await {
        ModuleError::DescribeFailed { failure } => {
            assert_eq!(failure.kind, FailureKind::Panic);
            assert_eq!(failure.message, "no description today");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_description_of_100_mb_is_refused() {
    match undescribed("floods").await {
        ModuleError::DescribeFailed { failure } => {
            assert!(failure.message.contains("16 MiB"), "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_description_has_little_memory() {
    match undescribed("swallows").await {
        ModuleError::DescribeFailed { failure } => {
            assert_eq!(failure.kind, FailureKind::Limit(Limit::Memory));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_description_cannot_ask_about_a_task() {
    for (name, asked) in [("asks", "`task.current`"), ("reads", "`artifacts.get`")] {
        match undescribed(name).await {
            ModuleError::DescribeFailed { failure } => {
                assert_eq!(failure.kind, FailureKind::Contract);
                assert!(failure.message.contains(asked), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_description_is_the_same_every_time() {
    let module = prepare(&example("differs")).await.expect("it compiles");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let elsewhere = tempfile::tempdir().expect("a directory");
        let modules = wrun::sandbox::Modules::new(elsewhere.path().join("code"), launcher());
        answers.push(
            modules
                .describe(&module)
                .await
                .expect("it describes itself"),
        );
    }
    assert_eq!(answers[0], answers[1]);
}
