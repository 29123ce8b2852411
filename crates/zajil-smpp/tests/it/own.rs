//! What an application asks about, takes back and changes of its own messages, and of no others.

use smpp_codec::Status;
use smpp_codec::flags::RegisteredDelivery;
use smpp_codec::pdu::{CancelSm, Pdu, QuerySm, QuerySmResp, ReplaceSm, Sm};
use smpp_codec::state::MessageState;
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::time::Time;
use smpp_codec::tlv::Tag;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::port::{Ask, Desk as _, Waiting};
use zajil_core::receipt::NetworkError;
use zajil_core::smpp::{Account, BindType, IdForm};
use zajil_core::status::FinalStatus;
use zajil_store::Store as _;
use zajil_testkit::build;

use crate::bench::{Centre, Esme, account, centre, sm};

/// An account whose messages are found by their addresses.
fn searching(system_id: &str) -> Account {
    Account {
        by_address: true,
        ..account(system_id)
    }
}

const TO: &str = "+46709771337";

fn text(text: &str) -> Text {
    Text::new(text.to_owned()).unwrap()
}

async fn taken(shop: &Esme, submit: Sm) -> String {
    let (status, id) = shop.submit(submit).await;
    assert_eq!(status, Status::ROK);
    id
}

async fn stored(centre: &Centre, id: &str) -> Message {
    let id = MessageId::new(id.parse().unwrap()).unwrap();
    centre.store.message(id).await.unwrap().unwrap()
}

async fn query(esme: &Esme, id: &str, source: &str) -> (Status, QuerySmResp) {
    let query = Pdu::QuerySm(QuerySm {
        message_id: text(id),
        source_addr: zajil_smpp::number::write(source),
        ..QuerySm::default()
    });
    let response = esme.handle.request(query).await.unwrap();
    match response.pdu {
        Pdu::QuerySmResp(pdu) => (response.status, pdu),
        other => panic!("{other:?}"),
    }
}

async fn cancel(esme: &Esme, id: &str, [source, to, service]: [&str; 3]) -> Status {
    let cancel = Pdu::CancelSm(CancelSm {
        service_type: text(service),
        message_id: text(id),
        source_addr: zajil_smpp::number::write(source),
        destination_addr: zajil_smpp::number::write(to),
        ..CancelSm::default()
    });
    esme.handle.request(cancel).await.unwrap().status
}

async fn replace(esme: &Esme, pdu: ReplaceSm) -> Status {
    let response = esme.handle.request(Pdu::ReplaceSm(pdu)).await.unwrap();
    response.status
}

/// Everything that waits is held by somebody.
async fn hold(centre: &Centre, frontend: &str) {
    let ask = Ask {
        asker: Asker {
            name: build::name(frontend),
            include_unrouted: true,
        },
        limit: 100,
        lease: Some(std::time::Duration::from_secs(600)),
        wait: None,
    };
    assert!(!centre.engine.offer(ask).await.unwrap().is_empty());
}

#[tokio::test]
async fn d19_a_query_tells_the_state_of_an_own_message() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let other = Esme::bound(&centre, "other").await;
    let id = taken(&shop, sm("SHOP", TO, b"hi")).await;
    let (status, answer) = query(&shop, &id, "SHOP").await;
    assert_eq!(status, Status::ROK);
    assert_eq!(answer.message_state, MessageState::Enroute.octet());
    assert_eq!(
        (answer.final_date.to_str(), answer.message_id.to_str()),
        ("".into(), id.as_str().into())
    );
    for (esme, id, source, expected) in [
        (&other, id.as_str(), "SHOP", Status::RQUERYFAIL),
        (&shop, id.as_str(), "OTHER", Status::RQUERYFAIL),
        (&shop, "4711", "SHOP", Status::RQUERYFAIL),
        (&shop, "no id", "SHOP", Status::RINVMSGID),
    ] {
        assert_eq!(query(esme, id, source).await.0, expected, "{id} {source}");
    }
    let number = MessageId::new(id.parse().unwrap()).unwrap();
    let ended = Report::Ended {
        how: FinalStatus::Expired,
        reason: None,
    };
    centre.engine.report(number, ended).await.unwrap();
    let (_, answer) = query(&shop, &id, "SHOP").await;
    assert_eq!(answer.message_state, MessageState::Expired.octet());
    assert_eq!(answer.error_code, 2);
    let ended_at = stored(&centre, &id).await.ending().unwrap().at.millis();
    let said = Time::parse(&answer.final_date).unwrap().unwrap();
    assert_eq!(said.resolve(0), ended_at / 100 * 100);
    // 5.0 knows of a state before the first attempt.
    let mut later = sm("SHOP", TO, b"later");
    later.schedule_delivery_time = text("000001000000000R");
    let later = taken(&shop, later).await;
    assert_eq!(query(&shop, &later, "SHOP").await.1.message_state, 1);
    let newer = Esme::connect(&centre).await;
    let kind = BindType::Transmitter;
    newer.bind_as(kind, ("shop", "secret08"), 0x50).await;
    assert_eq!(query(&newer, &later, "SHOP").await.1.message_state, 0);
}

