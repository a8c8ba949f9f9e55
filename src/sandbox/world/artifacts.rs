//! The values that a task reads and writes: `wrun:flow/artifacts`, as a guest calls it.
//!
//! Here the calls are taken apart; [`Task`] knows what they mean.

mod reading;
mod task;
mod writing;

pub use self::task::Task;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList, WasmStr};

use super::Guest;
use super::agent::Agent;
use super::stop::Stop;
use crate::model::artifact::MediaType;

/// Stands for a value that is read in pieces.
pub struct Reader;

/// Stands for a value that is written in pieces.
pub struct Writer;

/// The longest media type, in bytes.
const MAX_MEDIA: usize = 255;

type Store<'a> = StoreContextMut<'a, Guest>;

/// Links reading and writing.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut artifacts = linker.instance("wrun:flow/artifacts@0.1.0")?;
    artifacts.resource(
        "reader",
        ResourceType::host::<Reader>(),
        |mut store, number| {
            store
                .data_mut()
                .task("artifacts.reader")?
                .close_reader(number);
            Ok(())
        },
    )?;
    artifacts.resource(
        "writer",
        ResourceType::host::<Writer>(),
        |mut store, number| {
            store
                .data_mut()
                .task("artifacts.writer")?
                .close_writer(number);
            Ok(())
        },
    )?;
    link_reader(&mut artifacts)?;
    link_writer(&mut artifacts)?;
    link_reads(&mut artifacts)?;
    link_inputs(&mut artifacts)?;
    link_writes(&mut artifacts)
}

/// A name as the guest gives it. Longer ones than names can be are cut, and so are no name.
fn name(store: &Store, text: &WasmStr) -> wasmtime::Result<String> {
    let text = text.to_str(store)?;
    Ok(super::feedback::cut(&text, crate::model::name::MAX_NAME + 1).to_owned())
}

fn media(store: &Store, text: &WasmStr) -> wasmtime::Result<MediaType> {
    let text = text.to_str(store)?;
    if text.len() > MAX_MEDIA || text.is_empty() || text.chars().any(char::is_control) {
        let shown = super::feedback::cut(&text, 40).escape_debug();
        return Err(Stop::contract(format!("`{shown}` is not a media type"))
            .hint("a media type looks like `text/html`, and `application/cbor` is that of values")
            .into());
    }
    Ok(MediaType::new(&text))
}

/// The task and the agent side by side, for the function `asked`.
fn both<'a>(store: &'a mut Store, asked: &str) -> Result<(&'a mut Task, &'a mut dyn Agent), Stop> {
    let guest = store.data_mut();
    guest.task(asked)?;
    let task = guest
        .task
        .as_mut()
        .expect("the line above would have returned");
    Ok((task, guest.agent.as_mut()))
}

fn link_reader(artifacts: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type This = Resource<Reader>;
    artifacts.func_wrap(
        "[method]reader.len",
        |mut store: Store, (this,): (This,)| {
            Ok((both(&mut store, "reader.len")?.0.reader(this.rep())?.size,))
        },
    )?;
    artifacts.func_wrap(
        "[method]reader.media-type",
        |mut store: Store, (this,): (This,)| {
            let (task, _) = both(&mut store, "reader.media-type")?;
            Ok((task.reader(this.rep())?.media.to_string(),))
        },
    )?;
    artifacts.func_wrap(
        "[method]reader.read-at",
        |mut store: Store, (this, offset, len): (This, u64, u32)| {
            let (task, agent) = both(&mut store, "reader.read-at")?;
            Ok((task.reader(this.rep())?.read_at(agent, offset, len)?,))
        },
    )
}

fn link_writer(artifacts: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    type This = Resource<Writer>;
    artifacts.func_wrap(
        "[constructor]writer",
        |mut store: Store, (kind,): (WasmStr,)| {
            let kind = media(&store, &kind)?;
            let (task, _) = both(&mut store, "artifacts.writer")?;
            Ok((Resource::<Writer>::new_own(task.open_writer(kind)),))
        },
    )?;
    artifacts.func_wrap(
        "[method]writer.write",
        |mut store: Store, (this, bytes): (This, WasmList<u8>)| {
            with_bytes(&mut store, &bytes, "writer.write", |task, agent, bytes| {
                task.write(agent, this.rep(), bytes)
            })
        },
    )
}

