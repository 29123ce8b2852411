//! Messages for a carrier: leased, submitted, reported.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smpp_codec::pdu::Sm;
use smpp_codec::{Pdu, Status};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use zajil_core::frontend::{FrontendType, Registration};
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::port::{Answer as Ported, Ask};
use zajil_core::retry::schedule::{ErrorClass, Schedules};

use super::outcome::{self, Verdict};
use super::pace::Pace;
use super::{Upstream, write};
use crate::link::{Handle, Lost};

/// A message comes back after this when nobody has reported on it: a session that ends reports at
/// once, so only a crash waits for it.
const LEASE: Duration = Duration::from_secs(60);
/// Nothing that a session holds waits longer for its turn: its lease must not end under its hands.
const SENT_WITHIN: Duration = Duration::from_secs(20);
/// How long one look for messages waits for the first; leave-taking waits for it.
const WAIT: Duration = Duration::from_secs(3);
/// A registration lives 90 s (S3.4).
const REGISTER_EVERY: Duration = Duration::from_secs(30);
/// After an error of ours nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Submits over a session from its bind to its end; after `stop` what it holds is brought to an
/// end, and nothing new is taken.
pub(super) async fn run(upstream: &Arc<Upstream>, handle: &Handle, stop: &CancellationToken) {
    upstream.register().await;
    let window = usize::try_from(upstream.carrier.window.get()).unwrap_or(usize::MAX);
    let mut active = FuturesUnordered::new();
    let mut asking: OptionFuture<Ported<'_, Vec<Message>>> = None.into();
    let mut is_asking = false;
    let mut ask_after = Instant::now();
    let mut register_at = Instant::now() + REGISTER_EVERY;
    while !handle.is_leaving() && !stop.is_cancelled() {
        let free = upstream.room(window).saturating_sub(active.len());
        if !is_asking && free > 0 && ask_after <= Instant::now() {
            asking = Some(upstream.parts.desk.offer(upstream.ask(free))).into();
            is_asking = true;
        }
        tokio::select! {
            () = handle.ended() => {}
            () = stop.cancelled() => {}
            () = sleep_until(register_at) => {
                register_at = Instant::now() + REGISTER_EVERY;
                upstream.register().await;
            }
            () = sleep_until(ask_after), if !is_asking && free > 0 => {}
            // Never dropped half-way: what it has leased would wait for the lease to end.
            Some(offered) = &mut asking, if is_asking => {
                is_asking = false;
                match offered {
                    Ok(messages) => {
                        let by = Instant::now() + SENT_WITHIN;
                        active.extend(messages.into_iter().map(|message| {
                            upstream.deliver(handle, message, by)
                        }));
                    }
                    Err(refusal) => {
                        tracing::warn!(%refusal, "no messages could be asked for");
                        ask_after = Instant::now() + PAUSE;
                    }
                }
            }
            Some(()) = active.next(), if !active.is_empty() => {}
        }
    }
    while active.next().await.is_some() {}
    if is_asking && let Some(Ok(messages)) = asking.await {
        for message in messages {
            upstream.give_back(&message).await;
        }
    }
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

    fn ask(&self, free: usize) -> Ask {
        Ask {
            asker: Asker {
                name: self.carrier.name.clone(),
                include_unrouted: false,
            },
            limit: u32::try_from(free).unwrap_or(u32::MAX).min(1_000),
            lease: Some(LEASE),
            wait: Some(WAIT),
        }
    }

    /// The carrier is a frontend as long as it can be submitted to (S3.4).
    async fn register(&self) {
        let registration = Registration {
            name: self.carrier.name.clone(),
            kind: FrontendType::Smpp,
            ip_address: None,
            hostname: None,
            uptime_seconds: None,
            configuration: Some("{\"side\":\"client\"}".to_owned()),
        };
        if let Err(refusal) = self.parts.desk.register(registration).await {
            tracing::warn!(carrier = %self.name(), %refusal, "a carrier was not registered");
        }
    }

    /// Submits one message, part by part, and reports what became of it.
    async fn deliver(&self, handle: &Handle, message: Message, by: Instant) {
        let mut sent = 0_usize;
        let mut outcome = Ok(());
        for part in write::parts(&message, &self.carrier) {
            outcome = self.submit_part(handle, part, by).await;
            if outcome.is_err() {
                break;
            }
            sent += 1;
        }
        let name = self.name();
        let report = match outcome {
            Ok(()) => Report::Delivered {
                by: Some(name.clone()),
                at: Some(self.parts.clock.now()),
            },
            // Nothing of it was sent: it keeps its place, and no attempt is counted.
            Err(Failure::Lost(Lost::Unsent)) if sent == 0 => {
                return self.give_back(&message).await;
            }
            Err(failure) => self.failed(failure),
        };
        if let Err(refusal) = self.parts.desk.report(message.id, report).await {
            tracing::warn!(id = %message.id, %refusal, "a submit could not be reported");
        }
    }

    /// Submits one part, at its moment; again when the carrier had too much, while there is time.
    async fn submit_part(&self, handle: &Handle, part: Sm, by: Instant) -> Result<(), Failure> {
        loop {
            self.turn(handle).await.map_err(Failure::Lost)?;
            let request = Pdu::SubmitSm(part.clone());
            match handle.request(request).await {
                Ok(response) if response.status.is_ok() => {
                    self.pace(Pace::accepted);
                    return Ok(());
                }
                Ok(response) => {
                    let busy = Verdict::Again(ErrorClass::Congestion);
                    if outcome::of(response.status) != busy {
                        return Err(Failure::Refused(response.status));
                    }
                    self.pace(Pace::throttled);
                    if Instant::now() >= by {
                        return Err(Failure::Refused(response.status));
                    }
                }
                Err(lost) => return Err(Failure::Lost(lost)),
            }
        }
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
            Failure::Refused(status) => match outcome::of(status) {
                Verdict::Again(class) => (class, status.to_string()),
                Verdict::Never => {
                    let reason = Some(status.to_string());
                    return Report::Refused { by, reason };
                }
            },
            Failure::Lost(lost) => {
                let reason = format!("{lost}; the carrier may have taken it");
                (ErrorClass::Temporary, reason)
            }
        };
        Report::AttemptFailed {
            reason: Some(reason),
            retry_after: None,
            by,
            class: Some(class),
            schedules: Arc::new(Schedules::default()),
        }
    }

    /// Ends the lease of a message that was not sent: it is due at once.
    async fn give_back(&self, message: &Message) {
        let edit = Edit {
            deliver_after: Some(message.deliver_after.or(Some(message.inserted_at))),
            ..Edit::default()
        };
        if let Err(refusal) = self.parts.desk.edit(message.id, edit).await {
            tracing::warn!(id = %message.id, %refusal, "a message was not given back");
        }
    }
}
