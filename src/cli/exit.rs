//! Exit codes. Scripts may rely on them: a code never changes its meaning.

/// All went well.
pub const OK: u8 = 0;
/// The run ended badly: a task failed for good.
pub const RUN_FAILED: u8 = 1;
/// The command line is wrong: an unknown flag, a parameter of the wrong type, a missing value.
pub const USAGE: u8 = 2;
/// The flow could not be built.
pub const BUILD_FAILED: u8 = 3;
/// What was asked for does not exist.
pub const NOT_FOUND: u8 = 4;
/// Something at rest is damaged, or newer than this version of wrun.
pub const DAMAGED: u8 = 5;
/// The datastore, a file or a tool that is needed cannot be used.
pub const UNAVAILABLE: u8 = 6;
/// The module is not a flow, or the flow has errors.
pub const INVALID_FLOW: u8 = 7;
/// wrun itself is at fault.
pub const INTERNAL: u8 = 8;
/// What was executed again, or compared, is not the same; or it has no end, and nobody drives it.
pub const DIFFERENT: u8 = 9;
/// The run was cancelled.
pub const CANCELLED: u8 = 130;

/// Every code with its name and its meaning, in order.
pub const ALL: &[(u8, &str, &str)] = &[
    (OK, "ok", "all went well"),
    (
        RUN_FAILED,
        "run_failed",
        "the run ended badly: a task failed for good",
    ),
    (
        USAGE,
        "usage",
        "the command line is wrong: an unknown flag, a value of the wrong type, a missing one",
    ),
    (BUILD_FAILED, "build_failed", "the flow could not be built"),
    (NOT_FOUND, "not_found", "what was asked for does not exist"),
    (
        DAMAGED,
        "damaged",
        "something at rest is damaged, or newer than this version of wrun",
    ),
    (
        UNAVAILABLE,
        "unavailable",
        "the datastore, a file or a tool that is needed cannot be used",
    ),
    (
        INVALID_FLOW,
        "invalid_flow",
        "the module is not a flow, or the flow has errors",
    ),
    (INTERNAL, "internal", "wrun itself is at fault"),
    (
        DIFFERENT,
        "different",
        "what was executed again, or compared, is not the same, or has no end",
    ),
    (CANCELLED, "cancelled", "the run was cancelled"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_every_name_is_there_once() {
        for pair in ALL.windows(2) {
            assert!(pair[0].0 < pair[1].0);
        }
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|&(_, name, _)| name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
