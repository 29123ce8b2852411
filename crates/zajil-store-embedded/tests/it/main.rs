//! The embedded store against the contract's suite, and what only a file can get wrong.

mod file;
mod make;
