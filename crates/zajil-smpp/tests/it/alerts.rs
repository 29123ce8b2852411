//! Applications that ask for it are told when a subscriber can be reached again (3.4, 4.12).

use std::time::Duration;

use smpp_codec::Status;
use smpp_codec::pdu::{DataSm, Pdu, SmResp};
use smpp_codec::tlv::Tag;
use zajil_core::clock::Clock as _;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::location::Sighting;
use zajil_core::port::Desk as _;
use zajil_core::smpp::{BindType, Named};
use zajil_smpp::number;
use zajil_store::record::{SmppAlert, decode_smpp_alerts, encode_smpp_alerts};
use zajil_store::shelf::{Change, Kind, Page, Record, Shelf as _, Start};
use zajil_testkit::build;

use crate::bench::{Centre, Esme, PATIENCE, account, centre, centre_over, sm};

const TO: &str = "+46709771337";

/// What is answered to a submit with `set_dpf`.
async fn submitted(esme: &Esme, pdu: Pdu) -> (MessageId, Option<u8>) {
    let response = esme.handle.request(pdu).await.unwrap();
    assert_eq!(response.status, Status::ROK);
    let (Pdu::SubmitSmResp(SmResp { message_id, tlvs })
    | Pdu::DataSmResp(SmResp { message_id, tlvs })) = response.pdu
    else {
        panic!("{:?}", response.pdu);
    };
    let id = message_id.to_str().parse().unwrap();
    (MessageId::new(id).unwrap(), tlvs.u8(Tag::DPF_RESULT))
}

fn watching(source: &str) -> Pdu {
    let mut submit = sm(source, TO, b"hi");
    submit.tlvs.push_u8(Tag::SET_DPF, 1);
    Pdu::SubmitSm(submit)
}

async fn seen(centre: &Centre, registered: bool) {
    let sighting = Sighting {
        imsi: Some("240010000000001".to_owned()),
        msisdn: Some("46709771337".to_owned()),
        location: Some(build::name("gw")),
        registered: Some(registered),
        ..Sighting::default()
    };
    centre.engine.locate(None, sighting).await.unwrap();
}

async fn fails(centre: &Centre, id: MessageId) {
    let failed = Report::AttemptFailed {
        reason: None,
        retry_after: None,
        by: None,
        class: None,
        schedules: std::sync::Arc::default(),
    };
    centre.engine.report(id, failed).await.unwrap();
}

/// Waits until the server has looked twice for what is owed: each look sends one alert to `esme`,
/// of the account `other`.
async fn two_looks(centre: &Centre, esme: &mut Esme) {
    const OTHERS: &str = "+46709771338";
    for _ in 0..2 {
        let mut submit = sm("MARK", OTHERS, b"hi");
        submit.tlvs.push_u8(Tag::SET_DPF, 1);
        let (id, promised) = submitted(esme, Pdu::SubmitSm(submit)).await;
        assert_eq!(promised, Some(1));
        fails(centre, id).await;
        let sighting = Sighting {
            imsi: Some("240010000000002".to_owned()),
            msisdn: Some("46709771338".to_owned()),
            location: Some(build::name("gw")),
            registered: Some(true),
            ..Sighting::default()
        };
        centre.engine.locate(None, sighting).await.unwrap();
        let alert = tokio::time::timeout(PATIENCE, esme.alerts.recv()).await;
        assert_eq!(alert.unwrap().unwrap().esme_addr, number::write("MARK"));
    }
    // The record goes after the alert.
    let gone = async {
        while all(centre, Kind::SmppAlert)
            .await
            .iter()
            .any(|record| record.body.contains("MARK"))
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

/// How many alerts were sent.
fn sent(centre: &Centre) -> usize {
    figure(centre, r#"zajil_smpp_alerts_total{outcome="sent"}"#)
}

fn figure(centre: &Centre, name: &str) -> usize {
    let text = centre.telemetry.metrics.render();
    let of = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    text.lines().find_map(of).unwrap()
}

/// How many records of a kind there are.
async fn kept(centre: &Centre, kind: Kind) -> usize {
    all(centre, kind).await.len()
}

async fn all(centre: &Centre, kind: Kind) -> Vec<Record> {
    let page = Page {
        kind,
        from: Start::After(0),
        offset: 0,
        limit: 2_000,
    };
    centre.store.shelf(page).await.unwrap()
}

/// A session of "shop" that only submits.
async fn sender(centre: &Centre) -> Esme {
    let sender = Esme::connect(centre).await;
    let status = sender.bind(BindType::Transmitter, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    sender
}

#[tokio::test]
async fn an_alert_waits_for_a_session_that_can_be_told_and_comes_once() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let sender = sender(&centre).await;
    let (id, promised) = submitted(&sender, watching("SHOP")).await;
    assert_eq!(promised, Some(1));
    // A promise is not used up before anybody has failed to deliver.
    seen(&centre, true).await;
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 0);
    fails(&centre, id).await;
    // Who has detached cannot be reached.
    seen(&centre, false).await;
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 1);
    seen(&centre, true).await;
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 0);
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 1);
    // 3.3 knows no alerts, and those of another account are its own.
    let older = Esme::connect(&centre).await;
    let bound = older.bind_as(BindType::Receiver, ("shop", "secret08"), 0x33);
    assert_eq!(bound.await.0, Status::ROK);
    let mut other = Esme::bound(&centre, "other").await;
    two_looks(&centre, &mut other).await;
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 1);
    older.handle.leave();
    older.ended.await.unwrap();
    let mut receiver = Esme::bound(&centre, "shop").await;
    let alert = tokio::time::timeout(PATIENCE, receiver.alerts.recv()).await;
    let alert = alert.unwrap().unwrap();
    assert_eq!(alert.source_addr, number::write(TO));
    assert_eq!(alert.esme_addr, number::write("SHOP"));
    assert_eq!(alert.tlvs.u8(Tag::MS_AVAILABILITY_STATUS), Some(0));
    two_looks(&centre, &mut other).await;
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 0);
    let counted = async {
        while sent(&centre) < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.unwrap();
    seen(&centre, true).await;
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 0);
    assert!(other.alerts.try_recv().is_err());
    assert!(receiver.alerts.try_recv().is_err());
    assert_eq!(sent(&centre), 5);
}

