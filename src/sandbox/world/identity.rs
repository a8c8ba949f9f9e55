//! Who the task is: `wrun:flow/task`.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::Guest;
use crate::sandbox::bindings::wrun::flow::task::Context;

/// Links `current`.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut task = linker.instance("wrun:flow/task@0.1.0")?;
    task.func_wrap(
        "current",
        |mut store: StoreContextMut<'_, Guest>, (): ()| {
            let guest = store.data_mut();
            let seed = guest.chance.seed();
            let task = guest.task("task.current")?;
            task.tell_itself();
            let request = task.request();
            let context = &request.context;
            Ok((Context {
                flow: context.flow.to_string(),
                run: context.run,
                step: request.step.to_string(),
                task: context.place.clone(),
                indices: context.indices.clone(),
                turns: context.turns.clone(),
                attempt: context.attempt,
                seed,
            },))
        },
    )
}