/// D19: an account whose clients expect ids in hexadecimal gets them, and names messages by them.
#[tokio::test]
async fn d19_ids_are_given_and_named_in_the_form_of_the_account() {
    let hexadecimal = Account {
        response_ids: IdForm::HexUpper,
        ..account("shop")
    };
    let centre = centre(vec![hexadecimal]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let mut submit = sm("SHOP", TO, b"hi");
    submit.registered_delivery = RegisteredDelivery(1);
    let id = taken(&shop, submit).await;
    let number = MessageId::new(u64::from_str_radix(&id, 16).unwrap()).unwrap();
    assert_eq!(
        centre.store.message(number).await.unwrap().unwrap().id,
        number
    );
    let small = id.to_ascii_lowercase();
    assert_eq!(query(&shop, &small, "SHOP").await.0, Status::ROK);
    let code = NetworkError {
        network: NetworkError::GSM,
        code: 27,
    };
    let ended = Report::Ended {
        how: FinalStatus::Failed,
        reason: None,
    };
    let report = ended.because(Some(code));
    centre.engine.report(number, report).await.unwrap();
    let receipt = shop.next().await;
    let text = String::from_utf8_lossy(receipt.short_message.octets()).into_owned();
    assert!(text.starts_with(&format!("id:{number} ")), "{text}");
    assert!(text.contains(" err:027 "), "{text}");
    let named = receipt.tlvs.text(Tag::RECEIPTED_MESSAGE_ID).unwrap();
    assert_eq!(named.to_str(), id);
    let code = receipt.tlvs.get(Tag::NETWORK_ERROR_CODE).unwrap();
    assert_eq!(code[..], [3, 0, 27]);
    assert_eq!(query(&shop, &id, "SHOP").await.1.error_code, 27);
}

#[tokio::test]
async fn d19_a_message_that_waits_is_taken_back_and_its_receipt_says_so() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let mut shop = Esme::bound(&centre, "shop").await;
    let other = Esme::bound(&centre, "other").await;
    let mut submit = sm("SHOP", TO, b"hi");
    submit.registered_delivery = RegisteredDelivery(1);
    let id = taken(&shop, submit).await;
    let names = ["SHOP", TO, ""];
    assert_eq!(cancel(&other, &id, names).await, Status::RCANCELFAIL);
    let wrong = ["SHOP", "+46709771338", ""];
    assert_eq!(cancel(&shop, &id, wrong).await, Status::RCANCELFAIL);
    assert_eq!(cancel(&shop, &id, names).await, Status::ROK);
    assert_eq!(cancel(&shop, &id, names).await, Status::RCANCELFAIL);
    let receipt = shop.next().await;
    let read = smpp_codec::receipt::parse(receipt.short_message.octets()).unwrap();
    assert_eq!(
        (read.id.as_deref(), read.state),
        (Some(&*id), Some(MessageState::Deleted))
    );
    assert_eq!(
        query(&shop, &id, "SHOP").await.1.message_state,
        MessageState::Deleted.octet()
    );
    // What a frontend holds is on its way.
    let held = taken(&shop, sm("SHOP", TO, b"held")).await;
    hold(&centre, "gw").await;
    assert_eq!(cancel(&shop, &held, names).await, Status::RCANCELFAIL);
    assert!(stored(&centre, &held).await.ending().is_none());
}

