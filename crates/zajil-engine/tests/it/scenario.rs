//! The language of timelines: one command a line, and what is told about each.
//!
//! ```text
//! register gw                    route 44 gw          route 9 drop     route 7 reply TEXT [gw]
//! rule called ^00(\d+)$ +\1      submit FROM TO BODY [dest=gw] [key=K] [after=SECONDS]
//! async FROM TO BODY …           offer gw [unrouted] [lease=SECONDS]
//! delivered m1 gw                failed m1            ended m1         remove m1
//! refused m1                     locate IMSI MSISDN gw          +90s                 stop
//! route … [then=b,c] [charged=yes] [enum=DOMAIN]      enum NUMBER DOMAIN
//! charges ANSWER…                books
//! ```
//! Words have `_` for a blank; `-` is an empty sender or prefix; `m1` is the first message.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use zajil_core::clock::{Clock as _, Timestamp};
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_core::lifecycle::Report;
use zajil_core::message::Message;
use zajil_core::offer::Asker;
use zajil_core::outcome::Refusal;
use zajil_core::port::{
    Ask, Control as _, Dedupe, Desk as _, Intake as _, RoutingChange, Submission,
};
use zajil_core::route::{Action, Charged};
use zajil_core::status::FinalStatus;
use zajil_core::translate::RuleTerms;
use zajil_engine::{Engine, Options, Parts};
use zajil_store::contract::{Filter, Store as _};
use zajil_telemetry::Telemetry;
use zajil_testkit::build;
use zajil_testkit::clock::FakeClock;
use zajil_testkit::dice::FixedDice;

use crate::moody::Moody;
use crate::outside::{Book, Ledger};

pub(crate) struct World {
    pub(crate) store: Arc<Moody>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) book: Arc<Book>,
    ids: Vec<MessageId>,
    out: String,
}

/// Runs a timeline and answers with what was told, the logs and the CDRs.
pub(crate) async fn run(timeline: &str) -> String {
    let mut world = World::new(Options::default()).await;
    world.play(timeline).await;
    world.finish().await
}

impl World {
    pub(crate) async fn new(options: Options) -> Self {
        Self::over(Arc::new(Moody::default()), options).await
    }

    pub(crate) async fn over(store: Arc<Moody>, options: Options) -> Self {
        let clock = Arc::new(FakeClock::default());
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let (ledger, book) = (Arc::<Ledger>::default(), Arc::<Book>::default());
        let parts = Parts {
            store: store.clone(),
            clock: clock.clone(),
            dice: Arc::new(FixedDice::new([0])),
            telemetry: telemetry.clone(),
            lookup: Some(book.clone()),
            charger: Some(ledger.clone()),
        };
        let engine = Engine::start(parts, options).await.unwrap();
        Self {
            store,
            clock,
            telemetry,
            engine,
            ledger,
            book,
            ids: Vec::new(),
            out: String::new(),
        }
    }

