//! The engine: everything about code generation and execution that could change a result.
//!
//! [`Pinned::config`] is the one place where wasmtime is configured. Each setting stands there with
//! its reason, and enters the [`engine_id`] that is recorded with every task. Two engines of one
//! id give the same bits; whoever changes a line changes the id.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use rustix::mm::{MprotectFlags, mprotect};
use wasmtime::{
    Config, CustomCodeMemory, Enabled, Engine, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig, Strategy, WasmBacktraceDetails,
};

use super::call::{Backend, Profile};
use crate::model::digest::Digest;

/// The version of wasmtime. A test compares it with `Cargo.lock`.
pub const WASMTIME: &str = "48.0.8";

/// The target that is wasmtime's interpreter, for machines like this one.
const PULLEY: &str = if cfg!(target_pointer_width = "64") {
    "pulley64"
} else {
    "pulley32"
};

/// The deepest stack that a step may ask for, in KiB.
pub const MAX_STACK_KIB: u32 = 64 * 1024;
/// The most frames of a backtrace.
pub const MAX_BACKTRACE: usize = 64;
/// The elements that a table of the pool has room for; more means no pool.
pub const POOL_TABLE_ELEMENTS: u32 = 1_000_000;

/// The identity of the engine for `profile`: a digest over wasmtime's version, the target and
/// every pinned setting.
pub fn engine_id(profile: Profile) -> Digest {
    Digest::of(Pinned::new(profile).text.as_bytes())
}

/// What of an engine is chosen where it executes and does not change compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setup {
    /// How code was compiled.
    pub profile: Profile,
    /// The stack of the guest in KiB, at most [`MAX_STACK_KIB`].
    pub stack_kib: u32,
    /// Whether instances come from a pool that is prepared ahead.
    pub pooled: bool,
}

impl Setup {
    /// The engine that compiles and describes modules of `profile`.
    pub fn plain(profile: Profile) -> Self {
        Self {
            profile,
            stack_kib: 1024,
            pooled: false,
        }
    }

    /// Builds the engine.
    ///
    /// # Errors
    /// When this processor lacks what code is compiled for, or address space for the pool.
    pub fn engine(self) -> wasmtime::Result<Engine> {
        let mut config = Pinned::new(self.profile).config;
        // The depth at which a guest's recursion ends is part of its limits, thus of the record.
        // Cells give their thread this much and more, so that the guest's limit comes first.
        let stack = self.stack_kib.clamp(64, MAX_STACK_KIB) as usize * 1024;
        config.max_wasm_stack(stack);
        // Nothing is asynchronous here, but wasmtime insists that its stacks would suffice.
        config.async_stack_size(stack + (1 << 20));
        config.with_custom_code_memory(Some(Arc::new(Mapped)));
        if self.pooled {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        }
        Engine::new(&config)
    }
}

/// Makes compiled code executable that lies in memory which somebody else has mapped.
///
/// Wasmtime does so itself where it has mapped a file by its path; a cell opens no path.
struct Mapped;

impl Mapped {
    fn protect(code: *const u8, len: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
        // SAFETY: wasmtime gives whole pages of code that it was given, and nothing else is there.
        unsafe { mprotect(code.cast_mut().cast(), len, flags)? };
        Ok(())
    }
}

impl CustomCodeMemory for Mapped {
    fn required_alignment(&self) -> usize {
        // The smallest pages that there are. Compiled code is laid out for those of its target, which
        // may be larger, and mapped memory begins with one.
        4096
    }

