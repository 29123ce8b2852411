//! Fixtures of every version ever written, and what happens to anything else.

use std::num::NonZeroU32;
use std::time::Duration;

use zajil_core::charge::{Call, FailureAction};
use zajil_core::clock::Timestamp;
use zajil_core::concatenation::{Concatenation, Reference};
use zajil_core::event::{Event, EventName, NodeName};
use zajil_core::frontend::{FrontendName, FrontendType, Presence, Registration};
use zajil_core::id::MessageId;
use zajil_core::location::Location;
use zajil_core::message::{
    Arranged, CharacterSet, Content, Fallback, Life, Message, TransferFields,
};
use zajil_core::number::{Msisdn, Sender};
use zajil_core::retry::Attempt;
use zajil_core::route::{Action, Charged, Followers, Priority, SourceType, Terms, Weight};
use zajil_core::status::FinalStatus;
use zajil_core::translate::RuleTerms;

use super::*;
use crate::contract::Refund;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/record_v1/", $name)).trim_end()
    };
}

fn frontend(text: &str) -> FrontendName {
    FrontendName::parse(text).unwrap()
}

pub(super) fn plain() -> Message {
    let at = Timestamp::from_millis(1_732_354_000_000);
    let content = Content {
        source: Sender::restore("7726"),
        destination: Msisdn::restore("+15551234567"),
        body: "hello".into(),
        source_smsc: None,
        source_imsi: None,
        dest_imsi: None,
        parts: NonZeroU32::MIN,
        part_number: None,
        tp: TransferFields::default(),
        send_time: None,
        raw_pdu: None,
        raw_data: false,
        raw_sip: false,
    };
    Message {
        id: MessageId::new(7).unwrap(),
        content,
        dest_smsc: None,
        inserted_at: at,
        updated_at: at,
        expires: at,
        deliver_after: None,
        attempts: Attempt::default(),
        charge_failed: false,
        arranged: Arranged::default(),
        origin_node: NodeName::new("node-a"),
        life: Life::Pending { leased_until: None },
    }
}

fn log() -> Vec<Event> {
    let line = |name, description: &str, millis, node| Event {
        name,
        description: description.into(),
        at: Timestamp::from_millis(millis),
        source: NodeName::new(node),
    };
    vec![
        line(EventName::Inserted, "", 1_732_354_000_000, "node-a"),
        line(
            EventName::Routed,
            "route 7, to \"smpp\\one\"",
            1_732_354_000_001,
            "node-a",
        ),
        line(
            EventName::DeliveryAttempt(Attempt::new(1)),
            "failed:\n\tбусы\u{1}",
            9,
            "node-b",
        ),
        line(EventName::Other("hlr_query".into()), "🙂", 0, "node-b"),
    ]
}

fn rare() -> Extra {
    Extra {
        source_imsi: Some("001010000000001".into()),
        dest_imsi: Some("001010000000002".into()),
        part_number: NonZeroU32::new(2),
        tp: TransferFields {
            data_coding_scheme: Some(0xf5),
            character_set: Some(CharacterSet::EightBit),
            coding_group: Some("data_coding_message_class".into()),
            compressed: Some(false),
            has_message_class: Some(true),
            message_class: Some(1),
            user_data_header: Some("{\"concat\":{\"ref\":7}}".into()),
            concatenation: None,
        },
        send_time: Some(Timestamp::from_millis(1_732_354_000_123)),
        raw_pdu: Some(vec![0x01, 0x00, 0xff, 0x9a]),
        raw_data: true,
        raw_sip: true,
        ..Extra::default()
    }
}

/// The second of three parts.
fn part() -> Extra {
    let concatenation = Some(Concatenation {
        reference: Reference::Bits16(40_846),
        total: 3,
        sequence: 2,
    });
    Extra {
        part_number: NonZeroU32::new(2),
        tp: TransferFields {
            concatenation,
            ..TransferFields::default()
        },
        ..Extra::default()
    }
}

