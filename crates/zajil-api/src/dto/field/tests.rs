//! Each kind of field against each kind of JSON value.

use super::*;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct One<'a> {
    #[serde(default)]
    x: Field<'a>,
}

fn check<T: fmt::Debug + PartialEq>(
    read: impl Fn(Field<'_>) -> Read<T>,
    good: &[(&str, Option<T>)],
    bad: &[&str],
    rule: &str,
) {
    for (json, expect) in good {
        let body = format!("{{\"x\":{json}}}");
        let one: One<'_> = serde_json::from_str(&body).unwrap();
        assert_eq!(read(one.x).as_ref(), Ok(expect), "{json}");
    }
    for json in bad {
        let body = format!("{{\"x\":{json}}}");
        let one: One<'_> = serde_json::from_str(&body).unwrap();
        let refusal = read(one.x).unwrap_err();
        assert_eq!(refusal.detail, format!("x {rule}"), "{json}");
    }
    assert_eq!(read(Field::Absent), Ok(None));
}

#[test]
fn s2_text_is_text() {
    let good = [
        ("\"a\\u00e9\"", Some("aé".to_owned())),
        ("null", None),
        ("\"\"", None),
        ("\"1\"", Some("1".into())),
    ];
    let bad = ["1", "true", "{}", "[\"a\"]", "1.5", "18446744073709551616"];
    check(|field| field.text("x", 3), &good, &bad, "must be a string");
    check(
        |field| field.text("x", 3),
        &[],
        &["\"abcd\""],
        "must have at most 3 characters",
    );
    let bad = ["\"a\\u0000\""];
    check(
        |field| field.text("x", 3),
        &[],
        &bad,
        "must not hold the character U+0000",
    );
}

#[test]
fn s2_integers_may_come_as_decimal_text() {
    let good = [
        ("1", Some(1)),
        ("\"5\"", Some(5)),
        ("null", None),
        ("\"\"", None),
    ];
    let bad = [
        "0",
        "6",
        "\"6\"",
        "1.5",
        "\"1.5\"",
        "\"x\"",
        "true",
        "[1]",
        "99999999999999999999",
    ];
    check(
        |field| field.integer("x", 1, 5),
        &good,
        &bad,
        "must be an integer from 1 to 5",
    );
}

#[test]
fn s2_truth_may_come_as_text_or_digit() {
    let good = [
        ("true", Some(true)),
        ("\"true\"", Some(true)),
        ("\"1\"", Some(true)),
        ("1", Some(true)),
        ("false", Some(false)),
        ("\"false\"", Some(false)),
        ("\"0\"", Some(false)),
        ("0", Some(false)),
        ("null", None),
        ("\"\"", None),
    ];
    let bad = ["2", "\"yes\"", "{}", "[]", "1.5"];
    check(
        |field| field.boolean("x"),
        &good,
        &bad,
        "must be true or false",
    );
}

#[test]
fn s2_times_are_named_when_wrong() {
    let good = [
        ("\"1970-01-01T00:00:01Z\"", Some(Timestamp::from_secs(1))),
        ("null", None),
    ];
    let rule = "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
    check(
        |field| field.time("x"),
        &good,
        &["1", "\"soon\"", "{}"],
        rule,
    );
    let bad = ["\"1969-12-31T00:00:00Z\""];
    check(
        |field| field.time("x"),
        &[],
        &bad,
        "must lie between the years 1970 and 9999",
    );
}

#[test]
fn s3_4_objects_may_come_as_text() {
    let good = [
        (
            "{\"b\":[1,{\"c\":null}]}",
            Some("{\"b\":[1,{\"c\":null}]}".to_owned()),
        ),
        ("\"{\\\"a\\\": 1}\"", Some("{\"a\":1}".into())),
        ("null", None),
        ("\"\"", None),
    ];
    let bad = ["[]", "1", "\"[]\"", "\"x\"", "true"];
    check(
        |field| field.object("x", 99),
        &good,
        &bad,
        "must be a JSON object",
    );
    check(
        |field| field.object("x", 7),
        &[("{\"a\": 1}", Some("{\"a\":1}".into()))],
        &["{\"a\":10}", "\"{\\\"a\\\":10}\""],
        "must have at most 7 octets of JSON",
    );
}

#[test]
fn s2_octets_are_pairs_of_digits() {
    let good = [("\"00fF\"", Some(vec![0, 255]))];
    let bad = ["\"0\"", "\"0g\"", "\"+1\"", "\"é\""];
    check(
        |field| field.hex("x", 4),
        &good,
        &bad,
        "must be pairs of hexadecimal digits",
    );
    check(
        |field| field.hex("x", 4),
        &[],
        &["\"00fF00\"", "\"zzzzz\""],
        "must have at most 4 hexadecimal digits",
    );
}

#[test]
fn text_without_escapes_is_borrowed_from_the_body() {
    let one: One<'_> = serde_json::from_str(r#"{"x":"plain"}"#).unwrap();
    assert!(matches!(one.x, Field::Text(Cow::Borrowed("plain"))));
}

#[test]
fn a_change_tells_null_from_absent() {
    let read = |field: Field<'_>| field.text("x", 9);
    assert_eq!(Field::Absent.change(read), Ok(None));
    assert_eq!(Field::Null.change(read), Ok(Some(None)));
    assert_eq!(
        Field::Text("a".into()).change(read),
        Ok(Some(Some("a".into())))
    );
    assert_eq!(Field::Null.or(Field::Text("old".into())), Field::Null);
    assert_eq!(Field::Absent.or_keep(Some(1), |_| Ok(Some(2))), Ok(Some(1)));
    assert_eq!(Field::Null.or_keep(Some(1), |_| Ok(None)), Ok(None));
}
