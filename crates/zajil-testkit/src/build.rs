//! Makers of what tests hand in: the fields a test is about, plain values for the rest.
//!
//! They panic on values that cannot exist: the test is wrong then.
#![expect(
    clippy::panic,
    reason = "a test that asks for an impossible value must fail"
)]

use zajil_core::frontend::{FrontendName, FrontendType, Registration};
use zajil_core::location::Sighting;
use zajil_core::message::TransferFields;
use zajil_core::number::Given;
use zajil_core::port::Submission;
use zajil_core::route::{Action, Charged, Followers, Priority, Terms, Weight};

/// The frontend name `text`.
#[must_use]
pub fn name(text: &str) -> FrontendName {
    FrontendName::parse(text).unwrap_or_else(|error| panic!("frontend name '{text}' {error}"))
}

/// The number `text` as a door hands it in.
#[must_use]
pub fn given(text: &str) -> Given {
    Given::parse(text).unwrap_or_else(|error| panic!("number '{text}' {error}"))
}

/// A text message; an empty `from` means without a sender.
#[must_use]
pub fn submission(from: &str, to: &str, body: &str) -> Submission {
    Submission {
        source: (!from.is_empty()).then(|| given(from)),
        destination: given(to),
        body: body.to_owned(),
        source_smsc: None,
        source_type: None,
        dest_smsc: None,
        source_imsi: None,
        dest_imsi: None,
        parts: None,
        part_number: None,
        tp: TransferFields::default(),
        send_time: None,
        expires: None,
        deliver_after: None,
        raw_pdu: None,
        raw_data: false,
        raw_sip: false,
        dedupe: None,
        origin: None,
    }
}

/// An enabled route for called numbers that begin with `called_prefix`; empty means any.
#[must_use]
pub fn route(called_prefix: &str, action: Action) -> Terms {
    Terms {
        calling_prefix: None,
        called_prefix: (!called_prefix.is_empty()).then(|| called_prefix.to_owned()),
        source_smsc: None,
        source_type: None,
        enum_domain: None,
        action,
        followers: Followers::default(),
        charged: Charged::AsConfigured,
        weight: Weight::default(),
        priority: Priority::default(),
        description: None,
        enabled: true,
    }
}

/// The registration of an HTTP frontend that says nothing else of itself.
#[must_use]
pub fn registration(frontend: &str) -> Registration {
    Registration {
        name: name(frontend),
        kind: FrontendType::Http,
        ip_address: None,
        hostname: None,
        uptime_seconds: None,
        configuration: None,
    }
}

/// A subscriber reached through `frontend`.
#[must_use]
pub fn sighting(imsi: &str, msisdn: &str, frontend: &str) -> Sighting {
    Sighting {
        imsi: Some(imsi.to_owned()),
        msisdn: Some(msisdn.to_owned()),
        location: Some(name(frontend)),
        ..Sighting::default()
    }
}