/// What the pipeline adds to a message.
fn arranged() -> Extra {
    let at = |secs: i64| Timestamp::from_millis(1_732_354_000_000 + 1_000 * secs);
    Extra {
        arranged: Arranged {
            fallback: Some(Fallback {
                rest: vec![frontend("b"), frontend("c")],
                after: Duration::from_secs(60),
                at: at(60),
            }),
            debited: NonZeroU32::new(3),
            origin: None,
        },
        charging: Some((at(35), FailureAction::Deny)),
        ..Extra::default()
    }
}

fn refund() -> Refund {
    Refund {
        call: Call {
            message: MessageId::new(7).unwrap(),
            calling: "+15550001".into(),
            called: "+15550002".into(),
            source_smsc: Some("api".into()),
            parts: NonZeroU32::new(3).unwrap(),
            at: Timestamp::from_millis(1_732_354_000_000),
        },
        how: FinalStatus::Expired,
        begun: None,
    }
}

fn with(extra: Extra) -> Message {
    let mut message = plain();
    message.content = Content {
        source_imsi: extra.source_imsi,
        dest_imsi: extra.dest_imsi,
        part_number: extra.part_number,
        tp: extra.tp,
        send_time: extra.send_time,
        raw_pdu: extra.raw_pdu,
        raw_data: extra.raw_data,
        raw_sip: extra.raw_sip,
        ..message.content
    };
    message.arranged = extra.arranged;
    if let Some((until, on_failure)) = extra.charging {
        message.life = Life::Charging { until, on_failure };
    }
    message
}

fn route(action: Action) -> Terms {
    Terms {
        calling_prefix: Some("1555".into()),
        called_prefix: Some("44".into()),
        source_smsc: Some(frontend("api")),
        source_type: Some(SourceType::CircuitSwitched),
        enum_domain: Some("voip.example.com".into()),
        action,
        followers: Followers::default(),
        charged: Charged::AsConfigured,
        weight: Weight::new(70).unwrap(),
        priority: Priority::new(255).unwrap(),
        description: Some("Britain".into()),
        enabled: true,
    }
}

fn rule() -> RuleTerms {
    RuleTerms {
        calling_prefix: Some("1".into()),
        called_prefix: Some("101".into()),
        source_smsc: Some(frontend("carrier_a")),
        calling_match: Some(r"^(\d{10})$".into()),
        calling_replace: Some(r"+1\1".into()),
        called_match: Some(r"^101(\d+)$".into()),
        called_replace: Some(r"\1".into()),
        priority: Priority::new(1).unwrap(),
        description: Some("strip 101".into()),
        enabled: false,
    }
}

fn location() -> Location {
    Location {
        id: 9,
        imsi: "001010000000001".into(),
        msisdn: Some("+15551234567".into()),
        location: Some(frontend("ims")),
        ran_location: Some("cell 12".into()),
        imei: Some("490154203237518".into()),
        ims_capable: true,
        csfb: true,
        registered: true,
        expires: Some(Timestamp::from_millis(1_732_357_600_000)),
        user_agent: Some("UA/1".into()),
        inserted_at: Timestamp::from_millis(1_732_354_000_000),
        updated_at: Timestamp::from_millis(1_732_354_000_001),
    }
}

fn presence() -> Presence {
    Presence {
        id: 3,
        registration: Registration {
            name: frontend("smpp one"),
            kind: FrontendType::Smpp,
            ip_address: Some("192.0.2.7".into()),
            hostname: Some("gw1".into()),
            uptime_seconds: Some(u64::MAX),
            configuration: Some("{\"binds\":2}".into()),
        },
        expires_at: Timestamp::from_millis(1_732_354_090_000),
        last_seen_at: Timestamp::from_millis(1_732_354_000_000),
        inserted_at: Timestamp::from_millis(1_732_353_000_000),
        registrations: 17,
        swept: true,
    }
}

