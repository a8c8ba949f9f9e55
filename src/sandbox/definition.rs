//! Turns what a module answers into plain data.

use serde_bytes::ByteBuf;

use super::bindings::wrun::flow::types as wit;
use crate::model::definition::{
    Case, Definition, Edge, ParamKind, Parameter, Read, Resources, Retry, Step, Write,
};

impl From<wit::Definition> for Definition {
    fn from(from: wit::Definition) -> Self {
        Self {
            name: from.name,
            docs: from.docs,
            sdk: from.sdk,
            parameters: from.parameters.into_iter().map(Into::into).collect(),
            steps: from.steps.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<wit::Parameter> for Parameter {
    fn from(from: wit::Parameter) -> Self {
        Self {
            name: from.name,
            docs: from.docs,
            kind: match from.kind {
                wit::ParamKind::Boolean => ParamKind::Boolean,
                wit::ParamKind::Signed => ParamKind::Signed,
                wit::ParamKind::Unsigned => ParamKind::Unsigned,
                wit::ParamKind::Float => ParamKind::Float,
                wit::ParamKind::Text => ParamKind::Text,
                wit::ParamKind::Json => ParamKind::Json,
                wit::ParamKind::Blob => ParamKind::Blob,
                wit::ParamKind::TextFile => ParamKind::TextFile,
            },
            bits: from.bits,
            many: from.many,
            ty: from.ty,
            default: from.default.map(ByteBuf::from),
            choices: from.choices,
        }
    }
}

impl From<wit::Step> for Step {
    fn from(from: wit::Step) -> Self {
        Self {
            name: from.name,
            docs: from.docs,
            source: from.source,
            reads: from.reads.into_iter().map(Into::into).collect(),
            item: from.item,
            join: from.join,
            inputs: from.inputs.into_iter().map(Into::into).collect(),
            merge: from.merge,
            writes: from
                .writes
                .into_iter()
                .map(|w| Write {
                    name: w.name,
                    ty: w.ty,
                })
                .collect(),
            edge: from.edge.into(),
            retry: from.retry.map(|r| Retry {
                times: r.times,
                backoff_ms: r.backoff_ms,
            }),
            timeout_ms: from.timeout_ms,
            catch: from.catch,
            resources: Resources {
                cpu_millis: from.resources.cpu_millis,
                memory_mib: from.resources.memory_mib,
                gpus: from.resources.gpus,
                disk_mib: from.resources.disk_mib,
            },
            portable_floats: from.portable_floats,
        }
    }
}

impl From<wit::Read> for Read {
    fn from(from: wit::Read) -> Self {
        Self {
            name: from.name,
            ty: from.ty,
            optional: from.optional,
        }
    }
}

impl From<wit::Edge> for Edge {
    fn from(from: wit::Edge) -> Self {
        match from {
            wit::Edge::End => Edge::End,
            wit::Edge::Next(step) => Edge::Next(step),
            wit::Edge::Split(steps) => Edge::Split(steps),
            wit::Edge::Foreach(out) => Edge::Foreach {
                artifact: out.artifact,
                next: out.next,
            },
            wit::Edge::Switch(decision) => Edge::Switch {
                artifact: decision.artifact,
                cases: decision
                    .cases
                    .into_iter()
                    .map(|case| Case {
                        name: case.name,
                        next: case.next,
                    })
                    .collect(),
                max_turns: decision.max_turns,
            },
        }
    }
}
