//! What each answer means: the table of CGRateS' answers (S7.2, D14).

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_core::charge::Mode;
use zajil_ocs::RequestType;
use zajil_testkit::fake::ocs::{Behaviour, FakeOcs};

use crate::fixture::{ACCOUNT, SHORT, call, charge, client, options, why};

const UNTOUCHED: &str = "failed Untouched";
const UNKNOWN: &str = "failed Unknown";
const NO_CREDIT: &str = "refused NoCredit";

/// Charges a message of three parts, in both modes.
async fn check(behaviour: Behaviour, timeout: Option<Duration>, expected: [&str; 2]) {
    for (mode, expected) in [Mode::Authorize, Mode::Debit].into_iter().zip(expected) {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 10);
        fake.behave(behaviour.clone());
        let mut options = options(&fake, mode);
        options.timeout = timeout.unwrap_or(options.timeout);
        let client = client(options);
        let got = charge(&client, &call(7, 3)).await;
        assert_eq!(got, expected, "{mode:?} {behaviour:?}");
        if mode == Mode::Debit {
            let sent = fake.calls_of("SessionSv1.ProcessMessage").len();
            assert_eq!(sent, 1, "a debit is sent once: {behaviour:?}");
        }
    }
}

fn says(result: Value) -> Behaviour {
    Behaviour::Says(result)
}

#[tokio::test]
async fn s7_2_max_usage_is_what_is_granted() {
    for (result, expected) in [
        (json!({"MaxUsage": 3}), ["granted"; 2]),
        (json!({"MaxUsage": 4}), ["granted"; 2]),
        (json!({"MaxUsage": -1}), ["granted"; 2]),
        (json!({"MaxUsage": -7}), ["granted"; 2]),
        (json!({"MaxUsage": 3.0}), ["granted"; 2]),
        (json!({"MaxUsage": "3"}), ["granted"; 2]),
        (
            json!({"MaxUsage": 3, "Attributes": {"x": 1}}),
            ["granted"; 2],
        ),
        (json!({"MaxUsage": {"*raw": 3, "run": 9}}), ["granted"; 2]),
        (json!({"MaxUsage": {"*raw": -1}}), ["granted"; 2]),
        (json!({"MaxUsage": 0}), [NO_CREDIT; 2]),
        (json!({"MaxUsage": 2}), [NO_CREDIT; 2]),
        (json!({"MaxUsage": {"*raw": 0}}), [NO_CREDIT; 2]),
        (json!({"MaxUsage": {"*raw": 2, "run": 9}}), [NO_CREDIT; 2]),
        (json!({}), [UNTOUCHED, UNKNOWN]),
        (json!({"MaxUsage": null}), [UNTOUCHED, UNKNOWN]),
        (json!({"MaxUsage": {"run": 3}}), [UNTOUCHED, UNKNOWN]),
        (json!({"MaxUsage": "many"}), [UNTOUCHED, UNKNOWN]),
        (json!("OK"), [UNTOUCHED, UNKNOWN]),
        (Value::Null, [UNTOUCHED, UNKNOWN]),
    ] {
        check(says(result), None, expected).await;
    }
}