/// Calls `then` with bytes that stay in the guest's memory.
///
/// Task and agent leave the store meanwhile, because the bytes borrow it.
fn with_bytes(
    store: &mut Store,
    bytes: &WasmList<u8>,
    asked: &str,
    then: impl FnOnce(&mut Task, &mut dyn Agent, &[u8]) -> Result<(), Stop>,
) -> wasmtime::Result<()> {
    let guest = store.data_mut();
    guest.task(asked)?;
    let mut task = guest
        .task
        .take()
        .expect("the line above would have returned");
    let mut agent = std::mem::replace(&mut guest.agent, Box::new(super::agent::Nobody));
    let done = then(&mut task, agent.as_mut(), bytes.as_le_slice(&*store));
    let guest = store.data_mut();
    guest.agent = agent;
    guest.task = Some(task);
    Ok(done?)
}

fn link_reads(artifacts: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    artifacts.func_wrap("get", |mut store: Store, (which,): (WasmStr,)| {
        let which = name(&store, &which)?;
        let (task, agent) = both(&mut store, "artifacts.get")?;
        Ok((task.get(agent, &which)?,))
    })?;
    artifacts.func_wrap("open", |mut store: Store, (which,): (WasmStr,)| {
        let which = name(&store, &which)?;
        let (task, _) = both(&mut store, "artifacts.open")?;
        Ok((task.open(&which)?.map(Resource::<Reader>::new_own),))
    })?;
    artifacts.func_wrap("item", |mut store: Store, (): ()| {
        Ok((both(&mut store, "artifacts.item")?.0.item()?,))
    })
}

fn link_inputs(artifacts: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    artifacts.func_wrap("input-count", |mut store: Store, (): ()| {
        Ok((both(&mut store, "artifacts.input-count")?
            .0
            .branch_count()?,))
    })?;
    artifacts.func_wrap("input-task", |mut store: Store, (index,): (u32,)| {
        let (task, agent) = both(&mut store, "artifacts.input-task")?;
        Ok((task.branch_task(agent, index)?,))
    })?;
    artifacts.func_wrap(
        "input-get",
        |mut store: Store, (index, which): (u32, WasmStr)| {
            let which = name(&store, &which)?;
            let (task, agent) = both(&mut store, "artifacts.input-get")?;
            Ok((task.branch_get(agent, index, &which)?,))
        },
    )?;
    artifacts.func_wrap(
        "input-open",
        |mut store: Store, (index, which): (u32, WasmStr)| {
            let which = name(&store, &which)?;
            let (task, agent) = both(&mut store, "artifacts.input-open")?;
            Ok((task
                .branch_open(agent, index, &which)?
                .map(Resource::<Reader>::new_own),))
        },
    )
}

fn link_writes(artifacts: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    artifacts.func_wrap(
        "put",
        |mut store: Store, (which, kind, value): (WasmStr, WasmStr, WasmList<u8>)| {
            let (which, kind) = (name(&store, &which)?, media(&store, &kind)?);
            with_bytes(&mut store, &value, "artifacts.put", |task, agent, bytes| {
                task.put(agent, &which, kind, bytes)
            })
        },
    )?;
    artifacts.func_wrap(
        "save",
        |mut store: Store, (which, writer): (WasmStr, Resource<Writer>)| {
            let which = name(&store, &which)?;
            let (task, agent) = both(&mut store, "artifacts.save")?;
            task.save(agent, &which, writer.rep())?;
            Ok(())
        },
    )?;
    artifacts.func_wrap(
        "pass",
        |mut store: Store, (which, reader): (WasmStr, Resource<Reader>)| {
            let which = name(&store, &which)?;
            both(&mut store, "artifacts.pass")?
                .0
                .pass(&which, reader.rep())?;
            Ok(())
        },
    )
}
