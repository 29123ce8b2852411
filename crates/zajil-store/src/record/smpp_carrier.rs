//! An SMPP carrier as a JSON object. Its password is in it as it is: a client must say it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use zajil_core::smpp::carrier::{
    BindMode, Carrier, DeliveredAt, ErrorKey, Handling, Host, Identity, Password, Plan, ReceiptIds,
    Tls, WithoutReceipt,
};
use zajil_core::smpp::{DefaultAlphabet, LongText};

use super::{Form, VERSION, damaged, decode, encode, name};
use crate::contract::Error;

/// Version 1.
#[derive(Serialize, Deserialize)]
struct CarrierForm {
    v: u32,
    name: String,
    enabled: bool,
    hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "TlsForm::is_none")]
    tls: TlsForm,
    system_id: String,
    password: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    system_type: String,
    version: u8,
    bind: String,
    binds: NonZeroU32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    address_range: String,
    #[serde(default, skip_serializing_if = "is_plain")]
    range_plan: [Option<u8>; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forced_sender: Option<String>,
    #[serde(default, skip_serializing_if = "is_plain")]
    source_plan: [Option<u8>; 2],
    #[serde(default, skip_serializing_if = "is_plain")]
    destination_plan: [Option<u8>; 2],
    alphabet: String,
    text_coding: u8,
    long_text: String,
    send_validity: bool,
    window: NonZeroU32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<NonZeroU32>,
    enquire_link_ms: u64,
    response_ms: u64,
    delivered_at: String,
    #[serde(default = "any_ids", skip_serializing_if = "is_any")]
    receipt_ids: String,
    receipt_timeout_ms: u64,
    without_receipt: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<String, String>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct TlsForm {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_path: Option<PathBuf>,
}

impl TlsForm {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn new(tls: &Tls) -> Self {
        let identity = tls.identity.as_ref();
        Self {
            enabled: tls.enabled,
            server_name: tls.server_name.clone(),
            ca_path: tls.ca_path.clone(),
            cert_path: identity.map(|own| own.cert_path.clone()),
            key_path: identity.map(|own| own.key_path.clone()),
        }
    }

    /// None when there is a certificate without a key, or a key without a certificate.
    fn read(self) -> Option<Tls> {
        let identity = match (self.cert_path, self.key_path) {
            (Some(cert_path), Some(key_path)) => Some(Identity {
                cert_path,
                key_path,
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(Tls {
            enabled: self.enabled,
            server_name: self.server_name,
            ca_path: self.ca_path,
            identity,
        })
    }
}

impl Form for CarrierForm {
    const WHAT: &'static str = "SMPP carrier";

    fn version(&self) -> u32 {
        self.v
    }
}

fn any_ids() -> String {
    ReceiptIds::Auto.as_str().to_owned()
}

fn is_any(word: &str) -> bool {
    word == ReceiptIds::Auto.as_str()
}

fn is_plain(plan: &[Option<u8>; 2]) -> bool {
    *plan == [None, None]
}

/// Writes a carrier.
#[must_use]
pub fn encode_smpp_carrier(carrier: &Carrier) -> String {
    let plan = |plan: Plan| [plan.ton, plan.npi];
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    encode(&CarrierForm {
        v: VERSION,
        name: carrier.name.to_string(),
        enabled: carrier.enabled,
        hosts: carrier.hosts.iter().map(Host::to_string).collect(),
        tls: TlsForm::new(&carrier.tls),
        system_id: carrier.system_id.clone(),
        password: carrier.password.reveal().to_owned(),
        system_type: carrier.system_type.clone(),
        version: carrier.version,
        bind: carrier.bind.as_str().to_owned(),
        binds: carrier.binds,
        address_range: carrier.address_range.clone(),
        range_plan: plan(carrier.range_plan),
        forced_sender: carrier.forced_sender.clone(),
        source_plan: plan(carrier.source_plan),
        destination_plan: plan(carrier.destination_plan),
        alphabet: carrier.alphabet.as_str().to_owned(),
        text_coding: carrier.text_coding,
        long_text: carrier.long_text.as_str().to_owned(),
        send_validity: carrier.send_validity,
        window: carrier.window,
        rate: carrier.rate,
        enquire_link_ms: millis(carrier.enquire_link),
        response_ms: millis(carrier.response),
        delivered_at: carrier.delivered_at.as_str().to_owned(),
        receipt_ids: carrier.receipt_ids.as_str().to_owned(),
        receipt_timeout_ms: millis(carrier.receipt_timeout),
        without_receipt: carrier.without_receipt.as_str().to_owned(),
        errors: carrier
            .errors
            .iter()
            .map(|(key, handling)| (key.to_string(), handling.as_str().to_owned()))
            .collect(),
    })
}

/// Reads a carrier.
///
/// # Errors
/// [`Error::Damaged`] when the text is not a carrier of a known version.
pub fn decode_smpp_carrier(text: &str) -> Result<Carrier, Error> {
    let form: CarrierForm = decode(text)?;
    let bad = |why: &'static str| damaged(CarrierForm::WHAT, why);
    let host = |text: &String| Host::parse(text).map_err(|why| damaged(CarrierForm::WHAT, why));
    let error = |(key, handling): (&String, &String)| {
        let key = ErrorKey::parse(key).map_err(|why| damaged(CarrierForm::WHAT, why))?;
        let handling = Handling::parse(handling).ok_or_else(|| bad("an unknown handling"))?;
        Ok::<_, Error>((key, handling))
    };
    let plan = |[ton, npi]: [Option<u8>; 2]| Plan { ton, npi };
    Ok(Carrier {
        name: name(CarrierForm::WHAT, &form.name)?,
        enabled: form.enabled,
        hosts: form.hosts.iter().map(host).collect::<Result<_, _>>()?,
        tls: form
            .tls
            .read()
            .ok_or_else(|| bad("a certificate and its key go together"))?,
        system_id: form.system_id,
        password: Password::new(form.password),
        system_type: form.system_type,
        version: form.version,
        bind: BindMode::parse(&form.bind).ok_or_else(|| bad("an unknown bind mode"))?,
        binds: form.binds,
        address_range: form.address_range,
        range_plan: plan(form.range_plan),
        forced_sender: form.forced_sender,
        source_plan: plan(form.source_plan),
        destination_plan: plan(form.destination_plan),
        alphabet: DefaultAlphabet::parse(&form.alphabet)
            .ok_or_else(|| bad("an unknown alphabet"))?,
        text_coding: form.text_coding,
        long_text: LongText::parse(&form.long_text)
            .ok_or_else(|| bad("an unknown way of long texts"))?,
        send_validity: form.send_validity,
        window: form.window,
        rate: form.rate,
        enquire_link: Duration::from_millis(form.enquire_link_ms),
        response: Duration::from_millis(form.response_ms),
        delivered_at: DeliveredAt::parse(&form.delivered_at)
            .ok_or_else(|| bad("an unknown meaning of delivered"))?,
        receipt_ids: ReceiptIds::parse(&form.receipt_ids)
            .ok_or_else(|| bad("an unknown form of ids"))?,
        receipt_timeout: Duration::from_millis(form.receipt_timeout_ms),
        without_receipt: WithoutReceipt::parse(&form.without_receipt)
            .ok_or_else(|| bad("an unknown end without a receipt"))?,
        errors: form.errors.iter().map(error).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 has written it; a reader of later versions must still read it.
    #[test]
    fn version_1_is_read() {
        let text = [
            r#"{"v":1,"name":"up","enabled":true,"hosts":["smsc.example.net:2775"],"#,
            r#""system_id":"zajil","password":"secret08","version":52,"bind":"pair","binds":2,"#,
            r#""destination_plan":[1,null],"alphabet":"latin1","text_coding":3,"long_text":"sar","#,
            r#""send_validity":true,"window":10,"rate":50,"enquire_link_ms":30000,"#,
            r#""response_ms":10000,"delivered_at":"receipt","receipt_timeout_ms":1000,"#,
            r#""without_receipt":"again","errors":{"0x45":"temporary","receipt:11":"absent"}}"#,
        ]
        .concat();
        let carrier = decode_smpp_carrier(&text).unwrap();
        assert_eq!(carrier.bind, BindMode::Pair);
        assert_eq!(carrier.destination_plan.ton, Some(1));
        assert_eq!(carrier.password.reveal(), "secret08");
        assert_eq!(carrier.receipt_ids, ReceiptIds::Auto);
        assert_eq!(encode_smpp_carrier(&carrier), text);
        let set = Carrier {
            receipt_ids: ReceiptIds::HexThenDecimal,
            tls: Tls {
                enabled: true,
                server_name: Some("smsc.example.net".to_owned()),
                ca_path: Some("/etc/zajil/ca.pem".into()),
                identity: Some(Identity {
                    cert_path: "/etc/zajil/own.pem".into(),
                    key_path: "/etc/zajil/own.key".into(),
                }),
            },
            ..carrier
        };
        assert_eq!(
            decode_smpp_carrier(&encode_smpp_carrier(&set)).unwrap(),
            set
        );
    }
}
