//! What records mean, by tables (S6; RFC 6116, 3402, 3403).

use proptest::prelude::*;

use super::*;

/// `order preference flags services regexp replacement`, `-` for an empty field.
fn records(text: &str) -> Vec<Naptr> {
    let field = |text: &str| if text == "-" { "" } else { text }.to_owned();
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            Naptr {
                order: parts[0].parse().unwrap(),
                preference: parts[1].parse().unwrap(),
                flags: field(parts[2]),
                services: field(parts[3]),
                regexp: field(parts[4]),
                replacement: field(parts[5]),
            }
        })
        .collect()
}

/// The steps in a line: URIs as they are, names to ask with a `?`, breaches with a `#`.
fn planned(text: &str, number: &str) -> String {
    let plan = plan(&records(text), number, &Services::default());
    let steps = plan.steps.into_iter().map(|step| match step {
        Step::Uri { uri, .. } => uri,
        Step::Ask(name) => format!("{name}?"),
    });
    let broken = plan.broken.into_iter().map(|why| format!("# {why}"));
    steps.chain(broken).collect::<Vec<_>>().join(" | ")
}

fn rewritten(regexp: &str) -> String {
    planned(&format!("1 1 u E2U+sip {regexp} ."), "+14155550123")
}

#[test]
fn s6_1_the_digits_are_reversed_and_dotted_under_the_domain() {
    let name = |number, domain| query_name(number, domain);
    let expected = "0.0.1.0.5.5.5.1.e164.internal.example.com";
    for number in ["+1-555-0100", "15550100", "+15550100", "+1 (555) 0100"] {
        for domain in ["e164.internal.example.com", "e164.internal.example.com."] {
            assert_eq!(name(number, domain).as_deref(), Some(expected), "{number}");
        }
    }
    for number in ["", "+", "Zajil", "+49x", "++49", "٤٩"] {
        assert_eq!(name(number, "e164.arpa"), None, "{number}");
    }
    for domain in ["", ".", "a..b", &"a".repeat(64)] {
        assert_eq!(name("1", domain), None, "{domain}");
    }
}

#[test]
fn rfc_1035_2_3_4_names_over_255_octets_are_none() {
    // Three labels of 64 octets and one of 56; the root, and two octets for each digit.
    let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(53));
    assert!(query_name("1234", &longest).is_some());
    assert_eq!(query_name("12345", &longest), None);
}

#[test]
fn rfc_3403_4_1_order_then_preference_and_no_order_after_one_that_fits() {
    let sip = |order, preference, host: &str| {
        format!("{order} {preference} u E2U+sip !^.*$!sip:{host}! .\n")
    };
    let all = [
        sip(20, 1, "d"),
        sip(10, 20, "b"),
        sip(10, 10, "a"),
        sip(20, 0, "c"),
    ];
    assert_eq!(planned(&all.concat(), "+1"), "sip:a");
    let chain = "10 1 - - - next.example.\n10 2 u E2U+sip !^.*$!sip:a! .\n";
    let lower = "20 1 u E2U+sip !^.*$!sip:b! .\n20 2 - - - other.example.\n";
    assert_eq!(
        planned(&[lower, chain].concat(), "+1"),
        "next.example? | sip:a"
    );
    // A record whose service we cannot use or whose expression does not match does not fit.
    let mail = "5 1 u E2U+email:mailto !^.*$!mailto:a@b! .\n";
    let others = "6 1 u E2U+sip !^\\+44.*$!sip:uk! .\n7 1 s SIP+D2U - _sip._udp.example.\n";
    assert_eq!(planned(&[lower, mail, others].concat(), "+1"), "sip:b");
    assert_eq!(planned(&[mail, others].concat(), "+1"), "");
}

