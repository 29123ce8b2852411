//! Peers that do not read, and lists that do not come.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use smpp_codec::frame::{self, Frame};
use smpp_codec::pdu::{Bare, Bind};
use smpp_codec::text::Text;
use smpp_codec::{CommandId, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use zajil_core::clock::Clock as _;
use zajil_core::id::MessageId;
use zajil_core::smpp::{Account, DefaultAlphabet, Named};
use zajil_engine::Engine;
use zajil_engine::system::ThreadDice;
use zajil_store::record::encode_smpp_alerts;
use zajil_store::shelf::Shelf as _;
use zajil_telemetry::Telemetry;
use zajil_testkit::clock::FakeClock;

use super::*;
use crate::accounts::{Accounts, Peer, tests::account};
use crate::server::{Options, Parts};

#[expect(dead_code, reason = "of its moods only one is used here")]
#[path = "../../../../../zajil-engine/tests/it/moody.rs"]
mod moody;

use moody::Moody;

/// The account `shop`, and no other.
#[derive(Debug)]
struct Shop(Arc<Account>);

impl Accounts for Shop {
    fn find(&self, system_id: &str) -> Option<Arc<Account>> {
        Some(Arc::clone(&self.0)).filter(|account| account.system_id.as_str() == system_id)
    }

    fn is_unreadable(&self, _: &str) -> bool {
        false
    }

    fn called(&self) -> Vec<Arc<Account>> {
        Vec::new()
    }
}

struct Node {
    server: Arc<Server>,
    store: Arc<Moody>,
    clock: Arc<FakeClock>,
}

async fn node() -> Node {
    let (store, clock) = (Arc::new(Moody::default()), Arc::new(FakeClock::default()));
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let parts = zajil_engine::Parts {
        store: store.clone(),
        clock: clock.clone(),
        dice: Arc::new(ThreadDice),
        telemetry: Arc::clone(&telemetry),
        lookup: None,
        charger: None,
    };
    let engine = Engine::start(parts, zajil_engine::Options::default()).await;
    let engine = engine.unwrap();
    let parts = Parts {
        intake: engine.clone(),
        desk: engine.clone(),
        control: engine,
        store: store.clone(),
        accounts: Arc::new(Shop(Arc::new(account(DefaultAlphabet::Gsm7)))),
        clock: clock.clone(),
        dice: Arc::new(ThreadDice),
        telemetry,
    };
    Node {
        server: Server::new(parts, Options::default()),
        store,
        clock,
    }
}

impl Node {
    /// The account is owed an alert.
    async fn owe(&self) {
        let alert = SmppAlert {
            account: FrontendName::parse("shop").unwrap(),
            subscriber: Named::default(),
            application: Named::default(),
            messages: vec![MessageId::new(1).unwrap()],
            until: None,
        };
        let add = Change::Add {
            kind: Kind::SmppAlert,
            name: None,
            body: encode_smpp_alerts(&[alert]),
        };
        let added = self.store.change_shelf(vec![add], self.clock.now());
        added.await.unwrap();
    }

    /// A second passes, for everybody.
    async fn second(&self) {
        let second = Duration::from_secs(1);
        self.clock.advance(second);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(second).await;
    }
}

/// An application that speaks octets, and how many alerts it has heard.
struct Esme(DuplexStream, BytesMut, usize);

impl Esme {
    /// Bound, and the rest of its connection; `octets` fit into that.
    async fn bind(octets: usize) -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(octets);
        let mut esme = Self(theirs, BytesMut::new(), 0);
        let bind = Pdu::BindTransceiver(Bind {
            system_id: Text::new("shop").unwrap(),
            password: Text::new("secret08").unwrap(),
            interface_version: 0x34,
            ..Bind::default()
        });
        esme.send(&bind, 1).await;
        (esme, ours)
    }

    async fn send(&mut self, pdu: &Pdu, sequence: u32) {
        let mut out = BytesMut::new();
        pdu.encode(Status::ROK, sequence, &mut out);
        self.0.write_all(&out).await.unwrap();
    }

    /// Reads until such a PDU.
    async fn until(&mut self, id: CommandId) {
        loop {
            while let Some(Frame { header, .. }) = frame::cut(&mut self.1, 1 << 16).unwrap() {
                self.2 += usize::from(header.command_id == CommandId::ALERT_NOTIFICATION);
                if header.command_id == id {
                    return;
                }
            }
            assert_ne!(self.0.read_buf(&mut self.1).await.unwrap(), 0);
        }
    }
}

async fn beside(node: &Node, ours: DuplexStream, test: impl Future<Output = ()>) {
    let peer = Peer {
        address: Ipv4Addr::LOCALHOST.into(),
        secured: false,
    };
    let stop = CancellationToken::new();
    let session = node
        .server
        .session((Box::new(ours), peer), None, stop.clone());
    tokio::select! {
        () = node.server.alert(stop) => unreachable!(),
        kind = session => panic!("the session has ended: {kind:?}"),
        () = test => {}
    }
}

/// A page that never comes holds up no alert that is known.
#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_come_holds_no_alert_up() {
    let node = node().await;
    let (mut esme, ours) = Esme::bind(1 << 12).await;
    node.owe().await;
    node.server.read().await.unwrap();
    node.store.stuck.store(true, Ordering::Relaxed);
    node.owe().await;
    beside(&node, ours, async {
        esme.until(CommandId::BIND_TRANSCEIVER_RESP).await;
        esme.until(CommandId::ALERT_NOTIFICATION).await;
    })
    .await;
}

/// The session has taken the alert up, and its peer reads it after seven seconds: once.
#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_for_seven_seconds_is_alerted_once() {
    let node = node().await;
    let (mut esme, ours) = Esme::bind(256).await;
    beside(&node, ours, async {
        esme.until(CommandId::BIND_TRANSCEIVER_RESP).await;
        // More than its connection takes is to be said to it.
        for sequence in 2..34 {
            esme.send(&Pdu::EnquireLink(Bare::default()), sequence)
                .await;
            tokio::task::yield_now().await;
        }
        node.owe().await;
        for _ in 0..8 {
            node.second().await;
        }
        esme.until(CommandId::ALERT_NOTIFICATION).await;
        for sequence in 34..94 {
            node.second().await;
            esme.send(&Pdu::EnquireLink(Bare::default()), sequence)
                .await;
            esme.until(CommandId::ENQUIRE_LINK_RESP).await;
        }
    })
    .await;
    assert_eq!(esme.2, 1);
}
