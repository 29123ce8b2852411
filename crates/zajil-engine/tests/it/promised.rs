//! Applications that were promised an alert (`set_dpf`), and wait no longer.

use std::sync::atomic::Ordering;

use zajil_core::clock::Clock as _;
use zajil_core::lifecycle::Report;
use zajil_core::port::{Desk as _, Intake as _};
use zajil_core::smpp::{Named, Origin};
use zajil_engine::Options;
use zajil_store::record::SmppAlert;
use zajil_store::shelf::{Kind, Page, Shelf as _, Start};
use zajil_store::watch::{AT_ONCE, Waiting};
use zajil_testkit::build;

use crate::scenario::World;

/// A store that nodes share syncs for every transaction: there is not one for each message.
#[tokio::test(start_paused = true)]
async fn what_was_delivered_together_is_forgotten_together() {
    let world = World::new(Options::default()).await;
    let now = world.clock.now();
    let mut delivered = Vec::new();
    for number in 0..=AT_ONCE {
        let to = format!("+4670{number:07}");
        let mut submission = build::submission("SHOP", &to, "hi");
        submission.origin = Some(Box::new(Origin {
            alert: true,
            ..Origin::default()
        }));
        let accepted = world.engine.submit(submission).await.unwrap();
        let id = accepted.message.id;
        let mut waiting = Waiting::on(&*world.store, &to).await.unwrap();
        waiting.all.push(SmppAlert {
            account: build::name("shop"),
            subscriber: Named::default(),
            application: Named::default(),
            messages: vec![id],
            until: None,
        });
        waiting.write(&*world.store, Vec::new(), now).await.unwrap();
        delivered.push((id, Report::Delivered { by: None, at: None }));
    }
    let before = world.store.shelved.load(Ordering::Relaxed);
    world.engine.report_many(delivered).await.unwrap();
    assert_eq!(world.store.shelved.load(Ordering::Relaxed) - before, 2);
    let all = Page {
        kind: Kind::SmppWatch,
        from: Start::After(0),
        offset: 0,
        limit: 1,
    };
    assert_eq!(world.store.shelf(all).await.unwrap(), []);
}
