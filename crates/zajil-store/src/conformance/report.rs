//! Reports: what became of a message, written once (D11).

use std::time::Duration;

use zajil_core::cdr;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::status::{FinalStatus, Status};

use super::Subject;
use super::build::{
    DAY, at, delivered, ended, failed_attempt, fallback, id, name, node, plain, routed, scene,
    sighting, to_number, unrouted,
};
use super::subject::all_at_once;
use crate::contract::{NotDone, OutboxSeq, Outcome};

const NOBODY: [u64; 0] = [];

/// What an outcome says, without the message.
fn said(outcome: &Outcome) -> Result<Status, NotDone> {
    match outcome {
        Ok(done) => Ok(done.message.status()),
        Err(why) => Err(*why),
    }
}

pub async fn s3_a_delivered_message_has_time_frontend_and_log(s: Subject) {
    s.accept(vec![unrouted(1)]).await;
    let by = Some(name("gw"));
    let done = s
        .report(
            1,
            Report::Delivered {
                by: by.clone(),
                at: None,
            },
            at(30),
        )
        .await;
    let message = s.get(1).await;
    assert_eq!(done.message, message);
    assert_eq!(done.queued_for, None);
    assert_eq!(message.dest_smsc, by);
    assert_eq!(message.deliver_time(), Some(at(30)));
    assert_eq!(message.updated_at, at(30));
    assert_eq!(message.ending().unwrap().node, node());
    assert_eq!(
        s.log(1).await,
        [
            "message_inserted",
            "delivery_attempt_1",
            "message_delivered"
        ]
    );
    let cdr = s.cdrs().await.remove(0);
    assert_eq!(cdr.delivery_time, Some(at(30)));
    assert_eq!(
        (cdr.dest_smsc.as_deref(), cdr.delivery_attempts),
        (Some("gw"), 1)
    );
}

pub async fn s3_a_reporters_time_is_kept_plausible(s: Subject) {
    s.accept(vec![routed(1, "gw"), routed(2, "gw"), routed(3, "gw")])
        .await;
    for (number, said, kept) in [(1, 20, 20), (2, 99, 30), (3, -5, 0)] {
        let report = Report::Delivered {
            by: None,
            at: Some(at(said)),
        };
        s.report(number, report, at(30)).await;
        assert_eq!(s.get(number).await.deliver_time(), Some(at(kept)));
    }
}

pub async fn s3_2_failed_attempts_back_off_in_powers_of_two(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    let mut now = 0;
    for attempt in 1..=6_u32 {
        let done = s.report(1, failed_attempt(), at(now)).await;
        assert_eq!(done.queued_for, Some(name("gw")));
        assert_eq!(done.message.attempts.get(), attempt);
        now += 60 * (1 << attempt);
        let message = s.get(1).await;
        assert_eq!(message.deliver_after, Some(at(now)));
        assert_eq!(message, done.message);
        assert_eq!(s.offered(plain("gw"), at(now - 1)).await, NOBODY);
        assert_eq!(s.offered(plain("gw"), at(now)).await, [1]);
    }
    let log = s.log(1).await;
    assert_eq!(log.first().unwrap(), "message_inserted");
    assert_eq!(log.last().unwrap(), "delivery_attempt_6");
    assert_eq!(log.len(), 7);
    assert_eq!(s.cdrs().await, []);
    s.report(1, delivered(), at(now)).await;
    assert_eq!(s.cdrs().await.remove(0).delivery_attempts, 7);
}

pub async fn d7_the_frontends_own_wait_beats_the_schedule(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    let wait = Some(Duration::from_secs(7));
    let report = Report::AttemptFailed {
        reason: Some("busy".into()),
        by: None,
        retry_after: wait,
        class: None,
        schedules: std::sync::Arc::default(),
    };
    s.report(1, report, at(0)).await;
    assert_eq!(s.offered(plain("gw"), at(6)).await, NOBODY);
    assert_eq!(s.offered(plain("gw"), at(7)).await, [1]);
    let events = s.store.events(id(1)).await.unwrap();
    assert!(events.last().unwrap().description.contains("busy"));
}

pub async fn d7_a_permanent_failure_ends_the_message(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, ended(FinalStatus::Failed), at(5)).await;
    let message = s.get(1).await;
    assert_eq!(message.status(), Status::Final(FinalStatus::Failed));
    assert_eq!(message.deliver_time(), None);
    let events = s.store.events(id(1)).await.unwrap();
    assert_eq!(events.last().unwrap().description, "because");
    assert_eq!(s.offered(fallback("gw"), at(DAY - 1)).await, NOBODY);
}

