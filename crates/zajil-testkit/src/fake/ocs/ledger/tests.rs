//! The traps that the stand-in sets: a client that is wrong about them must be caught (D14).

use super::*;

/// An event of five units from account `a`, with `change` merged in; null takes a field away.
fn event(change: &Value) -> Value {
    let mut event = json!({
        "ToR": "*sms", "Category": "sms", "RequestType": "*prepaid", "Account": "a",
        "Destination": "1", "OriginID": "7", "OriginHost": "n", "Usage": 5,
        "SetupTime": "2026-01-01T00:00:00Z",
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    event
}

#[test]
fn d14_authorize_answers_like_the_real_one() {
    let max = |units: i64| Ok(json!({"MaxUsage": units}));
    let error = |text: &str| Err(text.to_owned());
    for (balance, change, expected) in [
        (9, json!({}), max(5)),
        (3, json!({}), max(3)),
        (0, json!({}), max(0)),
        (-2, json!({}), max(0)),
        (0, json!({"RequestType": null}), max(5)),
        (0, json!({"RequestType": "*postpaid"}), max(5)),
        (0, json!({"RequestType": "*pseudoprepaid"}), max(0)),
        (9, json!({"Usage": null}), max(1)),
        (9, json!({"Usage": "2"}), max(2)),
        (
            9,
            json!({"Usage": "1s"}),
            error("RALS_ERROR:MAX_USAGE_EXCEEDED"),
        ),
        (
            9,
            json!({"Account": "b"}),
            error("RALS_ERROR:ACCOUNT_NOT_FOUND"),
        ),
        (
            9,
            json!({"Category": null}),
            error("RALS_ERROR:RATING_PLAN_NOT_FOUND"),
        ),
        (
            9,
            json!({"ToR": null}),
            error("RALS_ERROR:RATING_PLAN_NOT_FOUND"),
        ),
        (
            9,
            json!({"OriginID": null}),
            error("MANDATORY_IE_MISSING: [OriginID]"),
        ),
        (
            9,
            json!({"SetupTime": null}),
            error("MANDATORY_IE_MISSING: []"),
        ),
    ] {
        let mut ledger = Ledger::default();
        ledger.set_balance("a", balance);
        let params = json!({"GetMaxUsage": true, "Event": event(&change)});
        let got = ledger.answer("SessionSv1.AuthorizeEvent", &params);
        assert_eq!(got, expected, "{balance} {change}");
        assert_eq!(ledger.debited("a"), 0);
    }
}

#[test]
fn d14_authorize_must_ask_for_something() {
    let mut ledger = Ledger::default();
    ledger.set_balance("a", 9);
    let mut ask = |flag: &str| {
        let params = json!({flag: true, "Event": event(&json!({}))});
        ledger.answer("SessionSv1.AuthorizeEvent", &params)
    };
    let missing = "MANDATORY_IE_MISSING: [Subsystems]".to_owned();
    assert_eq!(ask("ForceDuration"), Err(missing));
    assert_eq!(ask("GetAttributes"), Ok(json!({})));
}

#[test]
fn d14_a_debit_without_force_takes_a_part() {
    let short = Err("RALS_ERROR:INSUFFICIENT_CREDIT".to_owned());
    for (balance, flags, expected, left) in [
        (9, json!({"Debit": true}), Ok(json!({"MaxUsage": 5})), 4),
        (3, json!({"Debit": true}), Ok(json!({"MaxUsage": 3})), 0),
        (0, json!({"Debit": true}), Ok(json!({"MaxUsage": 0})), 0),
        (3, json!({"Debit": true, "ForceDuration": true}), short, 3),
        (3, json!({"ForceDuration": true}), Ok(json!({})), 3),
    ] {
        let mut ledger = Ledger::default();
        ledger.set_balance("a", balance);
        let mut params = flags.clone();
        params["Event"] = event(&json!({}));
        let got = ledger.answer("SessionSv1.ProcessMessage", &params);
        assert_eq!(got, expected, "{balance} {flags}");
        assert_eq!(ledger.balance("a"), left, "{balance} {flags}");
        assert_eq!(ledger.debited("a"), balance - left, "{balance} {flags}");
    }
}

#[test]
fn d14_every_debit_of_a_message_counts() {
    let mut ledger = Ledger::default();
    ledger.set_balance("a", 12);
    let params = json!({"Debit": true, "ForceDuration": true, "Event": event(&json!({}))});
    for _ in 0..3 {
        drop(ledger.answer("SessionSv1.ProcessMessage", &params));
    }
    assert_eq!((ledger.balance("a"), ledger.debited("a")), (2, 10));
    let unknown = ledger.answer("SessionSv9.Debit", &params);
    let expected = "rpc: can't find service SessionSv9.Debit".to_owned();
    assert_eq!(unknown, Err(expected));
}
