//! What an application asks about, takes back or changes of its own messages: `query_sm`,
//! `cancel_sm`, `replace_sm`, `replace_if_present_flag` (SMPP 3.4, 4.5, 4.8 to 4.10).

use futures_util::stream::{self, StreamExt as _};
use smpp_codec::Status;
use smpp_codec::address::Address;
use smpp_codec::pdu::{CancelSm, QuerySm, QuerySmResp, ReplaceSm};
use smpp_codec::state::MessageState;
use smpp_codec::text::Text;
use smpp_codec::time::Time;
use tokio::time::Instant;
use zajil_core::clock::Timestamp;
use zajil_core::event::Event;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::message::{Life, Message};
use zajil_core::number::key;
use zajil_core::outcome::Reason;
use zajil_core::port::{Submission, Waiting};
use zajil_core::receipt::State;
use zajil_core::smpp::Account;

use super::{Server, receipts};
use crate::number;
use crate::submit::{Replacement, Unusable};

/// How many waiting messages one look reads.
const PAGE: u32 = 1_000;
/// How many looks one search takes at the most: what is older is not found.
const PAGES: u32 = 10;
/// How many messages of one search are taken back at a time: they share transactions.
const AT_ONCE: usize = 64;
/// From this version on a message that waits for its time is said to be scheduled.
const WITH_SCHEDULED: u8 = 0x50;

/// Which messages a search is for.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    source: &'a str,
    destination: &'a str,
    /// None: whatever it is.
    service_type: Option<&'a str>,
}

impl Wanted<'_> {
    /// What somebody holds is being delivered, and stays.
    fn fits(&self, message: &Message, now: Timestamp) -> bool {
        let service = message.arranged.origin.as_ref();
        let service = service.map_or("", |origin| origin.service_type.as_str());
        let held = matches!(
            message.life,
            Life::Pending { leased_until: Some(until) } if until > now
        );
        !held && self.service_type.is_none_or(|wanted| wanted == service)
    }
}

/// Whether an address is the sender of a message: as it was named, or as it is now. The account
/// that has one sender for all names what it likes.
fn is_from(message: &Message, named: &str, account: &Account) -> bool {
    let origin = message.arranged.origin.as_ref();
    let same = |number: &str| key(number) == key(named);
    account.forced_sender.is_some()
        || same(message.content.source.as_str())
        || origin.is_some_and(|origin| same(&origin.source.value))
}

fn is_to(message: &Message, named: &str) -> bool {
    let origin = message.arranged.origin.as_ref();
    let same = |number: &str| key(number) == key(named);
    same(message.content.destination.as_str())
        || origin.is_some_and(|origin| same(&origin.destination.value))
}

impl Server {
    /// The state of a message of the account.
    pub(super) async fn query(
        &self,
        account: &Account,
        version: u8,
        pdu: &QuerySm,
    ) -> Result<QuerySmResp, Status> {
        let asked = (&pdu.message_id, &pdu.source_addr);
        let (message, events) = self.find(account, asked, Status::RQUERYFAIL).await?;
        let state = message
            .ending()
            .map(|ending| State::of(ending.how, &events));
        let (said, error) = match state {
            Some(state) => {
                let origin = message.arranged.origin.as_deref();
                let told = origin.and_then(|origin| origin.error);
                let told = told.filter(|_| state.has_cause());
                let code = told.map_or(receipts::error(state), |error| error.code);
                (receipts::state(state), code)
            }
            None if version >= WITH_SCHEDULED && self.waits_for_its_time(&message) => {
                (MessageState::Scheduled, 0)
            }
            None => (MessageState::Enroute, 0),
        };
        let ended = message.ending().map(|ending| Time::at(ending.at.millis()));
        Ok(QuerySmResp {
            message_id: pdu.message_id.clone(),
            final_date: ended.map_or(Text::EMPTY, |time| time.to_text()),
            message_state: said.octet(),
            error_code: u8::try_from(error).unwrap_or(u8::MAX),
            ..QuerySmResp::default()
        })
    }

    fn waits_for_its_time(&self, message: &Message) -> bool {
        let now = self.parts.clock.now();
        let later = message.deliver_after.is_some_and(|after| after > now);
        later && message.attempts.get() == 0
    }

    /// Takes one message back, or all that wait from one address to another.
    pub(super) async fn cancel(&self, account: &Account, pdu: &CancelSm) -> Result<(), Status> {
        const FAILED: Status = Status::RCANCELFAIL;
        let (source, destination) = (
            number::read(&pdu.source_addr),
            number::read(&pdu.destination_addr),
        );
        if !pdu.message_id.is_empty() {
            let asked = (&pdu.message_id, &pdu.source_addr);
            let (message, _) = self.find(account, asked, FAILED).await?;
            if !destination.is_empty() && !is_to(&message, &destination) {
                return Err(FAILED);
            }
            return self.take_back(message.id).await;
        }
        if !account.by_address {
            // They are not in the index.
            return Err(FAILED);
        }
        // A look costs what a submit costs, and no account looks more often than it may submit.
        if !self.roster.may_submit(account, Instant::now()) {
            return Err(Status::RTHROTTLED);
        }
        let service_type = pdu.service_type.to_str();
        let wanted = Wanted {
            source: &source,
            destination: &destination,
            service_type: Some(&*service_type).filter(|named| !named.is_empty()),
        };
        let found = self.search(account, wanted, usize::MAX).await?;
        let done = stream::iter(found).map(|id| self.take_back(id));
        let done = done.buffer_unordered(AT_ONCE);
        let cancelled = done.filter(|done| std::future::ready(done.is_ok())).count();
        match cancelled.await {
            0 => Err(FAILED),
            _ => Ok(()),
        }
    }

