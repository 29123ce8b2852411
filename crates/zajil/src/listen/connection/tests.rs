//! Peers that do not read what they are sent.

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinSet;

use super::*;

const LARGE: usize = 8 << 20;
/// More than any of our times.
const LONG: Duration = Duration::from_secs(300);

/// A body of which nothing ever comes.
struct Silent;

impl HttpBody for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A connection to a server with a large answer, and what serves it.
fn connect(speaks: Speaks) -> (DuplexStream, JoinSet<()>) {
    let (ours, theirs) = duplex(1_024);
    let large = || async { vec![b'x'; LARGE] };
    let idle = || async { Body::new(Silent) };
    let app = Router::new()
        .route("/", get(large))
        .route("/idle", get(idle));
    let peer = Peer {
        address: SocketAddr::from(([192, 0, 2, 1], 1)),
        names: None,
    };
    let seen: Observer = Arc::new(|_| {});
    let serve = run(theirs, speaks, (app, seen, peer), CancellationToken::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(serve);
    (ours, tasks)
}

async fn ends(mut serve: JoinSet<()>) {
    let ended = tokio::time::timeout(LONG, serve.join_next()).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_peer_that_reads_nothing_or_a_trickle_is_let_go() {
    let (mut nothing, serve) = connect(Speaks::Http1);
    nothing
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    ends(serve).await;
    let (mut trickle, serve) = connect(Speaks::Http1);
    trickle
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let reads = async {
        while trickle.read_u8().await.is_ok() {
            seconds.tick().await;
        }
    };
    tokio::select! {
        () = ends(serve) => {}
        () = reads => {}
    }
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_peer_that_reads_slowly_gets_all_of_its_answer() {
    let (mut peer, _serve) = connect(Speaks::Http1);
    peer.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    let (mut got, mut piece) = (0, vec![0; 32 << 10]);
    while got < LARGE {
        let read = peer.read(&mut piece).await.unwrap();
        assert!(read > 0, "closed after {got}");
        got += read;
        pace.tick().await;
    }
}

/// A peer of HTTP/2 that asks for a page, takes so many octets of the answer, and pings back.
async fn asks(peer: &mut DuplexStream, path: &[u8], window: u32) {
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.5.2).
    sent.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4]);
    sent.extend(window.to_be_bytes());
    // GET, http, and the rest in full (RFC 7541, appendix A).
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path);
    block.extend([0x41, 1, b'x']);
    sent.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    sent.extend(block);
    peer.write_all(&sent).await.unwrap();
}

/// Reads frames and answers pings until the connection ends or the time is over; whether it ended.
async fn pings_back(peer: &mut DuplexStream) -> bool {
    let pings = async {
        let mut head = [0; 9];
        while peer.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if peer.read_exact(&mut payload).await.is_err() {
                return;
            }
            if (head[3], head[4]) == (6, 0) {
                head[4] = 1;
                let pong = [&head[..], &payload].concat();
                if peer.write_all(&pong).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(LONG, pings).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_peer_of_http2_that_opens_no_window_is_let_go_however_it_pings() {
    for window in [0, 100, 100_000] {
        let (mut peer, serve) = connect(Speaks::Http2);
        asks(&mut peer, b"/", window).await;
        assert!(pings_back(&mut peer).await, "window {window}");
        ends(serve).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s3_9_a_stream_on_which_nothing_happens_stays() {
    let (mut peer, _serve) = connect(Speaks::Http2);
    asks(&mut peer, b"/idle", 100_000).await;
    assert!(!pings_back(&mut peer).await);
}
