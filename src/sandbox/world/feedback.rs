//! What a task shows while it runs: `wrun:flow/feedback`.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::Guest;
use super::stop::Stop;
use crate::model::record::Stream;
use crate::sandbox::bindings::wrun::flow::feedback::Level;

/// The longest message of a progress report, in bytes; the rest is cut off.
const MAX_MESSAGE: usize = 1024;

/// The first `max` bytes of `text`, ended at a character.
pub fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Links progress and log.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type Store<'a> = StoreContextMut<'a, Guest>;
    let mut feedback = linker.instance("wrun:flow/feedback@0.1.0")?;
    feedback.func_wrap(
        "progress",
        |mut store: Store, (done, total, message): (u64, u64, WasmStr)| {
            let message = cut(&message.to_str(&store)?, MAX_MESSAGE).to_owned();
            let agent = &mut store.data_mut().agent;
            agent
                .progress(done, total, message)
                .map_err(Stop::agent_gone)?;
            Ok(())
        },
    )?;
    feedback.func_wrap(
        "log",
        |mut store: Store, (level, message): (Level, WasmStr)| {
            let level = match level {
                Level::Debug => "debug",
                Level::Info => "info",
                Level::Warn => "warn",
                Level::Error => "error",
            };
            let line = format!("{level} {}\n", message.to_str(&store)?);
            let guest = store.data_mut();
            guest
                .printed
                .print(guest.agent.as_mut(), Stream::Log, line.as_bytes())?;
            Ok(())
        },
    )?;
    Ok(())
}
