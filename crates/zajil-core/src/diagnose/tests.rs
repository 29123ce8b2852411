//! Every life, and what each leads to, as the sentences that an operator reads (S14.4).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::charge::FailureAction;
use crate::event::{EventName, NodeName, Scene};
use crate::frontend::{FrontendType, Registration};
use crate::lifecycle::{self, Edit, Report, Settlement};
use crate::location::Sighting;
use crate::message::Fallback;
use crate::message::sample::{at, name, pending};
use crate::policy::Pause;
use crate::retry::schedule::ErrorClass;
use crate::route::RouteId;
use crate::status::FinalStatus;

const KEPT: Kept = Kept {
    messages: Duration::from_secs(24 * 3_600),
    events: Duration::from_secs(7 * 24 * 3_600),
    cdrs: true,
};

/// A case: facts with an owner.
struct Case {
    now: i64,
    message: Message,
    events: Vec<Event>,
    location: Option<Location>,
    frontends: Vec<Presence>,
    pause: Option<Pause>,
    line: Line,
    routes_today: Option<Vec<Outcome>>,
    cdr: CdrState,
}

fn scene(secs: i64) -> Scene {
    Scene {
        now: at(secs),
        node: NodeName::new("node-a"),
    }
}

impl Case {
    /// A message for `gw` at second 1100, accepted at 1000, that lives until 2000.
    fn new() -> Self {
        Self {
            now: 1_100,
            message: pending(),
            events: vec![scene(1_000).event(EventName::Inserted, "")],
            location: None,
            frontends: Vec::new(),
            pause: None,
            line: Line::Unknown,
            routes_today: None,
            cdr: CdrState::Unknown,
        }
    }

    /// The message without a frontend, as no route took it.
    fn unrouted() -> Self {
        let mut case = Self::new();
        case.message.dest_smsc = None;
        let failed = scene(1_000).event(EventName::RoutingFailed, "no route matches");
        case.events.push(failed);
        case
    }

    /// `gw` registered then.
    fn registered(mut self, secs: i64) -> Self {
        let registration = Registration {
            name: name("gw"),
            kind: FrontendType::Smpp,
            ip_address: None,
            hostname: None,
            uptime_seconds: None,
            configuration: None,
        };
        self.frontends
            .push(Presence::begin(1, registration, at(secs)));
        self
    }

    fn reported(mut self, secs: i64, report: &Report) -> Self {
        let lines = lifecycle::report(&mut self.message, report, &scene(secs));
        self.events.extend(lines.unwrap());
        self
    }

    fn located(mut self, sighting: Sighting) -> Self {
        self.location = Some(Location::first(1, "001".into(), sighting, at(900)));
        self
    }

    fn told(&self) -> String {
        let facts = Facts {
            now: at(self.now),
            message: &self.message,
            events: &self.events,
            location: self.location.as_ref(),
            frontends: &self.frontends,
            pause: self.pause.as_ref(),
            line: self.line,
            routes_today: self.routes_today.as_deref(),
            cdr: self.cdr,
            kept: KEPT,
        };
        let findings = explain(&facts);
        assert!(!findings.is_empty());
        findings
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect()
    }
}

fn failed(reason: &str) -> Report {
    Report::AttemptFailed {
        reason: Some(reason.into()),
        retry_after: Some(Duration::from_secs(120)),
        class: None,
        schedules: Arc::default(),
        by: None,
    }
}

/// Nobody could take it.
fn congested() -> Report {
    Report::AttemptFailed {
        reason: Some("the gateway is busy".into()),
        retry_after: Some(Duration::from_secs(90)),
        class: Some(ErrorClass::Congestion),
        schedules: Arc::default(),
        by: None,
    }
}

fn ended(how: FinalStatus, reason: Option<&str>) -> Report {
    Report::Ended {
        how,
        reason: reason.map(str::to_owned),
    }
}

fn sighting(frontend: &str, expires: Option<i64>) -> Sighting {
    Sighting {
        location: Some(name(frontend)),
        expires: expires.map(|secs| Some(at(secs))),
        ..Sighting::default()
    }
}

