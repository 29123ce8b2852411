//! The examples of S5.1, the order of rules, and what is refused at entry.

use super::*;
use crate::frontend::FrontendName;
use crate::route::Priority;

fn called(pattern: &str, replacement: &str) -> RuleTerms {
    RuleTerms {
        called_match: Some(pattern.to_owned()),
        called_replace: Some(replacement.to_owned()),
        enabled: true,
        ..RuleTerms::default()
    }
}

fn numbered(terms: Vec<RuleTerms>) -> Vec<Arc<Rule>> {
    let numbered = (1..).map(RuleId).zip(terms);
    numbered
        .map(|(id, terms)| Arc::new(Rule { id, terms }))
        .collect()
}

fn rules(terms: Vec<RuleTerms>) -> Rules {
    Rules::compile(&numbered(terms)).unwrap()
}

fn check_called(pattern: &str, replacement: &str, number: &str, expect: Option<&str>) {
    let done = rules(vec![called(pattern, replacement)]).apply("", number, None);
    assert_eq!(
        done.and_then(|t| t.called).as_deref(),
        expect,
        "{pattern} on {number}"
    );
}

#[test]
fn s5_1_the_examples_of_the_reference() {
    check_called(r"^(\d{10})$", r"+1\1", "5551234567", Some("+15551234567"));
    check_called(r"^(\d{10})$", r"+1\1", "15551234567", None);
    check_called(
        r"^00(\d+)$",
        r"+\1",
        "00447700900123",
        Some("+447700900123"),
    );
    let tidy = r"^\+?1?[\s\-\.\(\)]*(\d{3})[\s\-\.\)\(]*(\d{3})[\s\-\.\)\(]*(\d{4})$";
    for number in ["+1 (555) 123-4567", "555.123.4567", "15551234567"] {
        check_called(tidy, r"+1\1\2\3", number, Some("+15551234567"));
    }
    let mut carrier = called(r"^101(\d+)$", r"\1");
    carrier.called_prefix = Some("101".into());
    carrier.source_smsc = FrontendName::parse("carrier_a").ok();
    let rules = rules(vec![carrier]);
    let through = |source| rules.apply("", "1015551234", source).and_then(|t| t.called);
    assert_eq!(through(Some("carrier_a")).as_deref(), Some("5551234"));
    assert_eq!(through(Some("carrier_b")), None);
    assert_eq!(through(None), None);
}

#[test]
fn s5_1_only_the_first_rule_that_holds_is_applied() {
    let mut late = called("^1", "late");
    late.priority = Priority::new(200).unwrap();
    let mut off = called("^1", "off");
    off.priority = Priority::new(1).unwrap();
    off.enabled = false;
    let first = called("^1", "first");
    let done = rules(vec![late, off, first])
        .apply("", "123", None)
        .unwrap();
    assert_eq!(
        (done.rule, done.called.as_deref()),
        (RuleId(3), Some("first23"))
    );
}

#[test]
fn s5_1_every_given_pattern_must_hold() {
    let mut both = called("^2", "+2");
    both.calling_match = Some("^(0)".into());
    both.calling_replace = Some(r"<\1>".into());
    let rules = rules(vec![both]);
    assert_eq!(rules.apply("1", "234", None), None);
    let done = rules.apply("07", "234", None).unwrap();
    assert_eq!(done.calling.as_deref(), Some("<0>7"));
    assert_eq!(done.called.as_deref(), Some("+234"));
}

#[test]
fn replacements_are_literal_but_for_groups() {
    check_called("^(1)(2)$", r"$1\\\2$", "12", Some(r"$1\2$"));
    check_called("^12$", r"[\0]", "12", Some("[12]"));
}

