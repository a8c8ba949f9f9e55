//! One decoder for cargo-fuzz: that of the target's name.
//!
//! ```text
//! cargo install cargo-fuzz
//! WRUN_ABUSE_SEEDS=$PWD/tests/fuzz/seeds cargo test -p wrun --test abuse -- decoders
//! mkdir -p tests/fuzz/corpus/cbor
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz cbor tests/fuzz/corpus/cbor tests/fuzz/seeds/cbor -- -max_total_time=600
//! ```
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wrun::fuzz::decode(env!("CARGO_BIN_NAME"), bytes));
