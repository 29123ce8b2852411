//! PDUs of every operation with every kind of field.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use smpp_codec::address::{Address, Destination, Destinations, Unsuccesses, Unsuccessful};
use smpp_codec::flags::{EsmClass, RegisteredDelivery};
use smpp_codec::pdu::{
    AlertNotification, Bare, Bind, BindResp, CancelSm, DataSm, Outbind, Pdu, QuerySm, QuerySmResp,
    ReplaceSm, Sm, SmResp, SubmitMulti, SubmitMultiResp,
};
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::tlv::{Tag, Tlv, Tlvs};
use smpp_codec::{Header, Status};

fn text(most: usize) -> impl Strategy<Value = Text> {
    let pattern = format!("[0-9A-Za-z+_-]{{0,{}}}", most - 1);
    proptest::string::string_regex(&pattern)
        .unwrap()
        .prop_map(|text| Text::new(text).unwrap())
}

fn address(most: usize) -> impl Strategy<Value = Address> {
    (0..7_u8, 0..19_u8, text(most)).prop_map(|(ton, npi, value)| Address { ton, npi, value })
}

fn time() -> impl Strategy<Value = Text> {
    prop_oneof![
        "",
        "26112[0-9]2[0-3]5959[0-9]0[0-9]\\+",
        "0000[0-2][0-9]010203000R"
    ]
    .prop_map(|text| Text::new(text).unwrap())
}

fn short_message() -> impl Strategy<Value = ShortMessage> {
    prop::collection::vec(any::<u8>(), 0..=254).prop_map(|text| ShortMessage::new(text).unwrap())
}

/// Parameters that fit a submit or deliver; with those of vendors.
fn tlvs() -> impl Strategy<Value = Tlvs> {
    let payload = prop::collection::vec(any::<u8>(), 1..400)
        .prop_map(|octets| Tlv::new(Tag::MESSAGE_PAYLOAD, octets));
    let small = (
        prop::sample::select(vec![
            Tag::SOURCE_PORT,
            Tag::DESTINATION_PORT,
            Tag::SAR_MSG_REF_NUM,
            Tag::USER_MESSAGE_REFERENCE,
        ]),
        any::<[u8; 2]>(),
    )
        .prop_map(|(tag, value)| Tlv::new(tag, value.to_vec()));
    let octet = (
        prop::sample::select(vec![
            Tag::SAR_TOTAL_SEGMENTS,
            Tag::SAR_SEGMENT_SEQNUM,
            Tag::MORE_MESSAGES_TO_SEND,
            Tag::MESSAGE_STATE,
            Tag::PAYLOAD_TYPE,
            Tag::LANGUAGE_INDICATOR,
        ]),
        0..9_u8,
    )
        .prop_map(|(tag, value)| Tlv::new(tag, vec![value]));
    let vendor = (
        0x1400..0x3FFF_u16,
        prop::collection::vec(any::<u8>(), 0..20),
    )
        .prop_map(|(tag, value)| Tlv::new(Tag(tag), value));
    let any = prop_oneof![1 => payload, 4 => small, 4 => octet, 1 => vendor];
    prop::collection::vec(any, 0..5).prop_map(|tlvs| {
        let mut kept = Tlvs::NONE;
        for tlv in tlvs.into_iter().flatten() {
            if kept.get(tlv.tag()).is_none() {
                kept.push(tlv);
            }
        }
        kept
    })
}

fn bind() -> impl Strategy<Value = Bind> {
    (
        text(16),
        text(9),
        text(13),
        any::<u8>(),
        0..7_u8,
        0..19_u8,
        text(41),
    )
        .prop_map(
            |(system_id, password, system_type, interface_version, addr_ton, addr_npi, range)| {
                Bind {
                    system_id,
                    password,
                    system_type,
                    interface_version,
                    addr_ton,
                    addr_npi,
                    address_range: range,
                    tlvs: Tlvs::NONE,
                }
            },
        )
}

fn sm() -> impl Strategy<Value = Sm> {
    let octets = (any::<[u8; 4]>(), 0..5_u8, 0..2_u8);
    let addresses = (address(21), address(21));
    let times = (time(), time());
    (text(6), addresses, octets, times, short_message(), tlvs()).prop_map(
        |(service_type, (source_addr, destination_addr), octets, times, short_message, tlvs)| {
            let ([esm_class, protocol_id, registered, data_coding], priority_flag, replace) =
                octets;
            Sm {
                service_type,
                source_addr,
                destination_addr,
                // Without a header, which random octets would not be.
                esm_class: EsmClass(esm_class & !EsmClass::UDHI),
                protocol_id,
                priority_flag,
                schedule_delivery_time: times.0,
                validity_period: times.1,
                registered_delivery: RegisteredDelivery(registered & 0x1F),
                replace_if_present_flag: replace,
                data_coding,
                sm_default_msg_id: 0,
                // 5.3.2.32: only one of the two may be there.
                short_message: match tlvs.get(Tag::MESSAGE_PAYLOAD) {
                    Some(_) => ShortMessage::default(),
                    None => short_message,
                },
                tlvs,
            }
        },
    )
}

fn multi() -> impl Strategy<Value = SubmitMulti> {
    let destination = prop_oneof![
        address(21).prop_map(Destination::Sme),
        text(21).prop_map(Destination::List)
    ];
    (sm(), prop::collection::vec(destination, 1..20)).prop_map(|(sm, all)| SubmitMulti {
        service_type: sm.service_type,
        source_addr: sm.source_addr,
        dest_address: Destinations::new(all).unwrap(),
        esm_class: sm.esm_class,
        protocol_id: sm.protocol_id,
        priority_flag: sm.priority_flag,
        schedule_delivery_time: sm.schedule_delivery_time,
        validity_period: sm.validity_period,
        registered_delivery: sm.registered_delivery,
        replace_if_present_flag: 0,
        data_coding: sm.data_coding,
        sm_default_msg_id: 0,
        short_message: sm.short_message,
        tlvs: sm.tlvs,
    })
}

