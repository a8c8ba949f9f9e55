//! Links `wasi:filesystem`: each function calls the one of [`Files`] that does it.

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};

use super::abi::{
    DescriptorFlags, DirectoryEntry, ErrorCode, How, NewTimestamp, OpenFlags, PathFlags,
};
use super::given::Trouble;
use super::{Descriptor, Files, Result};
use crate::sandbox::world::Guest;
use crate::sandbox::world::agent::Agent;
use crate::sandbox::world::stdio::{
    InputStream, OutputStream, StreamFault, fault_code, incoming, outgoing,
};

/// Stands for the listing of a directory.
pub struct DirectoryEntryStream;

type Store<'a> = StoreContextMut<'a, Guest>;
type This = Resource<Descriptor>;
type Instance<'a> = LinkerInstance<'a, Guest>;
type Answer<T> = std::result::Result<T, ErrorCode>;

/// What the guest is told, or the end of its task.
fn answer<T>(result: Result<T>) -> wasmtime::Result<(Answer<T>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(Trouble::Code(code)) => Ok((Err(code),)),
        Err(Trouble::Stop(stop)) => Err(stop.into()),
    }
}

/// Links `name`, which `does` it with the arguments that follow.
fn method<Params, Return>(
    types: &mut Instance<'_>,
    name: &str,
    does: impl Fn(&mut Files, &mut dyn Agent, Params) -> Result<Return> + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    Params: ComponentNamedList + Lift + 'static,
    Return: ComponentType + Lower + 'static,
{
    types.func_wrap(
        &format!("[method]{name}"),
        move |mut store: Store, arguments: Params| {
            let guest = store.data_mut();
            answer(does(&mut guest.files, guest.agent.as_mut(), arguments))
        },
    )
}

/// Links the interfaces of files.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.0")?;
    types.resource(
        "descriptor",
        ResourceType::host::<Descriptor>(),
        |mut store, number| {
            store.data_mut().files.close(number);
            Ok(())
        },
    )?;
    let listing = ResourceType::host::<DirectoryEntryStream>();
    types.resource("directory-entry-stream", listing, |mut store, number| {
        store.data_mut().files.listings.remove(number);
        Ok(())
    })?;
    types.func_wrap(
        "filesystem-error-code",
        |_: Store, (fault,): (Resource<StreamFault>,)| Ok((fault_code(&fault),)),
    )?;
    link_facts(&mut types)?;
    link_bytes(&mut types)?;
    link_streams(&mut types)?;
    link_places(&mut types)?;
    link_changes(&mut types)?;
    link_two(&mut types)?;
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.0")?;
    preopens.func_wrap("get-directories", |mut store: Store, (): ()| {
        let all = store.data_mut().files.preopened().into_iter();
        let open = |(number, path)| (This::new_own(number), path);
        Ok((all.map(open).collect::<Vec<_>>(),))
    })
}

/// What is known of an open file.
fn link_facts(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    method(
        types,
        "descriptor.get-flags",
        |files, _, (this,): (This,)| files.access(this.rep()),
    )?;
    method(
        types,
        "descriptor.get-type",
        |files, agent, (this,): (This,)| Ok(files.stat(agent, this.rep())?.kind()),
    )?;
    method(
        types,
        "descriptor.stat",
        |files, agent, (this,): (This,)| files.stat(agent, this.rep()),
    )?;
    method(
        types,
        "descriptor.metadata-hash",
        |files, _, (this,): (This,)| files.identity(this.rep()),
    )?;
    method(
        types,
        "descriptor.advise",
        |_, _, (_, _, _, _): (This, u64, u64, Advice)| Ok(()),
    )?;
    method(types, "descriptor.sync-data", |_, _, (_,): (This,)| Ok(()))?;
    method(types, "descriptor.sync", |_, _, (_,): (This,)| Ok(()))?;
    type Times = (This, NewTimestamp, NewTimestamp);
    method(types, "descriptor.set-times", |_, _, (_, _, _): Times| {
        Ok(())
    })?;
    types.func_wrap(
        "[method]descriptor.is-same-object",
        |mut store: Store, (this, other): (This, This)| {
            Ok((store.data_mut().files.are_same(this.rep(), other.rep())?,))
        },
    )
}

fn link_bytes(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    type Reading = (This, u64, u64);
    method(
        types,
        "descriptor.read",
        |files, agent, (this, len, offset): Reading| files.read(agent, this.rep(), offset, len),
    )?;
    type Writing = (This, Vec<u8>, u64);
    method(
        types,
        "descriptor.write",
        |files, _, (this, bytes, offset): Writing| files.write(this.rep(), offset, &bytes),
    )?;
    method(
        types,
        "descriptor.set-size",
        |files, _, (this, size): (This, u64)| files.set_size(this.rep(), size),
    )
}

