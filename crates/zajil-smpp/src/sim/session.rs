//! One session of the simulated carrier.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smpp_codec::flags::Final;
use smpp_codec::pdu::{Bind, BindResp, Sm, SmResp};
use smpp_codec::session::State;
use smpp_codec::text::Text;
use smpp_codec::tlv::{Tag, Tlvs};
use smpp_codec::{Header, Pdu, Status};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::courier::Parcel;
use super::{Behaviour, Carrier, MOST_SEEN, Seat, lock};
use crate::link::{Answer, Handle, Handler, Reaction};

/// An early receipt is waited for so long before the response goes.
const EARLY: Duration = Duration::from_secs(5);

pub(super) struct Session {
    carrier: Arc<Carrier>,
    number: u64,
    handle: Handle,
    cut: CancellationToken,
    system_id: String,
}

impl Session {
    pub(super) const fn new(
        carrier: Arc<Carrier>,
        number: u64,
        handle: Handle,
        cut: CancellationToken,
    ) -> Self {
        Self {
            carrier,
            number,
            handle,
            cut,
            system_id: String::new(),
        }
    }

    fn bind(&mut self, bind: &Bind, response: fn(BindResp) -> Pdu) -> Reaction {
        self.system_id = bind.system_id.to_str().into_owned();
        tracing::info!(system_id = self.system_id, "simulated carrier: bound");
        let mut tlvs = Tlvs::NONE;
        tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
        let system_id = Text::until_zero(b"simulator".to_vec());
        Reaction::Now(Answer::done(response(BindResp { system_id, tlvs })))
    }

    fn submit(&self, header: Header, sm: Sm) -> Reaction {
        let carrier = &self.carrier;
        let count = carrier.submits.fetch_add(1, Ordering::Relaxed) + 1;
        if carrier.parcels.capacity() < 2 {
            return Reaction::Now(Answer::refusal(header, Status::RMSGQFUL));
        }
        match carrier.options.behaviour {
            Behaviour::Healthy => self.taken(sm, None),
            Behaviour::Slow(after) => self.taken(sm, Some(after)),
            Behaviour::Flaky(every) if count.is_multiple_of(u64::from(every.get())) => {
                // Taken, and the connection falls before anybody knows.
                drop(self.taken(sm, None));
                self.cut.cancel();
                never()
            }
            Behaviour::Flaky(_) => self.taken(sm, None),
            Behaviour::Throttling(rate) => {
                if carrier.is_within(rate.get()) {
                    self.taken(sm, None)
                } else {
                    Reaction::Now(Answer::refusal(header, Status::RTHROTTLED))
                }
            }
            Behaviour::Dead => never(),
            Behaviour::Capped(most) => {
                let taken = carrier.last_id.load(Ordering::Relaxed) + 1;
                let taken = taken.saturating_sub(carrier.options.first_id);
                if taken < u64::from(most) {
                    self.taken(sm, None)
                } else {
                    Reaction::Now(Answer::refusal(header, Status::RMSGQFUL))
                }
            }
        }
    }

    /// The message is taken; the response comes now, later, or after an early receipt.
    fn taken(&self, sm: Sm, after: Option<Duration>) -> Reaction {
        let carrier = &self.carrier;
        let id = carrier.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let receipts = &carrier.options.receipts;
        let wanted = match sm.registered_delivery.at_the_end() {
            Final::Never => 0,
            Final::Always | Final::Failure | Final::Success => 1 + u8::from(receipts.doubled),
        };
        let mut early = None;
        for _ in 0..wanted {
            let told = if receipts.early && early.is_none() {
                let (tell, told) = oneshot::channel();
                early = Some(told);
                Some(tell)
            } else {
                None
            };
            let parcel = Parcel {
                to: self.system_id.clone(),
                due: Instant::now() + receipts.delay,
                sm: carrier.receipt(&sm, id),
                told,
            };
            // There was room above; a receipt that is lost all the same is what carriers do.
            drop(carrier.parcels.try_send(parcel));
        }
        let mut seen = lock(&carrier.seen);
        if seen.len() < MOST_SEEN {
            seen.push(sm);
        }
        drop(seen);
        let message_id = Text::until_zero(receipts.ids.in_response(id).into_bytes());
        let answer = Answer::done(Pdu::SubmitSmResp(SmResp {
            message_id,
            ..SmResp::default()
        }));
        if after.is_none() && early.is_none() {
            return Reaction::Now(answer);
        }
        Reaction::Later(Box::pin(async move {
            if let Some(early) = early {
                drop(timeout(EARLY, early).await);
            }
            sleep(after.unwrap_or_default()).await;
            answer
        }))
    }
}

fn never() -> Reaction {
    Reaction::Later(Box::pin(std::future::pending()))
}

impl Carrier {
    /// Whether one more message fits into this second.
    fn is_within(&self, rate: u32) -> bool {
        let mut bucket = lock(&self.bucket);
        let now = Instant::now();
        if now - bucket.0 >= Duration::from_secs(1) {
            *bucket = (now, 0);
        }
        bucket.1 += 1;
        bucket.1 <= rate
    }
}

impl Handler for Session {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        match pdu {
            Pdu::BindTransmitter(bind) => self.bind(&bind, Pdu::BindTransmitterResp),
            Pdu::BindReceiver(bind) => self.bind(&bind, Pdu::BindReceiverResp),
            Pdu::BindTransceiver(bind) => self.bind(&bind, Pdu::BindTransceiverResp),
            Pdu::SubmitSm(sm) => self.submit(header, sm),
            _ => Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        }
    }

    fn state(&mut self, state: State) {
        if state.may_deliver() {
            lock(&self.carrier.sessions).push(Seat {
                number: self.number,
                system_id: self.system_id.clone(),
                handle: self.handle.clone(),
            });
        }
    }
}
