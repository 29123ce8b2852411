//! The routing tables: routes and translation rules (S4.4, S5).

use std::sync::Arc;

use zajil_core::port::{Routing, RoutingChange};
use zajil_core::route::{
    Action, Charged, Followers, Priority, Route, RouteId, SourceType, Terms, Weight,
};
use zajil_core::translate::{Rule, RuleId, RuleTerms};

use super::Subject;
use super::build::name;
use crate::contract::Error;

/// A route to a frontend, told apart by its description.
pub(super) fn terms(description: &str) -> Terms {
    Terms {
        calling_prefix: None,
        called_prefix: Some("44".into()),
        source_smsc: None,
        source_type: None,
        enum_domain: None,
        action: Action::Deliver(name("gw")),
        followers: Followers::default(),
        charged: Charged::AsConfigured,
        weight: Weight::default(),
        priority: Priority::default(),
        description: Some(description.into()),
        enabled: true,
    }
}

pub(super) fn rule_terms(description: &str) -> RuleTerms {
    RuleTerms {
        called_match: Some(r"^00(\d+)$".into()),
        called_replace: Some(r"+\1".into()),
        description: Some(description.into()),
        enabled: true,
        ..RuleTerms::default()
    }
}

impl Subject {
    /// Applies a change, and checks that the tables are then what the rule for changes says.
    async fn change(&self, change: RoutingChange) -> (Routing, Option<u64>) {
        let before = self.store.routing().await.unwrap();
        let (version, id) = self
            .store
            .change_routing(change.clone(), None)
            .await
            .unwrap();
        assert_eq!(version, before.version + 1);
        assert_eq!(self.store.routing_version().await.unwrap(), version);
        let tables = self.store.routing().await.unwrap();
        assert_eq!(tables.version, version);
        if let Some(expected) = before.after(&change, version, id) {
            assert_eq!(tables, expected, "{change:?}");
        }
        (tables, id)
    }

    /// Adds a route and answers its id.
    async fn add(&self, description: &str) -> RouteId {
        let (_, id) = self
            .change(RoutingChange::AddRoute(terms(description)))
            .await;
        RouteId(id.unwrap())
    }

    async fn refused(&self, change: RoutingChange) {
        let before = self.store.routing().await.unwrap();
        assert_eq!(
            self.store.change_routing(change, None).await,
            Err(Error::NotFound)
        );
        assert_eq!(self.store.routing().await.unwrap(), before);
    }

    async fn routes(&self) -> Vec<(u64, String)> {
        let routes = self.store.routing().await.unwrap().routes;
        routes
            .into_iter()
            .map(|r| (r.id.0, r.terms.description.clone().unwrap_or_default()))
            .collect()
    }
}

fn row(id: RouteId, description: &str) -> (u64, String) {
    (id.0, description.into())
}

pub async fn s4_4_the_tables_start_empty_and_every_change_raises_the_version(s: Subject) {
    let empty = s.store.routing().await.unwrap();
    assert_eq!((empty.routes, empty.rules), (Vec::new(), Vec::new()));
    let (tables, id) = s.change(RoutingChange::AddRoute(terms("a"))).await;
    assert_eq!(id, Some(1));
    assert_eq!(
        tables.routes,
        [Arc::new(Route {
            id: RouteId(1),
            terms: terms("a")
        })]
    );
    let (tables, id) = s.change(RoutingChange::AddRule(rule_terms("b"))).await;
    assert_eq!(id, Some(1));
    assert_eq!(
        tables.rules,
        [Arc::new(Rule {
            id: RuleId(1),
            terms: rule_terms("b")
        })]
    );
    assert_eq!(tables.routes.len(), 1);
}

pub async fn s4_1_every_term_of_a_route_is_kept(s: Subject) {
    let reply = |deliver| Action::AutoReply {
        text: "we're \"closed\"\n".into(),
        deliver,
    };
    let actions = [
        Action::Deliver(name("gw one")),
        reply(None),
        reply(Some(name("gw"))),
        Action::Drop,
    ];
    let mut all = vec![Terms {
        called_prefix: None,
        description: None,
        ..terms("")
    }];
    for (index, action) in actions.into_iter().enumerate() {
        all.push(Terms {
            calling_prefix: Some("1".into()),
            called_prefix: Some("".into()),
            source_smsc: Some(name("api")),
            source_type: Some(SourceType::ALL[index % 3]),
            enum_domain: Some("voip.example.com".into()),
            action,
            followers: Followers::default(),
            charged: Charged::ALL[index % 3],
            weight: Weight::new(1).unwrap(),
            priority: Priority::new(255).unwrap(),
            description: Some("".into()),
            enabled: false,
        });
    }
    for terms in &all {
        s.change(RoutingChange::AddRoute(terms.clone())).await;
    }
    let kept = s.store.routing().await.unwrap().routes;
    assert_eq!(
        kept.into_iter()
            .map(|route| route.terms.clone())
            .collect::<Vec<_>>(),
        all
    );
}

pub async fn s5_1_every_term_of_a_rule_is_kept(s: Subject) {
    let full = RuleTerms {
        calling_prefix: Some("1".into()),
        called_prefix: Some("101".into()),
        source_smsc: Some(name("carrier_a")),
        calling_match: Some(r"^\+?1?[\s\-\.\(\)]*(\d{3})$".into()),
        calling_replace: Some(r"+1\1".into()),
        called_match: Some(String::new()),
        called_replace: Some(String::new()),
        priority: Priority::new(1).unwrap(),
        description: Some("strip".into()),
        enabled: true,
    };
    let all = [full, RuleTerms::default()];
    for terms in &all {
        s.change(RoutingChange::AddRule(terms.clone())).await;
    }
    let kept = s.store.routing().await.unwrap().rules;
    assert_eq!(
        kept.into_iter()
            .map(|rule| rule.terms.clone())
            .collect::<Vec<_>>(),
        all
    );
}

