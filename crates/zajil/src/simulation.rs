//! A simulation for people: each step in a sentence, then every route with its verdict.

use serde_json::Value;

use crate::client::{cell, list};
use crate::table::aligned;

/// The answer of `POST /api/routes/simulate` as text.
pub(crate) fn shown(data: &Value) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    say(format!(
        "numbers: from {} to {}",
        quoted(&data["calling_number"]),
        quoted(&data["called_number"])
    ));
    match data["translation"]["rule"].as_u64() {
        Some(rule) => say(format!("translated by rule {rule}")),
        None => say("no translation rule applies".to_owned()),
    }
    say(number_lookup(&data["enum"]));
    for outcome in list(&data["outcomes"]) {
        say(outcome_line(outcome));
    }
    let unrouted = &data["without_route"];
    if unrouted.is_object() {
        say(match unrouted["dest_smsc"].as_str() {
            Some(name) => format!("no route takes it; its location gives it to '{name}'"),
            None => "no route takes it; it waits for a location, a route, or a frontend that asks \
                     with include-unrouted"
                .to_owned(),
        });
    }
    let keys = ["called_prefix", "calling_prefix", "dest_smsc", "priority"];
    let rows: Vec<Vec<String>> = list(&data["candidates"])
        .iter()
        .map(|candidate| {
            let route = &candidate["route"];
            let mut row = vec![cell(&route["id"])];
            row.extend(keys.iter().map(|key| cell(&route[*key])));
            row.push(cell(&candidate["reason"]));
            row
        })
        .collect();
    if !rows.is_empty() {
        let [called, calling, dest, priority] = keys;
        let header = ["route", called, calling, dest, priority, "verdict"];
        text.push_str(&aligned(&header, &rows));
    }
    text
}

fn quoted(value: &Value) -> String {
    format!("'{}'", value.as_str().unwrap_or_default())
}

fn number_lookup(answer: &Value) -> String {
    match answer["answer"].as_str() {
        Some("found") => format!(
            "ENUM: {} by {} of {}",
            cell(&answer["uri"]),
            cell(&answer["service"]),
            cell(&answer["zone"])
        ),
        Some("absent") => "ENUM: not there".to_owned(),
        Some("failed") => format!("ENUM failed: {}", cell(&answer["reason"])),
        Some("assumed") => format!("ENUM: taken to be {}", cell(&answer["domain"])),
        _ => "ENUM: not asked".to_owned(),
    }
}

fn outcome_line(outcome: &Value) -> String {
    let percent = outcome["probability"].as_f64().unwrap_or_default() * 100.0;
    let mut line = format!("{percent:.1} %: route {}", cell(&outcome["route"]));
    match outcome["dest_smsc"].as_str() {
        Some(name) => line += &format!(" to '{name}'"),
        None => line += ", delivered to nobody",
    }
    let names = |key: &str| -> Vec<&str> {
        list(&outcome[key])
            .iter()
            .filter_map(Value::as_str)
            .collect()
    };
    if !names("inactive").is_empty() {
        line += &format!(", not active: {}", names("inactive").join(", "));
    }
    if !names("fallback").is_empty() {
        line += &format!(", then {}", names("fallback").join(", "));
    }
    line += if outcome["charged"] == true {
        ", charged"
    } else {
        ", not charged"
    };
    line
}
