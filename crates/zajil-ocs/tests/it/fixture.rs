//! A client of a stand-in, a message to charge, and a verdict in two words.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::charge::{Call, Failed, Mode, Verdict};
use zajil_core::clock::Timestamp;
use zajil_core::id::MessageId;
use zajil_core::port::Charger;
use zajil_ocs::{Client, Options};
use zajil_telemetry::Telemetry;
use zajil_testkit::fake::ocs::FakeOcs;

/// The account of [`call`].
pub(crate) const ACCOUNT: &str = "15551230001";
/// Short enough to wait for, where the test is about running out of time.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
/// Long enough for a busy machine, where it is not.
const LONG: Duration = Duration::from_secs(20);

pub(crate) fn options(fake: &FakeOcs, mode: Mode) -> Options {
    Options {
        mode,
        timeout: LONG,
        ..Options::new(fake.url(), "smsc-1")
    }
}

pub(crate) fn client(options: Options) -> Client {
    client_and_telemetry(options).0
}

pub(crate) fn client_and_telemetry(options: Options) -> (Client, Arc<Telemetry>) {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let client = Client::new(options, Arc::clone(&telemetry)).unwrap();
    (client, telemetry)
}

/// A message of `parts` parts from [`ACCOUNT`].
pub(crate) fn call(id: u64, parts: u32) -> Call {
    Call {
        message: MessageId::new(id).unwrap(),
        calling: format!("+{ACCOUNT}"),
        called: "+15551230002".into(),
        source_smsc: Some("bulk".into()),
        parts: NonZeroU32::new(parts).unwrap(),
        at: Timestamp::from_secs(1_795_428_000),
    }
}

pub(crate) async fn charge(client: &Client, call: &Call) -> String {
    shown(&client.charge(call).await)
}

pub(crate) fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Granted => "granted".into(),
        Verdict::Refused(refused) => format!("refused {refused:?}"),
        Verdict::Failed(Failed { money, .. }) => format!("failed {money:?}"),
    }
}

/// Why a charge failed.
pub(crate) async fn why(client: &Client, call: &Call) -> String {
    match client.charge(call).await {
        Verdict::Failed(Failed { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

/// Waits until `holds`; a test that waits in vain fails.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(LONG, wait).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}
