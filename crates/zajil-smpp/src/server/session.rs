//! What the message centre makes of the requests of one session.

use std::future::Future;
use std::sync::Arc;

use smpp_codec::address::{Address, Destination, Unsuccesses, Unsuccessful};
use smpp_codec::pdu::{Bare, Bind, SmResp, SubmitMulti, SubmitMultiResp};
use smpp_codec::session::State;
use smpp_codec::text::Text;
use smpp_codec::tlv::{Tag, Tlvs};
use smpp_codec::{CommandId, Header, Pdu, Status};
use tokio::time::Instant;
use zajil_core::id::MessageId;
use zajil_core::outcome::Reason;
use zajil_core::port::Submission;
use zajil_core::smpp::{Account, BindType, Named};
use zajil_store::record::SmppAlert;
use zajil_telemetry::{Door, Fact};

use super::bind::Bound;
use super::{Server, alerts};
use crate::accounts::Peer;
use crate::link::{Answer, Answers, Handle, Handler, Next, Reaction};
use crate::status;
use crate::submit::{Made, Request, Unusable};

/// From this version on responses say how busy we are.
const WITH_CONGESTION: u8 = 0x50;

/// One session of the server.
pub(super) struct Session {
    server: Arc<Server>,
    number: u64,
    peer: Peer,
    handle: Handle,
    bound: Arc<Bound>,
    /// Submits that came at the same time: one transaction stores them.
    gathered: Vec<Gathered>,
}

/// A submit that was accepted.
struct Taken {
    id: MessageId,
    /// Whether its application will be alerted, where it wants that.
    alert: Option<bool>,
}

/// A submit that waits for those that came with it.
struct Gathered {
    header: Header,
    submission: Submission,
    response: fn(SmResp) -> Pdu,
}

impl Session {
    pub(super) fn new(
        (server, bound): (&Arc<Server>, &Arc<Bound>),
        (number, peer): (u64, Peer),
        handle: Handle,
    ) -> Self {
        Self {
            server: Arc::clone(server),
            number,
            peer,
            handle,
            bound: Arc::clone(bound),
            gathered: Vec::new(),
        }
    }

    fn bind(&self, header: Header, kind: BindType, bind: Bind) -> Reaction {
        let (server, handle) = (Arc::clone(&self.server), self.handle.clone());
        let (place, bound) = ((self.number, self.peer), Arc::clone(&self.bound));
        later(async move {
            let said = bind.interface_version;
            let response = server.bind_resp(kind, said);
            match server.bind((kind, bind), place, handle, bound).await {
                Status::ROK => Answer::done(response),
                status => Answer {
                    next: Next::Close,
                    ..Answer::refusal(header, status)
                },
            }
        })
    }

    /// Submits to one destination, if the account may submit now.
    fn submit(
        &mut self,
        header: Header,
        made: impl FnOnce(&Account) -> Result<Made, Unusable>,
        response: fn(SmResp) -> Pdu,
    ) -> Reaction {
        let Some(account) = self.bound.account() else {
            return Reaction::Now(Answer::refusal(header, Status::RINVBNDSTS));
        };
        if !self.server.roster.may_submit(account, Instant::now()) {
            self.server.refused(Reason::Overloaded);
            self.server.answered(Status::RTHROTTLED);
            return Reaction::Now(Answer::refusal(header, Status::RTHROTTLED));
        }
        let made = match made(account) {
            Ok(made) => made,
            Err(unusable) => {
                self.server.refused(Reason::Invalid);
                let account = account.system_id.as_str();
                self.server.answered(unusable.status);
                tracing::debug!(account, why = unusable.why, "submit refused");
                return Reaction::Now(Answer::refusal(header, unusable.status));
            }
        };
        if made.replaces.is_none() && made.watch.is_none() {
            self.gathered.push(Gathered {
                header,
                submission: made.submission,
                response,
            });
            return Reaction::Together;
        }
        let (server, account) = (Arc::clone(&self.server), Arc::clone(account));
        later(async move {
            let taken = server.take(&account, made).await;
            server.taken(&account, (header, response), taken)
        })
    }

    fn submit_multi(&self, header: Header, pdu: SubmitMulti) -> Reaction {
        let Some(account) = self.bound.account().map(Arc::clone) else {
            return Reaction::Now(Answer::refusal(header, Status::RINVBNDSTS));
        };
        if pdu.dest_address.all().is_empty() {
            return Reaction::Now(Answer::refusal(header, Status::RINVNUMDESTS));
        }
        let server = Arc::clone(&self.server);
        later(async move {
            let mut first = None;
            let mut failed = Vec::new();
            for destination in pdu.dest_address.all() {
                let (address, outcome) = match destination {
                    Destination::Sme(sme) => {
                        let one = server.one_of_many((&pdu, sme), &account, first);
                        (sme.clone(), one.await)
                    }
                    Destination::List(name) => {
                        let value = name.clone();
                        (
                            Address {
                                value,
                                ..Address::default()
                            },
                            Err(Status::RINVDLNAME),
                        )
                    }
                };
                let status = outcome.as_ref().err().unwrap_or(&Status::ROK);
                server.answered(*status);
                match outcome {
                    Ok(id) => first = first.or(Some(id)),
                    Err(status) => failed.push(Unsuccessful { address, status }),
                }
            }
            match first {
                None => {
                    let why = failed.first().map_or(Status::RSUBMITFAIL, |one| one.status);
                    Answer::refusal(header, why)
                }
                Some(id) => Answer::done(Pdu::SubmitMultiResp(SubmitMultiResp {
                    message_id: given(&account, id),
                    unsuccess_sme: Unsuccesses::new(failed).unwrap_or_default(),
                    ..SubmitMultiResp::default()
                })),
            }
        })
    }

