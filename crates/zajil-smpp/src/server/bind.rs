//! A bind: who it is, whether it may, and who has to go for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use smpp_codec::pdu::{Bare, Bind, BindResp};
use smpp_codec::text::Text;
use smpp_codec::tlv::{Tag, Tlvs};
use smpp_codec::{Pdu, Status};
use tokio::sync::Notify;
use zajil_core::frontend::FrontendName;
use zajil_core::smpp::{Account, BindType};

use super::{Server, deliver};
use crate::accounts::{self, Bind as Seat, Peer};
use crate::link::Handle;
use crate::trace::Trace;

/// How long the oldest session of an account has to show that it lives, when a new one wants its
/// place.
const PROBE: Duration = Duration::from_secs(2);
/// The version that we speak, in answer to peers of this version and later ones.
const VERSION: u8 = 0x50;
/// From this version on peers know optional parameters.
const WITH_PARAMETERS: u8 = 0x34;

/// What a session is bound as, once it is.
#[derive(Debug)]
pub(super) struct Bound {
    seat: OnceLock<(Arc<Account>, u8, BindType)>,
    /// The session may be delivered to from now on.
    pub(super) delivers: Notify,
    trace: Arc<Trace>,
    /// The account that was called over this connection.
    called: Option<FrontendName>,
}

impl Bound {
    /// Of a session that is not bound; `called` is whom we have called.
    pub(super) fn not_yet(trace: Arc<Trace>, called: Option<FrontendName>) -> Self {
        Self {
            called,
            seat: OnceLock::new(),
            delivers: Notify::new(),
            trace,
        }
    }

    /// Whether the connection is for a bind like this: one that was called binds as who was called,
    /// to be delivered to.
    fn is_for(&self, system_id: &str, kind: BindType) -> bool {
        let called = self.called.as_ref();
        called.is_none_or(|name| name.as_str() == system_id && kind.receives())
    }

    pub(super) fn account(&self) -> Option<&Arc<Account>> {
        self.seat.get().map(|(account, ..)| account)
    }

    pub(super) fn kind(&self) -> Option<BindType> {
        self.seat.get().map(|(.., kind)| *kind)
    }

    /// Whether the peer knows optional parameters.
    pub(super) fn knows_parameters(&self) -> bool {
        self.version() >= WITH_PARAMETERS
    }

    pub(super) fn version(&self) -> u8 {
        self.seat.get().map_or(0, |(_, version, _)| *version)
    }
}

/// The version that a peer speaks: below 3.4 it says nearly anything.
const fn version(said: u8) -> u8 {
    match said {
        0x00..=0x33 => 0x33,
        VERSION => VERSION,
        _ => WITH_PARAMETERS,
    }
}

impl Server {
    /// Whether the bind succeeds; the session is in the roster then.
    pub(super) async fn bind(
        self: Arc<Self>,
        (kind, bind): (BindType, Bind),
        (number, from): (u64, Peer),
        handle: Handle,
        bound: Arc<Bound>,
    ) -> Status {
        let system_id = bind.system_id.to_str().into_owned();
        let address = from.address;
        let known = version(bind.interface_version) >= WITH_PARAMETERS;
        let seat = Seat {
            number,
            handle,
            receives: kind.receives(),
            is_alerted: known && kind.receives(),
            is_open: false,
        };
        let done = if bound.is_for(&system_id, kind) {
            self.admit(&system_id, (kind, &bind), from, seat).await
        } else {
            Err(Status::RBINDFAIL)
        };
        match done {
            Ok(account) => {
                let version = version(bind.interface_version);
                // Before the answer: who knows of the bind can send to it.
                if kind.receives() {
                    deliver::register(&self, &account, version).await;
                }
                bound.trace.belongs_to(&account.system_id);
                // A session binds once.
                drop(bound.seat.set((account, version, kind)));
                let sessions = &self.parts.telemetry.metrics.smpp_sessions;
                sessions.with_label_values(&[kind.as_str()]).inc();
                let kind = kind.as_str();
                tracing::info!(account = system_id, kind, from = %address, "SMPP bound");
                Status::ROK
            }
            Err(status) => {
                tracing::warn!(account = system_id, from = %address, %status, "SMPP bind refused");
                status
            }
        }
    }

    async fn admit(
        &self,
        system_id: &str,
        (kind, bind): (BindType, &Bind),
        from: Peer,
        seat: Seat,
    ) -> Result<Arc<Account>, Status> {
        let accounts = &self.parts.accounts;
        let account = accounts.find(system_id).ok_or_else(|| {
            // Not the fault of who binds: it may try again.
            match accounts.is_unreadable(system_id) {
                true => Status::RSYSERR,
                false => Status::RINVSYSID,
            }
        })?;
        let password = bind.password.octets();
        if !self.verified.is_right(&account, password).await {
            return Err(Status::RINVPASWD);
        }
        accounts::admit(&account, kind, from, self.parts.clock.now())?;
        // A peer that lost its connection comes back before we have noticed: who does not answer
        // makes room for it.
        while let Err(oldest) = self.roster.enter(&account, seat.clone()) {
            let probe = oldest.handle.request(Pdu::EnquireLink(Bare::default()));
            if let Ok(Ok(_)) = tokio::time::timeout(PROBE, probe).await {
                return Err(Status::RALYBND);
            }
            oldest.handle.leave();
            self.roster.leave(&account.system_id, oldest.number);
        }
        Ok(account)
    }

    /// The response to a bind.
    pub(super) fn bind_resp(&self, kind: BindType, said: u8) -> Pdu {
        let system_id = Text::until_zero(self.options.system_id.clone());
        let mut tlvs = Tlvs::NONE;
        if version(said) >= WITH_PARAMETERS {
            tlvs.push_u8(Tag::SC_INTERFACE_VERSION, VERSION);
        }
        let response = BindResp { system_id, tlvs };
        match kind {
            BindType::Transmitter => Pdu::BindTransmitterResp(response),
            BindType::Receiver => Pdu::BindReceiverResp(response),
            BindType::Transceiver => Pdu::BindTransceiverResp(response),
        }
    }
}
