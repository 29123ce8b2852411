//! Moving between stores: what was moved reads as before, whichever two stores they are, and works
//! on as before.

use std::sync::Arc;
use std::time::Duration;

use zajil_core::clock::Timestamp;
use zajil_core::message::Life;
use zajil_core::status::FinalStatus;

use super::awaited::{find, taken};
use super::build::{at, delivered, ended, id, keyed, plain, routed, unrouted};
use super::{Boxed, Home, Subject, differential};
use crate::contract::{Error, Placed, Retention};
use crate::shelf::{Change, Kind};
use crate::transfer::carry::{self, Begun, Compared, Other};
use crate::transfer::{Mark, Port, Row, Table, Value};
use crate::{Reply, contract};

/// A home that everything can be moved out of, or into.
pub trait MovableHome: Home {
    /// Opens it for moving; no store has it open.
    fn port(&self) -> Boxed<'_, Box<dyn Port>>;
}

fn draw() -> (String, Timestamp) {
    ("drawn".to_owned(), at(0))
}

/// Moves everything, and answers what was compared.
pub async fn move_all(from: &dyn MovableHome, to: &dyn MovableHome) -> Vec<Compared> {
    let (mut source, mut target) = (from.port().await, to.port().await);
    let begun = carry::begin(&mut *source, &mut *target, draw()).await;
    assert_eq!(begun.unwrap(), Begun::Anew);
    carry_all(&mut *source, &mut *target).await
}

async fn carry_all(source: &mut dyn Port, target: &mut dyn Port) -> Vec<Compared> {
    carry::carry(source, target, &mut |_| {}).await.unwrap();
    let compared = carry::compare(source, target, &mut |_| {}).await.unwrap();
    for table in &compared {
        assert!(table.agrees(), "{table:?}");
    }
    carry::finish(source, target, at(1)).await.unwrap();
    compared
}

/// A random history goes on over moves through these homes, and agrees with the model.
pub async fn a_history_goes_on_over_moves(homes: Vec<Arc<dyn MovableHome>>) {
    differential::agree_over_moves(&homes, 20_271_127, 400).await;
}

/// What is held stays held until its lease is over; what is told already is not told again; what
/// has been handed out once (ids, places, names) is not handed out again.
pub async fn what_is_held_or_told_is_neither_lost_nor_doubled(
    from: Arc<dyn MovableHome>,
    to: Arc<dyn MovableHome>,
) {
    let s = Subject::new(from.open().await);
    let third = keyed(routed(3, "gw"), 7, 7, at(90_000));
    s.accept(vec![routed(1, "gw"), routed(2, "gw"), third])
        .await;
    s.leased(plain("gw"), at(1), at(600)).await;
    s.report(1, taken(&["7", "8"], 60), at(1)).await;
    let awaited = find(&s, "up", &["7", "8"]).await;
    assert_eq!(awaited.len(), 2);
    s.report(2, delivered(), at(2)).await;
    s.drain().await;
    s.report(3, ended(FinalStatus::Failed), at(3)).await;
    s.store.reserve_ids(id(70)).await.unwrap();
    let add = Change::Add {
        kind: Kind::SmppAccount,
        name: Some("esme".into()),
        body: "{}".into(),
    };
    let added = s.store.change_shelf(vec![add.clone()], at(4)).await;
    let ending = last_ending(&s).await;
    let life = s.get(1).await.life;
    assert!(
        matches!(&life, Life::Pending { leased_until: Some(until) } if *until > at(5)),
        "{life:?}"
    );
    s.store.close().await.unwrap();
    drop(s);
    move_all(&*from, &*to).await;

    let s = Subject::new(to.open().await);
    let held = "a carrier took it, and nobody else delivers it before its receipt (ADR 22)";
    assert!(s.offered(plain("gw"), at(5)).await.is_empty(), "{held}");
    assert_eq!(s.get(1).await.life, life, "{held}");
    assert_eq!(s.offered(plain("gw"), at(3_661)).await, [1], "a lease ends");
    assert_eq!(find(&s, "up", &["7", "8"]).await, awaited, "D19");
    let untold = s.cdrs().await;
    let untold: Vec<_> = untold.iter().map(|cdr| cdr.message_id).collect();
    assert_eq!(untold, [3], "2 is in the sink");
    let kept = "readers of endings are where they were";
    assert_eq!(last_ending(&s).await, ending, "{kept}");
    let again = keyed(routed(9, "gw"), 7, 7, at(90_000));
    assert_eq!(s.accept(vec![again]).await, [Placed::Repeated(id(3))], "D6");
    assert_eq!(s.store.highest_id().await.unwrap(), Some(id(70)), "D4");
    let kept = s.store.shelf_record(Kind::SmppAccount, 1).await.unwrap();
    assert_eq!(kept, added.unwrap().pop());
    let taken = s.store.change_shelf(vec![add], at(6)).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    s.store.close().await.unwrap();
}

