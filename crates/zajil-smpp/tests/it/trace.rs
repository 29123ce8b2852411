//! The live wire trace: one peer or one number, while somebody looks.

use std::sync::Arc;

use expect_test::expect;
use zajil_core::smpp::BindType;
use zajil_telemetry::live::{Filter, Hub, Kind, Listener, Next};
use zajil_testkit::build;

use crate::bench::{Centre, Esme, account, centre, sm};

/// What is heard now, without what differs from run to run.
fn heard(hub: &Hub, listener: &mut Listener, filter: &Filter) -> String {
    hub.turn();
    let Some(Next::Events(events)) = listener.read(filter) else {
        return String::new();
    };
    let line = |event: &Arc<zajil_telemetry::live::Event>| {
        let wire = event.subject.wire.as_ref().unwrap();
        let account = event.subject.frontend.as_ref();
        let account = account.map_or("", |name| name.as_str());
        let to = event.subject.destination.as_deref().unwrap_or_default();
        let (command, status) = (&wire.command, &wire.status);
        let fields = wire
            .fields
            .split(' ')
            .filter(|field| !field.starts_with("message_id"));
        let fields: Vec<&str> = fields.collect();
        format!(
            "{} {account} {command} {status} to={to} {}\n",
            event.name,
            fields.join(" ")
        )
    };
    events.iter().map(line).collect()
}

fn hub(centre: &Centre) -> Arc<Hub> {
    Arc::clone(centre.telemetry.live().unwrap())
}

/// S10.4: the whole of a session from its bind on, without passwords and texts.
#[tokio::test]
async fn s10_4_a_session_is_traced_without_texts_and_passwords_from_the_moment_it_is_asked_for() {
    let centre = centre(vec![account("shop"), account("other")]).await;
    let hub = hub(&centre);
    // One that is bound already is traced, too.
    let other = Esme::bound(&centre, "other").await;
    let filter = |name: &str| Filter {
        kinds: vec![Kind::Wire],
        frontend: Some(build::name(name)),
        ..Filter::default()
    };
    let mut listener = hub.listen(None);
    let shops = hub.watch(filter("shop"));
    other.submit(sm("A", "+46709771337", b"unseen")).await;
    let shop = Esme::connect(&centre).await;
    shop.bind(BindType::Transmitter, "shop", "wrong").await;
    let shop = Esme::connect(&centre).await;
    shop.bind(BindType::Transmitter, "shop", "secret08").await;
    shop.submit(sm("SHOP", "+46709771337", b"the text")).await;
    let expected = expect![[r#"
        pdu_received shop bind_transmitter ESME_ROK to= system_id="shop" password=**** interface_version=0x34
        pdu_sent shop bind_transmitter_resp ESME_RINVPASWD to= 
        pdu_received shop bind_transmitter ESME_ROK to= system_id="shop" password=**** interface_version=0x34
        pdu_sent shop bind_transmitter_resp ESME_ROK to= system_id="zajil" 0x0210=50
        pdu_received shop submit_sm ESME_ROK to=+46709771337 source_addr=5/0/4 characters destination_addr=1/1/11 characters short_message=8 octets
        pdu_sent shop submit_sm_resp ESME_ROK to=+46709771337 
    "#]];
    expected.assert_eq(&heard(&hub, &mut listener, &filter("shop")));
    drop(shops);
    assert!(!hub.is_watched());
    shop.submit(sm("SHOP", "+46709771337", b"unseen")).await;
    assert_eq!(heard(&hub, &mut listener, &filter("shop")), "");
    let _others = hub.watch(filter("other"));
    other.submit(sm("A", "+46709771337", b"seen")).await;
    assert!(
        heard(&hub, &mut listener, &filter("other")).starts_with("pdu_received other submit_sm")
    );
}

/// Of a number both ways of a request are seen, and of other numbers nothing.
#[tokio::test]
async fn the_trace_of_a_number_has_its_requests_and_their_responses() {
    let centre = centre(vec![account("shop")]).await;
    let hub = hub(&centre);
    let shop = Esme::bound(&centre, "shop").await;
    let filter = Filter {
        kinds: vec![Kind::Wire],
        number: Some("46709771337".to_owned()),
        ..Filter::default()
    };
    let mut listener = hub.listen(None);
    let _watch = hub.watch(filter.clone());
    shop.submit(sm("SHOP", "+46700000001", b"another")).await;
    shop.submit(sm("SHOP", "+46709771337", b"hi")).await;
    let heard = heard(&hub, &mut listener, &filter);
    let commands: Vec<&str> = heard
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    assert_eq!(commands, ["submit_sm", "submit_sm_resp"], "{heard}");
}
