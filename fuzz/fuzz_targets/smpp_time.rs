//! Fuzzes the check called time of smpp-codec (`crates/smpp-codec/tests/it/check.rs`).

#![no_main]

#[path = "../../crates/smpp-codec/tests/it/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| check::time(input));
