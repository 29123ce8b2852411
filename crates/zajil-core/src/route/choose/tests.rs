//! Tables of routes as text, with the verdict on each route (S4.2).

use std::collections::HashMap;

mod large;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::frontend::FrontendName;
use crate::number;
use crate::route::{Action, Charged, Followers, Priority, RouteId, SourceType, Terms, Weight};

/// Routes as lines: `called=44 calling=1 source=acme type=SMPP enum=a.example priority=5 weight=70
/// disabled`, then `-> gateway`, `reply`, `reply -> gateway` or `drop`. Ids count from 1.
fn table(text: &str) -> Table {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let routes: Vec<Route> = lines
        .zip(1..)
        .map(|(line, id)| Route {
            id: RouteId(id),
            terms: terms(line),
        })
        .collect();
    Table::new(&routes)
}

fn terms(line: &str) -> Terms {
    let (conditions, dest) = line.split_once("->").unwrap_or((line, ""));
    let mut words: HashMap<&str, &str> = conditions
        .split_whitespace()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .collect();
    let dest_smsc = FrontendName::parse(dest).ok();
    let action = if words.remove("drop").is_some() {
        Action::Drop
    } else if words.remove("reply").is_some() {
        Action::AutoReply {
            text: "closed".into(),
            deliver: dest_smsc,
        }
    } else {
        Action::Deliver(dest_smsc.unwrap())
    };
    let mut text = |word| words.remove(word).map(str::to_owned);
    let terms = Terms {
        calling_prefix: text("calling"),
        called_prefix: text("called"),
        source_smsc: text("source").map(|name| FrontendName::parse(&name).unwrap()),
        source_type: text("type").map(|kind| SourceType::parse(&kind).unwrap()),
        enum_domain: text("enum"),
        action,
        followers: Followers::default(),
        charged: Charged::AsConfigured,
        weight: text("weight").map_or(Weight::default(), |n| {
            Weight::new(n.parse().unwrap()).unwrap()
        }),
        priority: text("priority").map_or(Priority::default(), |n| {
            Priority::new(n.parse().unwrap()).unwrap()
        }),
        description: None,
        enabled: words.remove("disabled").is_none(),
    };
    assert!(words.is_empty(), "unknown words in {line}");
    terms
}

fn query<'a>(calling: &'a str, called: &'a str) -> Query<'a> {
    Query {
        calling,
        called,
        source_smsc: None,
        source_type: None,
        enum_domain: None,
        auto_reply_allowed: true,
    }
}

fn check_draw(table: &Table, query: &Query<'_>, draw: u64, verdicts: &Expect) {
    let explanation = explain(table, query, draw);
    assert_eq!(
        choose(table, query, draw),
        explanation.winner,
        "the hot path agrees"
    );
    let lines = explanation
        .verdicts
        .iter()
        .map(|(route, why)| format!("{} {why}\n", route.id));
    verdicts.assert_eq(&lines.collect::<String>());
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "reads as a table at the call"
)]
fn check(routes: &str, query: Query<'_>, verdicts: Expect) {
    check_draw(&table(routes), &query, 0, &verdicts);
}

