//! Carriers that we bind to: what they get, and what becomes of messages when they fail.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zajil_core::clock::{Clock as _, Timestamp};
use zajil_core::id::MessageId;
use zajil_core::message::Message;
use zajil_core::policy::Policy;
use zajil_core::port::{Control as _, Intake as _};
use zajil_core::retry::schedule::{ErrorClass, Schedule};
use zajil_core::smpp::DefaultAlphabet;
use zajil_core::smpp::carrier::{BindMode, Carrier, Host, Password, Plan};
use zajil_core::status::{FinalStatus, Status as Life};
use zajil_smpp::client::{self, Carriers, Client};
use zajil_smpp::duplex::Secure;
use zajil_smpp::sim::{self, Behaviour};
use zajil_store::Store as _;
use zajil_testkit::build;

use crate::bench::{Centre, PATIENCE, centre, spawn};

/// A simulated carrier that listens.
pub(crate) struct Sim {
    pub(crate) carrier: Arc<sim::Carrier>,
    pub(crate) port: u16,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Sim {
    pub(crate) async fn start(options: sim::Options) -> Self {
        Self::start_on(0, options).await
    }

    pub(crate) async fn start_on(port: u16, options: sim::Options) -> Self {
        Self::serve(port, None, options).await
    }

    pub(crate) async fn start_secured(secure: Arc<dyn Secure>, options: sim::Options) -> Self {
        Self::serve(0, Some(secure), options).await
    }

    async fn serve(port: u16, secure: Option<Arc<dyn Secure>>, options: sim::Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let carrier = sim::Carrier::new(options, Arc::new(zajil_engine::system::SystemClock));
        let stop = CancellationToken::new();
        let task = spawn(Arc::clone(&carrier).serve((listener, secure), stop.clone()));
        Self {
            carrier,
            port,
            stop,
            task,
        }
    }

    async fn behaving(behaviour: Behaviour) -> Self {
        Self::start(sim::Options {
            behaviour,
            ..sim::Options::default()
        })
        .await
    }

    pub(crate) async fn end(self) -> u16 {
        self.stop.cancel();
        self.task.await.unwrap();
        self.port
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let seen = self.carrier.seen();
        let text = |sm: &smpp_codec::pdu::Sm| {
            String::from_utf8_lossy(sm.short_message.octets()).into_owned()
        };
        seen.iter().map(text).collect()
    }
}

pub(crate) fn carrier(name: &str, ports: &[u16]) -> Carrier {
    let host = |port: &u16| Host::parse(&format!("127.0.0.1:{port}")).unwrap();
    let us = ("zajil".to_owned(), Password::new("secret08".to_owned()));
    Carrier {
        hosts: ports.iter().map(host).collect(),
        ..Carrier::new(build::name(name), host(&ports[0]), us)
    }
}

/// The client beside a message centre. It stops with this.
/// Whom messages are for.
const NUMBER: &str = "+46709771337";

pub(crate) struct Upstream {
    pub(crate) centre: Centre,
    pub(crate) standings: Arc<client::Standings>,
    pub(crate) carriers: watch::Sender<Carriers>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) async fn upstream(carriers: Vec<Carrier>) -> Upstream {
    let centre = centre(Vec::new()).await;
    for carrier in &carriers {
        // So that a test need not wait a minute for the second attempt.
        let mut policy = Policy::new(carrier.name.clone());
        let soon = Schedule::new(&[1]).unwrap();
        policy.retry.insert(ErrorClass::Temporary, soon.clone());
        policy.retry.insert(ErrorClass::Congestion, soon);
        centre.engine.set_policy(policy).await.unwrap();
    }
    let standings = Arc::new(client::Standings::default());
    let parts = client::Parts {
        intake: centre.engine.clone(),
        desk: centre.engine.clone(),
        store: centre.store.clone(),
        clock: Arc::new(zajil_engine::system::SystemClock),
        dice: Arc::new(zajil_engine::system::ThreadDice),
        standings: Arc::clone(&standings),
        telemetry: Arc::clone(&centre.telemetry),
    };
    let all: Carriers = carriers.into_iter().map(Arc::new).collect();
    let (carriers, list) = watch::channel(all);
    let stop = CancellationToken::new();
    let task = spawn(Client::new(parts).run(list, stop.clone()));
    Upstream {
        centre,
        standings,
        carriers,
        stop,
        task,
    }
}

impl Upstream {
    /// Submits a message for a carrier, known or not yet.
    pub(crate) async fn submit(&self, to: &str, body: &str) -> MessageId {
        self.submit_with((to, NUMBER), body, None).await
    }