pub async fn s4_4_routes_are_changed_and_removed_by_id(s: Subject) {
    let (a, b, c) = (s.add("a").await, s.add("b").await, s.add("c").await);
    let (_, id) = s.change(RoutingChange::SetRoute(b, terms("B"))).await;
    assert_eq!(id, Some(b.0));
    assert_eq!(s.routes().await, [row(a, "a"), row(b, "B"), row(c, "c")]);
    let (_, id) = s.change(RoutingChange::RemoveRoute(a)).await;
    assert_eq!(id, Some(a.0));
    assert_eq!(s.routes().await, [row(b, "B"), row(c, "c")]);
}

pub async fn s5_1_rules_are_changed_and_removed_by_id(s: Subject) {
    for description in ["a", "b", "c"] {
        s.change(RoutingChange::AddRule(rule_terms(description)))
            .await;
    }
    let (_, id) = s
        .change(RoutingChange::SetRule(RuleId(2), rule_terms("B")))
        .await;
    assert_eq!(id, Some(2));
    let (tables, id) = s.change(RoutingChange::RemoveRule(RuleId(1))).await;
    assert_eq!(id, Some(1));
    let rule = |id, description| Rule {
        id: RuleId(id),
        terms: rule_terms(description),
    };
    assert_eq!(tables.rules, [rule(2, "B"), rule(3, "c")].map(Arc::new));
    s.refused(RoutingChange::RemoveRule(RuleId(1))).await;
    s.change(RoutingChange::RemoveRule(RuleId(3))).await;
    let (_, id) = s.change(RoutingChange::AddRule(rule_terms("d"))).await;
    assert!(id.unwrap() > 3, "ids are not used again");
}

pub async fn s4_4_an_unknown_id_is_refused_and_changes_nothing(s: Subject) {
    s.add("a").await;
    s.refused(RoutingChange::SetRoute(RouteId(9), terms("x")))
        .await;
    s.refused(RoutingChange::RemoveRoute(RouteId(9))).await;
    s.refused(RoutingChange::SetRule(RuleId(1), rule_terms("x")))
        .await;
    s.refused(RoutingChange::RemoveRule(RuleId(u64::MAX))).await;
}

pub async fn s4_4_an_import_goes_beside_what_is_there(s: Subject) {
    let (a, b) = (s.add("a").await, s.add("b").await);
    let routes = vec![
        (Some(b), terms("B")),
        (None, terms("new")),
        (Some(RouteId(70)), terms("from elsewhere")),
    ];
    let (_, id) = s
        .change(RoutingChange::ImportRoutes {
            routes,
            replace: false,
        })
        .await;
    assert_eq!(id, None);
    let now = s.routes().await;
    assert_eq!(now[..2], [row(a, "a"), row(b, "B")]);
    let fresh: Vec<_> = now[2..]
        .iter()
        .map(|(_, description)| description.as_str())
        .collect();
    assert_eq!(fresh, ["new", "from elsewhere"]);
    assert!(
        now[2].0 > b.0 && now[3].0 > now[2].0 && now[3].0 < 70,
        "new ids: {now:?}"
    );
}

pub async fn s4_4_a_replacing_import_leaves_nothing_else(s: Subject) {
    let (a, b) = (s.add("a").await, s.add("b").await);
    s.change(RoutingChange::AddRule(rule_terms("rule"))).await;
    let routes = vec![(None, terms("new")), (Some(a), terms("A"))];
    s.change(RoutingChange::ImportRoutes {
        routes,
        replace: true,
    })
    .await;
    let now = s.routes().await;
    assert_eq!(now[0], row(a, "A"));
    assert!(now[1].0 > b.0, "{now:?}");
    assert_eq!((now.len(), now[1].1.as_str()), (2, "new"));
    let nothing = RoutingChange::ImportRoutes {
        routes: Vec::new(),
        replace: true,
    };
    let (tables, _) = s.change(nothing).await;
    assert_eq!(tables.routes, []);
    assert_eq!(tables.rules.len(), 1, "rules are not routes");
}

pub async fn s5_1_rules_are_imported_like_routes(s: Subject) {
    s.add("a route").await;
    let (_, a) = s.change(RoutingChange::AddRule(rule_terms("a"))).await;
    s.change(RoutingChange::AddRule(rule_terms("b"))).await;
    let a = RuleId(a.unwrap());
    let import = |replace| RoutingChange::ImportRules {
        rules: vec![(None, rule_terms("new")), (Some(a), rule_terms("A"))],
        replace,
    };
    let told = |tables: &Routing| {
        let told = tables.rules.iter().map(|r| r.terms.description.clone());
        told.map(Option::unwrap).collect::<Vec<_>>()
    };
    let (tables, id) = s.change(import(false)).await;
    assert_eq!(
        (told(&tables), id),
        (vec!["A".into(), "b".into(), "new".into()], None)
    );
    let (tables, _) = s.change(import(true)).await;
    assert_eq!(told(&tables), ["A", "new"]);
    assert_eq!(tables.rules[0].id, a);
    assert!(tables.rules[1].id > RuleId(3), "{:?}", tables.rules);
    assert_eq!(tables.routes.len(), 1, "routes are not rules");
}

pub async fn s4_4_ids_are_not_used_again(s: Subject) {
    let (_, b) = (s.add("a").await, s.add("b").await);
    s.change(RoutingChange::RemoveRoute(b)).await;
    let c = s.add("c").await;
    assert!(c > b);
    let nothing = RoutingChange::ImportRoutes {
        routes: Vec::new(),
        replace: true,
    };
    s.change(nothing).await;
    assert!(s.add("d").await > c);
}
