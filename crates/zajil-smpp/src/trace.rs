//! The live wire trace: what one peer, or one number, says and is told, PDU by PDU, while somebody
//! looks. Texts and passwords are not in it; octets are, for those who ask for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use smpp_codec::frame::Frame;
use smpp_codec::pdu::{Pdu, Tolerance};
use smpp_codec::tlv::Tag;
use smpp_codec::visit::Value;
use smpp_codec::{CommandId, Header};
use zajil_core::frontend::FrontendName;
use zajil_telemetry::Telemetry;
use zajil_telemetry::live::{Hub, Subject, Wire};

use crate::number;
use crate::tap::{Tap, Way};

/// So many requests of a session are remembered, so that their responses belong to their numbers.
const MOST_ASKED: usize = 1_000;

/// Tells the live hub of the PDUs of a session.
#[derive(Debug)]
pub(crate) struct Trace {
    telemetry: Arc<Telemetry>,
    seen: Mutex<Seen>,
}

/// What is known of the session and its requests.
#[derive(Debug, Default)]
struct Seen {
    /// Whose session it is: whom the bind names, before it has succeeded too.
    name: Option<FrontendName>,
    asked: VecDeque<Asked>,
}

/// A request, and whom it is between.
#[derive(Debug)]
struct Asked {
    way: Way,
    sequence: u32,
    ends: Ends,
}

/// The sender and the destination of a PDU.
type Ends = [Option<Box<str>>; 2];

impl Trace {
    /// The trace of a session with nobody in particular yet, or with this carrier.
    pub(crate) fn new(telemetry: &Arc<Telemetry>, name: Option<FrontendName>) -> Arc<Self> {
        Arc::new(Self {
            telemetry: Arc::clone(telemetry),
            seen: Mutex::new(Seen {
                name,
                ..Seen::default()
            }),
        })
    }

    /// Whose session it is.
    pub(crate) fn belongs_to(&self, name: &FrontendName) {
        self.seen().name = Some(name.clone());
    }

