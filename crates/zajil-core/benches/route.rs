//! What a choice costs among few and many routes, and what one message costs: `cargo bench -p
//! zajil-core`.
//!
//! Queries come in random order over the whole table, so that a large one is not in the caches
//! (D13). Without cargo's `--bench` it runs small, to show that it still works.

#![expect(clippy::print_stdout, reason = "the figures are the result")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use zajil_core::frontend::FrontendName;
use zajil_core::route::choose::choose;
use zajil_core::route::table::Table;
use zajil_core::route::{
    Action, Charged, Followers, Priority, Query, Route, RouteId, SourceType, Terms, Weight,
};
use zajil_core::translate::apply::Rules;
use zajil_core::translate::{Rule, RuleId, RuleTerms};

const COUNTRIES: [&str; 16] = [
    "1", "20", "33", "34", "39", "44", "49", "61", "7", "81", "86", "91", "966", "967", "971",
    "973",
];

/// How much is measured.
struct Effort {
    rules: usize,
    sizes: [usize; 4],
    queries: usize,
    rounds: usize,
}

const FULL: Effort = Effort {
    rules: 20_000,
    sizes: [10, 100, 10_000, 100_000],
    queries: 1 << 16,
    rounds: 25,
};

const SMALL: Effort = Effort {
    rules: 200,
    sizes: [10, 100, 200, 300],
    queries: 1 << 8,
    rounds: 2,
};

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let effort = if is_bench { FULL } else { SMALL };
    compilations(effort.rules);
    let worlds: Vec<World> = effort
        .sizes
        .iter()
        .map(|size| World::new(*size, effort.queries))
        .collect();
    choices(&effort, &worlds);
    for count in [20, 1000] {
        translations(&effort, count);
    }
    if let Some(world) = worlds.last() {
        messages(world);
    }
}

/// Prints what a choice costs in each world, and how much more in the largest than among 100.
///
/// Others who use the machine make single rounds dearer, and those most that wait for shared
/// memory. So beside the median there is the undisturbed cost: the mean of the best time of each
/// slice of the queries. All other slices and worlds come between two turns of one slice.
fn choices(effort: &Effort, worlds: &[World]) {
    let mut ratios = Vec::new();
    let mut costs = vec![Vec::new(); worlds.len()];
    let mut best = vec![Vec::new(); worlds.len()];
    for _ in 0..effort.rounds {
        let mut round = Vec::new();
        for (world, best) in worlds.iter().zip(&mut best) {
            let slices = world.ns_per_choice();
            best.resize(slices.len(), f64::MAX);
            for (best, slice) in best.iter_mut().zip(&slices) {
                *best = slice.min(*best);
            }
            round.push(mean(&slices));
        }
        if let [_, hundred, .., most] = round.as_slice() {
            ratios.push(most / hundred);
        }
        for (costs, cost) in costs.iter_mut().zip(round) {
            costs.push(cost);
        }
    }
    let undisturbed: Vec<f64> = best.iter().map(|best| mean(best)).collect();
    for ((world, costs), undisturbed) in worlds.iter().zip(&mut costs).zip(&undisturbed) {
        println!(
            "choose among {:>6} routes: {:>7.1} ns, undisturbed {undisturbed:>7.1} ns, \
             {:.0}% find one",
            world.table.routes().len(),
            quantile(costs, 0.5),
            world.found() * 100.0,
        );
    }
    if let [_, hundred, .., most] = undisturbed.as_slice() {
        println!(
            "ratio of most to 100: undisturbed {:.2}, median {:.2}, rounds from {:.2} to {:.2}",
            most / hundred,
            quantile(&mut ratios, 0.5),
            quantile(&mut ratios, 0.0),
            quantile(&mut ratios, 1.0),
        );
    }
}

/// Prints what the rules cost alone.
fn translations(effort: &Effort, count: usize) {
    let rules = rules(count);
    let world = World::new(100, effort.queries.min(10_000));
    let mut costs = Vec::new();
    let mut changed = 0;
    for asked in &world.asked {
        let dialled = asked.dialled();
        let start = now();
        let done = rules.apply(&asked.calling, &dialled, asked.source.as_deref());
        costs.push(nanoseconds(start));
        changed += usize::from(done.is_some());
    }
    println!(
        "translate with {count:>4} rules: p50 {:.2} µs, p99 {:.2} µs, {changed} of {} changed",
        quantile(&mut costs, 0.5) / 1e3,
        quantile(&mut costs, 0.99) / 1e3,
        world.asked.len(),
    );
}