#[test]
fn version_1_is_read_and_written_as_it_always_was() {
    let text = fixture!("events.json");
    assert_eq!(decode_events(text).unwrap(), log());
    assert_eq!(encode_events(&log()), text);
    let text = fixture!("extra.json");
    assert_eq!(decode_extra(Some(text)).unwrap(), rare());
    assert_eq!(encode_extra(&with(rare())).as_deref(), Some(text));
    let text = fixture!("extra_arranged.json");
    assert_eq!(decode_extra(Some(text)).unwrap(), arranged());
    assert_eq!(encode_extra(&with(arranged())).as_deref(), Some(text));
    let text = fixture!("extra_concatenation.json");
    assert_eq!(decode_extra(Some(text)).unwrap(), part());
    assert_eq!(encode_extra(&with(part())).as_deref(), Some(text));
    let text = fixture!("refund.json");
    assert_eq!(decode_refund(text).unwrap(), refund());
    assert_eq!(encode_refund(&refund()), text);
    let text = fixture!("rule.json");
    assert_eq!(decode_rule(text).unwrap(), rule());
    assert_eq!(encode_rule(&rule()), text);
    let text = fixture!("location.json");
    assert_eq!(decode_location(text).unwrap(), location());
    assert_eq!(encode_location(&location()), text);
    let text = fixture!("presence.json");
    assert_eq!(decode_presence(text).unwrap(), presence());
    assert_eq!(encode_presence(&presence()), text);
}

#[test]
fn version_1_of_a_route_has_every_action() {
    let reply = |deliver| Action::AutoReply {
        text: "closed".into(),
        deliver,
    };
    let actions = [
        (
            fixture!("route_deliver.json"),
            Action::Deliver(frontend("gw")),
        ),
        (fixture!("route_reply.json"), reply(None)),
        (
            fixture!("route_reply_deliver.json"),
            reply(Some(frontend("gw"))),
        ),
        (fixture!("route_drop.json"), Action::Drop),
    ];
    for (text, action) in actions {
        assert_eq!(decode_route(text).unwrap(), route(action.clone()));
        assert_eq!(encode_route(&route(action)), text);
    }
}

#[test]
fn d12_a_route_with_followers_survives() {
    let mut terms = route(Action::Deliver(frontend("gw")));
    terms.followers = Followers {
        to: vec![frontend("b"), frontend("c")],
        after: Duration::from_secs(30),
    };
    let text = fixture!("route_fallback.json");
    assert_eq!(decode_route(text).unwrap(), terms);
    assert_eq!(encode_route(&terms), text);
}

#[test]
fn s2_a_plain_message_needs_no_rare_fields() {
    assert_eq!(encode_extra(&plain()), None);
    assert_eq!(decode_extra(None).unwrap(), Extra::default());
    assert_eq!(decode_extra(Some("")).unwrap(), Extra::default());
    assert_eq!(encode_events(&[]), "[1,[]]");
    assert_eq!(decode_events("[1,[]]").unwrap(), []);
}

#[test]
fn s2_each_rare_field_alone_survives() {
    let one = Extra::default;
    let tp = TransferFields::default;
    let fields = [
        Extra {
            source_imsi: rare().source_imsi,
            ..one()
        },
        Extra {
            dest_imsi: rare().dest_imsi,
            ..one()
        },
        Extra {
            part_number: rare().part_number,
            ..one()
        },
        Extra {
            tp: TransferFields {
                data_coding_scheme: Some(0),
                ..tp()
            },
            ..one()
        },
        Extra {
            tp: TransferFields {
                compressed: Some(false),
                ..tp()
            },
            ..one()
        },
        Extra {
            tp: part().tp,
            ..one()
        },
        Extra {
            send_time: Some(Timestamp::EPOCH),
            ..one()
        },
        Extra {
            raw_pdu: Some(Vec::new()),
            ..one()
        },
        Extra {
            raw_data: true,
            ..one()
        },
        Extra {
            raw_sip: true,
            ..one()
        },
    ];
    for extra in fields {
        let text = encode_extra(&with(extra.clone()));
        assert!(text.is_some(), "{extra:?}");
        assert_eq!(decode_extra(text.as_deref()).unwrap(), extra);
    }
}

