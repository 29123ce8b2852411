//! Links against a peer that writes octets, and against each other.

use std::sync::Mutex;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use smpp_codec::frame;
use smpp_codec::pdu::{Bare, Bind, BindResp, Sm, SmResp};
use smpp_codec::text::Text;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::Notify;

use super::*;

mod leave;
mod told;

/// A message centre that takes every bind, and answers submits once it is told to.
#[derive(Debug, Default, Clone)]
struct Centre {
    go_on: Arc<Notify>,
    at_once: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Handler for Centre {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        match pdu {
            Pdu::BindTransceiver(Bind { system_id, .. }) => {
                let tlvs = smpp_codec::tlv::Tlvs::NONE;
                let bound = Pdu::BindTransceiverResp(BindResp { system_id, tlvs });
                Reaction::Now(Answer::done(bound))
            }
            Pdu::SubmitSm(_) if self.at_once => Reaction::Now(taken(header)),
            Pdu::SubmitSm(_) => {
                self.seen.lock().unwrap().push("submit".to_owned());
                let go_on = Arc::clone(&self.go_on);
                Reaction::Later(Box::pin(async move {
                    go_on.notified().await;
                    taken(header)
                }))
            }
            _ => Reaction::Now(Answer::refusal(header, Status::RSYSERR)),
        }
    }

    fn state(&mut self, state: State) {
        self.seen.lock().unwrap().push(format!("{state:?}"));
    }

    fn refused(&mut self, _: Header, status: Status, why: &str) {
        self.seen.lock().unwrap().push(format!("{status}: {why}"));
    }
}

fn taken(header: Header) -> Answer {
    Answer::done(Pdu::SubmitSmResp(SmResp {
        message_id: Text::new(header.sequence.to_string()).unwrap(),
        ..SmResp::default()
    }))
}

/// An ESME that speaks octets.
struct Peer(DuplexStream, BytesMut);

impl Peer {
    async fn send(&mut self, pdu: &Pdu, sequence: u32) {
        let mut out = BytesMut::new();
        pdu.encode(Status::ROK, sequence, &mut out);
        self.0.write_all(&out).await.unwrap();
    }

    /// The next PDU; none when the connection is closed.
    async fn next(&mut self) -> Option<(String, Status, u32)> {
        loop {
            if let Some(frame) = frame::cut(&mut self.1, 1 << 20).unwrap() {
                let Header {
                    command_id,
                    status,
                    sequence,
                } = frame.header;
                return Some((command_id.to_string(), status, sequence));
            }
            if self.0.read_buf(&mut self.1).await.unwrap() == 0 {
                return None;
            }
        }
    }

    async fn expect(&mut self, name: &str, status: Status, sequence: u32) {
        let expected = Some((name.to_owned(), status, sequence));
        assert_eq!(self.next().await, expected);
    }

    async fn bind(&mut self) {
        self.send(&bind(), 1).await;
        self.expect("bind_transceiver_resp", Status::ROK, 1).await;
    }
}

fn bind() -> Pdu {
    Pdu::BindTransceiver(Bind {
        system_id: Text::new("esme").unwrap(),
        interface_version: 0x34,
        ..Bind::default()
    })
}

fn submit() -> Pdu {
    Pdu::SubmitSm(Sm::default())
}

/// A link on one end and an ESME on the other; `test` runs beside the link.
async fn beside<F, T>(centre: Centre, options: Options, test: F) -> Ended
where
    F: FnOnce(Peer, Handle) -> T,
    T: Future<Output = ()>,
{
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (link, handle) = Link::new(options);
    let peer = Peer(theirs, BytesMut::new());
    let (ended, ()) = tokio::join!(link.run(ours, centre), test(peer, handle));
    ended
}

fn centre_options() -> Options {
    Options::new(Side::Centre)
}

