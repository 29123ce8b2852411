//! What holds of a session whatever its peer sends. Called with drawn octets by the tests, and by
//! the fuzzer with found ones (`fuzz/fuzz_targets/smpp_session.rs`).

use std::time::Duration;

use bytes::BytesMut;
use smpp_codec::pdu::{BindResp, SmResp, Tolerance};
use smpp_codec::session::Side;
use smpp_codec::{Header, Pdu, Status, frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use zajil_smpp::link::{self, Answer, Answers, Handler, Link, Reaction};

/// Longer than any timer of a link, on a paused clock.
const LONG: Duration = Duration::from_secs(86_400);

/// Takes every bind, and answers submits at once, later, or together, by their numbers.
#[derive(Default)]
struct Centre {
    together: Vec<Header>,
}

fn taken(header: Header) -> Answer {
    let _ = header;
    Answer::done(Pdu::SubmitSmResp(SmResp::default()))
}

impl Handler for Centre {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        let bound = BindResp::default();
        match pdu {
            Pdu::BindTransceiver(_) => Reaction::Now(Answer::done(Pdu::BindTransceiverResp(bound))),
            Pdu::BindTransmitter(_) => Reaction::Now(Answer::done(Pdu::BindTransmitterResp(bound))),
            Pdu::BindReceiver(_) => Reaction::Now(Answer::done(Pdu::BindReceiverResp(bound))),
            Pdu::SubmitSm(_) => match header.sequence % 3 {
                0 => Reaction::Now(taken(header)),
                1 => Reaction::Later(Box::pin(async move {
                    tokio::task::yield_now().await;
                    taken(header)
                })),
                _ => {
                    self.together.push(header);
                    Reaction::Together
                }
            },
            Pdu::Outbind(_) | Pdu::AlertNotification(_) => Reaction::Never,
            _ => Reaction::Now(Answer::refusal(header, Status::RINVCMDID)),
        }
    }

    fn gathered(&mut self) -> Option<Answers> {
        let all = std::mem::take(&mut self.together);
        let answers = all.into_iter().map(|header| (header, taken(header)));
        let answers: Vec<_> = answers.collect();
        (!answers.is_empty())
            .then(|| -> Answers { Box::pin(async { answers.into_iter().collect() }) })
    }
}

/// Writes the octets, so many at a time, and reads all that comes.
async fn peer(stream: DuplexStream, (octets, step): (&[u8], usize)) -> BytesMut {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        for piece in octets.chunks(step) {
            if writer.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        drop(writer.shutdown().await);
    };
    let reading = async {
        let mut all = BytesMut::new();
        while reader.read_buf(&mut all).await.is_ok_and(|read| read > 0) {}
        all
    };
    futures_util::future::join(writing, reading).await.1
}

/// Any octets, in any pieces, to either side: the link ends, what it says can be read, and no
/// request has two answers. The first octet says how they come.
pub(crate) fn session(input: &[u8]) {
    let Some((how, octets)) = input.split_first() else {
        return;
    };
    let side = if how & 1 == 0 {
        Side::Centre
    } else {
        Side::Esme
    };
    let step = usize::from(how >> 1) + 1;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut said = runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(4_096);
        let (link, _handle) = Link::new(link::Options::new(side));
        let running = tokio::time::timeout(LONG, link.run(ours, Centre::default()));
        let (ended, said) = futures_util::future::join(running, peer(theirs, (octets, step))).await;
        ended.expect("the link ends");
        said
    });
    let mut answers = 0;
    while let Some(frame) = frame::cut(&mut said, 1 << 20).expect("a length") {
        answers += usize::from(frame.header.command_id.is_response());
        if frame.header.status == Status::ROK {
            Pdu::read_frame(&frame, Tolerance::Strict).expect("what we say can be read");
        }
    }
    assert!(said.is_empty(), "no part of a PDU is left");
    let most = octets.len() / Header::LENGTH + 1;
    assert!(
        answers <= most,
        "{answers} answers to {most} requests at most"
    );
}
