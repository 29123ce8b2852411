//! The hub: order, gaps, slowness, sleep.

use expect_test::expect;
use zajil_core::frontend::FrontendName;
use zajil_core::id::MessageId;
use zajil_testkit::clock::FakeClock;

use super::*;
use crate::{Fact, Telemetry};

const KEPT: usize = 8;

fn telemetry() -> (Telemetry, Arc<Hub>) {
    let telemetry = Telemetry::new().unwrap();
    let clock = Arc::new(FakeClock::default());
    let telemetry = telemetry.with_live(clock, NodeName::new("n1"), KEPT);
    let hub = Arc::clone(telemetry.live().unwrap());
    (telemetry, hub)
}

fn tell(hub: &Hub, number: u64) {
    let id = MessageId::new(number).unwrap();
    hub.tell("late_report", Kind::Message, || Subject::message(id));
}

fn tell_many(hub: &Hub, numbers: std::ops::RangeInclusive<u64>) {
    numbers.for_each(|number| tell(hub, number));
    hub.turn();
}

/// What a listener gets now: message ids, or what else there is.
fn heard(listener: &mut Listener, filter: &Filter) -> String {
    match listener.read(filter) {
        None => "nothing".to_owned(),
        Some(Next::Events(events)) => {
            let ids = events.iter().filter_map(|event| event.subject.message);
            let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
            ids.join(" ")
        }
        Some(Next::Gap { after, next }) => format!("gap of {}", next - after - 1),
        Some(Next::Behind) => "behind".to_owned(),
        Some(Next::Closed) => "closed".to_owned(),
    }
}

fn all(listener: &mut Listener) -> String {
    heard(listener, &Filter::default())
}

#[test]
fn nothing_is_made_until_somebody_listens() {
    let (_, hub) = telemetry();
    hub.tell("node_started", Kind::Node, || panic!("nobody listens"));
    let mut listener = hub.listen(None);
    tell_many(&hub, 1..=2);
    assert_eq!(all(&mut listener), "1 2");
    assert_eq!(all(&mut listener), "nothing");
}

#[test]
fn a_listener_goes_on_after_what_it_had_last() {
    let (_, hub) = telemetry();
    let mut listener = hub.listen(None);
    tell_many(&hub, 1..=3);
    assert_eq!(all(&mut listener), "1 2 3");
    let had = listener.cursor() - 2;
    drop(listener);
    tell_many(&hub, 4..=4);
    assert_eq!(all(&mut hub.listen(Some(had))), "2 3 4");
}

#[test]
fn a_gap_is_told_to_one_who_comes_back_too_late_and_one_who_is_slow_is_dropped() {
    let (_, hub) = telemetry();
    let mut listener = hub.listen(None);
    tell_many(&hub, 1..=1);
    assert_eq!(all(&mut listener), "1");
    let had = listener.cursor();
    tell_many(&hub, 2..=11);
    assert_eq!(all(&mut listener), "behind");
    let mut back = hub.listen(Some(had));
    assert_eq!(all(&mut back), "gap of 2");
    assert_eq!(all(&mut back), "4 5 6 7 8 9 10 11");
}

#[test]
fn ids_of_another_process_show_as_a_gap_whichever_ran_first() {
    let (_, hub) = telemetry();
    let mut listener = hub.listen(None);
    tell_many(&hub, 1..=1);
    assert_eq!(all(&mut listener), "1");
    let clock = Arc::new(FakeClock::default());
    clock.advance(Duration::from_secs(1));
    let later = Telemetry::new().unwrap();
    let later = later.with_live(clock, NodeName::new("n1"), KEPT);
    let later = later.live().unwrap();
    let mut after_restart = later.listen(Some(listener.cursor()));
    assert!(all(&mut after_restart).starts_with("gap of 999"));
    tell_many(later, 5..=5);
    assert_eq!(all(&mut after_restart), "5");
    // The clock was set back before the restart: the id is one that this process has not given out.
    let mut from_the_future = hub.listen(Some(after_restart.cursor()));
    let gap = from_the_future.read(&Filter::default());
    assert!(matches!(gap, Some(Next::Gap { .. })), "{gap:?}");
    tell_many(&hub, 2..=2);
    assert_eq!(all(&mut from_the_future), "2");
}

