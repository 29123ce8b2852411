//! The calls that the checker watches, carried out by the store that all nodes share; and where a
//! store that is to be found out is broken.

use std::time::Duration;

use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::event::{EventName, Scene};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::{Ending, Life, Message};
use zajil_core::retry::Attempt;
use zajil_core::status::FinalStatus;
use zajil_store::contract::{
    Draft, Error, NotDone, OfferAsk, OutboxSeq, Outcome, Placed, Reported, Store as _,
};

use crate::defect::Defect;
use crate::history::{Got, What};
use crate::stage::Stage;

type Answer<T> = Result<T, Error>;

/// Every so many messages suffer from a defect that is about some.
const SOME: u64 = 5;

fn suffers(id: MessageId) -> bool {
    id.get().is_multiple_of(SOME)
}

pub(super) async fn accept(
    stage: &Stage,
    _asked: Timestamp,
    mut drafts: Vec<Draft>,
    now: Timestamp,
) -> Answer<Vec<Placed>> {
    if stage.has(Defect::ForgetsKeys) {
        drafts.iter_mut().for_each(|draft| draft.dedupe = None);
    }
    if stage.has(Defect::LosesLines) {
        let suffering = drafts.iter_mut().filter(|draft| suffers(draft.message.id));
        suffering.for_each(|draft| draft.events.clear());
    }
    if stage.has(Defect::LosesAccepted) && drafts.iter().any(|draft| suffers(draft.message.id)) {
        return Ok(drafts.iter().map(|_| Placed::Stored(None)).collect());
    }
    let ended: Vec<_> = drafts
        .iter()
        .map(|draft| (draft.message.id, draft.message.ending().map(|end| end.how)))
        .collect();
    let taken = taken(stage, &drafts).await?;
    let placed = stage.store.accept(drafts, now).await;
    if let Ok(places) = &placed {
        for ((id, how), place) in ended.into_iter().zip(places) {
            if let (Some(how), Placed::Stored(_)) = (how, place) {
                stage.add(What::Ended(id, how));
            }
        }
    }
    taken
        .into_iter()
        .for_each(|id| stage.add(What::IdTaken(id)));
    placed
}

/// The ids that other messages have already. A batch whose answer was lost comes again: those are
/// the same messages.
async fn taken(stage: &Stage, drafts: &[Draft]) -> Answer<Vec<MessageId>> {
    let mut taken = Vec::new();
    for Draft { message, .. } in drafts {
        let stored = stage.store.message(message.id).await?;
        if stored.is_some_and(|stored| stored.inserted_at != message.inserted_at) {
            taken.push(message.id);
        }
    }
    Ok(taken)
}

pub(super) async fn offer(stage: &Stage, asked: Timestamp, ask: OfferAsk) -> Answer<Vec<Message>> {
    let given = stage.store.offer(distorted(stage, ask)).await?;
    given
        .iter()
        .for_each(|message| gave(stage, asked, None, message));
    Ok(given)
}

pub(super) async fn lease(
    stage: &Stage,
    asked: Timestamp,
    ask: OfferAsk,
    until: Timestamp,
) -> Answer<Vec<Message>> {
    let lease = until.since(ask.now);
    let ask = distorted(stage, ask);
    let mut given = if stage.has(Defect::LeasesTwice) {
        stage.store.offer(ask).await?
    } else {
        stage.store.lease(ask, until).await?
    };
    if stage.has(Defect::ForgetsAttempts) {
        let seldom = given.iter_mut().filter(|m| m.attempts.get() > 1);
        seldom.for_each(|message| message.attempts = Attempt::default());
    }
    given
        .iter()
        .for_each(|message| gave(stage, asked, Some(lease), message));
    Ok(given)
}

fn distorted(stage: &Stage, ask: OfferAsk) -> OfferAsk {
    let now = match stage.defect {
        Some(Defect::OffersEarly) => ask.now.plus(Duration::from_secs(5)),
        Some(Defect::OffersLate) => ask.now.minus(Duration::from_secs(20)),
        _ => ask.now,
    };
    OfferAsk { now, ..ask }
}

fn gave(stage: &Stage, asked: Timestamp, lease: Option<Duration>, message: &Message) {
    stage.add(What::Gave(Got {
        id: message.id,
        attempts: message.attempts.get(),
        not_before: message.deliver_after.unwrap_or(message.inserted_at),
        expires: message.expires,
        asked,
        lease,
    }));
}

