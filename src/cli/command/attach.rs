//! `wrun attach`.

use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::drive::Stage;
use crate::cli::error::CliError;
use crate::cli::flow;
use crate::cli::grants::{self, Allow};
use crate::cli::select;
use crate::config::Flags;
use crate::model::pathspec::RunSelector;
use crate::runtime::attach;

/// Take over a run whose driver is gone
///
/// What is in its journal stays as it is; the rest is executed, in the same run and with its own
/// code. Nothing but the datastore is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct AttachArgs {
    /// Which run
    #[arg(value_name = "RUN", default_value = "latest", add = complete::runs())]
    run: RunSelector,
    /// How many tasks run side by side; as many as there are cores when left out
    #[arg(long, short = 'j', value_name = "N")]
    max_workers: Option<usize>,
    #[command(flatten)]
    allow: Allow,
}

/// Takes the run over and drives it to its end.
pub(crate) fn run(cx: &Context, args: &AttachArgs) -> Result<u8, CliError> {
    let settings = cx.settings_with(Flags::default().with("max-workers", args.max_workers))?;
    let store = cx.store_of(&settings)?;
    let run = store.run(&select::run(&store, &args.run)?)?;
    let allowed = cx.runtime()?.block_on(args.allow.with(&settings, cx))?;
    grants::consent(run.id(), &run.header().grants, &allowed)?;
    let modules = flow::modules(&settings)?;
    let (datastore, runtime) = store.parts();
    runtime.block_on(async {
        let stage = Stage::new(&settings, cx)?;
        let datastore = datastore.clone().with_level(settings.compression_level);
        let (workers, machine) = (settings.max_workers, &stage.machine);
        let started = attach::attach(&datastore, &modules, run, workers, machine).await?;
        stage.drive(cx, started).await
    })
}