    /// What the account does with its own messages.
    fn own<F>(&self, header: Header, work: impl FnOnce(Arc<Server>, Arc<Account>) -> F) -> Reaction
    where
        F: Future<Output = Result<Pdu, Status>> + Send + 'static,
    {
        let Some(account) = self.bound.account() else {
            return Reaction::Now(Answer::refusal(header, Status::RINVBNDSTS));
        };
        let done = work(Arc::clone(&self.server), Arc::clone(account));
        later(async move {
            match done.await {
                Ok(pdu) => Answer::done(pdu),
                Err(status) => Answer::refusal(header, status),
            }
        })
    }

    /// 3.4 does not know cell broadcast; 5.0 does, and we have no cells.
    fn broadcast(&self, header: Header) -> Answer {
        if self.bound.version() >= 0x50 {
            return Answer::refusal(header, Status::RPROHIBITED);
        }
        Answer {
            pdu: Pdu::GenericNack(Bare::default()),
            ..Answer::refusal(header, Status::RINVCMDID)
        }
    }
}

fn later(answer: impl Future<Output = Answer> + Send + 'static) -> Reaction {
    Reaction::Later(Box::pin(answer))
}

/// An id as an application is given it.
fn given(account: &Account, id: MessageId) -> Text {
    Text::until_zero(account.response_ids.write(id))
}

impl Server {
    /// Hands a submission in; answers when it is on stable storage (D5).
    async fn take(&self, account: &Account, made: Made) -> Result<Taken, Status> {
        let Made {
            submission,
            replaces,
            watch,
        } = made;
        if let Some((source, destination)) = &replaces {
            let names = (source.as_str(), destination.as_str());
            let replaced = self.replace_present(account, &submission, names).await?;
            if let Some(message) = replaced {
                let (id, number) = (message.id, message.content.destination.as_str());
                let alert = self.alert_of(account, (id, number), watch).await;
                return Ok(Taken { id, alert });
            }
        }
        match self.parts.intake.submit(submission).await {
            Ok(accepted) => {
                let message = &accepted.message;
                let (id, number) = (message.id, message.content.destination.as_str());
                let alert = self.alert_of(account, (id, number), watch).await;
                Ok(Taken { id, alert })
            }
            Err(refusal) => {
                self.refused(refusal.reason);
                Err(status::of(refusal.reason))
            }
        }
    }

    /// Whether an alert was promised, where one is wanted.
    async fn alert_of(
        &self,
        account: &Account,
        (message, number): (MessageId, &str),
        watch: Option<(Named, Named)>,
    ) -> Option<bool> {
        let (subscriber, application) = watch?;
        if !account.bind_types.iter().any(|kind| kind.receives()) {
            // None of its sessions could be told.
            return Some(false);
        }
        let alert = SmppAlert {
            account: account.system_id.clone(),
            subscriber,
            application,
            messages: vec![message],
            until: Some(self.parts.clock.now().plus(alerts::KEPT)),
        };
        Some(self.watch(number, &alert).await)
    }

    /// Hands in what was gathered, in one transaction.
    async fn take_all(&self, account: &Account, gathered: Vec<Gathered>) -> Vec<(Header, Answer)> {
        let mut requests = Vec::with_capacity(gathered.len());
        let mut submissions = Vec::with_capacity(gathered.len());
        for one in gathered {
            requests.push((one.header, one.response));
            submissions.push(one.submission);
        }
        let taken = self.parts.intake.submit_many(submissions).await;
        let mut each = match taken {
            Ok(each) => each.into_iter(),
            Err(refusal) => vec![Err(refusal); requests.len()].into_iter(),
        };
        let answer = |request: (Header, fn(SmResp) -> Pdu)| {
            let taken = match each.next() {
                Some(Ok(accepted)) => Ok(Taken {
                    id: accepted.message.id,
                    alert: None,
                }),
                Some(Err(refusal)) => {
                    self.refused(refusal.reason);
                    Err(status::of(refusal.reason))
                }
                None => Err(Status::RSYSERR),
            };
            (request.0, self.taken(account, request, taken))
        };
        requests.into_iter().map(answer).collect()
    }

