//! The table of states, whole.

use std::fmt::Write as _;

use expect_test::expect;

use super::*;

/// The whole table (SMPP 5.0, table 2-1 and 2-2): a letter for each state in which the PDU is
/// allowed, by who sends it; who never sends it has no line.
#[test]
fn every_pdu_has_its_states() {
    let mut table = String::new();
    for id in CommandId::DEFINED {
        for side in [Side::Esme, Side::Centre] {
            let cells: String = State::ALL
                .into_iter()
                .map(|state| match check(state, side, *id) {
                    Ok(()) => 'y',
                    Err(Status::RALYBND) => 'b',
                    Err(Status::RINVBNDSTS) => '-',
                    Err(_) => 'x',
                })
                .collect();
            if cells == "xxxxxxx" {
                continue;
            }
            writeln!(table, "{cells} {side:?} {id}").unwrap();
        }
    }
    expect![[r#"
        yybbb-- Esme bind_receiver
        yy----- Centre bind_receiver_resp
        yybbb-- Esme bind_transmitter
        yy----- Centre bind_transmitter_resp
        --y-y-- Esme query_sm
        --y-y-- Centre query_sm_resp
        --y-y-- Esme submit_sm
        --y-y-- Centre submit_sm_resp
        ---yy-- Centre deliver_sm
        ---yy-- Esme deliver_sm_resp
        --yyy-- Esme unbind
        --yyy-- Centre unbind
        --yyyy- Esme unbind_resp
        --yyyy- Centre unbind_resp
        --y-y-- Esme replace_sm
        --y-y-- Centre replace_sm_resp
        --y-y-- Esme cancel_sm
        --y-y-- Centre cancel_sm_resp
        yybbb-- Esme bind_transceiver
        yy----- Centre bind_transceiver_resp
        y------ Centre outbind
        yyyyyy- Esme enquire_link
        yyyyyy- Centre enquire_link
        yyyyyy- Esme enquire_link_resp
        yyyyyy- Centre enquire_link_resp
        --y-y-- Esme submit_multi
        --y-y-- Centre submit_multi_resp
        ---yy-- Centre alert_notification
        --y-y-- Esme data_sm
        ---yy-- Centre data_sm
        ---yy-- Esme data_sm_resp
        --y-y-- Centre data_sm_resp
        --y-y-- Esme broadcast_sm
        --y-y-- Centre broadcast_sm_resp
        --y-y-- Esme query_broadcast_sm
        --y-y-- Centre query_broadcast_sm_resp
        --y-y-- Esme cancel_broadcast_sm
        --y-y-- Centre cancel_broadcast_sm_resp
        yyyyyy- Esme generic_nack
        yyyyyy- Centre generic_nack
    "#]]
    .assert_eq(&table);
}

#[test]
fn binds_and_unbinds_change_the_state() {
    let ok = Status::ROK;
    let bound = after(State::Open, CommandId::BIND_TRANSCEIVER_RESP, ok);
    assert_eq!(bound, State::BoundTrx);
    let failed = after(
        State::Open,
        CommandId::BIND_RECEIVER_RESP,
        Status::RINVPASWD,
    );
    assert_eq!(failed, State::Open);
    let outbound = after(State::Open, CommandId::OUTBIND, ok);
    assert_eq!(
        after(outbound, CommandId::BIND_RECEIVER_RESP, ok),
        State::BoundRx
    );
    assert_eq!(after(bound, CommandId::UNBIND, ok), bound);
    assert_eq!(after(bound, CommandId::UNBIND_RESP, ok), State::Unbound);
}
