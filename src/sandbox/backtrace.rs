//! A guest's call stack, as its author would tell it.

use wasmtime::WasmBacktrace;

/// The most functions that are listed.
const MAX_FRAMES: usize = 32;

/// Crates whose functions stand between an author's functions, and say nothing about them.
const MACHINERY: &[&str] = &[
    "std",
    "core",
    "alloc",
    "compiler_builtins",
    "wrun_sdk",
    "wit_bindgen",
    "dlmalloc",
    "wasi",
    "wasip2",
    "hashbrown",
    "__rustc",
    "rustc_demangle",
    "panic_abort",
];

/// The author's functions, innermost first, with file and line where the module has them.
pub fn readable(trace: &WasmBacktrace) -> Vec<String> {
    let mut lines = Vec::new();
    for frame in trace.frames() {
        let inlined = frame.symbols();
        if inlined.iter().all(|symbol| symbol.name().is_none()) {
            lines.extend(frame.func_name().and_then(|name| line(name, None)));
            continue;
        }
        for symbol in inlined {
            let Some(name) = symbol.name() else { continue };
            lines.extend(line(name, symbol.file().zip(symbol.line())));
        }
    }
    lines.dedup();
    lines.truncate(MAX_FRAMES);
    lines
}

fn line(name: &str, place: Option<(&str, u32)>) -> Option<String> {
    let name = rustc_name(name)?;
    Some(match place {
        Some((file, line)) => format!("{name} ({file}:{line})"),
        None => name,
    })
}

/// The name without the compiler's hash; none when it is machinery.
fn rustc_name(name: &str) -> Option<String> {
    let name = demangled(name);
    let name = match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            path
        }
        _ => &name,
    };
    // The SDK wraps each step into a function that names it.
    if let Some((_, step)) = name.rsplit_once("wrun_sdk::glue::Flow>::run::__step_") {
        return Some(format!("step {step}"));
    }
    if name.ends_with("wrun_sdk::glue::Flow>::run") {
        return None;
    }
    let path = name.trim_start_matches(['<', '&', '(']);
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    let root = path.split([':', '<', '[', ' ']).next().unwrap_or(path);
    let plain = !name.contains("::");
    let runtime = plain
        && (name.starts_with("__")
            || name.starts_with("cabi_")
            || name.contains('#')
            || matches!(
                name,
                "run"
                    | "describe"
                    | "abort"
                    | "_start"
                    | "_initialize"
                    | "rust_begin_unwind"
                    | "rust_panic"
            ));
    if runtime || MACHINERY.contains(&root) || name.is_empty() {
        return None;
    }
    Some(name.to_owned())
}

/// The legible form of a mangled name; wasmtime demangles only for its own printing.
fn demangled(name: &str) -> String {
    rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_functions_stay_and_the_machinery_goes() {
        let kept = |name| rustc_name(name);
        assert_eq!(
            kept("_ZN4flow3fit17h0123456789abcdefE").as_deref(),
            Some("flow::fit")
        );
        assert_eq!(
            kept("flow::fit::h0123456789abcdef").as_deref(),
            Some("flow::fit")
        );
        assert_eq!(
            kept("<flow::Model as core::fmt::Display>::fmt").as_deref(),
            Some("<flow::Model as core::fmt::Display>::fmt")
        );
        assert_eq!(kept("main_loop").as_deref(), Some("main_loop"));
        assert_eq!(
            kept("<flow::flow::__Flow as wrun_sdk::glue::Flow>::run::__step_fit").as_deref(),
            Some("step fit")
        );
        for machinery in [
            "<flow::flow::__Flow as wrun_sdk::glue::Flow>::run",
            "run",
            "_ZN4core9panicking5panic17h0123456789abcdefE",
            "<alloc::vec::Vec<T> as core::ops::Index<usize>>::index",
            "wrun_sdk::abi::run",
            "__rust_start_panic",
            "rust_begin_unwind",
            "cabi_post_run",
        ] {
            assert_eq!(kept(machinery), None, "{machinery}");
        }
    }
}
