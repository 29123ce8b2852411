//! Peers that do not keep to the protocol: each is answered as the standard says, and nobody else
//! notices.

use bytes::BytesMut;
use smpp_codec::pdu::{
    Bare, Bind, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm, QuerySm, ReplaceSm, SubmitMulti,
};
use smpp_codec::text::Text;
use smpp_codec::tlv::Tag;
use smpp_codec::{CommandId, Header, Pdu, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zajil_core::smpp::BindType;
use zajil_smpp::link::Ended;
use zajil_smpp::pics::{REQUESTS, Support};

use crate::bench::{Centre, Esme, PATIENCE, account, centre, sm};

/// A request of this operation in which nothing is said.
fn request(id: CommandId) -> Option<Pdu> {
    Some(match id {
        CommandId::SUBMIT_SM => Pdu::SubmitSm(sm("A", "+46709771337", b"hi")),
        CommandId::SUBMIT_MULTI => Pdu::SubmitMulti(SubmitMulti::default()),
        CommandId::DATA_SM => Pdu::DataSm(DataSm::default()),
        CommandId::QUERY_SM => Pdu::QuerySm(QuerySm::default()),
        CommandId::CANCEL_SM => Pdu::CancelSm(CancelSm::default()),
        CommandId::REPLACE_SM => Pdu::ReplaceSm(ReplaceSm::default()),
        CommandId::BROADCAST_SM => Pdu::BroadcastSm(BroadcastSm::default()),
        CommandId::QUERY_BROADCAST_SM => Pdu::QueryBroadcastSm(QuerySm::default()),
        CommandId::CANCEL_BROADCAST_SM => Pdu::CancelBroadcastSm(CancelBroadcastSm::default()),
        CommandId::ENQUIRE_LINK => Pdu::EnquireLink(Bare::default()),
        _ => return None,
    })
}

/// PICS: what the table says of a request is what the message centre does with it.
#[tokio::test]
async fn the_message_centre_does_with_each_request_what_its_table_says() {
    let centre = centre(vec![account("shop")]).await;
    let esme = Esme::connect(&centre).await;
    let bound = esme.bind_as(BindType::Transceiver, ("shop", "secret08"), 0x50);
    assert_eq!(bound.await.0, Status::ROK);
    let mut tried = 0;
    for (id, support, _) in REQUESTS {
        let Some(pdu) = request(*id) else { continue };
        tried += 1;
        let status = esme.handle.request(pdu).await.unwrap().status;
        let refused = [Status::RPROHIBITED, Status::RINVCMDID].contains(&status);
        assert_eq!(refused, *support == Support::Refuses, "{id} {status}");
    }
    assert_eq!(tried, 10);
}

/// 5.0, 4.8.4.18: how full the window is, to those who know of it.
#[tokio::test]
async fn a_peer_of_5_0_is_told_how_busy_we_are() {
    let centre = centre(vec![account("shop")]).await;
    for (version, told) in [(0x34, false), (0x50, true)] {
        let esme = Esme::connect(&centre).await;
        let bound = esme.bind_as(BindType::Transmitter, ("shop", "secret08"), version);
        assert_eq!(bound.await.0, Status::ROK);
        let submit = Pdu::SubmitSm(sm("A", "+46709771337", b"hi"));
        let Pdu::SubmitSmResp(response) = esme.handle.request(submit).await.unwrap().pdu else {
            panic!("submit_sm_resp");
        };
        let state = response.tlvs.u8(Tag::CONGESTION_STATE);
        assert_eq!(state.is_some(), told, "{version:#x}");
        // One request under way in a window of a hundred.
        assert!(state.is_none_or(|state| state < 30), "{state:?}");
    }
}

async fn connect(centre: &Centre) -> TcpStream {
    TcpStream::connect(centre.address).await.unwrap()
}

/// The next PDU, without its body; none when the connection has ended.
async fn answer(stream: &mut TcpStream) -> Option<Header> {
    let mut octets = [0; Header::LENGTH];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut octets));
    read.await.unwrap().ok()?;
    let (length, header) = Header::read(&octets)?;
    let mut body = vec![0; usize::try_from(length).unwrap() - Header::LENGTH];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut body));
    read.await.unwrap().ok()?;
    Some(header)
}

async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
    // A reset is an end, too.
    drop(read.await.unwrap());
}

fn header(length: u32, id: u32, sequence: u32) -> Vec<u8> {
    [length, id, 0, sequence]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect()
}