pub(super) async fn report(
    stage: &Stage,
    _asked: Timestamp,
    reports: Vec<(MessageId, Report)>,
    scene: Scene,
) -> Answer<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(reports.len());
    for (id, report) in reports {
        let delivered = matches!(report, Report::Delivered { .. });
        let mut outcome = if stage.has(Defect::DropsReports) && delivered && suffers(id) {
            dropped(stage, id, &scene).await?
        } else {
            let one = stage.store.report(vec![(id, report)], scene.clone());
            one.await?.pop().unwrap_or(Err(NotDone::NotFound))
        };
        if stage.has(Defect::EndsTwice)
            && let Err(NotDone::AlreadyFinal(_)) = outcome
        {
            outcome = ended_again(stage, id, &scene).await?;
        }
        if let Ok(done) = &outcome {
            took_effect(stage, done);
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The answer to a delivery, without the delivery.
async fn dropped(stage: &Stage, id: MessageId, scene: &Scene) -> Answer<Outcome> {
    let Some(mut message) = stage.store.message(id).await? else {
        return Ok(Err(NotDone::NotFound));
    };
    message.life = Life::Ended(Ending {
        how: FinalStatus::Delivered,
        at: scene.now,
        node: scene.node.clone(),
    });
    Ok(Ok(Reported {
        message,
        queued_for: None,
        events: Vec::new(),
        fell_back_from: None,
    }))
}

async fn ended_again(stage: &Stage, id: MessageId, scene: &Scene) -> Answer<Outcome> {
    let again = dropped(stage, id, scene).await?;
    Ok(again.map(|done| Reported {
        events: vec![scene.event(EventName::Delivered, "")],
        ..done
    }))
}

/// What a change in the store means for the history.
fn took_effect(stage: &Stage, done: &Reported) {
    let id = done.message.id;
    if !done.events.is_empty() {
        stage.add(What::Let(id));
    }
    let last = |name: &EventName| {
        matches!(
            name,
            EventName::Delivered
                | EventName::Failed
                | EventName::Dropped
                | EventName::DeadLetter
                | EventName::Deleted
        )
    };
    if let Some(ending) = done.message.ending()
        && done.events.iter().any(|event| last(&event.name))
    {
        stage.add(What::Ended(id, ending.how));
    }
}

pub(super) async fn edit(
    stage: &Stage,
    _asked: Timestamp,
    id: MessageId,
    edit: Edit,
    scene: Scene,
) -> Answer<Outcome> {
    let outcome = stage.store.edit(id, edit, scene).await?;
    if let Ok(done) = &outcome {
        // Whatever it changed: what the poller holds is stale.
        stage.add(What::Let(id));
        took_effect(stage, done);
    }
    Ok(outcome)
}

pub(super) async fn remove(
    stage: &Stage,
    _asked: Timestamp,
    id: MessageId,
    scene: Scene,
) -> Answer<Result<(), NotDone>> {
    let pending = stage.store.message(id).await?;
    let pending = pending.is_some_and(|message| message.ending().is_none());
    let removed = stage.store.remove(id, scene).await?;
    if removed.is_ok() && pending {
        stage.add(What::Let(id));
        stage.add(What::Ended(id, FinalStatus::Failed));
    }
    Ok(removed)
}

pub(super) async fn sweep(
    stage: &Stage,
    _asked: Timestamp,
    scene: Scene,
    limit: u32,
) -> Answer<Vec<Reported>> {
    if stage.has(Defect::NeverSweeps) {
        return Ok(Vec::new());
    }
    let swept = stage.store.sweep(scene, limit).await?;
    swept.iter().for_each(|done| took_effect(stage, done));
    Ok(swept)
}

pub(super) async fn outbox(
    stage: &Stage,
    _asked: Timestamp,
    limit: u32,
) -> Answer<Vec<(OutboxSeq, Cdr)>> {
    let mut entries = stage.store.outbox(limit).await?;
    if stage.has(Defect::DoublesOutbox)
        && let Some((_, row)) = entries.first().cloned()
    {
        entries.insert(0, (OutboxSeq(0), row));
    }
    for (OutboxSeq(place), row) in &entries {
        let (place, message) = (*place, row.message_id);
        stage.add(What::Outbox { place, message });
    }
    Ok(entries)
}

pub(super) async fn outbox_done(stage: &Stage, _asked: Timestamp, last: OutboxSeq) -> Answer<()> {
    let last = if stage.has(Defect::LosesOutbox) {
        OutboxSeq(last.0 + 1)
    } else {
        last
    };
    stage.store.outbox_done(last).await
}

pub(super) async fn begin_refund(
    stage: &Stage,
    _asked: Timestamp,
    id: MessageId,
    now: Timestamp,
) -> Answer<bool> {
    let begun = stage.store.begin_refund(id, now).await?;
    Ok(begun || stage.has(Defect::RefundsTwice))
}