#[test]
fn rfc_6116_3_4_3_services_compound_old_form_any_case() {
    let list = Services::default();
    for field in [
        "E2U+sip",
        "e2u+SIP",
        "E2U+pstn:tel",
        "E2U+sms",
        "E2U+sms:tel",
        "sip+E2U",
        "SIP+e2u",
        "E2U+voice:sip+sms:tel",
        "E2U+email:mailto+sip",
        "E2U+pstn:sip",
    ] {
        assert!(list.accept(field), "{field}");
    }
    for field in [
        "",
        "E2U",
        "E2U+",
        "sip",
        "E2U+email:mailto",
        "E2U+sipx",
        "E2U+voice:sip",
        "E2U+x-sms",
        "SIP+D2U",
        "+",
    ] {
        assert!(!list.accept(field), "{field}");
    }
    let narrow = Services::parse(&["e2u+SMS:tel", "E2U+mms"]).unwrap();
    assert!(narrow.accept("E2U+sms:tel") && narrow.accept("E2U+sms:mailto:TEL"));
    assert!(!narrow.accept("E2U+sms:mailto") && !narrow.accept("E2U+sip"));
    for bad in [
        "sip",
        "E2U",
        "E2U+",
        "E2U+a+b",
        "E2U+a:",
        "E2U+a:b:c",
        "E2U+ä",
    ] {
        assert!(Services::parse(&[bad]).is_err(), "{bad}");
    }
}

#[test]
fn rfc_3402_3_2_substitutions() {
    for (regexp, expected) in [
        ("!^.*$!sip:info@example.com!", "sip:info@example.com"),
        (
            r"!^\+(.*)$!sip:\1@example.com!",
            "sip:14155550123@example.com",
        ),
        (r"/^\+1(415)(.*)$/sip:\2;\1@h/", "sip:5550123;415@h"),
        (r"!^(\+1)(4)(1)(5)(5)(5)(5)(0)(1)23$!x:\9\8\1!", "x:10+1"),
        // Only what matched is replaced; a delimiter may stand behind a backslash.
        (r"!^\+1!sip:!", "sip:4155550123"),
        (r"!^.*$!sip:a\!b\\@h!", r"sip:a!b\@h"),
        (r"#^.*$#sip:a@h?x=\#1#", "sip:a@h?x=#1"),
        (r"|^\+1(4\|5).*$|x:\1|", ""),
        ("~^.*$~sip:$1${2}@h~", "sip:$1${2}@h"),
        ("é^.*$ésip:ué", "sip:u"),
        ("X^.*$Xsip:uXi", "sip:u"),
        ("!^[+]1[4-6][[:digit:]]*$!sip:u!", "sip:u"),
        (r"!^[\+-]14155550123$!sip:u!", "sip:u"),
        (r"!^[]x]!sip:u!", ""),
        (r"!^[^]x]1([0-9]{3})!sip:\1!", "sip:4155550123"),
        (r"!^\+\d+$!sip:u!", "sip:u"),
        (r"!^\+44(.*)$!sip:\1@uk!", ""),
        ("!^(a)?.*$!sip:u\\1!", "sip:u"),
    ] {
        assert_eq!(rewritten(regexp), expected, "{regexp}");
    }
}

#[test]
fn a_broken_expression_is_told_and_the_next_record_is_used() {
    for regexp in [
        "-",
        "!",
        "!^.*$!",
        "!^.*$!sip:u",
        "1^.*$1sip:u1",
        "i^.*$isip:ui",
        r"\^.*$\sip:u\",
        "!^.*$!sip:u!x",
        r"!^.*$!sip:\1!",
        r"!^.*$!sip:\0!",
        r"!(.)\1!sip:u!",
        "!(!sip:u!",
        "![!sip:u!",
        "![[.a.]]!sip:u!",
        "!(?:a)!sip:u!",
        "!((.{99}){99}){99}!sip:u!",
        "!^.*$!nothing!",
        "!^.*$!:u!",
        "!^.*$!sip:!",
        "!^.*$!sip:ü!",
    ] {
        let text = format!(
            "1 1 u E2U+sip {regexp} .\n1 2 u E2U+sip !^.*$!sip:u!  both.example.\n\
             2 1 u E2U+sip !^.*$!sip:next! ."
        );
        let plan = planned(&text, "+14155550123");
        assert!(plan.starts_with("sip:next | # "), "{regexp}: {plan}");
    }
}