    /// Counts a submit, and makes its answer.
    fn taken(
        &self,
        account: &Account,
        (header, response): (Header, fn(SmResp) -> Pdu),
        taken: Result<Taken, Status>,
    ) -> Answer {
        self.answered(*taken.as_ref().err().unwrap_or(&Status::ROK));
        match taken {
            Ok(Taken { id, alert }) => {
                let mut tlvs = Tlvs::NONE;
                if let Some(is_set) = alert {
                    tlvs.push_u8(Tag::DPF_RESULT, u8::from(is_set));
                }
                let message_id = given(account, id);
                Answer::done(response(SmResp { message_id, tlvs }))
            }
            Err(status) => Answer::refusal(header, status),
        }
    }

    async fn one_of_many(
        &self,
        (pdu, to): (&SubmitMulti, &Address),
        account: &Account,
        first: Option<MessageId>,
    ) -> Result<MessageId, Status> {
        if !self.roster.may_submit(account, Instant::now()) {
            self.refused(Reason::Overloaded);
            return Err(Status::RTHROTTLED);
        }
        let now = self.parts.clock.now();
        match Request::of_multi(pdu).to(to, account, now) {
            Ok(mut made) => {
                // The response names the first: its receipts are told apart by their addresses.
                if let Some(origin) = &mut made.submission.origin {
                    origin.known_as = first;
                }
                let taken = self.take(account, made).await;
                taken.map(|taken| taken.id)
            }
            Err(unusable) => {
                self.refused(Reason::Invalid);
                Err(unusable.status)
            }
        }
    }

    /// Counts the answer to a submit.
    fn answered(&self, status: Status) {
        let refused = (!status.is_ok()).then(|| status.to_string());
        let metrics = &self.parts.telemetry.metrics;
        metrics.smpp_submitted(refused.as_deref());
    }

    pub(super) fn refused(&self, reason: Reason) {
        let door = Door::Smpp;
        self.parts.telemetry.record(&Fact::Refused { door, reason });
    }
}

impl Handler for Session {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let now = self.server.parts.clock.now();
        match pdu {
            Pdu::BindTransmitter(bind) => self.bind(header, BindType::Transmitter, bind),
            Pdu::BindReceiver(bind) => self.bind(header, BindType::Receiver, bind),
            Pdu::BindTransceiver(bind) => self.bind(header, BindType::Transceiver, bind),
            Pdu::SubmitSm(sm) => {
                let to = |account: &Account| {
                    Request::of_submit(&sm).to(&sm.destination_addr, account, now)
                };
                self.submit(header, to, Pdu::SubmitSmResp)
            }
            Pdu::DataSm(data) => {
                let to = |account: &Account| {
                    Request::of_data(&data).to(&data.destination_addr, account, now)
                };
                self.submit(header, to, Pdu::DataSmResp)
            }
            Pdu::SubmitMulti(multi) => self.submit_multi(header, multi),
            Pdu::QuerySm(query) => {
                let version = self.bound.version();
                self.own(header, move |server, account| async move {
                    let done = server.query(&account, version, &query).await;
                    done.map(Pdu::QuerySmResp)
                })
            }
            Pdu::CancelSm(cancel) => self.own(header, |server, account| async move {
                let done = server.cancel(&account, &cancel).await;
                done.map(|()| Pdu::CancelSmResp(Bare::default()))
            }),
            Pdu::ReplaceSm(replace) => self.own(header, |server, account| async move {
                let done = server.replace(&account, &replace).await;
                done.map(|()| Pdu::ReplaceSmResp(Bare::default()))
            }),
            Pdu::BroadcastSm(_) | Pdu::QueryBroadcastSm(_) | Pdu::CancelBroadcastSm(_) => {
                Reaction::Now(self.broadcast(header))
            }
            _ => Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        }
    }

    fn gathered(&mut self) -> Option<Answers> {
        if self.gathered.is_empty() {
            return None;
        }
        let account = Arc::clone(self.bound.account()?);
        let gathered = std::mem::take(&mut self.gathered);
        let server = Arc::clone(&self.server);
        Some(Box::pin(async move {
            let answers = server.take_all(&account, gathered).await;
            answers.into_iter().collect()
        }))
    }

    /// 5.0, 4.8.4.18: an application may slow down before it has to.
    fn answers(&mut self, answer: &mut Answer, load: u8) {
        if self.bound.version() < WITH_CONGESTION {
            return;
        }
        if let Pdu::SubmitSmResp(response) | Pdu::DataSmResp(response) = &mut answer.pdu {
            response.tlvs.push_u8(Tag::CONGESTION_STATE, load);
        }
    }

    fn state(&mut self, state: State) {
        if state.may_deliver() {
            if let Some(account) = self.bound.account() {
                self.server.roster.open(&account.system_id, self.number);
            }
            self.bound.delivers.notify_one();
        }
    }

    fn refused(&mut self, header: Header, status: Status, why: &str) {
        let account = self.bound.account();
        let submits = [
            CommandId::SUBMIT_SM,
            CommandId::SUBMIT_MULTI,
            CommandId::DATA_SM,
        ];
        if account.is_some() && submits.contains(&header.command_id) {
            self.server.answered(status);
        }
        let account = account.map_or("", |account| account.system_id.as_str());
        let (command, peer) = (header.command_id, self.peer.address);
        tracing::debug!(account, %peer, %command, %status, why, "SMPP PDU refused");
    }
}
