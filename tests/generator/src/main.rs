//! Makes modules by chance: `wrun-test-generator FIRST COUNT WIT` writes those of the seeds from `FIRST` on to standard
//! output, each led by its length in four bytes.
//!
//! Four kinds in turn: a core module with the exports of a flow in a component of wrun's world, so that it is
//! instantiated and asked; a component of any world; a core module; and one of the first three with damaged bytes. The same seeds give the
//! same modules.

use std::io::Write;

use arbitrary::{Arbitrary as _, Unstructured};
use wasm_smith::{Config, Module};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments[at].parse::<u64>().expect("a number");
    let (first, count) = (number(1), number(2));
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(&arguments[3])
        .expect("the WIT of the SDK");
    let world = resolve
        .select_world(&[package], Some("flow"))
        .expect("its world");
    let mut out = std::io::stdout().lock();
    for seed in first..first + count {
        let module = make(seed, &resolve, world);
        let length = u32::try_from(module.len()).expect("a module is small");
        out.write_all(&length.to_le_bytes())
            .expect("somebody reads");
        out.write_all(&module).expect("somebody reads");
    }
}

/// Numbers that look like chance and follow from a seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn make(seed: u64, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    let mut noise = Noise(seed);
    let size = 512 + noise.next() as usize % 4096;
    let bytes = noise.bytes(size);
    match seed % 4 {
        0 => flow(&bytes, resolve, world).unwrap_or_else(|| core(&bytes)),
        1 => component(&bytes),
        2 => core(&bytes),
        _ => {
            let mut module = make(seed - 1 - noise.next() % 3, resolve, world);
            for _ in 0..=noise.next() % 8 {
                let at = noise.next() as usize % module.len();
                module[at] = noise.next() as u8;
            }
            module
        }
    }
}

/// What a guest may be made of, as far as the engine is set to take it.
fn config() -> Config {
    Config {
        max_memory32_bytes: 1 << 32,
        bulk_memory_enabled: true,
        reference_types_enabled: false,
        simd_enabled: true,
        multi_value_enabled: true,
        threads_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        ..Config::default()
    }
}

fn core(bytes: &[u8]) -> Vec<u8> {
    let mut source = Unstructured::new(bytes);
    match Module::new(config(), &mut source) {
        Ok(module) => module.to_bytes(),
        Err(_) => b"\0asm\x01\0\0\0".to_vec(),
    }
}

fn component(bytes: &[u8]) -> Vec<u8> {
    let mut source = Unstructured::new(bytes);
    match wasm_smith::Component::arbitrary(&mut source) {
        Ok(component) => component.to_bytes(),
        Err(_) => b"\0asm\x0d\0\x01\0".to_vec(),
    }
}

/// A core module with the exports of a flow, as a component; none when no such module came of these bytes.
fn flow(bytes: &[u8], resolve: &Resolve, world: WorldId) -> Option<Vec<u8>> {
    let mut source = Unstructured::new(bytes);
    let config = Config {
        exports: Some(exports()),
        max_imports: 0,
        min_imports: 0,
        ..config()
    };
    let mut module = Module::new(config, &mut source).ok()?;
    // A loop of chance seldom ends: nearly all of these do.
    if bytes[0] % 32 != 0 {
        module.ensure_termination(100_000).ok()?;
    }
    let mut bytes = module.to_bytes();
    embed_component_metadata(&mut bytes, resolve, world, StringEncoding::UTF8).ok()?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(false);
    let encoder = encoder.module(&bytes).ok()?;
    encoder.encode().ok()
}

/// A module with the exports that every flow has.
fn exports() -> Vec<u8> {
    const TEXT: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "describe") (result i32) unreachable)
        (func (export "run") (param i32 i32) (result i32) unreachable)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#;
    wat::parse_str(TEXT).expect("its own text")
}