pub async fn d11_state_cdr_and_log_of_every_ending_come_together(s: Subject) {
    let reports = [
        (delivered(), FinalStatus::Delivered, "message_delivered"),
        (
            ended(FinalStatus::Expired),
            FinalStatus::Expired,
            "message_dead_letter",
        ),
        (
            ended(FinalStatus::Failed),
            FinalStatus::Failed,
            "message_failed",
        ),
        (
            ended(FinalStatus::Rejected),
            FinalStatus::Rejected,
            "message_failed",
        ),
        (
            ended(FinalStatus::Dropped),
            FinalStatus::Dropped,
            "message_dropped",
        ),
        (Report::Removed, FinalStatus::Failed, "message_deleted"),
    ];
    let mut expected = Vec::new();
    for (number, (report, how, event)) in (1..).zip(reports) {
        s.accept(vec![routed(number, "gw")]).await;
        s.report(number, report, at(9)).await;
        let message = s.get(number).await;
        assert_eq!(message.status(), Status::Final(how));
        assert_eq!(s.log(number).await.last().unwrap(), event);
        expected.push(cdr::of(&message).unwrap());
        assert_eq!(s.cdrs().await, expected);
    }
}

pub async fn d11_a_late_report_is_logged_and_changes_nothing(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    s.report(1, ended(FinalStatus::Rejected), at(5)).await;
    let (message, cdrs) = (s.get(1).await, s.cdrs().await);
    let log = s.store.events(id(1)).await.unwrap();
    let late = [
        Report::Delivered {
            by: Some(name("other")),
            at: None,
        },
        failed_attempt(),
        ended(FinalStatus::Failed),
        Report::Removed,
    ];
    for report in late {
        let outcome = s.try_report(1, report, at(7)).await;
        assert_eq!(
            said(&outcome),
            Err(NotDone::AlreadyFinal(FinalStatus::Rejected))
        );
    }
    assert_eq!(s.get(1).await, message);
    assert_eq!(s.cdrs().await, cdrs);
    let events = s.store.events(id(1)).await.unwrap();
    let (before, after) = events.split_at(log.len());
    assert_eq!(before, log);
    assert_eq!(after.len(), 4);
    for event in after {
        assert_eq!(event.name.as_str(), "late_report");
        assert_eq!((event.at, &event.source), (at(7), &node()));
    }
}

pub async fn d11_of_many_final_reports_at_once_one_wins(s: Subject) {
    s.accept(vec![routed(1, "gw")]).await;
    let kinds = [
        delivered(),
        ended(FinalStatus::Failed),
        ended(FinalStatus::Dropped),
    ];
    let reports = kinds.iter().cycle().take(24);
    let calls = reports.map(|r| s.store.report(vec![(id(1), r.clone())], scene(at(1))));
    let outcomes: Vec<Outcome> = all_at_once(calls)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    let winners: Vec<&Message> = outcomes
        .iter()
        .filter_map(|o| o.as_ref().ok())
        .map(|done| &done.message)
        .collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(s.get(1).await, *winners[0]);
    assert_eq!(s.cdrs().await, [cdr::of(winners[0]).unwrap()]);
    let late = s
        .log(1)
        .await
        .iter()
        .filter(|name| *name == "late_report")
        .count();
    assert_eq!(late, 23);
}

pub async fn d7_a_batch_has_an_outcome_each_in_order(s: Subject) {
    s.accept((1..=3).map(|n| routed(n, "gw")).collect()).await;
    let batch = vec![
        (id(2), failed_attempt()),
        (id(9), delivered()),
        (id(2), delivered()),
        (id(1), ended(FinalStatus::Failed)),
        (id(2), failed_attempt()),
    ];
    let outcomes = s.store.report(batch, scene(at(3))).await.unwrap();
    let said: Vec<_> = outcomes.iter().map(said).collect();
    let delivered = FinalStatus::Delivered;
    let expected = [
        Ok(Status::Pending),
        Err(NotDone::NotFound),
        Ok(Status::Final(delivered)),
        Ok(Status::Final(FinalStatus::Failed)),
        Err(NotDone::AlreadyFinal(delivered)),
    ];
    assert_eq!(said, expected);
    let ended: Vec<_> = s.cdrs().await.iter().map(|cdr| cdr.message_id).collect();
    assert_eq!(ended, [2, 1]);
    assert_eq!(s.offered(plain("gw"), at(3)).await, [3]);
}

pub async fn s3_a_report_on_an_unknown_message_is_not_found(s: Subject) {
    for report in [
        delivered(),
        failed_attempt(),
        ended(FinalStatus::Failed),
        Report::Removed,
    ] {
        let outcome = s.try_report(1, report, at(0)).await;
        assert_eq!(said(&outcome), Err(NotDone::NotFound));
    }
    assert_eq!(s.log(1).await, [""; 0]);
    assert_eq!(
        s.store.outbox(10).await.unwrap(),
        Vec::<(OutboxSeq, cdr::Cdr)>::new()
    );
}

pub async fn s3_1_a_report_tells_where_the_message_waits(s: Subject) {
    s.locate(sighting("001", "+15550000001", "ims"), at(0))
        .await;
    s.accept(vec![
        to_number(1, "+15550000001"),
        unrouted(2),
        routed(3, "gw"),
    ])
    .await;
    for (number, queue) in [(1, Some("ims")), (2, None), (3, Some("gw"))] {
        let done = s.report(number, failed_attempt(), at(1)).await;
        assert_eq!(done.queued_for, queue.map(name));
        assert_eq!(s.report(number, delivered(), at(2)).await.queued_for, None);
    }
}
