//! Runs against a plain set of places, with all that transactions do to them.

use super::*;
use crate::{open, schema};

/// Numbers that look thrown, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn place(&mut self, id: i64) -> Place {
        Place {
            at: i64::try_from(self.below(50)).unwrap(),
            id,
        }
    }
}

fn database() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::migrate(&mut db).unwrap();
    open::settle(&db, 1_024).unwrap();
    db
}

fn stored(db: &Connection) -> BTreeMap<i64, BTreeSet<Place>> {
    let mut stored: BTreeMap<i64, BTreeSet<Place>> = BTreeMap::new();
    let mut from = (i64::MIN, Place { at: 0, id: 0 });
    loop {
        let next = each(db, from, 3, |run| {
            let places = run.places()?;
            assert!(places.is_sorted(), "a run in its order");
            assert!(places.iter().all(|place| place.at <= run.last()));
            assert_eq!(places.len(), usize::try_from(run.count).unwrap());
            for place in places {
                assert!(stored.entry(run.dest).or_default().insert(place), "twice");
            }
            Ok(())
        });
        match next.ok().unwrap() {
            Some(last) => from = last,
            None => return stored,
        }
    }
}

fn counted(db: &Connection) -> i64 {
    db.query_row("SELECT coalesce(sum(count), 0) FROM run", [], |row| {
        row.get(0)
    })
    .unwrap()
}

#[test]
fn runs_hold_what_came_and_has_not_gone() {
    let db = database();
    let mut tx = Tx::new(&db);
    let mut dice = Dice(11);
    let mut expected: BTreeMap<i64, BTreeSet<Place>> = BTreeMap::new();
    let mut next = 0;
    for _ in 0..150 {
        for _ in 0..dice.below(400) {
            let dest = i64::try_from(dice.below(3)).unwrap();
            next += 1;
            let place = dice.place(next);
            tx.joins(dest, place);
            expected.entry(dest).or_default().insert(place);
        }
        for (dest, places) in &mut expected {
            // From the front, as leases do, or from anywhere, as reports do.
            let (some, part) = (dice.below(2) == 0, dice.below(4));
            let bound = usize::try_from(dice.below(300)).unwrap();
            let gone: Vec<Place> = match some {
                true => places.iter().copied().take(bound).collect(),
                false => places
                    .iter()
                    .copied()
                    .filter(|_| dice.below(4) < part)
                    .collect(),
            };
            for place in gone {
                places.remove(&place);
                tx.leaves(*dest, place);
            }
        }
        tx.settle_runs().ok().unwrap();
        expected.retain(|_, places| !places.is_empty());
        assert_eq!(stored(&db), expected);
        let all: usize = expected.values().map(BTreeSet::len).sum();
        assert_eq!(counted(&db), i64::try_from(all).unwrap());
        let mut ids: Vec<i64> = expected.values().flatten().map(|place| place.id).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        let below = next - 100;
        ids.retain(|id| *id < below);
        for limit in [0, 1, 70, 10_000] {
            let newest = newest(&db, below, limit).ok().unwrap();
            assert_eq!(newest, ids[..limit.min(ids.len())]);
        }
    }
    assert!(next > 10_000);
}

#[test]
fn what_leaves_but_never_came_takes_nothing_along() {
    let db = database();
    let mut tx = Tx::new(&db);
    for id in 1..=3 {
        tx.joins(1, Place { at: 5, id });
    }
    tx.settle_runs().ok().unwrap();
    for place in [(5, 9), (4, 1), (6, 1), (5, 0)] {
        tx.leaves(
            1,
            Place {
                at: place.0,
                id: place.1,
            },
        );
    }
    tx.leaves(2, Place { at: 5, id: 1 });
    tx.settle_runs().ok().unwrap();
    assert_eq!(counted(&db), 3);
}

#[test]
fn a_run_that_cannot_be_read_is_told() {
    let db = database();
    db.execute("INSERT INTO run VALUES (1, 1, 1, 5, 9, x'0102')", [])
        .unwrap();
    assert!(front(&db, 1, Timestamp::from_millis(9), 10).is_err());
}

#[test]
fn two_leases_of_one_transaction_share_no_message() {
    use zajil_core::frontend::FrontendName;
    use zajil_core::offer::Asker;
    use zajil_store::contract::OfferAsk;

    let db = database();
    let mut tx = Tx::new(&db);
    let gw = FrontendName::parse("gw").unwrap();
    let dest = tx.dest(&gw).ok().unwrap();
    for id in 1..=5 {
        db.execute(
            "INSERT INTO msg VALUES (?1, 'a', '1', 't', NULL, 'gw', 1, 1, 99, 0, 'n', NULL, '')",
            [id],
        )
        .unwrap();
        tx.joins(dest, Place { at: 1, id });
    }
    tx.settle_runs().ok().unwrap();
    let ask = OfferAsk {
        asker: Asker {
            name: gw,
            include_unrouted: false,
        },
        limit: 2,
        now: Timestamp::from_millis(9),
    };
    let until = Timestamp::from_millis(50);
    let leased: Vec<Vec<u64>> = (0..4)
        .map(|_| {
            crate::offer::lease(&mut tx, &ask, until)
                .ok()
                .unwrap()
                .messages
        })
        .map(|messages| messages.iter().map(|message| message.id.get()).collect())
        .collect();
    assert_eq!(leased, [vec![1, 2], vec![3, 4], vec![5], vec![]]);
    tx.settle_runs().ok().unwrap();
    assert_eq!(counted(&db), 0);
}
