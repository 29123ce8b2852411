//! Lines of a request and of none, in either form.

use std::io;
use std::sync::{Arc, Mutex};

use expect_test::expect;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Keeps what is written.
#[derive(Debug, Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What a program logs whose lines have no time.
fn logged(format: Format, program: impl FnOnce()) -> String {
    let page = Page::default();
    let plain = tracing_subscriber::fmt()
        .with_writer(page.clone())
        .without_time()
        .with_ansi(false);
    match format {
        Format::Text => {
            let lines = plain.map_event_format(|plain| Lines { plain, format });
            tracing::subscriber::with_default(lines.finish(), program);
        }
        Format::Json => {
            let lines = plain.json().with_current_span(false).with_span_list(false);
            let lines = lines.map_event_format(|plain| Lines { plain, format });
            tracing::subscriber::with_default(lines.finish(), program);
        }
    }
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    // Levels are set to the right.
    text.lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}

fn program() {
    tracing::info!(n = 1, "before");
    let request = Request::new("the \"first\"").to("POST", Some("/api/messages/{id}"));
    request.within(|| {
        tracing::warn!(why = "a }\n", "within");
        Request::is_about(77);
        tracing::info!("known");
    });
    Request::new("second").within(|| tracing::info!("no more is known"));
    tracing::info!("after");
    Request::is_about(78);
    assert_eq!(Request::present_id(), None);
}

#[test]
fn s14_3_a_json_line_has_its_request_as_its_span() {
    let text = logged(Format::Json, program);
    for line in text.lines() {
        let _: Value = serde_json::from_str(line).unwrap();
    }
    expect![[r#"
        {"level":"INFO","fields":{"message":"before","n":1},"target":"zajil_telemetry::log::request::tests"}
        {"level":"WARN","fields":{"message":"within","why":"a }\n"},"target":"zajil_telemetry::log::request::tests","span":{"method":"POST","name":"request","path":"/api/messages/{id}","request_id":"the \"first\""}}
        {"level":"INFO","fields":{"message":"known"},"target":"zajil_telemetry::log::request::tests","span":{"message_id":77,"method":"POST","name":"request","path":"/api/messages/{id}","request_id":"the \"first\""}}
        {"level":"INFO","fields":{"message":"no more is known"},"target":"zajil_telemetry::log::request::tests","span":{"name":"request","request_id":"second"}}
        {"level":"INFO","fields":{"message":"after"},"target":"zajil_telemetry::log::request::tests"}
    "#]].assert_eq(&text);
}

#[test]
fn s14_3_a_line_for_people_ends_with_its_request() {
    expect![[r#"
         INFO zajil_telemetry::log::request::tests: before n=1
         WARN zajil_telemetry::log::request::tests: within why="a }\n" method="POST" path="/api/messages/{id}" request_id="the \"first\""
         INFO zajil_telemetry::log::request::tests: known message_id=77 method="POST" path="/api/messages/{id}" request_id="the \"first\""
         INFO zajil_telemetry::log::request::tests: no more is known request_id="second"
         INFO zajil_telemetry::log::request::tests: after
    "#]].assert_eq(&logged(Format::Text, program));
}

#[tokio::test]
async fn work_that_is_set_aside_keeps_its_request_and_lends_it_to_no_other() {
    let one = |id: &'static str| {
        Request::new(id).during(async move {
            for _ in 0..3 {
                assert_eq!(Request::present_id().as_deref(), Some(id));
                tokio::task::yield_now().await;
            }
        })
    };
    tokio::join!(one("a"), one("b"), async {
        assert_eq!(Request::present_id(), None);
    });
}
