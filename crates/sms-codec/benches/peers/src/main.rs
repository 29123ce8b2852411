//! The figures of sms-codec and of sms-pdu, one after the other.

#[path = "../../throughput.rs"]
#[allow(dead_code, reason = "its own main is not run here")]
mod throughput;

use std::hint::black_box;

use sms_pdu::gsm_encoding::GsmMessageData;
use sms_pdu::pdu::{DeliverPdu, PduAddress, SubmitPdu};

fn main() {
    throughput::run();
    for (name, octets) in [
        ("short", throughput::SHORT),
        ("full part", throughput::DELIVER),
    ] {
        // This crate insists on a service centre address; none is one zero octet.
        let octets = [&[0], octets].concat();
        let message = DeliverPdu::try_from(octets.as_slice())
            .unwrap()
            .get_message_data();
        let text = message.decode_message().unwrap().text;
        println!("sms-pdu reads {} characters", text.chars().count());
        let decode = || DeliverPdu::try_from(black_box(octets.as_slice()));
        throughput::report(&format!("sms-pdu decode {name}"), decode);
        throughput::report(&format!("sms-pdu decode {name} and its text"), || {
            decode().ok()?.get_message_data().decode_message().ok()
        });
    }
    let destination: PduAddress = "+31641600986".parse().unwrap();
    throughput::report(
        "sms-pdu encode SMS-SUBMIT from a text of 61 characters",
        || {
            let message = GsmMessageData::encode_message(black_box(throughput::TEXT)).pop()?;
            Some(SubmitPdu::make_simple_message(destination.clone(), message).as_bytes())
        },
    );
    let message = GsmMessageData::encode_message(throughput::TEXT)
        .pop()
        .unwrap();
    let submit = SubmitPdu::make_simple_message(destination, message);
    throughput::report("sms-pdu encode SMS-SUBMIT", || {
        black_box(&submit).as_bytes()
    });
}
