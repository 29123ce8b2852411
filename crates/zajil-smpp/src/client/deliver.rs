//! Messages for a carrier: leased, submitted, reported.

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::pdu::Sm;
use smpp_codec::{Pdu, Status};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::port::Answer;
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::smpp::carrier::{DeliveredAt, Handling};

use super::pace::Pace;
use super::settle::again;
use super::taken::Taken;
use super::{Upstream, outcome, write};
use crate::frontend::Frontend;
use crate::link::{Handle, Lost};
use crate::pump::{self, Source};

/// Nothing that a session holds waits longer for its turn: its lease must not end under its hands.
const SENT_WITHIN: Duration = Duration::from_secs(20);
/// How long one look for messages waits for the first; leave-taking waits for it.
const WAIT: Duration = Duration::from_secs(3);
/// What the registration of a session says of it.
const CONFIGURATION: &str = "{\"side\":\"client\"}";

/// Submits over a session from its bind to its end; after `stop` what it holds is brought to an
/// end, and nothing new is taken.
pub(super) async fn run(upstream: &Arc<Upstream>, handle: &Handle, stop: &CancellationToken) {
    let frontend = upstream.frontend();
    frontend.register(CONFIGURATION.to_owned()).await;
    let window = usize::try_from(upstream.carrier.window.get()).unwrap_or(usize::MAX);
    let messages = Messages {
        upstream,
        handle,
        window,
    };
    let registered = async {
        let stays = frontend.stay_registered(CONFIGURATION.to_owned());
        stop.run_until_cancelled(stays).await;
        // What is held then is brought to an end.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = pump::run(&messages, handle, stop) => {}
        () = registered => {}
    }
}

/// The messages for a carrier, in one session with it.
struct Messages<'s> {
    upstream: &'s Upstream,
    handle: &'s Handle,
    window: usize,
}

impl Source for Messages<'_> {
    type Item = Message;
    type Done = Done;

    fn room(&self) -> usize {
        self.upstream.room(self.window)
    }

    fn ask(&self, limit: usize) -> Answer<'_, Vec<Message>> {
        self.upstream.frontend().ask(limit, WAIT)
    }

    fn work(&self, message: Message) -> impl Future<Output = Option<Self::Done>> + Send {
        // Since it was leased, whenever its turn comes.
        let by = Instant::now() + SENT_WITHIN;
        self.upstream.deliver(self.handle, message, by)
    }

    async fn finish(&self, done: Vec<Self::Done>) {
        let (mut taken, mut reports) = (Vec::new(), Vec::new());
        for one in done {
            match one {
                Done::Taken(message) => taken.push(message),
                Done::Reported(id, report) => reports.push((id, report)),
            }
        }
        if !reports.is_empty() {
            self.upstream.frontend().report(reports).await;
        }
        self.upstream.taken(taken).await;
    }

    async fn give_back(&self, message: Message) {
        self.upstream.frontend().give_back(&message).await;
    }
}

/// What became of a message.
enum Done {
    /// This is reported of it.
    Reported(MessageId, Report),
    /// Its receipts will tell.
    Taken(Taken),
}

/// Why a part of a message was not taken.
#[derive(Debug, Clone, Copy)]
enum Failure {
    /// The carrier said so.
    Refused(Status),
    /// It said nothing.
    Lost(Lost),
}

impl Upstream {
    /// How many messages a session may hold: not more than go out while it may hold them.
    fn room(&self, window: usize) -> usize {
        let Some(rate) = self.pace(|pace, _| pace.rate()) else {
            return window;
        };
        let in_time = u64::from(rate) * SENT_WITHIN.as_secs() / u64::from(self.sessions());
        window.min(usize::try_from(in_time).unwrap_or(usize::MAX).max(1))
    }

    fn sessions(&self) -> u32 {
        self.carrier.binds.get()
    }

