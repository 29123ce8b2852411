//! How many TPDUs one core reads and writes in a second: `cargo bench -p sms-codec`.
//!
//! `benches/peers` runs the same with another crate beside it.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sms_codec::address::{Address, NumberingPlan, TypeOfNumber};
use sms_codec::dcs::Dcs;
use sms_codec::segment::{self, Options};
use sms_codec::tpdu::{Direction, Submit, Tpdu};
use sms_codec::user_data::UserData;

/// A part of 153 septets, as it goes to a handset.
pub const DELIVER: &[u8] =
    b"\x44\x05\x91\x21\x22\xf0\x39\x00\x01\x50\x62\x71\x21\x71\x80\xa0\x05\x00\
    \x03\x19\x02\x01\x98\xe9\xb2\xb8\x2c\x07\x59\xdf\xe4\xb0\xf9\xed\x2e\xb7\x96\x75\x37\xb9\xcc\
    \x02\xb5\xd3\x74\x50\x12\x2d\x2f\xcb\x41\xee\x30\x3d\xfd\x76\x87\xd9\x65\x37\x88\x1a\x96\xa7\
    \xcd\x6f\x38\x3d\xfd\x76\x83\xf4\x61\x34\xbb\xec\x06\x4d\xd3\x65\x50\xda\x0d\x22\xa7\xcb\xf3\
    \x72\x1b\xe4\x2c\xd3\xf5\xa0\x19\x8b\x56\x03\x6d\xca\x20\xb8\xfc\x0d\x6a\x0a\x41\x70\x76\x7d\
    \x0e\xaa\xe5\x40\x43\x3a\x08\x2e\x7f\x83\xa6\xe5\xf9\x3c\xfd\x76\xbb\x40\xd7\xb2\xdb\x0d\x9a\
    \xa6\xcb\x20\x72\xba\x3c\x2f\x83\x92\x6e\xf3\x1b\xe4\x4e\x8f\xd1\x74\x50\xbb\x8c\x96\x83\xca";

/// "How are you?"
pub const SHORT: &[u8] =
    b"\x04\x0b\x91\x13\x46\x61\x00\x89\xf6\x00\x00\x20\x80\x62\x91\x73\x14\x08\
    \x0c\xc8\xf7\x1d\x14\x96\x97\x41\xf9\x77\xfd\x07";

pub const TEXT: &str = "How are you? The meeting is at 10:30 in room 4, second floor.";

fn main() {
    run();
}

/// Prints our figures.
pub fn run() {
    for (name, octets) in [("short", SHORT), ("full part", DELIVER)] {
        let octets = Bytes::from_static(octets);
        let decode = || Tpdu::decode(Direction::ScToMs, black_box(&octets));
        report(&format!("sms-codec decode {name}"), decode);
        report(
            &format!("sms-codec decode {name} and its text"),
            || match decode() {
                Ok(Tpdu::Deliver(deliver)) => deliver.user_data.text(),
                _ => None,
            },
        );
        if let Ok(tpdu) = decode() {
            let mut out = Vec::new();
            report(&format!("sms-codec encode {name}"), || {
                out.clear();
                black_box(&tpdu).encode_to(&mut out);
                out.len()
            });
        }
    }
    let destination = Address::new(
        TypeOfNumber::International,
        NumberingPlan::Telephone,
        "31641600986",
    );
    report(
        "sms-codec encode SMS-SUBMIT from a text of 61 characters",
        || {
            let user_data = UserData::from_text(Dcs::GSM7, None, black_box(TEXT)).ok()?;
            Some(Tpdu::Submit(Submit::new(destination.ok()?, user_data)).encode())
        },
    );
    for (name, text) in [("61", TEXT.to_owned()), ("610", TEXT.repeat(10))] {
        report(
            &format!("sms-codec count the parts of {name} characters"),
            || segment::count(black_box(&text), &Options::PLAIN),
        );
    }
}

/// Runs `work` for a while and prints how often it ran in a second: the best of five rounds.
pub fn report<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (start, mut count) = (now(), 0_u32);
        while start.elapsed() < Duration::from_millis(150) {
            for _ in 0..1000 {
                black_box(work());
            }
            count += 1000;
        }
        best = best.max(f64::from(count) / start.elapsed().as_secs_f64());
    }
    println!("{name:<60} {:>8.2} million/s", best / 1e6);
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
    Instant::now()
}