#[test]
fn s14_4_due_and_its_frontend_does_not_take_it() {
    expect![[r#"
        frontend_unknown: no frontend 'gw' has registered here, as far back as the history goes -> start it, or give the message to another: PATCH dest_smsc
        not_taken: due since 1970-01-01T00:16:40Z (1 min 40 s ago), and 'gw' has not taken it
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&Case::new().told());
    let mut gone = Case::new().registered(1_000);
    gone.now = 1_500;
    gone.line = Line::First;
    expect![[r#"
        frontend_inactive: its frontend 'gw' is not active since 1970-01-01T00:18:10Z (6 min 50 s ago); it registered last at 1970-01-01T00:16:40Z (8 min 20 s ago) -> start it or mend its connection (GET /api/frontends/history/gw), or give the message to another: PATCH dest_smsc
        not_taken: due since 1970-01-01T00:16:40Z (8 min 20 s ago) and first in line: 'gw' has not taken it with a lease nor reported on it -> see whether 'gw' polls, with the header smsc: gw or ?smsc=gw
        expires: its life ends at 1970-01-01T00:33:20Z (in 8 min 20 s), as expired
    "#]]
    .assert_eq(&gone.told());
    let mut idle = Case::new().registered(1_090);
    idle.line = Line::First;
    expect![[r#"
        not_taken: due since 1970-01-01T00:16:40Z (1 min 40 s ago) and first in line: 'gw' is active, but has not taken it with a lease nor reported on it -> see whether 'gw' polls, with the header smsc: gw or ?smsc=gw
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&idle.told());
    let mut busy = Case::new().registered(1_090);
    busy.line = Line::Behind(at(700));
    expect![[r#"
        behind_others: due, but others for 'gw' come first: the first of them has been due for 6 min 40 s -> the frontend takes fewer than arrive: more pollers, or another
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&busy.told());
}

#[test]
fn s14_4_a_paused_frontend_gets_nothing_and_says_why() {
    let mut case = Case::new().registered(1_090);
    case.line = Line::First;
    case.pause = Some(Pause {
        since: at(1_080),
        until: Some(at(1_200)),
        reason: "maintenance".to_owned(),
    });
    expect![[r#"
        frontend_paused: 'gw' gets nothing since 1970-01-01T00:18:00Z (20 s ago), until 1970-01-01T00:20:00Z (in 1 min 40 s): maintenance -> POST /api/frontends/gw/resume, or give the message to another: PATCH dest_smsc
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&case.told());
}

#[test]
fn s14_4_held_put_off_and_scheduled() {
    let mut held = Case::new().registered(1_090);
    held.message.life = Life::Pending {
        leased_until: Some(at(1_130)),
    };
    expect![[r#"
        leased: a poller of 'gw' holds it until 1970-01-01T00:18:50Z (in 30 s); without a report it is offered again then -> if that poller is gone, zajil message retry 7 takes it back at once
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&held.told());
    let off = Case::new()
        .registered(1_090)
        .reported(1_050, &failed("absent subscriber"));
    expect![[r#"
        put_off: put off until 1970-01-01T00:19:30Z (in 1 min 10 s) after 1 failed attempt; the last one failed at 1970-01-01T00:17:30Z (50 s ago): absent subscriber -> zajil message retry 7 makes it due now
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&off.told());
    let busy = Case::new().registered(1_090).reported(1_050, &congested());
    expect![[r#"
        put_off: put off until 1970-01-01T00:19:00Z (in 40 s), without counting an attempt: its frontend could not take it at 1970-01-01T00:17:30Z (50 s ago): the gateway is busy -> zajil message retry 7 makes it due now
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&busy.told());
    let mut forgotten = off;
    forgotten.events.clear();
    expect![[r#"
        put_off: put off until 1970-01-01T00:19:30Z (in 1 min 10 s) after 1 failed attempt -> zajil message retry 7 makes it due now
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
        log_over: its event log is over (event_ttl_days), so reasons are not known any more
    "#]]
    .assert_eq(&forgotten.told());
    let mut scheduled = Case::new();
    scheduled.message.deliver_after = Some(at(1_900));
    expect![[r#"
        scheduled: scheduled by its sender: it is not offered before 1970-01-01T00:31:40Z (in 13 min 20 s) -> zajil message retry 7 makes it due now
        frontend_unknown: no frontend 'gw' has registered here, as far back as the history goes -> start it, or give the message to another: PATCH dest_smsc
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&scheduled.told());
    let mut edited = Case::new().reported(1_050, &failed("busy"));
    let edit = Edit {
        deliver_after: Some(Some(at(1_800))),
        ..Edit::default()
    };
    let lines = lifecycle::edit(&mut edited.message, edit, &scene(1_060)).unwrap();
    edited.events.extend(lines);
    expect![[r#"
        scheduled: scheduled by an edit: it is not offered before 1970-01-01T00:30:00Z (in 11 min 40 s) -> zajil message retry 7 makes it due now
        frontend_unknown: no frontend 'gw' has registered here, as far back as the history goes -> start it, or give the message to another: PATCH dest_smsc
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&edited.told());
}

#[test]
fn s14_4_unrouted_and_what_a_location_says() {
    let mut nobody = Case::unrouted();
    nobody.routes_today = Some(Vec::new());
    expect![[r#"
        unrouted: no route matched when it was accepted; it waits for a location of its destination, an edit, or a frontend that polls with include-unrouted -> give it to a frontend: PATCH /api/messages/7 {"dest_smsc": "NAME"}
        location_unknown: no location of its destination is known
        no_route_today: no route of today would take it either -> add a route: it holds for new messages
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&nobody.told());
    let by_location = [
        sighting("ims", Some(1_000)),
        Sighting {
            registered: Some(false),
            ..sighting("ims", None)
        },
        Sighting::default(),
        sighting("ims", None),
    ];
    let second = |told: String| told.lines().nth(1).unwrap_or_default().to_owned() + "\n";
    let told: String = by_location
        .into_iter()
        .map(|sighting| second(Case::unrouted().located(sighting).told()))
        .collect();
    expect![[r#"
        location_expired: the location of its destination has run out at 1970-01-01T00:16:40Z (1 min 40 s ago)
        location_detached: its destination is detached, as told at 1970-01-01T00:15:00Z (3 min 20 s ago)
        location_without_frontend: the location of its destination, of 1970-01-01T00:15:00Z (3 min 20 s ago), names no frontend
        not_taken: due since 1970-01-01T00:16:40Z (1 min 40 s ago), and 'ims' has not taken it
    "#]]
    .assert_eq(&told);
    let mut elsewhere = Case::new().registered(1_090).located(sighting("ims", None));
    elsewhere.routes_today = Some(vec![Outcome {
        route: RouteId(4),
        share: 1,
        of: 1,
        dest_smsc: Some(name("gw2")),
        absent: Vec::new(),
        fallback: Vec::new(),
        charged: false,
    }]);
    expect![[r#"
        not_taken: due since 1970-01-01T00:16:40Z (1 min 40 s ago), and 'gw' has not taken it
        location_elsewhere: the location of its destination names 'ims', but 'gw' was decided on when it was accepted or edited -> let the location decide: PATCH /api/messages/7 {"dest_smsc": null}
        route_today: accepted now it would take route 4 to 'gw2' -> routes hold for new messages; for this one: PATCH /api/messages/7 {"dest_smsc": "gw2"}
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
    "#]]
    .assert_eq(&elsewhere.told());
}

#[test]
fn s14_4_followers_charges_and_the_end_of_a_life() {
    let mut next = Case::new().registered(1_090);
    next.message.arranged.fallback = Some(Fallback {
        rest: vec![name("gw2"), name("gw3")],
        after: Duration::from_secs(60),
        at: at(1_120),
    });
    next.message.arranged.debited = NonZeroU32::new(2);
    expect![[r#"
        not_taken: due since 1970-01-01T00:16:40Z (1 min 40 s ago), and 'gw' has not taken it
        followers: 'gw2', then 'gw3' follows unless it is taken by 1970-01-01T00:18:40Z (in 20 s)
        expires: its life ends at 1970-01-01T00:33:20Z (in 15 min), as expired
        debited: the price of 2 parts was taken
    "#]]
    .assert_eq(&next.told());
    next.now = 1_121;
    let overdue = next.told();
    assert!(
        overdue.contains("'gw2', then 'gw3' follows with the next sweep"),
        "{overdue}"
    );
    let mut charged = Case::new();
    for on_failure in [FailureAction::Allow, FailureAction::Deny] {
        charged.message.life = Life::Charging {
            until: at(1_105),
            on_failure,
        };
        for now in [1_100, 1_106] {
            charged.now = now;
            let told = charged.told();
            assert!(told.starts_with("waits_for_charge: "), "{told}");
        }
    }
    expect![[r#"
        waits_for_charge: the charging system has not answered; it is rejected with the next sweep (due 1970-01-01T00:18:25Z (1 s ago)) -> see the part 'charging' of GET /readyz
        expires: its life ends at 1970-01-01T00:33:20Z (in 14 min 54 s), as expired
    "#]]
    .assert_eq(&charged.told());
    let mut over = Case::new();
    over.now = 2_000;
    expect![[r#"
        life_over: its life was over at 1970-01-01T00:33:20Z (0 s ago); the next sweep ends it as expired
    "#]]
    .assert_eq(&over.told());
}

#[test]
fn s14_4_every_end_has_its_reason_and_its_cdr() {
    let report = |report: Report, cdr: CdrState| {
        let mut case = Case::new().reported(1_050, &report);
        case.cdr = cdr;
        case.told() + "\n"
    };
    let mut told = report(
        Report::Delivered {
            by: Some(name("gw")),
            at: None,
        },
        CdrState::Written,
    );
    told += &report(ended(FinalStatus::Expired, None), CdrState::Waits(3));
    let absent = Some("unknown subscriber");
    told += &report(ended(FinalStatus::Failed, absent), CdrState::Written);
    told += &report(Report::Removed, CdrState::Written);
    told += &report(ended(FinalStatus::Dropped, None), CdrState::Written);
    let mut refused = Case::new();
    refused.message.life = Life::Charging {
        until: at(1_200),
        on_failure: FailureAction::Deny,
    };
    let why = "the account has no credit".to_owned();
    let verdict = Report::Charged(Settlement::Rejected { why });
    told += &refused.reported(1_001, &verdict).told();
    expect![[r#"
        delivered: delivered by 'gw' at 1970-01-01T00:17:30Z (50 s ago) after 0 failed attempts, reported to node node-a
        cdr_written: its CDR is written
        kept_until: it can be read here until 1970-01-02T00:17:30Z (in 23 h 59 min)

        expired: its life was over before anybody delivered it; ended at 1970-01-01T00:17:30Z (50 s ago) by node node-a: expired after 0 failed attempts
        never_attempted: 'gw' never reported an attempt -> GET /api/frontends/history/gw shows when 'gw' was active
        cdr_waits: its CDR waits in the outbox, which holds 3 -> if it stays there the CDR database is away: zajil doctor
        kept_until: it can be read here until 1970-01-02T00:17:30Z (in 23 h 59 min)

        failed: given up for good by 'gw' at 1970-01-01T00:17:30Z (50 s ago), reported to node node-a: unknown subscriber -> submit it again once the reason is gone: an end is never taken back
        cdr_written: its CDR is written
        kept_until: it can be read here until 1970-01-02T00:17:30Z (in 23 h 59 min)

        failed: removed at 1970-01-01T00:17:30Z (50 s ago) on node node-a: removed before delivery
        cdr_written: its CDR is written
        kept_until: it can be read here until 1970-01-02T00:17:30Z (in 23 h 59 min)

        dropped: a route with 'drop' took it at 1970-01-01T00:17:30Z (50 s ago) on node node-a -> zajil route simulate shows which route does so, and why
        cdr_written: its CDR is written
        kept_until: it can be read here until 1970-01-02T00:17:30Z (in 23 h 59 min)

        rejected: charging refused it at 1970-01-01T00:16:41Z (1 min 39 s ago) on node node-a: the account has no credit -> see the account at the charging system, and 'charging' of GET /readyz
        kept_until: it can be read here until 1970-01-02T00:16:41Z (in 23 h 58 min)
    "#]]
    .assert_eq(&told);
}

#[test]
fn s14_4_an_expired_message_tells_its_last_failure_late_reports_and_unpaid_way() {
    let mut case = Case::new()
        .reported(1_050, &failed("absent subscriber"))
        .reported(1_200, &ended(FinalStatus::Expired, None));
    case.message.charge_failed = true;
    let scene = scene(1_010);
    let lines = [
        (EventName::ChargingFailed, "no answer within 5 s"),
        (EventName::LateReport, "delivered"),
    ];
    let lines = lines.map(|(name, told)| scene.event(name, told));
    case.events.extend(lines);
    case.now = 90_000;
    expect![[r#"
        expired: its life was over before anybody delivered it; ended at 1970-01-01T00:20:00Z (1 d ago) by node node-a: expired after 1 failed attempts
        last_failure: the last of 1 attempt failed at 1970-01-01T00:17:30Z (1 d ago): absent subscriber
        kept_until: it leaves with the next retention sweep after its CDR is written
        charge_failed: it went on unpaid, because charging failed: no answer within 5 s -> see the part 'charging' of GET /readyz
        late_reports: 1 report came after its end -> a frontend reports too late, or twice: compare its lease with its work
    "#]]
    .assert_eq(&case.told());
}

#[test]
fn s14_4_an_unknown_id_tells_what_it_can() {
    let issued = 1_704_067_200 + 1_000_000;
    let id = MessageId::floor_of(at(issued));
    let told = |after: i64, events: &[Event]| {
        let missing = Missing {
            now: at(issued + after),
            id,
            events,
            kept: KEPT,
        };
        let findings = explain_missing(&missing);
        findings
            .iter()
            .map(|finding| format!("{finding}\n"))
            .collect::<String>()
            + "\n"
    };
    let line = |name, description: &str| scene(issued + 10).event(name, description);
    let delivered = [line(EventName::Delivered, "gw")];
    let removed = [line(EventName::Deleted, "removed before delivery")];
    let day = 24 * 3_600;
    let mut all = told(-60, &[]);
    all += &told(60, &[]);
    all += &told(8 * day, &[]);
    all += &told(60, &removed);
    all += &told(60, &delivered);
    all += &told(2 * day, &delivered);
    all += &told(60, &[line(EventName::Other("hlr".into()), "")]);
    expect![[r#"
        id_of_the_future: no node has handed out this id: it stands for 2024-01-12T13:46:40Z (in 1 min) -> check the number; if it is right, the clock of a node was ahead

        never_seen: it was never here: a message accepted at 2024-01-12T13:46:40Z (1 min ago), for which this id stands, would have left a log, and logs are kept for 7 d -> check the number; another node, or the store before a restore, may have it

        past_log: there is no trace of it; if it was here it was accepted at 2024-01-12T13:46:40Z (8 d ago), and logs are kept for 7 d -> look for its CDR: SELECT * FROM cdrs WHERE message_id = …

        removed: somebody removed it: removed before delivery -> look for its CDR: SELECT * FROM cdrs WHERE message_id = …
        log_says: the last line of its log, at 2024-01-12T13:46:50Z (50 s ago): message_deleted: removed before delivery (node node-a)

        removed: it ended at 2024-01-12T13:46:50Z (50 s ago), and was removed after that -> look for its CDR: SELECT * FROM cdrs WHERE message_id = …
        log_says: the last line of its log, at 2024-01-12T13:46:50Z (50 s ago): message_delivered: gw (node node-a)

        past_retention: it ended at 2024-01-12T13:46:50Z (1 d 23 h ago); messages are kept for 1 d after that -> look for its CDR: SELECT * FROM cdrs WHERE message_id = …
        log_says: the last line of its log, at 2024-01-12T13:46:50Z (1 d 23 h ago): message_delivered: gw (node node-a)

        past_retention: it is not here any more; its log is -> look for its CDR: SELECT * FROM cdrs WHERE message_id = …
        log_says: the last line of its log, at 2024-01-12T13:46:50Z (50 s ago): hlr (node node-a)

    "#]]
    .assert_eq(&all);
}