    fn hub(&self) -> Option<&Arc<Hub>> {
        self.telemetry.live().filter(|hub| hub.is_watched())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Trace {
    fn is_open(&self) -> bool {
        self.hub().is_some()
    }

    fn pdu(&self, way: Way, header: &Header, body: &[u8]) {
        let Some(hub) = self.hub() else { return };
        let frame = Frame {
            header: *header,
            body: Bytes::copy_from_slice(body),
        };
        let read = Pdu::read_frame(&frame, Tolerance::Lenient);
        let (fields, ends) = match &read {
            Ok(pdu) => (fields(pdu), ends(pdu)),
            Err(refused) => (refused.to_string(), Ends::default()),
        };
        let mut seen = self.seen();
        if seen.name.is_none()
            && let Ok(pdu) = &read
        {
            seen.name = binds_as(pdu);
        }
        let name = seen.name.clone();
        let [source, destination] = seen.ends((way, header), ends);
        drop(seen);
        let wire = Wire {
            command: header.command_id.to_string(),
            status: header.status.to_string(),
            sequence: header.sequence,
            fields,
            hex: hex(header, body),
        };
        let subject = Subject {
            frontend: name,
            source,
            destination,
            wire: Some(Box::new(wire)),
            ..Subject::default()
        };
        let name = match way {
            Way::In => "pdu_received",
            Way::Out => "pdu_sent",
        };
        hub.tell_wire(name, subject);
    }
}

impl Seen {
    /// Whom a PDU is between: what it says, or what its request said.
    fn ends(&mut self, (way, header): (Way, &Header), ends: Ends) -> Ends {
        let sequence = header.sequence;
        if !header.command_id.is_response() {
            if self.asked.len() >= MOST_ASKED {
                self.asked.pop_front();
            }
            self.asked.push_back(Asked {
                way,
                sequence,
                ends: ends.clone(),
            });
            return ends;
        }
        let is_its = |asked: &Asked| asked.way != way && asked.sequence == sequence;
        let place = self.asked.iter().position(is_its);
        let asked = place.and_then(|place| self.asked.remove(place));
        asked.map_or(ends, |asked| asked.ends)
    }
}

fn binds_as(pdu: &Pdu) -> Option<FrontendName> {
    match pdu {
        Pdu::BindTransmitter(bind) | Pdu::BindReceiver(bind) | Pdu::BindTransceiver(bind) => {
            FrontendName::parse(&bind.system_id.to_str()).ok()
        }
        _ => None,
    }
}

fn ends(pdu: &Pdu) -> Ends {
    let mut ends = Ends::default();
    pdu.visit(&mut |name, value| {
        let [source, destination] = &mut ends;
        match (name, value) {
            ("source_addr", Value::Address(address)) => {
                *source = Some(number::read(address).into());
            }
            ("destination_addr" | "esme_addr", Value::Address(address)) => {
                *destination = Some(number::read(address).into());
            }
            _ => {}
        }
    });
    ends
}

/// The fields that say something, but no text, no number and no password.
fn fields(pdu: &Pdu) -> String {
    let mut all = Vec::new();
    pdu.visit(&mut |name, value| {
        all.push(match value {
            Value::Number(0) | Value::Octets([]) => return,
            Value::Number(number) => format!("{name}={number:#04x}"),
            Value::Text(text) if text.is_empty() => return,
            Value::Text(_) if name == "password" => format!("{name}=****"),
            Value::Text(text) => format!("{name}={:?}", text.to_str()),
            Value::Octets(octets) => format!("{name}={} octets", octets.len()),
            Value::Address(address) => {
                let (ton, npi) = (address.ton, address.npi);
                let length = address.value.octets().len();
                format!("{name}={ton}/{npi}/{length} characters")
            }
            Value::Destinations(destinations) => format!("{name}={}", destinations.all().len()),
            Value::Unsuccesses(failed) => format!("{name}={}", failed.all().len()),
            Value::Tlv(tlv) => parameter(tlv.tag(), tlv.value()),
        });
    });
    all.join(" ")
}

/// An optional parameter: small ones in hexadecimal, for they are codes.
fn parameter(tag: Tag, value: &[u8]) -> String {
    const MOST_OCTETS_OF_A_CODE: usize = 4;
    let tag_octets = tag.0;
    if value.len() > MOST_OCTETS_OF_A_CODE || tag == Tag::MESSAGE_PAYLOAD {
        return format!("{tag_octets:#06x}={} octets", value.len());
    }
    let code: String = value.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{tag_octets:#06x}={code}")
}

/// All of a PDU; nothing of one that has a password, or may have one.
fn hex(header: &Header, body: &[u8]) -> Option<String> {
    let secret = matches!(
        header.command_id,
        CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSMITTER
            | CommandId::BIND_TRANSCEIVER
            | CommandId::OUTBIND
    );
    if secret {
        return None;
    }
    let length = u32::try_from(Header::LENGTH + body.len()).unwrap_or(u32::MAX);
    let words = [
        length,
        header.command_id.0,
        header.status.0,
        header.sequence,
    ];
    let octets = words.into_iter().flat_map(u32::to_be_bytes);
    let octets = octets.chain(body.iter().copied());
    Some(octets.map(|octet| format!("{octet:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind() -> Pdu {
        Pdu::BindTransmitter(smpp_codec::pdu::Bind {
            system_id: smpp_codec::text::Text::new("shop").unwrap(),
            password: smpp_codec::text::Text::new("secret08").unwrap(),
            ..Default::default()
        })
    }

    #[test]
    fn s10_4_no_password_no_text_and_no_number_is_among_the_fields() {
        assert_eq!(fields(&bind()), "system_id=\"shop\" password=****");
        let mut sm = smpp_codec::pdu::Sm {
            source_addr: number::write("SHOP"),
            destination_addr: number::write("+46709771337"),
            short_message: smpp_codec::text::ShortMessage::new(&b"hello"[..]).unwrap(),
            ..Default::default()
        };
        sm.tlvs.push_u16(Tag::SAR_MSG_REF_NUM, 0x1234);
        let pdu = Pdu::SubmitSm(sm);
        assert_eq!(
            fields(&pdu),
            "source_addr=5/0/4 characters destination_addr=1/1/11 characters \
             short_message=5 octets 0x020c=1234"
        );
        let [source, destination] = ends(&pdu);
        assert_eq!(source.as_deref(), Some("SHOP"));
        assert_eq!(destination.as_deref(), Some("+46709771337"));
    }

    #[test]
    fn octets_are_whole_but_never_those_of_a_bind() {
        let header = |command_id| Header {
            command_id,
            status: smpp_codec::Status::ROK,
            sequence: 7,
        };
        let unbind = hex(&header(CommandId::UNBIND), &[]);
        assert_eq!(unbind.unwrap(), "00000010000000060000000000000007");
        assert_eq!(hex(&header(CommandId::BIND_TRANSMITTER), b"x"), None);
    }
}
