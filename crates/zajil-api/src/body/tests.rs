//! Bodies: whole, bounded, in time, and readable.

use std::time::Duration;

use serde_json::Value;
use zajil_core::event::NodeName;

use super::*;

fn options() -> Options {
    Options::new("test", NodeName::new("n1"))
}

fn check(body: &[u8], expect: &str) {
    let refusal = object::<std::collections::BTreeMap<String, Value>>(body).unwrap_err();
    assert_eq!(
        format!("{} {}", refusal.reason.code(), refusal.detail),
        expect
    );
}

#[test]
fn s3_bodies_that_cannot_be_read_say_why() {
    check(
        b"",
        "malformed the request body is empty; it must be a JSON object",
    );
    check(
        b"{\"a\":\"\xff\"}",
        "malformed the request body is not UTF-8: octet 6 is wrong",
    );
    check(
        b"{\"a\":",
        "malformed the request body is not JSON: EOF while parsing a value at line 1 column 5",
    );
    check(b"[1]", "invalid the request body must be a JSON object");
    check(b"\"x\"", "invalid the request body must be a JSON object");
    check(
        br#"{"a":"\ud800"}"#,
        "malformed the request body is not JSON: unexpected end of hex escape at line 1 column 13",
    );
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert_eq!(
        object::<Value>(deep.as_bytes()).unwrap_err().reason,
        Reason::Malformed
    );
}

#[test]
fn s3_an_empty_body_may_mean_nothing_to_add() {
    let none: serde_json::Map<String, Value> = object_or_nothing(b" \r\n").unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn s3_bodies_are_bounded() {
    assert_eq!(
        read(Body::from("12345"), 5, &options()).await.unwrap(),
        "12345"
    );
    let refusal = read(Body::from("123456"), 5, &options()).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::TooLarge);
    assert_eq!(
        refusal.detail,
        "the request body must have at most 5 octets"
    );
    assert_eq!(read(Body::empty(), 5, &options()).await.unwrap(), "");
}

/// A body that comes in pieces and, if it is told to, never ends.
struct Pieces(Vec<&'static str>, bool);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        if self.0.is_empty() {
            return if self.1 {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(None)
            };
        }
        let piece = Bytes::from_static(self.0.remove(0).as_bytes());
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn s3_bodies_in_pieces_are_joined_bounded_and_waited_for_only_so_long() {
    let whole = Body::new(Pieces(vec!["ab", "", "cde"], false));
    assert_eq!(read(whole, 5, &options()).await.unwrap(), "abcde");
    let long = Body::new(Pieces(vec!["abc", "def"], false));
    assert_eq!(
        read(long, 5, &options()).await.unwrap_err().reason,
        Reason::TooLarge
    );
    let before = tokio::time::Instant::now();
    let endless = Body::new(Pieces(vec!["abc"], true));
    let refusal = read(endless, 5, &options()).await.unwrap_err();
    assert_eq!(
        refusal.detail,
        "the request body did not arrive within 30 s"
    );
    assert_eq!(before.elapsed(), Duration::from_secs(30));
}

#[tokio::test]
async fn s3_7_bodies_that_dawdle_hold_so_much_together_and_give_it_back() {
    let mut options = Options::new("Zajil", zajil_core::event::NodeName::new("n1"));
    options.unfinished = std::sync::Arc::new(Unfinished::new(10));
    let pieces = |sizes: &[usize]| {
        let pieces: Vec<_> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
        let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
        Body::from_stream(futures_util::stream::iter(pieces))
    };
    for _ in 0..2 {
        let whole = read(pieces(&[4, 4]), 100, &options).await.unwrap();
        assert_eq!(whole.len(), 8);
        let refused = read(pieces(&[4, 7]), 100, &options).await.unwrap_err();
        assert_eq!(refused.reason, Reason::Overloaded);
    }
    let mut other = options.unfinished.hold();
    other.add(7).unwrap();
    let refused = read(pieces(&[2, 2]), 100, &options).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Overloaded);
    // What came in one piece has ended and holds nothing.
    assert_eq!(
        read(Body::from("x".repeat(50)), 100, &options)
            .await
            .unwrap()
            .len(),
        50
    );
}
