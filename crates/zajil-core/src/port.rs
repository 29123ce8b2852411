//! The contracts between doors, engine and outside: what a message enters and leaves by.
//!
//! Every message enters through [`Intake`] and leaves through [`Desk`], whether the caller is the
//! REST API or a built-in frontend; [`Control`] edits what routes them. The engine implements all
//! three; doors know nothing else of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::cdr::Cdr;
use crate::charge;
use crate::clock::Timestamp;
use crate::enum_query::Lookup;
use crate::event::Event;
use crate::frontend::{FrontendName, Presence, Registration};
use crate::id::MessageId;
use crate::lifecycle::{Edit, Report};
use crate::location::{Location, Sighting};
use crate::message::{Message, TransferFields};
use crate::number::{Given, Msisdn, Sender};
use crate::offer::Asker;
use crate::outcome::Refusal;
use crate::policy::{Pause, Policy};
use crate::receipt::Receipt;
use crate::route::{Route, RouteId, SourceType, choose};
use crate::smpp::Origin;
use crate::status::FinalStatus;
pub use crate::tables::{Routing, RoutingChange};
use crate::translate;
use crate::translate::apply::Translated;

/// The answer of a port: a boxed future, one per call.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// The answer to one of many that were handed in together.
pub type Each<T> = Result<T, Refusal>;

/// A message as a door hands it in: syntactically sound, not yet translated, routed or numbered.
#[derive(Debug, Clone)]
pub struct Submission {
    /// `source_msisdn`.
    pub source: Option<Given>,
    /// `destination_msisdn`.
    pub destination: Given,
    /// `message_body`.
    pub body: String,
    /// `source_smsc`.
    pub source_smsc: Option<FrontendName>,
    /// How it came in, for routes that ask.
    pub source_type: Option<SourceType>,
    /// `dest_smsc`, when the client insists on one.
    pub dest_smsc: Option<FrontendName>,
    /// `source_imsi`.
    pub source_imsi: Option<String>,
    /// `dest_imsi`.
    pub dest_imsi: Option<String>,
    /// `message_parts` as the client counted them; ours otherwise.
    pub parts: Option<std::num::NonZeroU32>,
    /// `message_part_number`.
    pub part_number: Option<std::num::NonZeroU32>,
    /// The `tp_*` fields.
    pub tp: TransferFields,
    /// `send_time`.
    pub send_time: Option<Timestamp>,
    /// `expires`; the configured default otherwise.
    pub expires: Option<Timestamp>,
    /// `deliver_after`.
    pub deliver_after: Option<Timestamp>,
    /// `raw_pdu`.
    pub raw_pdu: Option<Vec<u8>>,
    /// `raw_data_flag`.
    pub raw_data: bool,
    /// `raw_sip_flag`.
    pub raw_sip: bool,
    /// What makes two submits the same (D6, S9.2).
    pub dedupe: Option<Dedupe>,
    /// What its application wants to hear of it, and calls things.
    pub origin: Option<Box<Origin>>,
}

/// How a repeated submit is recognised: both are digests made by the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dedupe {
    /// Digest of what identifies the submit: the client's key, or the PDU's fingerprint.
    pub key: [u8; 32],
    /// Digest of the request body: another body under the same key is refused.
    pub body: [u8; 32],
}

/// An accepted message.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The message as it stands after translation and routing.
    pub message: Arc<Message>,
    /// Whether this is the first answer given again for a repeated submit.
    pub repeated: bool,
}

/// The door in (house rule: two doors). Cheap to call from many tasks at once.
pub trait Intake: Send + Sync {
    /// Takes a message and answers when it is on stable storage (D5).
    ///
    /// # Errors
    /// A refusal means that nothing was stored.
    fn submit(&self, submission: Submission) -> Answer<'_, Accepted>;

    /// Takes many messages, and answers when they are on stable storage: one answer for each, in
    /// order (D7). They share one transaction; those of which money moves have their own.
    ///
    /// # Errors
    /// A refusal of the whole means that nothing was stored.
    fn submit_many(&self, submissions: Vec<Submission>) -> Answer<'_, Vec<Each<Accepted>>>;

    /// Takes a message into the bounded intake batch and answers before it is stored (D5).
    ///
    /// # Errors
    /// `Overloaded` when the batch is full; the other refusals as in [`Intake::submit`].
    fn submit_async(&self, submission: Submission) -> Answer<'_, Accepted>;
}

