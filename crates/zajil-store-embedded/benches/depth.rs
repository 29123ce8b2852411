//! What it costs to count a long queue by frontend and state, and to find one of its messages by
//! its addresses, in the index and by reading all:
//! `cargo bench -p zajil-store-embedded --bench depth`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench measures and prints"
)]

use std::sync::Arc;
use std::time::Instant;

use zajil_core::frontend::FrontendName;
use zajil_core::smpp::{Named, Origin, place};
use zajil_core::status::Status;
use zajil_store::Store as _;
use zajil_store::contract::{Draft, Filter};
use zajil_store_embedded::{EmbeddedStore, Options};

#[path = "../tests/it/make.rs"]
mod make;

const MESSAGES: u64 = 1_000_000;
const FRONTENDS: u64 = 50;
const ROUNDS: u32 = 10;
/// One message in so many is found by its addresses.
const FINDABLE: u64 = 100;

fn submitted(id: u64) -> Draft {
    let mut draft = make::draft(id, &format!("gw{}", id % FRONTENDS), 0);
    if id.is_multiple_of(FINDABLE) {
        let destination = draft.message.content.destination.as_str().to_owned();
        let message = Arc::make_mut(&mut draft.message);
        message.content.source_smsc = FrontendName::parse("shop").ok();
        message.arranged.origin = Some(Box::new(Origin {
            destination: Named {
                value: destination,
                ..Named::default()
            },
            findable: true,
            ..Origin::default()
        }));
    }
    draft
}

/// The oldest of all, which is found last.
async fn find(store: &EmbeddedStore) -> Result<(), Box<dyn std::error::Error>> {
    let shop = FrontendName::parse("shop")?;
    let oldest = submitted(FINDABLE).message.content.destination.clone();
    let place = Filter {
        place: Some(place(&shop, "", oldest.as_str())),
        limit: 1_000,
        ..Filter::default()
    };
    let reading = Filter {
        status: Some(Status::Pending),
        number: Some(oldest.as_str().to_owned()),
        source_smsc: Some(shop),
        limit: 1_000,
        ..Filter::default()
    };
    for (how, filter) in [("in the index", place), ("by reading all", reading)] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            assert_eq!(store.messages(filter.clone()).await?.len(), 1);
        }
        println!(
            "one of {MESSAGES} found {how}: {:?}",
            start.elapsed() / ROUNDS
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::TempDir::new()?;
    let store = EmbeddedStore::open(directory.path(), &Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        for first in (1..=MESSAGES).step_by(5_000) {
            let batch = first..first + 5_000;
            let drafts = batch.map(submitted);
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
        find(&store).await
    })
}
