//! Taking leave of a peer, whatever is under way.

use super::*;

/// Binds and submits, and waits until that is worked on.
async fn begun(peer: &mut Peer, seen: &Mutex<Vec<String>>) {
    peer.bind().await;
    submitted(peer, seen).await;
}

/// Submits, and waits until that is worked on.
async fn submitted(peer: &mut Peer, seen: &Mutex<Vec<String>>) {
    peer.send(&submit(), 2).await;
    while !seen.lock().unwrap().contains(&"submit".to_owned()) {
        tokio::task::yield_now().await;
    }
}

/// Leave-taking loses nothing: what is worked on is answered before `unbind`.
#[tokio::test(start_paused = true)]
async fn leaving_waits_for_what_is_under_way() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        begun(&mut peer, &seen).await;
        handle.leave();
        let early = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
        assert!(early.is_err(), "{early:?}");
        go_on.notify_waiters();
        peer.expect("submit_sm_resp", Status::ROK, 2).await;
        peer.expect("unbind", Status::ROK, 1).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// A peer that goes on submitting is told to come again, and its session ends: what was accepted
/// is answered, and nothing is accepted whose answer could be lost, so that it sends nothing twice.
#[tokio::test(start_paused = true)]
async fn a_busy_peer_that_is_left_has_an_answer_to_all_that_was_accepted() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let submits = || {
        let seen = seen.lock().unwrap();
        seen.iter().filter(|what| *what == "submit").count()
    };
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        peer.bind().await;
        for sequence in 2..5 {
            peer.send(&submit(), sequence).await;
        }
        while submits() < 3 {
            tokio::task::yield_now().await;
        }
        handle.leave();
        // More than a peer may do wrong: it does nothing wrong.
        for sequence in 5..255 {
            peer.send(&submit(), sequence).await;
            peer.expect("submit_sm_resp", Status::RTHROTTLED, sequence)
                .await;
        }
        peer.send(&Pdu::EnquireLink(Bare::default()), 255).await;
        peer.expect("enquire_link_resp", Status::ROK, 255).await;
        go_on.notify_waiters();
        for sequence in 2..5 {
            peer.expect("submit_sm_resp", Status::ROK, sequence).await;
        }
        peer.expect("unbind", Status::ROK, 1).await;
        // It was on its way before the peer has read that.
        peer.send(&submit(), 256).await;
        peer.expect("submit_sm_resp", Status::RTHROTTLED, 256).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
    assert_eq!(submits(), 3);
}

/// Where the store takes longer than leave may, the peer is answered after it has agreed.
#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_leave_is_late_is_answered_all_the_same() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        begun(&mut peer, &seen).await;
        // Longer than a peer may take for its bind.
        tokio::time::advance(Duration::from_secs(20)).await;
        handle.leave();
        peer.expect("unbind", Status::ROK, 1).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        let early = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
        assert!(early.is_err(), "{early:?}");
        go_on.notify_waiters();
        peer.expect("submit_sm_resp", Status::ROK, 2).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// A carrier keeps a receipt that is refused for the moment, and delivers it again.
#[tokio::test(start_paused = true)]
async fn a_carrier_that_is_left_keeps_what_it_delivers_meanwhile() {
    let (here, there) = tokio::io::duplex(1 << 16);
    let (link, handle) = Link::new(Options::new(Side::Esme));
    let mut peer = Peer(there, BytesMut::new());
    let centre = Centre::default();
    let test = async {
        let asked = handle.request(bind());
        let answered = async {
            peer.expect("bind_transceiver", Status::ROK, 1).await;
            let (system_id, tlvs) = (Text::new("up").unwrap(), smpp_codec::tlv::Tlvs::NONE);
            let bound = Pdu::BindTransceiverResp(BindResp { system_id, tlvs });
            peer.send(&bound, 1).await;
        };
        let (bound, ()) = tokio::join!(asked, answered);
        bound.unwrap();
        // Its answer is waited for.
        let (_, ()) = tokio::join!(handle.request(submit()), async {
            peer.expect("submit_sm", Status::ROK, 2).await;
            handle.leave();
            peer.send(&Pdu::DeliverSm(Sm::default()), 1).await;
            peer.expect("deliver_sm_resp", Status::RX_T_APPN, 1).await;
            peer.send(&Pdu::SubmitSmResp(SmResp::default()), 2).await;
            peer.expect("unbind", Status::ROK, 3).await;
            peer.send(&Pdu::UnbindResp(Bare::default()), 3).await;
            assert_eq!(peer.next().await, None);
        });
    };
    let (ended, ()) = tokio::join!(link.run(here, centre), test);
    assert_eq!(ended, Ended::Unbound);
}

