//! Applications that are called when something waits for them (3.4, 2.2.1 and 4.1.7).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use smpp_codec::Status;
use smpp_codec::pdu::Pdu;
use smpp_codec::session::Side;
use smpp_codec::{CommandId, Header};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use zajil_core::clock::Timestamp;
use zajil_core::lifecycle::Report;
use zajil_core::policy::{Pause, Policy};
use zajil_core::port::{Control as _, Desk as _, Intake as _, RoutingChange};
use zajil_core::route::Action;
use zajil_core::smpp::carrier::{Host, Password};
use zajil_core::smpp::outbind::Outbind;
use zajil_core::smpp::{Account, BindType};
use zajil_smpp::link::{self, Ended, Handler, Link, Reaction};
use zajil_store::memory::MemoryStore;
use zajil_testkit::authority::Authority;
use zajil_testkit::build;

use crate::bench::{Centre, Esme, PATIENCE, account, centre_over, sm, spawn};
use crate::carrier_tls::acceptor;
use crate::carriers::wait_for;

const FROM: &str = "+46701133111";
const TO: &str = "+46709771337";
/// Long enough for every look and wait there is, on a paused clock.
const LONG: Duration = Duration::from_secs(200);

/// An application that listens.
async fn listening(host: &str) -> (TcpListener, Account) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let account = Account {
        outbind: Some(Outbind {
            host: Host::parse(&format!("{host}:{port}")).unwrap(),
            password: Some(Password::new("letmein".to_owned())),
            server_name: None,
            ca_path: None,
        }),
        ..account("shop")
    };
    (listener, account)
}

/// A message centre that routes everything to the application.
async fn routing(account: Account) -> Centre {
    let store = Arc::new(MemoryStore::new());
    routing_at("test", store, account).await
}

async fn routing_at(node: &str, store: Arc<MemoryStore>, account: Account) -> Centre {
    let accounts = vec![account, crate::bench::account("other")];
    let centre = centre_over((node, store), accounts).await;
    let all = build::route("", Action::Deliver(build::name("shop")));
    let change = RoutingChange::AddRoute(all);
    centre.engine.change_routing(change, None).await.unwrap();
    let version = centre.engine.routing().version;
    centre.engine.in_force(version).await.unwrap();
    centre
}

async fn submit(centre: &Centre, text: &str) {
    let message = build::submission(FROM, TO, text);
    centre.engine.submit(message).await.unwrap();
}

/// The next call. Without a deadline: a paused clock would run into it.
async fn call(listener: &TcpListener) -> Esme {
    let (stream, _) = listener.accept().await.unwrap();
    called(Esme::over(stream, Vec::new())).await
}

/// Once it has been asked to bind.
async fn called(mut esme: Esme) -> Esme {
    let outbind = esme.called.recv().await.unwrap();
    assert_eq!(outbind.system_id.to_str(), "zajil");
    assert_eq!(outbind.password.to_str(), "letmein");
    esme
}

/// Nobody is called in this time; with a paused clock it takes none.
async fn no_call(listener: &TcpListener, within: Duration, why: &str) {
    let call = timeout(within, listener.accept()).await;
    assert!(call.is_err(), "{why}");
}

fn counted(centre: &Centre, outcome: &str) -> u64 {
    let outbinds = &centre.telemetry.metrics.smpp_outbinds;
    outbinds.with_label_values(&[outcome]).get()
}