#[tokio::test(start_paused = true)]
async fn a_session_is_bound_used_and_left() {
    let centre = Centre {
        at_once: true,
        ..Centre::default()
    };
    let seen = Arc::clone(&centre.seen);
    let ended = beside(centre, centre_options(), async |mut peer, _| {
        peer.bind().await;
        peer.send(&submit(), 0xFFFF_FFFF).await;
        peer.expect("submit_sm_resp", Status::ROK, 0xFFFF_FFFF)
            .await;
        peer.send(&Pdu::EnquireLink(Bare::default()), 3).await;
        peer.expect("enquire_link_resp", Status::ROK, 3).await;
        peer.send(&Pdu::Unbind(Bare::default()), 4).await;
        peer.expect("unbind_resp", Status::ROK, 4).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
    assert_eq!(*seen.lock().unwrap(), ["BoundTrx", "Closed"]);
}

/// What makes no sense is answered as the standard says, and the session goes on (3.1, framing).
#[tokio::test(start_paused = true)]
async fn garbage_is_answered_and_the_session_lives() {
    let centre = Centre {
        at_once: true,
        ..Centre::default()
    };
    beside(centre, centre_options(), async |mut peer, _| {
        peer.send(&submit(), 7).await;
        peer.expect("submit_sm_resp", Status::RINVBNDSTS, 7).await;
        peer.bind().await;
        peer.send(&bind(), 2).await;
        peer.expect("bind_transceiver_resp", Status::RALYBND, 2)
            .await;
        // An operation that nobody knows.
        peer.0
            .write_all(b"\0\0\0\x10\0\0\x01\x10\0\0\0\0\0\0\0\x03")
            .await
            .unwrap();
        peer.expect("generic_nack", Status::RINVCMDID, 3).await;
        // A message centre's operation.
        peer.send(&Pdu::DeliverSm(Sm::default()), 4).await;
        peer.expect("deliver_sm_resp", Status::RINVCMDID, 4).await;
        // A body that ends too early, and a parameter of a wrong length.
        peer.0
            .write_all(b"\0\0\0\x12\0\0\0\x04\0\0\0\0\0\0\0\x05ab")
            .await
            .unwrap();
        peer.expect("submit_sm_resp", Status::RINVMSGLEN, 5).await;
        let mut long = BytesMut::new();
        submit().encode(Status::ROK, 6, &mut long);
        long.extend_from_slice(b"\x04\x27\0\x02\0\0");
        let length = u32::try_from(long.len()).unwrap().to_be_bytes();
        long[..4].copy_from_slice(&length);
        peer.0.write_all(&long).await.unwrap();
        peer.expect("submit_sm_resp", Status::RINVTLVLEN, 6).await;
        // A response that nobody asked for is not answered.
        peer.0
            .write_all(b"\0\0\0\x10\x80\0\0\x05\0\0\0\0\0\0\0\x63")
            .await
            .unwrap();
        peer.send(&submit(), 8).await;
        peer.expect("submit_sm_resp", Status::ROK, 8).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_an_impossible_length_nothing_more_can_be_understood() {
    for head in [
        &b"\0\0\0\x0f\0\0\0\x15\0\0\0\0\0\0\0\x09"[..],
        b"\0\x10\0\0\0\0\0\x04\0\0\0\0\0\0\0\x09",
    ] {
        let ended = beside(Centre::default(), centre_options(), async |mut peer, _| {
            peer.bind().await;
            peer.0.write_all(head).await.unwrap();
            peer.expect("generic_nack", Status::RINVCMDLEN, 9).await;
            assert_eq!(peer.next().await, None);
        })
        .await;
        assert!(matches!(ended, Ended::Garbage(_)), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_nothing_but_faults_is_left() {
    let ended = beside(Centre::default(), centre_options(), async |mut peer, _| {
        peer.bind().await;
        for sequence in 0..200 {
            peer.send(&bind(), sequence).await;
        }
        let mut answers = 0;
        while peer.next().await.is_some() {
            answers += 1;
        }
        assert_eq!(answers, 100);
    })
    .await;
    assert!(matches!(ended, Ended::Garbage(_)), "{ended}");
}

/// Window towards us: three are worked on, the fourth is not even read.
#[tokio::test(start_paused = true)]
async fn more_is_read_only_when_the_window_has_room() {
    let centre = Centre::default();
    let go_on = Arc::clone(&centre.go_on);
    let options = Options {
        window_in: 3,
        ..centre_options()
    };
    beside(centre, options, async |mut peer, _| {
        peer.bind().await;
        for sequence in 1..=5 {
            peer.send(&submit(), sequence).await;
        }
        peer.send(&Pdu::EnquireLink(Bare::default()), 6).await;
        let nothing = tokio::time::timeout(Duration::from_secs(5), peer.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        let mut answered = Vec::new();
        while answered.len() < 6 {
            go_on.notify_waiters();
            let next = tokio::time::timeout(Duration::from_millis(10), peer.next()).await;
            if let Ok(Some((_, _, sequence))) = next {
                answered.push(sequence);
            }
        }
        answered.sort_unstable();
        assert_eq!(answered, [1, 2, 3, 4, 5, 6]);
    })
    .await;
}

/// Window towards the peer: two are sent, the third waits for a response.
#[tokio::test(start_paused = true)]
async fn requests_of_ours_wait_for_room_in_the_window() {
    let options = Options {
        window_out: 2,
        ..centre_options()
    };
    beside(Centre::default(), options, async |mut peer, handle| {
        peer.bind().await;
        let deliver = || handle.request(Pdu::DeliverSm(Sm::default()));
        let all = async { tokio::join!(deliver(), deliver(), deliver()) };
        let answering = async {
            peer.expect("deliver_sm", Status::ROK, 1).await;
            peer.expect("deliver_sm", Status::ROK, 2).await;
            let third = tokio::time::timeout(Duration::from_secs(5), peer.next()).await;
            assert!(third.is_err(), "{third:?}");
            let response = Pdu::DeliverSmResp(SmResp::default());
            peer.send(&response, 2).await;
            peer.expect("deliver_sm", Status::ROK, 3).await;
            peer.send(&response, 1).await;
            peer.send(&Pdu::GenericNack(Bare::default()), 3).await;
        };
        let ((first, second, third), ()) = tokio::join!(all, answering);
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third.unwrap().pdu, Pdu::GenericNack(_)));
    })
    .await;
}

/// 3.1, timers: asked after 30 s of silence, left after three questions without an answer.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_asked_and_left() {
    let start = tokio::time::Instant::now();
    let ended = beside(Centre::default(), centre_options(), async |mut peer, _| {
        peer.bind().await;
        for sequence in 1..=2 {
            peer.expect("enquire_link", Status::ROK, sequence).await;
        }
        assert_eq!(start.elapsed().as_secs(), 60);
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Inactive);
    assert_eq!(start.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_bind_is_left_after_ten_seconds() {
    let start = tokio::time::Instant::now();
    let ended = beside(Centre::default(), centre_options(), async |mut peer, _| {
        peer.send(&Pdu::EnquireLink(Bare::default()), 1).await;
        peer.expect("enquire_link_resp", Status::ROK, 1).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!((ended, start.elapsed().as_secs()), (Ended::NotBound, 10));
}

/// 3.1: a missing `deliver_sm_resp` counts as not delivered; three in a row end the session.
#[tokio::test(start_paused = true)]
async fn requests_without_a_response_are_given_up() {
    let ended = beside(
        Centre::default(),
        centre_options(),
        async |mut peer, handle| {
            peer.bind().await;
            for _ in 0..3 {
                let lost = handle.request(Pdu::DeliverSm(Sm::default())).await;
                assert_eq!(lost, Err(Lost::TimedOut));
            }
            handle.ended().await;
            let unsent = handle.request(Pdu::DeliverSm(Sm::default())).await;
            assert_eq!(unsent, Err(Lost::Unsent));
        },
    )
    .await;
    assert_eq!(ended, Ended::Unanswered);
}

/// A peer that never reads costs bounded memory and is left.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left() {
    let centre = Centre {
        at_once: true,
        ..Centre::default()
    };
    let ended = beside(centre, centre_options(), async |mut peer, _| {
        peer.bind().await;
        let mut out = BytesMut::new();
        submit().encode(Status::ROK, 5, &mut out);
        // Ends with an error once the link has gone.
        while peer.0.write_all(&out).await.is_ok() {}
    })
    .await;
    assert_eq!(ended, Ended::Stalled);
}

/// Two links of ours, one on each side, understand each other.
#[tokio::test(start_paused = true)]
async fn both_sides_speak_to_each_other() {
    let (here, there) = tokio::io::duplex(1 << 16);
    let centre = Centre {
        at_once: true,
        ..Centre::default()
    };
    let (server, _) = Link::new(centre_options());
    let (client, handle) = Link::new(Options::new(Side::Esme));
    let client_side = Centre::default();
    let states = Arc::clone(&client_side.seen);
    let work = async {
        assert_eq!(handle.request(submit()).await, Err(Lost::Unsent));
        let bound = handle.request(bind()).await.unwrap();
        assert_eq!(bound.status, Status::ROK);
        let many = (0..1_000).map(|_| handle.request(submit()));
        let responses = futures_util::future::join_all(many).await;
        let ids: std::collections::BTreeSet<Bytes> = responses
            .into_iter()
            .map(|response| match response.unwrap().pdu {
                Pdu::SubmitSmResp(response) => response.message_id.octets().clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids.len(), 1_000);
        handle.leave();
    };
    let (served, used, ()) = tokio::join!(
        server.run(here, centre),
        client.run(there, client_side),
        work
    );
    assert_eq!((served, used), (Ended::Unbound, Ended::Unbound));
    assert_eq!(*states.lock().unwrap(), ["BoundTrx", "Unbound", "Closed"]);
}

/// Gathers submits, and answers those of one turn together, once it is told to.
#[derive(Debug, Default)]
struct Gatherer {
    go_on: Arc<Notify>,
    /// When it has been told to go on, the first of a turn is answered only after this.
    first_late: Option<Arc<Notify>>,
    gathered: Vec<Header>,
    turns: Arc<Mutex<Vec<usize>>>,
    loads: Arc<Mutex<Vec<u8>>>,
}

impl Handler for Gatherer {
    fn request(&mut self, header: Header, pdu: Pdu) -> Reaction {
        match pdu {
            Pdu::BindTransceiver(_) => {
                Reaction::Now(Answer::done(Pdu::BindTransceiverResp(BindResp::default())))
            }
            _ => {
                self.gathered.push(header);
                Reaction::Together
            }
        }
    }

    fn answers(&mut self, _: &mut Answer, load: u8) {
        self.loads.lock().unwrap().push(load);
    }

    fn gathered(&mut self) -> Option<Answers> {
        let headers = std::mem::take(&mut self.gathered);
        if headers.is_empty() {
            return None;
        }
        self.turns.lock().unwrap().push(headers.len());
        let go_on = Arc::clone(&self.go_on);
        let first_late = self.first_late.clone();
        Some(Box::pin(async move {
            go_on.notified().await;
            let mut answered: Answered = headers.into_iter().map(|one| (one, taken(one))).collect();
            if let Some(late) = first_late {
                let (header, answer) = answered.now.remove(0);
                let coming = Box::pin(async move {
                    late.notified().await;
                    answer
                });
                answered.later.push((header, coming));
            }
            answered
        }))
    }
}

/// One that takes longer than those that came with it keeps none of them waiting, and keeps its
/// place in the window.
#[tokio::test(start_paused = true)]
async fn what_was_gathered_and_takes_longer_is_answered_by_itself() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (link, _handle) = Link::new(Options {
        window_in: 3,
        ..centre_options()
    });
    let (go_on, late) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gatherer = Gatherer {
        go_on: Arc::clone(&go_on),
        first_late: Some(Arc::clone(&late)),
        ..Gatherer::default()
    };
    let turns = Arc::clone(&gatherer.turns);
    let test = async {
        let mut peer = Peer(theirs, BytesMut::new());
        peer.bind().await;
        let mut all = BytesMut::new();
        for sequence in 2..8 {
            submit().encode(Status::ROK, sequence, &mut all);
        }
        Pdu::Unbind(Bare::default()).encode(Status::ROK, 8, &mut all);
        peer.0.write_all(&all).await.unwrap();
        go_on.notify_one();
        for sequence in [3, 4] {
            peer.expect("submit_sm_resp", Status::ROK, sequence).await;
        }
        go_on.notify_one();
        peer.expect("submit_sm_resp", Status::ROK, 6).await;
        for sequence in [2, 5] {
            late.notify_one();
            peer.expect("submit_sm_resp", Status::ROK, sequence).await;
        }
        go_on.notify_one();
        late.notify_one();
        peer.expect("submit_sm_resp", Status::ROK, 7).await;
        peer.expect("unbind_resp", Status::ROK, 8).await;
    };
    let (ended, ()) = tokio::join!(link.run(ours, gatherer), test);
    assert_eq!(ended, Ended::Unbound);
    assert_eq!(*turns.lock().unwrap(), [3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_at_once_is_worked_on_together_up_to_the_window() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (link, _handle) = Link::new(Options {
        window_in: 5,
        ..centre_options()
    });
    let gatherer = Gatherer::default();
    let (go_on, turns) = (Arc::clone(&gatherer.go_on), Arc::clone(&gatherer.turns));
    let loads = Arc::clone(&gatherer.loads);
    let test = async {
        let mut peer = Peer(theirs, BytesMut::new());
        peer.bind().await;
        let mut all = BytesMut::new();
        for sequence in 2..10 {
            submit().encode(Status::ROK, sequence, &mut all);
        }
        Pdu::Unbind(Bare::default()).encode(Status::ROK, 10, &mut all);
        peer.0.write_all(&all).await.unwrap();
        go_on.notify_one();
        for sequence in 2..7 {
            peer.expect("submit_sm_resp", Status::ROK, sequence).await;
        }
        go_on.notify_one();
        for sequence in 7..10 {
            peer.expect("submit_sm_resp", Status::ROK, sequence).await;
        }
        // Leave is taken when all is answered, and not before.
        peer.expect("unbind_resp", Status::ROK, 10).await;
    };
    let (ended, ()) = tokio::join!(link.run(ours, gatherer), test);
    assert_eq!(ended, Ended::Unbound);
    assert_eq!(*turns.lock().unwrap(), [5, 3]);
    // Of the window, what is left when each is answered; the first is the bind.
    let loads = loads.lock().unwrap();
    assert_eq!(*loads, [0, 80, 60, 40, 20, 0, 40, 20, 0]);
}
