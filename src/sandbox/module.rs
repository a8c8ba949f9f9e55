//! Compiled modules, kept on this machine.
//!
//! Compiled code is native code: whoever can write it can run it. So it lies in a directory of this
//! user alone, never in a datastore, and each file has a seal: a BLAKE3 code under a random key
//! that only this user can read. What is damaged, foreign or made by another engine is compiled
//! again. Compilation happens in a cell, with bounds on size and time.
//!
//! Any number of processes may use a directory at once: files are written beside their place and
//! renamed, and never written to again.

mod shelf;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};

use self::shelf::Shelf;
use super::call::{Backend, Profile};
use super::cell::agent::{Cell, CellError, Launcher};
use super::contract;
use super::engine::{compatibility, engine_id};
use super::execute::Refusal;
use crate::model::definition::Definition;
use crate::model::digest::Digest;
use crate::model::failure::Failure;
use crate::model::header::Limits;

/// The largest module, in bytes.
pub const MAX_MODULE: u64 = 128 << 20;
/// The longest time that compiling a module may take.
pub const COMPILE: Duration = Duration::from_secs(300);
/// The longest time that a module may take to describe itself.
const DESCRIBE: Duration = Duration::from_secs(5);

/// Why a module cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The bytes are something else.
    #[error("the module is not WebAssembly: it looks like {looks_like}")]
    NotWasm {
        /// What they look like.
        looks_like: &'static str,
    },
    /// A core module: WebAssembly before the component model.
    #[error("the module is a core module, not a component")]
    CoreModule,
    /// A component of another world.
    #[error("the module is no flow: {message}")]
    WrongWorld {
        /// What is missing or different.
        message: String,
    },
    /// It was built for another version of the contract between module and host.
    #[error("the module was built for version {theirs} of `wrun:flow`, and this wrun has {ours}", ours = contract::VERSION)]
    Contract {
        /// That version.
        theirs: String,
    },
    /// It imports what no step is given.
    #[error("the module imports `{name}`, which is not given to steps: {reason}")]
    Import {
        /// The interface.
        name: String,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// More than [`MAX_MODULE`].
    #[error("the module has {size} bytes; at most {MAX_MODULE} are compiled")]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// It is not valid, or uses what is switched off.
    #[error("the module does not compile: {message}")]
    CompileFailed {
        /// What wasmtime says.
        message: String,
    },
    /// It took longer than [`COMPILE`].
    #[error("compiling the module took longer than {} s", COMPILE.as_secs())]
    CompileTimeout,
    /// Its `describe` failed, or took too long or too much.
    #[error("the module does not describe itself: {}", failure.message)]
    DescribeFailed {
        /// Why.
        failure: Box<Failure>,
    },
    /// This machine cannot run what is compiled here.
    #[error("this machine cannot run modules: {message}")]
    Machine {
        /// Why.
        message: String,
    },
    /// The directory of compiled code could not be used.
    #[error("could not use the directory of compiled code `{path}`")]
    Cache {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The module's bytes could not be read.
    #[error("could not read the module `{}`", module.short())]
    Read {
        /// Which.
        module: Digest,
        /// Why.
        source: io::Error,
    },
    /// The module's bytes are not those of its digest.
    #[error("the module `{}` is damaged: its bytes hash to `{}`", expected.short(), actual.short())]
    Damaged {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// The cell that compiles and describes failed.
    #[error("could not use a cell")]
    Cell(#[source] CellError),
}

/// A module in the form in which cells load it.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct CompiledModule(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    module: Digest,
    profile: Profile,
    engine: Digest,
    key: String,
    file: File,
    size: u64,
    imports: Vec<String>,
}

impl CompiledModule {
    /// The module's digest.
    pub fn module(&self) -> &Digest {
        &self.0.module
    }

    /// How it was compiled.
    pub fn profile(&self) -> Profile {
        self.0.profile
    }

    /// The engine that executes it.
    pub fn engine(&self) -> &Digest {
        &self.0.engine
    }

    /// What names the compiled code on this machine.
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// The size of the compiled code in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// The interfaces that it imports, without their versions, sorted.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    pub(super) fn file(&self) -> &File {
        &self.0.file
    }
}

/// What is on the shelf: compiled code, how long it is, and what the module imports.
type Found = ((File, u64), Vec<String>);

/// The compiled modules of this machine.
pub struct Modules {
    shelf: Shelf,
    launcher: Launcher,
    backend: Backend,
    /// Whether this machine can start a cell, where that is to be known before code is used.
    tried: Option<OnceCell<()>>,
    /// One compilation at a time: each uses all processors.
    compiling: Mutex<()>,
}

impl Modules {
    /// Keeps compiled modules in `directory`, which is made when first needed.
    pub fn new(directory: PathBuf, launcher: Launcher) -> Self {
        Self {
            shelf: Shelf::new(directory),
            launcher,
            backend: Backend::Native,
            tried: None,
            compiling: Mutex::new(()),
        }
    }

    /// The same modules, to be executed by `backend`.
    pub fn executed_by(self, backend: Backend) -> Self {
        Self { backend, ..self }
    }

    /// The same modules, of which none is given before a cell could be started.
    ///
    /// For operators who want no cell without all walls: what was compiled before is at hand without
    /// a cell, and whether the machine has the walls would be found by the first task.
    pub fn trying_a_cell(self) -> Self {
        Self {
            tried: Some(OnceCell::new()),
            ..self
        }
    }

    /// By what they are to be executed.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The compiled form of `module`: from the cache, or made from `bytes`.
    ///
    /// `bytes` is called only when the module must be compiled; what it gives is checked against
    /// the digest.
    ///
    /// # Errors
    /// [`ModuleError`] says what is wrong with the module or with this machine.
    pub async fn prepare(
        &self,
        module: &Digest,
        profile: Profile,
        bytes: impl AsyncFnOnce() -> io::Result<Bytes>,
    ) -> Result<CompiledModule, ModuleError> {
        if let Some(tried) = &self.tried {
            tried.get_or_try_init(|| self.try_a_cell()).await?;
        }
        let engine = engine_id(profile);
        let key = key(module, &engine, profile)?;
        let found = |((file, size), imports): Found| {
            let key = key.clone();
            CompiledModule(Arc::new(Compiled {
                module: *module,
                profile,
                engine,
                key,
                file,
                size,
                imports,
            }))
        };
        if let Some(there) = self.find(&key)? {
            return Ok(found(there));
        }
        let _one_at_a_time = self.compiling.lock().await;
        if let Some(there) = self.find(&key)? {
            return Ok(found(there));
        }
        let wasm = bytes().await.map_err(|source| ModuleError::Read {
            module: *module,
            source,
        })?;
        let actual = Digest::of(&wasm);
        if actual != *module {
            return Err(ModuleError::Damaged {
                expected: *module,
                actual,
            });
        }
        check_kind(&wasm)?;
        let (code, imports) = self.compile(profile, &wasm).await?;
        self.shelf.store_imports(&key, &imports)?;
        Ok(found((self.shelf.store_code(&key, &code)?, imports)))
    }

    /// What the shelf has under `key`; none when it does not have all of it.
    fn find(&self, key: &str) -> Result<Option<Found>, ModuleError> {
        let Some(imports) = self.shelf.find_imports(key)? else {
            return Ok(None);
        };
        Ok(self.shelf.find_code(key)?.map(|code| (code, imports)))
    }

    async fn try_a_cell(&self) -> Result<(), ModuleError> {
        let started = Cell::spawn(&self.launcher).await;
        started.map(drop).map_err(refused)
    }

    async fn compile(
        &self,
        profile: Profile,
        wasm: &[u8],
    ) -> Result<(Bytes, Vec<String>), ModuleError> {
        let mut cell = Cell::spawn(&self.launcher)
            .await
            .map_err(ModuleError::Cell)?;
        cell.compile(profile, wasm, COMPILE)
            .await
            .map_err(|error| match error {
                CellError::Slow { .. } => ModuleError::CompileTimeout,
                other => refused(other),
            })
    }

    /// What a module says it is: from the cache, or by asking it, in a cell of its own.
    ///
    /// # Errors
    /// [`ModuleError::DescribeFailed`] when it does not say, as a rule.
    pub async fn describe(&self, module: &CompiledModule) -> Result<Definition, ModuleError> {
        if let Some(definition) = self.shelf.find_definition(module.key())? {
            return Ok(definition);
        }
        let mut cell = Cell::spawn(&self.launcher)
            .await
            .map_err(ModuleError::Cell)?;
        cell.load(module).await.map_err(refused)?;
        let limits = Limits {
            memory_mib: 256,
            timeout_ms: DESCRIBE.as_millis() as u64,
            log_kib: 64,
            ..Limits::default()
        };
        let definition = cell.describe(&limits).await.map_err(|error| match error {
            CellError::Slow { seconds, .. } => {
                let kind =
                    crate::model::failure::FailureKind::Limit(crate::model::failure::Limit::Time);
                let message = format!("`describe` took longer than {seconds} s");
                ModuleError::DescribeFailed {
                    failure: Box::new(Failure::new(kind, message)),
                }
            }
            other => refused(other),
        })?;
        self.shelf.store_definition(module.key(), &definition)?;
        Ok(definition)
    }
}

/// What names compiled code: the module, the engine, and what wasmtime itself says is compatible.
fn key(module: &Digest, engine: &Digest, profile: Profile) -> Result<String, ModuleError> {
    let compatible = compatibility(profile).map_err(|error| ModuleError::Machine {
        message: format!("{error:#}"),
    })?;
    let mut all = blake3::Hasher::new();
    for part in [module, engine, &compatible] {
        all.update(part.as_bytes());
    }
    Ok(all.finalize().to_hex().to_string())
}

fn refused(error: CellError) -> ModuleError {
    match error {
        CellError::Refused(refusal) => match refusal {
            Refusal::Invalid(message) => ModuleError::CompileFailed { message },
            Refusal::Import(name) => ModuleError::Import {
                reason: reason(&name),
                name,
            },
            Refusal::Contract(theirs) => ModuleError::Contract { theirs },
            Refusal::World(message) => ModuleError::WrongWorld { message },
            Refusal::Describe(failure) => ModuleError::DescribeFailed { failure },
            Refusal::Machine(message) => ModuleError::Machine { message },
        },
        other => ModuleError::Cell(other),
    }
}

fn reason(import: &str) -> &'static str {
    if import.starts_with("wasi:sockets") {
        "steps open no connections, and no grant lets them; ask over HTTP (`wrun_sdk::http`, or `wasi:http` in other languages) with a grant (`--allow http=https://HOST`), or give the data as a parameter, and remove what opens connections (`std::net`)"
    } else if import.starts_with("wasi:http") {
        "steps ask over HTTP and are not asked: of `wasi:http` there are `types` and `outgoing-handler`"
    } else if import.starts_with("wasi:") {
        "this part of WASI cannot be answered the same way twice; remove what uses it"
    } else if import.starts_with("wrun:flow") {
        "this version of the contract does not have it; build the module with the SDK of this wrun"
    } else {
        "only `wrun:flow` and the basic interfaces of WASI are; build it with `wrun build`, or remove what imports it"
    }
}

/// Tells what is not a component before anything is compiled.
fn check_kind(bytes: &[u8]) -> Result<(), ModuleError> {
    if bytes.len() as u64 > MAX_MODULE {
        return Err(ModuleError::TooLarge {
            size: bytes.len() as u64,
        });
    }
    match bytes {
        [0, b'a', b's', b'm', 0x01, 0, 0, 0, ..] => Err(ModuleError::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ => Err(ModuleError::NotWasm {
            looks_like: looks_like(bytes),
        }),
    }
}

fn looks_like(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [0x7f, b'E', b'L', b'F', ..] => "a native Linux program",
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] => "a native macOS program",
        [b'M', b'Z', ..] => "a native Windows program",
        [b'P', b'K', 3, 4, ..] => "a zip archive",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd archive",
        _ if bytes.trim_ascii_start().starts_with(b"(") => {
            "WebAssembly text, which must be assembled first"
        }
        _ if bytes.len() <= 1 << 20 && std::str::from_utf8(bytes).is_ok() => "text",
        _ => "data of another kind",
    }
}
