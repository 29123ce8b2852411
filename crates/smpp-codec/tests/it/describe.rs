//! PDUs as the vectors and tshark name their fields.

use serde_json::{Map, Value, json};
use smpp_codec::address::{Address, Destination};
use smpp_codec::visit::Value as Field;
use smpp_codec::{Header, Pdu};

pub(crate) fn pdu(header: Header, pdu: &Pdu) -> Value {
    let mut fields = Map::new();
    fields.insert("command".into(), header.command_id.to_string().into());
    fields.insert("seq".into(), header.sequence.into());
    fields.insert("status".into(), header.status.0.into());
    fields.insert("status_name".into(), header.status.to_string().into());
    let mut tlvs = Map::new();
    pdu.visit(&mut |name, value| {
        let (name, value) = match value {
            Field::Number(number) => (name, number.into()),
            Field::Text(text) => (name, text.to_str().into()),
            Field::Octets(octets) => (name, hex(octets).into()),
            Field::Address(address) => (name, self::address(address)),
            Field::Destinations(all) => ("dests", all.all().iter().map(destination).collect()),
            Field::Unsuccesses(all) => (
                "unsuccess",
                all.all()
                    .iter()
                    .map(|one| json!([self::address(&one.address), one.status.0]))
                    .collect(),
            ),
            Field::Tlv(tlv) => {
                let tag = format!("{:04x}", tlv.tag().0);
                tlvs.insert(tag, hex(tlv.value()).into());
                return;
            }
        };
        let name = match name {
            "source_addr" => "source",
            "destination_addr" => "dest",
            "esme_addr" => "esme",
            other => other,
        };
        fields.insert(name.into(), value);
    });
    fields.insert("tlvs".into(), tlvs.into());
    fields.into()
}

fn address(address: &Address) -> Value {
    json!([address.ton, address.npi, address.value.to_str()])
}

fn destination(destination: &Destination) -> Value {
    match destination {
        Destination::Sme(sme) => json!({"sme": address(sme)}),
        Destination::List(name) => json!({"dl": name.to_str()}),
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