#[tokio::test]
async fn d19_all_from_one_address_to_another_are_taken_back() {
    let centre = centre(vec![searching("shop"), searching("other")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let other = Esme::bound(&centre, "other").await;
    let service = |name: &str, from: &str, to: &str| {
        let mut submit = sm(from, to, b"hi");
        submit.service_type = text(name);
        submit
    };
    let ids = [
        taken(&shop, service("", "SHOP", TO)).await,
        taken(&shop, service("WAP", "SHOP", TO)).await,
        taken(&shop, service("WAP", "SHOP", "+46709771338")).await,
        taken(&shop, service("WAP", "ELSE", TO)).await,
        taken(&other, service("WAP", "SHOP", TO)).await,
    ];
    let ended = async || {
        let mut all = Vec::new();
        for id in &ids {
            all.push(stored(&centre, id).await.ending().is_some());
        }
        all
    };
    assert_eq!(
        cancel(&shop, "", ["SHOP", TO, "OTA"]).await,
        Status::RCANCELFAIL
    );
    assert_eq!(cancel(&shop, "", ["SHOP", TO, "WAP"]).await, Status::ROK);
    assert_eq!(ended().await, [false, true, false, false, false]);
    assert_eq!(cancel(&shop, "", ["SHOP", TO, ""]).await, Status::ROK);
    assert_eq!(ended().await, [true, true, false, false, false]);
}

/// Whatever else waits, a search reads what fits; an account searches no faster than it submits.
#[tokio::test]
async fn d19_a_search_by_address_reads_what_fits_and_keeps_to_the_rate() {
    let slow = Account {
        rate: std::num::NonZeroU32::new(4),
        ..searching("slow")
    };
    let centre = centre(vec![account("shop"), slow]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let names = ["SHOP", TO, ""];
    // What the account has not said that it will look for is not found; it is by its id.
    let id = taken(&shop, sm("SHOP", TO, b"hi")).await;
    assert_eq!(cancel(&shop, "", names).await, Status::RCANCELFAIL);
    assert_eq!(cancel(&shop, &id, names).await, Status::ROK);
    let slow = Esme::bound(&centre, "slow").await;
    let first = taken(&slow, sm("+467/0113 3111", TO, b"hi")).await;
    let waiting = |source: &str| Waiting {
        account: build::name("slow"),
        source: source.to_owned(),
        destination: "46709-771337".to_owned(),
        before: None,
        limit: 10,
    };
    let found = centre.engine.waiting(waiting("46701133111")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id.to_string(), first);
    let elsewhere = centre.engine.waiting(waiting("46701133112")).await;
    assert_eq!(elsewhere.unwrap(), []);
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(cancel(&slow, "", ["+46701133111", TO, ""]).await);
    }
    assert_eq!(answers[0], Status::ROK);
    assert!(answers.contains(&Status::RCANCELFAIL), "{answers:?}");
    assert!(answers.contains(&Status::RTHROTTLED), "{answers:?}");
}

#[tokio::test]
async fn d19_a_waiting_text_is_replaced_with_its_times_and_receipts() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let other = Esme::bound(&centre, "other").await;
    let mut submit = sm("SHOP", TO, b"\x04\x10");
    submit.data_coding = 8;
    let id = taken(&shop, submit).await;
    let pdu = |octets: &[u8]| ReplaceSm {
        message_id: text(&id),
        source_addr: zajil_smpp::number::write("SHOP"),
        short_message: ShortMessage::new(octets.to_vec()).unwrap(),
        ..ReplaceSm::default()
    };
    assert_eq!(
        replace(&other, pdu(b"\x04\x11")).await,
        Status::RREPLACEFAIL
    );
    let with = |change: fn(&mut ReplaceSm)| {
        let mut replace = pdu(b"\x04\x11");
        change(&mut replace);
        replace
    };
    for (bad, expected) in [
        (with(|pdu| pdu.sm_default_msg_id = 1), Status::RINVDFTMSGID),
        (
            with(|pdu| pdu.registered_delivery.0 = 0x80),
            Status::RINVREGDLVFLG,
        ),
        (
            with(|pdu| pdu.schedule_delivery_time = text("soon")),
            Status::RINVSCHED,
        ),
        (
            with(|pdu| pdu.validity_period = text("240101000000000+")),
            Status::RINVEXPIRY,
        ),
        (
            with(|pdu| pdu.schedule_delivery_time = text("010000000000000R")),
            Status::RINVSCHED,
        ),
    ] {
        assert_eq!(replace(&shop, bad).await, expected);
    }
    assert_eq!(stored(&centre, &id).await.content.body, "А");
    let good = with(|pdu| {
        pdu.schedule_delivery_time = text("000000010000000R");
        pdu.validity_period = text("000001000000000R");
        pdu.registered_delivery.0 = 1;
    });
    assert_eq!(replace(&shop, good).await, Status::ROK);
    let message = stored(&centre, &id).await;
    // In the alphabet of the text that it replaces.
    assert_eq!(message.content.body, "Б");
    let after = message.deliver_after.unwrap().since(message.inserted_at);
    assert!((3_590..=3_700).contains(&after.as_secs()), "{after:?}");
    let life = message.expires.since(message.inserted_at);
    assert!((86_390..=86_500).contains(&life.as_secs()), "{life:?}");
    let origin = message.arranged.origin.unwrap();
    assert_eq!(origin.receipt, zajil_core::receipt::On::Always);
    let number = MessageId::new(id.parse().unwrap()).unwrap();
    let done = Report::Delivered { by: None, at: None };
    centre.engine.report(number, done).await.unwrap();
    assert_eq!(replace(&shop, pdu(b"\x04\x12")).await, Status::RREPLACEFAIL);
}

#[tokio::test]
async fn replace_if_present_takes_the_place_of_what_waits_or_is_new() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let replacing = |from: &str, body: &[u8]| {
        let mut submit = sm(from, TO, body);
        submit.replace_if_present_flag = 1;
        submit
    };
    let first = taken(&shop, replacing("SHOP", b"one")).await;
    let again = taken(&shop, replacing("SHOP", b"two")).await;
    assert_eq!(again, first);
    assert_eq!(stored(&centre, &first).await.content.body, "two");
    let elsewhere = taken(&shop, replacing("ELSE", b"three")).await;
    assert_ne!(elsewhere, first);
    hold(&centre, "gw").await;
    let behind = taken(&shop, replacing("SHOP", b"four")).await;
    assert_ne!(behind, first);
    assert_eq!(stored(&centre, &first).await.content.body, "two");
    let mut data = replacing("SHOP", b"\x01");
    data.data_coding = 4;
    assert_eq!(shop.submit(data).await.0, Status::RINVREPFLAG);
}

/// 3.4 does not know broadcasts; 5.0 does, and there are no cells here.
#[tokio::test]
async fn broadcasts_are_refused_in_the_words_of_the_version() {
    let centre = centre(vec![account("shop")]).await;
    for (version, expected) in [(0x34, Status::RINVCMDID), (0x50, Status::RPROHIBITED)] {
        let esme = Esme::connect(&centre).await;
        let bound = esme.bind_as(BindType::Transceiver, ("shop", "secret08"), version);
        assert_eq!(bound.await.0, Status::ROK);
        for pdu in [
            Pdu::BroadcastSm(smpp_codec::pdu::BroadcastSm::default()),
            Pdu::QueryBroadcastSm(QuerySm::default()),
            Pdu::CancelBroadcastSm(smpp_codec::pdu::CancelBroadcastSm::default()),
        ] {
            let told = format!("{pdu:?}");
            let response = esme.handle.request(pdu).await.unwrap();
            assert_eq!(response.status, expected, "{version:#x} {told}");
        }
    }
}