    async fn take_back(&self, id: MessageId) -> Result<(), Status> {
        let edit = Edit {
            unless_held: true,
            report: Some(Report::Removed),
            ..Edit::default()
        };
        let done = self.parts.desk.edit(id, edit).await;
        done.map(drop)
            .map_err(|refusal| failed(refusal.reason, Status::RCANCELFAIL))
    }

    /// Changes what waits.
    pub(super) async fn replace(&self, account: &Account, pdu: &ReplaceSm) -> Result<(), Status> {
        const FAILED: Status = Status::RREPLACEFAIL;
        let asked = (&pdu.message_id, &pdu.source_addr);
        let (message, _) = self.find(account, asked, FAILED).await?;
        if message.ending().is_some() || message.content.raw_pdu.is_some() {
            return Err(FAILED);
        }
        let now = self.parts.clock.now();
        let replacement = Replacement::of(pdu, &message, account, now);
        let edit = replacement.map_err(|Unusable { status, why }| {
            self.refused(Reason::Invalid);
            tracing::debug!(account = %account.system_id, why, "replace refused");
            status
        })?;
        let done = self.parts.desk.edit(message.id, edit).await;
        done.map(drop)
            .map_err(|refusal| failed(refusal.reason, FAILED))
    }

    /// Puts a submission in the place of a message that waits: the newest of the same service from
    /// and to the same addresses. Answers it as it is now; none when there is none that can be
    /// replaced.
    pub(super) async fn replace_present(
        &self,
        account: &Account,
        submission: &Submission,
        (source, destination): (&str, &str),
    ) -> Result<Option<Message>, Status> {
        let service_type = submission.origin.as_ref();
        let service_type = service_type.map_or("", |origin| origin.service_type.as_str());
        let wanted = Wanted {
            source,
            destination,
            service_type: Some(service_type),
        };
        for id in self.search(account, wanted, 1).await? {
            let edit = Replacement::by(submission, self.parts.clock.now());
            match self.parts.desk.edit(id, edit).await {
                Ok(message) => return Ok(Some(message)),
                Err(refusal) if refusal.reason.is_retryable() => {
                    return Err(crate::status::of(refusal.reason));
                }
                // It is being delivered, or was: the new one follows it.
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// A message of the account, with its log.
    async fn find(
        &self,
        account: &Account,
        (id, source): (&Text, &Address),
        unknown: Status,
    ) -> Result<(Message, Vec<Event>), Status> {
        let id = account.response_ids.read(&id.to_str());
        let id = id.ok_or(Status::RINVMSGID)?;
        let found = self.parts.desk.find(id).await;
        let found = found.map_err(|refusal| failed(refusal.reason, unknown))?;
        let source = number::read(source);
        // Who names no sender is known by his account.
        let own = |message: &Message| {
            message.content.source_smsc.as_ref() == Some(&account.system_id)
                && (source.is_empty() || is_from(message, &source, account))
        };
        found.filter(|(message, _)| own(message)).ok_or(unknown)
    }

    /// The messages of an account that wait and fit, newest first, at most `most`. The account has
    /// one search at a time.
    async fn search(
        &self,
        account: &Account,
        wanted: Wanted<'_>,
        most: usize,
    ) -> Result<Vec<MessageId>, Status> {
        let turn = self.roster.search(&account.system_id);
        let _turn = turn.acquire().await.map_err(|_| Status::RSYSERR)?;
        let now = self.parts.clock.now();
        let mut fitting = Vec::new();
        let mut before = None;
        for _ in 0..PAGES {
            let page = self.parts.desk.waiting(Waiting {
                account: account.system_id.clone(),
                source: wanted.source.to_owned(),
                destination: wanted.destination.to_owned(),
                before,
                limit: PAGE,
            });
            let page = page.await;
            let page = page.map_err(|refusal| crate::status::of(refusal.reason))?;
            let fits = page
                .iter()
                .filter(|message| message.content.raw_pdu.is_none() || most > 1)
                .filter(|message| wanted.fits(message, now));
            fitting.extend(fits.map(|message| message.id));
            before = page.last().map(|message| message.id);
            let last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            if last || fitting.len() >= most {
                break;
            }
        }
        fitting.truncate(most);
        Ok(fitting)
    }
}

/// What may succeed later is not said to have failed for good.
fn failed(reason: Reason, otherwise: Status) -> Status {
    match reason {
        Reason::StorageDown | Reason::StorageFull | Reason::Internal => crate::status::of(reason),
        _ => otherwise,
    }
}