/// One node sends it, and it is not gone before it was written.
#[tokio::test]
async fn an_alert_that_another_node_sends_is_left_to_it() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let sender = sender(&centre).await;
    let (id, _) = submitted(&sender, watching("SHOP")).await;
    fails(&centre, id).await;
    seen(&centre, true).await;
    let record = all(&centre, Kind::SmppAlert).await.remove(0);
    let claim = Change::Set {
        kind: Kind::SmppAlert,
        id: record.id,
        base: Some(record.revision),
        body: record.body,
    };
    let now = record.written_at.plus(Duration::from_secs(10));
    centre.store.change_shelf(vec![claim], now).await.unwrap();
    let mut receiver = Esme::bound(&centre, "shop").await;
    let mut other = Esme::bound(&centre, "other").await;
    two_looks(&centre, &mut other).await;
    assert!(receiver.alerts.try_recv().is_err());
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 1);
}

/// A second submit does not take the place of the first.
#[tokio::test]
async fn a_sender_waits_for_each_of_its_messages() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let (first, _) = submitted(&shop, watching("SHOP")).await;
    let (second, _) = submitted(&shop, watching("SHOP")).await;
    let (third, _) = submitted(&shop, watching("SHOP")).await;
    fails(&centre, first).await;
    let done = Report::Delivered { by: None, at: None };
    centre.engine.report(second, done).await.unwrap();
    seen(&centre, true).await;
    let alert = tokio::time::timeout(PATIENCE, shop.alerts.recv()).await;
    assert_eq!(alert.unwrap().unwrap().esme_addr, number::write("SHOP"));
    let watch = all(&centre, Kind::SmppWatch).await.remove(0);
    let waiting = decode_smpp_alerts(&watch.body).unwrap();
    assert_eq!(waiting[0].messages, [third]);
}

