//! What is sent: one JSON object a call, its identifiers the same however often it is sent (D14).

use serde_json::{Value, json};
use zajil_core::charge::{Call, Mode};
use zajil_core::clock::Timestamp;

use crate::options::{Error, Options, Refund};
use crate::template::Template;

/// A method and its one parameter.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl Request {
    pub(crate) fn ping() -> Self {
        Self {
            method: "SessionSv1.Ping",
            params: json!({}),
        }
    }

    /// The body of the POST.
    pub(crate) fn envelope(&self, id: u64) -> String {
        json!({"jsonrpc": "2.0", "id": id, "method": self.method, "params": [self.params]})
            .to_string()
    }
}

/// Makes requests of charges.
#[derive(Debug)]
pub(crate) struct Maker {
    tenant: String,
    account: Template,
    subject: Template,
    destination: Template,
    source: Template,
    category: String,
    request_type: &'static str,
    attributes: bool,
    node: String,
}

impl Maker {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let template = |option, text: &Option<String>, default| {
            Template::parse(option, text.as_deref().unwrap_or(default))
        };
        Ok(Self {
            tenant: options.tenant.clone(),
            account: template("ocs_account", &options.account, "{calling}")?,
            subject: template("ocs_subject", &options.subject, "{calling}")?,
            destination: template("ocs_destination", &options.destination, "{called}")?,
            source: template("ocs_source", &options.source, "zajil")?,
            category: options.category.clone(),
            request_type: options.request_type.as_str(),
            attributes: options.attributes,
            node: options.node.clone(),
        })
    }

    /// Who pays; empty when the message does not say.
    pub(crate) fn account(&self, call: &Call) -> String {
        self.account.fill(call)
    }

    pub(crate) fn charge(&self, mode: Mode, call: &Call) -> Request {
        // Without a `RequestType` everything is granted, without `GetMaxUsage` nothing is said, and
        // a debit without `ForceDuration` takes what there is and says no word.
        let (method, word) = match mode {
            Mode::Authorize => ("SessionSv1.AuthorizeEvent", "auth"),
            Mode::Debit => ("SessionSv1.ProcessMessage", "chg"),
        };
        let mut params = json!({
            "Tenant": self.tenant,
            "ID": format!("{word}-{}", call.message),
            "ForceDuration": true,
            "Event": self.event(call),
            "APIOpts": {},
        });
        match mode {
            Mode::Authorize => params["GetMaxUsage"] = json!(true),
            Mode::Debit => params["Debit"] = json!(true),
        }
        if self.attributes {
            params["GetAttributes"] = json!(true);
        }
        Request { method, params }
    }

    pub(crate) fn refund(&self, way: Refund, call: &Call) -> Request {
        let id = format!("refund-{}", call.message);
        match way {
            Refund::Balance => Request {
                method: "APIerSv1.AddBalance",
                params: json!({
                    "Tenant": self.tenant,
                    "Account": self.account(call),
                    "BalanceType": "*sms",
                    "Value": call.parts.get(),
                    "Balance": {"ID": id},
                }),
            },
            Refund::Cdr => {
                let mut event = self.event(call);
                // The run whose CDR is looked up; without it none is found.
                event["RunID"] = json!("*default");
                Request {
                    method: "CDRsV1.ProcessEvent",
                    params: json!({
                        "Flags": ["*refund"],
                        "Tenant": self.tenant,
                        "ID": id,
                        "Event": event,
                        "APIOpts": {},
                    }),
                }
            }
        }
    }

    fn event(&self, call: &Call) -> Value {
        let at = rfc3339(call.at);
        json!({
            "ToR": "*sms",
            "Category": self.category,
            "RequestType": self.request_type,
            "Tenant": self.tenant,
            "Account": self.account(call),
            "Subject": self.subject.fill(call),
            "Destination": self.destination.fill(call),
            "Source": self.source.fill(call),
            "OriginID": call.message.to_string(),
            "OriginHost": self.node,
            "SetupTime": at,
            "AnswerTime": at,
            "Usage": call.parts.get(),
        })
    }
}

/// The range of [`Timestamp`] lies within that of jiff.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .unwrap_or_default()
        .to_string()
}