#[test]
fn a_hub_that_nobody_has_listened_to_for_a_ring_of_events_sleeps() {
    let (_, hub) = telemetry();
    let mut listener = hub.listen(None);
    tell_many(&hub, 1..=1);
    assert_eq!(all(&mut listener), "1");
    let had = listener.cursor();
    drop(listener);
    tell_many(&hub, 2..=8);
    assert!(hub.is_awake(), "the one who left may come back");
    tell_many(&hub, 9..=9);
    assert!(!hub.is_awake());
    tell_many(&hub, 10..=10);
    let mut back = hub.listen(Some(had));
    assert!(all(&mut back).starts_with("gap"));
    tell_many(&hub, 11..=11);
    assert_eq!(all(&mut back), "11");
}

#[test]
fn what_the_pump_has_no_room_for_is_counted_and_shows_as_a_gap() {
    let (telemetry, hub) = telemetry();
    let mut listener = hub.listen(None);
    let most = MOST_FRESH as u64;
    (1..=most + 3).for_each(|number| tell(&hub, number));
    assert_eq!(telemetry.metrics.live.lost.get(), 3);
    let mut quick = hub.listen(None);
    hub.turn();
    // The ring is small here: who heard nothing yet is told of a gap.
    assert_eq!(all(&mut quick), format!("gap of {}", most - KEPT as u64));
    let last: Vec<String> = (most - 7..=most).map(|number| number.to_string()).collect();
    assert_eq!(all(&mut quick), last.join(" "));
    tell_many(&hub, 1..=1);
    assert_eq!(all(&mut quick), "gap of 3");
    assert_eq!(all(&mut quick), "1");
    drop(all(&mut listener));
}

/// A frontend's event, and one of a message that a route took to it.
fn two_events() -> Vec<Arc<Event>> {
    let (_, hub) = telemetry();
    let mut listener = hub.listen(None);
    let gateway = FrontendName::parse("gw").unwrap();
    hub.tell("frontend_connected", Kind::Frontend, || {
        Subject::frontend(&gateway)
    });
    hub.tell("message_routed", Kind::Message, || Subject {
        source: Some("7726".into()),
        destination: Some("+1 555 1234567".into()),
        dest_smsc: Some(gateway.clone()),
        route: Some(3),
        ..Subject::message(MessageId::new(9).unwrap())
    });
    hub.turn();
    match listener.read(&Filter::default()) {
        Some(Next::Events(events)) => events,
        other => panic!("two were told, not {other:?}"),
    }
}

#[test]
fn filters_choose_by_kind_name_frontend_number_message_and_route() {
    let events = two_events();
    let chosen = |change: fn(&mut Filter)| -> Vec<&str> {
        let mut filter = Filter::default();
        change(&mut filter);
        let chosen = events.iter().filter(|event| filter.takes(event));
        chosen.map(|event| event.name).collect()
    };
    let only = |change| assert_eq!(chosen(change), ["message_routed"]);
    only(|filter| filter.kinds = vec![Kind::Message]);
    only(|filter| filter.names = vec!["message_routed".into()]);
    only(|filter| filter.number = Some("15551234567".into()));
    only(|filter| filter.number = Some("7726".into()));
    only(|filter| filter.message = MessageId::new(9).ok());
    only(|filter| filter.route = Some(3));
    assert_eq!(chosen(|_| {}).len(), 2);
    assert_eq!(
        chosen(|f| f.frontend = FrontendName::parse("gw").ok()).len(),
        2
    );
    let none = |change| assert!(chosen(change).is_empty());
    none(|filter| filter.frontend = FrontendName::parse("other").ok());
    none(|filter| filter.number = Some("1555123456".into()));
    none(|filter| filter.route = Some(4));
    none(|filter| filter.kinds = vec![Kind::Cdr]);
}

#[test]
fn s10_4_an_event_shows_numbers_in_full_or_without_their_end() {
    let events = two_events();
    let json = events[1].json(Numbers::Masked);
    let body = json.split_once(",\"time\"").unwrap().1;
    expect![[r#":"2026-01-01T00:00:00.000Z","kind":"message","name":"message_routed","event_source":"n1","message_id":9,"source_msisdn":"XXXX","destination_msisdn":"+1 555 123XXXX","dest_smsc":"gw","route_id":3}"#]]
    .assert_eq(body);
    assert!(events[1].json(Numbers::Full).contains("+1 555 1234567"));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_woken_by_the_pump_and_by_the_end() {
    let (telemetry, hub) = telemetry();
    let mut listener = hub.listen(None);
    let pump = hub.pump();
    let hears = async {
        let filter = Filter::default();
        telemetry.record(&Fact::NodeStarted);
        let Next::Events(events) = listener.next(&filter).await else {
            panic!("one was told");
        };
        assert_eq!(events[0].name, "node_started");
        hub.close();
        assert!(matches!(listener.next(&filter).await, Next::Closed));
    };
    tokio::join!(pump, hears);
}
