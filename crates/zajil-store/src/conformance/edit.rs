//! Edits: what a PATCH changes on a pending message.

use std::sync::Arc;

use std::num::NonZeroU32;

use zajil_core::lifecycle::Edit;
use zajil_core::message::Message;
use zajil_core::receipt::On;
use zajil_core::retry::Attempt;
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::accept::full;
use super::build::{
    DAY, at, delivered, draft, ended, fallback, id, name, plain, routed, scene, sighting,
    to_number, unrouted,
};
use super::receipts::origin;
use super::subject::ALL;
use crate::contract::NotDone;

const NOBODY: [u64; 0] = [];

pub async fn s3_every_field_of_a_patch_is_taken_over(s: Subject) {
    s.accept(vec![draft(full(1)), routed(2, "gw")]).await;
    let mut expected = full(1);
    let edit = Edit {
        dest_smsc: Some(Some(name("other"))),
        body: Some(("new text".into(), NonZeroU32::new(9).unwrap())),
        deliver_after: Some(Some(at(40))),
        expires: Some(at(2 * DAY)),
        attempts: Some(Attempt::new(2)),
        source_imsi: Some(Some("003".into())),
        dest_imsi: Some(Some("004".into())),
        charge_failed: Some(false),
        report: None,
        origin: Some(Box::new(origin(On::Always))),
        unless_held: false,
    };
    expected.arranged.origin = Some(Box::new(origin(On::Always)));
    expected.dest_smsc = Some(name("other"));
    expected.content.body = "new text".into();
    expected.content.parts = NonZeroU32::new(9).unwrap();
    expected.deliver_after = Some(at(40));
    expected.expires = at(2 * DAY);
    expected.attempts = Attempt::new(2);
    expected.content.source_imsi = Some("003".into());
    expected.content.dest_imsi = Some("004".into());
    expected.charge_failed = false;
    expected.updated_at = at(30);
    let done = s.edit(1, edit, at(30)).await;
    assert_eq!(done.message, expected);
    assert_eq!(done.queued_for, Some(name("other")));
    assert_eq!(s.get(1).await, expected);
    assert_eq!(
        s.log(1).await,
        ["message_inserted", "message_routed", "message_updated"]
    );
    assert_eq!(
        s.get(2).await,
        *routed(2, "gw").message,
        "no other message is touched"
    );
    assert_eq!(s.offered(plain("other"), at(39)).await, NOBODY);
    assert_eq!(s.offered(plain("other"), at(40)).await, [1]);
}

pub async fn s3_an_optional_field_can_be_cleared(s: Subject) {
    s.accept(vec![draft(full(1))]).await;
    let edit = Edit {
        dest_smsc: Some(None),
        deliver_after: Some(None),
        source_imsi: Some(None),
        dest_imsi: Some(None),
        ..Edit::default()
    };
    s.edit(1, edit, at(3)).await;
    let message = s.get(1).await;
    assert_eq!(message.dest_smsc, None);
    assert_eq!(message.deliver_after, None);
    assert_eq!(
        (message.content.source_imsi, message.content.dest_imsi),
        (None, None)
    );
    assert_eq!(
        message.content.raw_pdu,
        full(1).content.raw_pdu,
        "what is not named stays"
    );
}

pub async fn s3_an_empty_patch_changes_nothing(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(60)).await, [1]);
    let before = s.get(1).await;
    let done = s.edit(1, Edit::default(), at(5)).await;
    assert_eq!(done.message, before);
    assert_eq!(s.get(1).await, before);
    assert_eq!(s.log(1).await, ["message_inserted"]);
    assert_eq!(
        s.offered(plain("gw"), at(5)).await,
        NOBODY,
        "its holder keeps it"
    );
}

pub async fn d7_an_edit_takes_a_message_out_of_its_holders_hands(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    assert_eq!(s.leased(plain("gw"), at(0), at(3_600)).await, [1]);
    let body = Some(("fresh".into(), NonZeroU32::MIN));
    s.edit(
        1,
        Edit {
            body,
            ..Edit::default()
        },
        at(5),
    )
    .await;
    assert_eq!(s.leased_until(1).await, None);
    assert_eq!(s.offered(plain("gw"), at(5)).await, [1]);
}

pub async fn s13_1_a_reroute_moves_the_message_to_the_other_queue(s: Subject) {
    s.accept(vec![routed(1, "gw"), unrouted(2)]).await;
    for number in [1, 2] {
        let dest_smsc = Some(Some(name("other")));
        let done = s
            .edit(
                number,
                Edit {
                    dest_smsc,
                    ..Edit::default()
                },
                at(5),
            )
            .await;
        assert_eq!(done.queued_for, Some(name("other")));
        assert_eq!(s.log(number).await.last().unwrap(), "message_routed");
    }
    assert_eq!(s.offered(fallback("gw"), at(5)).await, NOBODY);
    assert_eq!(s.offered(plain("other"), at(5)).await, [1, 2]);
    // The location of a message that is decided now does not matter any more.
    s.locate(sighting("001", "+15550000002", "ims"), at(6))
        .await;
    assert_eq!(s.offered(plain("other"), at(6)).await, [1, 2]);
}