fn multi_resp() -> impl Strategy<Value = SubmitMultiResp> {
    let one = (address(21), 0..0x68_u32).prop_map(|(address, status)| Unsuccessful {
        address,
        status: Status(status),
    });
    (text(65), prop::collection::vec(one, 0..5)).prop_map(|(message_id, all)| SubmitMultiResp {
        message_id,
        unsuccess_sme: Unsuccesses::new(all).unwrap(),
        tlvs: Tlvs::NONE,
    })
}

fn smaller() -> impl Strategy<Value = Pdu> {
    let tlvs = Tlvs::NONE;
    let none = tlvs.clone();
    let query = (text(65), address(21)).prop_map(move |(message_id, source_addr)| {
        Pdu::QuerySm(QuerySm {
            message_id,
            source_addr,
            tlvs: none.clone(),
        })
    });
    let none = tlvs.clone();
    let queried =
        (text(65), time(), 0..10_u8, any::<u8>()).prop_map(move |(id, date, state, error)| {
            Pdu::QuerySmResp(QuerySmResp {
                message_id: id,
                final_date: date,
                message_state: state,
                error_code: error,
                tlvs: none.clone(),
            })
        });
    let none = tlvs.clone();
    let cancel = (text(6), text(65), address(21), address(21)).prop_map(
        move |(service_type, message_id, source_addr, destination_addr)| {
            Pdu::CancelSm(CancelSm {
                service_type,
                message_id,
                source_addr,
                destination_addr,
                tlvs: none.clone(),
            })
        },
    );
    let alert = (address(65), address(65)).prop_map(move |(source_addr, esme_addr)| {
        Pdu::AlertNotification(AlertNotification {
            source_addr,
            esme_addr,
            tlvs: tlvs.clone(),
        })
    });
    let replace = (text(65), sm()).prop_map(|(message_id, sm)| {
        Pdu::ReplaceSm(ReplaceSm {
            message_id,
            source_addr: sm.source_addr,
            schedule_delivery_time: sm.schedule_delivery_time,
            validity_period: sm.validity_period,
            registered_delivery: sm.registered_delivery,
            sm_default_msg_id: 0,
            short_message: sm.short_message,
            tlvs: Tlvs::NONE,
        })
    });
    prop_oneof![query, queried, cancel, alert, replace]
}

/// A PDU and the status and sequence number of its header.
pub(crate) fn pdu() -> impl Strategy<Value = (Header, Pdu)> {
    let resp = text(65).prop_map(|message_id| SmResp {
        message_id,
        tlvs: Tlvs::NONE,
    });
    // As long as rusmpp allows; the standard has 65.
    let data = (sm(), address(21)).prop_map(|(sm, destination_addr)| {
        Pdu::DataSm(DataSm {
            service_type: sm.service_type,
            source_addr: sm.source_addr,
            destination_addr,
            esm_class: sm.esm_class,
            registered_delivery: sm.registered_delivery,
            data_coding: sm.data_coding,
            tlvs: sm.tlvs,
        })
    });
    let bound = text(16).prop_map(|system_id| {
        let mut tlvs = Tlvs::NONE;
        tlvs.push_u8(Tag::SC_INTERFACE_VERSION, 0x34);
        Pdu::BindTransceiverResp(BindResp { system_id, tlvs })
    });
    let outbind = (text(16), text(9)).prop_map(|(system_id, password)| {
        Pdu::Outbind(Outbind {
            system_id,
            password,
            tlvs: Tlvs::NONE,
        })
    });
    let bare = prop::sample::select(vec![
        Pdu::Unbind(Bare::default()),
        Pdu::UnbindResp(Bare::default()),
        Pdu::EnquireLink(Bare::default()),
        Pdu::EnquireLinkResp(Bare::default()),
        Pdu::CancelSmResp(Bare::default()),
        Pdu::ReplaceSmResp(Bare::default()),
        Pdu::GenericNack(Bare::default()),
    ]);
    let pdus = prop_oneof![
        2 => bind().prop_map(Pdu::BindTransmitter),
        1 => bind().prop_map(Pdu::BindReceiver),
        1 => bind().prop_map(Pdu::BindTransceiver),
        1 => bound,
        1 => outbind,
        4 => sm().prop_map(Pdu::SubmitSm),
        4 => sm().prop_map(Pdu::DeliverSm),
        2 => resp.prop_map(Pdu::SubmitSmResp),
        2 => multi().prop_map(Pdu::SubmitMulti),
        1 => multi_resp().prop_map(Pdu::SubmitMultiResp),
        2 => data,
        3 => smaller(),
        2 => bare,
    ];
    (pdus, any::<u32>()).prop_map(|(pdu, sequence)| {
        let header = Header {
            command_id: pdu.command_id(),
            status: Status::ROK,
            sequence,
        };
        (header, pdu)
    })
}

pub(crate) fn encode(header: Header, pdu: &Pdu) -> Bytes {
    let mut out = BytesMut::new();
    pdu.encode(header.status, header.sequence, &mut out);
    out.freeze()
}

/// The same PDUs in every run.
pub(crate) fn the_same(count: usize) -> Vec<(Header, Pdu)> {
    let mut runner = TestRunner::deterministic();
    let strategy = pdu();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}