/// What is never done does not put leave-taking off for ever.
#[tokio::test(start_paused = true)]
async fn leave_is_taken_whatever_is_under_way() {
    let centre = Centre::default();
    let seen = Arc::clone(&centre.seen);
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        begun(&mut peer, &seen).await;
        let left = tokio::time::Instant::now();
        handle.leave();
        peer.expect("unbind", Status::ROK, 1).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        assert_eq!(peer.next().await, None);
        // Before the server that stops ends the connection.
        assert!(left.elapsed() < Duration::from_secs(10));
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// What the peer does not answer is no reason to keep from it what it is waiting for.
#[tokio::test(start_paused = true)]
async fn a_peer_that_left_a_request_of_ours_unanswered_has_its_answers_and_leave() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        peer.bind().await;
        let asked = handle.request(Pdu::EnquireLink(Bare::default()));
        let (lost, ()) = tokio::join!(asked, peer.expect("enquire_link", Status::ROK, 1));
        assert!(lost.is_err(), "{lost:?}");
        submitted(&mut peer, &seen).await;
        handle.leave();
        go_on.notify_waiters();
        peer.expect("submit_sm_resp", Status::ROK, 2).await;
        peer.expect("unbind", Status::ROK, 2).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 2).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// A request of ours that the peer does not answer puts leave off no longer than one of its own.
#[tokio::test(start_paused = true)]
async fn leave_is_taken_of_a_peer_that_does_not_answer() {
    let ended = beside(
        Centre::default(),
        centre_options(),
        async |mut peer, handle| {
            peer.bind().await;
            let asked = handle.request(Pdu::EnquireLink(Bare::default()));
            let left = async {
                peer.expect("enquire_link", Status::ROK, 1).await;
                let began = tokio::time::Instant::now();
                handle.leave();
                peer.expect("unbind", Status::ROK, 2).await;
                assert!(began.elapsed() < Duration::from_secs(6));
                assert_eq!(peer.next().await, None);
                assert!(began.elapsed() < Duration::from_secs(10));
            };
            drop(tokio::join!(asked, left));
        },
    )
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// Some peers do not know `unbind`.
#[tokio::test(start_paused = true)]
async fn whatever_answers_an_unbind_is_leave() {
    let ended = beside(
        Centre::default(),
        centre_options(),
        async |mut peer, handle| {
            peer.bind().await;
            handle.leave();
            peer.expect("unbind", Status::ROK, 1).await;
            peer.send(&Pdu::GenericNack(Bare::default()), 1).await;
            assert_eq!(peer.next().await, None);
        },
    )
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// A peer that agrees in one thread and submits in others does nothing wrong.
#[tokio::test(start_paused = true)]
async fn what_comes_after_leave_was_agreed_does_not_keep_answers_back() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        begun(&mut peer, &seen).await;
        handle.leave();
        peer.expect("unbind", Status::ROK, 1).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        for sequence in 5..255 {
            peer.send(&submit(), sequence).await;
            peer.expect("submit_sm_resp", Status::RINVBNDSTS, sequence)
                .await;
        }
        go_on.notify_waiters();
        peer.expect("submit_sm_resp", Status::ROK, 2).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}

/// Both take leave at one time, long after the bind.
#[tokio::test(start_paused = true)]
async fn leaves_that_cross_lose_nothing() {
    let centre = Centre::default();
    let (go_on, seen) = (Arc::clone(&centre.go_on), Arc::clone(&centre.seen));
    let ended = beside(centre, centre_options(), async |mut peer, handle| {
        begun(&mut peer, &seen).await;
        tokio::time::advance(Duration::from_secs(20)).await;
        handle.leave();
        peer.expect("unbind", Status::ROK, 1).await;
        peer.send(&Pdu::Unbind(Bare::default()), 3).await;
        peer.send(&Pdu::UnbindResp(Bare::default()), 1).await;
        let early = tokio::time::timeout(Duration::from_secs(1), peer.next()).await;
        assert!(early.is_err(), "{early:?}");
        go_on.notify_waiters();
        peer.expect("submit_sm_resp", Status::ROK, 2).await;
        peer.expect("unbind_resp", Status::ROK, 3).await;
        assert_eq!(peer.next().await, None);
    })
    .await;
    assert_eq!(ended, Ended::Unbound);
}
