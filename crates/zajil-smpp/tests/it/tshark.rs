//! Every PDU that the message centre sends, as tshark reads it. Slow: runs with `SLOW_TESTS=1`.

use std::collections::BTreeSet;
use std::process::Command;

use smpp_codec::address::{Destination, Destinations};
use smpp_codec::flags::RegisteredDelivery;
use smpp_codec::pdu::{BroadcastSm, CancelSm, QuerySm, ReplaceSm, SubmitMulti};
use smpp_codec::text::Text;
use smpp_codec::{Pdu, Status};
use zajil_core::lifecycle::Edit;
use zajil_core::port::Desk as _;
use zajil_core::smpp::{BindType, LongText};
use zajil_smpp::number;
use zajil_telemetry::live::{Filter, Kind, Listener, Next};
use zajil_testkit::build;

use crate::bench::{Centre, Esme, account, centre, sm};

fn is_slow() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests have no configuration of their own"
    )]
    let slow = std::env::var("SLOW_TESTS").is_ok_and(|value| value == "1");
    slow
}

/// What the message centre has sent since, in hexadecimal.
fn sent(centre: &Centre, listener: &mut Listener) -> Vec<String> {
    let filter = Filter {
        kinds: vec![Kind::Wire],
        names: vec!["pdu_sent".to_owned()],
        ..Filter::default()
    };
    centre.telemetry.live().unwrap().turn();
    let mut all = Vec::new();
    while let Some(Next::Events(events)) = listener.read(&filter) {
        let wires = events
            .iter()
            .filter_map(|event| event.subject.wire.as_ref());
        all.extend(wires.filter_map(|wire| wire.hex.clone()));
    }
    all
}

/// A peer of this version does one thing of each kind, and is delivered to in this way.
async fn live(version: u8, long: LongText) -> Vec<String> {
    let mut shop = account("shop");
    shop.long_text = long;
    let centre = centre(vec![shop]).await;
    let hub = centre.telemetry.live().unwrap();
    let mut listener = hub.listen(None);
    let watch = hub.watch(Filter {
        frontend: Some(build::name("shop")),
        ..Filter::default()
    });
    let mut shop = Esme::connect(&centre).await;
    let bound = shop.bind_as(BindType::Transceiver, ("shop", "secret08"), version);
    assert_eq!(bound.await.0, Status::ROK);
    let (status, id) = shop.submit(sm("SHOP", "+46709771337", b"waits")).await;
    assert_eq!(status, Status::ROK);
    let (message_id, to) = (Text::new(id).unwrap(), number::write("+46709771337"));
    let list = Text::new("list").unwrap();
    let requests = [
        Pdu::QuerySm(QuerySm {
            message_id: message_id.clone(),
            ..QuerySm::default()
        }),
        Pdu::ReplaceSm(ReplaceSm::default()),
        Pdu::CancelSm(CancelSm {
            message_id,
            ..CancelSm::default()
        }),
        Pdu::SubmitMulti(SubmitMulti {
            dest_address: Destinations::new(vec![Destination::Sme(to), Destination::List(list)])
                .unwrap(),
            ..SubmitMulti::default()
        }),
        Pdu::BroadcastSm(BroadcastSm::default()),
    ];
    for request in requests {
        shop.handle.request(request).await.unwrap();
    }
    // A long one to itself, with a receipt: parts, and the receipt of a whole.
    let mut own = sm("SHOP", "+46700000001", b"to me");
    own.registered_delivery = RegisteredDelivery(1);
    let (_, id) = shop.submit(own).await;
    let edit = Edit {
        dest_smsc: Some(Some(build::name("shop"))),
        body: Some(("0123456789".repeat(30).into(), std::num::NonZeroU32::MIN)),
        ..Edit::default()
    };
    let id = zajil_core::id::MessageId::new(id.parse().unwrap()).unwrap();
    centre.engine.edit(id, edit).await.unwrap();
    loop {
        if shop.next().await.esm_class.0 & 0x3C == 0x04 {
            break;
        }
    }
    shop.handle.leave();
    shop.ended.await.unwrap();
    let all = sent(&centre, &mut listener);
    drop(watch);
    all
}

/// Whether there is a tshark and the test is to run; why not is said.
pub(crate) fn is_there(test: &str) -> bool {
    let starts = |name| Command::new(name).arg("--version").output().is_ok();
    let there = is_slow() && starts("tshark") && starts("text2pcap");
    if !there {
        println!("SKIPPED {test}: needs SLOW_TESTS=1, tshark and text2pcap");
    }
    there
}

/// tshark reads all these PDUs, in hexadecimal, and complains of none. Answers of which kinds they
/// are; `name` is that of the files.
pub(crate) fn agrees(name: &str, all: &[String]) -> BTreeSet<String> {
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |end: &str| place.join(format!("{name}.{end}"));
    let (text, capture) = (file("txt"), file("pcap"));
    let lines: String = all.iter().map(|hex| format!("> {hex}\n")).collect();
    std::fs::write(&text, lines).unwrap();
    let packed = Command::new("text2pcap")
        .args([
            "-q",
            "-r",
            "^(?<dir>[<>]) (?<data>[0-9a-f]+)$",
            "-T",
            "40000,2775",
        ])
        .args([&text, &capture])
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let fields = ["smpp.command_id", "_ws.malformed", "_ws.expert.message"];
    let mut tshark = Command::new("tshark");
    tshark.args(["-T", "fields", "-r"]).arg(&capture);
    let output = tshark
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let rows = String::from_utf8(output.stdout).unwrap();
    let mut kinds = BTreeSet::new();
    for (row, hex) in rows.lines().zip(all) {
        let mut cells = row.split('\t');
        let id = cells.next().unwrap();
        assert!(!id.is_empty(), "not SMPP: {hex}");
        let complaints: String = cells.collect();
        assert_eq!(complaints, "", "{hex}");
        kinds.insert(id.to_owned());
    }
    assert_eq!(rows.lines().count(), all.len());
    let count = all.len();
    println!("tshark agrees about {count} PDUs of {} kinds", kinds.len());
    kinds
}

#[tokio::test]
async fn tshark_reads_every_pdu_that_we_send() {
    if !is_there("tshark_reads_every_pdu_that_we_send") {
        return;
    }
    let mut all = Vec::new();
    for version in [0x33, 0x34, 0x50] {
        for long in LongText::ALL {
            all.extend(live(version, long).await);
        }
    }
    let kinds = agrees("sent", &all);
    // Responses to binds, submits, multis, queries, cancels, replaces; deliveries, and the rest.
    assert!(kinds.len() >= 8, "{kinds:?}");
}
