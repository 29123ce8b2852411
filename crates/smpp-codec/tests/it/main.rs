//! Everything that is tested from outside: vectors, properties, other decoders.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod check;
mod describe;
mod generate;
mod oracle;
mod properties;
mod vectors;