/// What a frontend asks of the desk.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks.
    pub asker: Asker,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
    /// Take them for this long, so that no other poller gets them (D7).
    pub lease: Option<Duration>,
    /// Wait this long for the first to fall due (D7).
    pub wait: Option<Duration>,
}

/// Who asks for the receipts of an account.
#[derive(Debug, Clone)]
pub struct ReceiptAsk {
    /// The account.
    pub account: FrontendName,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
    /// Take them for this long, so that nobody else gets them.
    pub lease: Duration,
    /// Wait this long for the first to fall due.
    pub wait: Duration,
}

/// The messages that an application submitted from one address to another, that wait, and that it
/// said it would look for ([`Origin::findable`]).
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Who submitted them.
    pub account: FrontendName,
    /// Their sender, as the application named it, compared as D8 says.
    pub source: String,
    /// Their destination, likewise.
    pub destination: String,
    /// Only those with a lower id.
    pub before: Option<MessageId>,
    /// At most this many.
    pub limit: u32,
}

/// A receipt that was handed out, and has to be answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Its place: what is told of it names this.
    pub place: u64,
    /// How often it was put off.
    pub tries: u32,
    /// What it says.
    pub receipt: Receipt,
}

/// What its application said to a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptAnswer {
    /// It took it.
    Taken,
    /// It refused it for good, for this reason.
    Refused(String),
    /// It could not take it: later, the longer the more often it was tried.
    Later,
    /// It was not sent: it keeps its place.
    Unsent,
}

/// The door out: register, offer, lease, report.
pub trait Desk: Send + Sync {
    /// Registers a frontend or renews its registration; `true` when it began a new stretch.
    fn register(&self, registration: Registration) -> Answer<'_, (Presence, bool)>;

    /// The messages for a frontend, longest due first, leased if asked. Empty after the wait.
    fn offer(&self, ask: Ask) -> Answer<'_, Vec<Message>>;

    /// The receipts that an account is owed, longest due first; empty after the wait (D19).
    fn receipts(&self, ask: ReceiptAsk) -> Answer<'_, Vec<Handed>>;

    /// A message and its log, as long as there is one.
    fn find(&self, id: MessageId) -> Answer<'_, Option<(Message, Vec<Event>)>>;

    /// Messages that wait, newest first: what is read is what is answered.
    fn waiting(&self, of: Waiting) -> Answer<'_, Vec<Message>>;

    /// Says what became of receipts, in one transaction.
    fn answer_receipts(&self, answers: Vec<(Handed, ReceiptAnswer)>) -> Answer<'_, ()>;

    /// Reports what became of a message.
    ///
    /// # Errors
    /// `NotFound`; `AlreadyFinal`: recorded as an event, nothing else changed (D11).
    fn report(&self, id: MessageId, report: Report) -> Answer<'_, Message>;

    /// Reports in one transaction, one answer for each, in order (D7).
    ///
    /// # Errors
    /// A refusal of the whole means that nothing was changed.
    fn report_many(&self, reports: Vec<(MessageId, Report)>) -> Answer<'_, Vec<Each<Message>>>;

    /// Changes a pending message (PATCH).
    ///
    /// # Errors
    /// `NotFound`, `AlreadyFinal`, `UnknownFrontend`.
    fn edit(&self, id: MessageId, edit: Edit) -> Answer<'_, Message>;

    /// Removes a message; a pending one ends first, with its CDR.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove(&self, id: MessageId) -> Answer<'_, ()>;

    /// Writes down where a subscriber is and wakes the messages that wait for it (D10); `true`
    /// when the IMSI was new. With an id, updates that record.
    ///
    /// # Errors
    /// `NotFound` for an unknown id; `Invalid` without an IMSI; `Conflict` when another record has
    /// the IMSI.
    fn locate(&self, id: Option<u64>, sighting: Sighting) -> Answer<'_, (Location, bool)>;

    /// Forgets a location.
    ///
    /// # Errors
    /// `NotFound`.
    fn forget_location(&self, id: u64) -> Answer<'_, ()>;
}

/// A message that does not exist: what would become of it (S4.5)?
#[derive(Debug, Clone)]
pub struct Question {
    /// The sender.
    pub calling: Option<Given>,
    /// The destination.
    pub called: Given,
    /// `source_smsc`.
    pub source_smsc: Option<FrontendName>,
    /// `source_type`.
    pub source_type: Option<SourceType>,
    /// The domain that ENUM is to be taken to have given; ENUM is asked without.
    pub enum_domain: Option<String>,
    /// Decides the draw among equals; every outcome counts without.
    pub draw: Option<u64>,
}

