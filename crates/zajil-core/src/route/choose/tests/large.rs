//! Large random tables: the same answers as a naive chooser, and weights in proportion (S4.2).

use std::collections::{HashMap, HashSet};

use super::*;

const SEED: u64 = 20_251_123;

/// Repeatable chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A country and digits, few of them seldom: prefixes nest, but not all in one place.
    fn digits(&mut self, most: usize) -> String {
        let mut text = self.pick(&["1", "44", "49", "967", "9", "*1"]).to_owned();
        let draws = [(); 4].map(|()| self.below(most));
        let length = draws.into_iter().max().unwrap();
        for _ in 0..length {
            text.push(self.pick(&['0', '1', '2', '3', '7', '9']));
        }
        text
    }

    fn prefix(&mut self) -> String {
        match self.below(12_000) {
            0 => String::new(),
            1 => "+".to_owned(),
            n if n < 100 => {
                let name = self.pick(&["Bank", "Ba", "Bä", "My Bank 2"]);
                name.chars().take(1 + self.below(9)).collect()
            }
            n if n < 1200 => self.digits(22),
            n if n < 6000 => format!("+{}", self.digits(8)),
            _ => self.digits(8),
        }
    }

    fn priority(&mut self) -> Priority {
        let rare = self.one_in(300);
        let priority = if rare {
            self.pick(&[1, 50, 99, 101, 255])
        } else {
            100
        };
        Priority::new(priority).unwrap()
    }

    fn terms(&mut self) -> Terms {
        let source = self.one_in(5).then(|| format!("gw-{}", self.below(9)));
        Terms {
            called_prefix: (!self.one_in(12_000)).then(|| self.prefix()),
            calling_prefix: self.one_in(4).then(|| self.prefix()),
            source_smsc: source.map(|name| FrontendName::parse(&name).unwrap()),
            source_type: self.one_in(8).then(|| self.pick(&SourceType::ALL)),
            enum_domain: self
                .one_in(8)
                .then(|| self.pick(&["a.example", "B.example"]).into()),
            action: match self.below(10) {
                0 => Action::Drop,
                1 => Action::AutoReply {
                    text: String::new(),
                    deliver: None,
                },
                _ => Action::Deliver(FrontendName::parse("gw").unwrap()),
            },
            followers: Followers::default(),
            charged: Charged::AsConfigured,
            weight: Weight::new(self.pick(&[100, 100, 70, 30, 1])).unwrap(),
            priority: self.priority(),
            description: None,
            enabled: !self.one_in(10),
        }
    }

    fn table(&mut self, size: u64) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for id in 1..=size {
            let mut terms = self.terms();
            if id > 1 && self.one_in(10) {
                // The same conditions and rank once more, with a weight of its own.
                let twin = routes[self.below(routes.len())].terms.clone();
                terms = Terms {
                    weight: terms.weight,
                    enabled: terms.enabled,
                    ..twin
                };
            }
            if prefix_is_empty(&terms) {
                // Or every query would find a route.
                terms.calling_prefix = Some(self.digits(8));
            }
            routes.push(Route {
                id: RouteId(id),
                terms,
            });
        }
        routes
    }

    /// A number that begins as one of the routes wants it, or any.
    fn number(&mut self, wanted: Option<&str>) -> String {
        let mut text = wanted.map_or_else(|| self.prefix(), str::to_owned);
        if self.one_in(3) {
            text = text.trim_start_matches('+').to_owned();
        }
        while text.chars().count() < 11 && !self.one_in(20) {
            text.push(self.pick(&['0', '1', '2', '3', '7', '9']));
        }
        text
    }
}

fn prefix_is_empty(terms: &Terms) -> bool {
    terms
        .called_prefix
        .as_deref()
        .is_none_or(|text| number::key(text).is_empty())
}

/// A query with texts of its own.
struct Asked {
    calling: String,
    called: String,
    source: Option<String>,
    source_type: Option<SourceType>,
    domain: Option<&'static str>,
    auto_reply_allowed: bool,
    draw: u64,
}

impl Asked {
    fn new(routes: &[Route], chance: &mut Chance) -> Self {
        let near = &routes[chance.below(routes.len())].terms;
        let source = near.source_smsc.as_ref().map(ToString::to_string);
        let called = if chance.one_in(40) {
            chance.number(Some("8"))
        } else {
            chance.number(near.called_prefix.as_deref())
        };
        Self {
            calling: chance.number(near.calling_prefix.as_deref()),
            called,
            source: source.or_else(|| chance.one_in(2).then(|| format!("gw-{}", chance.below(12)))),
            source_type: near
                .source_type
                .or_else(|| chance.one_in(2).then_some(SourceType::Smpp)),
            domain: chance.pick(&[
                None,
                Some("A.Example"),
                Some("b.example"),
                Some("c.example"),
            ]),
            auto_reply_allowed: chance.one_in(2),
            draw: chance.next(),
        }
    }

    fn query(&self) -> Query<'_> {
        Query {
            calling: &self.calling,
            called: &self.called,
            source_smsc: self.source.as_deref(),
            source_type: self.source_type,
            enum_domain: self.domain,
            auto_reply_allowed: self.auto_reply_allowed,
        }
    }
}

