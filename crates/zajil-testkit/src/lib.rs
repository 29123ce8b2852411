//! What tests are made of. Nothing in production imports it.

#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot make its files fails"
)]
pub mod authority;
pub mod build;
pub mod clock;
pub mod database;
pub mod dice;
pub mod fake;
pub mod issuer;
pub mod network;
pub mod port;
pub mod slow;