pub async fn s3_3_an_edit_can_give_the_decision_back_to_the_location(s: Subject) {
    s.locate(sighting("001", "+15550000001", "ims"), at(0))
        .await;
    let mut explicit = to_number(1, "+15550000001");
    Arc::make_mut(&mut explicit.message).dest_smsc = Some(name("gw"));
    s.accept(vec![explicit, routed(2, "gw")]).await;
    let release = || Edit {
        dest_smsc: Some(None),
        ..Edit::default()
    };
    assert_eq!(
        s.edit(1, release(), at(1)).await.queued_for,
        Some(name("ims"))
    );
    assert_eq!(s.edit(2, release(), at(1)).await.queued_for, None);
    assert_eq!(s.offered(plain("gw"), at(1)).await, NOBODY);
    assert_eq!(s.offered(fallback("ims"), at(1)).await, [1, 2]);
    // And from now on the location moves it.
    s.locate(sighting("002", "+15550000002", "msc"), at(2))
        .await;
    s.locate(sighting("001", "+15550000001", "msc"), at(2))
        .await;
    assert_eq!(s.offered(plain("msc"), at(2)).await, [1, 2]);
}

pub async fn s3_deliver_after_moves_the_message_in_the_order(s: Subject) {
    s.accept((1..=3).map(|n| routed(n, "gw")).collect()).await;
    let after = |at| Edit {
        deliver_after: Some(at),
        ..Edit::default()
    };
    s.edit(1, after(Some(at(60))), at(1)).await;
    assert_eq!(s.offered(plain("gw"), at(59)).await, [2, 3]);
    assert_eq!(s.offered(plain("gw"), at(60)).await, [2, 3, 1]);
    s.edit(1, after(None), at(2)).await;
    assert_eq!(s.offered(plain("gw"), at(2)).await, [1, 2, 3]);
}

pub async fn s9_1_a_longer_life_is_not_swept_and_a_shorter_one_is(s: Subject) {
    let mut short = routed(1, "gw");
    Arc::make_mut(&mut short.message).expires = at(60);
    s.accept(vec![short, routed(2, "gw")]).await;
    let life = |end| Edit {
        expires: Some(end),
        ..Edit::default()
    };
    s.edit(1, life(at(DAY)), at(1)).await;
    s.edit(2, life(at(60)), at(1)).await;
    assert_eq!(s.offered(plain("gw"), at(60)).await, [1]);
    let swept = s.store.sweep(scene(at(60)), ALL).await.unwrap();
    assert_eq!(
        swept
            .iter()
            .map(|swept| swept.message.id)
            .collect::<Vec<_>>(),
        [id(2)]
    );
    assert_eq!(s.store.sweep(scene(at(DAY)), ALL).await.unwrap().len(), 1);
}

pub async fn s3_a_status_in_a_patch_ends_the_message(s: Subject) {
    s.accept(vec![unrouted(1)]).await;
    let dest_smsc = Some(Some(name("gw")));
    let report = Some(ended(FinalStatus::Rejected));
    let done = s
        .edit(
            1,
            Edit {
                dest_smsc,
                report,
                ..Edit::default()
            },
            at(5),
        )
        .await;
    assert_eq!(done.queued_for, None);
    let message = s.get(1).await;
    assert_eq!(message.status(), Status::Final(FinalStatus::Rejected));
    assert_eq!(message.dest_smsc, Some(name("gw")));
    assert_eq!(
        s.log(1).await,
        ["message_inserted", "message_routed", "message_failed"]
    );
    let cdrs = s.cdrs().await;
    assert_eq!((cdrs.len(), cdrs[0].dest_smsc.as_deref()), (1, Some("gw")));
    assert_eq!(s.offered(fallback("gw"), at(5)).await, NOBODY);
}

pub async fn d11_an_edit_after_the_end_is_logged_and_changes_nothing(s: Subject) {
    let edit = || Edit {
        dest_smsc: Some(Some(name("other"))),
        ..Edit::default()
    };
    let unknown = s.store.edit(id(1), edit(), scene(at(0))).await.unwrap();
    assert_eq!(unknown.map(drop), Err(NotDone::NotFound));
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, delivered(), at(1)).await;
    let before: Message = s.get(1).await;
    let late = s.store.edit(id(1), edit(), scene(at(2))).await.unwrap();
    assert_eq!(
        late.map(drop),
        Err(NotDone::AlreadyFinal(FinalStatus::Delivered))
    );
    assert_eq!(s.get(1).await, before);
    assert_eq!(s.log(1).await.last().unwrap(), "late_report");
    assert_eq!(s.cdrs().await.len(), 1);
}

pub async fn d19_an_edit_can_leave_alone_what_a_frontend_holds(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    s.leased(plain("gw"), at(1), at(60)).await;
    let edit = || Edit {
        report: Some(zajil_core::lifecycle::Report::Removed),
        unless_held: true,
        ..Edit::default()
    };
    let held = s.store.edit(id(1), edit(), scene(at(59))).await.unwrap();
    assert_eq!(held.unwrap_err(), NotDone::NotTheirs);
    assert_eq!(s.leased_until(1).await, Some(at(60)));
    let done = s.edit(1, edit(), at(60)).await;
    assert!(done.message.ending().is_some());
}
