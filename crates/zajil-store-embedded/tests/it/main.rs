//! The embedded store against the contract's suite, and what only a file can get wrong.

#[cfg(test)]
mod file;
#[cfg(test)]
mod make;
