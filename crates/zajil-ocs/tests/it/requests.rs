//! What is sent, to the letter (S7.2, D14).

use expect_test::{Expect, expect};
use zajil_core::charge::{Call, Mode};
use zajil_core::port::Charger;
use zajil_ocs::{Client, Error, Options, Refund};
use zajil_testkit::fake::ocs::FakeOcs;

use crate::fixture::{ACCOUNT, call, charge, client, options};

/// The one request that a fresh client sends for a charge.
async fn check(change: impl FnOnce(&mut Options), call: &Call, expected: Expect) {
    let fake = FakeOcs::start().await;
    fake.set_unlimited(ACCOUNT);
    let mut options = options(&fake, Mode::Authorize);
    change(&mut options);
    drop(client(options).charge(call).await);
    expected.assert_eq(&sent(&fake));
}

fn sent(fake: &FakeOcs) -> String {
    let calls = fake.calls();
    let [call] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    serde_json::to_string_pretty(&call.request).unwrap()
}

#[tokio::test]
async fn s7_2_authorize_as_sent() {
    check(
        |_| (),
        &call(7, 2),
        expect![[r#"
        {
          "id": 1,
          "jsonrpc": "2.0",
          "method": "SessionSv1.AuthorizeEvent",
          "params": [
            {
              "APIOpts": {},
              "Event": {
                "Account": "15551230001",
                "AnswerTime": "2026-11-23T10:00:00Z",
                "Category": "sms",
                "Destination": "15551230002",
                "OriginHost": "smsc-1",
                "OriginID": "7",
                "RequestType": "*prepaid",
                "SetupTime": "2026-11-23T10:00:00Z",
                "Source": "zajil",
                "Subject": "15551230001",
                "Tenant": "cgrates.org",
                "ToR": "*sms",
                "Usage": 2
              },
              "ForceDuration": true,
              "GetMaxUsage": true,
              "ID": "auth-7",
              "Tenant": "cgrates.org"
            }
          ]
        }"#]],
    )
    .await;
}

#[tokio::test]
async fn d14_debit_as_sent() {
    let change = |options: &mut Options| {
        options.mode = Mode::Debit;
        options.attributes = true;
        options.tenant = "tenant".into();
        options.category = "sms_a2p".into();
        options.account = Some("smsc:{source_smsc}".into());
        options.subject = Some("premium".into());
        options.destination = Some("+{called}".into());
        options.source = Some("{source_smsc}".into());
    };
    check(
        change,
        &call(8, 3),
        expect![[r#"
        {
          "id": 1,
          "jsonrpc": "2.0",
          "method": "SessionSv1.ProcessMessage",
          "params": [
            {
              "APIOpts": {},
              "Debit": true,
              "Event": {
                "Account": "smsc:bulk",
                "AnswerTime": "2026-11-23T10:00:00Z",
                "Category": "sms_a2p",
                "Destination": "+15551230002",
                "OriginHost": "smsc-1",
                "OriginID": "8",
                "RequestType": "*prepaid",
                "SetupTime": "2026-11-23T10:00:00Z",
                "Source": "bulk",
                "Subject": "premium",
                "Tenant": "tenant",
                "ToR": "*sms",
                "Usage": 3
              },
              "ForceDuration": true,
              "GetAttributes": true,
              "ID": "chg-8",
              "Tenant": "tenant"
            }
          ]
        }"#]],
    )
    .await;
}

#[tokio::test]
async fn d14_refunds_as_sent() {
    for (way, expected) in [
        (
            Refund::Balance,
            expect![[r#"
            {
              "id": 1,
              "jsonrpc": "2.0",
              "method": "APIerSv1.AddBalance",
              "params": [
                {
                  "Account": "15551230001",
                  "Balance": {
                    "ID": "refund-9"
                  },
                  "BalanceType": "*sms",
                  "Tenant": "cgrates.org",
                  "Value": 2
                }
              ]
            }"#]],
        ),
        (
            Refund::Cdr,
            expect![[r#"
            {
              "id": 1,
              "jsonrpc": "2.0",
              "method": "CDRsV1.ProcessEvent",
              "params": [
                {
                  "APIOpts": {},
                  "Event": {
                    "Account": "15551230001",
                    "AnswerTime": "2026-11-23T10:00:00Z",
                    "Category": "sms",
                    "Destination": "15551230002",
                    "OriginHost": "smsc-1",
                    "OriginID": "9",
                    "RequestType": "*prepaid",
                    "RunID": "*default",
                    "SetupTime": "2026-11-23T10:00:00Z",
                    "Source": "zajil",
                    "Subject": "15551230001",
                    "Tenant": "cgrates.org",
                    "ToR": "*sms",
                    "Usage": 2
                  },
                  "Flags": [
                    "*refund"
                  ],
                  "ID": "refund-9",
                  "Tenant": "cgrates.org"
                }
              ]
            }"#]],
        ),
    ] {
        let fake = FakeOcs::start().await;
        let mut options = options(&fake, Mode::Debit);
        options.refund = way;
        client(options).refund(&call(9, 2)).await.unwrap();
        expected.assert_eq(&sent(&fake));
        assert_eq!(Refund::parse(way.as_str()), Some(way));
    }
}

#[tokio::test]
async fn s7_2_ping_as_sent() {
    let fake = FakeOcs::start().await;
    let client = client(options(&fake, Mode::Debit));
    client.health().await.unwrap();
    expect![[r#"
        {
          "id": 1,
          "jsonrpc": "2.0",
          "method": "SessionSv1.Ping",
          "params": [
            {}
          ]
        }"#]]
    .assert_eq(&sent(&fake));
}

#[tokio::test]
async fn d14_identifiers_differ_by_message_and_not_by_attempt() {
    let fake = FakeOcs::start().await;
    fake.set_balance(ACCOUNT, 100);
    for mode in Mode::ALL {
        let client = client(options(&fake, mode));
        for id in [1, 2, 1] {
            charge(&client, &call(id, 1)).await;
        }
    }
    let ids: Vec<String> = fake.calls().into_iter().map(|call| call.id).collect();
    assert_eq!(
        ids,
        ["auth-1", "auth-2", "auth-1", "chg-1", "chg-2", "chg-1"]
    );
}

#[tokio::test]
async fn s7_1_user_and_password_go_into_the_header() {
    let fake = FakeOcs::start().await;
    fake.set_unlimited(ACCOUNT);
    for (user, header) in [
        ("", None),
        ("ocs:secret@", Some("Basic b2NzOnNlY3JldA==")),
        ("ocs:p%40ss@", Some("Basic b2NzOnBAc3M=")),
    ] {
        let mut options = options(&fake, Mode::Authorize);
        options.url = options.url.replace("http://", &format!("http://{user}"));
        assert!(!format!("{options:?}").contains("p%40ss"), "{options:?}");
        let client = client(options);
        assert!(!format!("{client:?}").contains("p%40ss"), "{client:?}");
        assert_eq!(charge(&client, &call(1, 1)).await, "granted");
        let calls = fake.calls();
        let last = calls.last().unwrap();
        assert_eq!(last.authorization.as_deref(), header);
        assert_eq!(last.path, "/jsonrpc");
    }
}

#[test]
fn s7_1_options_that_cannot_be_used_are_named() {
    let telemetry = || zajil_telemetry::Telemetry::new().unwrap().into();
    let url = |url: &str| Options::new(url, "n");
    let account = |text: &str| Options {
        account: Some(text.into()),
        ..url("http://h")
    };
    let ca_file = |path: &str| Options {
        ca_file: Some(path.into()),
        ..url("https://h")
    };
    for (options, sentence) in [
        (url("no url"), "ocs_url: it is not a URL"),
        (
            url("host:2080"),
            "ocs_url: it must begin with http:// or https://",
        ),
        (
            url("ftp://host"),
            "ocs_url: it must begin with http:// or https://",
        ),
        (
            account("{imsi}"),
            "ocs_account: '{imsi}' may hold {calling}, {called} and {source_smsc} only",
        ),
        (
            ca_file("Cargo.toml"),
            "certificates for ocs_url: there are none",
        ),
    ] {
        let got: Error = Client::new(options, telemetry()).unwrap_err();
        assert_eq!(got.to_string(), sentence);
    }
    Client::new(url("http://[::1]:2080/jsonrpc"), telemetry()).unwrap();
}
