//! What an answer means: CGRateS says most of it with HTTP 200 and a word in a text (D14).

use serde_json::Value;
use zajil_core::charge::{Call, Failed, Mode, Money, Refused, Verdict};

/// A call's `result`, or its `error`.
pub(crate) type Reply = Result<Value, String>;

/// Answers that say that the account cannot pay, whatever stands around the word.
const REFUSALS: [(&str, Refused); 6] = [
    ("INSUFFICIENT_CREDIT", Refused::NoCredit),
    ("BALANCE_BLOCKER", Refused::NoCredit),
    ("ACCOUNT_NOT_FOUND", Refused::UnknownAccount),
    ("ACCOUNT_DISABLED", Refused::DisabledAccount),
    ("UNAUTHORIZED_DESTINATION", Refused::BarredDestination),
    ("RATING_PLAN_NOT_FOUND", Refused::NoTariff),
];

/// Answers that come before any account is looked at.
const UNBEGUN: [&str; 7] = [
    "NOT_CONNECTED",
    "MAX_CONCURRENT_RPC_EXCEEDED",
    "CHARGERS_ERROR",
    "ATTRIBUTES_ERROR",
    "MANDATORY_IE_MISSING",
    "MAX_USAGE_EXCEEDED",
    "can't find service",
];

/// Answers that come when a part was done: they outweigh any other word beside them.
const HALF_DONE: [&str; 2] = ["PARTIALLY_EXECUTED", "REPLY_TIMEOUT"];

/// Answers that say that the charging system, or a part it needs, does not work: they are no better
/// than silence, however quickly they come.
const DOWN: [&str; 8] = [
    "PARTIALLY_EXECUTED",
    "REPLY_TIMEOUT",
    "NOT_CONNECTED",
    "DISCONNECTED",
    "FAILED_RECONNECT",
    "MAX_CONCURRENT_RPC_EXCEEDED",
    "connection refused",
    "i/o timeout",
];

/// The service of charges. That of refunds may be missing while charges work.
const NO_SERVICE: (&str, &str) = ("can't find service", "SessionSv1.");

/// The reply in a body, if it is the one to the request `id`.
pub(crate) fn read(body: &[u8], id: u64) -> Result<Reply, String> {
    let whole: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    if whole["id"].as_u64() != Some(id) {
        return Err("the answer is to another request".to_owned());
    }
    match &whole["error"] {
        Value::Null => match whole.get("result") {
            Some(result) => Ok(Ok(result.clone())),
            None => Err("the answer has neither result nor error".to_owned()),
        },
        Value::String(error) => Ok(Err(error.clone())),
        other => Ok(Err(other.to_string())),
    }
}

/// What the charging system said of a charge.
pub(crate) fn verdict(mode: Mode, call: &Call, reply: Reply) -> Verdict {
    let result = match reply {
        Ok(result) => result,
        Err(error) => return verdict_of_error(mode, &error),
    };
    let asked = i64::from(call.parts.get());
    match max_usage(&result) {
        None => Verdict::Failed(Failed {
            money: at_stake(mode),
            why: "the charging system did not say how much it grants".to_owned(),
        }),
        // Negative: as much as it likes.
        Some(granted) if granted < 0 || granted >= asked => Verdict::Granted,
        Some(granted) => {
            if mode == Mode::Debit && granted > 0 {
                tracing::error!(
                    id = %call.message,
                    asked,
                    taken = granted,
                    "the charging system took a part of the price; give it back by hand"
                );
            }
            Verdict::Refused(Refused::NoCredit)
        }
    }
}

/// Whether what a debit took was given back.
pub(crate) fn refunded(reply: Reply) -> Result<(), Failed> {
    let error = match reply {
        Ok(_) => return Ok(()),
        // The CDR of the refund is there: it has been made.
        Err(error) if error.contains("EXISTS") => return Ok(()),
        Err(error) => error,
    };
    let refused = REFUSALS.iter().any(|(word, _)| error.contains(word));
    let money = match refused || unbegun(&error) {
        true if !half_done(&error) => Money::Untouched,
        _ => Money::Unknown,
    };
    let why = format!("the charging system gave nothing back: {}", shown(&error));
    Err(Failed { money, why })
}

/// What may have moved when nothing else is known.
pub(crate) fn at_stake(mode: Mode) -> Money {
    match mode {
        Mode::Authorize => Money::Untouched,
        Mode::Debit => Money::Unknown,
    }
}

fn verdict_of_error(mode: Mode, error: &str) -> Verdict {
    let refusal = REFUSALS.iter().find(|(word, _)| error.contains(word));
    let money = match refusal {
        _ if half_done(error) => at_stake(mode),
        Some((_, refused)) => return Verdict::Refused(*refused),
        None if unbegun(error) => Money::Untouched,
        None => at_stake(mode),
    };
    let why = answered(error);
    Verdict::Failed(Failed { money, why })
}

/// Whether an error says that nobody can be charged. All others are about one account or message,
/// and show that the charging system works.
pub(crate) fn is_down(method: &str, error: &str) -> bool {
    let (word, service) = NO_SERVICE;
    let missing = error.contains(word) && method.starts_with(service);
    missing || DOWN.iter().any(|word| error.contains(word))
}

/// An error as the end of a call.
pub(crate) fn answered(error: &str) -> String {
    format!("the charging system answered {}", shown(error))
}

fn unbegun(error: &str) -> bool {
    UNBEGUN.iter().any(|word| error.contains(word))
}

fn half_done(error: &str) -> bool {
    HALF_DONE.iter().any(|word| error.contains(word))
}

/// Units granted: a number, or the `*raw` of a map of runs, which is the least of them.
fn max_usage(result: &Value) -> Option<i64> {
    let usage = &result["MaxUsage"];
    let number = usage.get("*raw").unwrap_or(usage);
    number.as_i64().or_else(|| {
        // Versions differ in writing 3, 3.0 and "3".
        let text = number.as_str().map(str::to_owned);
        let text = text.or_else(|| number.as_f64().map(|units| units.trunc().to_string()))?;
        text.parse().ok()
    })
}

/// As much of another's text as belongs in a sentence.
pub(crate) fn shown(error: &str) -> String {
    error.chars().take(200).collect()
}
