//! What must hold for any octets at all; shared by the properties and the fuzzers.

use bytes::{Bytes, BytesMut};
use smpp_codec::pdu::{Pdu, Refused, Tolerance};
use smpp_codec::text::Text;
use smpp_codec::time::Time;
use smpp_codec::{frame, receipt};

/// Runs the check called `name`; `None` if there is none.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn by_name(name: &str) -> Option<fn(&[u8])> {
    Some(match name {
        "pdu" => pdu,
        "stream" => stream,
        "receipt" => receipt,
        "time" => time,
        _ => return None,
    })
}

/// Longer than any PDU that is put in here.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
const LIMIT: usize = 4_096;

/// One PDU. What is read and written again is read as the same.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn pdu(input: &[u8]) {
    let octets = Bytes::copy_from_slice(input);
    for tolerance in [Tolerance::Strict, Tolerance::Lenient] {
        match Pdu::decode(&octets, tolerance) {
            Ok((header, pdu)) => {
                let mut out = BytesMut::new();
                pdu.encode(header.status, header.sequence, &mut out);
                let out = out.freeze();
                let again = Pdu::decode(&out, tolerance);
                assert_eq!(again, Ok((header, pdu)));
                let bodiless = header.command_id.is_response();
                assert!(out == octets || bodiless, "{out:02x?} {octets:02x?}");
            }
            Err(refused) => {
                assert!(!refused.status().is_ok());
                assert!(!refused.to_string().is_empty());
                let unknown = matches!(refused, Refused::UnknownCommand(_));
                assert!(unknown || octets.len() < 16 || refused.status().name().is_some());
            }
        }
    }
}

/// A stream of octets: every frame has its length, and nothing is lost or waited for twice.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn stream(input: &[u8]) {
    let mut stream = BytesMut::from(input);
    let mut cut = 0;
    while let Ok(Some(frame)) = frame::cut(&mut stream, LIMIT) {
        cut += 16 + frame.body.len();
        assert!(cut <= input.len());
        if Pdu::read_frame(&frame, Tolerance::Lenient).is_err() {
            let answer = Pdu::refusal(frame.header.command_id);
            assert!(answer.command_id().is_response());
        }
    }
    assert_eq!(cut + stream.len(), input.len());
}

/// A receipt's text.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn receipt(input: &[u8]) {
    if let Some(parsed) = receipt::parse(input) {
        assert!(parsed.id.is_some_and(|id| !id.is_empty()));
        assert!(parsed.text.is_none_or(|text| input.ends_with(&text)));
    }
}

/// A time: what is read is written as the same time.
#[allow(dead_code, reason = "each fuzz target uses one check only")]
pub(crate) fn time(input: &[u8]) {
    let text = Text::until_zero(input.to_vec());
    if let Ok(Some(time)) = Time::parse(&text) {
        let again = Time::parse(&time.to_text()).unwrap().unwrap();
        assert_eq!(again, time);
        assert_eq!(again.resolve(0), time.resolve(0));
    }
}