/// Prints what translation with the rules of S5.1 and the choice cost a message.
fn messages(world: &World) {
    let rules = rules(20);
    let mut costs = Vec::new();
    for asked in &world.asked {
        let dialled = asked.dialled();
        let start = now();
        let done = rules.apply(&asked.calling, &dialled, asked.source.as_deref());
        let called = done.as_ref().and_then(|done| done.called.as_deref());
        let query = Query {
            called: called.unwrap_or(&dialled),
            ..asked.query()
        };
        black_box(choose(&world.table, &query, asked.draw).map(|route| route.id));
        costs.push(nanoseconds(start));
    }
    println!(
        "translate with 20 rules and choose among {}: p50 {:.2} µs, p99 {:.2} µs",
        world.table.routes().len(),
        quantile(&mut costs, 0.5) / 1e3,
        quantile(&mut costs, 0.99) / 1e3,
    );
}

/// A table and the queries put to it.
struct World {
    table: Table,
    asked: Vec<Asked>,
}

struct Asked {
    calling: String,
    called: String,
    source: Option<String>,
    draw: u64,
}

impl Asked {
    /// The called number as it may have been entered: a third of them still to be translated.
    fn dialled(&self) -> String {
        if self.draw.is_multiple_of(3) {
            self.called.replace('+', "00")
        } else {
            self.called.clone()
        }
    }

    fn query(&self) -> Query<'_> {
        Query {
            calling: &self.calling,
            called: &self.called,
            source_smsc: self.source.as_deref(),
            source_type: Some(SourceType::Smpp),
            enum_domain: None,
            auto_reply_allowed: true,
        }
    }
}

impl World {
    fn new(routes: usize, queries: usize) -> Self {
        let mut chance = Chance(42);
        let mut taken = HashMap::new();
        let routes: Vec<Route> = (1..)
            .take(routes)
            .map(|id| Route {
                id: RouteId(id),
                terms: terms(&mut chance, &mut taken),
            })
            .collect();
        let ask = |_| ask(&routes, &mut chance);
        let asked = (0..queries).map(ask).collect();
        Self {
            table: Table::new(routes.iter().cloned()),
            asked,
        }
    }

    /// For each slice of the queries.
    fn ns_per_choice(&self) -> Vec<f64> {
        let slices = self.asked.chunks(1 << 10).map(|slice| {
            let start = now();
            for asked in slice {
                black_box(choose(&self.table, black_box(&asked.query()), asked.draw));
            }
            nanoseconds(start) / count(slice.len())
        });
        slices.collect()
    }

    fn found(&self) -> f64 {
        let found = self
            .asked
            .iter()
            .filter(|asked| choose(&self.table, &asked.query(), asked.draw).is_some());
        count(found.count()) / count(self.asked.len())
    }
}

/// Up to three routes for one called prefix, as in a tree of price lists: when the short ones are
/// taken, longer ones follow.
fn terms(chance: &mut Chance, taken: &mut HashMap<String, u8>) -> Terms {
    let called = chance.below(7);
    let calling = chance.below(4);
    let mut called_prefix = chance.number(called);
    while taken.get(&called_prefix).is_some_and(|count| *count == 3) {
        called_prefix = chance.digits(called_prefix.clone(), called_prefix.len() + 1);
    }
    *taken.entry(called_prefix.clone()).or_default() += 1;
    Terms {
        called_prefix: Some(called_prefix),
        calling_prefix: chance.one_in(5).then(|| chance.number(calling)),
        source_smsc: chance
            .one_in(5)
            .then(|| chance.source())
            .and_then(|name| FrontendName::parse(&name).ok()),
        source_type: chance.one_in(20).then_some(SourceType::Smpp),
        enum_domain: chance.one_in(50).then(|| "voip.example.com".to_owned()),
        action: Action::Drop,
        followers: Followers::default(),
        charged: Charged::AsConfigured,
        weight: Weight::default(),
        priority: if chance.one_in(20) {
            Priority::new(50).unwrap_or_default()
        } else {
            Priority::default()
        },
        description: None,
        enabled: !chance.one_in(50),
    }
}