    pub(super) fn frontend(&self) -> Frontend<'_> {
        Frontend {
            desk: &*self.parts.desk,
            name: self.name(),
            node: None,
        }
    }

    /// Submits one message, part by part; answers what is to be reported of it.
    async fn deliver(&self, handle: &Handle, message: Message, by: Instant) -> Option<Done> {
        let mut ids = Vec::new();
        let mut outcome = Ok(());
        for part in write::parts(&message, &self.carrier) {
            match self.submit_part(handle, part, by).await {
                Ok(id) => ids.push(id),
                Err(failure) => {
                    outcome = Err(failure);
                    break;
                }
            }
        }
        let name = self.name();
        self.decided(message.content.destination.as_str(), &ids);
        let report = match outcome {
            Ok(()) if self.waits_for_receipts(&ids) => {
                let coming = self.ledger.coming(name, &ids);
                return Some(Done::Taken(Taken::new(&message, ids, coming)));
            }
            Ok(()) => Report::Delivered {
                by: Some(name.clone()),
                at: Some(self.parts.clock.now()),
            },
            // Nothing of it was sent: it keeps its place, and no attempt is counted.
            Err(Failure::Lost(Lost::Unsent)) if ids.is_empty() => {
                self.frontend().give_back(&message).await;
                return None;
            }
            Err(failure) => self.failed(failure),
        };
        Some(Done::Reported(message.id, report))
    }

    /// Submits one part, at its moment; again when the carrier had too much, while there is time.
    /// Answers with the id that the carrier gives it.
    async fn submit_part(&self, handle: &Handle, part: Sm, by: Instant) -> Result<String, Failure> {
        loop {
            self.turn(handle).await.map_err(Failure::Lost)?;
            let request = Pdu::SubmitSm(part.clone());
            match handle.request(request).await {
                Ok(response) if response.status.is_ok() => {
                    self.pace(Pace::accepted);
                    self.counts.accepted.inc();
                    return Ok(match response.pdu {
                        Pdu::SubmitSmResp(taken) => taken.message_id.to_str().into_owned(),
                        _ => String::new(),
                    });
                }
                Ok(response) => {
                    let busy = Handling::Again(ErrorClass::Congestion);
                    if outcome::on(&self.carrier, response.status) != busy {
                        self.counts.refused.inc();
                        return Err(Failure::Refused(response.status));
                    }
                    self.pace(Pace::throttled);
                    self.counts.throttled.inc();
                    if Instant::now() >= by {
                        return Err(Failure::Refused(response.status));
                    }
                }
                Err(lost) => {
                    if lost != Lost::Unsent {
                        self.counts.unanswered.inc();
                    }
                    return Err(Failure::Lost(lost));
                }
            }
        }
    }

    /// Whether receipts decide about a message that was taken with these ids. A carrier that gives
    /// none cannot be understood when it sends receipts.
    fn waits_for_receipts(&self, ids: &[String]) -> bool {
        let named = ids.iter().all(|id| !id.trim().is_empty());
        let waits = self.carrier.delivered_at == DeliveredAt::Receipt;
        if waits && !named {
            tracing::warn!(carrier = %self.name(), "it gives no ids: its receipts match nothing");
        }
        waits && named
    }

    /// Waits for the moment at which the next part may go.
    async fn turn(&self, handle: &Handle) -> Result<(), Lost> {
        loop {
            let at = self.pace(Pace::reserve);
            tokio::select! {
                biased;
                () = handle.ended() => return Err(Lost::Unsent),
                () = sleep_until(at) => {}
            }
            if !self.pace(|pace, now| pace.is_held(now)) {
                return Ok(());
            }
        }
    }

    /// What is reported of a message that the carrier has not taken whole.
    fn failed(&self, failure: Failure) -> Report {
        let by = Some(self.carrier.name.clone());
        let (class, reason) = match failure {
            Failure::Refused(status) => match outcome::on(&self.carrier, status) {
                Handling::Again(class) => (class, status.to_string()),
                Handling::Never => {
                    let reason = Some(status.to_string());
                    return Report::Refused { by, reason };
                }
            },
            Failure::Lost(lost) => {
                let reason = format!("{lost}; the carrier may have taken it");
                (ErrorClass::Temporary, reason)
            }
        };
        again(by, Some(reason), class)
    }
}
