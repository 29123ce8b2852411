//! Routes: what an operator may write, and that an export reads back as it was (S4.1, S4.4).

use expect_test::expect;

use super::*;

fn read(body: &str, base: Option<&Terms>) -> Result<Terms, String> {
    let route: RouteIn<'_> = crate::body::object(body.as_bytes()).map_err(|r| r.detail)?;
    route.into_terms(base).map_err(|refusal| refusal.detail)
}

fn shown(terms: &Terms) -> String {
    let route = Route {
        id: RouteId(7),
        terms: terms.clone(),
    };
    serde_json::to_string(&RouteOut::from(&route)).unwrap()
}

#[test]
fn s4_1_a_route_has_defaults() {
    let terms = read(r#"{"dest_smsc":"gw"}"#, None).unwrap();
    expect![[r#"{"id":7,"calling_prefix":null,"called_prefix":null,"source_smsc":null,"source_type":null,"enum_domain":null,"dest_smsc":"gw","auto_reply":false,"auto_reply_message":null,"drop":false,"fallback":[],"fallback_after":60,"charged":"default","weight":100,"priority":100,"description":null,"enabled":true}"#]]
    .assert_eq(&shown(&terms));
}

#[test]
fn s4_4_what_is_shown_reads_back_as_it_was() {
    for body in [
        r#"{"dest_smsc":"gw","calling_prefix":"+1","called_prefix":"44","source_smsc":"app",
        "source_type":"ims","enum_domain":"e.example","charged":true,"weight":"70","priority":1,
        "description":"primary","enabled":"false"}"#,
        r#"{"auto_reply":true,"auto_reply_message":"closed"}"#,
        r#"{"auto_reply":true,"auto_reply_message":"closed","dest_smsc":"gw"}"#,
        r#"{"drop":true,"charged":"no"}"#,
    ] {
        let terms = read(body, None).unwrap();
        assert_eq!(read(&shown(&terms), None).as_ref(), Ok(&terms), "{body}");
        let export = format!(r#"{{"data":{{"version":3,"routes":[{}]}}}}"#, shown(&terms));
        let import: ImportIn<'_> = crate::body::object(export.as_bytes()).unwrap();
        let import = import.into_import().unwrap();
        assert_eq!(
            (import.routes, import.replace),
            (vec![(Some(RouteId(7)), terms)], false)
        );
    }
}

#[test]
fn s4_1_wrong_routes_are_named() {
    let check = |body: &str, expect: &str| {
        assert_eq!(read(body, None).unwrap_err(), expect, "{body}");
    };
    check(
        "{}",
        "dest_smsc is required unless auto_reply or drop is true",
    );
    check(
        r#"{"auto_reply":true}"#,
        "auto_reply_message is required with auto_reply",
    );
    check(
        r#"{"auto_reply":true,"drop":true}"#,
        "auto_reply cannot be true when drop is",
    );
    check(
        r#"{"dest_smsc":"g","weight":0}"#,
        "weight must be an integer from 1 to 100",
    );
    check(
        r#"{"dest_smsc":"g","priority":256}"#,
        "priority must be an integer from 1 to 255",
    );
    check(
        r#"{"dest_smsc":"g","charged":"maybe"}"#,
        "charged must be one of yes, no, default",
    );
    check(
        r#"{"dest_smsc":"g","source_type":"fax"}"#,
        "source_type must be one of IMS, circuit_switched, SMPP",
    );
    let import = r#"{"mode":"replace","routes":[{"drop":true},{"weight":1}]}"#;
    let import: ImportIn<'_> = crate::body::object(import.as_bytes()).unwrap();
    assert_eq!(
        import.into_import().unwrap_err().detail,
        "routes[1]: dest_smsc is required unless auto_reply or drop is true"
    );
}

#[test]
fn s4_1_an_update_keeps_what_it_does_not_name() {
    let base = read(
        r#"{"dest_smsc":"gw","weight":70,"called_prefix":"44"}"#,
        None,
    )
    .unwrap();
    let terms = read(r#"{"called_prefix":null,"enabled":false}"#, Some(&base)).unwrap();
    assert_eq!((terms.called_prefix, terms.weight), (None, base.weight));
    assert_eq!((terms.action, terms.enabled), (base.action.clone(), false));
    let dropped = read(r#"{"drop":true}"#, Some(&base)).unwrap();
    assert_eq!(dropped.action, Action::Drop);
    let replies = r#"{"auto_reply":true,"auto_reply_message":"x"}"#;
    let replies = read(replies, Some(&dropped)).unwrap();
    assert_eq!(
        replies.action,
        Action::AutoReply {
            text: "x".into(),
            deliver: None
        }
    );
    assert!(read(r#"{"auto_reply":false}"#, Some(&replies)).is_err());
}