#[tokio::test]
async fn every_application_that_asked_is_alerted_and_none_of_what_was_delivered() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let mut other = Esme::bound(&centre, "other").await;
    let mut data = DataSm {
        source_addr: number::write("OTHER"),
        destination_addr: number::write(TO),
        ..DataSm::default()
    };
    data.tlvs.push_u8(Tag::SET_DPF, 1);
    let (id, promised) = submitted(&other, Pdu::DataSm(data)).await;
    assert_eq!(promised, Some(1));
    fails(&centre, id).await;
    // Asked twice is asked once.
    for _ in 0..2 {
        let (id, _) = submitted(&shop, watching("SHOP")).await;
        fails(&centre, id).await;
    }
    let (delivered, _) = submitted(&shop, watching("DONE")).await;
    let done = Report::Delivered { by: None, at: None };
    centre.engine.report(delivered, done).await.unwrap();
    let plain = sm("SHOP", TO, b"hi");
    assert_eq!(submitted(&shop, Pdu::SubmitSm(plain)).await.1, None);
    seen(&centre, true).await;
    for (esme, name) in [(&mut shop, "SHOP"), (&mut other, "OTHER")] {
        let alert = tokio::time::timeout(PATIENCE, esme.alerts.recv()).await;
        assert_eq!(alert.unwrap().unwrap().esme_addr, number::write(name));
    }
    two_looks(&centre, &mut other).await;
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 0);
    assert!(shop.alerts.try_recv().is_err());
}

/// What others ask for later keeps nobody waiting longer.
#[tokio::test]
async fn a_promise_ends_by_itself() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    for source in ["OLD", "NEW"] {
        let (id, _) = submitted(&shop, watching(source)).await;
        fails(&centre, id).await;
    }
    let record = all(&centre, Kind::SmppWatch).await.remove(0);
    let mut waiting = decode_smpp_alerts(&record.body).unwrap();
    let week = Duration::from_hours(7 * 24);
    assert!(waiting[1].until.unwrap() > record.added_at.plus(week - PATIENCE));
    waiting[0].until = Some(record.added_at.minus(Duration::from_secs(1)));
    let older = Change::Set {
        kind: Kind::SmppWatch,
        id: record.id,
        base: Some(record.revision),
        body: encode_smpp_alerts(&waiting),
    };
    let now = record.written_at;
    centre.store.change_shelf(vec![older], now).await.unwrap();
    seen(&centre, true).await;
    let alert = tokio::time::timeout(PATIENCE, shop.alerts.recv()).await;
    assert_eq!(alert.unwrap().unwrap().esme_addr, number::write("NEW"));
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 0);
}

/// SMPP 3.4, 5.3.2.28: what was delivered did not fail. Nobody waits for the next sign, which may
/// never come.
#[tokio::test]
async fn a_promise_is_forgotten_with_the_delivery() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let (first, _) = submitted(&shop, watching("SHOP")).await;
    let (second, _) = submitted(&shop, watching("SHOP")).await;
    let (failed, _) = submitted(&shop, watching("DEPOT")).await;
    fails(&centre, failed).await;
    let done = Report::Delivered { by: None, at: None };
    let both = vec![(first, done.clone()), (second, done.clone())];
    centre.engine.report_many(both).await.unwrap();
    let watch = all(&centre, Kind::SmppWatch).await.remove(0);
    let waiting = decode_smpp_alerts(&watch.body).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].messages, [failed]);
    centre.engine.report(failed, done).await.unwrap();
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 0);
}

/// A submit that takes the place of one for which an alert was promised asks for none itself. It is
/// the same message: its promise stays, and goes with its delivery.
#[tokio::test]
async fn a_promise_stays_with_the_message_that_is_replaced() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let replaced = async |shop: &Esme| {
        let Pdu::SubmitSm(mut first) = watching("SHOP") else {
            unreachable!()
        };
        first.replace_if_present_flag = 1;
        let (id, promised) = submitted(shop, Pdu::SubmitSm(first)).await;
        assert_eq!(promised, Some(1));
        let mut second = sm("SHOP", TO, b"ho");
        second.replace_if_present_flag = 1;
        let (same, promised) = submitted(shop, Pdu::SubmitSm(second)).await;
        assert_eq!((same, promised), (id, None));
        id
    };
    let id = replaced(&shop).await;
    let done = Report::Delivered { by: None, at: None };
    centre.engine.report(id, done).await.unwrap();
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 0);
    let id = replaced(&shop).await;
    fails(&centre, id).await;
    seen(&centre, true).await;
    let alert = tokio::time::timeout(PATIENCE, shop.alerts.recv()).await;
    assert_eq!(alert.unwrap().unwrap().esme_addr, number::write("SHOP"));
}

