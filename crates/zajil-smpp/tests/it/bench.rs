//! A message centre with accounts, and applications that bind to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_codec::pdu::{AlertNotification, Bind, Outbind, Pdu, Sm, SmResp};
use smpp_codec::session::Side;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{Header, Status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::Clock;
use zajil_core::event::NodeName;
use zajil_core::smpp::password::Hashed;
use zajil_core::smpp::{Account, BindType, DefaultAlphabet, IdForm, LongText};
use zajil_engine::{Engine, Parts};
use zajil_smpp::accounts::Accounts;
use zajil_smpp::duplex::Duplex;
use zajil_smpp::link::{self, Answer, Ended, Handle, Handler, Link, Reaction};
use zajil_smpp::number;
use zajil_smpp::server::{self, Server};
use zajil_store::memory::MemoryStore;
use zajil_telemetry::Telemetry;
use zajil_testkit::build;

/// Longer than any wait of these tests on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Accounts that a test may change.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<BTreeMap<String, Option<Arc<Account>>>>);

impl Book {
    pub(crate) fn put(&self, account: Account) {
        let name = account.system_id.to_string();
        self.0.lock().unwrap().insert(name, Some(Arc::new(account)));
    }

    /// It cannot be read any more.
    pub(crate) fn damage(&self, system_id: &str) {
        self.0.lock().unwrap().insert(system_id.to_owned(), None);
    }

    pub(crate) fn remove(&self, system_id: &str) {
        self.0.lock().unwrap().remove(system_id);
    }
}

impl Accounts for Book {
    fn find(&self, system_id: &str) -> Option<Arc<Account>> {
        self.0.lock().unwrap().get(system_id).cloned().flatten()
    }

    fn is_unreadable(&self, system_id: &str) -> bool {
        self.0.lock().unwrap().get(system_id) == Some(&None)
    }

    fn called(&self) -> Vec<Arc<Account>> {
        let all = self.0.lock().unwrap();
        let known = all.values().flatten();
        let called = known.filter(|account| account.outbind.is_some());
        called.cloned().collect()
    }
}

/// An account with the password `secret08` that may do anything.
pub(crate) fn account(system_id: &str) -> Account {
    Account {
        system_id: build::name(system_id),
        password: Hashed::new(b"secret08", [1; 16]),
        enabled: true,
        expires: None,
        bind_types: BindType::ALL.to_vec(),
        max_binds: NonZeroU32::new(2).unwrap(),
        networks: Vec::new(),
        require_tls: false,
        senders: Vec::new(),
        forced_sender: None,
        rate: None,
        window: NonZeroU32::new(10).unwrap(),
        alphabet: DefaultAlphabet::Gsm7,
        long_text: LongText::Udh,
        idempotent: false,
        by_address: false,
        response_ids: IdForm::Decimal,
        receipt_ids: IdForm::Decimal,
        outbind: None,
    }
}

/// A running message centre.
pub(crate) struct Centre {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) book: Arc<Book>,
    pub(crate) telemetry: Arc<Telemetry>,
    stop: CancellationToken,
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) async fn centre(accounts: Vec<Account>) -> Centre {
    centre_over(("test", Arc::new(MemoryStore::new())), accounts).await
}

