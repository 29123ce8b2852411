//! A poller, as the benches of all stores have it.

use std::sync::Arc;

use zajil_core::frontend::FrontendName;
use zajil_core::lifecycle::Report;
use zajil_core::offer::Asker;
use zajil_store::Store;
use zajil_store::contract::OfferAsk;

use crate::make;

/// Takes and delivers by hundreds until nothing is left.
pub(crate) async fn deliver(store: Arc<impl Store>) -> Result<u64, zajil_store::Error> {
    let asker = Asker {
        name: FrontendName::parse("gw").map_err(|_| zajil_store::Error::NotFound)?,
        include_unrouted: false,
    };
    let mut count = 0;
    loop {
        let ask = OfferAsk {
            asker: asker.clone(),
            limit: 100,
            now: make::at(1),
        };
        let held = store.lease(ask, make::at(600)).await?;
        if held.is_empty() {
            return Ok(count);
        }
        let done = Report::Delivered { by: None, at: None };
        let reports = held.iter().map(|message| (message.id, done.clone()));
        for outcome in store.report(reports.collect(), make::scene(2)).await? {
            count += u64::from(outcome.is_ok());
        }
    }
}
