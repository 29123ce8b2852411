//! The bytes on the wire: numbering of requests, reading of answers.

use expect_test::{Expect, expect};

use super::*;

fn check_head(received: &str, expected: &Expect) {
    let text = match read_head(received.as_bytes()) {
        Ok(Some(head)) => format!("{head:?}"),
        Ok(None) => "incomplete".to_owned(),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&text);
}

#[test]
fn the_head_of_an_answer_tells_status_and_length() {
    check_head(
        "HTTP/1.1 201 Created\r\nContent-Length: 8\r\nx: y\r\n\r\n{\"id\":1}",
        &expect!["Head { status: 201, head_bytes: 49, body_bytes: 8, closes: false }"],
    );
    check_head(
        "HTTP/1.1 204 No Content\r\nconnection: Close\r\n\r\n",
        &expect!["Head { status: 204, head_bytes: 46, body_bytes: 0, closes: true }"],
    );
}

#[test]
fn half_a_head_waits_for_more() {
    check_head("", &expect!["incomplete"]);
    check_head("HTTP/1.1 20", &expect!["incomplete"]);
    check_head(
        "HTTP/1.1 200 OK\r\ncontent-length: 1",
        &expect!["incomplete"],
    );
}

#[test]
fn an_answer_that_cannot_be_measured_is_an_error() {
    check_head(
        "SMTP 220\r\n\r\n",
        &expect!["error: the answer is not HTTP/1.1"],
    );
    check_head(
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        &expect!["error: the answer's content-length is not a number"],
    );
    check_head(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        &expect!["error: the answer is chunked; only answers with a content-length are understood"],
    );
}

#[test]
fn numbers_that_are_alike_change_together() {
    let body = r#"{"msisdn":"%07d","imsi":"001%07d"}"#;
    let mut request = Request::post("host: h:1\r\n", "/api/locations", body).alike();
    let text = String::from_utf8(request.numbered(42).to_vec()).unwrap();
    assert!(text.ends_with(r#"{"msisdn":"0000042","imsi":"0010000042"}"#));
}

#[test]
fn the_running_number_changes_in_place() {
    let mut request = Request::post("host: h:1\r\n", "/api/messages", r#"{"to":"+1555%07d"}"#);
    let text = String::from_utf8(request.numbered(42).to_vec()).unwrap();
    expect![[r#"
        POST /api/messages HTTP/1.1
        host: h:1
        content-type: application/json
        content-length: 21

        {"to":"+15550000042"}"#]]
    .assert_eq(&text.replace("\r\n", "\n"));
    assert!(request.numbered(123_456_789).ends_with(b"+15553456789\"}"));
    assert!(request.numbered(0).ends_with(b"+15550000000\"}"));
}

#[test]
fn a_body_may_have_no_number_or_several() {
    let mut request = Request::post("host: h:1\r\n", "/", "{}");
    assert!(request.numbered(7).ends_with(b"\r\n\r\n{}"));
    let mut request = Request::post("host: h:1\r\n", "/", "0000000,%07d,%07d;");
    assert!(request.numbered(0).ends_with(b"0000000,0000000,0000001;"));
    assert!(request.numbered(7).ends_with(b"0000000,0000014,0000015;"));
}

#[test]
fn mark_delivered_names_the_message_and_the_frontend() {
    let mut buffer = b"what was there".to_vec();
    mark_delivered(&mut buffer, "host: h:1\r\n", 9, "{}").unwrap();
    let text = String::from_utf8(buffer).unwrap();
    assert!(text.starts_with("POST /api/messages/9/mark_delivered HTTP/1.1\r\nhost: h:1\r\n"));
    assert!(text.ends_with("content-length: 2\r\n\r\n{}"));
}
