//! What a carrier sends us: receipts, and messages of mobiles, which enter like any submit.

use std::sync::Arc;

use smpp_codec::address::Address;
use smpp_codec::pdu::SmResp;
use smpp_codec::session::State;
use smpp_codec::{Header, Pdu, Status};
use zajil_core::outcome::Reason;
use zajil_core::port::Submission;
use zajil_telemetry::{Door, Fact};

use super::Upstream;
use super::said::Said;
use super::settle::{Again, Told};
use crate::link::{Answer, Answered, Answers, Handler, Reaction};
use crate::submit::Request;
use crate::text::Unusable;

/// One session's ears.
pub(super) struct Hear {
    upstream: Arc<Upstream>,
    /// Receipts that came at the same time.
    gathered: Vec<Heard>,
}

/// A receipt, and what it is answered with.
struct Heard {
    header: Header,
    said: Said,
    response: fn(SmResp) -> Pdu,
}

impl Hear {
    pub(super) const fn new(upstream: Arc<Upstream>) -> Self {
        let gathered = Vec::new();
        Self { upstream, gathered }
    }

    /// A receipt: answered when what it says is on stable storage (D19).
    fn receipt(&mut self, header: Header, said: Said, response: fn(SmResp) -> Pdu) -> Reaction {
        self.gathered.push(Heard {
            header,
            said,
            response,
        });
        Reaction::Together
    }

    /// A message of a mobile.
    fn take(
        &self,
        header: Header,
        (request, destination): (Request<'_>, &Address),
        response: fn(SmResp) -> Pdu,
    ) -> Reaction {
        let carrier = &self.upstream.carrier;
        let from = (&carrier.name, carrier.alphabet);
        let now = self.upstream.parts.clock.now();
        match request.of_carrier(destination, from, now) {
            Ok(submission) => {
                let upstream = Arc::clone(&self.upstream);
                Reaction::Later(Box::pin(async move {
                    match upstream.submit(submission).await {
                        Ok(()) => Answer::done(response(SmResp::default())),
                        Err(status) => Answer::refusal(header, status),
                    }
                }))
            }
            Err(Unusable { why, .. }) => {
                self.upstream.refused(Reason::Invalid);
                let carrier = carrier.name.as_str();
                tracing::warn!(carrier, why, "a message of a carrier cannot be used");
                Reaction::Now(Answer::refusal(header, Status::RX_R_APPN))
            }
        }
    }
}

impl Upstream {
    /// What ends at once is answered together; the rest each for itself, as it is looked for.
    async fn hear(self: Arc<Self>, all: Vec<Heard>) -> Answered {
        let (said, to): (Vec<Said>, Vec<_>) = all
            .into_iter()
            .map(|one| (one.said, (one.header, one.response)))
            .unzip();
        let mut answered = Answered::default();
        let told = self.receipts(&said).await;
        for ((told, said), (header, response)) in told.into_iter().zip(said).zip(to) {
            let answer = move |told: Result<(), Again>| match told {
                Ok(()) => Answer::done(response(SmResp::default())),
                Err(Again) => Answer::refusal(header, Status::RX_T_APPN),
            };
            match told {
                Told::Done(told) => answered.now.push((header, answer(told))),
                Told::Unsettled(ended) => {
                    let upstream = Arc::clone(&self);
                    let later = async move { answer(upstream.receipt(&said, ended).await) };
                    answered.later.push((header, Box::pin(later)));
                }
            }
        }
        answered
    }

    /// Hands in a message of a mobile; answers when it is on stable storage (D5).
    async fn submit(&self, submission: Submission) -> Result<(), Status> {
        match self.parts.intake.submit(submission).await {
            Ok(_) => Ok(()),
            Err(refusal) => {
                self.refused(refusal.reason);
                // The carrier keeps what may be taken later, and no more than that.
                Err(if refusal.reason.is_retryable() {
                    Status::RX_T_APPN
                } else {
                    Status::RX_R_APPN
                })
            }
        }
    }

    fn refused(&self, reason: Reason) {
        let door = Door::Smpp;
        self.parts.telemetry.record(&Fact::Refused { door, reason });
    }
}

impl Handler for Hear {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        match pdu {
            Pdu::DeliverSm(sm) => {
                if let Some(said) = Said::of(&sm) {
                    return self.receipt(header, said, Pdu::DeliverSmResp);
                }
                let request = (Request::of_submit(&sm), &sm.destination_addr);
                self.take(header, request, Pdu::DeliverSmResp)
            }
            Pdu::DataSm(data) => {
                if let Some(said) = Said::of_data(&data) {
                    return self.receipt(header, said, Pdu::DataSmResp);
                }
                let request = (Request::of_data(&data), &data.destination_addr);
                self.take(header, request, Pdu::DataSmResp)
            }
            Pdu::AlertNotification(_) | Pdu::Outbind(_) => Reaction::Never,
            _ => Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        }
    }

    fn gathered(&mut self) -> Option<Answers> {
        if self.gathered.is_empty() {
            return None;
        }
        let all = std::mem::take(&mut self.gathered);
        let upstream = Arc::clone(&self.upstream);
        Some(Box::pin(upstream.hear(all)))
    }

    fn state(&mut self, state: State) {
        let carrier = self.upstream.name().as_str();
        tracing::debug!(carrier, ?state, "session with a carrier");
    }

    fn refused(&mut self, header: Header, status: Status, why: &str) {
        let carrier = self.upstream.name().as_str();
        let command = header.command_id;
        tracing::debug!(carrier, %command, %status, why, "PDU of a carrier refused");
    }
}
