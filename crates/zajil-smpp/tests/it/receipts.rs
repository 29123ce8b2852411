//! Receipts to applications: exactly those that were asked for, until they are taken (D19).

use std::time::Duration;

use smpp_codec::Status;
use smpp_codec::address::{Destination, Destinations};
use smpp_codec::flags::{EsmClass, RegisteredDelivery};
use smpp_codec::pdu::{Pdu, Sm, SubmitMulti};
use smpp_codec::receipt;
use smpp_codec::state::MessageState;
use smpp_codec::tlv::{Tag, Tlv};
use zajil_core::id::MessageId;
use zajil_core::lifecycle::{Edit, Report};
use zajil_core::port::Desk as _;
use zajil_core::retry::schedule::{ErrorClass, Schedules};
use zajil_core::smpp::BindType;
use zajil_core::status::FinalStatus;
use zajil_store::{Receipts as _, Store as _};
use zajil_testkit::build;

use crate::bench::{Centre, Esme, PATIENCE, account, centre, sm};

fn id(text: &str) -> MessageId {
    MessageId::new(text.parse().unwrap()).unwrap()
}

fn asking(registered_delivery: u8, text: &[u8]) -> Sm {
    let mut submit = sm("SHOP", "+46709771337", text);
    submit.registered_delivery = RegisteredDelivery(registered_delivery);
    submit
}

fn delivered() -> Report {
    Report::Delivered { by: None, at: None }
}

fn failed() -> Report {
    Report::Ended {
        how: FinalStatus::Failed,
        reason: None,
    }
}

async fn taken(shop: &Esme, submit: Sm) -> MessageId {
    let (status, text) = shop.submit(submit).await;
    assert_eq!(status, Status::ROK);
    id(&text)
}

async fn report(centre: &Centre, id: MessageId, report: Report) {
    centre.engine.report(id, report).await.unwrap();
}

