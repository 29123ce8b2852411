//! What a look-up costs whose answer is at hand: `cargo bench -p zajil-enum`.
fn main() {}
