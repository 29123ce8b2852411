//! The random operations: each is made once, applied to both, and its answers compared.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::charge::FailureAction;
use zajil_core::concatenation::{Concatenation, Reference};
use zajil_core::event::{Event, EventName, NodeName};
use zajil_core::lifecycle::{Edit, Report, Settlement};
use zajil_core::location::Sighting;
use zajil_core::message::{Fallback, Life};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::offer::Asker;
use zajil_core::port::RoutingChange;
use zajil_core::receipt::On;
use zajil_core::retry::Attempt;
use zajil_core::route::{RouteId, Terms};
use zajil_core::smpp::{Awaited, Origin, place};
use zajil_core::status::{FinalStatus, Status};
use zajil_core::translate::RuleId;

use super::super::build::{dropped, ended, id, keyed, message, name, registration, scene};
use super::super::purge::purge;
use super::super::receipts::origin;
use super::super::routing::{rule_terms, terms};
use super::super::subject::ALL;
use super::Lockstep;
use super::compare::{by_id, told};
use crate::contract::{Draft, Filter, OfferAsk, Retention};

const FRONTENDS: [&str; 4] = ["gw", "other", "ims", "msc"];
const ENDINGS: [FinalStatus; 4] = [
    FinalStatus::Expired,
    FinalStatus::Failed,
    FinalStatus::Rejected,
    FinalStatus::Dropped,
];
const FOREVER: Duration = Duration::from_secs(1_000_000_000);
const BARELY: Duration = Duration::from_millis(1);

/// The numbers that a subscriber may have, no two subscribers the same.
fn number_of(subscriber: u64, second: bool) -> String {
    format!(
        "{}",
        15_550_000_000 + subscriber + if second { 100 } else { 0 }
    )
}