    pub(crate) async fn play(&mut self, timeline: &str) {
        for line in timeline
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let words: Vec<String> = line
                .split_whitespace()
                .map(|w| w.replace('_', " "))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let told = match self.command(&words).await {
                Ok(told) => told,
                Err(refusal) => format!("refused, {}: {refusal}", refusal.reason.code()),
            };
            let told = self.named(&told);
            let told = format!("{line} => {told}");
            writeln!(self.out, "{}", told.trim_end_matches(" => ")).unwrap();
        }
    }

    async fn command(&mut self, words: &[&str]) -> Result<String, Refusal> {
        match words {
            ["register", name] => {
                let (_, began) = self.engine.register(build::registration(name)).await?;
                Ok(if began { "new" } else { "renewed" }.into())
            }
            ["route", prefix, action @ ..] => self.add_route(prefix, action).await,
            ["rule", side, pattern, replacement] => self.add_rule(side, pattern, replacement).await,
            ["submit", from, to, body, rest @ ..] => {
                let submission = self.submission(from, to, body, rest);
                let accepted = self.engine.submit(submission).await?;
                self.learn().await;
                let repeated = if accepted.repeated { "again " } else { "" };
                Ok(format!("{repeated}{}", shown(&accepted.message)))
            }
            ["async", from, to, body, rest @ ..] => {
                let submission = self.submission(from, to, body, rest);
                let accepted = self.engine.submit_async(submission).await?;
                Ok(format!("taken, dest {:?}", accepted.message.dest_smsc))
            }
            ["offer", name, rest @ ..] => {
                let found = self.engine.offer(ask(name, rest)).await?;
                let ids: Vec<String> = found.iter().map(|m| m.id.to_string()).collect();
                Ok(format!("[{}]", ids.join(" ")))
            }
            ["delivered" | "failed" | "refused" | "ended", id, by @ ..] => {
                let report = report_of(words[0], by.first().map(|by| build::name(by)));
                self.report(id, report).await
            }
            ["remove", id] => self
                .engine
                .remove(self.id(id))
                .await
                .map(|()| "gone".into()),
            ["locate", imsi, msisdn, name] => {
                let sighting = build::sighting(imsi, msisdn, name);
                let (_, new) = self.engine.locate(None, sighting).await?;
                Ok(if new { "new" } else { "updated" }.into())
            }
            ["stop"] => {
                self.engine.stop().await;
                self.learn().await;
                Ok("stopped".into())
            }
            ["charges" | "books" | "enum", ..] => Ok(self.outside(words)),
            [wait] => {
                let seconds = wait
                    .trim_start_matches('+')
                    .trim_end_matches('s')
                    .parse()
                    .unwrap();
                self.clock.advance(Duration::from_secs(seconds));
                self.let_tasks_work().await;
                Ok(String::new())
            }
            other => panic!("no such command: {other:?}"),
        }
    }

    /// Tells what stands outside what to answer, or asks what it was asked.
    fn outside(&self, words: &[&str]) -> String {
        match words {
            ["charges", answers @ ..] => self.ledger.expect(answers),
            ["enum", number, domain] => self.book.learn(number, domain),
            _ => return format!("{:?}", self.ledger.calls()),
        }
        String::new()
    }

    /// Lets more than the longest period of the everyday sweeps pass for the runtime.
    pub(crate) async fn let_tasks_work(&mut self) {
        for _ in 0..12 {
            tokio::time::advance(Duration::from_millis(500)).await;
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        self.learn().await;
    }

    async fn add_route(&self, prefix: &str, words: &[&str]) -> Result<String, Refusal> {
        let (options, action): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.contains('='));
        let action = match action.as_slice() {
            ["drop"] => Action::Drop,
            ["reply", text, to @ ..] => Action::AutoReply {
                text: (*text).into(),
                deliver: to.first().map(|name| build::name(name)),
            },
            [name] => Action::Deliver(build::name(name)),
            other => panic!("no such action: {other:?}"),
        };
        let prefix = if prefix == "-" { "" } else { prefix };
        let mut terms = build::route(prefix, action);
        for option in options {
            match option.split_once('=').unwrap() {
                ("then", names) => {
                    terms.followers.to = names.split(',').map(build::name).collect();
                }
                ("charged", word) => terms.charged = Charged::parse(word).unwrap(),
                ("enum", domain) => terms.enum_domain = Some(domain.to_owned()),
                other => panic!("no such option: {other:?}"),
            }
        }
        let change = RoutingChange::AddRoute(terms);
        let (routing, about) = self.engine.change_routing(change, None).await?;
        self.engine.in_force(routing.version).await?;
        Ok(format!("route {}", about.unwrap()))
    }

    async fn add_rule(&self, side: &str, from: &str, to: &str) -> Result<String, Refusal> {
        let (from, to) = (Some(from.to_owned()), Some(to.to_owned()));
        let mut terms = RuleTerms {
            enabled: true,
            ..RuleTerms::default()
        };
        match side {
            "called" => (terms.called_match, terms.called_replace) = (from, to),
            _ => (terms.calling_match, terms.calling_replace) = (from, to),
        }
        let change = RoutingChange::AddRule(terms);
        let (routing, about) = self.engine.change_routing(change, None).await?;
        self.engine.in_force(routing.version).await?;
        Ok(format!("rule {}", about.unwrap()))
    }

    fn submission(&self, from: &str, to: &str, body: &str, rest: &[&str]) -> Submission {
        let from = if from == "-" { "" } else { from };
        let mut submission = build::submission(from, to, body);
        for option in rest {
            match option.split_once('=').unwrap() {
                ("dest", name) => submission.dest_smsc = Some(build::name(name)),
                ("from", name) => submission.source_smsc = Some(build::name(name)),
                ("after", seconds) => {
                    let wait = Duration::from_secs(seconds.parse().unwrap());
                    submission.deliver_after = Some(self.clock.now().plus(wait));
                }
                ("key", key) => {
                    submission.dedupe = Some(Dedupe {
                        key: digest(key),
                        body: digest(body),
                    });
                }
                other => panic!("no such option: {other:?}"),
            }
        }
        submission
    }

    async fn report(&self, id: &str, report: Report) -> Result<String, Refusal> {
        self.engine
            .report(self.id(id), report)
            .await
            .map(|message| shown(&message))
    }

    pub(crate) fn id(&self, name: &str) -> MessageId {
        let number: usize = name.trim_start_matches('m').parse().unwrap();
        self.ids[number - 1]
    }

    /// Gives names to messages that are new in the store.
    async fn learn(&mut self) {
        let filter = Filter {
            limit: 1_000,
            ..Filter::default()
        };
        let mut found = self.store.messages(filter).await.unwrap();
        found.reverse();
        for message in found {
            if !self.ids.contains(&message.id) {
                self.ids.push(message.id);
            }
        }
    }

    /// Writes names for ids.
    fn named(&self, text: &str) -> String {
        let numbered = self.ids.iter().enumerate();
        numbered.fold(text.to_owned(), |text, (at, id)| {
            text.replace(&id.to_string(), &format!("m{}", at + 1))
        })
    }

    /// All that was told, then the log of every message, then the CDRs.
    pub(crate) async fn finish(mut self) -> String {
        self.learn().await;
        let mut text = self.out.clone();
        let start = Timestamp::from_secs(FakeClock::START);
        for id in &self.ids {
            writeln!(text, "{id}:").unwrap();
            for event in self.store.events(*id).await.unwrap() {
                let at = event.at.since(start).as_secs();
                let line = format!("  +{at}s {} {}", event.name.as_str(), event.description);
                writeln!(text, "{}", line.trim_end()).unwrap();
            }
        }
        for (_, cdr) in self.store.outbox(1_000).await.unwrap() {
            let (id, status, to) = (cdr.message_id, cdr.status, cdr.dest_smsc);
            let attempts = cdr.delivery_attempts;
            writeln!(text, "cdr {id} {status} by {to:?}, attempts {attempts}").unwrap();
        }
        self.engine.stop().await;
        self.named(&text)
    }
}

fn report_of(word: &str, by: Option<FrontendName>) -> Report {
    let (how, reason) = (FinalStatus::Failed, None);
    match word {
        "delivered" => Report::Delivered { by, at: None },
        "refused" => Report::Refused { by, reason },
        "ended" => Report::Ended { how, reason },
        _ => Report::AttemptFailed {
            reason,
            by,
            retry_after: None,
            class: None,
            schedules: Arc::default(),
        },
    }
}

pub(crate) fn ask(name: &str, rest: &[&str]) -> Ask {
    let value = |key: &str| {
        let found = rest.iter().find_map(|option| option.strip_prefix(key));
        found.map(|seconds| Duration::from_secs(seconds.parse().unwrap()))
    };
    Ask {
        asker: Asker {
            name: build::name(name),
            include_unrouted: rest.contains(&"unrouted"),
        },
        limit: 100,
        lease: value("lease="),
        wait: value("wait="),
    }
}

fn shown(message: &Message) -> String {
    let content = &message.content;
    let source = content.source.as_str();
    let mut text = format!("{} {source}>{}", message.id, content.destination.as_str());
    write!(text, " {} dest {:?}", message.status(), message.dest_smsc).unwrap();
    text
}

fn digest(text: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    digest
}