/// What would become of a message, step by step, by the functions of the pipeline itself.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The rule that would change the numbers, and to what.
    pub translated: Option<Translated>,
    /// The sender after that.
    pub calling: Sender,
    /// The destination after that.
    pub called: Msisdn,
    /// What ENUM says; none when no route depends on it, or the question says what to assume.
    pub lookup: Option<Lookup>,
    /// The domain that routes were compared with.
    pub enum_domain: Option<String>,
    /// Every route, in the order of the table, with why it won or lost; none for those among which
    /// the draw is open.
    pub verdicts: Vec<(Route, Option<choose::Verdict>)>,
    /// What may happen; nothing when no route matches.
    pub outcomes: Vec<Outcome>,
    /// Whether the message would be charged if no route took it.
    pub charged_unrouted: bool,
    /// The frontend that a live location names, to which the message goes when no route decides.
    pub location: Option<FrontendName>,
}

/// One thing that may happen to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The route that takes it.
    pub route: RouteId,
    /// It happens so many times …
    pub share: u32,
    /// … in so many.
    pub of: u32,
    /// The frontend that gets it, if the route delivers.
    pub dest_smsc: Option<FrontendName>,
    /// The frontends before that one which are not active.
    pub absent: Vec<FrontendName>,
    /// Those that follow.
    pub fallback: Vec<FrontendName>,
    /// Whether it is charged.
    pub charged: bool,
}

/// Edits the routing tables: validated as a whole, stored, then in force for new messages.
pub trait Control: Send + Sync {
    /// The tables as they are stored; in force within a second.
    fn routing(&self) -> Arc<Routing>;

    /// Stores a change and answers with the tables it led to, and the id it was about, if one.
    /// They are in force after [`Control::in_force`]. With a `base`, only where the tables have
    /// that version still.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict` for another version; nothing is changed then.
    fn change_routing(
        &self,
        change: RoutingChange,
        base: Option<u64>,
    ) -> Answer<'_, (Arc<Routing>, Option<u64>)>;

    /// What was decided about a frontend, registered or not.
    fn policy(&self, name: &FrontendName) -> Policy;

    /// Decides about a frontend; in force at once here, within a second elsewhere.
    ///
    /// # Errors
    /// Those of the store.
    fn set_policy(&self, policy: Policy) -> Answer<'_, Policy>;

    /// Whether the node is drained or stops: it takes no new messages, and calls nobody.
    fn is_draining(&self) -> bool;

    /// Why a frontend gets nothing now, if so: an operator paused it, or it is congested.
    fn pause(&self, name: &FrontendName) -> Option<Pause>;

    /// Waits until tables of this version, or later ones, decide over new messages on this node.
    /// Callers that wait together share the work.
    fn in_force(&self, version: u64) -> Answer<'_, ()>;

    /// What translation would make of numbers, with a verdict on every rule. Changes nothing.
    fn explain_translation(&self, question: &Question) -> translate::apply::Explanation;

    /// What would become of a message (S4.5). Changes nothing, counts nothing.
    ///
    /// # Errors
    /// `Invalid` for numbers that a submit would be refused for.
    fn simulate(&self, question: Question) -> Answer<'_, Simulation>;
}

/// A row that the database refuses for what it holds; writing it again cannot help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Whose row it is.
    pub message_id: i64,
    /// What the database says, without the values of the row (S10.4).
    pub why: String,
}

/// Why rows are not in the CDR database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwritten {
    /// It is away, or wants an operator: the same rows may be written later. A sentence for the
    /// log.
    Down(String),
    /// It has all rows but these.
    BadRows(Vec<BadRow>),
}

/// The answer of [`CdrSink::write`].
pub type Written<'a> = Pin<Box<dyn Future<Output = Result<(), Unwritten>> + Send + 'a>>;

/// Where finished messages go (S10). Implementations own their connection and reconnect; they
/// answer within their time limits, whatever the database does.
pub trait CdrSink: Send + Sync + std::fmt::Debug {
    /// Writes the rows, in one transaction unless some are bad. A row whose `message_id` is there
    /// already is left as it is: the outbox repeats a batch whose outcome it does not know (D16).
    ///
    /// # Errors
    /// [`Unwritten`]: after `Down` any of the rows may or may not be there, and the outbox writes
    /// them again; after `BadRows` the others are there.
    fn write<'a>(&'a self, rows: &'a [Cdr], now: Timestamp) -> Written<'a>;
}

