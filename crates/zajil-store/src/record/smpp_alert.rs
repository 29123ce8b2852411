//! Who wants to know when a subscriber can be reached again.

use serde::{Deserialize, Serialize};

use zajil_core::clock::Timestamp;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::smpp::Named;

use super::receipt::{NamedForm, named, read_named};
use super::{Form, VERSION, damaged, decode, encode, name};
use crate::contract::Error;

/// An application that asked for an alert with a submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmppAlert {
    /// The application's account.
    pub account: FrontendName,
    /// The subscriber, as it was named.
    pub subscriber: Named,
    /// The sender of the submit, as it was named.
    pub application: Named,
    /// The messages, at least one: of one that is delivered nobody needs an alert.
    pub messages: Vec<MessageId>,
    /// Nobody waits any longer after this.
    pub until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct OneForm {
    account: String,
    subscriber: NamedForm,
    application: NamedForm,
    message: u64,
    /// More messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

/// Version 1.
#[derive(Serialize, Deserialize)]
struct AlertsForm {
    v: u32,
    alerts: Vec<OneForm>,
}

impl Form for AlertsForm {
    const WHAT: &'static str = "alerts";

    fn version(&self) -> u32 {
        self.v
    }
}

/// Writes who wants to know of one subscriber; who waits for no message is left out.
#[must_use]
pub fn encode_smpp_alerts(alerts: &[SmppAlert]) -> String {
    let one = |alert: &SmppAlert| {
        let (first, also) = alert.messages.split_first()?;
        Some(OneForm {
            account: alert.account.to_string(),
            subscriber: named(&alert.subscriber),
            application: named(&alert.application),
            message: first.get(),
            also: also.iter().map(|id| id.get()).collect(),
            until: alert.until.map(Timestamp::millis),
        })
    };
    encode(&AlertsForm {
        v: VERSION,
        alerts: alerts.iter().filter_map(one).collect(),
    })
}

/// Reads who wants to know of one subscriber.
///
/// # Errors
/// [`Error::Damaged`] when the text is none of a known version.
pub fn decode_smpp_alerts(text: &str) -> Result<Vec<SmppAlert>, Error> {
    const WHAT: &str = AlertsForm::WHAT;
    let form: AlertsForm = decode(text)?;
    let one = |form: OneForm| {
        Ok(SmppAlert {
            account: name(WHAT, &form.account)?,
            subscriber: read_named(form.subscriber),
            application: read_named(form.application),
            messages: std::iter::once(form.message)
                .chain(form.also)
                .map(|id| MessageId::new(id).map_err(|_| damaged(WHAT, "not a message id")))
                .collect::<Result<_, _>>()?,
            until: form.until.map(Timestamp::from_millis),
        })
    };
    form.alerts.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 has written them; a reader of later versions must still read them.
    #[test]
    fn version_1_is_read() {
        let text = [
            r#"{"v":1,"alerts":[{"account":"shop","subscriber":[1,1,"46709771337"],"#,
            r#""application":[5,0,"SHOP"],"message":7}]}"#,
        ]
        .concat();
        let text = text.as_str();
        let alerts = decode_smpp_alerts(text).unwrap();
        assert_eq!(alerts[0].account.as_str(), "shop");
        assert_eq!(alerts[0].subscriber.ton, 1);
        assert_eq!(alerts[0].messages, [MessageId::new(7).unwrap()]);
        assert_eq!(encode_smpp_alerts(&alerts), text);
        let text = text.replace("7}", r#"7,"also":[8,9],"until":1000}"#);
        let alerts = decode_smpp_alerts(&text).unwrap();
        assert_eq!(alerts[0].messages.len(), 3);
        assert_eq!(alerts[0].until, Some(Timestamp::from_secs(1)));
        assert_eq!(encode_smpp_alerts(&alerts), text);
        assert!(decode_smpp_alerts(r#"{"v":1,"alerts":[{}]}"#).is_err());
    }
}
