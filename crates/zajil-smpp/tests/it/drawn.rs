//! Sessions with peers that send drawn octets, and damaged ones of real PDUs.

use bytes::BytesMut;
use smpp_codec::pdu::{Bare, Bind, QuerySm};
use smpp_codec::{Pdu, Status};
use zajil_core::clock::Dice as _;
use zajil_engine::system::ThreadDice;

use crate::bench::sm;
use crate::check;

/// A session in which everything is in order.
fn sound() -> Vec<u8> {
    let mut octets = BytesMut::new();
    let requests = [
        Pdu::BindTransceiver(Bind::default()),
        Pdu::SubmitSm(sm("A", "+46709771337", b"one")),
        Pdu::SubmitSm(sm("A", "+46709771337", b"two")),
        Pdu::EnquireLink(Bare::default()),
        Pdu::SubmitSm(sm("A", "+46709771337", b"three")),
        Pdu::QuerySm(QuerySm::default()),
        Pdu::SubmitSm(sm("A", "+46709771337", b"four")),
        Pdu::Unbind(Bare::default()),
    ];
    for (request, sequence) in requests.iter().zip(1..) {
        request.encode(Status::ROK, sequence, &mut octets);
    }
    octets.to_vec()
}

#[test]
fn a_session_ends_in_order_whatever_its_peer_sends() {
    let dice = ThreadDice;
    let octet = || dice.roll().to_be_bytes()[7];
    let sound = sound();
    for round in 0..400_u64 {
        let mut octets = sound.clone();
        for _ in 0..round % 8 {
            let at = usize::try_from(dice.roll() % sound.len() as u64).unwrap();
            octets[at] = octet();
        }
        if round % 5 == 0 {
            let end = usize::try_from(dice.roll() % sound.len() as u64).unwrap();
            octets.truncate(end);
        }
        octets.insert(0, octet());
        println!("{octets:02x?}");
        check::session(&octets);
    }
}