    /// Submits one to another number.
    pub(crate) async fn submit_to(&self, number: &str, to: &str, body: &str) -> MessageId {
        self.submit_with((to, number), body, None).await
    }

    /// Submits one that lives for so long.
    pub(crate) async fn submit_for(&self, to: &str, body: &str, life: Duration) -> MessageId {
        let expires = zajil_engine::system::SystemClock.now().plus(life);
        self.submit_with((to, NUMBER), body, Some(expires)).await
    }

    async fn submit_with(
        &self,
        (to, number): (&str, &str),
        body: &str,
        expires: Option<Timestamp>,
    ) -> MessageId {
        let mut message = build::submission("+46701133111", number, body);
        message.source_smsc = Some(build::name("test"));
        let id = self.centre.engine.submit(message).await.unwrap().message.id;
        let edit = zajil_core::lifecycle::Edit {
            dest_smsc: Some(Some(build::name(to))),
            expires,
            ..zajil_core::lifecycle::Edit::default()
        };
        let desk: &dyn zajil_core::port::Desk = &*self.centre.engine;
        wait_for(async || desk.edit(id, edit.clone()).await.ok().map(drop)).await;
        id
    }

    pub(crate) async fn becomes(&self, id: MessageId, wanted: Life) -> Message {
        wait_for(async || {
            let message = self.centre.store.message(id).await.unwrap().unwrap();
            (message.status() == wanted).then_some(message)
        })
        .await
    }

    pub(crate) async fn delivered(&self, id: MessageId) -> Message {
        self.becomes(id, Life::Final(FinalStatus::Delivered)).await
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

/// Asks until there is an answer.
pub(crate) async fn wait_for<T>(mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let polling = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        loop {
            ticks.tick().await;
            if let Some(answer) = poll().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, polling).await.unwrap()
}

#[tokio::test]
async fn a_message_is_submitted_to_its_carrier_and_ends_with_the_answer() {
    let sim = Sim::behaving(Behaviour::Healthy).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    let id = up.submit("up", "hello").await;
    let message = up.delivered(id).await;
    assert_eq!(message.dest_smsc, Some(build::name("up")));
    assert_eq!(sim.texts(), ["hello"]);
    let sm = sim.carrier.seen().remove(0);
    assert_eq!(sm.destination_addr.value.to_str(), "46709771337");
    assert_eq!((sm.destination_addr.ton, sm.destination_addr.npi), (1, 1));
    assert_eq!(sm.validity_period.octets().len(), 16, "{sm:?}");
    up.end().await;
    wait_for(async || (sim.carrier.receivers() == 0).then_some(())).await;
}

/// D10: a carrier that is away costs no attempt, and gets what waits when it is back.
#[tokio::test]
async fn d10_a_carrier_that_comes_back_gets_what_waits() {
    let sim = Sim::behaving(Behaviour::Healthy).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    let first = up.submit("up", "one").await;
    up.delivered(first).await;
    let port = sim.end().await;
    let second = up.submit("up", "two").await;
    let sim = Sim::start_on(port, sim::Options::default()).await;
    let message = up.delivered(second).await;
    assert_eq!(message.attempts.get(), 0);
    assert_eq!(sim.texts(), ["two"]);
}

#[tokio::test]
async fn a_bind_that_fails_goes_on_to_the_next_host() {
    let gone = Sim::behaving(Behaviour::Healthy).await.end().await;
    let sim = Sim::behaving(Behaviour::Healthy).await;
    let up = upstream(vec![carrier("up", &[gone, sim.port])]).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    assert_eq!(sim.texts(), ["hello"]);
}

/// D5: a connection that falls with submits unanswered loses none; what was taken may come twice.
#[tokio::test]
async fn d5_a_connection_that_falls_loses_nothing() {
    let sim = Sim::behaving(Behaviour::Flaky(NonZeroU32::new(7).unwrap())).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(up.submit("up", &format!("text {number}")).await);
    }
    for id in ids {
        up.delivered(id).await;
    }
    let mut texts = sim.texts();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 20, "{texts:?}");
}

/// D10: a carrier that throttles is slowed down for, and no attempt is counted.
#[tokio::test]
async fn d10_a_carrier_that_throttles_gets_all_of_it_slower() {
    let sim = Sim::behaving(Behaviour::Throttling(NonZeroU32::new(10).unwrap())).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(up.submit("up", &format!("text {number}")).await);
    }
    for id in ids {
        assert_eq!(up.delivered(id).await.attempts.get(), 0);
    }
    assert_eq!(sim.texts().len(), 30, "and each of it once");
}

