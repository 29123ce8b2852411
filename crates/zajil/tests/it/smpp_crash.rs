//! kill -9 between response, delivery and receipt under load: nothing is lost, and nothing doubled
//! but what was not answered for. Slow: runs with `SLOW_TESTS=1`; `SMPP_KILLS` says how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::{Bind, Sm, SmResp};
use smpp_codec::session::Side;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{Header, Pdu, Status, receipt};
use tokio::task::JoinSet;
use zajil_smpp::link::{self, Answer, Handle, Handler, Link, Reaction};

use crate::server::Server;
use crate::smpp::variable;

/// Longer than a message and its receipt are leased one after the other, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a session may leave unanswered for, in either direction.
const WINDOW: usize = 10;
/// Submits under way.
const SUBMITTERS: usize = 20;

/// What the applications saw, over all kills.
#[derive(Debug, Default)]
struct Seen {
    /// By id: the text that was submitted.
    accepted: BTreeMap<String, String>,
    /// By text: how often it was delivered, and in which run of the server.
    delivered: BTreeMap<String, Vec<u32>>,
    /// By id: in which run of the server its receipt came.
    receipts: BTreeMap<String, Vec<u32>>,
}

/// Takes every delivery in a run of the server, and says which.
struct Inbox(Arc<Mutex<Seen>>, u32);

impl Handler for Inbox {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let Pdu::DeliverSm(sm) = pdu else {
            return Reaction::Now(Answer::refusal(header, Status::RINVCMDID));
        };
        let text = sm.short_message.octets();
        let mut seen = self.0.lock().unwrap();
        if sm.esm_class.kind() == EsmClass::RECEIPT {
            let id = receipt::parse(text).unwrap().id.unwrap();
            seen.receipts.entry(id).or_default().push(self.1);
        } else {
            let text = String::from_utf8(text.to_vec()).unwrap();
            seen.delivered.entry(text).or_default().push(self.1);
        }
        Reaction::Now(Answer::done(Pdu::DeliverSmResp(SmResp::default())))
    }
}

#[expect(clippy::disallowed_methods, reason = "a test ends with its runtime")]
async fn bound(server: &Server, system_id: &'static str, inbox: Inbox) -> Handle {
    let stream = tokio::net::TcpStream::connect(&*server.smpp).await.unwrap();
    let options = link::Options {
        window_out: SUBMITTERS,
        ..link::Options::new(Side::Esme)
    };
    let (link, handle) = Link::new(options);
    tokio::spawn(link.run(stream, inbox));
    let bind = Bind {
        system_id: Text::new(system_id).unwrap(),
        password: Text::new("secret08").unwrap(),
        interface_version: 0x34,
        ..Bind::default()
    };
    let response = handle.request(Pdu::BindTransceiver(bind)).await.unwrap();
    assert_eq!(response.status, Status::ROK);
    handle
}

/// Submits one after the other until the server is gone.
async fn submit(handle: Handle, seen: Arc<Mutex<Seen>>, name: String) {
    for number in 0_u32.. {
        let text = format!("{name} {number}");
        let mut sm = Sm {
            source_addr: zajil_smpp::number::write("SHOP"),
            destination_addr: zajil_smpp::number::write("+46709771337"),
            short_message: ShortMessage::new(text.clone()).unwrap(),
            ..Sm::default()
        };
        sm.registered_delivery.0 = 1;
        let Ok(response) = handle.request(Pdu::SubmitSm(sm)).await else {
            return;
        };
        // Too much at once is said, and tried again.
        if let (Status::ROK, Pdu::SubmitSmResp(taken)) = (response.status, response.pdu) {
            let id = taken.message_id.to_str().into_owned();
            let before = seen.lock().unwrap().accepted.insert(id, text);
            assert_eq!(before, None, "an id was given twice");
        }
    }
}