#[test]
fn s8_every_character_of_a_log_line_survives() {
    let description: String = ('\0'..=char::MAX).collect();
    let events = [Event {
        description,
        ..log().remove(0)
    }];
    assert_eq!(decode_events(&encode_events(&events)).unwrap(), events);
}

/// D13: a node of a later version writes fields that this one does not know, and works beside it.
#[test]
fn d13_a_field_of_a_later_version_is_left_alone() {
    let later = |text: &str| text.replacen("\"v\":1", "\"v\":1,\"colour\":[1]", 1);
    let rare = fixture!("extra_concatenation.json");
    assert_ne!(later(rare), rare);
    let read = |text: &str| decode_extra(Some(text)).unwrap();
    assert_eq!(read(&later(rare)), read(rare));
    let route = fixture!("route_drop.json");
    assert_eq!(
        decode_route(&later(route)).unwrap(),
        decode_route(route).unwrap()
    );
    let unmatched = r#"{"v":1,"carrier":"up","id":"7","from":"+1","state":"DELIVRD"}"#;
    assert_eq!(
        decode_smpp_unmatched(&later(unmatched)).unwrap(),
        decode_smpp_unmatched(unmatched).unwrap()
    );
}

#[test]
fn anything_else_is_damaged() {
    let damaged = |error: Option<Error>, word: &str| match error {
        Some(Error::Damaged(why)) => assert!(why.contains(word), "{why}"),
        other => panic!("{other:?}"),
    };
    for text in [
        "",
        "x",
        "[]",
        "[1]",
        "[1,[[\"a\",1,\"n\"]]]",
        "[1,[[\"a\",-1,\"n\",\"\"]]]",
    ] {
        damaged(decode_events(text).err(), "event log");
    }
    damaged(decode_events("[2,{\"lines\":[]}]").err(), "version 2");
    damaged(decode_events("[2,[]]").err(), "version 2");
    for text in [
        "x",
        "{}",
        "{\"v\":1,\"raw_pdu\":\"0\"}",
        "{\"v\":1,\"raw_pdu\":\"+1\"}",
    ] {
        damaged(decode_extra(Some(text)).err(), "rare fields");
    }
    damaged(
        decode_extra(Some("{\"v\":1,\"tp_dcs_character_set\":\"klingon\"}")).err(),
        "set",
    );
    damaged(decode_extra(Some("{\"v\":2}")).err(), "version 2");
    let part = fixture!("extra_concatenation.json");
    for (sound, damaged) in [
        ("\"sequence\":2", "\"sequence\":4"),
        ("\"sequence\":2", "\"sequence\":0"),
        ("\"reference_bits\":16", "\"reference_bits\":8"),
        ("\"reference_bits\":16", "\"reference_bits\":12"),
    ] {
        assert!(decode_extra(Some(&part.replace(sound, damaged))).is_err());
    }
    let later = fixture!("route_drop.json").replace("\"v\":1", "\"v\":2,\"new\":[]");
    damaged(decode_route(&later).err(), "version 2");
    let both = fixture!("route_deliver.json").replace("\"charged\"", "\"drop\":true,\"charged\"");
    damaged(decode_route(&both).err(), "no single action");
    let heavy = fixture!("route_drop.json").replace("\"weight\":70", "\"weight\":0");
    damaged(decode_route(&heavy).err(), "1 to 100");
    damaged(decode_rule("[]").err(), "translation rule");
    damaged(decode_location("{\"v\":7}").err(), "version 7");
    let fax = fixture!("presence.json").replace("\"SMPP\"", "\"FAX\"");
    damaged(decode_presence(&fax).err(), "frontend_type");
}