#[test]
fn s4_5_every_rule_has_a_verdict_in_the_order_in_which_they_are_tried() {
    let some = |text: &str| Some(text.to_owned());
    let mut terms = vec![called("^44", "uk"); 8];
    terms[0].priority = Priority::new(200).unwrap();
    terms[1].enabled = false;
    terms[2].calling_prefix = some("+9");
    terms[3].called_prefix = some("45");
    terms[4].source_smsc = FrontendName::parse("acme").ok();
    terms[5].calling_match = some("^0");
    terms[5].calling_replace = some("");
    terms[6].called_match = some("^45");
    let rules = rules(terms);
    let explanation = rules.explain("1", "447700", Some("other"));
    let lines = explanation.verdicts.iter();
    let lines: String = lines.map(|(id, why)| format!("{id} {why}\n")).collect();
    expect_test::expect![[r"
        2 disabled
        3 the calling number does not begin with calling_prefix
        4 the called number does not begin with called_prefix
        5 came from another source_smsc
        6 calling_match does not match
        7 called_match does not match
        8 applied
        1 outranked by an earlier rule
    "]]
    .assert_eq(&lines);
    let applied = rules.apply("1", "447700", Some("other"));
    assert_eq!(explanation.translated, applied);
    assert_eq!(applied.unwrap().called.as_deref(), Some("uk7700"));
    assert_eq!(rules.explain("1", "3", None).translated, None);
}

#[test]
fn s5_1_passing_over_rules_changes_nothing() {
    let patterns = [
        r"^(\d{10})$",
        r"^00(\d+)$",
        r"00",
        r"^\+?1?[\s\-]*(\d{3})$",
        r"",
        r"^$",
        r"$",
        r"^",
        r"a|^b",
        r"^(?:12|13)4",
        r"(?m)^1$",
        r"(?i)^ab$",
        r"^(?i)ab",
        r"\b1",
        r"^\d{2,4}$",
        r"^1?2$",
        r"é$",
        r"^١+$",
        r"^(1|)$",
        r"(^1|2$)",
        r"^[^1]*$",
        r"(?s)^.{3}$",
        r"^1$|^22$",
        r"[0&&1]",
        r"^\D$",
    ];
    let texts = [
        "",
        "1",
        "2",
        "12",
        "22",
        "13",
        "134",
        "124",
        "0012",
        "1001",
        "5551234567",
        "+1 555",
        "ab",
        "aB",
        "AB1",
        "b",
        "é",
        "cé",
        "١",
        "١١",
        "1\n2",
        "2\n1",
        "\n",
        "000",
        "x1",
        " 1",
    ];
    for pattern in patterns {
        let ascii = pattern.replace(r"\d", "[0-9]").replace(r"\D", "[^0-9]");
        let expression = regex::Regex::new(&ascii).unwrap();
        let rules = rules(vec![called(pattern, "x")]);
        for text in texts {
            let expected = expression.is_match(text);
            let applied = rules.apply("", text, None).is_some();
            assert_eq!(applied, expected, "{pattern} on {text:?}");
        }
    }
}

#[test]
fn d13_bad_rules_are_refused_by_field_and_position() {
    let refused = |terms: &RuleTerms| check(terms).unwrap_err();
    assert_eq!(refused(&RuleTerms::default()).field, "called_match");
    let open = refused(&called("^(1", "1"));
    assert_eq!(open.field, "called_match");
    for (pattern, why) in [
        ("^(1", "at character 2: unclosed group"),
        ("١٢[1", "at character 3: unclosed character class"),
        (
            "1\n(*2)",
            "at character 4: repetition operator missing expression",
        ),
        (
            r"\p{Nonsense}",
            "at character 1: Unicode property not found",
        ),
    ] {
        let error = refused(&called(pattern, "1"));
        assert_eq!(error.rule, format!("is no usable expression: {why}"));
    }
    assert_eq!(refused(&called("^1", r"\1")).field, "called_replace");
    assert_eq!(refused(&called("^1", r"\x")).field, "called_replace");
    assert!(
        refused(&called("(a{1000}){1000}", ""))
            .rule
            .contains("size limit")
    );
    let half = RuleTerms {
        calling_match: Some("1".into()),
        ..RuleTerms::default()
    };
    assert_eq!(refused(&half).field, "calling_replace");
}

#[test]
fn s5_1_a_digit_is_one_of_ascii_and_nothing_else_is_narrowed() {
    for (pattern, number, expect) in [
        (r"^\d+$", "\u{661}\u{662}", None),
        (r"^\D+$", "\u{661}\u{662}", Some("x")),
        (r"^[\d\-]+$", "1-2", Some("x")),
        (r"^[^\D]+$", "12", Some("x")),
        (r"^[\D]$", "é", Some("x")),
        (r"^\\d$", r"\d", Some("x")),
        (r"^[\d--5]+$", "125", None),
        (r"^[\d--5]+$", "124", Some("x")),
        (r"(?x)^ \d  # \d is a digit", "1", Some("x")),
        (r"^\w.$", "éé", Some("x")),
    ] {
        check_called(pattern, "x", number, expect);
    }
}

#[test]
fn d13_rules_that_did_not_change_are_not_compiled_again() {
    let many: Vec<RuleTerms> = (0..100).map(|n| called(&format!("^{n}$"), "x")).collect();
    let before = numbered(many);
    let former = Rules::compile(&before).unwrap();
    let mut now = before.clone();
    // One as another node would read it, one that changed, one that is gone, one that is new.
    now[7] = Arc::new(Rule::clone(&before[7]));
    Arc::make_mut(&mut now[8]).terms.called_replace = Some("y".to_owned());
    now.remove(9);
    let terms = called("^1(0)1$", "z");
    now.push(Arc::new(Rule {
        id: RuleId(101),
        terms,
    }));
    let next = former.after(&now).unwrap();
    let of = |rules: &Rules, id| {
        let found = rules.enabled.iter().find(|r| r.rule.id == RuleId(id));
        Arc::clone(found.unwrap())
    };
    let shared = (1..=100).filter(|id| *id != 10);
    for id in shared.filter(|id| *id != 9) {
        assert!(Arc::ptr_eq(&of(&former, id), &of(&next, id)), "{id}");
    }
    let (old, new) = (of(&former, 9), of(&next, 9));
    assert!(!Arc::ptr_eq(&old, &new));
    let pattern = |rule: &Compiled| rule.called.as_ref().unwrap().pattern();
    assert!(
        Arc::ptr_eq(&pattern(&old), &pattern(&new)),
        "its expression is the same"
    );
    let made = |number| next.apply("", number, None).and_then(|t| t.called);
    assert_eq!(made("7").as_deref(), Some("x"));
    assert_eq!(made("8").as_deref(), Some("y"));
    assert_eq!(made("9"), None);
    assert_eq!(made("101").as_deref(), Some("z"));
    assert_eq!(
        former.apply("", "9", None).unwrap().called.as_deref(),
        Some("x")
    );
}

#[test]
fn d13_rules_with_one_expression_share_it() {
    let terms = vec![called(r"^0(\d{9})$", "a"), called(r"^0(\d{9})$", "b")];
    let rules = rules(terms);
    let of = |at: usize| rules.enabled[at].called.as_ref().unwrap().pattern();
    assert!(Arc::ptr_eq(&of(0), &of(1)));
}
