//! Messages in and out: what is taken, what it becomes, and what the far end reads.

use std::num::NonZeroU32;
use std::time::Duration;

use smpp_codec::Status;
use smpp_codec::address::{Destination, Destinations};
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::{DataSm, Pdu, QuerySm, SubmitMulti};
use smpp_codec::text::Text;
use smpp_codec::tlv::{Tag, Tlv};
use zajil_core::id::MessageId;
use zajil_core::message::Message;
use zajil_core::port::{Desk as _, Intake as _};
use zajil_core::smpp::LongText;
use zajil_core::status::{FinalStatus, Status as Life};
use zajil_store::Store as _;
use zajil_testkit::build;

use crate::bench::{Centre, Esme, PATIENCE, account, centre, sm};

async fn stored(centre: &Centre, id: &str) -> Message {
    let id = MessageId::new(id.parse().unwrap()).unwrap();
    centre.store.message(id).await.unwrap().unwrap()
}

/// Waits for a message to be in this state.
async fn becomes(centre: &Centre, id: MessageId, wanted: Life) -> Message {
    let poll = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        loop {
            ticks.tick().await;
            let message = centre.store.message(id).await.unwrap().unwrap();
            if message.status() == wanted {
                return message;
            }
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.unwrap()
}

/// From one application to another, whatever the text is and however long: what the far end reads
/// is, octet for octet, what it would have been sent by hand.
#[tokio::test]
async fn d9_texts_arrive_octet_for_octet() {
    let centre = centre(vec![account("shop"), account("phone")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let mut phone = Esme::bound(&centre, "phone").await;
    for (esm_class, data_coding, octets) in [
        (0, 0, &b"hello \x1b\x65 \0"[..]),
        (0, 8, b"\x04\x10\x04\x11"),
        (0, 4, b"\0\x01\xfe\xff"),
        (0x40, 0, b"\x05\0\x03\x07\x02\x01part one"),
        (0x40, 8, b"\x06\x08\x04\x12\x34\x02\x02\x04\x10"),
        (0x40, 4, b"\x06\x05\x04\x0b\x84\x23\xf0\x01\x06"),
        (0, 0x10, b"flash"),
    ] {
        let mut submit = sm("+46701133111", "+46709771337", octets);
        submit.esm_class = EsmClass(esm_class);
        submit.data_coding = data_coding;
        let (status, id) = shop.submit(submit).await;
        assert_eq!(status, Status::ROK, "{octets:?}");
        let id = MessageId::new(id.parse().unwrap()).unwrap();
        let to = zajil_core::lifecycle::Edit {
            dest_smsc: Some(Some(build::name("phone"))),
            ..zajil_core::lifecycle::Edit::default()
        };
        centre.engine.edit(id, to).await.unwrap();
        let delivered = phone.next().await;
        assert_eq!(delivered.short_message.octets(), octets);
        assert_eq!(delivered.esm_class.0, esm_class);
        assert_eq!(delivered.data_coding, data_coding);
        assert_eq!(delivered.source_addr.value.to_str(), "46701133111");
        assert_eq!(
            (delivered.source_addr.ton, delivered.source_addr.npi),
            (1, 1)
        );
        becomes(&centre, id, Life::Final(FinalStatus::Delivered)).await;
    }
}

/// D9: a long text is kept whole and cut in the manner of who gets it.
#[tokio::test]
async fn d9_long_texts_are_cut_as_the_account_wants_them() {
    let text = "0123456789".repeat(40);
    for long in LongText::ALL {
        let mut phone = account("phone");
        phone.long_text = long;
        let centre = centre(vec![account("shop"), phone]).await;
        let mut phone = Esme::bound(&centre, "phone").await;
        let shop = Esme::bound(&centre, "shop").await;
        let mut submit = sm("SHOP", "+46709771337", b"");
        submit
            .tlvs
            .push(Tlv::new(Tag::MESSAGE_PAYLOAD, text.clone()).unwrap());
        let (status, id) = shop.submit(submit).await;
        assert_eq!(status, Status::ROK);
        let message = stored(&centre, &id).await;
        assert_eq!(
            (message.content.body.as_str(), message.content.parts.get()),
            (&*text, 3)
        );
        let to = zajil_core::lifecycle::Edit {
            dest_smsc: Some(Some(build::name("phone"))),
            ..zajil_core::lifecycle::Edit::default()
        };
        centre.engine.edit(message.id, to).await.unwrap();
        let mut read = Vec::new();
        let parts = if long == LongText::Payload { 1 } else { 3 };
        for part in 1..=parts {
            let delivered = phone.next().await;
            let octets = delivered.short_message.octets();
            match long {
                LongText::Udh => {
                    assert_eq!(delivered.esm_class.0, EsmClass::UDHI);
                    assert_eq!((octets[0], octets[5], octets[6]), (6, 3, part));
                    read.extend_from_slice(&octets[7..]);
                }
                LongText::Sar => {
                    assert_eq!(delivered.tlvs.u8(Tag::SAR_TOTAL_SEGMENTS), Some(3));
                    assert_eq!(delivered.tlvs.u8(Tag::SAR_SEGMENT_SEQNUM), Some(part));
                    read.extend_from_slice(octets);
                }
                LongText::Payload => {
                    read.extend_from_slice(delivered.tlvs.get(Tag::MESSAGE_PAYLOAD).unwrap());
                }
            }
        }
        assert_eq!(String::from_utf8(read).unwrap(), text, "{long:?}");
        becomes(&centre, message.id, Life::Final(FinalStatus::Delivered)).await;
    }
}

/// Refused for what it says: the status names the field, and nothing is stored.
#[tokio::test]
async fn a_submit_that_cannot_be_done_is_refused_by_its_field() {
    let mut shop = account("shop");
    shop.senders = vec!["SHOP".to_owned()];
    let centre = centre(vec![shop]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let good = || sm("SHOP", "+46709771337", b"hi");
    let with = |change: fn(&mut smpp_codec::pdu::Sm)| {
        let mut sm = good();
        change(&mut sm);
        sm
    };
    let text = |text: &'static str| Text::new(text).unwrap();
    let mut late = good();
    late.schedule_delivery_time = text("soon");
    let mut never = good();
    never.validity_period = text("260101000000000+");
    for (submit, expected) in [
        (good(), Status::ROK),
        (sm("OTHER", "+46709771337", b"hi"), Status::RINVSRCADR),
        (sm("SHOP", "", b"hi"), Status::RINVDSTADR),
        (sm("SHOP", "12", b"hi"), Status::RSUBMITFAIL),
        (with(|sm| sm.data_coding = 0x0F), Status::RINVDCS),
        (with(|sm| sm.priority_flag = 5), Status::RINVPRTFLG),
        (with(|sm| sm.esm_class = EsmClass(2)), Status::RINVESMCLASS),
        (
            with(|sm| sm.replace_if_present_flag = 2),
            Status::RINVREPFLAG,
        ),
        (with(|sm| sm.sm_default_msg_id = 1), Status::RINVDFTMSGID),
        (
            with(|sm| sm.registered_delivery.0 = 0x20),
            Status::RINVREGDLVFLG,
        ),
        (late, Status::RINVSCHED),
        (never, Status::RINVEXPIRY),
    ] {
        let told = format!("{submit:?}");
        assert_eq!(shop.submit(submit).await.0, expected, "{told}");
    }
    let all = zajil_store::contract::Filter {
        limit: 10,
        ..Default::default()
    };
    assert_eq!(centre.store.messages(all).await.unwrap().len(), 1);
    let metrics = centre.telemetry.metrics.render();
    assert!(metrics.contains("door=\"smpp\""), "{metrics}");
}

#[tokio::test]
async fn schedule_and_validity_bound_the_life_of_a_message() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let mut submit = sm("SHOP", "+46709771337", b"hi");
    submit.schedule_delivery_time = Text::new("000000010000000R").unwrap();
    submit.validity_period = Text::new("000001000000000R").unwrap();
    let (_, id) = shop.submit(submit).await;
    let message = stored(&centre, &id).await;
    let after = |at: zajil_core::clock::Timestamp| at.since(message.inserted_at).as_secs();
    let hour = after(message.deliver_after.unwrap());
    assert!((3_598..=3_600).contains(&hour), "{hour}");
    let day = after(message.expires);
    assert!((86_398..=86_400).contains(&day), "{day}");
}

#[tokio::test]
async fn data_sm_and_submit_multi_submit_too() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let model = sm("SHOP", "+46709771337", b"hi");
    let data = Pdu::DataSm(DataSm {
        source_addr: model.source_addr.clone(),
        destination_addr: model.destination_addr.clone(),
        tlvs: Tlv::new(Tag::MESSAGE_PAYLOAD, &b"hi"[..])
            .into_iter()
            .collect(),
        ..DataSm::default()
    });
    let response = shop.handle.request(data).await.unwrap();
    let Pdu::DataSmResp(data) = response.pdu else {
        panic!("{response:?}")
    };
    let message = stored(&centre, &data.message_id.to_str()).await;
    assert_eq!(message.content.body, "hi");
    let all = Destinations::new(vec![
        Destination::Sme(model.destination_addr.clone()),
        Destination::List(Text::new("friends").unwrap()),
        Destination::Sme(zajil_smpp::number::write("+46709771338")),
    ]);
    let multi = Pdu::SubmitMulti(SubmitMulti {
        source_addr: model.source_addr,
        dest_address: all.unwrap(),
        short_message: model.short_message,
        ..SubmitMulti::default()
    });
    let response = shop.handle.request(multi).await.unwrap();
    let Pdu::SubmitMultiResp(multi) = response.pdu else {
        panic!("{response:?}")
    };
    assert_eq!(multi.unsuccess_sme.all().len(), 1);
    assert_eq!(multi.unsuccess_sme.all()[0].status, Status::RINVDLNAME);
    let query = Pdu::QuerySm(QuerySm {
        message_id: multi.message_id,
        ..QuerySm::default()
    });
    let response = shop.handle.request(query).await.unwrap();
    assert_eq!(response.status, Status::ROK);
    let all = zajil_store::contract::Filter {
        limit: 10,
        ..Default::default()
    };
    assert_eq!(centre.store.messages(all).await.unwrap().len(), 3);
}

/// D18: above its rate an account is told to come again, and only then.
#[tokio::test]
async fn d18_an_account_above_its_rate_is_throttled() {
    let mut shop = account("shop");
    shop.rate = NonZeroU32::new(5);
    let centre = centre(vec![shop]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(shop.submit(sm("SHOP", "+46709771337", b"hi")).await.0);
    }
    assert_eq!(answers[..5], [Status::ROK; 5]);
    let taken = answers.iter().filter(|status| status.is_ok()).count();
    let throttled = answers
        .iter()
        .filter(|status| **status == Status::RTHROTTLED)
        .count();
    assert!(throttled > 0 && taken + throttled == 20, "{answers:?}");
}

/// What the application says of a delivery decides what becomes of the message.
#[tokio::test]
async fn the_answer_of_the_application_decides() {
    let centre = centre(vec![account("phone")]).await;
    for (answer, wanted, attempts) in [
        (Status::ROK, Life::Final(FinalStatus::Delivered), 0),
        (Status::RX_R_APPN, Life::Final(FinalStatus::Failed), 0),
        (Status::RX_T_APPN, Life::Pending, 1),
    ] {
        let mut phone = Esme::answering(&centre, vec![answer]).await;
        let kind = zajil_core::smpp::BindType::Receiver;
        assert_eq!(phone.bind(kind, "phone", "secret08").await, Status::ROK);
        let mut message = build::submission("+46701133111", "+46709771337", "hi");
        message.source_smsc = Some(build::name("test"));
        let accepted = centre.engine.submit(message).await.unwrap();
        let id = accepted.message.id;
        let to = zajil_core::lifecycle::Edit {
            dest_smsc: Some(Some(build::name("phone"))),
            ..zajil_core::lifecycle::Edit::default()
        };
        centre.engine.edit(id, to).await.unwrap();
        phone.next().await;
        let poll = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                let message = centre.store.message(id).await.unwrap().unwrap();
                if message.status() == wanted && message.attempts.get() == attempts {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, poll).await.unwrap();
        phone.handle.leave();
        phone.ended.await.unwrap();
    }
}

/// D6: a client that lost an answer sends the submit again, in another session or the same.
#[tokio::test]
async fn d6_a_submit_that_is_sent_again_is_one_message_where_its_account_says_so() {
    let mut shop = account("shop");
    shop.idempotent = true;
    let centre = centre(vec![shop, account("plain")]).await;
    let with = |reference: u16, text: &[u8]| {
        let mut sm = sm("SHOP", "+46709771337", text);
        sm.tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, reference);
        sm
    };
    let first = Esme::bound(&centre, "shop").await;
    let (_, id) = first.submit(with(7, b"hello")).await;
    let second = Esme::bound(&centre, "shop").await;
    for esme in [&first, &second] {
        assert_eq!(
            esme.submit(with(7, b"hello")).await,
            (Status::ROK, id.clone())
        );
    }
    // At the same time, so that they are stored together.
    let both = (
        first.submit(with(8, b"hello")),
        second.submit(with(8, b"hello")),
    );
    let (one, other) = futures_util::future::join(both.0, both.1).await;
    assert_eq!(one, other);
    assert_ne!(one.1, id, "another reference is another message");
    let (_, third) = first.submit(with(7, b"hello again")).await;
    assert_ne!(third, id, "so is another text");
    let without = || sm("SHOP", "+46709771337", b"hello");
    let (_, bare) = first.submit(without()).await;
    assert_ne!(first.submit(without()).await.1, bare, "without a reference");
    let plain = Esme::bound(&centre, "plain").await;
    let (_, of_plain) = plain.submit(with(7, b"hello")).await;
    assert_ne!(of_plain, id, "of another account");
    assert_ne!(plain.submit(with(7, b"hello")).await.1, of_plain);
    let all = zajil_store::contract::Filter {
        limit: 100,
        ..Default::default()
    };
    let stored = zajil_store::Store::messages(&*centre.store, all).await;
    assert_eq!(stored.unwrap().len(), 7);
}
