//! Which PDU is allowed in which state of a session, and what it makes of that state (5.0, 2.3).

use crate::{CommandId, Status};

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The application: binds.
    Esme,
    /// The message centre: is bound to.
    Centre,
}

impl Side {
    /// The one across.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Esme => Self::Centre,
            Self::Centre => Self::Esme,
        }
    }
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected.
    Open,
    /// The message centre has asked to be bound to.
    Outbound,
    /// The ESME may submit.
    BoundTx,
    /// The ESME is delivered to.
    BoundRx,
    /// Both.
    BoundTrx,
    /// Taken leave, still connected.
    Unbound,
    /// The connection is gone.
    Closed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Outbound,
        Self::BoundTx,
        Self::BoundRx,
        Self::BoundTrx,
        Self::Unbound,
        Self::Closed,
    ];

    /// Whether the ESME may submit.
    #[must_use]
    pub const fn may_submit(self) -> bool {
        matches!(self, Self::BoundTx | Self::BoundTrx)
    }

    /// Whether the message centre may deliver.
    #[must_use]
    pub const fn may_deliver(self) -> bool {
        matches!(self, Self::BoundRx | Self::BoundTrx)
    }

    /// Whether there is a bind.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        self.may_submit() || self.may_deliver()
    }
}

/// Whether `side` may send this PDU in this state.
///
/// # Errors
/// What the answer says: `ESME_RINVBNDSTS` for the wrong state, `ESME_RALYBND` for a second bind,
/// `ESME_RINVCMDID` for what this side never sends.
pub const fn check(state: State, side: Side, id: CommandId) -> Result<(), Status> {
    let allowed = match (side, id) {
        (_, CommandId::ENQUIRE_LINK | CommandId::ENQUIRE_LINK_RESP | CommandId::GENERIC_NACK) => {
            !matches!(state, State::Closed)
        }
        (_, CommandId::UNBIND) => state.is_bound(),
        (_, CommandId::UNBIND_RESP) => state.is_bound() || matches!(state, State::Unbound),
        (
            Side::Esme,
            CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER,
        ) => {
            if state.is_bound() {
                return Err(Status::RALYBND);
            }
            matches!(state, State::Open | State::Outbound)
        }
        (
            Side::Centre,
            CommandId::BIND_RECEIVER_RESP
            | CommandId::BIND_TRANSMITTER_RESP
            | CommandId::BIND_TRANSCEIVER_RESP,
        ) => matches!(state, State::Open | State::Outbound),
        (Side::Centre, CommandId::OUTBIND) => matches!(state, State::Open),
        (
            Side::Esme,
            CommandId::SUBMIT_SM
            | CommandId::SUBMIT_MULTI
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM
            | CommandId::BROADCAST_SM
            | CommandId::QUERY_BROADCAST_SM
            | CommandId::CANCEL_BROADCAST_SM,
        )
        | (
            Side::Centre,
            CommandId::SUBMIT_SM_RESP
            | CommandId::SUBMIT_MULTI_RESP
            | CommandId::QUERY_SM_RESP
            | CommandId::CANCEL_SM_RESP
            | CommandId::REPLACE_SM_RESP
            | CommandId::BROADCAST_SM_RESP
            | CommandId::QUERY_BROADCAST_SM_RESP
            | CommandId::CANCEL_BROADCAST_SM_RESP,
        )
        | (Side::Esme, CommandId::DATA_SM)
        | (Side::Centre, CommandId::DATA_SM_RESP) => state.may_submit(),
        (
            Side::Centre,
            CommandId::DELIVER_SM | CommandId::DATA_SM | CommandId::ALERT_NOTIFICATION,
        )
        | (Side::Esme, CommandId::DELIVER_SM_RESP | CommandId::DATA_SM_RESP) => state.may_deliver(),
        _ => return Err(Status::RINVCMDID),
    };
    if allowed {
        Ok(())
    } else {
        Err(Status::RINVBNDSTS)
    }
}

/// The state after `side` has sent this PDU with this status, [`check`] having allowed it.
#[must_use]
pub const fn after(state: State, id: CommandId, status: Status) -> State {
    match id {
        CommandId::OUTBIND => State::Outbound,
        CommandId::BIND_TRANSMITTER_RESP if status.is_ok() => State::BoundTx,
        CommandId::BIND_RECEIVER_RESP if status.is_ok() => State::BoundRx,
        CommandId::BIND_TRANSCEIVER_RESP if status.is_ok() => State::BoundTrx,
        CommandId::UNBIND_RESP if status.is_ok() => State::Unbound,
        _ => state,
    }
}

#[cfg(test)]
mod tests;