/// Protocols 3.1: what cannot be a PDU is answered with its sequence number, and ends the session.
#[tokio::test]
async fn what_cannot_be_a_pdu_ends_its_session_and_no_other() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    for octets in [
        header(15, 4, 7),
        header(0, 4, 7),
        header(u32::MAX, 4, 7),
        header(128 * 1_024 + 1, 4, 7),
        b"GET / HTTP/1.1\r\nHost: zajil\r\n\r\n".to_vec(),
    ] {
        let mut stream = connect(&centre).await;
        stream.write_all(&octets).await.unwrap();
        let answer = answer(&mut stream).await.unwrap();
        assert_eq!(answer.command_id, CommandId::GENERIC_NACK, "{octets:02x?}");
        assert_eq!(answer.status, Status::RINVCMDLEN, "{octets:02x?}");
        ends(&mut stream).await;
    }
    let (status, _) = shop.submit(sm("A", "+46709771337", b"still here")).await;
    assert_eq!(status, Status::ROK);
}

/// What is a PDU but wrong is answered, and the session goes on.
#[tokio::test]
async fn a_wrong_pdu_is_answered_and_the_session_goes_on() {
    let centre = centre(vec![account("shop")]).await;
    let mut stream = connect(&centre).await;
    for (octets, id, status) in [
        // Nobody knows it; it is known, but not before a bind; its body is cut off.
        (
            header(16, 0x7777, 1),
            CommandId::GENERIC_NACK,
            Status::RINVCMDID,
        ),
        (
            [header(18, 3, 2), vec![0, 0]].concat(),
            CommandId::QUERY_SM_RESP,
            Status::RINVMSGLEN,
        ),
        (header(16, 6, 3), CommandId::UNBIND_RESP, Status::RINVBNDSTS),
        (
            header(16, 0x15, 4),
            CommandId::ENQUIRE_LINK_RESP,
            Status::ROK,
        ),
    ] {
        // Octet by octet, as the slowest peer does.
        for octet in &octets {
            stream.write_all(&[*octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = answer(&mut stream).await.unwrap();
        assert_eq!(
            (answer.command_id, answer.status),
            (id, status),
            "{octets:02x?}"
        );
        let sequence = u32::from_be_bytes(octets[12..16].try_into().unwrap());
        assert_eq!(answer.sequence, sequence);
    }
}

/// As a submit that comes while leave is taken, it is answered by its link.
#[tokio::test]
async fn a_submit_that_cannot_be_read_counts_among_those_that_were_answered() {
    let centre = centre(vec![account("shop")]).await;
    let mut stream = connect(&centre).await;
    let cut = [header(18, 4, 2), vec![0, 0]].concat();
    let bind = Pdu::BindTransmitter(Bind {
        system_id: Text::new("shop").unwrap(),
        password: Text::new("secret08").unwrap(),
        interface_version: 0x33,
        ..Bind::default()
    });
    let mut bound = BytesMut::new();
    bind.encode(Status::ROK, 1, &mut bound);
    for (octets, status) in [
        // Of nobody it is not a submit of an application.
        (&*cut, Status::RINVMSGLEN),
        (&*bound, Status::ROK),
        (&*cut, Status::RINVMSGLEN),
    ] {
        stream.write_all(octets).await.unwrap();
        assert_eq!(answer(&mut stream).await.unwrap().status, status);
    }
    let metrics = centre.telemetry.metrics.render();
    let counted = "zajil_smpp_submits_total{status=\"ESME_RINVMSGLEN\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

/// A peer that reads nothing is held back and left; others go on meanwhile.
#[tokio::test]
async fn a_peer_that_does_not_read_is_left_and_others_go_on() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let mut deaf = connect(&centre).await;
    let enquire = header(16, 0x15, 1).repeat(4_096);
    // Until the connection takes no more, or is gone.
    let filling = async { while deaf.write_all(&enquire).await.is_ok() {} };
    let others = async {
        for _ in 0..20 {
            let (status, _) = shop.submit(sm("A", "+46709771337", b"hi")).await;
            assert_eq!(status, Status::ROK);
        }
    };
    let both = futures_util::future::join(filling, others);
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert!(!shop.handle.is_leaving());
}

/// Garbage of every kind, the same each time.
#[tokio::test]
async fn garbage_costs_nobody_else_anything() {
    let centre = centre(vec![account("shop")]).await;
    let shop = Esme::bound(&centre, "shop").await;
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut dice = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..200 {
        let mut stream = connect(&centre).await;
        let length = u32::try_from(16 + dice() % 64).unwrap();
        let id = [
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            0x15,
            0x21,
            0x103,
            0x111,
            0x8000_0004,
        ];
        let id = id[usize::try_from(dice() % 14).unwrap()];
        let mut octets = header(length, id, 9);
        octets.extend((16..length).map(|_| dice().to_be_bytes()[0]));
        // Gone already is as well.
        drop(stream.write_all(&octets).await);
        drop(stream.shutdown().await);
        ends(&mut stream).await;
    }
    let (status, _) = shop.submit(sm("A", "+46709771337", b"still here")).await;
    assert_eq!(status, Status::ROK);
    assert_eq!(centre.telemetry.metrics.panics.get(), 0);
    shop.handle.leave();
    assert_eq!(shop.ended.await.unwrap(), Ended::Unbound);
}
