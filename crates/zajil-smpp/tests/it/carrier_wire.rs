//! What the client puts on the wire, as its carrier gets it: every kind of PDU as tshark reads it,
//! and the answer to each operation that its table speaks of.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use smpp_codec::frame;
use smpp_codec::pdu::{
    AlertNotification, Bare, BindResp, CancelSm, DataSm, QuerySm, ReplaceSm, Sm, SmResp,
    SubmitMulti, Tolerance,
};
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{CommandId, Header, Pdu, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zajil_core::smpp::LongText;
use zajil_core::smpp::carrier::{BindMode, Carrier, DeliveredAt};
use zajil_smpp::pics::{REQUESTS, Support};

use crate::bench::{sm, spawn};
use crate::carriers::{carrier, upstream, wait_for};
use crate::tshark;

/// The PDUs that we sent, in the order in which they came.
type Heard = Arc<Mutex<Vec<Bytes>>>;

/// A carrier that says this to every session that it may deliver to, whatever the standard says.
struct Rude {
    port: u16,
    heard: Heard,
}

impl Rude {
    async fn start(says: Vec<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Heard::default();
        let hears = Arc::clone(&heard);
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn(session(stream, says.clone(), Arc::clone(&hears)));
            }
        });
        Self { port, heard }
    }

    fn headers(&self) -> Vec<Header> {
        let heard = self.heard.lock().unwrap();
        let headers = heard.iter().map(|pdu| Header::read(pdu).unwrap().1);
        headers.collect()
    }

    /// Waits until we have said something of all these kinds.
    async fn hears(&self, kinds: &[CommandId]) {
        let said = async || {
            let said: BTreeSet<_> = self.headers().iter().map(|it| it.command_id).collect();
            kinds.iter().all(|id| said.contains(id)).then_some(())
        };
        wait_for(said).await;
    }

    /// Waits for the answer to the request of this number.
    async fn answered(&self, sequence: u32) -> Header {
        wait_for(async || {
            let headers = self.headers().into_iter();
            let mut answers = headers.filter(|it| it.command_id.is_response());
            answers.rfind(|it| it.sequence == sequence)
        })
        .await
    }
}

async fn session(mut stream: TcpStream, says: Vec<Bytes>, heard: Heard) {
    let mut input = BytesMut::new();
    while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        while let Some(frame) = frame::cut(&mut input, 1 << 20).unwrap() {
            let mut octets = BytesMut::new();
            let length = u32::try_from(Header::LENGTH + frame.body.len()).unwrap();
            let header = frame.header;
            for word in [length, header.command_id.0, header.status.0] {
                octets.extend_from_slice(&word.to_be_bytes());
            }
            octets.extend_from_slice(&header.sequence.to_be_bytes());
            octets.extend_from_slice(&frame.body);
            heard.lock().unwrap().push(octets.freeze());
            let id = || Text::new("1a").unwrap();
            let (answer, delivers) = match header.command_id {
                CommandId::BIND_TRANSCEIVER => {
                    (Pdu::BindTransceiverResp(BindResp::default()), true)
                }
                CommandId::BIND_RECEIVER => (Pdu::BindReceiverResp(BindResp::default()), true),
                CommandId::BIND_TRANSMITTER => {
                    (Pdu::BindTransmitterResp(BindResp::default()), false)
                }
                CommandId::SUBMIT_SM => {
                    let message_id = id();
                    let taken = SmResp {
                        message_id,
                        ..SmResp::default()
                    };
                    (Pdu::SubmitSmResp(taken), false)
                }
                CommandId::ENQUIRE_LINK => (Pdu::EnquireLinkResp(Bare::default()), false),
                CommandId::UNBIND => (Pdu::UnbindResp(Bare::default()), false),
                _ => continue,
            };
            let mut out = BytesMut::new();
            answer.encode(Status::ROK, header.sequence, &mut out);
            for say in delivers.then_some(&says).into_iter().flatten() {
                out.extend_from_slice(say);
            }
            if stream.write_all(&out).await.is_err() {
                return;
            }
        }
    }
}

fn encoded(pdu: &Pdu, sequence: u32) -> Bytes {
    let mut out = BytesMut::new();
    pdu.encode(Status::ROK, sequence, &mut out);
    out.freeze()
}

fn delivery(text: &[u8]) -> Sm {
    sm("46701133111", "46709771337", text)
}

/// A request of this operation.
fn request(id: CommandId) -> Option<Pdu> {
    Some(match id {
        CommandId::SUBMIT_SM => Pdu::SubmitSm(delivery(b"hi")),
        CommandId::DELIVER_SM => Pdu::DeliverSm(delivery(b"hi")),
        CommandId::DATA_SM => Pdu::DataSm(DataSm {
            source_addr: delivery(b"").source_addr,
            destination_addr: delivery(b"").destination_addr,
            ..DataSm::default()
        }),
        CommandId::SUBMIT_MULTI => Pdu::SubmitMulti(SubmitMulti::default()),
        CommandId::QUERY_SM => Pdu::QuerySm(QuerySm::default()),
        CommandId::CANCEL_SM => Pdu::CancelSm(CancelSm::default()),
        CommandId::REPLACE_SM => Pdu::ReplaceSm(ReplaceSm::default()),
        CommandId::ENQUIRE_LINK => Pdu::EnquireLink(Bare::default()),
        CommandId::UNBIND => Pdu::Unbind(Bare::default()),
        _ => return None,
    })
}