    fn publish_executable(&self, code: *const u8, len: usize) -> wasmtime::Result<()> {
        Self::protect(code, len, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    fn unpublish_executable(&self, code: *const u8, len: usize) -> wasmtime::Result<()> {
        Self::protect(code, len, MprotectFlags::READ)
    }
}

/// Learns from the system what is needed of it later, when nothing can be opened any more: the size of
/// pages, and the file by which wasmtime asks which pages a guest has touched. It keeps that open for
/// all pools.
///
/// Where there is none, pools clear all pages that a guest may have touched.
pub fn look_around() {
    // How to ask for the time is learnt once. The size of pages is learnt by the pool.
    let _ = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(1)
        .total_core_instances(1)
        .total_memories(1)
        .total_tables(1)
        .total_stacks(0)
        .max_memory_size(1 << 16)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .memory_reservation(1 << 16)
        .memory_guard_size(0)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    // An error leaves it closed.
    let _ = Engine::new(&config);
}

/// A digest of wasmtime's own idea of which compiled code an engine can load.
///
/// # Errors
/// As [`Setup::engine`].
pub fn compatibility(profile: Profile) -> wasmtime::Result<Digest> {
    let mut hasher = Blake(blake3::Hasher::new());
    Setup::plain(profile)
        .engine()?
        .precompile_compatibility_hash()
        .hash(&mut hasher);
    Ok(hasher.0.finalize().into())
}

struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// A cell runs one task at a time, so the pool is small; what does not fit runs without it.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(4)
        .total_core_instances(64)
        .total_memories(8)
        .total_tables(64)
        .total_stacks(0)
        .max_memories_per_module(4)
        .max_tables_per_module(16)
        .table_elements(POOL_TABLE_ELEMENTS as usize)
        .max_component_instance_size(16 << 20)
        .max_core_instance_size(16 << 20)
        .max_memory_size(1 << 32)
        // Pages that a task touched are cleared for the next one up to this size, which is
        // cheaper than giving them back to the system and faulting them in again.
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        // The system says which pages those are, so that the others need not be cleared.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A configuration and the text that its digest is made of.
struct Pinned {
    config: Config,
    text: String,
}

/// Applies a setting and writes it down.
macro_rules! pin {
    ($self:ident, $method:ident($value:expr)) => {{
        let value = $value;
        writeln!($self.text, concat!(stringify!($method), " = {:?}"), value)
            .expect("text can be written to a string");
        $self.config.$method(value)
    }};
}

impl Pinned {
    fn new(profile: Profile) -> Self {
        let text = format!("wrun engine 2\nwasmtime = {WASMTIME}\n");
        let mut pinned = Self {
            config: Config::new(),
            text,
        };
        pinned.target(profile.backend);
        pinned.config(profile);
        pinned
    }

    /// Code is compiled for a baseline and not for the processor at hand: a module must give the
    /// same bits, and its compiled code must be loadable, on every machine of a family.
    fn target(&mut self, backend: Backend) {
        let (triple, cpu) = match backend {
            // 2013's Haswell and everything in AWS has it; vector code gains up to 15 %.
            Backend::Native => (target_triple(), Some("x86-64-v3")),
            // The least that vector code can do with: no AVX, no fused multiply-add.
            Backend::Plain => (target_triple(), Some("x86-64-v2")),
            Backend::Pulley => (Some(PULLEY), None),
        };
        let text = triple.unwrap_or(std::env::consts::ARCH);
        writeln!(self.text, "target = {text}").expect("text can be written to a string");
        let Some(triple) = triple else { return };
        self.config
            .target(triple)
            .expect("the triple is one of wasmtime's own");
        if let Some(cpu) = cpu {
            // SAFETY: a documented preset of Cranelift; wasmtime refuses to run its code on a
            // processor without these instructions.
            unsafe { self.config.cranelift_flag_enable(cpu) };
            writeln!(self.text, "cpu = {cpu}").expect("text can be written to a string");
        }
    }

    /// Every setting that is not wasmtime's default, or whose default may move.
    fn config(&mut self, profile: Profile) {
        // Cranelift, always: Winch is not meant for untrusted code.
        self.config.strategy(Strategy::Cranelift);
        pin!(
            self,
            cranelift_opt_level(match profile.backend {
                Backend::Plain => OptLevel::None,
                Backend::Native | Backend::Pulley => OptLevel::Speed,
            })
        );
        // The choice of the flow: 2-4 times slower scalar floats for NaN bits that agree everywhere.
        pin!(
            self,
            cranelift_nan_canonicalization(profile.portable_floats)
        );
        pin!(self, relaxed_simd_deterministic(true));

        // What a Rust, C, Python or JavaScript compiler emits today.
        pin!(self, wasm_simd(true));
        pin!(self, wasm_relaxed_simd(true));
        pin!(self, wasm_bulk_memory(true));
        pin!(self, wasm_multi_value(true));
        pin!(self, wasm_tail_call(true));
        pin!(self, wasm_extended_const(true));
        pin!(self, wasm_multi_memory(true));
        pin!(self, wasm_component_model(true));
        // Nobody needs these yet, and each is code that a guest could attack.
        pin!(self, wasm_wide_arithmetic(false));
        pin!(self, wasm_custom_page_sizes(false));
        pin!(self, wasm_memory64(false));
        // Sources of chance: threads in a guest, and the scheduler of component-model async. Turned
        // off, calls between guest and host are also three times cheaper.
        pin!(self, shared_memory(false));
        pin!(self, concurrency_support(false));

        // A cell that runs too long is killed. Counting instructions instead costs up to 3.3 times.
        pin!(self, consume_fuel(false));
        pin!(self, epoch_interruption(false));

        // Bounds are checked by the memory management unit: a reservation of 4 GiB for each memory
        // makes every 32-bit address land in it. These are part of the compiled code.
        pin!(self, memory_reservation(4 << 30));
        pin!(self, memory_guard_size(32 << 20));
        pin!(self, guard_before_linear_memory(true));
        pin!(self, memory_init_cow(true));
        pin!(self, table_lazy_init(true));
        // An interpreter has no instructions of its own that could fault.
        pin!(
            self,
            signals_based_traps(profile.backend != Backend::Pulley)
        );

        // Failures show the guest's own functions, with lines if the module has them.
        pin!(self, wasm_backtrace_details(WasmBacktraceDetails::Enable));
        pin!(
            self,
            wasm_backtrace_max_frames(NonZeroUsize::new(MAX_BACKTRACE))
        );
        pin!(self, generate_address_map(true));
        // Only a native debugger or profiler would read these; they cost time when code is loaded.
        pin!(self, native_unwind_info(false));
        pin!(self, parallel_compilation(true));
    }
}

/// The target of x86-64, where the baseline is pinned; other processors use what they have.
fn target_triple() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        None
    } else if cfg!(target_os = "macos") {
        Some("x86_64-apple-darwin")
    } else if cfg!(target_env = "musl") {
        Some("x86_64-unknown-linux-musl")
    } else {
        Some("x86_64-unknown-linux-gnu")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n")));
    }

    #[test]
    fn each_profile_is_an_engine_of_its_own() {
        let mut ids: Vec<_> = profiles().into_iter().map(engine_id).collect();
        assert_eq!(
            ids,
            profiles().into_iter().map(engine_id).collect::<Vec<_>>()
        );
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6);
    }

    fn profiles() -> Vec<Profile> {
        let backends = [Backend::Native, Backend::Plain, Backend::Pulley];
        let of = |backend| {
            [false, true].map(|portable_floats| Profile {
                portable_floats,
                backend,
            })
        };
        backends.into_iter().flat_map(of).collect()
    }

    #[test]
    fn the_pinned_settings_make_an_engine_with_and_without_a_pool() {
        for profile in profiles() {
            for pooled in [false, true] {
                let setup = Setup {
                    profile,
                    stack_kib: 1024,
                    pooled,
                };
                setup.engine().expect("the pinned settings are valid");
            }
        }
    }
}
