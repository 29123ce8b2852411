//! An application on the crate rusmppc that submits what it is told to, and prints what it is
//! answered. Called and answered as `esme_smpplib.py` is.

use std::error::Error;
use std::io::BufRead as _;
use std::str::FromStr as _;

use futures_util::StreamExt as _;
use rusmpp::CommandId;
use rusmpp::Pdu;
use rusmpp::extra::concatenation::SubmitSmMultipartExt as _;
use rusmpp::pdus::{BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm};
use rusmpp::tlvs::{MessageSubmissionRequestTlvValue as Parameter, TlvValue};
use rusmpp::types::{AnyOctetString, COctetString, OctetString};
use rusmpp::values::{DataCoding, MessagePayload, Npi, RegisteredDelivery, Ton};
use rusmppc::{ConnectionBuilder, Event};
use serde_json::{Value, json};

type Any = Box<dyn Error>;

/// Letters of a part: the library writes fewer than the 160 that there is room for.
const PART: usize = 120;

fn plain(to: &str) -> Result<SubmitSm, Any> {
    Ok(SubmitSm::builder()
        .source_addr_ton(Ton::Alphanumeric)
        .source_addr(COctetString::from_str("SHOP")?)
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(COctetString::from_str(to)?)
        .build())
}

/// As the library writes a text, in as many parts as it takes.
fn written(to: &str, text: &str) -> Result<Vec<SubmitSm>, Any> {
    let builder = plain(to)?.multipart(text).reference_u8(0x5A);
    Ok(builder.gsm7bit_unpacked().build()?)
}

fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters
        .chunks(PART)
        .map(|piece| piece.iter().collect())
        .collect()
}

fn parts(case: &Value) -> Result<Vec<SubmitSm>, Any> {
    let word = |name: &str| case[name].as_str().unwrap_or_default();
    let (to, text) = (word("to"), word("text"));
    let mut parts = Vec::new();
    match word("form") {
        "binary" => {
            let hex = word("hex").as_bytes().chunks(2);
            let octets: Result<Vec<u8>, Any> = hex
                .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
                .collect();
            let mut sm = plain(to)?;
            sm.data_coding = DataCoding::from(4);
            sm.set_short_message(OctetString::from_vec(octets?)?);
            parts.push(sm);
        }
        // The library's own knows no characters beyond the first 65,536.
        "ucs2" => {
            let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let mut sm = plain(to)?;
            sm.data_coding = DataCoding::from(8);
            sm.set_short_message(OctetString::from_vec(octets)?);
            parts.push(sm);
        }
        "payload" => {
            let mut octets = Vec::new();
            for piece in pieces(text) {
                for sm in written(to, &piece)? {
                    octets.extend_from_slice(sm.short_message().as_ref());
                }
            }
            let payload = MessagePayload::new(AnyOctetString::from_vec(octets));
            let mut sm = plain(to)?;
            sm.push_tlv(Parameter::MessagePayload(payload));
            parts.push(sm);
        }
        "sar" => {
            let pieces = pieces(text);
            let total = u8::try_from(pieces.len())?;
            for (piece, number) in pieces.iter().zip(1..) {
                for mut sm in written(to, piece)? {
                    sm.push_tlv(Parameter::SarMsgRefNum(0x1234));
                    sm.push_tlv(Parameter::SarTotalSegments(total));
                    sm.push_tlv(Parameter::SarSegmentSeqnum(number));
                    parts.push(sm);
                }
            }
        }
        "flash" => {
            parts = written(to, text)?;
            for sm in &mut parts {
                sm.data_coding = DataCoding::from(0x10);
            }
        }
        _ => parts = written(to, text)?,
    }
    Ok(parts)
}

/// A receipt as the library reads it.
fn receipt(sm: &DeliverSm) -> Value {
    let text = String::from_utf8_lossy(sm.short_message().as_ref()).into_owned();
    let word = |name: &str| {
        let mut words = text.split(' ').filter_map(|word| word.split_once(':'));
        words
            .find(|(known, _)| *known == name)
            .map(|(_, word)| word.to_owned())
    };
    let (mut id, mut state) = (None, None);
    for parameter in sm.tlvs() {
        match parameter.value() {
            Some(TlvValue::ReceiptedMessageId(known)) => id = Some(known.to_string()),
            Some(TlvValue::MessageState(known)) => state = Some(u8::from(*known)),
            _ => {}
        }
    }
    json!({
        "receipt": id, "kind": u8::from(sm.esm_class), "state": state,
        "id": word("id"), "stat": word("stat"), "err": word("err"),
        "source": sm.source_addr.to_string(), "destination": sm.destination_addr.to_string(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Any> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, owed] = &arguments[..] else {
        return Err("usage: esme_rusmpp HOST PORT RECEIPTS < CASES".into());
    };
    let owed: usize = owed.parse()?;
    let url = format!("smpp://{host}:{port}");
    let (client, mut events) = ConnectionBuilder::new().connect(url).await?;
    let bind = BindTransceiver::builder()
        .system_id(COctetString::from_str("shop")?)
        .password(COctetString::from_str("secret08")?)
        .build();
    client.bind_transceiver(bind).await?;
    let hearing = async {
        let mut heard = 0;
        while heard < owed {
            let event = events.next().await.ok_or("the connection ended")?;
            let Event::Incoming(command) = event else {
                return Err(format!("{event:?}").into());
            };
            if command.id() != CommandId::DeliverSm {
                continue;
            }
            let Some(Pdu::DeliverSm(sm)) = command.pdu() else {
                return Err("a delivery without a body".into());
            };
            println!("{}", receipt(sm));
            let number = command.sequence_number();
            client
                .deliver_sm_resp(number, DeliverSmResp::default())
                .await?;
            heard += 1;
        }
        Ok::<(), Any>(())
    };
    let submitting = async {
        for line in std::io::stdin().lock().lines() {
            let case: Value = serde_json::from_str(&line?)?;
            let asks = case["asks"].as_array().ok_or("asks")?;
            let parts = parts(&case)?;
            if parts.len() != asks.len() {
                return Err(format!("{} parts of {case}", parts.len()).into());
            }
            for (part, (mut sm, asked)) in parts.into_iter().zip(asks).enumerate() {
                let asked = u8::try_from(asked.as_u64().unwrap_or_default())?;
                sm.registered_delivery = RegisteredDelivery::from(asked);
                let taken = client.submit_sm(sm).await?;
                let id = taken.message_id().to_string();
                println!(
                    "{}",
                    json!({ "submitted": case["n"], "part": part, "id": id })
                );
            }
        }
        Ok::<(), Any>(())
    };
    futures_util::future::try_join(hearing, submitting).await?;
    client.unbind().await?;
    // The other side may have closed it already.
    drop(client.close().await);
    Ok(())
}