/// The place of the last ending, where endings have an order.
async fn last_ending(s: &Subject) -> Option<contract::OutboxSeq> {
    let endings = s.store.endings()?;
    Some(endings.finished_last().await.unwrap())
}

/// A move that stops behind any page goes on where it was; nobody starts on either half meanwhile.
pub async fn a_move_that_stops_goes_on(from: Arc<dyn MovableHome>, to: Arc<dyn MovableHome>) {
    const MESSAGES: u64 = 3_500;
    let s = Subject::new(from.open().await);
    let all: Vec<_> = (1..=MESSAGES).map(|number| routed(number, "gw")).collect();
    s.accept(all).await;
    s.store.close().await.unwrap();
    drop(s);
    let mut stops = 0;
    loop {
        let (source, target) = (from.port().await, to.port().await);
        let (mut source, mut target) = (
            source,
            Stopping {
                port: target,
                left: 1,
                late: stops % 2 == 1,
            },
        );
        let begun = carry::begin(&mut *source, &mut target, draw()).await;
        let expected = if stops == 0 {
            Begun::Anew
        } else {
            Begun::Again
        };
        assert_eq!(begun, Ok(expected));
        for port in [&mut *source, &mut target] {
            let mark = port.mark().await.unwrap().unwrap();
            assert!(mark.keeps_out().is_some(), "{mark:?}");
        }
        match carry::carry(&mut *source, &mut target, &mut |_| {}).await {
            Ok(()) => break,
            Err(error) => assert_eq!(error, stopped()),
        }
        stops += 1;
    }
    // The counter, and four pages of messages; the second had arrived when its run was killed.
    assert_eq!(stops, 3);
    let (mut source, mut target) = (from.port().await, to.port().await);
    let compared = carry_all(&mut *source, &mut *target).await;
    let messages = compared.iter().find(|one| one.table == Table::Message);
    assert_eq!(messages.map(|one| one.target.rows), Some(MESSAGES));
    let moved = carry::begin(&mut *source, &mut *target, draw()).await;
    let why = moved.unwrap_err().to_string();
    assert!(why.contains("its data were moved to"), "{why}");
    carry::undo(&mut *source, None).await.unwrap();
    assert_eq!(source.mark().await, Ok(None));
    drop((source, target));
    for home in [from, to] {
        home.open().await.close().await.unwrap();
    }
}

fn stopped() -> Error {
    Error::Down("killed".into())
}

/// A port that takes so many pages more, and then fails.
#[derive(Debug)]
struct Stopping {
    port: Box<dyn Port>,
    left: u32,
    /// The page at which it fails is taken, and only the answer is lost.
    late: bool,
}

impl Port for Stopping {
    fn place(&self) -> String {
        self.port.place()
    }