/// As many as may wait for a subscriber are owed their alerts, though the store takes fewer changes
/// at a time.
#[tokio::test]
async fn everybody_who_may_wait_is_alerted() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let (id, _) = submitted(&shop, watching("SHOP")).await;
    fails(&centre, id).await;
    let record = all(&centre, Kind::SmppWatch).await.remove(0);
    let one = decode_smpp_alerts(&record.body).unwrap().remove(0);
    let everybody = (0..1_000).map(|number| SmppAlert {
        account: build::name(&format!("a{number}")),
        ..one.clone()
    });
    let full = Change::Set {
        kind: Kind::SmppWatch,
        id: record.id,
        base: Some(record.revision),
        body: encode_smpp_alerts(&everybody.collect::<Vec<_>>()),
    };
    let now = record.written_at;
    centre.store.change_shelf(vec![full], now).await.unwrap();
    seen(&centre, true).await;
    assert_eq!(kept(&centre, Kind::SmppWatch).await, 0);
    assert_eq!(kept(&centre, Kind::SmppAlert).await, 1_000);
}

#[tokio::test]
async fn who_is_owed_ten_thousand_alerts_is_promised_no_more() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let sender = sender(&centre).await;
    let (id, promised) = submitted(&sender, watching("SHOP")).await;
    assert_eq!(promised, Some(1));
    fails(&centre, id).await;
    seen(&centre, true).await;
    let owed = all(&centre, Kind::SmppAlert).await.remove(0);
    let one = Change::Add {
        kind: Kind::SmppAlert,
        name: None,
        body: owed.body,
    };
    for count in [1_000; 9].into_iter().chain([999]) {
        let more = vec![one.clone(); count];
        let now = owed.written_at;
        centre.store.change_shelf(more, now).await.unwrap();
    }
    let known = async {
        while figure(&centre, "zajil_smpp_alerts_owed") < 10_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    assert_eq!(submitted(&sender, watching("SHOP")).await.1, Some(0));
    let other = Esme::bound(&centre, "other").await;
    assert_eq!(submitted(&other, watching("OTHER")).await.1, Some(1));
}

/// Of one account no more wait than it may, however many subscribers they wait for.
#[tokio::test]
async fn who_has_a_hundred_thousand_promises_is_promised_no_more() {
    let store = std::sync::Arc::new(zajil_store::memory::MemoryStore::new());
    let now = zajil_engine::system::SystemClock.now();
    let one = |number: u32| SmppAlert {
        account: build::name("shop"),
        subscriber: Named::default(),
        application: Named {
            value: number.to_string(),
            ..Named::default()
        },
        messages: vec![MessageId::new(1).unwrap()],
        until: Some(now.plus(Duration::from_secs(3_600))),
    };
    let thousand: Vec<SmppAlert> = (0..1_000).map(one).collect();
    let full = (0..100).map(|number| Change::Add {
        kind: Kind::SmppWatch,
        name: Some(format!("4670{number:07}")),
        body: encode_smpp_alerts(&thousand),
    });
    store.change_shelf(full.collect(), now).await.unwrap();
    let centre = centre_over(("test", store), vec![account("shop"), account("other")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    // It has not counted them when it starts.
    let asking = async {
        let mut number = 0;
        while submitted(&shop, watching(&format!("S{number}"))).await.1 != Some(0) {
            number = (number + 1) % 15;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
    assert!(figure(&centre, r#"zajil_smpp_alerts_total{outcome="refused"}"#) > 0);
    let other = Esme::bound(&centre, "other").await;
    assert_eq!(submitted(&other, watching("OTHER")).await.1, Some(1));
}

/// A subscriber is not watched for everybody, and an account that cannot be told is promised
/// nothing.
#[tokio::test]
async fn an_alert_that_cannot_be_promised_is_not() {
    let mut deaf = account("deaf");
    deaf.bind_types = vec![BindType::Transmitter];
    let centre = centre(vec![account("shop"), account("other"), deaf]).await;
    let shop = Esme::bound(&centre, "shop").await;
    for number in 0..16 {
        let (_, promised) = submitted(&shop, watching(&format!("S{number}"))).await;
        assert_eq!(promised, Some(1));
    }
    assert_eq!(submitted(&shop, watching("LAST")).await.1, Some(0));
    assert_eq!(submitted(&shop, watching("S3")).await.1, Some(1));
    // What one account asks for takes nothing from another.
    let other = Esme::bound(&centre, "other").await;
    assert_eq!(submitted(&other, watching("O")).await.1, Some(1));
    let deaf = Esme::connect(&centre).await;
    let status = deaf.bind(BindType::Transmitter, "deaf", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(submitted(&deaf, watching("D")).await.1, Some(0));
}
