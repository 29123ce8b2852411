//! Every field of every request with every kind of wrong value: an answer of 2xx or 4xx that has
//! the right shape, never a 500.

use crate::app::app;

const VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e400",
    "9223372036854775807",
    "18446744073709551616",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"x\"",
    "\"١٢٣\"",
    "\"-9223372036854775809\"",
    "\"9999-12-31T23:59:59-23:59\"",
    "\"-009999-01-01T00:00:00Z\"",
    "[]",
    "[[{}]]",
    "{}",
    "{\"a\":{\"a\":[null]}}",
];

const FIELDS: [&str; 58] = [
    "pdu",
    "direction",
    "source_msisdn",
    "destination_msisdn",
    "message_body",
    "source_smsc",
    "source_type",
    "dest_smsc",
    "destination_smsc",
    "source_imsi",
    "dest_imsi",
    "message_parts",
    "message_part_number",
    "tp_data_coding_scheme",
    "tp_dcs_character_set",
    "tp_dcs_coding_group",
    "tp_dcs_compressed",
    "tp_dcs_has_message_class",
    "tp_dcs_message_class",
    "tp_user_data_header",
    "status",
    "send_time",
    "deliver_time",
    "delivered_at",
    "expires",
    "deliver_after",
    "delivery_attempts",
    "charge_failed",
    "raw_pdu",
    "raw_data_flag",
    "raw_sip_flag",
    "reason",
    "permanent",
    "retry_after",
    "imsi",
    "msisdn",
    "location",
    "ims_capable",
    "frontend_name",
    "frontend_type",
    "ip_address",
    "uptime_seconds",
    "configuration",
    "message_id",
    "name",
    "event_epoch",
    "event_source",
    "calling_prefix",
    "auto_reply",
    "auto_reply_message",
    "drop",
    "charged",
    "weight",
    "priority",
    "called_match",
    "called_replace",
    "routes",
    "data",
];

/// Places that take a body, each with what it requires; `#` is a message's id.
const PLACES: [(&str, &str); 14] = [
    (
        "POST /api/messages",
        r#""destination_msisdn":"155","message_body":"x""#,
    ),
    (
        "POST /api/messages/create_async",
        r#""destination_msisdn":"155","message_body":"x""#,
    ),
    (
        "POST /api/messages_raw",
        r#""pdu":"01000b914316565811f9000004e8373b0c""#,
    ),
    ("PATCH /api/messages/#", r#""dest_imsi":"1""#),
    ("PUT /api/messages/#", ""),
    ("POST /api/messages/#/mark_delivered", ""),
    ("POST /api/messages/#/mark_failed", ""),
    ("POST /api/locations", r#""imsi":"001""#),
    (
        "POST /api/frontends",
        r#""frontend_name":"gw","frontend_type":"SIP""#,
    ),
    ("POST /api/events", r#""message_id":#,"name":"x""#),
    ("POST /api/routes", r#""drop":true"#),
    ("POST /api/routes/import", r#""routes":[]"#),
    (
        "POST /api/translations",
        r#""called_match":"1","called_replace":"2""#,
    ),
    ("PATCH /api/translations/1", ""),
];

#[tokio::test(start_paused = true)]
async fn s3_no_field_value_breaks_the_door() {
    let mut calls = 0;
    for (place, required) in PLACES {
        for field in FIELDS {
            // A fresh node each time: tables that grow would take the test's time.
            let app = app().await;
            let id = app.submitted("").await.to_string();
            let rest: Vec<_> = required
                .split(',')
                .filter(|pair| !pair.is_empty() && !pair.starts_with(&format!("\"{field}\"")))
                .collect();
            for value in VALUES {
                let mut fields = rest.join(",");
                if !fields.is_empty() {
                    fields.push(',');
                }
                let body = format!("{{{fields}\"{field}\":{value}}}");
                let request = format!("{place}\n\n{body}").replace('#', &id);
                let answer = app.call(&request).await;
                let shape = match answer.split_once('\n') {
                    Some((status, body)) if status.starts_with('2') => {
                        body.starts_with("{\"data\"")
                    }
                    Some(("400" | "404" | "409" | "422", body)) => {
                        body.starts_with("{\"errors\":{\"detail\":\"")
                    }
                    _ => false,
                };
                assert!(shape, "{request}\n{answer}");
                calls += 1;
            }
        }
    }
    assert_eq!(calls, PLACES.len() * FIELDS.len() * VALUES.len());
}