/// A hundred thousand routes and queries. The naive chooser gets the routes of every called prefix
/// that the number has, by plain text, in the order of the table; that leaving out the others
/// changes nothing is seen by handing it all of them for some of the queries.
#[test]
fn d13_a_hundred_thousand_routes_agree_with_the_naive_chooser() {
    let mut chance = Chance(SEED);
    let routes = chance.table(100_000);
    let table = Table::new(&routes);
    let mut by_called: HashMap<String, Vec<&Route>> = HashMap::new();
    for route in &routes {
        let prefix = route.terms.called_prefix.as_deref().unwrap_or("");
        let prefix = number::key(prefix).into_owned();
        by_called.entry(prefix).or_default().push(route);
    }
    let (mut winners, mut losses) = (HashSet::new(), 0);
    for at in 0..100_000 {
        let asked = Asked::new(&routes, &mut chance);
        let query = asked.query();
        let called = number::key(query.called);
        let ends = (0..=called.len()).filter_map(|end| called.get(..end));
        let mut near: Vec<&Route> = ends
            .filter_map(|prefix| by_called.get(prefix))
            .flatten()
            .copied()
            .collect();
        near.sort_by_key(|route| route.id);
        let expected = naive(near, &query, asked.draw);
        if at % 10_000 == 0 {
            assert_eq!(naive(routes.iter().collect(), &query, asked.draw), expected);
        }
        assert_eq!(
            choose(&table, &query, asked.draw),
            expected,
            "seed {SEED}, query {at}: {query:?}"
        );
        match expected {
            Some(winner) => drop(winners.insert(winner.id)),
            None => losses += 1,
        }
    }
    assert!(winners.len() > 10_000, "{} routes won", winners.len());
    assert!(losses > 1_000, "{losses} found none");
}

#[test]
fn s4_5_shares_are_the_counts_of_all_draws() {
    let mut chance = Chance(SEED);
    for round in 0..150 {
        let size = 1 + chance.next() % 60;
        let mut routes = chance.table(size);
        for route in &mut routes {
            // Fewer kinds, so that there are many equals.
            route.terms.called_prefix = chance.one_in(2).then(|| "4".to_owned());
            route.terms.calling_prefix = None;
        }
        let table = Table::new(&routes);
        let asked = Asked::new(&routes, &mut chance);
        let query = asked.query();
        let outcomes = outcomes(&table, &query);
        let mut shares: HashMap<RouteId, u32> = HashMap::new();
        let mut total = 0;
        for (route, outcome) in &outcomes {
            if let Outcome::MayWin { share, of } = outcome {
                shares.insert(route.id, *share);
                total = *of;
            }
        }
        let mut counts: HashMap<RouteId, u32> = HashMap::new();
        for draw in 0..u64::from(total.max(1)) {
            let winner = choose(&table, &query, draw);
            let explained = explain(&table, &query, draw);
            assert_eq!(explained.winner, winner, "seed {SEED}, round {round}");
            for ((_, outcome), (_, verdict)) in outcomes.iter().zip(&explained.verdicts) {
                match outcome {
                    Outcome::Loses(why) => assert_eq!(why, verdict),
                    Outcome::MayWin { .. } => {
                        assert!(matches!(verdict, Verdict::Won | Verdict::LostDraw));
                    }
                }
            }
            if let Some(winner) = winner {
                *counts.entry(winner.id).or_default() += 1;
            }
        }
        assert_eq!(counts, shares, "seed {SEED}, round {round}");
    }
}

/// Pearson's test; the limits are those of p = 0.001 for 1 to 4 degrees of freedom.
#[test]
fn s4_2_random_draws_keep_the_proportions_of_weights() {
    const LIMITS: [f64; 4] = [10.828, 13.816, 16.266, 18.467];
    const DRAWS: u32 = 100_000;
    let mut chance = Chance(SEED);
    for weights in [
        &[70, 30][..],
        &[1, 100],
        &[10, 20, 30, 40, 100],
        &[50, 50, 1],
    ] {
        let lines = weights
            .iter()
            .map(|w| format!("called=4 weight={w} -> gw\n"));
        let table = table(&lines.collect::<String>());
        let mut counts = vec![0_u32; weights.len()];
        for _ in 0..DRAWS {
            let winner = choose(&table, &query("1", "44"), chance.next()).unwrap();
            counts[usize::try_from(winner.id.0).unwrap() - 1] += 1;
        }
        let total: u32 = weights.iter().sum();
        let deviations = counts.iter().zip(weights).map(|(count, weight)| {
            let expected = f64::from(DRAWS) * f64::from(*weight) / f64::from(total);
            (f64::from(*count) - expected).powi(2) / expected
        });
        let chi_squared: f64 = deviations.sum();
        let limit = LIMITS[weights.len() - 2];
        assert!(
            chi_squared < limit,
            "seed {SEED}: {counts:?} for {weights:?}, {chi_squared} is not below {limit}"
        );
    }
}