    fn mark(&mut self) -> Reply<'_, Option<Mark>> {
        self.port.mark()
    }

    fn set_mark(&mut self, mark: Option<Mark>) -> Reply<'_, ()> {
        self.port.set_mark(mark)
    }

    fn rows(&mut self, table: Table, after: Row, limit: u32) -> Reply<'_, Vec<Row>> {
        self.port.rows(table, after, limit)
    }

    fn put(&mut self, table: Table, rows: Vec<Row>, mark: Mark) -> Reply<'_, ()> {
        match self.left.checked_sub(1) {
            None if self.late => Box::pin(async move {
                self.port.put(table, rows, mark).await?;
                Err(stopped())
            }),
            None => Box::pin(std::future::ready(Err(stopped()))),
            Some(left) => {
                self.left = left;
                self.port.put(table, rows, mark)
            }
        }
    }
}

/// A message that has left lies between two that are there: nothing of it is read with their page.
/// `meddle` damages what is left of the log of message 2.
pub async fn what_has_left_is_not_read_with_a_page(
    home: Arc<dyn MovableHome>,
    meddle: impl FnOnce() + Send,
) {
    let s = Subject::new(home.open().await);
    let all = (1..=3).map(|number| routed(number, "gw")).collect();
    s.accept(all).await;
    s.report(2, ended(FinalStatus::Failed), at(1)).await;
    s.drain().await;
    let keep = Retention {
        messages: Duration::ZERO,
        events: Duration::from_hours(24),
        frontends: Duration::from_hours(24),
    };
    let purged = s.store.purge(keep, at(9), 10).await.unwrap();
    assert_eq!(purged.messages, 1);
    s.store.close().await.unwrap();
    drop(s);
    meddle();
    let mut port = home.port().await;
    let start = Table::Message.start();
    let page = port.rows(Table::Message, start, 10).await.unwrap();
    let ids: Vec<_> = page.iter().filter_map(|row| row.first()).collect();
    assert_eq!(ids, [&Value::Int(1), &Value::Int(3)]);
}

/// The CDR of an ending is in the sink although that of one before it is not: told once each, after
/// the move too. `meddle` takes the entry of message 3, the last to end, out of the outbox.
pub async fn what_was_told_out_of_order_is_told_once(
    (from, to): (Arc<dyn MovableHome>, Arc<dyn MovableHome>),
    meddle: impl FnOnce() + Send,
) {
    let s = Subject::new(from.open().await);
    let all = (1..=3).map(|number| routed(number, "gw")).collect();
    s.accept(all).await;
    for number in 1..=3_u64 {
        let now = at(number.cast_signed());
        s.report(number, ended(FinalStatus::Failed), now).await;
    }
    s.store.close().await.unwrap();
    drop(s);
    meddle();
    move_all(&*from, &*to).await;
    let s = Subject::new(to.open().await);
    let untold = s.cdrs().await;
    let untold: Vec<_> = untold.iter().map(|cdr| cdr.message_id).collect();
    assert_eq!(untold, [1, 2]);
    s.accept(vec![routed(4, "gw")]).await;
    s.report(4, ended(FinalStatus::Failed), at(9)).await;
    s.drain().await;
    assert!(s.cdrs().await.is_empty());
    s.store.close().await.unwrap();
}

/// What the target holds otherwise than the source is found, and in which table.
pub async fn what_was_altered_is_found(from: Arc<dyn MovableHome>, to: Arc<dyn MovableHome>) {
    let s = Subject::new(from.open().await);
    let all = (1..=3).map(|number| routed(number, "gw")).collect();
    s.accept(all).await;
    s.store.close().await.unwrap();
    drop(s);
    let (mut source, target) = (from.port().await, to.port().await);
    let mut target = Altering(target);
    let begun = carry::begin(&mut *source, &mut target, draw()).await;
    assert_eq!(begun, Ok(Begun::Anew));
    carry::carry(&mut *source, &mut target, &mut |_| {})
        .await
        .unwrap();
    let compared = carry::compare(&mut *source, &mut target, &mut |_| {}).await;
    let compared = compared.unwrap();
    let differ = compared.iter().filter(|one| !one.agrees());
    let differ: Vec<_> = differ
        .map(|one| (one.table, one.source.rows, one.target.rows))
        .collect();
    assert_eq!(differ, [(Table::Message, 3, 3)]);
}

/// A port that writes something else of message 2 than it was given.
#[derive(Debug)]
struct Altering(Box<dyn Port>);

