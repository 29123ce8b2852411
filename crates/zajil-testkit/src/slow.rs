//! Tests that start servers of others run only when they are asked for.

/// Whether `SLOW_TESTS` asks for them, as `cargo xtask test` does; says so when it does not.
#[must_use]
#[expect(
    clippy::print_stdout,
    reason = "the test's own output says why it did nothing"
)]
pub fn asked_for() -> bool {
    let asked = std::env::var_os("SLOW_TESTS").is_some();
    if !asked {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
    }
    asked
}
