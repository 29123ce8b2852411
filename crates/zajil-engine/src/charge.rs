//! Charging on the way in (S7, D14): asked before a message is stored, or, where money moves,
//! written down first, so that a crash never charges twice and never charges for nothing known.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zajil_core::charge::{self, Call, Decision, Failed, FailureAction, Mode, Refused, Verdict};
use zajil_core::clock::Timestamp;
use zajil_core::event::{Event, EventName};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{self, Report, Settlement};
use zajil_core::message::{Life, Message};
use zajil_core::outcome::{Reason, Refusal};
use zajil_core::port::{Accepted, Charger, Dedupe};
use zajil_core::route::Charged;
use zajil_core::status::{FinalStatus, Status};
use zajil_store::contract::{Error, NotDone, Placed};
use zajil_telemetry::{ChargeFact, Fact, Stopwatch};

use crate::accept::{Decided, is_pending};
use crate::refuse;
use crate::shared::Shared;

/// How messages are charged.
#[derive(Debug, Clone)]
pub struct Charging {
    /// `default_charging_enabled`: messages whose route does not say otherwise are charged.
    pub by_default: bool,
    /// Whether money moves.
    pub mode: Mode,
    /// `charging_failure_action`.
    pub on_failure: FailureAction,
    /// How long a message waits for its charge before the answer counts as lost; longer than the
    /// charging system may take.
    pub hold: Duration,
    /// The endings after which a debit is given back.
    pub refund_on: Vec<FinalStatus>,
}

impl Default for Charging {
    /// Nothing is charged by default; authorize; allow; 35 s; nothing is given back.
    fn default() -> Self {
        Self {
            by_default: false,
            mode: Mode::Authorize,
            on_failure: FailureAction::Allow,
            hold: Duration::from_secs(35),
            refund_on: Vec::new(),
        }
    }
}

/// When a message is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// Not at all: nobody can be asked now.
    Never(Failed),
    /// One transaction: nothing is lost with an answer that moves no money.
    BeforeItIsStored,
    /// Two: money moves, or the submit may be a repetition (D6) that must not be asked about again.
    OnceItIsStored,
}

/// Why a charged message is not accepted: the reason for the client, and for the log.
type Rejected = Option<(Reason, String)>;

impl Shared {
    /// Whether this message is to be charged, and when. One that ends on its way in is not: there
    /// is nothing to deliver.
    pub(crate) fn charging(&self, decided: &Decided) -> Option<When> {
        let charging = &self.options.charging;
        if !self.would_charge(decided.charged) || !is_pending(&decided.draft.message) {
            return None;
        }
        if let Some(failed) = self.parts.charger.as_ref()?.unusable() {
            return Some(When::Never(failed));
        }
        Some(match (charging.mode, &decided.draft.dedupe) {
            (Mode::Authorize, None) => When::BeforeItIsStored,
            (Mode::Authorize, Some(_)) | (Mode::Debit, _) => When::OnceItIsStored,
        })
    }

    /// Whether a message is charged whose route says this.
    pub(crate) fn would_charge(&self, route: Option<Charged>) -> bool {
        let configured = self.parts.charger.is_some();
        configured && charge::is_charged(route, self.options.charging.by_default)
    }

    async fn ask(&self, charger: &dyn Charger, message: &Message) -> (Settlement, Rejected) {
        let call = Call::of(message, message.content.parts);
        let watch = Stopwatch::start();
        let verdict = charger.charge(&call).await;
        self.judge(message, &verdict, watch)
    }

    /// What an answer means for a message, told.
    fn judge(
        &self,
        message: &Message,
        verdict: &Verdict,
        watch: Stopwatch,
    ) -> (Settlement, Rejected) {
        let (id, took) = (message.id, watch.elapsed());
        let why = match verdict {
            Verdict::Granted => String::new(),
            Verdict::Refused(refused) => refused.to_string(),
            Verdict::Failed(failed) => failed.to_string(),
        };
        self.record(&Fact::Charge(match verdict {
            Verdict::Granted => ChargeFact::Granted { id, took },
            Verdict::Refused(_) | Verdict::Failed(_) => ChargeFact::Failed {
                id,
                took,
                refused: matches!(verdict, Verdict::Refused(_)),
                why: &why,
            },
        }));
        let options = &self.options.charging;
        match charge::decide(verdict, options.on_failure) {
            Decision::Go => {
                let debited = (options.mode == Mode::Debit).then_some(message.content.parts);
                (Settlement::Granted { debited }, None)
            }
            Decision::GoUncharged => (Settlement::Uncharged { why }, None),
            Decision::Reject(reason) => {
                let rejected = Some((reason, why.clone()));
                (Settlement::Rejected { why }, rejected)
            }
        }
    }

    /// Asks whether the account could pay, before anything is stored. A rejected message is to be
    /// stored as such.
    pub(crate) async fn authorize(&self, decided: &mut Decided) -> Rejected {
        let charger = self.parts.charger.as_deref()?;
        let answer = self.ask(charger, &decided.draft.message).await;
        self.settle(decided, answer)
    }

    /// Treats a message as one that could not be charged.
    pub(crate) fn leave_uncharged(&self, decided: &mut Decided, failed: Failed) -> Rejected {
        let verdict = Verdict::Failed(failed);
        let answer = self.judge(&decided.draft.message, &verdict, Stopwatch::start());
        self.settle(decided, answer)
    }