#[test]
fn s4_2_every_condition_must_hold() {
    let routes = "
        called=44                 -> uk
        calling=1                 -> us
        source=acme               -> acme
        type=SMPP                 -> smpp
        enum=voip.example.com     -> voip
        called=44 disabled        -> off
        called=44 source=other    -> other
    ";
    let none = query("+49170", "+33612");
    check(
        routes,
        none,
        expect![[r#"
            1 the called number does not begin with called_prefix
            2 the calling number does not begin with calling_prefix
            3 came from another source_smsc
            4 came in by another source_type
            5 enum gave another enum_domain, or none
            6 disabled
            7 the called number does not begin with called_prefix
        "#]],
    );
    let all = Query {
        source_smsc: Some("acme"),
        source_type: Some(SourceType::Smpp),
        enum_domain: Some("VOIP.Example.COM"),
        ..query("+1555", "+447700")
    };
    check(
        routes,
        all,
        expect![[r#"
            1 won
            2 outranked by a longer called_prefix
            3 outranked by a longer called_prefix
            4 outranked by a longer called_prefix
            5 outranked by a longer called_prefix
            6 disabled
            7 came from another source_smsc
        "#]],
    );
}

#[test]
fn s4_2_priority_then_called_then_calling_then_source() {
    check(
        "
            priority=1 called=9                        -> elsewhere
            priority=10                                -> a
            priority=10 called=44                      -> b
            priority=10 called=447                     -> c
            priority=10 called=447 calling=1           -> d
            priority=10 called=447 calling=15          -> e
            priority=10 called=447 calling=15 source=s -> f
            priority=11 called=44770 calling=155       -> g
        ",
        Query {
            source_smsc: Some("s"),
            ..query("+1555", "+447700")
        },
        expect![[r#"
            1 the called number does not begin with called_prefix
            2 outranked by a longer called_prefix
            3 outranked by a longer called_prefix
            4 outranked by a longer calling_prefix
            5 outranked by a longer calling_prefix
            6 outranked by one that names source_smsc
            7 won
            8 outranked by a lower priority
        "#]],
    );
}

#[test]
fn d8_prefixes_are_compared_without_plus_and_separators_and_names_as_text() {
    let routes = "
        called=+44-77             -> plus
        called=447                -> bare
        calling=My                -> name
        calling=+                 -> anybody
        called=١٢                 -> other-digits
    ";
    check(
        routes,
        query("My Bank", "44 (770) 0900"),
        expect![[r#"
            1 won
            2 outranked by a longer called_prefix
            3 outranked by a longer called_prefix
            4 outranked by a longer called_prefix
            5 the called number does not begin with called_prefix
        "#]],
    );
    check(
        routes,
        query("My Bank", "1"),
        expect![[r#"
            1 the called number does not begin with called_prefix
            2 the called number does not begin with called_prefix
            3 won
            4 outranked by a longer calling_prefix
            5 the called number does not begin with called_prefix
        "#]],
    );
    check(
        routes,
        query("my bank", "١x"),
        expect![[r#"
            1 the called number does not begin with called_prefix
            2 the called number does not begin with called_prefix
            3 the calling number does not begin with calling_prefix
            4 won
            5 the called number does not begin with called_prefix
        "#]],
    );
}

#[test]
fn s4_3_an_automatic_reply_is_not_answered_but_may_be_routed_and_dropped() {
    let routes = "
        called=7 reply            -> gw
        called=7 reply
        called=7 drop
    ";
    check(
        routes,
        Query {
            auto_reply_allowed: false,
            ..query("1", "7726")
        },
        expect![[r#"
            1 automatic replies are not answered automatically
            2 automatic replies are not answered automatically
            3 won
        "#]],
    );
    check(
        routes,
        query("1", "7726"),
        expect![[r#"
            1 won
            2 lost the draw by weight
            3 lost the draw by weight
        "#]],
    );
}

#[test]
fn s4_2_equals_share_by_weight_over_the_whole_range() {
    let table = table(
        "
        called=4 weight=70            -> primary
        called=4 weight=30            -> backup
        called=4 weight=100 disabled  -> off
        called=4 weight=1 type=SMPP   -> smpp
        called=5                      -> elsewhere
        ",
    );
    let smpp = Query {
        source_type: Some(SourceType::Smpp),
        ..query("1", "44")
    };
    for (query, total, shares) in [
        (query("1", "44"), 100, vec![70, 30]),
        (smpp, 101, vec![70, 30, 0, 1]),
    ] {
        let mut wins: HashMap<u64, u64> = HashMap::new();
        for draw in 0..total {
            let winner = choose(&table, &query, draw).unwrap().id.0;
            assert_eq!(
                choose(&table, &query, draw + total).map(|r| r.id.0),
                Some(winner)
            );
            *wins.entry(winner).or_default() += 1;
        }
        for (share, id) in shares.iter().zip(1..) {
            assert_eq!(
                wins.get(&id).copied().unwrap_or(0),
                *share,
                "route {id} of {total}"
            );
        }
    }
    check_draw(
        &table,
        &smpp,
        u64::MAX,
        &expect![[r#"
            1 lost the draw by weight
            2 won
            3 disabled
            4 lost the draw by weight
            5 the called number does not begin with called_prefix
        "#]],
    );
}

#[test]
fn s4_5_before_the_draw_all_who_may_win_have_their_shares() {
    let table = table(
        "
        called=4 weight=70            -> primary
        called=4 weight=30            -> backup
        called=4 weight=100 disabled  -> off
                                      -> shorter
        called=5                      -> elsewhere
        ",
    );
    let shown = outcomes(&table, &query("1", "44"));
    let shown = shown.iter().map(|(route, outcome)| match outcome {
        Outcome::MayWin { share, of } => format!("{} wins {share} of {of}\n", route.id),
        Outcome::Loses(why) => format!("{} {why}\n", route.id),
    });
    expect![[r"
        1 wins 70 of 100
        2 wins 30 of 100
        3 disabled
        4 outranked by a longer called_prefix
        5 the called number does not begin with called_prefix
    "]]
    .assert_eq(&shown.collect::<String>());
}

#[test]
fn s4_2_nothing_matches_in_an_empty_table() {
    assert_eq!(choose(&Table::default(), &query("", ""), 7), None);
    assert_eq!(explain(&Table::new(&[]), &query("", ""), 7).verdicts, []);
}

#[test]
fn d12_a_table_names_the_frontends_that_its_routes_deliver_to() {
    let table = table("called=1 -> a\n called=2 disabled -> b\n reply -> c\n drop");
    let names = |name| table.names(&FrontendName::parse(name).unwrap());
    assert_eq!(
        ["a", "b", "c", "d", "A"].map(names),
        [true, true, true, false, false]
    );
}

#[test]
fn d13_a_choice_looks_at_few_routes_however_many_there_are() {
    let shapes: [fn(u64) -> String; 4] = [
        |n| format!("called={n:06} -> gw\n"),
        |n| format!("called=44 calling={n:06} -> gw\n"),
        |n| format!("source=account{n} -> gw\n"),
        |n| format!("called={} priority={} -> gw\n", n % 1_000, 1 + n % 7),
    ];
    for shape in shapes {
        let table = table(&(0..20_000).map(shape).collect::<String>());
        let mut found = 0;
        for called in ["000777", "4412", "00044777"] {
            let query = Query {
                source_smsc: Some("account777"),
                ..query("000777", called)
            };
            let subject = Subject::new(table.conditions(), &query);
            let mut looked_at = 0;
            table.index().candidates(&subject, |routes| {
                looked_at += routes.len();
                None
            });
            assert!(looked_at <= 100, "{looked_at} routes for one message");
            found += usize::from(choose(&table, &query, 0).is_some());
        }
        assert!(found > 0, "the one that fits is among them");
    }
}

/// S4.2 as the specification words it, without index, ranks or early ends.
fn naive<'r>(routes: Vec<&'r Route>, query: &Query<'_>, draw: u64) -> Option<&'r Route> {
    let begins = |number: &str, prefix: &Option<String>| {
        prefix
            .as_ref()
            .is_none_or(|p| number::key(number).starts_with(&*number::key(p)))
    };
    let mut left = routes;
    left.retain(|route| route.terms.enabled);
    left.retain(|r| begins(query.called, &r.terms.called_prefix));
    left.retain(|r| begins(query.calling, &r.terms.calling_prefix));
    left.retain(|r| {
        r.terms
            .source_smsc
            .as_ref()
            .is_none_or(|name| Some(name.as_str()) == query.source_smsc)
    });
    left.retain(|r| r.terms.source_type.is_none() || r.terms.source_type == query.source_type);
    left.retain(|r| {
        let domain = query.enum_domain.map(str::to_lowercase);
        r.terms.enum_domain.is_none()
            || r.terms.enum_domain.as_ref().map(|d| d.to_lowercase()) == domain
    });
    left.retain(|r| {
        query.auto_reply_allowed || !matches!(r.terms.action, Action::AutoReply { .. })
    });
    let length = |prefix: &Option<String>| prefix.as_ref().map_or(0, |p| number::key(p).len());
    let lowest = left.iter().map(|r| r.terms.priority).min()?;
    left.retain(|r| r.terms.priority == lowest);
    let called = left.iter().map(|r| length(&r.terms.called_prefix)).max()?;
    left.retain(|r| length(&r.terms.called_prefix) == called);
    let calling = left.iter().map(|r| length(&r.terms.calling_prefix)).max()?;
    left.retain(|r| length(&r.terms.calling_prefix) == calling);
    if left.iter().any(|r| r.terms.source_smsc.is_some()) {
        left.retain(|r| r.terms.source_smsc.is_some());
    }
    let lots: Vec<&Route> = left
        .iter()
        .flat_map(|r| std::iter::repeat_n(*r, usize::from(r.terms.weight.get())))
        .collect();
    lots.get(usize::try_from(draw % u64::try_from(lots.len()).unwrap()).unwrap())
        .copied()
}

fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[+]?[12][12-]{0,4}", 1 => "(Bank|Ban|Bä)?"]
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let conditions = (
        proptest::option::of(any_number()),
        proptest::option::of(any_number()),
        proptest::option::weighted(0.3, "[ab]"),
        proptest::option::weighted(0.2, proptest::sample::select(&SourceType::ALL)),
        proptest::option::weighted(0.2, "[xX]\\.org"),
    );
    (conditions, 1..3_i64, 1..4_i64, 0..3_u8, any::<bool>()).prop_map(
        |((calling, called, source, kind, domain), priority, weight, action, enabled)| Terms {
            calling_prefix: calling,
            called_prefix: called,
            source_smsc: source.map(|name| FrontendName::parse(&name).unwrap()),
            source_type: kind,
            enum_domain: domain,
            action: match action {
                0 => Action::Drop,
                1 => Action::AutoReply {
                    text: String::new(),
                    deliver: None,
                },
                _ => Action::Deliver(FrontendName::parse("gw").unwrap()),
            },
            followers: Followers::default(),
            charged: Charged::AsConfigured,
            weight: Weight::new(weight).unwrap(),
            priority: Priority::new(priority).unwrap(),
            description: None,
            enabled,
        },
    )
}

proptest! {
    #[test]
    fn s4_2_the_index_changes_nothing(
        terms in proptest::collection::vec(any_terms(), 0..40),
        (calling, called) in (any_number(), any_number()),
        source in proptest::option::of("[abc]"),
        kind in proptest::option::of(proptest::sample::select(&SourceType::ALL)),
        domain in proptest::option::of("[xy]\\.ORG"),
        (auto_reply_allowed, draw) in (any::<bool>(), any::<u64>()),
    ) {
        let numbered = terms.into_iter().zip(1..);
        let routes: Vec<Route> =
            numbered.map(|(terms, id)| Route { id: RouteId(id), terms }).collect();
        let table = Table::new(&routes);
        let query = Query {
            calling: &calling,
            called: &called,
            source_smsc: source.as_deref(),
            source_type: kind,
            enum_domain: domain.as_deref(),
            auto_reply_allowed,
        };
        let expected = naive(routes.iter().collect(), &query, draw);
        prop_assert_eq!(choose(&table, &query, draw), expected);
        prop_assert_eq!(explain(&table, &query, draw).winner, expected);
    }
}
