//! How long receipts are waited for, and which messages may be written down together.

use super::super::written::Written;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// D19: the rule for receipts that do not come applies before the life of a message is over.
#[test]
fn d19_a_receipt_is_waited_for_within_the_life_of_its_message() {
    for (timeout, expires, wanted) in [
        (60, 86_400, 60),
        (172_800, 86_400, 86_390),
        (172_800, 20, 10),
        (172_800, 4, 2),
        (172_800, 0, 0),
        (0, 86_400, 0),
    ] {
        let until = waits_until(at(1_000), Duration::from_secs(timeout), at(1_000 + expires));
        assert_eq!(until, at(1_000 + wanted), "{timeout} {expires}");
    }
}

/// D19: a carrier that gives an id again means the later message, within a batch as well.
#[test]
fn d19_no_id_is_written_down_twice_at_a_time() {
    let taken = |number: u64, ids: &[&str]| Taken {
        id: MessageId::new(number).unwrap(),
        destination: String::new(),
        expires: at(0),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        coming: Written::default().coming(Vec::new()),
    };
    let all = vec![
        taken(1, &["a"]),
        taken(2, &["b", "c"]),
        taken(3, &["00A"]),
        taken(4, &["b"]),
        taken(5, &["a"]),
    ];
    let turns = apart(all).into_iter();
    let turns: Vec<Vec<u64>> = turns
        .map(|turn| turn.iter().map(|taken| taken.id.get()).collect())
        .collect();
    assert_eq!(turns, [vec![1, 2], vec![3, 4], vec![5]]);
    assert!(apart(Vec::new()).is_empty());
}
