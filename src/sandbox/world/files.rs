//! Files: `wasi:filesystem`, without a single one.
//!
//! No directory is preopened, and a descriptor only ever comes from one. So every function that
//! needs a descriptor is there for the linker alone and can never be called: `open("x")` in a
//! guest ends in its own standard library with an ordinary error.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType, Val};

use super::Guest;
use super::stop::Stop;
use crate::model::failure::FailureKind;

/// Stands for a descriptor. There is none.
pub struct Descriptor;

/// Stands for the listing of a directory. There is none.
pub struct DirectoryEntryStream;

const UNREACHABLE: &[&str] = &[
    "[method]descriptor.read-via-stream",
    "[method]descriptor.write-via-stream",
    "[method]descriptor.append-via-stream",
    "[method]descriptor.advise",
    "[method]descriptor.sync-data",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.set-size",
    "[method]descriptor.set-times",
    "[method]descriptor.read",
    "[method]descriptor.write",
    "[method]descriptor.read-directory",
    "[method]descriptor.sync",
    "[method]descriptor.create-directory-at",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.set-times-at",
    "[method]descriptor.link-at",
    "[method]descriptor.open-at",
    "[method]descriptor.readlink-at",
    "[method]descriptor.remove-directory-at",
    "[method]descriptor.rename-at",
    "[method]descriptor.symlink-at",
    "[method]descriptor.unlink-file-at",
    "[method]descriptor.is-same-object",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
];

/// Links the interfaces of files.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.0")?;
    types.resource("descriptor", ResourceType::host::<Descriptor>(), |_, _| {
        Ok(())
    })?;
    let listing = ResourceType::host::<DirectoryEntryStream>();
    types.resource("directory-entry-stream", listing, |_, _| Ok(()))?;
    for name in UNREACHABLE {
        types.func_new(name, |_, _, _, _| {
            Err(Stop::new(
                FailureKind::Denied,
                "the step used a file, and was granted none",
            )
            .into())
        })?;
    }
    // No error of a stream here comes from a file.
    types.func_new("filesystem-error-code", |_, _, _, results| {
        results[0] = Val::Option(None);
        Ok(())
    })?;
    let mut preopens = linker.instance("wasi:filesystem/preopens@0.2.0")?;
    preopens.func_wrap(
        "get-directories",
        |_: StoreContextMut<'_, Guest>, (): ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)),
    )?;
    Ok(())
}