/// Which CDRs are looked for; `None` means any. Newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CdrFilter {
    /// Calling or called number, whole, compared as it stands in the column.
    pub number: Option<String>,
    /// `calling_number`.
    pub calling_number: Option<String>,
    /// `called_number`.
    pub called_number: Option<String>,
    /// `message_id`.
    pub message_id: Option<i64>,
    /// `status`.
    pub status: Option<FinalStatus>,
    /// `source_smsc`.
    pub source_smsc: Option<String>,
    /// `dest_smsc`.
    pub dest_smsc: Option<String>,
    /// `submission_time` at or after this.
    pub from: Option<Timestamp>,
    /// `submission_time` before this.
    pub to: Option<Timestamp>,
}

/// The place of a row in the table `cdrs`: its `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CdrPlace(pub i64);

/// The answer of a search: a sentence for the operator when it fails.
pub type Found<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Looks CDRs up where [`CdrSink`] has put them (S10.3).
pub trait CdrSearch: Send + Sync + std::fmt::Debug {
    /// Rows that fit, the newest `id` first, at most `limit`, from the place before `before` on
    /// (a page's last place leads to the next page). Costs what it returns, however large the
    /// table is, when a number, a message or a status is given.
    fn search<'a>(
        &'a self,
        filter: &'a CdrFilter,
        before: Option<CdrPlace>,
        limit: u32,
    ) -> Found<'a, Vec<(CdrPlace, Cdr)>>;

    /// Deletes rows whose `submission_time` is before this, at most `limit` in one short
    /// transaction; answers how many.
    fn purge(&self, before: Timestamp, limit: u32) -> Found<'_, u64>;

    /// Whether the database answers.
    fn health(&self) -> Found<'_, ()>;
}

/// The SMPP accounts as this node knows them.
pub trait SmppAccounts: Send + Sync + std::fmt::Debug {
    /// Reads them anew: what was changed before the call is in force here when it answers. When
    /// the store cannot be read that comes later, by itself.
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// How a carrier is doing on this node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CarrierState {
    /// Sessions that are bound.
    pub sessions: u32,
    /// Why a session could not be had, or ended, last, and when; none once one is bound.
    pub last_error: Option<(Timestamp, String)>,
}

/// The SMPP carriers as this node knows them.
pub trait SmppCarriers: Send + Sync + std::fmt::Debug {
    /// How this one is doing; that of an unknown or disabled one is the default. Answers at once.
    fn state(&self, carrier: &FrontendName) -> CarrierState;
}

/// Asks ENUM about numbers (S6). Implementations cache, bound and count by themselves.
pub trait NumberLookup: Send + Sync + std::fmt::Debug {
    /// What ENUM knows of a number in international form. Answers within the configured timeout,
    /// whatever the name servers do; many calls for one number at once cost one query.
    fn lookup<'a>(&'a self, number: &'a str) -> Pin<Box<dyn Future<Output = Lookup> + Send + 'a>>;
}

/// Asks the charging system (S7). Implementations own connections, time limits and the breaker.
pub trait Charger: Send + Sync + std::fmt::Debug {
    /// Authorizes or debits. Answers within the configured timeout, whatever the charging system
    /// does; at once while the breaker is open. A debit is sent at most once, and repeated only
    /// when it is certain that it never arrived.
    fn charge<'a>(
        &'a self,
        call: &'a charge::Call,
    ) -> Pin<Box<dyn Future<Output = charge::Verdict> + Send + 'a>>;

    /// Gives back what a granted [`charge::Mode::Debit`] took.
    ///
    /// # Errors
    /// [`charge::Failed`]; after [`charge::Money::Unknown`] it must not be repeated.
    fn refund<'a>(
        &'a self,
        call: &'a charge::Call,
    ) -> Pin<Box<dyn Future<Output = Result<(), charge::Failed>> + Send + 'a>>;

    /// Why nobody is asked now, if that is so: a call would fail at once, unsent. Answers at once.
    fn unusable(&self) -> Option<charge::Failed>;

    /// Whether the charging system can be used now.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn health(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}