/// A node whose store holds something, or is another's too.
pub(crate) async fn centre_over(
    (node, store): (&str, Arc<MemoryStore>),
    accounts: Vec<Account>,
) -> Centre {
    let node = NodeName::new(node);
    let clock: Arc<dyn Clock> = Arc::new(zajil_engine::system::SystemClock);
    let telemetry = Telemetry::new().unwrap();
    let telemetry = telemetry.with_live(Arc::clone(&clock), node.clone(), 1_000);
    let telemetry = Arc::new(telemetry);
    let parts = Parts {
        store: store.clone(),
        clock: Arc::clone(&clock),
        dice: Arc::new(zajil_engine::system::ThreadDice),
        telemetry: Arc::clone(&telemetry),
        lookup: None,
        charger: None,
    };
    let options = zajil_engine::Options {
        node: node.clone(),
        ..zajil_engine::Options::default()
    };
    let engine = Engine::start(parts, options).await.unwrap();
    let book = Arc::new(Book::default());
    accounts.into_iter().for_each(|account| book.put(account));
    let parts = server::Parts {
        intake: engine.clone(),
        desk: engine.clone(),
        control: engine.clone(),
        store: store.clone(),
        accounts: book.clone(),
        clock,
        dice: Arc::new(zajil_engine::system::ThreadDice),
        telemetry: Arc::clone(&telemetry),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let options = server::Options {
        node,
        ..server::Options::default()
    };
    let server = Server::new(parts, options);
    let (alerting, until) = (Arc::clone(&server), stop.clone());
    spawn(async move { alerting.alert(until).await });
    spawn(Arc::clone(&server).call(stop.clone()));
    spawn(server.serve((listener, None), stop.clone()));
    Centre {
        address,
        engine,
        store,
        book,
        telemetry,
        stop,
    }
}

#[expect(clippy::disallowed_methods, reason = "a test ends with its runtime")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

/// An application: what it is delivered comes out of `delivered`.
pub(crate) struct Esme {
    pub(crate) handle: Handle,
    pub(crate) delivered: mpsc::Receiver<Sm>,
    pub(crate) alerts: mpsc::Receiver<AlertNotification>,
    pub(crate) called: mpsc::Receiver<Outbind>,
    pub(crate) ended: tokio::task::JoinHandle<Ended>,
}

/// Answers every delivery with the next status of the list, and then with success.
struct Inbox {
    to: mpsc::Sender<Sm>,
    alerts: mpsc::Sender<AlertNotification>,
    called: mpsc::Sender<Outbind>,
    answers: Vec<Status>,
}

impl Handler for Inbox {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let sm = match pdu {
            Pdu::DeliverSm(sm) => sm,
            Pdu::AlertNotification(alert) => {
                self.alerts.try_send(alert).unwrap();
                return Reaction::Never;
            }
            Pdu::Outbind(outbind) => {
                self.called.try_send(outbind).unwrap();
                return Reaction::Never;
            }
            _ => return Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        };
        self.to.try_send(sm).unwrap();
        let status = self.answers.pop().unwrap_or(Status::ROK);
        let pdu = Pdu::DeliverSmResp(SmResp::default());
        Reaction::Now(Answer {
            status,
            ..Answer::done(pdu)
        })
    }
}

impl Esme {
    pub(crate) async fn connect(centre: &Centre) -> Self {
        Self::answering(centre, Vec::new()).await
    }

    /// The last of `answers` is used first.
    pub(crate) async fn answering(centre: &Centre, answers: Vec<Status>) -> Self {
        let stream = TcpStream::connect(centre.address).await.unwrap();
        Self::over(stream, answers)
    }

    /// Over a connection that is there.
    pub(crate) fn over(stream: impl Duplex + 'static, answers: Vec<Status>) -> Self {
        let (link, handle) = Link::new(link::Options::new(Side::Esme));
        let (to, delivered) = mpsc::channel(1_000);
        let (told, alerts) = mpsc::channel(10);
        let (call, called) = mpsc::channel(1);
        let inbox = Inbox {
            to,
            alerts: told,
            called: call,
            answers,
        };
        let ended = spawn(link.run(stream, inbox));
        Self {
            handle,
            delivered,
            alerts,
            called,
            ended,
        }
    }

    pub(crate) async fn bind(&self, kind: BindType, system_id: &str, password: &str) -> Status {
        self.bind_as(kind, (system_id, password), 0x34).await.0
    }

    pub(crate) async fn bind_as(
        &self,
        kind: BindType,
        (system_id, password): (&str, &str),
        interface_version: u8,
    ) -> (Status, Pdu) {
        let bind = Bind {
            system_id: Text::new(system_id.to_owned()).unwrap(),
            password: Text::new(password.to_owned()).unwrap(),
            interface_version,
            ..Bind::default()
        };
        let response = self.handle.request(match kind {
            BindType::Transmitter => Pdu::BindTransmitter(bind),
            BindType::Receiver => Pdu::BindReceiver(bind),
            BindType::Transceiver => Pdu::BindTransceiver(bind),
        });
        let response = response.await.unwrap();
        (response.status, response.pdu)
    }

    /// Bound as a transceiver of an account of [`account`].
    pub(crate) async fn bound(centre: &Centre, system_id: &str) -> Self {
        let esme = Self::connect(centre).await;
        let status = esme
            .bind(BindType::Transceiver, system_id, "secret08")
            .await;
        assert_eq!(status, Status::ROK);
        esme
    }

    pub(crate) async fn submit(&self, sm: Sm) -> (Status, String) {
        let response = self.handle.request(Pdu::SubmitSm(sm)).await.unwrap();
        let id = match response.pdu {
            Pdu::SubmitSmResp(response) => response.message_id.to_str().into_owned(),
            other => panic!("{other:?}"),
        };
        (response.status, id)
    }

    pub(crate) async fn next(&mut self) -> Sm {
        let next = tokio::time::timeout(PATIENCE, self.delivered.recv()).await;
        next.unwrap().unwrap()
    }
}

pub(crate) fn sm(from: &str, to: &str, text: &[u8]) -> Sm {
    Sm {
        source_addr: number::write(from),
        destination_addr: number::write(to),
        short_message: ShortMessage::new(text.to_vec()).unwrap(),
        ..Sm::default()
    }
}
