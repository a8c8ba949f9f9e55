//! Chance: `wasi:random`.
//!
//! Every byte follows from the entropy of the task: one ChaCha12 stream per interface, seeded by
//! BLAKE3 of the entropy and the interface's name. The order of Rust's hash maps follows from a
//! constant, so that it is the same in every task and by every engine.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::Guest;
use super::stop::Stop;

/// The most random bytes that one call may ask for.
const MAX_BYTES: u64 = 64 << 20;

/// The random streams of one task.
pub struct Chance {
    entropy: [u8; 32],
    hash_seed: (u64, u64),
    secure: Option<ChaCha12Rng>,
    insecure: Option<ChaCha12Rng>,
    gave_seed: bool,
}

impl Chance {
    /// Streams that follow from `entropy`.
    pub fn new(entropy: [u8; 32]) -> Self {
        let seed = blake3::derive_key("wrun 2026-11 order of hash maps", b"");
        let hash_seed = (number(&seed, 0), number(&seed, 8));
        Self {
            entropy,
            hash_seed,
            secure: None,
            insecure: None,
            gave_seed: false,
        }
    }

    /// A number for the task itself to seed with.
    pub fn seed(&mut self) -> u64 {
        self.gave_seed = true;
        number(blake3::keyed_hash(&self.entropy, b"seed").as_bytes(), 0)
    }

    /// Whether anybody asked for something that follows from the entropy.
    pub fn was_used(&self) -> bool {
        self.gave_seed || self.secure.is_some() || self.insecure.is_some()
    }

    fn stream(&mut self, secure: bool) -> &mut ChaCha12Rng {
        let (slot, name) = if secure {
            (&mut self.secure, "wasi:random/random")
        } else {
            (&mut self.insecure, "wasi:random/insecure")
        };
        slot.get_or_insert_with(|| {
            let seed = blake3::keyed_hash(&self.entropy, name.as_bytes());
            ChaCha12Rng::from_seed(*seed.as_bytes())
        })
    }

    fn bytes(&mut self, secure: bool, len: u64) -> Result<Vec<u8>, Stop> {
        if len > MAX_BYTES {
            let message = format!("the step asked for {len} random bytes at once");
            return Err(Stop::contract(message).hint(format!(
                "ask for at most {MAX_BYTES}, or use a generator of your own"
            )));
        }
        let mut bytes = vec![0; len as usize];
        self.stream(secure).fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

fn number(bytes: &[u8; 32], at: usize) -> u64 {
    let eight = bytes[at..at + 8]
        .try_into()
        .expect("eight bytes are eight bytes");
    u64::from_le_bytes(eight)
}

/// Links `random`, `insecure` and `insecure-seed`.
pub fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    type Store<'a> = StoreContextMut<'a, Guest>;
    let mut random = linker.instance("wasi:random/random@0.2.0")?;
    random.func_wrap("get-random-bytes", |mut store: Store, (len,): (u64,)| {
        Ok((store.data_mut().chance.bytes(true, len)?,))
    })?;
    random.func_wrap("get-random-u64", |mut store: Store, (): ()| {
        Ok((store.data_mut().chance.stream(true).next_u64(),))
    })?;
    let mut insecure = linker.instance("wasi:random/insecure@0.2.0")?;
    insecure.func_wrap(
        "get-insecure-random-bytes",
        |mut store: Store, (len,): (u64,)| Ok((store.data_mut().chance.bytes(false, len)?,)),
    )?;
    insecure.func_wrap("get-insecure-random-u64", |mut store: Store, (): ()| {
        Ok((store.data_mut().chance.stream(false).next_u64(),))
    })?;
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.0")?;
    seed.func_wrap("insecure-seed", |store: Store, (): ()| {
        Ok((store.data().chance.hash_seed,))
    })?;
    Ok(())
}
