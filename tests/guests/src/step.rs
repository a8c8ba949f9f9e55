//! A step with nothing set, for whoever describes a flow without the SDK.

use crate::bindings::wrun::flow::types::{Edge, Resources, Step};

/// A step that reads and writes nothing, and what comes after it.
pub fn step(name: &str, edge: Edge) -> Step {
    Step {
        name: name.into(),
        docs: String::new(),
        source: String::new(),
        reads: Vec::new(),
        item: None,
        join: false,
        inputs: Vec::new(),
        merge: Vec::new(),
        writes: Vec::new(),
        edge,
        retry: None,
        timeout_ms: None,
        catch: None,
        resources: Resources {
            cpu_millis: None,
            memory_mib: None,
            gpus: None,
            disk_mib: None,
        },
        portable_floats: false,
    }
}
