//! SMPP load against the null server, and against one that breaks its word: counts, never timing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use loadgen::http::{Limit, Rate};
use loadgen::null_smpp::{self, Receipts, Ways};
use loadgen::report::Report;
use loadgen::smpp::{self, Form, Options};
use smpp_codec::flags::EsmClass;
use smpp_codec::pdu::{BindResp, Sm, SmResp, Tolerance};
use smpp_codec::text::{ShortMessage, Text};
use smpp_codec::{Pdu, Status, frame};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zajil_testkit::authority::Authority;

use crate::url;

fn null_server(receipts: Receipts) -> Options {
    let url = url(move |listener| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let ways = Ways {
                receipts,
                quick_ack: receipts == Receipts::AtOnce,
            };
            null_smpp::serve(listener, ways).await.unwrap();
        });
    });
    Options::new(url.strip_prefix("http://").unwrap())
}

/// What takes the keys off a connection, and hands its octets to the null server.
fn secured(authority: &Authority, behind: String) -> String {
    let pem = |name: &str| std::fs::read(authority.path(name)).unwrap();
    let chain = CertificateDer::from_pem_slice(&pem("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&pem("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    url(move |listener| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                connections.spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    let mut server = tokio::net::TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut server).await
                });
            }
        });
    })
}

#[test]
fn over_tls_every_submit_is_answered_and_every_receipt_matched() {
    let authority = Authority::new();
    authority.issue("server", "localhost");
    let null = null_server(Receipts::AtOnce);
    let address = secured(&authority, null.address.clone());
    let trusting = |name: &str| Options {
        address: address.strip_prefix("http://").unwrap().to_owned(),
        tls: Some((authority.path("ca.pem"), name.to_owned())),
        binds: 2,
        form: Form::Payload,
        receipts: true,
        limit: Limit::Count(2_000),
        ..null.clone()
    };
    let report = smpp::run(&trusting("localhost")).unwrap();
    assert_eq!(counts(&report, "submit_sm"), (2_000, 2_000));
    assert_eq!(counts(&report, "receipt"), (2_000, 2_000));
    assert!(report.is_clean());
    // A certificate for another name is believed no more than another authority's.
    assert!(smpp::run(&trusting("elsewhere.example")).is_err());
}

fn counts(report: &Report, operation: &str) -> (u64, u64) {
    let operation = &report.operations[operation];
    (operation.count, operation.ok)
}

#[test]
fn every_submit_of_a_count_is_answered_in_every_form_and_window() {
    let server = null_server(Receipts::Never);
    for form in [Form::Short, Form::Ucs2, Form::Payload, Form::Parts] {
        for window in [1, 100] {
            let options = Options {
                binds: 3,
                threads: 2,
                limit: Limit::Count(500),
                server_pids: vec![std::process::id()],
                form,
                window,
                ..server.clone()
            };
            let report = smpp::run(&options).unwrap();
            assert_eq!(counts(&report, "submit_sm"), (500, 500), "{form:?}");
            assert!(report.is_clean());
            assert!(report.server_cpu_us_per_message.is_some());
            assert!(!report.operations.contains_key("receipt"));
        }
    }
}