/// Waits until so many receipts are owed.
async fn owed(centre: &Centre, wanted: u64) {
    let poll = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while centre.store.receipts_owed().await.unwrap() != wanted {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.unwrap();
}

async fn log(centre: &Centre, id: MessageId) -> Vec<String> {
    let events = centre.store.events(id).await.unwrap();
    let of_receipts = events
        .into_iter()
        .filter(|event| event.name.as_str().starts_with("receipt"));
    of_receipts
        .map(|event| format!("{}: {}", event.name.as_str(), event.description))
        .collect()
}

/// What its application reads of a receipt: the message and the state, in text and parameters.
fn read(pdu: &Sm) -> (MessageId, MessageState) {
    let parsed = receipt::parse(pdu.short_message.octets()).unwrap();
    let (text, state) = (parsed.id.unwrap(), parsed.state.unwrap());
    let again = pdu.tlvs.text(Tag::RECEIPTED_MESSAGE_ID).unwrap();
    assert_eq!(again.to_str(), text);
    assert_eq!(pdu.tlvs.u8(Tag::MESSAGE_STATE), Some(state.octet()));
    (id(&text), state)
}

#[tokio::test]
async fn d19_exactly_the_receipts_that_were_asked_for_come() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let mut expected = Vec::new();
    for (asked, on_success, on_failure) in [
        (0, false, false),
        (1, true, true),
        (2, false, true),
        (3, true, false),
    ] {
        let good = taken(&shop, asking(asked, b"good")).await;
        report(&centre, good, delivered()).await;
        let bad = taken(&shop, asking(asked, b"bad")).await;
        report(&centre, bad, failed()).await;
        // A second report changes nothing (D11).
        let late = centre.engine.report(good, failed()).await;
        assert!(late.is_err(), "{late:?}");
        expected.extend(on_success.then_some((good, MessageState::Delivered)));
        expected.extend(on_failure.then_some((bad, MessageState::Undeliverable)));
    }
    let mut got = Vec::new();
    for _ in &expected {
        let pdu = shop.next().await;
        assert_eq!(pdu.esm_class.0, EsmClass::RECEIPT);
        assert_eq!(pdu.source_addr.value.to_str(), "46709771337");
        assert_eq!(pdu.destination_addr.value.to_str(), "SHOP");
        got.push(read(&pdu));
    }
    got.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(got, expected);
    owed(&centre, 0).await;
    assert!(shop.delivered.try_recv().is_err());
    for (id, state) in expected {
        let line = format!("receipt_sent: {} to 'shop'", state.word());
        assert_eq!(log(&centre, id).await, [line]);
    }
    let metrics = centre.telemetry.metrics.render();
    let taken = "zajil_receipts_total{outcome=\"taken\"} 4\n";
    assert!(metrics.contains(taken), "{metrics}");
    for line in [
        "zajil_smpp_sessions{bind_type=\"transceiver\"} 1\n",
        "zajil_smpp_submits_total{status=\"ESME_ROK\"} 8\n",
        "zajil_smpp_requests_under_way 0\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

/// Whoever can be delivered to gets them, though another session submitted and has gone.
#[tokio::test]
async fn d19_receipts_wait_for_any_session_that_receives() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let sender = Esme::connect(&centre).await;
    let status = sender.bind(BindType::Transmitter, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    let mut other = Esme::bound(&centre, "other").await;
    let first = taken(&sender, asking(1, b"one")).await;
    report(&centre, first, delivered()).await;
    sender.handle.leave();
    sender.ended.await.unwrap();
    owed(&centre, 1).await;
    let mut receiver = Esme::connect(&centre).await;
    let status = receiver.bind(BindType::Receiver, "shop", "secret08").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(read(&receiver.next().await).0, first);
    owed(&centre, 0).await;
    assert!(other.delivered.try_recv().is_err());
}

#[tokio::test]
async fn d19_the_answer_of_the_application_decides_over_its_receipt() {
    let centre = centre(vec![account("shop")]).await;
    // Used from the end: the first receipt is refused for good, the second put off.
    let answers = vec![Status::RX_T_APPN, Status::RX_R_APPN];
    let mut shop = Esme::answering(&centre, answers).await;
    let bound = shop.bind(BindType::Transceiver, "shop", "secret08").await;
    assert_eq!(bound, Status::ROK);
    let refused = taken(&shop, asking(1, b"one")).await;
    report(&centre, refused, delivered()).await;
    assert_eq!(read(&shop.next().await).0, refused);
    owed(&centre, 0).await;
    let line = "receipt_failed: DELIVRD refused by 'shop': ESME_RX_R_APPN";
    assert_eq!(log(&centre, refused).await, [line]);
    let put_off = taken(&shop, asking(1, b"two")).await;
    report(&centre, put_off, delivered()).await;
    for _ in 0..2 {
        assert_eq!(read(&shop.next().await).0, put_off);
    }
    owed(&centre, 0).await;
    assert_eq!(
        log(&centre, put_off).await,
        ["receipt_sent: DELIVRD to 'shop'"]
    );
}

#[tokio::test]
async fn d19_failed_attempts_are_told_where_that_is_asked_for() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let attempt = || Report::AttemptFailed {
        reason: None,
        retry_after: None,
        by: None,
        class: Some(ErrorClass::Temporary),
        schedules: std::sync::Arc::new(Schedules::default()),
    };
    let quiet = taken(&shop, asking(0x01, b"quiet")).await;
    report(&centre, quiet, attempt()).await;
    let told = taken(&shop, asking(0x11, b"told")).await;
    report(&centre, told, attempt()).await;
    let notice = shop.next().await;
    assert_eq!(notice.esm_class.0, EsmClass::INTERMEDIATE);
    assert_eq!(read(&notice), (told, MessageState::Enroute));
    report(&centre, told, delivered()).await;
    assert_eq!(read(&shop.next().await), (told, MessageState::Delivered));
}

/// None for a submit that was refused, nor for what came in elsewhere.
#[tokio::test]
async fn d19_what_was_not_taken_has_no_receipt() {
    let mut shop = account("shop");
    shop.senders = vec!["SHOP".to_owned()];
    let centre = centre(vec![shop]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let mut submit = asking(1, b"no");
    submit.source_addr = zajil_smpp::number::write("OTHER");
    assert_eq!(shop.submit(submit).await.0, Status::RINVSRCADR);
    let accepted = zajil_core::port::Intake::submit(
        &*centre.engine,
        build::submission("SHOP", "+46709771337", "from elsewhere"),
    );
    let elsewhere = accepted.await.unwrap().message.id;
    report(&centre, elsewhere, delivered()).await;
    assert_eq!(centre.store.receipts_owed().await.unwrap(), 0);
    assert!(shop.delivered.try_recv().is_err());
}

/// One id for all: the receipts are told apart by the destination that they come from.
#[tokio::test]
async fn d19_every_destination_of_a_submit_multi_has_its_receipt() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let model = asking(1, b"hi");
    let numbers = ["+46709771337", "+46709771338"];
    let sme = |number: &&str| Destination::Sme(zajil_smpp::number::write(number));
    let multi = Pdu::SubmitMulti(SubmitMulti {
        source_addr: model.source_addr,
        dest_address: Destinations::new(numbers.iter().map(sme).collect()).unwrap(),
        registered_delivery: model.registered_delivery,
        short_message: model.short_message,
        ..SubmitMulti::default()
    });
    let response = shop.handle.request(multi).await.unwrap();
    let Pdu::SubmitMultiResp(response) = response.pdu else {
        panic!("{response:?}")
    };
    let filter = zajil_store::contract::Filter {
        limit: 10,
        ..Default::default()
    };
    for message in centre.store.messages(filter).await.unwrap() {
        report(&centre, message.id, delivered()).await;
    }
    let mut from = Vec::new();
    for _ in numbers {
        let pdu = shop.next().await;
        assert_eq!(read(&pdu).0, id(&response.message_id.to_str()));
        from.push(format!("+{}", pdu.source_addr.value.to_str()));
    }
    from.sort_unstable();
    assert_eq!(from, numbers);
}

/// The acknowledgements of applications to each other are carried both ways.
#[tokio::test]
async fn d19_acknowledgements_between_applications_are_carried() {
    let centre = centre(vec![account("shop"), account("phone")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let mut phone = Esme::bound(&centre, "phone").await;
    let to = |name: &str| Edit {
        dest_smsc: Some(Some(build::name(name))),
        ..Edit::default()
    };
    let mut submit = asking(0x0C, b"read me");
    let reference = Tlv::new(Tag::USER_MESSAGE_REFERENCE, vec![1, 2]).unwrap();
    submit.tlvs.push(reference.clone());
    let question = taken(&shop, submit).await;
    centre.engine.edit(question, to("phone")).await.unwrap();
    let delivered = phone.next().await;
    assert_eq!(delivered.registered_delivery.0, 0x0C);
    assert_eq!(
        delivered.tlvs.u16(Tag::USER_MESSAGE_REFERENCE),
        Some(0x0102)
    );
    for kind in [EsmClass::DELIVERY_ACK, EsmClass::MANUAL_ACK] {
        let mut ack = sm("+46709771337", "+46701133111", b"read");
        ack.esm_class = EsmClass(kind);
        ack.tlvs.push(reference.clone());
        let ack = taken(&phone, ack).await;
        centre.engine.edit(ack, to("shop")).await.unwrap();
        let delivered = shop.next().await;
        assert_eq!(delivered.esm_class.0, kind);
        assert_eq!(
            delivered.tlvs.u16(Tag::USER_MESSAGE_REFERENCE),
            Some(0x0102)
        );
    }
    let mut forged = sm("+46709771337", "+46701133111", b"id:1 stat:DELIVRD");
    forged.esm_class = EsmClass(EsmClass::RECEIPT);
    assert_eq!(phone.submit(forged).await.0, Status::RINVESMCLASS);
}

/// Parts have their own receipts, as they have their own ids.
#[tokio::test]
async fn d19_every_part_has_the_receipt_that_it_asked_for() {
    let centre = centre(vec![account("shop")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let part = |asked, number: u8| {
        let mut submit = asking(asked, &[5, 0, 3, 7, 2, number, b'h', b'i']);
        submit.esm_class = EsmClass(EsmClass::UDHI);
        submit
    };
    let first = taken(&shop, part(0, 1)).await;
    let last = taken(&shop, part(1, 2)).await;
    report(&centre, first, delivered()).await;
    report(&centre, last, delivered()).await;
    assert_eq!(read(&shop.next().await), (last, MessageState::Delivered));
    owed(&centre, 0).await;
    assert!(shop.delivered.try_recv().is_err());
}