#[tokio::test]
async fn an_application_that_is_called_binds_and_is_served_as_any_other() {
    let (listener, account) = listening("127.0.0.1").await;
    let centre = routing(account).await;
    submit(&centre, "first").await;
    let mut esme = timeout(PATIENCE, call(&listener)).await.unwrap();
    let status = esme.bind(BindType::Transceiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(esme.next().await.short_message.octets()[..], *b"first");
    // An ordinary session: what comes later comes over it, and it submits.
    submit(&centre, "second").await;
    assert_eq!(esme.next().await.short_message.octets()[..], *b"second");
    assert_eq!(esme.submit(sm(FROM, TO, b"third")).await.0, Status::ROK);
    assert_eq!(esme.next().await.short_message.octets()[..], *b"third");
    esme.handle.leave();
    assert_eq!(esme.ended.await.unwrap(), Ended::Unbound);
    // And it is called again when something waits again.
    submit(&centre, "fourth").await;
    let mut esme = timeout(PATIENCE, call(&listener)).await.unwrap();
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(esme.next().await.short_message.octets()[..], *b"fourth");
    assert_eq!(counted(&centre, "bound"), 1, "the second has not ended");
}

#[tokio::test]
async fn an_application_is_called_for_receipts_too() {
    let (listener, account) = listening("127.0.0.1").await;
    let centre = routing(account).await;
    let shop = Esme::connect(&centre).await;
    let status = shop.bind(BindType::Transmitter, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    let mut submit = sm(FROM, TO, b"hi");
    submit.registered_delivery.0 = 1;
    let (status, id) = shop.submit(submit).await;
    assert_eq!(status, Status::ROK);
    let id = zajil_core::id::MessageId::new(id.parse().unwrap()).unwrap();
    let done = Report::Delivered { by: None, at: None };
    centre.engine.report(id, done).await.unwrap();
    let mut esme = timeout(PATIENCE, call(&listener)).await.unwrap();
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(esme.next().await.esm_class.0, 0x04);
}

/// Who is called binds as itself, to be delivered to.
#[tokio::test]
async fn a_call_is_no_way_in_for_others() {
    let (listener, account) = listening("127.0.0.1").await;
    let centre = routing(account).await;
    submit(&centre, "first").await;
    for (kind, name, password, expected) in [
        (BindType::Receiver, "other", "secret08", Status::RBINDFAIL),
        (BindType::Transmitter, "shop", "secret08", Status::RBINDFAIL),
        (BindType::Receiver, "shop", "secret07", Status::RINVPASWD),
    ] {
        let esme = timeout(PATIENCE, call(&listener)).await.unwrap();
        let status = esme.bind(kind, name, password).await;
        assert_eq!(status, expected, "{name} {password}");
        assert_eq!(esme.ended.await.unwrap(), Ended::Closed);
    }
    // By itself the other one may.
    Esme::bound(&centre, "other").await;
    assert_eq!(counted(&centre, "bound"), 0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_bind_is_left_and_called_again_later() {
    let (listener, account) = listening("127.0.0.1").await;
    let centre = routing(account).await;
    submit(&centre, "first").await;
    for round in 0..5 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        // Until it is closed.
        stream.read_to_end(&mut said).await.unwrap();
        let (_, header) = Header::read(&said).unwrap();
        assert_eq!(header.command_id, CommandId::OUTBIND, "{round}");
        assert_eq!(said.len(), 16 + "zajil\0letmein\0".len(), "only once");
        assert!(counted(&centre, "not_bound") <= round + 1);
    }
    let mut esme = call(&listener).await;
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    let message = esme.delivered.recv().await.unwrap();
    assert_eq!(message.short_message.octets()[..], *b"first");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_without_need() {
    let (listener, account) = listening("127.0.0.1").await;
    let centre = routing(account.clone()).await;
    no_call(&listener, LONG, "nothing waits").await;
    let paused = |pause: bool| Policy {
        pause: pause.then(|| Pause {
            since: Timestamp::from_secs(1),
            until: None,
            reason: "tests".to_owned(),
        }),
        ..Policy::new(build::name("shop"))
    };
    centre.engine.set_policy(paused(true)).await.unwrap();
    submit(&centre, "first").await;
    no_call(&listener, LONG, "it is paused").await;
    centre.engine.drain(true);
    centre.engine.set_policy(paused(false)).await.unwrap();
    no_call(&listener, LONG, "the node is drained").await;
    let off = Account {
        enabled: false,
        ..account.clone()
    };
    let over = Account {
        expires: Some(Timestamp::from_secs(1)),
        ..account.clone()
    };
    let writer = Account {
        bind_types: vec![BindType::Transmitter],
        ..account.clone()
    };
    for (changed, why) in [(off, "disabled"), (over, "expired"), (writer, "writes")] {
        centre.book.put(changed);
        centre.engine.drain(false);
        no_call(&listener, LONG, why).await;
    }
    centre.book.put(account);
    call(&listener).await;
}

/// Whoever mends the address does not wait for the next try of the wrong one.
#[tokio::test(start_paused = true)]
async fn another_address_is_called_at_once() {
    let (nobody, account) = listening("127.0.0.1").await;
    drop(nobody);
    let centre = routing(account).await;
    submit(&centre, "first").await;
    wait_for(async || (counted(&centre, "unreached") == 6).then_some(())).await;
    let (listener, account) = listening("127.0.0.1").await;
    centre.book.put(account);
    let began = tokio::time::Instant::now();
    call(&listener).await;
    // On the paused clock: the wait had grown to 16 s at least.
    assert!(began.elapsed() < Duration::from_secs(15));
}

/// Takes a message and never answers.
struct Mute;

impl Handler for Mute {
    fn request(&mut self, _: Header, _: Pdu) -> Reaction {
        Reaction::Later(Box::pin(std::future::pending()))
    }
}

/// A session of the application that is bound by itself.
async fn mute(centre: &Centre) -> tokio::task::JoinHandle<Ended> {
    let stream = TcpStream::connect(centre.address).await.unwrap();
    let (link, handle) = Link::new(link::Options::new(Side::Esme));
    let running = spawn(link.run(stream, Mute));
    let bind = smpp_codec::pdu::Bind {
        system_id: smpp_codec::text::Text::new("shop").unwrap(),
        password: smpp_codec::text::Text::new("secret08").unwrap(),
        interface_version: 0x34,
        ..smpp_codec::pdu::Bind::default()
    };
    let bound = handle.request(Pdu::BindReceiver(bind)).await.unwrap();
    assert_eq!(bound.status, Status::ROK);
    running
}

#[tokio::test(start_paused = true)]
async fn who_is_bound_is_not_called() {
    let (listener, mut account) = listening("127.0.0.1").await;
    account.window = NonZeroU32::MIN;
    let centre = routing(account).await;
    let running = mute(&centre).await;
    // The window holds one: the other waits, and is due.
    submit(&centre, "first").await;
    submit(&centre, "second").await;
    // As long as one response is waited for.
    no_call(&listener, Duration::from_secs(9), "it is bound").await;
    // The connection is cut: it is called for the other one.
    running.abort();
    call(&listener).await;
}

/// Of two nodes the one that an application was bound to calls it; the other knows of it.
#[tokio::test(start_paused = true)]
async fn who_is_bound_to_another_node_is_not_called() {
    let (listener, mut account) = listening("127.0.0.1").await;
    account.window = NonZeroU32::MIN;
    let store = Arc::new(MemoryStore::new());
    let first = routing_at("a", Arc::clone(&store), account.clone()).await;
    let accounts = vec![account, crate::bench::account("other")];
    let second = centre_over(("b", store), accounts).await;
    let running = mute(&second).await;
    submit(&first, "first").await;
    submit(&first, "second").await;
    no_call(&listener, Duration::from_secs(9), "it is bound").await;
    running.abort();
    let esme = call(&listener).await;
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    esme.handle.leave();
    esme.ended.await.unwrap();
    wait_for(async || (counted(&second, "bound") == 1).then_some(())).await;
    assert_eq!(counted(&first, "bound"), 0);
}

/// A certificate may be for another name than that of the address.
#[tokio::test]
async fn the_certificate_of_who_is_called_is_for_the_name_that_was_set() {
    let authority = Authority::new();
    authority.issue("server", "esme.example.net");
    let (listener, mut account) = listening("127.0.0.1").await;
    account.require_tls = true;
    if let Some(outbind) = &mut account.outbind {
        outbind.ca_path = Some(authority.path("ca.pem"));
        outbind.server_name = Some("esme.example.net".to_owned());
    }
    let centre = routing(account).await;
    submit(&centre, "first").await;
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let stream = acceptor(&authority, "server", None).accept(stream).await;
    let mut esme = called(Esme::over(stream.unwrap(), Vec::new())).await;
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(esme.next().await.short_message.octets()[..], *b"first");
}

#[tokio::test]
async fn an_account_that_needs_tls_is_called_over_tls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue("server", "localhost");
    stranger.issue("server", "localhost");
    let (listener, mut account) = listening("localhost").await;
    account.require_tls = true;
    if let Some(outbind) = &mut account.outbind {
        outbind.ca_path = Some(authority.path("ca.pem"));
    }
    let centre = routing(account).await;
    submit(&centre, "first").await;
    // Somebody else's certificate: not a word.
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let agreed = acceptor(&stranger, "server", None).accept(stream).await;
    if let Ok(mut stream) = agreed {
        let mut said = Vec::new();
        drop(stream.read_to_end(&mut said).await);
        assert_eq!(said, b"");
    }
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(counted(&centre, "unreached"), 1);
    let stream = acceptor(&authority, "server", None).accept(stream).await;
    let mut esme = called(Esme::over(stream.unwrap(), Vec::new())).await;
    let status = esme.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(esme.next().await.short_message.octets()[..], *b"first");
}
