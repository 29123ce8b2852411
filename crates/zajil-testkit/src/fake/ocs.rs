//! A charging system to test against: JSON-RPC over HTTP on loopback, accounts with balances (D14).
//!
//! It answers as CGRateS does, its traps included: errors arrive with HTTP 200, a missing
//! `RequestType` grants unasked, a debit without `ForceDuration` takes a part. So a client that is
//! wrong about them loses the test's money. It has a thread of its own and can be used from any
//! test, with a runtime or without.
#![expect(
    clippy::panic,
    reason = "a stand-in that cannot start must fail the test"
)]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, watch};

mod http;
mod ledger;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// `SessionSv1.AuthorizeEvent`, …
    pub method: String,
    /// `ID` of the parameters; empty if they have none.
    pub id: String,
    /// The one object of `params`; null if there is none.
    pub params: Value,
    /// The whole request.
    pub request: Value,
    /// The path it was sent to.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The connection it came by, counted from 1.
    pub connection: usize,
}

/// How calls are answered.
///
/// `Stall`, `Drip`, `Reset`, `Close`, `Garbage`, `Huge`, `WrongId` and `Truncate` carry the call
/// out first: the money has moved and the caller cannot know.
#[derive(Debug, Clone, PartialEq)]
pub enum Behaviour {
    /// As CGRateS 0.11 would, from the balances.
    Normal,
    /// Likewise, with `MaxUsage` as a map.
    MapForm,
    /// Any `result`; nothing is carried out.
    Says(Value),
    /// Any `error`, with HTTP 200; nothing is carried out.
    Fails(String),
    /// This HTTP status without JSON; nothing is carried out.
    Status(u16),
    /// Reads the request and closes the connection; nothing is carried out.
    Ignore,
    /// Answers once the behaviour is another one.
    Hold,
    /// Never answers.
    Stall,
    /// One octet of the answer every 50 ms.
    Drip,
    /// Resets the connection instead of an answer.
    Reset,
    /// Closes the connection instead of an answer.
    Close,
    /// Closes the connection within the answer.
    Truncate,
    /// An answer that is not JSON.
    Garbage,
    /// An answer of 64 MiB.
    Huge,
    /// The answer to another request.
    WrongId,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    ledger: Mutex<ledger::Ledger>,
    calls: Mutex<Vec<Call>>,
    once: Mutex<std::collections::VecDeque<Behaviour>>,
    behaviour: watch::Sender<Behaviour>,
    accepted: std::sync::atomic::AtomicUsize,
}

/// What the server's thread is told.
enum Order {
    Listen(TcpListener),
    Refuse,
    Disconnect,
}

/// The stand-in; it is gone when this is dropped.
#[derive(Debug)]
pub struct FakeOcs {
    address: SocketAddr,
    shared: Arc<Shared>,
    orders: mpsc::Sender<(Order, SyncSender<()>)>,
}

impl FakeOcs {
    /// Starts one on a free port of loopback, without accounts.
    #[expect(clippy::unused_async, reason = "other stand-ins wait for something")]
    pub async fn start() -> Self {
        Self::start_blocking()
    }

    /// The same for tests without a runtime.
    #[must_use]
    pub fn start_blocking() -> Self {
        let listener = must(TcpListener::bind(("127.0.0.1", 0)));
        let address = must(listener.local_addr());
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            calls: Mutex::default(),
            once: Mutex::default(),
            behaviour: watch::Sender::new(Behaviour::Normal),
            accepted: std::sync::atomic::AtomicUsize::new(0),
        });
        let (orders, inbox) = mpsc::channel(1);
        let state = Arc::clone(&shared);
        let runtime = must(
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
        );
        let thread = std::thread::Builder::new().name("fake-ocs".into());
        must(thread.spawn(move || runtime.block_on(http::run(state, inbox))));
        let fake = Self {
            address,
            shared,
            orders,
        };
        fake.order(Order::Listen(listener));
        fake
    }

    /// `http://127.0.0.1:port/jsonrpc`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/jsonrpc", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens an account, or sets its balance, in units (SMS parts).
    pub fn set_balance(&self, account: &str, units: i64) {
        self.ledger().set_balance(account, units);
    }

    /// Opens an account that may go negative: every check answers −1.
    pub fn set_unlimited(&self, account: &str) {
        self.ledger().set_unlimited(account);
    }

    /// Switches an account off.
    pub fn disable(&self, account: &str) {
        self.ledger().disable(account);
    }

    /// No account may reach destinations with this prefix.
    pub fn bar(&self, prefix: &str) {
        self.ledger().bar(prefix);
    }

    /// What an account has left.
    #[must_use]
    pub fn balance(&self, account: &str) -> i64 {
        self.ledger().balance(account)
    }

    /// What was taken from an account so far, refunds subtracted.
    #[must_use]
    pub fn debited(&self, account: &str) -> i64 {
        self.ledger().debited(account)
    }

    /// Answers like this from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// Answers the next call like this; several wait in line.
    pub fn behave_once(&self, behaviour: Behaviour) {
        lock(&self.shared.once).push_back(behaviour);
    }

    /// Every call so far, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Every call so far of this method.
    #[must_use]
    pub fn calls_of(&self, method: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.method == method);
        calls
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared
            .accepted
            .load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Stops listening and closes every connection: callers are refused.
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Listens again, on the same port.
    pub fn listen(&self) {
        self.order(Order::Listen(must(TcpListener::bind(self.address))));
    }

    /// Closes every connection and goes on listening.
    pub fn disconnect(&self) {
        self.order(Order::Disconnect);
    }

    fn ledger(&self) -> MutexGuard<'_, ledger::Ledger> {
        lock(&self.shared.ledger)
    }

    /// Tells the thread and waits until it is done.
    fn order(&self, order: Order) {
        let (done, wait) = sync_channel(1);
        if self.orders.try_send((order, done)).is_err() || wait.recv().is_err() {
            panic!("the fake charging system has died");
        }
    }
}

fn must<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("fake charging system: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
