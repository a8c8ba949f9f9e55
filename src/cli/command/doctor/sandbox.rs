//! What the doctor looks at of sandboxes: the walls of cells, and where secrets come from.

use super::Check;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::flow;
use crate::config::Settings;
use crate::model::confinement::Confinement;
use crate::model::grant::Grant;
use crate::sandbox::Cell;
use crate::sandbox::cell::confine::Wall;
use crate::task::secret::Surroundings;

/// What keeps cells from what they do not need: a cell is started and asked.
pub(super) fn cells(cx: &Context, settings: &Settings) -> Result<Vec<Check>, CliError> {
    let what = "cell";
    let sure = settings.confinement == Confinement::Require;
    // All that there is, also where not all is there: each thing is said.
    let wanted = match settings.confinement {
        Confinement::Require => Confinement::Best,
        other => other,
    };
    let launcher = flow::launcher(settings)?.confined(wanted);
    let started = cx.runtime()?.block_on(Cell::spawn(&launcher));
    let cell = match started {
        Ok(cell) => cell,
        Err(error) => {
            let error = CliError::from_error(Kind::Unavailable, &error);
            let advice =
                "`wrun cell` must be able to start: look at limits of processes and memory";
            return Ok(vec![Check::broken(what, error.in_short(), advice)]);
        }
    };
    if wanted == Confinement::Off {
        let advice = "take `sandbox.confinement` away, or set it to `best`";
        return Ok(vec![Check::odd(what, "not confined by the system", advice)]);
    }
    let check = |wall: &Wall| match &wall.state {
        Ok(how) => Check::good(what, format!("{}: {how}", wall.name)),
        Err(why) => {
            let found = format!("{}: not confined: {why}", wall.name);
            match sure {
                true => Check::broken(
                    what,
                    found,
                    "use a machine that has it, or set `sandbox.confinement` to `best`",
                ),
                false => Check::odd(
                    what,
                    found,
                    "the other walls hold; a newer kernel, or a container that allows it, gives this one",
                ),
            }
        }
    };
    Ok(cell.walls().iter().map(check).collect())
}

/// Whether the secrets that the settings grant have values. No value is shown.
pub(super) fn secrets(cx: &Context, settings: &Settings) -> Result<Vec<Check>, CliError> {
    let variable = |name: &str| std::env::var(name).ok();
    let around = Surroundings::new(&variable, cx.now()).holding(&cx.at_hand);
    let steps = settings.grants.steps.values().flatten();
    let grants = settings.grants.all.iter().chain(steps);
    let look = async |grant: &Grant| {
        let Grant::Secret { name, source, .. } = grant else {
            return None;
        };
        let what = "secret";
        Some(match around.secret(name, source.as_ref()).await {
            Ok(_) => Check::good(what, format!("`{grant}` has a value")),
            Err(why) => {
                let cause = std::error::Error::source(&why);
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                Check::broken(what, format!("`{grant}`: {why}{cause}"), why.hint())
            }
        })
    };
    cx.runtime()?.block_on(async {
        let mut checks = Vec::new();
        for grant in grants {
            checks.extend(look(grant).await);
        }
        Ok(checks)
    })
}
