//! What the simulated carrier sends of its own: receipts, and messages of mobiles.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smpp_codec::Pdu;
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::Sm;
use smpp_codec::receipt::Receipt;
use smpp_codec::state::MessageState;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::tlv::Tag;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Carrier, lock};
use crate::number;

/// A delivery is tried for so long, while nobody is bound to take it.
const KEPT: Duration = Duration::from_secs(3_600);
const AGAIN: Duration = Duration::from_millis(200);
/// An answer is waited for so long.
const ANSWER: Duration = Duration::from_secs(10);

/// A delivery that waits.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) to: String,
    pub(super) due: Instant,
    pub(super) sm: Sm,
    /// Told when it was answered.
    pub(super) told: Option<oneshot::Sender<()>>,
}

impl Carrier {
    /// The receipt for a message that was taken as `id`.
    pub(super) fn receipt(&self, submitted: &Sm, id: u64) -> Sm {
        let options = &self.options.receipts;
        let fails = |every: std::num::NonZeroU32| id.is_multiple_of(u64::from(every.get()));
        let failed = options.failing_every.is_some_and(fails);
        let (state, error) = if failed {
            (MessageState::Undeliverable, 11)
        } else {
            (MessageState::Delivered, 0)
        };
        let now = self.clock.now().millis();
        let id = options.ids.in_receipt(id);
        let text = Receipt {
            id: &id,
            submitted: 1,
            delivered: u16::from(!failed),
            submit_ms: now,
            done_ms: now,
            state,
            error,
            text: submitted.short_message.octets(),
        };
        let mut receipt = Sm {
            source_addr: submitted.destination_addr.clone(),
            destination_addr: submitted.source_addr.clone(),
            esm_class: EsmClass(EsmClass::RECEIPT),
            short_message: ShortMessage::new(text.write()).unwrap_or_default(),
            ..Sm::default()
        };
        if options.parameters {
            let id = Text::until_zero(id.into_bytes());
            receipt.tlvs.push_text(Tag::RECEIPTED_MESSAGE_ID, &id);
            receipt.tlvs.push_u8(Tag::MESSAGE_STATE, state.octet());
        }
        receipt
    }

    /// Sends a receipt as if `submitted` had been taken as `id` of whoever is bound as `to`.
    pub fn tell(&self, to: &str, submitted: &Sm, id: u64) {
        let parcel = Parcel {
            to: to.to_owned(),
            due: Instant::now(),
            sm: self.receipt(submitted, id),
            told: None,
        };
        if self.parcels.try_send(parcel).is_err() {
            tracing::warn!("simulated carrier: no room for a receipt");
        }
    }

    /// Carries parcels, each when it is due, to a session of whom they are for.
    pub(super) async fn carry(self: Arc<Self>, mut waiting: mpsc::Receiver<Parcel>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                parcel = waiting.recv() => match parcel {
                    Some(parcel) => under_way.push(self.hand_over(parcel)),
                    None => return,
                },
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
            }
        }
    }

    async fn hand_over(&self, parcel: Parcel) {
        sleep_until(parcel.due).await;
        let given_up = Instant::now() + KEPT;
        while Instant::now() < given_up {
            let handle = {
                let sessions = lock(&self.sessions);
                let theirs = |seat: &&super::Seat| seat.system_id == parcel.to;
                let free = sessions.iter().filter(theirs);
                free.max_by_key(|seat| seat.handle.room())
                    .map(|seat| seat.handle.clone())
            };
            if let Some(handle) = handle {
                let request = handle.request(Pdu::DeliverSm(parcel.sm.clone()));
                if let Ok(Ok(response)) = timeout(ANSWER, request).await
                    && response.status.is_ok()
                {
                    self.receipted.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            sleep(AGAIN).await;
        }
        if let Some(told) = parcel.told {
            // Who waited may have gone.
            told.send(()).ok();
        }
    }

    /// Delivers a message of a mobile to every session that receives, again and again.
    pub(super) async fn chatter(self: Arc<Self>, every: Duration) {
        let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
        let mut count = 0_u64;
        loop {
            ticks.tick().await;
            count += 1;
            let sm = Sm {
                source_addr: number::write("+46701000001"),
                destination_addr: number::write("+46709000001"),
                short_message: ShortMessage::new(format!("message {count}")).unwrap_or_default(),
                ..Sm::default()
            };
            let seats = lock(&self.sessions).clone();
            for seat in seats {
                let request = seat.handle.request(Pdu::DeliverSm(sm.clone()));
                if let Ok(Ok(response)) = timeout(ANSWER, request).await {
                    tracing::debug!(status = %response.status, "simulated carrier: delivered");
                }
            }
        }
    }
}
