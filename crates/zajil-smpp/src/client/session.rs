//! One session with a carrier, from connection to connection.

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::pdu::Bind;
use smpp_codec::session::Side;
use smpp_codec::text::Text;
use smpp_codec::{Pdu, Status};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use zajil_core::smpp::BindType;
use zajil_core::smpp::carrier::{Carrier, Host};
use zajil_telemetry::CarrierCounts;

use super::hear::Hear;
use super::standing::Bound;
use super::{Upstream, deliver};
use crate::backoff::Backoff;
use crate::dial::{self, Unreached, dial};
use crate::link::{self, Ended, Handle, Limits, Link, Lost};
use crate::trace::Trace;

/// How long is waited between two connections, at first and at last.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(30);
/// Deliveries of a carrier that are worked on at a time.
const WINDOW_IN: usize = 100;

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("{0}")]
    Unreached(#[from] Unreached),
    #[error("bind refused: {0}")]
    Refused(Status),
    #[error("no answer to the bind: {0}; {1}")]
    NotBound(Lost, Ended),
    #[error("not wanted any more")]
    Stopped,
    #[error("{why} after {} s", bound.as_secs())]
    Ended { why: Ended, bound: Duration },
}

/// Why a bind led nowhere.
enum Unbound {
    Refused(Status),
    /// No answer; how the link ended may say more.
    Lost(Lost),
}

/// A session that is counted as long as this lives, however it ends.
struct Counted<'a>(
    &'a CarrierCounts,
    #[expect(dead_code, reason = "held")] Bound<'a>,
);

impl<'a> Counted<'a> {
    fn new(upstream: &'a Upstream) -> Self {
        upstream.counts.sessions.inc();
        Self(&upstream.counts, upstream.standing.bound())
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.sessions.dec();
    }
}

/// Keeps a session until `stop`: connects, binds, works, and begins again when it fell.
pub(super) async fn keep(
    upstream: Arc<Upstream>,
    kind: BindType,
    place: u32,
    stop: CancellationToken,
) {
    let hosts = &upstream.carrier.hosts;
    let mut backoff = Backoff::new(SOONEST, LATEST);
    // Binds are spread over the hosts, and each goes on to the next when one fails it.
    let mut at = usize::try_from(place).unwrap_or_default();
    while !stop.is_cancelled() {
        let Some(host) = hosts.get(at % hosts.len().max(1)) else {
            return;
        };
        let over = session(&upstream, kind, host, &stop).await;
        if stop.is_cancelled() {
            break;
        }
        let carrier = upstream.name().as_str();
        let kind = kind.as_str();
        tracing::warn!(carrier, kind, %host, %over, "no SMPP session with a carrier");
        let now = upstream.parts.clock.now();
        upstream.standing.failed(now, &format!("{host}: {over}"));
        match over {
            Over::Ended { bound, .. } => backoff.held(bound),
            Over::Unreached(_) | Over::Refused(_) | Over::NotBound(..) => at += 1,
            Over::Stopped => return,
        }
        let wait = backoff.wait(upstream.parts.dice.roll());
        drop(timeout(wait, stop.cancelled()).await);
    }
}

/// One session, from the connection to its end.
async fn session(
    upstream: &Arc<Upstream>,
    kind: BindType,
    host: &Host,
    stop: &CancellationToken,
) -> Over {
    let stream = tokio::select! {
        () = stop.cancelled() => return Over::Stopped,
        dialled = dial(&upstream.carrier.tls, host) => match dialled {
            Ok((stream, _)) => stream,
            Err(unreached) => return unreached.into(),
        },
    };
    let carrier = &upstream.carrier;
    let (link, handle) = Link::new(options(carrier));
    let trace = Trace::new(&upstream.parts.telemetry, Some(upstream.name().clone()));
    let link = link.with_tap(trace);
    let running = link.run(stream, Hear::new(Arc::clone(upstream)));
    let working = async {
        let bound = bind(&handle, carrier, kind).await;
        let began = Instant::now();
        if bound.is_ok() {
            let carrier = upstream.name().as_str();
            tracing::info!(carrier, kind = kind.as_str(), %host, "SMPP carrier bound");
            let _counted = Counted::new(upstream);
            match kind {
                BindType::Receiver => tokio::select! {
                    () = stop.cancelled() => {}
                    () = handle.ended() => {}
                },
                BindType::Transmitter | BindType::Transceiver => {
                    deliver::run(upstream, &handle, stop).await;
                }
            }
        }
        handle.leave();
        bound.map(|()| began.elapsed())
    };
    match futures_util::future::join(running, working).await {
        (why, Ok(bound)) => Over::Ended { why, bound },
        (_, Err(Unbound::Refused(status))) => Over::Refused(status),
        // That a certificate of ours is not liked is told after it (TLS 1.3).
        (why, Err(Unbound::Lost(lost))) => Over::NotBound(lost, why),
    }
}

fn options(carrier: &Carrier) -> link::Options {
    let enquire_link = carrier.enquire_link;
    link::Options {
        limits: Limits {
            session_init: carrier.response.max(dial::WITHIN),
            enquire_link,
            inactivity: enquire_link * 3,
            response: carrier.response,
        },
        window_in: WINDOW_IN,
        window_out: usize::try_from(carrier.window.get()).unwrap_or(usize::MAX),
        ..link::Options::new(Side::Esme)
    }
}

async fn bind(handle: &Handle, carrier: &Carrier, kind: BindType) -> Result<(), Unbound> {
    let text = |text: &str| Text::until_zero(text.as_bytes().to_vec());
    let bind = Bind {
        system_id: text(&carrier.system_id),
        password: text(carrier.password.reveal()),
        system_type: text(&carrier.system_type),
        interface_version: carrier.version,
        addr_ton: carrier.range_plan.ton.unwrap_or_default(),
        addr_npi: carrier.range_plan.npi.unwrap_or_default(),
        address_range: text(&carrier.address_range),
        ..Bind::default()
    };
    let request = match kind {
        BindType::Transmitter => Pdu::BindTransmitter(bind),
        BindType::Receiver => Pdu::BindReceiver(bind),
        BindType::Transceiver => Pdu::BindTransceiver(bind),
    };
    match handle.request(request).await {
        Ok(response) if response.status.is_ok() => Ok(()),
        Ok(response) => Err(Unbound::Refused(response.status)),
        Err(lost) => Err(Unbound::Lost(lost)),
    }
}
