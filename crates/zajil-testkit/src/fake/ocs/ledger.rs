//! The accounts of the stand-in, and what each method answers about them.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

/// A call's `result`, or its `error`.
pub(super) type Reply = Result<Value, String>;

/// Above this CGRateS answers `MAX_USAGE_EXCEEDED`.
const MOST_USAGE: i64 = 10_000;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Limited,
    /// `AllowNegative`.
    Unlimited,
    Disabled,
}

#[derive(Debug, Default)]
struct Account {
    state: State,
    balance: i64,
    debited: i64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    accounts: HashMap<String, Account>,
    barred: Vec<String>,
    /// What each event (`OriginID`, `OriginHost`) took, and from whom.
    taken: HashMap<(String, String), (String, i64)>,
    /// Events that were given back: the CDR exists.
    returned: HashSet<(String, String)>,
}

impl Ledger {
    pub(super) fn set_balance(&mut self, account: &str, units: i64) {
        let account = self.accounts.entry(account.to_owned()).or_default();
        account.state = State::Limited;
        account.balance = units;
    }

    pub(super) fn set_unlimited(&mut self, account: &str) {
        self.accounts.entry(account.to_owned()).or_default().state = State::Unlimited;
    }

    pub(super) fn disable(&mut self, account: &str) {
        self.accounts.entry(account.to_owned()).or_default().state = State::Disabled;
    }

    pub(super) fn bar(&mut self, prefix: &str) {
        self.barred.push(prefix.to_owned());
    }

    pub(super) fn balance(&self, account: &str) -> i64 {
        self.accounts.get(account).map_or(0, |found| found.balance)
    }

    pub(super) fn debited(&self, account: &str) -> i64 {
        self.accounts.get(account).map_or(0, |found| found.debited)
    }

    /// Carries a call out.
    pub(super) fn answer(&mut self, method: &str, params: &Value) -> Reply {
        match method {
            "SessionSv1.Ping" | "CoreSv1.Ping" | "CDRsV1.Ping" => Ok(json!("Pong")),
            "SessionSv1.AuthorizeEvent" => self.authorize(params),
            "SessionSv1.ProcessMessage" => self.process_message(params),
            "CDRsV1.ProcessEvent" => self.process_cdr(params),
            "APIerSv1.AddBalance" => self.add_balance(params),
            other => Err(format!("rpc: can't find service {other}")),
        }
    }

    fn authorize(&mut self, params: &Value) -> Reply {
        let asked = [
            "GetAttributes",
            "AuthorizeResources",
            "AuthorizeIP",
            "GetMaxUsage",
            "GetRoutes",
            "GetSuppliers",
        ];
        if !asked.iter().any(|flag| is_set(params, flag)) {
            return Err("MANDATORY_IE_MISSING: [Subsystems]".to_owned());
        }
        if !is_set(params, "GetMaxUsage") {
            return Ok(json!({}));
        }
        let event = Event::read(params)?;
        Ok(json!({"MaxUsage": self.affordable(&event)?}))
    }

    fn process_message(&mut self, params: &Value) -> Reply {
        if !is_set(params, "Debit") {
            return Ok(json!({}));
        }
        let event = Event::read(params)?;
        let affordable = self.affordable(&event)?;
        let granted = match affordable {
            -1 => event.usage,
            part if part < event.usage && is_set(params, "ForceDuration") => {
                return Err("RALS_ERROR:INSUFFICIENT_CREDIT".to_owned());
            }
            part => part,
        };
        if event.moves_money() {
            let account = self.accounts.entry(event.account.clone()).or_default();
            account.balance -= granted;
            account.debited += granted;
            self.taken.insert(event.origin, (event.account, granted));
        }
        Ok(json!({"MaxUsage": affordable}))
    }

    /// How many of the asked units the account can pay for; −1 = all that it wants.
    fn affordable(&self, event: &Event) -> Result<i64, String> {
        if !event.is_checked() {
            return Ok(event.usage);
        }
        if event.usage > MOST_USAGE {
            return Err("RALS_ERROR:MAX_USAGE_EXCEEDED".to_owned());
        }
        let Some(account) = self.accounts.get(&event.account) else {
            return Err("RALS_ERROR:ACCOUNT_NOT_FOUND".to_owned());
        };
        if account.state == State::Disabled {
            return Err("RALS_ERROR:ACCOUNT_DISABLED".to_owned());
        }
        if event.category != "sms" || event.kind != "*sms" {
            return Err("RALS_ERROR:RATING_PLAN_NOT_FOUND".to_owned());
        }
        let barred = |prefix: &String| event.destination.starts_with(prefix.as_str());
        if self.barred.iter().any(barred) {
            return Err("RALS_ERROR:UNAUTHORIZED_DESTINATION".to_owned());
        }
        match account.state {
            State::Unlimited => Ok(-1),
            State::Limited | State::Disabled => Ok(account.balance.clamp(0, event.usage)),
        }
    }

