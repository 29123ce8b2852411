//! Facts: what happened, told once, and from there to the log, the metrics and the live hub.
//!
//! Log lines carry ids and counts, never bodies or full numbers (S10.4).

use std::sync::Arc;
use std::time::Duration;

use zajil_core::clock::Clock;
use zajil_core::event::NodeName;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::message::Message;
use zajil_core::outcome::Reason;

use crate::live::Hub;
use crate::metric::Metrics;
use crate::trace;

mod counted;
mod told;

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// A message was stored.
    Accepted {
        /// As it was stored.
        message: &'a Message,
        /// From the submit to stable storage.
        took: Duration,
        /// Whether it waits for delivery (and has not ended already).
        queued: bool,
    },
    /// A message ended as it was accepted: dropped, answered or rejected.
    EndedAtOnce {
        /// As it was stored.
        message: &'a Message,
    },
    /// Translation and routing took this long; the message is not stored yet.
    Decided {
        /// As it will be stored.
        message: &'a Message,
        /// How long.
        took: Duration,
        /// The route that won, if one did.
        route: Option<u64>,
    },
    /// A draft is on stable storage: a step of its way, for traces.
    Stored {
        /// The message.
        id: MessageId,
        /// How long that took.
        took: Duration,
    },
    /// A frontend is given a message: a step of its way, for traces.
    Offered {
        /// The message.
        id: MessageId,
        /// How long the store took to find it.
        took: Duration,
    },
    /// What a frontend says of a message is on stable storage: a step of its way, for traces.
    Reported {
        /// The message.
        id: MessageId,
        /// How long that took.
        took: Duration,
    },
    /// No route took a message that named no frontend itself.
    RoutingFailed {
        /// As it will be stored.
        message: &'a Message,
    },
    /// A reply of ours was stored; it is not a message received.
    Replied {
        /// The reply.
        message: &'a Message,
        /// Whether it waits for delivery (and has not ended already).
        queued: bool,
    },
    /// About ENUM.
    Enum(EnumFact),
    /// About charging.
    Charge(ChargeFact<'a>),
    /// A message went from one hand to another.
    Handed(HandedFact<'a>),
    /// An attempt failed; it will be tried again.
    AttemptFailed {
        /// As it is now.
        message: &'a Message,
    },
    /// A message was delivered.
    Delivered {
        /// As it is now.
        message: &'a Message,
        /// Since it was accepted.
        after: Duration,
    },
    /// A message expired undelivered.
    DeadLetter {
        /// As it is now.
        message: &'a Message,
    },
    /// A message ended undelivered for another reason.
    Failed {
        /// As it is now.
        message: &'a Message,
    },
    /// A report came after the end.
    LateReport {
        /// The id.
        id: MessageId,
    },
    /// A frontend registered after an absence.
    FrontendUp {
        /// Its name.
        name: &'a FrontendName,
    },
    /// A frontend missed its registration.
    FrontendDown {
        /// Its name.
        name: &'a FrontendName,
    },
    /// About a frontend that is held back.
    Held(HeldFact<'a>),
    /// Routing tables of this version decide over new messages.
    RoutesInForce {
        /// Their version.
        version: u64,
    },
    /// About the worker that writes CDRs.
    Cdr(CdrFact<'a>),
    /// About subscriptions to events.
    Webhook(WebhookFact<'a>),
    /// The node takes requests.
    NodeStarted,
    /// The node takes no new submits any more.
    NodeStopping,
    /// A part that the node works with has become usable or unusable (`/readyz`).
    PartTurned {
        /// What it is called.
        part: &'a str,
        /// Why it is not usable.
        state: Result<(), &'a str>,
    },
    /// A door refused a request.
    Refused {
        /// Which door.
        door: Door,
        /// Why.
        reason: Reason,
    },
}

/// About ENUM.
#[derive(Debug, Clone, Copy)]
pub enum EnumFact {
    /// ENUM was asked about a number whose answer was at hand, or not.
    Cache {
        /// Whether it was.
        hit: bool,
    },
    /// The name servers were asked.
    Asked {
        /// How long they took.
        took: Duration,
        /// Whether they answered, with the number or without.
        answered: bool,
    },
}

/// About charging.
#[derive(Debug, Clone, Copy)]
pub enum ChargeFact<'a> {
    /// The charging system granted a message.
    Granted {
        /// The message.
        id: MessageId,
        /// How long it took.
        took: Duration,
    },
    /// The charging system refused a message, or could not be used.
    Failed {
        /// The message.
        id: MessageId,
        /// How long it took.
        took: Duration,
        /// Whether it refused: otherwise it failed.
        refused: bool,
        /// Why.
        why: &'a str,
    },
    /// The charging system has become usable or unusable.
    Turned {
        /// Whether it is usable now.
        usable: bool,
        /// Why not.
        why: &'a str,
    },
    /// What was debited for an undelivered message was given back.
    Refunded {
        /// The message.
        id: MessageId,
    },
    /// Whether it was given back is not known, and nobody will try again.
    RefundLost {
        /// The message.
        id: MessageId,
        /// Why.
        why: &'a str,
    },
}

/// A message went from one hand to another.
#[derive(Debug, Clone, Copy)]
pub enum HandedFact<'a> {
    /// A frontend refused it or did not take it in time; it is the next one's (D12).
    FellBack {
        /// As it is now.
        message: &'a Message,
        /// Whose turn is over.
        from: &'a FrontendName,
    },
    /// A frontend held it until its lease ran out, without a report; somebody else holds it now.
    LeaseReturned {
        /// Its id.
        id: MessageId,
    },
}

/// A frontend gets nothing for now, or gets something again (D10).
#[derive(Debug, Clone, Copy)]
pub enum HeldFact<'a> {
    /// An operator paused it.
    Paused {
        /// Its name.
        name: &'a FrontendName,
        /// Why, in the operator's words.
        reason: &'a str,
    },
    /// What an operator decided about it lets it have messages.
    Resumed {
        /// Its name.
        name: &'a FrontendName,
    },
    /// It says that it is congested.
    Congested {
        /// Its name.
        name: &'a FrontendName,
        /// How long it rests.
        rests: Duration,
    },
}

/// About the worker that writes CDRs.
#[derive(Debug, Clone, Copy)]
pub enum CdrFact<'a> {
    /// A batch is in the database.
    Written {
        /// How many rows.
        count: usize,
        /// Whether batches before it had failed.
        again: bool,
    },
    /// A batch could not be written; it waits.
    Failing {
        /// Why.
        why: &'a str,
        /// How often in a row.
        streak: u32,
        /// Whether a human should look.
        lasting: bool,
    },
    /// The database refuses a row for what it holds; it is kept elsewhere.
    BadRow {
        /// Whose row it is.
        message_id: i64,
        /// What the database says.
        why: &'a str,
        /// Where it is kept.
        file: &'a std::path::Path,
    },
}

