//! How many PDUs one core reads and writes in a second, beside the next crate:
//! `cargo bench -p smpp-codec`.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rusmpp_core::command::owned::Command;
use rusmpp_core::decode::owned::DecodeWithLength as _;
use rusmpp_core::encode::owned::Encode as _;
use smpp_codec::pdu::{Pdu, Tolerance};

const ENQUIRE_LINK: &[u8] = b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01";

/// A `submit_sm` of 61 characters that asks for a receipt.
const SUBMIT: &[u8] = b"\0\0\0\x70\0\0\0\x04\0\0\0\0\0\0\0\x2a\0\x05\0sender\0\x01\x0149151234567\
    8\0\x03\0\0\0\0\x01\0\0\0\x3dHow are you? The meeting is at 10:30 in room 4, second floor.";

/// A receipt of a `deliver_sm` with two optional parameters.
const RECEIPT: &[u8] = b"\0\0\0\xba\0\0\0\x05\0\0\0\0\0\0\0\x02\0\x01\x0144951361920\0\x01\x01404\
    04\0\x04\0\0\0\0\0\0\0\0\x6eid:0059113978 sub:001 dlvrd:001 submit date:1002101730 done date:1\
    002101731 stat:DELIVRD err:000 text:@$#!%&/:\0\x0e\0\x01\x01\0\x06\0\x01\x01\0\x1e\0\x083860\
    1fa\0\x04\x27\0\x01\x02";

fn main() {
    for (name, octets) in [
        ("enquire_link", ENQUIRE_LINK),
        ("submit_sm", SUBMIT),
        ("deliver_sm receipt", RECEIPT),
    ] {
        let octets = Bytes::from_static(octets);
        let Ok((header, pdu)) = Pdu::decode(&octets, Tolerance::Strict) else {
            println!("{name} cannot be read");
            continue;
        };
        report(&format!("smpp-codec decode {name}"), || {
            Pdu::decode(black_box(&octets), Tolerance::Strict)
        });
        // It consumes its input, which a connection's buffer gives it for nothing; so it gets a
        // copy, whose cost stands in a line of its own.
        report(&format!("copy of {name}"), || BytesMut::from(&octets[4..]));
        report(&format!("rusmpp-core decode {name}, copy included"), || {
            let mut rest = BytesMut::from(&octets[4..]);
            Command::decode(&mut rest, octets.len() - 4)
        });
        let mut out = BytesMut::new();
        report(&format!("smpp-codec encode {name}"), || {
            out.clear();
            black_box(&pdu).encode(header.status, header.sequence, &mut out);
            out.len()
        });
        let mut rest = BytesMut::from(&octets[4..]);
        if let Ok((command, _)) = Command::decode(&mut rest, octets.len() - 4) {
            report(&format!("rusmpp-core encode {name}"), || {
                out.clear();
                black_box(&command).encode(&mut out);
                out.len()
            });
        }
    }
}

/// The best of five fifths of a second.
fn report<T>(name: &str, mut work: impl FnMut() -> T) {
    let best = (0..5)
        .map(|_| {
            let mut count = 0_u32;
            #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(200) {
                for _ in 0..100 {
                    black_box(work());
                }
                count += 100;
            }
            f64::from(count) / start.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max);
    println!("{:>10.0}/s  {name}", best);
}