impl Lockstep {
    fn frontend(&mut self) -> &'static str {
        self.dice.pick::<&'static str>(&FRONTENDS)
    }

    fn destination(&mut self) -> String {
        let plus = if self.dice.chance(50) { "+" } else { "" };
        let (subscriber, second) = (1 + self.dice.below(6), self.dice.chance(30));
        format!("{plus}{}", number_of(subscriber, second))
    }

    fn draft(&mut self) -> Draft {
        self.last_id += 1 + self.dice.below(3);
        let number = self.last_id;
        let mut draft = if self.dice.chance(5) {
            dropped(number)
        } else {
            super::super::build::draft(message(number))
        };
        let message = Arc::make_mut(&mut draft.message);
        message.inserted_at = self.now;
        message.updated_at = self.now;
        message.content.destination = Msisdn::restore(&self.destination());
        if self.dice.chance(30) {
            message.content.source = Sender::restore(&self.destination());
        }
        if self.dice.chance(50) {
            message.dest_smsc = Some(name(self.frontend()));
        }
        if self.dice.chance(20) {
            message.deliver_after = Some(self.later());
        }
        message.expires = self.later();
        if self.dice.chance(10) && message.dest_smsc.is_some() {
            message.arranged.fallback = Some(Fallback {
                rest: vec![name(FRONTENDS[0]), name(FRONTENDS[2])],
                after: Duration::from_secs(60),
                at: self.now.plus(Duration::from_secs(60)),
            });
        }
        if self.dice.chance(20) {
            let receipt = *self.dice.pick(&On::ALL);
            message.arranged.origin = Some(Box::new(Origin {
                intermediate: true,
                findable: self.dice.chance(50),
                ..origin(receipt)
            }));
        }
        if self.dice.chance(10) {
            message.arranged.debited = NonZeroU32::new(2);
        }
        if self.dice.chance(10) && message.ending().is_none() {
            let on_failure = *self.dice.pick(&FailureAction::ALL);
            let until = self.now.plus(Duration::from_secs(30));
            message.life = Life::Charging { until, on_failure };
        }
        if self.dice.chance(30) {
            message.content.tp.concatenation = Some(self.some_part());
        }
        if self.dice.chance(10) {
            message.content.raw_pdu = Some(self.dice.roll().to_be_bytes().to_vec());
        }
        if self.dice.chance(25) {
            let [key, body] = [5, 2].map(|n| u8::try_from(self.dice.below(n)).unwrap());
            let until = self.later().plus(Duration::from_millis(5));
            return keyed(draft, key, body, until);
        }
        draft
    }

    /// A part of a text, of few that there are.
    fn some_part(&mut self) -> Concatenation {
        let reference = if self.dice.chance(80) {
            Reference::Bits8(7)
        } else {
            Reference::Bits16(7)
        };
        let total = *self.dice.pick(&[1, 3, 3, 3]);
        Concatenation {
            reference,
            total,
            sequence: 1 + u8::try_from(self.dice.below(total.into())).unwrap(),
        }
    }

    pub(super) async fn accept(&mut self) {
        let mut drafts: Vec<Draft> = (0..=self.dice.below(4)).map(|_| self.draft()).collect();
        if self.dice.chance(5) {
            // An id that is taken keeps the whole batch out.
            let twin = Draft {
                dedupe: None,
                ..drafts[0].clone()
            };
            drafts[0].dedupe = None;
            drafts.push(twin);
        }
        let theirs = self.theirs.store.accept(drafts.clone(), self.now).await;
        let ours = self.ours.store.accept(drafts, self.now).await;
        self.same("accept", theirs.ok(), ours.ok());
    }

    fn ask(&mut self) -> OfferAsk {
        let asker = Asker {
            name: name(self.frontend()),
            include_unrouted: self.dice.chance(30),
        };
        OfferAsk {
            asker,
            limit: self.limit(),
            now: self.now,
        }
    }

    pub(super) async fn offer(&mut self) {
        let ask = self.ask();
        let theirs = self.theirs.store.offer(ask.clone()).await;
        let ours = self.ours.store.offer(ask.clone()).await;
        self.same(&format!("{ask:?}"), theirs, ours);
    }

    pub(super) async fn lease(&mut self) {
        let (ask, until) = (self.ask(), self.now.plus(Duration::from_secs(60)));
        let theirs = self.theirs.store.lease(ask.clone(), until).await;
        let ours = self.ours.store.lease(ask.clone(), until).await;
        self.same(&format!("lease {ask:?}"), theirs, ours);
    }

    /// An instant at or before the model's, which is exact.
    pub(super) async fn next_due(&mut self) {
        let asker = self.ask().asker;
        let theirs = self.theirs.store.next_due(asker.clone(), self.now).await;
        let theirs = theirs.unwrap();
        if let Some(due) = self.ours.store.next_due(asker, self.now).await.unwrap() {
            let early = theirs.is_some_and(|said| said <= due);
            self.same(
                &format!("next_due {theirs:?} is not after {due:?}"),
                early,
                true,
            );
        }
    }

    fn some_parts(&mut self) -> Awaited {
        let first = self.dice.below(20);
        let ids = first..=first + self.dice.below(3);
        Awaited {
            carrier: name(self.frontend()),
            ids: ids.map(|id| id.to_string()).collect(),
            tail: "000002".into(),
            until: self.later(),
        }
    }

    fn some_report(&mut self) -> Report {
        match self.dice.below(14) {
            10 => Report::Refused {
                by: None,
                reason: None,
            },
            11 => Report::Charged(Settlement::Granted {
                debited: NonZeroU32::new(4),
            }),
            13 => Report::Taken {
                by: self.dice.chance(50).then(|| name(self.frontend())),
                until: self.later(),
                told: "taken".into(),
                parts: self.dice.chance(80).then(|| self.some_parts()),
            },
            12 => Report::Charged(Settlement::Rejected { why: "no".into() }),
            0..=2 => {
                let by = self.dice.chance(50).then(|| name(self.frontend()));
                Report::Delivered {
                    by,
                    at: self.dice.chance(30).then(|| self.later()),
                }
            }
            3..=7 => {
                let wait = [0, 10, 5_000, 90_000];
                let retry_after = self.dice.chance(60).then(|| *self.dice.pick(&wait));
                let retry_after = retry_after.map(Duration::from_millis);
                Report::AttemptFailed {
                    reason: Some("it \"failed\"".into()),
                    by: None,
                    retry_after,
                    class: None,
                    schedules: std::sync::Arc::default(),
                }
            }
            8 => ended(*self.dice.pick(&ENDINGS)),
            _ => Report::Removed,
        }
    }

    /// A carrier says something of what it took, or is late.
    pub(super) async fn await_parts(&mut self) {
        let carrier = name(self.frontend());
        let ids: Vec<String> = (0..25).map(|id| id.to_string()).collect();
        let one = self.dice.pick(&ids).clone();
        let (now, limit) = (self.now, self.limit());
        let number = self.some_id();
        let of = vec![(id(number), self.now)];
        let forgets = self.dice.chance(30);
        let mut both = Vec::new();
        for store in [&self.theirs.store, &self.ours.store] {
            let left = store.part_delivered(carrier.clone(), one.clone()).await;
            let found = store.awaited_parts(carrier.clone(), ids.clone()).await;
            let late = store.overdue_parts(now, limit).await;
            let mut gone = Vec::new();
            if forgets {
                gone = store.forget_parts(of.clone()).await.unwrap();
                gone.sort();
            }
            both.push((left, found, late, gone));
        }
        let ours = both.pop();
        self.same("awaited parts", both.pop(), ours);
    }

    pub(super) async fn report(&mut self) {
        let reports: Vec<_> = (0..=self.dice.below(4))
            .map(|_| (id(self.some_id()), self.some_report()))
            .collect();
        let theirs = self
            .theirs
            .store
            .report(reports.clone(), scene(self.now))
            .await
            .unwrap();
        let ours = self
            .ours
            .store
            .report(reports.clone(), scene(self.now))
            .await
            .unwrap();
        let [theirs, ours] =
            [theirs, ours].map(|outcomes| outcomes.into_iter().map(told).collect::<Vec<_>>());
        self.same(&format!("{reports:?}"), theirs, ours);
    }

    fn some_edit(&mut self) -> Edit {
        let dest_smsc = self.dice.chance(40).then(|| self.dice.chance(50));
        let dest_smsc = dest_smsc.map(|decided| decided.then(|| name(self.frontend())));
        let deliver_after = self.dice.chance(30).then(|| self.dice.chance(50));
        Edit {
            dest_smsc,
            body: self
                .dice
                .chance(20)
                .then(|| ("edited".into(), NonZeroU32::MIN)),
            deliver_after: deliver_after.map(|set| set.then(|| self.later())),
            expires: self.dice.chance(30).then(|| self.later()),
            attempts: self.dice.chance(20).then(|| Attempt::new(2)),
            source_imsi: self.dice.chance(10).then(|| Some("009".into())),
            dest_imsi: self.dice.chance(10).then_some(None),
            charge_failed: self.dice.chance(10).then_some(true),
            report: self.dice.chance(10).then(|| self.some_report()),
            origin: self.dice.chance(10).then(|| Box::new(origin(On::Always))),
            unless_held: self.dice.chance(20),
        }
    }

    pub(super) async fn edit(&mut self) {
        let (number, edit) = (self.some_id(), self.some_edit());
        let theirs = self
            .theirs
            .store
            .edit(id(number), edit.clone(), scene(self.now))
            .await;
        let ours = self
            .ours
            .store
            .edit(id(number), edit.clone(), scene(self.now))
            .await;
        self.same(
            &format!("{number}: {edit:?}"),
            theirs.map(told),
            ours.map(told),
        );
        self.compare_message(number).await;
    }

    pub(super) async fn remove(&mut self) {
        let number = self.some_id();
        let theirs = self.theirs.store.remove(id(number), scene(self.now)).await;
        let ours = self.ours.store.remove(id(number), scene(self.now)).await;
        self.same(&format!("remove {number}"), theirs, ours);
        self.compare_message(number).await;
    }

    pub(super) async fn look_up(&mut self) {
        let number = self.some_id();
        self.compare_message(number).await;
        self.compare_outbox().await;
        let destination = self.destination();
        let theirs = self.theirs.store.location_of(destination.clone()).await;
        let ours = self.ours.store.location_of(destination).await;
        self.same("location_of", theirs, ours);
    }

    pub(super) async fn list(&mut self) {
        let filter = Filter {
            status: self.dice.chance(50).then(|| *self.dice.pick(&Status::ALL)),
            number: self.dice.chance(50).then(|| self.destination()),
            dest_smsc: self.dice.chance(20).then(|| Some(name(self.frontend()))),
            source_smsc: None,
            from: self.dice.chance(10).then_some(self.now),
            to: None,
            scheduled_after: self.dice.chance(10).then_some(self.now),
            place: self.dice.chance(20).then(|| {
                let origin = origin(On::Never);
                place(
                    &name("alice"),
                    &origin.source.value,
                    &origin.destination.value,
                )
            }),
            before: self.dice.chance(20).then(|| id(self.some_id())),
            limit: self.limit(),
            offset: *self.dice.pick(&[0, 0, 2, 50]),
        };
        let theirs = self.theirs.store.messages(filter.clone()).await;
        let ours = self.ours.store.messages(filter.clone()).await;
        self.same(&format!("{filter:?}"), theirs, ours);
    }

    pub(super) async fn add_event(&mut self) {
        let number = self.some_id();
        let event = Event {
            name: EventName::Other("hlr_query".into()),
            description: format!("in step {}", self.step),
            at: self.now,
            source: NodeName::new("hlr"),
        };
        let theirs = self.theirs.store.add_event(id(number), event.clone()).await;
        let ours = self.ours.store.add_event(id(number), event).await;
        self.same(&format!("add_event {number}"), theirs, ours);
    }

    pub(super) async fn expire(&mut self) {
        let theirs = self.theirs.store.sweep(scene(self.now), ALL).await;
        let ours = self.ours.store.sweep(scene(self.now), ALL).await;
        self.same("expire", theirs.map(by_id), ours.map(by_id));
    }

    /// Whether the log of a removed message leaves with the message or waits for its CDR is open,
    /// so the outbox is drained before logs are purged.
    pub(super) async fn purge(&mut self) {
        let logs = self.dice.chance(50);
        if logs {
            self.theirs.drain().await;
            self.ours.drain().await;
        }
        let keep = Retention {
            messages: BARELY,
            events: if logs { BARELY } else { FOREVER },
            frontends: if self.dice.chance(30) {
                BARELY
            } else {
                FOREVER
            },
        };
        let theirs = purge(&self.theirs, keep, self.now).await;
        let ours = purge(&self.ours, keep, self.now).await;
        self.same("purged keys", theirs.keys, ours.keys);
        self.same("purged frontends", theirs.frontends, ours.frontends);
    }

    /// Looks at the refunds, begins one, and is done with one.
    pub(super) async fn refund(&mut self) {
        let theirs = self.theirs.store.refunds(self.now, ALL).await.unwrap();
        let ours = self.ours.store.refunds(self.now, ALL).await.unwrap();
        self.same("refunds", &theirs, &ours);
        let number = ours.first().map_or(1, |refund| refund.call.message.get());
        let theirs = self.theirs.store.begin_refund(id(number), self.now).await;
        let ours = self.ours.store.begin_refund(id(number), self.now).await;
        self.same("begin_refund", theirs, ours);
        if self.dice.chance(50) {
            let line = scene(self.now).event(EventName::ChargingAttempted, "refunded");
            let line = self.dice.chance(70).then_some(line);
            let theirs = self
                .theirs
                .store
                .refund_done(id(number), line.clone())
                .await;
            let ours = self.ours.store.refund_done(id(number), line).await;
            self.same("refund_done", theirs, ours);
        }
    }

    pub(super) async fn register(&mut self) {
        let mut registration = registration(self.frontend());
        registration.uptime_seconds = Some(self.step.into());
        let theirs = self
            .theirs
            .store
            .register(registration.clone(), self.now)
            .await;
        let ours = self.ours.store.register(registration, self.now).await;
        self.same("register", theirs, ours);
        self.compare_presence().await;
    }

    pub(super) async fn locate(&mut self) {
        let subscriber = 1 + self.dice.below(6);
        let msisdn = self.dice.chance(70).then(|| {
            let plus = if self.dice.chance(50) { "+" } else { "" };
            format!("{plus}{}", number_of(subscriber, self.dice.chance(30)))
        });
        let ends = self.dice.chance(50).then(|| self.dice.chance(70));
        let sighting = Sighting {
            imsi: Some(format!("00{subscriber}")),
            msisdn,
            location: self.dice.chance(80).then(|| name(self.frontend())),
            registered: self.dice.chance(30).then(|| self.dice.chance(60)),
            expires: ends.map(|set| set.then(|| self.later().plus(Duration::from_secs(1)))),
            ..Sighting::default()
        };
        let theirs = self
            .theirs
            .store
            .locate(None, sighting.clone(), self.now)
            .await;
        let ours = self
            .ours
            .store
            .locate(None, sighting.clone(), self.now)
            .await;
        self.same(&format!("{sighting:?}"), theirs, ours);
    }

    pub(super) async fn forget_location(&mut self) {
        let record = 1 + self.dice.below(12);
        let theirs = self.theirs.store.forget_location(record, self.now).await;
        let ours = self.ours.store.forget_location(record, self.now).await;
        self.same(&format!("forget_location {record}"), theirs, ours);
    }

    fn some_change(&mut self) -> RoutingChange {
        let terms: Terms = terms(&format!("of step {}", self.step));
        let rule = rule_terms(&format!("of step {}", self.step));
        let [route, other] = [0, 20].map(|from| RouteId(from + 1 + self.dice.below(20)));
        match self.dice.below(9) {
            8 => RoutingChange::ImportRules {
                rules: vec![(Some(RuleId(route.0)), rule.clone()), (None, rule)],
                replace: self.dice.chance(30),
            },
            0..=1 => RoutingChange::AddRoute(terms),
            2 => RoutingChange::SetRoute(route, terms),
            3 => RoutingChange::RemoveRoute(route),
            4 => {
                let routes = vec![(Some(route), terms.clone()), (None, terms.clone())];
                let routes = [routes, vec![(Some(other), terms)]].concat();
                RoutingChange::ImportRoutes {
                    routes,
                    replace: self.dice.chance(30),
                }
            }
            5 => RoutingChange::AddRule(rule),
            6 => RoutingChange::SetRule(RuleId(1 + self.dice.below(10)), rule),
            _ => RoutingChange::RemoveRule(RuleId(1 + self.dice.below(10))),
        }
    }

    pub(super) async fn change_routing(&mut self) {
        let change = self.some_change();
        let theirs = self.theirs.store.change_routing(change.clone(), None).await;
        let ours = self.ours.store.change_routing(change.clone(), None).await;
        self.same(&format!("{change:?}"), theirs, ours);
        self.compare_routing().await;
    }

    /// Takes from the outbox what both have among their oldest.
    pub(super) async fn drain(&mut self) {
        self.compare_outbox().await;
        let limit = self.limit();
        let theirs = self.theirs.store.outbox(limit).await.unwrap();
        let ours = self.ours.store.outbox(limit).await.unwrap();
        let [mut a, mut b] = [&theirs, &ours].map(|entries| {
            entries
                .iter()
                .map(|(_, cdr)| cdr.message_id)
                .collect::<Vec<_>>()
        });
        a.sort_unstable();
        b.sort_unstable();
        // One sweep may have ended them in another order: then they are left for another time.
        if let (true, Some(last_of_theirs), Some(last)) = (a == b, theirs.last(), ours.last()) {
            self.theirs
                .store
                .outbox_done(last_of_theirs.0)
                .await
                .unwrap();
            self.ours.store.outbox_done(last.0).await.unwrap();
        }
        self.compare_outbox().await;
    }
}
