//! A connection that ends just before it is used (D14).

use tokio::net::{TcpListener, TcpStream};

use super::*;

fn request() -> Request<Full<Bytes>> {
    Request::post("/")
        .header("host", "h")
        .body(Full::default())
        .unwrap()
}

/// A connection whose other side is gone already, which this side has not looked at.
async fn ended() -> Link {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    drop(listener.accept().await.unwrap());
    stream.readable().await.unwrap();
    Link::new(Wire::plain(stream)).await.unwrap()
}

#[tokio::test]
async fn d14_an_end_seen_before_the_request_is_sent_leaves_it_unsent() {
    let mut link = ended().await;
    let (cause, why) = link.ask(request()).await.unwrap_err();
    assert_eq!(cause, Cause::Closed, "{why}");
    assert!(!link.sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn d14_a_connection_that_has_ended_or_is_old_is_not_usable() {
    assert!(!ended().await.is_usable().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut link = Link::new(Wire::plain(stream)).await.unwrap();
    assert!(link.is_usable().await);
    link.since -= LONGEST_IDLE;
    assert!(!link.is_usable().await);
}