#[tokio::test]
async fn s7_2_errors_arrive_with_http_200_and_mean_this() {
    for (error, expected) in [
        ("RALS_ERROR:INSUFFICIENT_CREDIT", [NO_CREDIT; 2]),
        (
            "RALS_ERROR:INSUFFICIENT_CREDIT_BALANCE_BLOCKER",
            [NO_CREDIT; 2],
        ),
        (
            "RALS_ERROR:ACCOUNT_NOT_FOUND",
            ["refused UnknownAccount"; 2],
        ),
        (
            "RALS_ERROR:ACCOUNT_DISABLED",
            ["refused DisabledAccount"; 2],
        ),
        (
            "RALS_ERROR:UNAUTHORIZED_DESTINATION",
            ["refused BarredDestination"; 2],
        ),
        ("RALS_ERROR:RATING_PLAN_NOT_FOUND", ["refused NoTariff"; 2]),
        ("RALS_ERROR:MAX_USAGE_EXCEEDED", [UNTOUCHED; 2]),
        ("CHARGERS_ERROR:NOT_FOUND", [UNTOUCHED; 2]),
        ("ATTRIBUTES_ERROR:NOT_CONNECTED: AttributeS", [UNTOUCHED; 2]),
        ("MANDATORY_IE_MISSING: [Subsystems]", [UNTOUCHED; 2]),
        ("NOT_CONNECTED: RALs", [UNTOUCHED; 2]),
        ("MAX_CONCURRENT_RPC_EXCEEDED", [UNTOUCHED; 2]),
        (
            "rpc: can't find service SessionSv1.ProcessMessage",
            [UNTOUCHED; 2],
        ),
        ("PARTIALLY_EXECUTED", [UNTOUCHED, UNKNOWN]),
        ("SERVER_ERROR: REPLY_TIMEOUT", [UNTOUCHED, UNKNOWN]),
        ("PARTIALLY_EXECUTED: NOT_CONNECTED", [UNTOUCHED, UNKNOWN]),
        (
            "PARTIALLY_EXECUTED: INSUFFICIENT_CREDIT",
            [UNTOUCHED, UNKNOWN],
        ),
        ("SERVER_ERROR: something new", [UNTOUCHED, UNKNOWN]),
        ("", [UNTOUCHED, UNKNOWN]),
    ] {
        check(Behaviour::Fails(error.into()), None, expected).await;
    }
}

#[tokio::test]
async fn d14_what_is_no_answer_leaves_a_debit_unknown() {
    for (behaviour, expected) in [
        (Behaviour::Garbage, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Huge, [UNTOUCHED, UNKNOWN]),
        (Behaviour::WrongId, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Truncate, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Reset, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Close, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Ignore, [UNTOUCHED, UNKNOWN]),
        (Behaviour::Status(500), [UNTOUCHED, UNKNOWN]),
        (Behaviour::Status(502), [UNTOUCHED, UNKNOWN]),
        (Behaviour::Status(204), [UNTOUCHED, UNKNOWN]),
        (Behaviour::Status(408), [UNTOUCHED, UNKNOWN]),
        (Behaviour::Status(301), [UNTOUCHED; 2]),
        (Behaviour::Status(401), [UNTOUCHED; 2]),
        (Behaviour::Status(404), [UNTOUCHED; 2]),
    ] {
        check(behaviour, None, expected).await;
    }
}

#[tokio::test]
async fn d14_an_answer_without_end_is_not_read_to_it() {
    let fake = FakeOcs::start().await;
    fake.behave(Behaviour::Huge);
    let client = client(options(&fake, Mode::Authorize));
    let why = why(&client, &call(7, 3)).await;
    assert!(why.contains("limit exceeded"), "{why}");
}

#[tokio::test]
async fn d14_time_runs_out_within_the_limit() {
    for behaviour in [Behaviour::Stall, Behaviour::Drip, Behaviour::Hold] {
        let begun = tokio::time::Instant::now();
        check(behaviour, Some(SHORT), [UNTOUCHED, UNKNOWN]).await;
        let took = begun.elapsed();
        assert!(took >= SHORT * 2 && took < SHORT * 20, "{took:?}");
    }
}

#[tokio::test]
async fn d14_the_account_decides() {
    for (mode, balance, parts, expected, left) in [
        (Mode::Authorize, 3, 3, "granted", 3),
        (Mode::Authorize, 2, 3, NO_CREDIT, 2),
        (Mode::Authorize, 0, 1, NO_CREDIT, 0),
        (Mode::Debit, 3, 3, "granted", 0),
        (Mode::Debit, 5, 3, "granted", 2),
        (Mode::Debit, 2, 3, NO_CREDIT, 2),
        (Mode::Debit, 0, 1, NO_CREDIT, 0),
    ] {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, balance);
        let client = client(options(&fake, mode));
        let got = charge(&client, &call(7, parts)).await;
        assert_eq!(got, expected, "{mode:?} {parts} of {balance}");
        assert_eq!(fake.balance(ACCOUNT), left, "{mode:?} {parts} of {balance}");
    }
}