/// Numbers that the prefixes of one of the routes fit.
fn ask(routes: &[Route], chance: &mut Chance) -> Asked {
    let terms = routes.get(chance.below(routes.len())).map(|r| &r.terms);
    let prefix = |field: fn(&Terms) -> Option<&String>| {
        let prefix = terms.and_then(field);
        prefix.map(|text| text.trim_start_matches('+').to_owned())
    };
    let called = prefix(|terms| terms.called_prefix.as_ref());
    let calling = prefix(|terms| terms.calling_prefix.as_ref());
    let source = terms.and_then(|terms| terms.source_smsc.as_ref());
    Asked {
        called: format!("+{}", chance.digits(called.unwrap_or_default(), 12)),
        calling: chance.digits(calling.unwrap_or_else(|| "4".to_owned()), 11),
        source: Some(source.map_or_else(|| chance.source(), ToString::to_string)),
        draw: chance.next(),
    }
}

/// Prints what it costs to compile so many rules, and to add one to them.
fn compilations(count: usize) {
    let written = written(count);
    let (before, start) = (resident_kib(), now());
    let rules = Rules::compile(&written).unwrap_or_default();
    let (all, memory) = (nanoseconds(start) / 1e6, resident_kib() - before);
    let mut more = written.clone();
    more.push(Arc::new(Rule {
        id: RuleId(1_000_000),
        terms: rule(r"^77(\d{5})$", r"+\1"),
    }));
    let start = now();
    let next = rules.after(&more).unwrap_or_default();
    let one = nanoseconds(start) / 1e6;
    println!(
        "compile {count} rules: {all:.1} ms, {:.1} MiB; one more: {one:.1} ms, {:.1} MiB in all",
        memory / 1_024.0,
        (resident_kib() - before) / 1_024.0,
    );
    black_box((rules, next));
}

/// Memory of this process; 0 where the system does not say.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0.0)
}

/// The examples of S5.1, and others of their kind up to `count`.
fn rules(count: usize) -> Rules {
    Rules::compile(&written(count)).unwrap_or_default()
}

fn written(count: usize) -> Vec<Arc<Rule>> {
    let mut terms: Vec<RuleTerms> = vec![
        rule(r"^00(\d+)$", r"+\1"),
        rule(r"^(\d{10})$", r"+1\1"),
        rule(
            r"^\+?1?[\s\-\.\(\)]*(\d{3})[\s\-\.\)\(]*(\d{3})[\s\-\.\)\(]*(\d{4})$",
            r"+1\1\2\3",
        ),
    ];
    for at in terms.len()..count {
        terms.push(match at % 4 {
            0 => RuleTerms {
                called_prefix: Some(format!("1{at:04}")),
                source_smsc: FrontendName::parse(&format!("gw-{}", at % 50)).ok(),
                ..rule(&format!(r"^1{at:04}(\d+)$"), r"\1")
            },
            1 => rule(&format!(r"^0{at:04}(\d{{7}})$"), r"+44\1"),
            2 => RuleTerms {
                source_smsc: FrontendName::parse(&format!("other-{at}")).ok(),
                ..rule(r"^0(\d{9})$", r"+49\1")
            },
            _ => RuleTerms {
                called_prefix: Some(format!("9{at:04}")),
                ..rule(r"^\+?(\d{8,15})$", r"+\1")
            },
        });
    }
    // The first three are the general ones: they come after all the others.
    terms.rotate_left(3.min(count));
    let numbered = (1..).map(RuleId).zip(terms);
    numbered
        .map(|(id, terms)| Arc::new(Rule { id, terms }))
        .collect()
}

fn rule(pattern: &str, replacement: &str) -> RuleTerms {
    RuleTerms {
        called_match: Some(pattern.to_owned()),
        called_replace: Some(replacement.to_owned()),
        enabled: true,
        ..RuleTerms::default()
    }
}

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
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    /// A country and so many digits.
    fn number(&mut self, digits: usize) -> String {
        let country = COUNTRIES.get(self.below(COUNTRIES.len())).unwrap_or(&"1");
        self.digits((*country).to_owned(), country.len() + digits)
    }

    fn digits(&mut self, mut text: String, length: usize) -> String {
        while text.len() < length {
            text.push(char::from(b"0123456789"[self.below(10)]));
        }
        text
    }

    fn source(&mut self) -> String {
        format!("gw-{}", self.below(50))
    }
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = count(values.len().saturating_sub(1));
    let at = (0..values.len()).find(|at| count(*at) >= last * part);
    at.and_then(|at| values.get(at)).copied().unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len().max(1))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e9
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
    Instant::now()
}