    fn process_cdr(&mut self, params: &Value) -> Reply {
        let event = Event::read(params)?;
        let flags = params["Flags"].as_array().cloned().unwrap_or_default();
        if !flags.contains(&json!("*refund")) {
            return Ok(json!("OK"));
        }
        if self.returned.contains(&event.origin) {
            return Err("SERVER_ERROR: EXISTS".to_owned());
        }
        // As if CDRs of all charges were stored. What was never taken cannot be given back, and
        // CGRateS does not say so.
        if let Some((name, units)) = self.taken.remove(&event.origin) {
            self.give(&name, units);
        }
        self.returned.insert(event.origin);
        Ok(json!("OK"))
    }

    fn add_balance(&mut self, params: &Value) -> Reply {
        let account = text(params, "Account");
        let units = params["Value"].as_i64();
        let mut missing = Vec::new();
        for (name, absent) in [
            ("Tenant", text(params, "Tenant").is_empty()),
            ("Account", account.is_empty()),
            ("BalanceType", text(params, "BalanceType").is_empty()),
            ("Value", units.is_none()),
        ] {
            if absent {
                missing.push(name);
            }
        }
        let (Some(units), []) = (units, missing.as_slice()) else {
            return Err(format!("MANDATORY_IE_MISSING: {missing:?}").replace('"', ""));
        };
        if params["BalanceType"] != json!("*sms") {
            return Ok(json!("OK"));
        }
        self.give(&account, units);
        Ok(json!("OK"))
    }

    fn give(&mut self, account: &str, units: i64) {
        let account = self.accounts.entry(account.to_owned()).or_default();
        account.balance += units;
        account.debited -= units;
    }
}

/// What the stand-in reads of an event.
struct Event {
    kind: String,
    category: String,
    request_type: String,
    account: String,
    destination: String,
    origin: (String, String),
    usage: i64,
}

impl Event {
    fn read(params: &Value) -> Result<Self, String> {
        let event = &params["Event"];
        let missing: Vec<&str> = ["OriginID", "Account", "Destination"]
            .into_iter()
            .filter(|name| text(event, name).is_empty())
            .collect();
        let timeless = text(event, "SetupTime").is_empty() && text(event, "AnswerTime").is_empty();
        if !missing.is_empty() || timeless {
            let missing = missing.join(" ");
            return Err(format!("MANDATORY_IE_MISSING: [{missing}]"));
        }
        let or = |name: &str, default: &str| match text(event, name) {
            empty if empty.is_empty() => default.to_owned(),
            given => given,
        };
        Ok(Self {
            kind: or("ToR", "*voice"),
            category: or("Category", "call"),
            request_type: text(event, "RequestType"),
            account: text(event, "Account"),
            destination: text(event, "Destination"),
            origin: (text(event, "OriginID"), text(event, "OriginHost")),
            usage: usage(&event["Usage"])?,
        })
    }

    /// The other request types, and none at all, are granted unasked.
    fn is_checked(&self) -> bool {
        let checked = ["*prepaid", "*pseudoprepaid", "*dynaprepaid"];
        checked.contains(&self.request_type.as_str())
    }

    fn moves_money(&self) -> bool {
        self.is_checked() && self.request_type != "*pseudoprepaid"
    }
}

/// A number, or a text of one, is units; with a unit of time it is nanoseconds.
fn usage(value: &Value) -> Result<i64, String> {
    let broken = || format!("SERVER_ERROR: time: invalid duration {value}");
    match value {
        Value::Null => Ok(1),
        Value::String(text) => match text.strip_suffix('s') {
            Some(seconds) => {
                let seconds: i64 = seconds.parse().map_err(|_| broken())?;
                Ok(seconds.saturating_mul(1_000_000_000))
            }
            None => text.parse().map_err(|_| broken()),
        },
        number => number.as_i64().ok_or_else(broken),
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn is_set(params: &Value, flag: &str) -> bool {
    params[flag] == json!(true)
}

#[cfg(test)]
mod tests;
