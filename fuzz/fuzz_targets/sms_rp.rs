//! Fuzzes the check called rp of sms-codec (`crates/sms-codec/tests/it/check.rs`).

#![no_main]

#[path = "../../crates/sms-codec/tests/it/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| check::relay(input));
