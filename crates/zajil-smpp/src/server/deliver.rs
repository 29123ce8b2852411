//! Messages for an application: leased, delivered, reported.

use std::sync::Arc;
use std::time::Duration;

use smpp_codec::pdu::Sm;
use smpp_codec::text::Text;
use smpp_codec::tlv::Tag;
use smpp_codec::{Pdu, Status};
use tokio::sync::Semaphore;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::port::Answer;
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::{Account, LongText, Origin};

use super::Server;
use super::bind::Bound;
use super::receipts::Receipts;
use crate::frontend::Frontend;
use crate::link::{Handle, Lost};
use crate::pump::{self, Source};
use crate::{number, text};

/// How long one look for messages or receipts waits for the first.
pub(super) const WAIT: Duration = Duration::from_secs(20);

/// A session that is delivered to.
pub(super) struct Session<'s> {
    pub(super) server: &'s Server,
    pub(super) account: &'s Account,
    pub(super) bound: &'s Bound,
    handle: &'s Handle,
    /// How many messages, and how many receipts, are worked on at a time.
    pub(super) room: usize,
    /// What the account may have under way at a time, messages and receipts together.
    window: Semaphore,
}

/// Delivers to a session from its bind to its end.
pub(super) async fn run(server: &Server, bound: &Bound, handle: &Handle) {
    tokio::select! {
        () = handle.ended() => return,
        () = bound.delivers.notified() => {}
    }
    let Some(account) = bound.account() else {
        return;
    };
    let room = usize::try_from(account.window.get()).unwrap_or(usize::MAX);
    let session = Session {
        server,
        account,
        bound,
        handle,
        room,
        window: Semaphore::new(room.min(Semaphore::MAX_PERMITS)),
    };
    let (messages, receipts) = (Messages(&session), Receipts(&session));
    let ended = handle.ended_token();
    let both = futures_util::future::join(
        pump::run(&messages, handle, &ended),
        pump::run(&receipts, handle, &ended),
    );
    tokio::select! {
        ((), ()) = both => {}
        () = frontend(server, account).stay_registered(configuration(bound.version())) => {}
    }
}

impl Session<'_> {
    /// Sends a request when the account's window has room; answers the status of its response.
    pub(super) async fn request(&self, pdu: Pdu) -> Result<Status, Lost> {
        let _place = self.window.acquire().await.map_err(|_| Lost::Unsent)?;
        let under_way = &self.server.parts.telemetry.metrics.smpp_under_way;
        under_way.inc();
        let done = self.handle.request(pdu).await;
        under_way.dec();
        done.map(|done| done.status)
    }
}

/// The messages for the account of a session.
struct Messages<'s>(&'s Session<'s>);

impl Source for Messages<'_> {
    type Item = Message;
    type Done = (MessageId, Report);

    fn room(&self) -> usize {
        self.0.room
    }

    fn ask(&self, limit: usize) -> Answer<'_, Vec<Message>> {
        frontend(self.0.server, self.0.account).ask(limit, WAIT)
    }

    async fn work(&self, message: Message) -> Option<Self::Done> {
        deliver(self.0, message).await
    }

    async fn finish(&self, done: Vec<Self::Done>) {
        frontend(self.0.server, self.0.account).report(done).await;
    }

    async fn give_back(&self, message: Message) {
        let frontend = frontend(self.0.server, self.0.account);
        frontend.give_back(&message).await;
    }
}

fn frontend<'a>(server: &'a Server, account: &'a Account) -> Frontend<'a> {
    Frontend {
        desk: &*server.parts.desk,
        name: &account.system_id,
        node: Some(&server.options.node),
    }
}

/// What the registration of a session says of it.
fn configuration(version: u8) -> String {
    format!("{{\"interface_version\":\"{version:#04x}\"}}")
}

/// Registers the application of a session that has just bound.
pub(super) async fn register(server: &Server, account: &Account, version: u8) {
    let frontend = frontend(server, account);
    frontend.register(configuration(version)).await;
}

/// Delivers one message; answers what is to be reported of it.
async fn deliver(session: &Session<'_>, message: Message) -> Option<(MessageId, Report)> {
    let (server, account) = (session.server, session.account);
    let by = &account.system_id;
    // Without optional parameters only headers tell parts from each other.
    let parameters = session.bound.knows_parameters();
    let long = if parameters {
        account.long_text
    } else {
        LongText::Udh
    };
    let mut outcome = Ok(());
    for piece in text::write(&message, account.alphabet, long) {
        let mut pdu = Sm {
            source_addr: number::write(message.content.source.as_str()),
            destination_addr: number::write(message.content.destination.as_str()),
            esm_class: piece.esm_class,
            data_coding: piece.data_coding,
            short_message: piece.short_message,
            tlvs: piece.tlvs,
            ..Sm::default()
        };
        if let Some(origin) = &message.arranged.origin {
            carry(origin, &mut pdu, parameters);
        }
        outcome = match session.request(Pdu::DeliverSm(pdu)).await {
            Ok(Status::ROK) => Ok(()),
            Ok(status) => Err(Failure::Refused(status)),
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
        Err(Failure::Lost(Lost::Unsent)) => {
            frontend(server, account).give_back(&message).await;
            return None;
        }
        Err(failure) => failed(by, failure),
    };
    Some((message.id, report))
}

/// What the sender's application said is carried to the receiver's: what kind of message it is, and
/// which acknowledgements the receiver is asked for.
fn carry(origin: &Origin, pdu: &mut Sm, parameters: bool) {
    pdu.esm_class.0 |= origin.kind;
    pdu.registered_delivery.0 = origin.acks;
    pdu.service_type = Text::until_zero(origin.service_type.clone());
    if let (true, Some(reference)) = (parameters, origin.reference) {
        pdu.tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, reference);
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