impl Port for Altering {
    fn place(&self) -> String {
        self.0.place()
    }

    fn mark(&mut self) -> Reply<'_, Option<Mark>> {
        self.0.mark()
    }

    fn set_mark(&mut self, mark: Option<Mark>) -> Reply<'_, ()> {
        self.0.set_mark(mark)
    }

    fn rows(&mut self, table: Table, after: Row, limit: u32) -> Reply<'_, Vec<Row>> {
        self.0.rows(table, after, limit)
    }

    fn put(&mut self, table: Table, mut rows: Vec<Row>, mark: Mark) -> Reply<'_, ()> {
        if let (Table::Message, Some([_, _, _, body, ..])) =
            (table, rows.get_mut(1).map(Vec::as_mut_slice))
        {
            *body = "something else".into();
        }
        self.0.put(table, rows, mark)
    }
}

/// Killed between the two marks at the end, the source does not start again beside its target; and
/// what was given up is not gone on with.
pub async fn only_one_side_starts(from: Arc<dyn MovableHome>, to: Arc<dyn MovableHome>) {
    let s = Subject::new(from.open().await);
    s.accept(vec![routed(1, "gw")]).await;
    s.store.close().await.unwrap();
    drop(s);
    let (mut source, mut target) = (from.port().await, to.port().await);
    let drawn = carry::begin(&mut *source, &mut *target, draw()).await;
    assert_eq!(drawn, Ok(Begun::Anew));
    let unlooked = carry::undo(&mut *source, None).await;
    let why = unlooked.unwrap_err().to_string();
    assert!(why.contains("name that with --to"), "{why}");
    let elsewhere = Other {
        place: "elsewhere".into(),
        mark: None,
    };
    let unlooked = carry::undo(&mut *source, Some(&elsewhere)).await;
    let why = unlooked.unwrap_err().to_string();
    assert!(why.contains(", not to elsewhere"), "{why}");
    carry::carry(&mut *source, &mut *target, &mut |_| {})
        .await
        .unwrap();
    let half = seen(&mut *target).await;
    let on_its_way = source.mark().await.unwrap();
    carry::undo(&mut *source, Some(&half)).await.unwrap();
    let given_up = carry::begin(&mut *source, &mut *target, draw()).await;
    let why = given_up.unwrap_err().to_string();
    assert!(why.contains("given up, empty it first"), "{why}");
    assert_eq!(source.mark().await, Ok(None));

    source.set_mark(on_its_way.clone()).await.unwrap();
    carry::finish(&mut *source, &mut *target, at(1))
        .await
        .unwrap();
    source.set_mark(on_its_way).await.unwrap();
    let whole = seen(&mut *target).await;
    let both = carry::undo(&mut *source, Some(&whole)).await;
    let why = both.unwrap_err().to_string();
    assert!(why.contains("which holds everything"), "{why}");
    carry::leave(&mut *source, at(2)).await.unwrap();
    assert!(source.mark().await.unwrap().unwrap().done);
}

async fn seen(port: &mut dyn Port) -> Other {
    Other {
        place: port.place(),
        mark: port.mark().await.unwrap(),
    }
}

/// A store that holds anything is not filled, and both are left as they were.
pub async fn only_an_empty_store_is_filled(from: Arc<dyn MovableHome>, to: Arc<dyn MovableHome>) {
    for home in [&from, &to] {
        let s = Subject::new(home.open().await);
        s.accept(vec![unrouted(1)]).await;
        s.store.close().await.unwrap();
    }
    let (mut source, mut target) = (from.port().await, to.port().await);
    let refused = carry::begin(&mut *source, &mut *target, draw()).await;
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("not empty: it has rows of counter"), "{why}");
    for port in [&mut source, &mut target] {
        assert_eq!(port.mark().await, Ok(None));
        let first = port.rows(Table::Counter, Table::Counter.start(), 1).await;
        assert_eq!(first, Ok(vec![vec!["highest".into(), Value::Int(1)]]));
    }
}