#[test]
fn every_receipt_that_was_asked_for_is_matched() {
    let delay = Duration::from_millis(50);
    for receipts in [Receipts::AtOnce, Receipts::After(delay)] {
        let options = Options {
            receipts: true,
            limit: Limit::Count(500),
            ..null_server(receipts)
        };
        let report = smpp::run(&options).unwrap();
        assert_eq!(counts(&report, "receipt"), (500, 500));
        assert_eq!(report.messages, 500);
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn a_rate_sends_what_it_promises() {
    let options = Options {
        rate: Rate::PerSecond(1000.0),
        limit: Limit::Duration(Duration::from_millis(200)),
        ..null_server(Receipts::Never)
    };
    let report = smpp::run(&options).unwrap();
    assert_eq!(counts(&report, "submit_sm"), (200, 200));
    assert_eq!(report.unsent, 0);
}

#[test]
fn receipts_that_never_come_are_missing() {
    let options = Options {
        receipts: true,
        limit: Limit::Count(20),
        patience: Duration::from_millis(50),
        ..null_server(Receipts::Never)
    };
    let report = smpp::run(&options).unwrap();
    assert_eq!(report.operations["receipt"].errors["missing"], 20);
    assert!(!report.is_clean());
}

/// Answers binds, and every submit with what `script` makes of its number, from 1.
fn scripted(script: impl Fn(u32, u32, &mut BytesMut) + Send + 'static) -> Options {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut input, mut out, mut submits) = (BytesMut::new(), BytesMut::new(), 0);
        let mut some = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut some) {
            input.extend_from_slice(&some[..count]);
            while let Some(frame) = frame::cut(&mut input, 4096).unwrap() {
                let sequence = frame.header.sequence;
                match Pdu::read_frame(&frame, Tolerance::Strict).unwrap() {
                    Pdu::BindTransceiver(_) => {
                        let response = Pdu::BindTransceiverResp(BindResp::default());
                        response.encode(Status::ROK, sequence, &mut out);
                    }
                    Pdu::SubmitSm(_) => {
                        submits += 1;
                        script(submits, sequence, &mut out);
                    }
                    _ => {}
                }
            }
            // The load ends the connection when it has what it wants.
            if stream.write_all(&out).is_err() {
                return;
            }
            out.clear();
        }
    });
    Options::new(address.to_string())
}

fn taken(id: u32, sequence: u32, out: &mut BytesMut) {
    let message_id = Text::until_zero(id.to_string());
    let response = SmResp {
        message_id,
        ..SmResp::default()
    };
    Pdu::SubmitSmResp(response).encode(Status::ROK, sequence, out);
}

fn receipt(id: u32, state: &str, out: &mut BytesMut) {
    let text = format!("id:{id} sub:001 dlvrd:001 stat:{state} err:000 text:");
    let sm = Sm {
        esm_class: EsmClass(EsmClass::RECEIPT),
        short_message: ShortMessage::new(text).unwrap(),
        ..Sm::default()
    };
    Pdu::DeliverSm(sm).encode(Status::ROK, 1, out);
}

#[test]
fn broken_promises_are_told_apart() {
    let options = Options {
        binds: 1,
        receipts: true,
        limit: Limit::Count(5),
        patience: Duration::from_millis(200),
        ..scripted(|number, sequence, out| match number {
            // A receipt before the response is matched too.
            1 => {
                receipt(1, "DELIVRD", out);
                taken(1, sequence, out);
            }
            2 => {
                taken(2, sequence, out);
                receipt(2, "DELIVRD", out);
                receipt(2, "DELIVRD", out);
            }
            3 => taken(3, sequence, out),
            4 => {
                taken(4, sequence, out);
                receipt(4, "UNDELIV", out);
            }
            _ => {
                receipt(99, "DELIVRD", out);
                let refusal = Pdu::SubmitSmResp(SmResp::default());
                refusal.encode(Status::RTHROTTLED, sequence, out);
            }
        })
    };
    let report = smpp::run(&options).unwrap();
    let submits = &report.operations["submit_sm"];
    assert_eq!((submits.count, submits.ok), (5, 4));
    assert_eq!(submits.errors[&Status::RTHROTTLED.to_string()], 1);
    let faults: Vec<(&str, u64)> = report.operations["receipt"]
        .errors
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    let expected = [
        ("UNDELIV", 1),
        ("doubled", 1),
        ("missing", 1),
        ("unknown id", 1),
    ];
    assert_eq!(faults, expected);
    assert_eq!(report.operations["receipt"].ok, 3);
    assert!(!report.is_clean());
}

#[test]
fn a_connection_that_falls_is_no_measurement() {
    let options = Options {
        binds: 1,
        limit: Limit::Count(10),
        ..scripted(|_, _, out| out.extend_from_slice(&[0, 0, 0, 1]))
    };
    let error = smpp::run(&options).unwrap_err().to_string();
    assert!(error.contains("command_length"), "{error}");
}

#[test]
fn idle_binds_show_what_a_server_holds() {
    let options = Options {
        binds: 20,
        server_pids: vec![std::process::id()],
        ..null_server(Receipts::Never)
    };
    let idle = smpp::idle(&options, Duration::ZERO).unwrap();
    assert_eq!(idle.binds, 20);
    assert!(idle.bound_kib > 0);
}
