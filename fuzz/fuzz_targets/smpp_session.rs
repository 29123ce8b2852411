//! Fuzzes the check called session of zajil-smpp (`crates/zajil-smpp/tests/it/check.rs`).

#![no_main]

#[path = "../../crates/zajil-smpp/tests/it/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| check::session(input));