/// A run of the server that ends with a kill in the middle of everything.
fn run_until_killed(server: Server, seen: &Arc<Mutex<Seen>>, run: u32, moment: Duration) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inbox = || Inbox(Arc::clone(seen), run);
        let _phone = bound(&server, "phone", inbox()).await;
        let shop = bound(&server, "shop", inbox()).await;
        let mut submitters = JoinSet::new();
        for place in 0..SUBMITTERS {
            let name = format!("{run}-{place}");
            submitters.spawn(submit(shop.clone(), Arc::clone(seen), name));
        }
        let enough = async {
            let before = seen.lock().unwrap().receipts.len();
            let mut ticks = tokio::time::interval(Duration::from_millis(5));
            while seen.lock().unwrap().receipts.len() < before + 5 {
                ticks.tick().await;
            }
            tokio::time::timeout(moment, std::future::pending::<()>()).await
        };
        tokio::time::timeout(PATIENCE, enough).await.unwrap().ok();
        server.kill();
        while let Some(ended) = submitters.join_next().await {
            ended.unwrap();
        }
    });
}

/// Whether every message that was accepted has been delivered and receipted.
fn is_whole(seen: &Seen) -> bool {
    let delivered = |text| seen.delivered.contains_key(text);
    let receipted = |id| seen.receipts.contains_key(id);
    let each = |(id, text)| receipted(id) && delivered(text);
    seen.accepted.iter().all(each)
}

/// What came more than once: in one run of the server never, in all no more than each kill may have
/// left unanswered for.
fn check_doubles(of: &BTreeMap<String, Vec<u32>>, kills: u32) {
    let mut doubled = 0;
    for (what, runs) in of {
        let distinct: BTreeSet<u32> = runs.iter().copied().collect();
        assert_eq!(distinct.len(), runs.len(), "{what} came twice in one run");
        doubled += runs.len() - 1;
    }
    // Those under way, and as many again that are being written down.
    let most = 2 * WINDOW * usize::try_from(kills).unwrap();
    assert!(doubled <= most, "{doubled} came again after {kills} kills");
    println!("{} came, {doubled} of them again", of.len());
}

#[test]
fn d5_d19_kills_between_response_delivery_and_receipt_lose_nothing() {
    if variable("SLOW_TESTS").as_deref() != Some("1") {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let kills: u32 = variable("SMPP_KILLS").map_or(3, |text| text.parse().unwrap());
    let data = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut chance = u64::from(std::process::id());
    println!("seed {chance}");
    for run in 0..kills {
        let server = Server::start(data.path());
        if run == 0 {
            let client = server.client();
            for system_id in ["shop", "phone"] {
                let account = json!({
                    "system_id": system_id, "password": "secret08", "window": WINDOW,
                });
                let (status, answer) = client.call("POST", "/api/smpp/accounts", &account);
                assert_eq!(status, 201, "{answer}");
            }
            let route = json!({ "called_prefix": "+46", "dest_smsc": "phone" });
            let (status, answer) = client.call("POST", "/api/routes", &route);
            assert_eq!(status, 201, "{answer}");
        }
        // A linear congruential step is chance enough for a moment within 300 ms.
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let moment = Duration::from_millis((chance >> 33) % 300);
        run_until_killed(server, &seen, run, moment);
    }
    let server = Server::start(data.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inbox = || Inbox(Arc::clone(&seen), kills);
        let _phone = bound(&server, "phone", inbox()).await;
        let _shop = bound(&server, "shop", inbox()).await;
        let whole = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            while !is_whole(&seen.lock().unwrap()) {
                ticks.tick().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, whole).await;
        assert!(in_time.is_ok(), "something was lost");
    });
    let seen = seen.lock().unwrap();
    check_doubles(&seen.delivered, kills);
    check_doubles(&seen.receipts, kills);
    // A submit whose response was lost may be there: no more of them than were under way.
    let stored: BTreeSet<&String> = seen.accepted.keys().collect();
    let strange = seen.receipts.keys().filter(|id| !stored.contains(id));
    let most = SUBMITTERS * usize::try_from(kills).unwrap();
    assert!(strange.count() <= most, "receipts of what nobody submitted");
    assert_eq!(server.stop(), Some(0));
}