fn link_streams(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    method(
        types,
        "descriptor.read-via-stream",
        |files, _, (this, offset): (This, u64)| {
            let stream = files.stream_from(this.rep(), offset)?;
            Ok(Resource::<InputStream>::new_own(incoming(stream)))
        },
    )?;
    method(
        types,
        "descriptor.write-via-stream",
        |files, _, (this, offset): (This, u64)| {
            let stream = files.stream_to(this.rep(), Some(offset))?;
            Ok(Resource::<OutputStream>::new_own(outgoing(stream)))
        },
    )?;
    method(
        types,
        "descriptor.append-via-stream",
        |files, _, (this,): (This,)| {
            let stream = files.stream_to(this.rep(), None)?;
            Ok(Resource::<OutputStream>::new_own(outgoing(stream)))
        },
    )?;
    method(
        types,
        "descriptor.read-directory",
        |files, agent, (this,): (This,)| {
            let listing = files.list(agent, this.rep())?;
            Ok(Resource::<DirectoryEntryStream>::new_own(listing))
        },
    )?;
    types.func_wrap(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: Store, (this,): (Resource<DirectoryEntryStream>,)| {
            let next = store.data_mut().files.next_name(this.rep())?;
            Ok((Ok::<Option<DirectoryEntry>, ErrorCode>(next),))
        },
    )
}

/// What is found by a path.
fn link_places(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    type At = (This, PathFlags, String);
    method(
        types,
        "descriptor.stat-at",
        |files, agent, (this, _, path): At| files.stat_at(agent, this.rep(), &path),
    )?;
    method(
        types,
        "descriptor.metadata-hash-at",
        |files, agent, (this, _, path): At| files.identity_at(agent, this.rep(), &path),
    )?;
    type Open = (This, PathFlags, String, OpenFlags, DescriptorFlags);
    method(
        types,
        "descriptor.open-at",
        |files, agent, (this, _, path, open, access): Open| {
            let number = files.open(agent, this.rep(), &path, How { open, access })?;
            Ok(This::new_own(number))
        },
    )?;
    type Times = (This, PathFlags, String, NewTimestamp, NewTimestamp);
    method(
        types,
        "descriptor.set-times-at",
        |files, agent, (this, _, path, _, _): Times| {
            files.stat_at(agent, this.rep(), &path).map(|_| ())
        },
    )?;
    method(
        types,
        "descriptor.readlink-at",
        |files, agent, (this, path): (This, String)| {
            files.stat_at(agent, this.rep(), &path)?;
            Err::<String, _>(Trouble::Code(ErrorCode::Invalid))
        },
    )
}

fn link_changes(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    type At = (This, String);
    method(
        types,
        "descriptor.create-directory-at",
        |files, _, (this, path): At| files.make_directory(this.rep(), &path),
    )?;
    method(
        types,
        "descriptor.remove-directory-at",
        |files, _, (this, path): At| files.remove_directory(this.rep(), &path),
    )?;
    method(
        types,
        "descriptor.unlink-file-at",
        |files, _, (this, path): At| files.remove_file(this.rep(), &path),
    )?;
    method(
        types,
        "descriptor.symlink-at",
        |_, _, (_, _, _): (This, String, String)| {
            Err::<(), _>(Trouble::Code(ErrorCode::Unsupported))
        },
    )
}

/// What has two paths.
fn link_two(types: &mut Instance<'_>) -> wasmtime::Result<()> {
    type Rename = (This, String, This, String);
    method(
        types,
        "descriptor.rename-at",
        |files, _, (this, old, to, new): Rename| files.rename((this.rep(), &old), (to.rep(), &new)),
    )?;
    type Link = (This, PathFlags, String, This, String);
    method(
        types,
        "descriptor.link-at",
        |files, _, (this, _, old, to, new): Link| files.link((this.rep(), &old), (to.rep(), &new)),
    )
}

/// How a guest means to read. Nobody acts upon it.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "part of the type; nobody acts upon it")]
enum Advice {
    #[component(name = "normal")]
    Normal,
    #[component(name = "sequential")]
    Sequential,
    #[component(name = "random")]
    Random,
    #[component(name = "will-need")]
    WillNeed,
    #[component(name = "dont-need")]
    DontNeed,
    #[component(name = "no-reuse")]
    NoReuse,
}
