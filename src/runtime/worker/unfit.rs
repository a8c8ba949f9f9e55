//! Workers that are not the wrun of their driver.

use crate::model::failure::{Failure, FailureKind};
use crate::runtime::past::PastError;
use crate::sandbox::ModuleError;
use crate::task::trouble::{infrastructure, misconfigured};

/// What this wrun is.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What to do about a worker that is not of the wrun of its driver.
const ANOTHER_IMAGE: &str = "`wrun batch image`, where the run is driven, makes an image of the wrun there; `batch.image` names it, and `wrun resume` goes on";

/// Why a worker makes no attempt of a run that another engine began.
pub(super) fn other_engine(driver: &str) -> Failure {
    let message = format!(
        "the worker is wrun {VERSION} with another engine than that of the driver, wrun {driver}: results would not be comparable"
    );
    Failure::new(FailureKind::Misconfigured, message).with_hint(ANOTHER_IMAGE)
}

/// Why a worker does not make use of the code of its run.
pub(super) fn unusable(error: &PastError, driver: &str) -> Failure {
    let what = format!(
        "the worker, wrun {VERSION}, cannot use the code of the run, which is of wrun {driver}"
    );
    // The driver has used it: what this worker says of it, it will always say.
    let is_of_another = matches!(
        error,
        PastError::Module {
            source: ModuleError::Contract { .. }
                | ModuleError::Import { .. }
                | ModuleError::WrongWorld { .. },
            ..
        }
    );
    match is_of_another {
        true => misconfigured(&what, error).with_hint(ANOTHER_IMAGE),
        false => infrastructure(&what, error),
    }
}
