//! What it costs to count a long queue by frontend and state:
//! `cargo bench -p zajil-store-embedded --bench depth`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench measures and prints"
)]

use std::time::Instant;

use zajil_store::Store as _;
use zajil_store_embedded::{EmbeddedStore, Options};

#[path = "../tests/it/make.rs"]
mod make;

const MESSAGES: u64 = 1_000_000;
const FRONTENDS: u64 = 50;
const ROUNDS: u32 = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::TempDir::new()?;
    let store = EmbeddedStore::open(directory.path(), &Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        for first in (1..=MESSAGES).step_by(5_000) {
            let batch = first..first + 5_000;
            let drafts = batch.map(|id| make::draft(id, &format!("gw{}", id % FRONTENDS), 0));
            store.accept(drafts.collect(), make::at(0)).await?;
        }
        let now = make::at(1_000);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let depths = store.depths(now).await?;
            let total: u64 = depths.values().map(|depth| depth.total()).sum();
            assert_eq!(total, MESSAGES);
        }
        println!("depths of {MESSAGES}: {:?}", start.elapsed() / ROUNDS);
        let start = Instant::now();
        for _ in 0..ROUNDS {
            store.figures().await?;
        }
        println!("figures of {MESSAGES}: {:?}", start.elapsed() / ROUNDS);
        Ok(())
    })
}