#[tokio::test]
async fn d14_the_state_of_the_account_decides() {
    for mode in Mode::ALL {
        let fake = FakeOcs::start().await;
        let client = client(options(&fake, mode));
        assert_eq!(charge(&client, &call(1, 1)).await, "refused UnknownAccount");
        fake.set_unlimited(ACCOUNT);
        assert_eq!(charge(&client, &call(2, 9)).await, "granted");
        fake.bar("1555");
        assert_eq!(
            charge(&client, &call(3, 1)).await,
            "refused BarredDestination"
        );
        fake.disable(ACCOUNT);
        assert_eq!(
            charge(&client, &call(4, 1)).await,
            "refused DisabledAccount"
        );
        let mut nobody = call(5, 1);
        nobody.calling.clear();
        assert_eq!(charge(&client, &nobody).await, "refused UnknownAccount");
        assert_eq!(fake.calls().len(), 4, "without an account nobody is asked");
    }
}

#[tokio::test]
async fn d14_answers_of_0_10_are_understood() {
    for mode in Mode::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 4);
        fake.behave(Behaviour::MapForm);
        let client = client(options(&fake, mode));
        assert_eq!(charge(&client, &call(1, 3)).await, "granted");
        assert_eq!(charge(&client, &call(2, 5)).await, NO_CREDIT);
    }
}

#[tokio::test]
async fn d14_every_request_type_is_sent_and_only_prepaid_pays() {
    for kind in RequestType::ALL {
        let fake = FakeOcs::start().await;
        fake.set_balance(ACCOUNT, 3);
        let mut options = options(&fake, Mode::Debit);
        options.request_type = kind;
        let client = client(options);
        assert_eq!(charge(&client, &call(1, 3)).await, "granted", "{kind:?}");
        let sent = &fake.calls()[0].params["Event"]["RequestType"];
        assert_eq!(sent, kind.as_str());
        let paid = if kind == RequestType::Prepaid { 3 } else { 0 };
        assert_eq!(fake.debited(ACCOUNT), paid, "{kind:?}");
        assert_eq!(RequestType::parse(kind.as_str()), Some(kind));
    }
}

#[tokio::test]
async fn s7_2_health_is_a_pong() {
    let fake = FakeOcs::start().await;
    let client = client(options(&fake, Mode::Authorize));
    let health = || zajil_core::port::Charger::health(&client);
    health().await.unwrap();
    assert_eq!(fake.calls()[0].method, "SessionSv1.Ping");
    for (behaviour, sentence) in [
        (says(json!("Ping")), "did not answer a ping with Pong"),
        (
            Behaviour::Fails("NOT_CONNECTED".into()),
            "answered a ping with NOT_CONNECTED",
        ),
        (Behaviour::Status(401), "answered HTTP 401"),
        (Behaviour::Garbage, "is not JSON"),
        (Behaviour::Close, "closed"),
    ] {
        fake.behave(behaviour);
        let got = health().await.unwrap_err();
        assert!(got.contains(sentence), "{got}");
    }
    fake.refuse();
    let got = health().await.unwrap_err();
    assert!(got.contains("no connection to 127.0.0.1:"), "{got}");
}

/// What is logged, for a test to read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn d14_a_part_that_was_taken_is_logged_for_somebody_to_act() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fake = FakeOcs::start().await;
    for (mode, granted, logged) in [
        (Mode::Authorize, 2, false),
        (Mode::Debit, 0, false),
        (Mode::Debit, 2, true),
    ] {
        fake.behave(says(json!({"MaxUsage": granted})));
        let client = client(options(&fake, mode));
        assert_eq!(charge(&client, &call(7, 3)).await, NO_CREDIT);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let found = text.contains("ERROR") && text.contains("id=7 asked=3 taken=2");
        assert_eq!(found, logged, "{text}");
    }
}