#[test]
fn s6_2_the_host_of_a_uri() {
    for (uri, expected) in [
        (
            "sip:+15550100@VoIP-Gateway.Example.com.",
            "voip-gateway.example.com",
        ),
        ("sip:a@h.example:5061;transport=tcp?subject=x", "h.example"),
        ("sips:h.example", "h.example"),
        ("SIP:+1;npdi=a@h.example;user=phone", "h.example"),
        ("sip:a?b=c@h.example", "h.example"),
        ("sip:a%40b:secret@h.example", "h.example"),
        ("sip:a@[2001:DB8::1]:5060", "2001:db8::1"),
        ("sip:a@192.0.2.1:5060", "192.0.2.1"),
        ("mailto:a@h.example?cc=b@x.example", "h.example"),
        ("mailto:a@h.example,b@x.example", "h.example"),
        ("http://u@h.example:80/a@b", "h.example"),
        ("http://h.example/?a@b", "h.example"),
        ("pres:a@h.example", "h.example"),
        ("tel:+15550100", "-"),
        ("tel:0100;phone-context=a@h.example", "-"),
        ("sms:15550100", "-"),
        ("sip:+15550100", "-"),
        ("sip:a@", "-"),
        ("sip:a@h%2eexample", "-"),
        ("sip:a@h..example", "-"),
        ("sip:a@[::1", "-"),
        ("sip:a@[nonsense]", "-"),
        ("urn:x:y", "-"),
        ("h.example", "-"),
        ("", "-"),
    ] {
        assert_eq!(domain(uri).as_deref().unwrap_or("-"), expected, "{uri}");
    }
}

#[test]
fn a_trail_ends_after_five_hops_or_where_it_has_been() {
    let mut trail = Trail::new("a.example");
    for n in 1..=MOST_HOPS {
        assert_eq!(trail.follow(&format!("n{n}.example")), Ok(()));
    }
    assert!(
        trail
            .follow("n6.example")
            .unwrap_err()
            .contains("more than 5")
    );
    let mut trail = Trail::new("A.example.");
    assert!(trail.follow("a.EXAMPLE").unwrap_err().contains("circle"));
}

#[test]
fn rfc_3403_a_hostile_answer_costs_few_expressions() {
    let good = "2 1 u E2U+sip !^.*$!sip:late! .";
    // At most one expression a record; so many are counted by which record is still looked at.
    for (expression, most, expected) in [
        ("!^no$!sip:u!", 32, ""),
        ("!(.{30}){60}!sip:u!", 4, "# an expression does not compile"),
        ("!", 4, "# an expression lacks a delimiter"),
    ] {
        let line = format!("1 1 u E2U+sip {expression} .\n");
        let with = |count| planned(&[&line.repeat(count), good].concat(), "+1");
        assert_eq!(with(most), expected, "{expression}");
        assert!(with(most - 1).starts_with("sip:late"), "{expression}");
    }
}

#[test]
fn expressions_of_usual_zones_are_small_enough() {
    for regexp in [
        r"!^\+?(\d{8,15})$!sip:\1@h!",
        r"!^\+1(\d{3})(\d{3})(\d{4})$!sip:\1.\2.\3@h!",
        r"!^(\+\w{1,15}|\D*)[^@]{0,30}$!sip:u!i",
        r"!^\+1(41[0-9]|42[0-9]|43[0-9]|5[[:digit:]]{2})(.*)$!sip:\2@h!",
    ] {
        assert!(rewritten(regexp).starts_with("sip:"), "{regexp}");
    }
}

proptest! {
    #[test]
    fn no_record_makes_the_rules_fall_over(field in "\\PC{0,40}", services in "\\PC{0,12}") {
        let record = |regexp: String, services: String| Naptr {
            order: 1, preference: 1, flags: "u".into(), services, regexp, replacement: ".".into(),
        };
        let list = Services::default();
        let all = [record(format!("!{field}!"), "E2U+sip".into()), record(field.clone(), services)];
        let _plan = plan(&all, "+15550100", &list);
        let _host = domain(&field);
        let _host = domain(&format!("sip:{field}"));
    }

    #[test]
    fn a_name_holds_the_number(number in "[0-9]{1,15}") {
        let name = query_name(&number, "e164.arpa").unwrap();
        let dotted = name.strip_suffix(".e164.arpa").unwrap();
        let back: String = dotted.split('.').rev().collect();
        prop_assert_eq!(back, number);
    }
}
