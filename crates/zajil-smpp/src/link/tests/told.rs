//! What has no response: who sends it learns whether it was written.

use super::*;

const SOON: Duration = Duration::from_secs(5);

fn alert() -> Pdu {
    Pdu::AlertNotification(smpp_codec::pdu::AlertNotification::default())
}

/// `alert_notification` has no response: who sends it learns whether it was written.
#[tokio::test(start_paused = true)]
async fn what_is_never_answered_is_told_in_a_bound_session_only() {
    let options = Options {
        window_out: 1,
        ..centre_options()
    };
    let ended = beside(Centre::default(), options, async |mut peer, handle| {
        let told = handle.try_room().unwrap().tell(alert(), SOON).await;
        assert_eq!(told, Err(Lost::Unsent));
        peer.bind().await;
        let room = handle.try_room().unwrap();
        assert!(handle.try_room().is_none(), "the window has one place");
        assert_eq!(room.tell(alert(), SOON).await, Ok(()));
        peer.expect("alert_notification", Status::ROK, 1).await;
        // Who has given it up says it again later: it is not sent twice.
        let given_up = handle.try_room().unwrap().tell(alert(), SOON);
        assert_eq!(given_up.now_or_never(), None);
        peer.send(&Pdu::EnquireLink(Bare::default()), 2).await;
        peer.expect("enquire_link_resp", Status::ROK, 2).await;
        let room = handle.try_room().unwrap();
        drop(peer);
        handle.ended().await;
        assert_eq!(room.tell(alert(), SOON).await, Err(Lost::Unsent));
        assert!(handle.try_room().is_none());
    })
    .await;
    assert_eq!(ended, Ended::Closed);
}

/// A peer that reads nothing for a while gets what the link has taken up all the same: it is not
/// said to be unsent, and is not sent again.
#[tokio::test(start_paused = true)]
async fn what_a_stalled_peer_reads_late_was_written() {
    let centre = Centre {
        at_once: true,
        ..Centre::default()
    };
    let options = Options {
        window_out: 2,
        ..centre_options()
    };
    let (ours, theirs) = tokio::io::duplex(256);
    let (link, handle) = Link::new(options);
    let mut peer = Peer(theirs, BytesMut::new());
    let test = async {
        peer.bind().await;
        // The link has more to say than the connection takes.
        for sequence in 2..20 {
            peer.send(&submit(), sequence).await;
        }
        let room = handle.try_room().unwrap();
        let begun = tokio::time::Instant::now();
        let late = async {
            for _ in 0..7 {
                tokio::task::yield_now().await;
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            let mut alerts = 0;
            for _ in 2..=20 {
                let (name, ..) = peer.next().await.unwrap();
                alerts += usize::from(name == "alert_notification");
            }
            alerts
        };
        let (told, alerts) = tokio::join!(room.tell(alert(), SOON), late);
        assert!(begun.elapsed() > SOON);
        assert_eq!((told, alerts), (Ok(()), 1));
        drop(peer);
    };
    let (_, ()) = tokio::join!(link.run(ours, centre), test);
}