    fn settle(
        &self,
        decided: &mut Decided,
        (settlement, rejected): (Settlement, Rejected),
    ) -> Rejected {
        let scene = self.scene();
        let draft = &mut decided.draft;
        // It is accepted now: a location that ran out meanwhile decides nothing (S3.3).
        let message = Arc::make_mut(&mut draft.message);
        message.inserted_at = scene.now;
        let events = lifecycle::settle(message, &settlement, &scene);
        draft.events.extend(events);
        rejected
    }

    /// Writes the message down, has it charged, and lets it go or rejects it. To be run to its end
    /// whatever becomes of the client: half-way, the answer counts as lost.
    pub(crate) async fn charge_stored(&self, mut decided: Decided) -> Result<Accepted, Refusal> {
        let Some(charger) = self.parts.charger.as_deref() else {
            return Err(Refusal::new(Reason::Internal, "internal error"));
        };
        let options = &self.options.charging;
        Arc::make_mut(&mut decided.draft.message).life = Life::Charging {
            until: self.parts.clock.now().plus(options.hold),
            on_failure: options.on_failure,
        };
        let waiting = Arc::clone(&decided.draft.message);
        let drafts = vec![decided.draft.clone()];
        let now = self.parts.clock.now();
        let storing = Stopwatch::start();
        let placed = self.parts.store.accept(drafts, now).await;
        let took = storing.elapsed();
        match placed
            .map_err(|error| refuse::failed(error, "record"))?
            .pop()
        {
            Some(Placed::Stored(_)) => self.record(&Fact::Stored {
                id: waiting.id,
                took,
            }),
            Some(Placed::Repeated(first)) => return self.accepted_before(first).await,
            Some(Placed::KeyReused) => return Err(refuse::key_reused()),
            None => return Err(Refusal::new(Reason::Internal, "internal error")),
        }
        let (settlement, rejected) = self.ask(charger, &waiting).await;
        let settled = self.write_settlement(waiting.id, settlement).await;
        // The message is stored, so no failure from here on may read as if nothing had happened.
        let settled = settled.map_err(|error| Error::Unknown(error.to_string()));
        let done = match settled.map_err(|error| refuse::failed(error, "message"))? {
            // The answer came after it had counted as lost, or an earlier try had stored it: the
            // message is accepted, whatever has become of it since, and also if that cannot be
            // looked up now.
            Err(NotDone::NotYet | NotDone::AlreadyFinal(_) | NotDone::NotFound) => {
                let stored = self.parts.store.message(waiting.id).await;
                stored.ok().flatten().map_or(waiting, Arc::new)
            }
            outcome => Arc::new(self.take_effect(waiting.id, outcome)?),
        };
        self.record(&Fact::Accepted {
            message: &done,
            took: decided.watch.elapsed(),
            queued: is_pending(&done),
        });
        // What became of the message decides, not the answer: that may have come so late that
        // another node had rejected it before, or let it go.
        if done.status() == Status::Final(FinalStatus::Rejected) {
            let late = || (Reason::ChargingDown, "the answer came too late".to_owned());
            let (reason, why) = rejected.unwrap_or_else(late);
            self.forget_rejected(done.id, decided.draft.dedupe, reason)
                .await;
            return Err(refusal(done.id, reason, &why));
        }
        self.reply_late(&mut decided, &done).await;
        Ok(Accepted {
            message: done,
            repeated: false,
        })
    }

    /// What may succeed when it is submitted again must be new then, whatever its key (D6).
    pub(crate) async fn forget_rejected(
        &self,
        id: MessageId,
        dedupe: Option<(Dedupe, Timestamp)>,
        reason: Reason,
    ) {
        let Some((dedupe, _)) = dedupe.filter(|_| reason.is_retryable()) else {
            return;
        };
        if let Err(error) = self.parts.store.forget_key(dedupe.key, id).await {
            tracing::warn!(%id, %error, "the key of a rejected message is still known");
        }
    }

    /// The answer is known, and lost if it is not stored: tries again while the message waits.
    async fn write_settlement(
        &self,
        id: MessageId,
        settlement: Settlement,
    ) -> Result<zajil_store::contract::Outcome, Error> {
        let (began, mut pause) = (Instant::now(), Duration::from_millis(20));
        loop {
            let report = vec![(id, Report::Charged(settlement.clone()))];
            match self.parts.store.report(report, self.scene()).await {
                Ok(mut outcomes) => {
                    return outcomes
                        .pop()
                        .ok_or_else(|| Error::Damaged("no outcome of a report".into()));
                }
                Err(error @ (Error::Closed | Error::Damaged(_))) => return Err(error),
                Err(error) if began.elapsed() + pause > self.options.charging.hold => {
                    tracing::error!(%id, %error, ?settlement, "the answer to a charge is lost");
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%id, %error, "the answer to a charge waits for the store");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }
}

/// What a client is told of a message that charging rejected: its id, for who looks it up.
pub(crate) fn refusal(id: MessageId, reason: Reason, why: &str) -> Refusal {
    let detail = match reason {
        Reason::ChargingDown => {
            format!("charging is not available, and message {id} was rejected: try again")
        }
        _ => format!("charging refused message {id}: {why}"),
    };
    Refusal::new(reason, detail)
}

/// The refusal of a message that charging rejected before, from its log; none for one that
/// somebody else has ended in that way.
pub(crate) fn refusal_again(id: MessageId, events: &[Event]) -> Option<Refusal> {
    let failed = |event: &&Event| event.name == EventName::ChargingFailed;
    let why = events.iter().rev().find(failed)?;
    let why = why.description.as_str();
    let refused = Refused::ALL
        .into_iter()
        .find(|refused| refused.to_string() == why);
    let reason = refused.map_or(Reason::ChargingDown, Refused::reason);
    Some(refusal(id, reason, why))
}