/// PICS: what the table says that the client does with a request is what it does.
#[tokio::test]
async fn the_client_does_with_each_request_what_its_table_says() {
    let mut tried = 0;
    for (id, _, support) in REQUESTS {
        let Some(pdu) = request(*id) else { continue };
        tried += 1;
        let rude = Rude::start(vec![encoded(&pdu, 77)]).await;
        let _up = upstream(vec![carrier("up", &[rude.port])]).await;
        let answer = rude.answered(77).await;
        let takes = [Support::Takes, Support::Both].contains(support);
        let refusals = [Status::RINVCMDID, Status::RINVBNDSTS];
        let refused = refusals.contains(&answer.status);
        assert_eq!(refused, !takes, "{id} {}", answer.status);
    }
    assert_eq!(tried, 9);
}

/// What a carrier says that makes us say one of everything.
fn provoking() -> Vec<Bytes> {
    let receipt = Sm {
        short_message: ShortMessage::new(
            &b"id:77 sub:001 dlvrd:001 submit date:2701010101 done date:2701010101 stat:DELIVRD \
               err:000 text:"[..],
        )
        .unwrap(),
        esm_class: smpp_codec::flags::EsmClass(0x04),
        ..delivery(b"")
    };
    let odd = Sm {
        data_coding: 0x0B,
        ..delivery(b"?")
    };
    let mut unknown = encoded(&Pdu::EnquireLink(Bare::default()), 8).to_vec();
    unknown[4..8].copy_from_slice(&0x0999_u32.to_be_bytes());
    let data = request(CommandId::DATA_SM).unwrap();
    let mut says: Vec<Bytes> = [
        Pdu::DeliverSm(receipt),
        Pdu::DeliverSm(delivery(b"of a mobile")),
        Pdu::DeliverSm(odd),
        data,
        Pdu::EnquireLink(Bare::default()),
        Pdu::SubmitSm(delivery(b"the wrong way")),
        Pdu::AlertNotification(AlertNotification::default()),
    ]
    .iter()
    .zip(1..)
    .map(|(pdu, sequence)| encoded(pdu, sequence))
    .collect();
    says.push(unknown.into());
    says
}

/// One carrier of each way to bind, version and long texts: all that is said to it.
async fn said(mode: BindMode, version: u8, long_text: LongText) -> Vec<Bytes> {
    let rude = Rude::start(provoking()).await;
    let odd = Carrier {
        version,
        long_text,
        bind: mode,
        delivered_at: DeliveredAt::Receipt,
        enquire_link: Duration::from_secs(1),
        address_range: "^46".to_owned(),
        ..carrier("up", &[rude.port])
    };
    let up = upstream(vec![odd]).await;
    for text in ["hello @ \u{20ac}", "\u{2603}", &"0123456789 ".repeat(30)] {
        up.submit("up", text).await;
    }
    rude.hears(&[
        CommandId::SUBMIT_SM,
        CommandId::ENQUIRE_LINK,
        CommandId::ENQUIRE_LINK_RESP,
        CommandId::DELIVER_SM_RESP,
        CommandId::DATA_SM_RESP,
        CommandId::SUBMIT_SM_RESP,
        CommandId::GENERIC_NACK,
    ])
    .await;
    up.end().await;
    rude.hears(&[CommandId::UNBIND]).await;
    let leaves = Rude::start(vec![encoded(&Pdu::Unbind(Bare::default()), 1)]).await;
    let up = upstream(vec![carrier("up", &[leaves.port])]).await;
    leaves.hears(&[CommandId::UNBIND_RESP]).await;
    up.end().await;
    let mut all = rude.heard.lock().unwrap().clone();
    all.extend(leaves.heard.lock().unwrap().iter().cloned());
    all
}

#[tokio::test]
async fn tshark_reads_every_pdu_that_we_send_to_carriers() {
    if !tshark::is_there("tshark_reads_every_pdu_that_we_send_to_carriers") {
        return;
    }
    let mut all = Vec::new();
    for mode in [BindMode::Transceiver, BindMode::Pair] {
        for (version, long) in [0x33, 0x34, 0x50].into_iter().zip(LongText::ALL) {
            all.extend(said(mode, version, long).await);
        }
    }
    // They can be read by ourselves, to begin with.
    for pdu in &all {
        Pdu::decode(pdu, Tolerance::Strict).unwrap();
    }
    let hex = |pdu: &Bytes| pdu.iter().map(|octet| format!("{octet:02x}")).collect();
    let kinds = tshark::agrees("to_carriers", &all.iter().map(hex).collect::<Vec<String>>());
    // Three binds, submits, unbind and enquire_link with their responses, those to deliveries and
    // data, a refused submit, and generic_nack.
    assert_eq!(kinds.len(), 12, "{kinds:?}");
}
