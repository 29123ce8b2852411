//! The far end: applications that are delivered to, and say what they were given.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use smpp_codec::pdu::{Sm, SmResp};
use smpp_codec::tlv::Tag;
use smpp_codec::{Header, Pdu, Status};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use zajil_smpp::link::{Answer, Handle, Handler, Reaction};

use super::{FarEnd, Form};
use crate::receipts::{bind_as, wait_for};
use crate::server::Server;

/// The fourth digit of numbers that take what they are given.
pub(super) const TAKES: char = '0';
/// And of those that refuse it for good.
pub(super) const REFUSES: char = '9';

/// One `deliver_sm`, as the far end reads it.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) coding: u8,
    /// How it came: [`Form::Udh`], [`Form::Sar`], [`Form::Payload`], or what `data_coding` says.
    pub(super) form: Form,
    /// Of how many it is the which-th, from 1.
    pub(super) place: Option<(u8, u8)>,
    /// Without its header.
    pub(super) octets: Vec<u8>,
}

/// Says all that it is delivered, and answers as the number wants it.
#[derive(Debug)]
struct Phone(mpsc::Sender<Sm>);

impl Handler for Phone {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let Pdu::DeliverSm(sm) = pdu else {
            return Reaction::Now(Answer::refusal(header, Status::RINVCMDID));
        };
        let refuses = sm.destination_addr.value.to_str().chars().nth(3) == Some(REFUSES);
        self.0.try_send(sm).unwrap();
        let answer = Answer::done(Pdu::DeliverSmResp(SmResp::default()));
        Reaction::Now(if refuses {
            Answer {
                status: Status::RX_P_APPN,
                ..answer
            }
        } else {
            answer
        })
    }
}

/// Three accounts, one for each form in which long texts go out, with a route to each.
pub(super) struct Phones {
    delivered: mpsc::Receiver<Sm>,
    _sessions: Vec<Handle>,
}

impl Phones {
    pub(super) async fn new(server: &Server) -> Self {
        let client = server.client();
        let (to, delivered) = mpsc::channel(1_000);
        let mut sessions = Vec::new();
        for (name, prefix, long) in [
            ("u", "461", "udh"),
            ("s", "462", "sar"),
            ("p", "463", "payload"),
        ] {
            let account = json!({ "system_id": name, "password": "secret08", "long_text": long });
            assert_eq!(client.call("POST", "/api/smpp/accounts", &account).0, 201);
            let route = json!({ "called_prefix": format!("+{prefix}"), "dest_smsc": name });
            let (status, answer): (u16, Value) = client.call("POST", "/api/routes", &route);
            assert_eq!(status, 201, "{answer}");
            let stream = TcpStream::connect(&*server.smpp).await.unwrap();
            let phone = Phone(to.clone());
            sessions.push(bind_as(name, stream, phone).await.unwrap());
        }
        Self {
            delivered,
            _sessions: sessions,
        }
    }
}

impl FarEnd for Phones {
    fn arrived(&mut self, parts: usize) -> BTreeMap<String, Vec<Arrived>> {
        let mut all: BTreeMap<String, Vec<Arrived>> = BTreeMap::new();
        for _ in 0..parts {
            let sm = wait_for(|| self.delivered.try_recv().ok());
            let to = sm.destination_addr.value.to_str().into_owned();
            all.entry(to).or_default().push(read(&sm));
        }
        assert!(self.delivered.try_recv().is_err(), "more than {parts}");
        for parts in all.values_mut() {
            parts.sort_by_key(|part| part.place);
        }
        all
    }
}

fn read(sm: &Sm) -> Arrived {
    let mut octets = sm.short_message.octets().to_vec();
    let (mut form, mut place) = (of_coding(sm.data_coding), None);
    if let Some(payload) = sm.tlvs.get(Tag::MESSAGE_PAYLOAD) {
        assert!(octets.is_empty(), "{sm:?}");
        octets = payload.to_vec();
        form = Form::Payload;
    }
    if let Some(total) = sm.tlvs.u8(Tag::SAR_TOTAL_SEGMENTS) {
        assert!(sm.tlvs.u16(Tag::SAR_MSG_REF_NUM).is_some(), "{sm:?}");
        place = Some((total, sm.tlvs.u8(Tag::SAR_SEGMENT_SEQNUM).unwrap()));
        form = Form::Sar;
    }
    let arrived = Arrived {
        coding: sm.data_coding,
        form,
        place,
        octets,
    };
    if sm.esm_class.has_header() {
        return arrived.without_header();
    }
    arrived
}

impl Arrived {
    /// The same when its octets begin with a header.
    pub(super) fn without_header(mut self) -> Self {
        let length = usize::from(self.octets[0]);
        let header: Vec<u8> = self.octets.drain(..=length).collect();
        self.place = Some(match header[..] {
            [5, 0, 3, _, total, sequence] | [6, 8, 4, _, _, total, sequence] => (total, sequence),
            _ => panic!("{header:02x?}"),
        });
        self.form = Form::Udh;
        self
    }
}

pub(super) const fn of_coding(coding: u8) -> Form {
    match coding {
        0x04 => Form::Binary,
        0x08 => Form::Ucs2,
        0x10 => Form::Flash,
        _ => Form::Short,
    }
}