/// About subscriptions to events.
#[derive(Debug, Clone, Copy)]
pub enum WebhookFact<'a> {
    /// A receiver took an event.
    Acknowledged,
    /// An attempt failed.
    Failed,
    /// There was no room for an event, or it is one that is told at most once.
    Lost {
        /// Whose it was.
        webhook: u64,
    },
    /// Retention took endings before they were read for a receiver.
    Forgotten {
        /// Whose they may have been.
        webhook: u64,
        /// How many there were, for it or not.
        count: u64,
    },
    /// A delivery was given up.
    Dead {
        /// Whose it is.
        webhook: u64,
        /// Which one.
        delivery: u64,
    },
    /// Nothing is tried for a while, after many failures in a row.
    Rests {
        /// Which subscription.
        webhook: u64,
        /// The last of them.
        why: &'a str,
        /// How long.
        rest: Duration,
    },
    /// The receiver takes events again.
    Recovered {
        /// Which subscription.
        webhook: u64,
    },
}

/// A way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The REST API.
    Rest,
    /// SMPP.
    Smpp,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 2] = [Self::Rest, Self::Smpp];

    /// As a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Smpp => "smpp",
        }
    }
}

/// The one place that a fact is told to.
#[derive(Debug)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Metrics,
    live: Option<Arc<Hub>>,
    #[cfg(feature = "otel")]
    tracer: Option<trace::Tracer>,
}

impl Telemetry {
    /// With all metrics at zero.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            metrics: Metrics::new()?,
            live: None,
            #[cfg(feature = "otel")]
            tracer: None,
        })
    }

    /// Sends traces too.
    ///
    /// # Errors
    /// There can be no thread for it, or this build has no traces ([`trace::BUILT`]).
    pub fn with_traces(self, options: &trace::Options) -> std::io::Result<Self> {
        #[cfg(feature = "otel")]
        let with = {
            let tracer = Some(trace::Tracer::start(options, &self.metrics)?);
            Ok(Self { tracer, ..self })
        };
        #[cfg(not(feature = "otel"))]
        let with = Err(std::io::Error::new(
            std::io::ErrorKind::Unsupported,
            format!(
                "{} gets no traces: the feature otel is off",
                options.endpoint
            ),
        ));
        with
    }

    /// With a hub for those who listen, which keeps the last `kept` events of this node.
    #[must_use]
    pub fn with_live(mut self, clock: Arc<dyn Clock>, node: NodeName, kept: usize) -> Self {
        let lost = self.metrics.live.lost.clone();
        self.live = Some(Hub::new(clock, node, kept, lost));
        self
    }

    /// The hub, if there is one.
    #[must_use]
    pub fn live(&self) -> Option<&Arc<Hub>> {
        self.live.as_ref()
    }

    /// Writes the log line, moves the counters, makes the span, and tells whoever listens.
    pub fn record(&self, fact: &Fact<'_>) {
        #[cfg(feature = "otel")]
        if let Some(tracer) = &self.tracer {
            tracer.tell(fact);
        }
        if let Some(hub) = self.live.as_deref().filter(|hub| hub.is_awake()) {
            told::tell(hub, fact);
        }
        self.count(fact);
    }
}