/// A carrier that answers nothing: attempts are counted, the session is given up, nothing is lost.
#[tokio::test]
async fn a_dead_carrier_keeps_no_message() {
    let sim = Sim::behaving(Behaviour::Dead).await;
    let mut dead = carrier("up", &[sim.port]);
    dead.response = Duration::from_secs(1);
    let up = upstream(vec![dead]).await;
    let id = up.submit("up", "hello").await;
    wait_for(async || {
        let message = up.centre.store.message(id).await.unwrap().unwrap();
        (message.attempts.get() >= 1).then_some(())
    })
    .await;
    let port = sim.end().await;
    let sim = Sim::start_on(port, sim::Options::default()).await;
    up.delivered(id).await;
    assert_eq!(sim.texts(), ["hello"]);
}

#[tokio::test]
async fn a_message_of_a_mobile_enters_with_its_carrier_as_source() {
    let sim = Sim::start(sim::Options {
        message_every: Some(Duration::from_millis(20)),
        ..sim::Options::default()
    })
    .await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    let all = || zajil_store::contract::Filter {
        limit: 10,
        ..Default::default()
    };
    let message = wait_for(async || up.centre.store.messages(all()).await.unwrap().pop()).await;
    assert_eq!(message.content.source_smsc, Some(build::name("up")));
    assert_eq!(message.content.source.as_str(), "+46701000001");
    assert!(message.content.body.starts_with("message "), "{message:?}");
}

/// A carrier that was changed is left in order and bound to anew; one that was disabled is left.
#[tokio::test]
async fn changes_of_a_carrier_are_followed() {
    let sim = Sim::behaving(Behaviour::Healthy).await;
    let other = Sim::behaving(Behaviour::Healthy).await;
    let up = upstream(vec![carrier("up", &[sim.port])]).await;
    wait_for(async || (sim.carrier.receivers() == 1).then_some(())).await;
    up.carriers
        .send_replace([Arc::new(carrier("up", &[other.port]))].into());
    wait_for(async || (other.carrier.receivers() == 1).then_some(())).await;
    wait_for(async || (sim.carrier.receivers() == 0).then_some(())).await;
    let mut off = carrier("up", &[other.port]);
    off.enabled = false;
    up.carriers.send_replace([Arc::new(off)].into());
    wait_for(async || (other.carrier.receivers() == 0).then_some(())).await;
}

/// Each bind of a pair is one session that submits and one that is delivered to.
#[tokio::test]
async fn a_pair_submits_on_one_session_and_hears_on_the_other() {
    let sim = Sim::start(sim::Options {
        message_every: Some(Duration::from_millis(20)),
        ..sim::Options::default()
    })
    .await;
    let mut pair = carrier("up", &[sim.port]);
    pair.bind = BindMode::Pair;
    pair.binds = NonZeroU32::new(2).unwrap();
    let up = upstream(vec![pair]).await;
    wait_for(async || (sim.carrier.receivers() == 2).then_some(())).await;
    let id = up.submit("up", "hello").await;
    up.delivered(id).await;
    assert_eq!(sim.texts(), ["hello"]);
}

/// Addresses, alphabet and sender are rewritten as the carrier wants them.
#[tokio::test]
async fn messages_are_written_as_the_carrier_wants_them() {
    let sim = Sim::behaving(Behaviour::Healthy).await;
    let mut odd = carrier("up", &[sim.port]);
    odd.alphabet = DefaultAlphabet::Latin1;
    odd.text_coding = 3;
    odd.forced_sender = Some("SHOP".to_owned());
    odd.destination_plan = Plan {
        ton: Some(2),
        npi: Some(8),
    };
    odd.send_validity = false;
    let up = upstream(vec![odd]).await;
    let id = up.submit("up", "caf\u{e9}").await;
    up.delivered(id).await;
    let sm = sim.carrier.seen().remove(0);
    assert_eq!(&sm.short_message.octets()[..], b"caf\xe9");
    assert_eq!(sm.data_coding, 3);
    assert_eq!(sm.source_addr, zajil_smpp::number::write("SHOP"));
    let to = sm.destination_addr;
    assert_eq!((to.ton, to.npi, &*to.value.to_str()), (2, 8, "46709771337"));
    assert!(sm.validity_period.is_empty());
}
