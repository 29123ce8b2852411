//! Messages for an application: leased, delivered, reported.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smpp_codec::pdu::Sm;
use smpp_codec::{Pdu, Status};
use tokio::time::{Instant, sleep_until};
use zajil_core::frontend::{FrontendName, FrontendType, Registration};
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::port::{Answer as Ported, Ask};
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::{Account, LongText};

use super::Server;
use super::bind::Bound;
use crate::link::{Handle, Lost};
use crate::{number, text};

/// A message comes back after this when nobody has reported on it: a session that ends reports at
/// once, so only a crash waits for it.
const LEASE: Duration = Duration::from_secs(60);
/// How long one look for messages waits for the first.
const WAIT: Duration = Duration::from_secs(20);
/// A registration lives 90 s (S3.4).
const REGISTER_EVERY: Duration = Duration::from_secs(30);
/// After an error of ours nothing is asked for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Delivers to a session from its bind to its end.
pub(super) async fn run(server: &Arc<Server>, bound: &Arc<Bound>, handle: &Handle) {
    tokio::select! {
        () = handle.ended() => return,
        () = bound.delivers.notified() => {}
    }
    let Some(account) = bound.account() else {
        return;
    };
    // Without optional parameters only headers tell parts from each other.
    let long = if bound.knows_parameters() {
        account.long_text
    } else {
        LongText::Udh
    };
    let room = usize::try_from(account.window.get()).unwrap_or(usize::MAX);
    let mut active = FuturesUnordered::new();
    let mut asking: OptionFuture<Ported<'_, Vec<Message>>> = None.into();
    let mut is_asking = false;
    let mut ask_after = Instant::now();
    let mut register_at = Instant::now() + REGISTER_EVERY;
    while !handle.is_leaving() {
        let free = room.saturating_sub(active.len());
        if !is_asking && free > 0 && ask_after <= Instant::now() {
            asking = Some(server.parts.desk.offer(ask(account, free))).into();
            is_asking = true;
        }
        tokio::select! {
            () = handle.ended() => {}
            () = sleep_until(register_at) => {
                register_at = Instant::now() + REGISTER_EVERY;
                register(server, account, bound.version()).await;
            }
            () = sleep_until(ask_after), if !is_asking && free > 0 => {}
            // Never dropped half-way: what it has leased would wait for the lease to end.
            Some(offered) = &mut asking, if is_asking => {
                is_asking = false;
                match offered {
                    Ok(messages) => active.extend(messages.into_iter().map(|message| {
                        deliver(server, (account, long), handle, message)
                    })),
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
            give_back(server, &message).await;
        }
    }
}

fn ask(account: &Account, free: usize) -> Ask {
    Ask {
        asker: Asker {
            name: account.system_id.clone(),
            include_unrouted: false,
        },
        limit: u32::try_from(free).unwrap_or(u32::MAX),
        lease: Some(LEASE),
        wait: Some(WAIT),
    }
}

/// The application is a frontend as long as it can be delivered to (S3.4).
pub(super) async fn register(server: &Server, account: &Account, version: u8) {
    let registration = Registration {
        name: account.system_id.clone(),
        kind: FrontendType::Smpp,
        ip_address: None,
        hostname: None,
        uptime_seconds: None,
        configuration: Some(format!("{{\"interface_version\":\"{version:#04x}\"}}")),
    };
    if let Err(refusal) = server.parts.desk.register(registration).await {
        tracing::warn!(account = %account.system_id, %refusal, "a session was not registered");
    }
}

/// Delivers one message, and reports what became of it.
async fn deliver(
    server: &Server,
    (account, long): (&Account, LongText),
    handle: &Handle,
    message: Message,
) {
    let by = &account.system_id;
    let mut outcome = Ok(());
    for piece in text::write(&message, account.alphabet, long) {
        let pdu = Pdu::DeliverSm(Sm {
            source_addr: number::write(message.content.source.as_str()),
            destination_addr: number::write(message.content.destination.as_str()),
            esm_class: piece.esm_class,
            data_coding: piece.data_coding,
            short_message: piece.short_message,
            tlvs: piece.tlvs,
            ..Sm::default()
        });
        outcome = match handle.request(pdu).await {
            Ok(response) if response.status.is_ok() => Ok(()),
            Ok(response) => Err(Failure::Refused(response.status)),
            Err(lost) => Err(Failure::Lost(lost)),
        };
        if outcome.is_err() {
            break;
        }
    }
    let report = match outcome {
        Ok(()) => Report::Delivered {
            by: Some(by.clone()),
            at: Some(server.parts.clock.now()),
        },
        // Nothing of it was sent: it keeps its place, and no attempt is counted.
        Err(Failure::Lost(Lost::Unsent)) => return give_back(server, &message).await,
        Err(failure) => failed(by, failure),
    };
    if let Err(refusal) = server.parts.desk.report(message.id, report).await {
        tracing::warn!(id = %message.id, %refusal, "a delivery could not be reported");
    }
}

/// Why a message was not delivered.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Refused(Status),
    Lost(Lost),
}

/// Protocols, 3.1: who answers with a permanent error does not get it again.
fn failed(by: &FrontendName, failure: Failure) -> Report {
    let (class, reason) = match failure {
        Failure::Refused(status @ (Status::RX_P_APPN | Status::RX_R_APPN)) => {
            return Report::Refused {
                by: Some(by.clone()),
                reason: Some(status.to_string()),
            };
        }
        Failure::Refused(status @ (Status::RTHROTTLED | Status::RMSGQFUL)) => {
            (ErrorClass::Congestion, status.to_string())
        }
        Failure::Refused(status) => (ErrorClass::Temporary, status.to_string()),
        Failure::Lost(lost) => (ErrorClass::Temporary, lost.to_string()),
    };
    Report::AttemptFailed {
        reason: Some(reason),
        retry_after: None,
        by: Some(by.clone()),
        class: Some(class),
        schedules: Arc::new(Schedules::default()),
    }
}

/// Ends the lease of a message that was not sent: it is due at once.
async fn give_back(server: &Server, message: &Message) {
    let edit = Edit {
        deliver_after: Some(message.deliver_after.or(Some(message.inserted_at))),
        ..Edit::default()
    };
    if let Err(refusal) = server.parts.desk.edit(message.id, edit).await {
        tracing::warn!(id = %message.id, %refusal, "a message was not given back");
    }
}
