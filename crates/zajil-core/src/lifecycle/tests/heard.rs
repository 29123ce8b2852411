//! What a network beyond ours says of the turn in which it took a message.

use super::*;

/// D19: of receipts that say the same end of one turn, one counts; one that comes after the message
/// is with somebody else, or on its next attempt, says nothing of that.
#[test]
fn d19_what_is_heard_of_a_turn_counts_once_and_for_no_later_one() {
    let until = at(NOW + 60);
    let heard = |says| Report::Heard {
        held_until: until,
        says: Box::new(says),
    };
    let mut message = leased();
    let failed = heard(failed_attempt(Some("receipt UNDELIV"), None));
    report(&mut message, &failed, &scene(NOW)).unwrap();
    assert_eq!(message.attempts.get(), 1);
    let later = [
        failed.clone(),
        heard(Report::Refused {
            by: None,
            reason: None,
        }),
        heard(ended_report(FinalStatus::Expired, None)),
        heard(Report::Taken {
            by: None,
            until,
            told: "receipt ENROUTE".to_owned(),
            parts: None,
        }),
    ];
    let another = Message {
        life: Life::Pending {
            leased_until: Some(at(NOW + 61)),
        },
        ..leased()
    };
    for mut message in [message, another] {
        let before = message.clone();
        for late in &later {
            let told = report(&mut message, late, &scene(NOW + 1));
            assert_eq!(told, Err(Unchanged::NotTheirs), "{}", late.word());
        }
        assert_eq!(message, before);
    }
    let over = report(&mut over(FinalStatus::Failed), &failed, &scene(NOW));
    assert_eq!(over, Err(Unchanged::AlreadyFinal(FinalStatus::Failed)));
}
