//! Every operation as one enum: read from a frame, written to octets.

mod body;
mod field;

use bytes::{Bytes, BytesMut};

use self::body::Body as _;
pub use self::body::{
    AlertNotification, Bare, Bind, BindResp, BroadcastSm, CancelBroadcastSm, CancelSm, DataSm,
    Outbind, QuerySm, QuerySmResp, ReplaceSm, Sm, SmResp, SubmitMulti, SubmitMultiResp,
};
use crate::error::{Fault, Problem};
use crate::frame::Frame;
use crate::reader::Reader;
pub use crate::reader::Tolerance;
use crate::visit::Visitor;
use crate::{CommandId, Header, Status};

macro_rules! operations {
    ($($id:literal $constant:ident $variant:ident($body:ident) $name:literal),* $(,)?) => {
        impl CommandId {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($id);)*

            /// Every operation that the standards define.
            pub const DEFINED: &'static [Self] = &[$(Self::$constant),*];

            /// The name of the standard; none for an unknown one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some($name),)*
                    _ => None,
                }
            }
        }

        /// The body of a PDU, by operation. What its header says stands in [`Header`].
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Pdu {
            $(#[doc = concat!("`", $name, "`")] $variant($body),)*
        }

        impl Pdu {
            /// Which operation it is.
            #[must_use]
            pub const fn command_id(&self) -> CommandId {
                match self {
                    $(Self::$variant(_) => CommandId::$constant,)*
                }
            }

            /// Shows its fields, in the order of the wire.
            pub fn visit<'a>(&'a self, visitor: Visitor<'_, 'a>) {
                match self {
                    $(Self::$variant(body) => body.visit(visitor),)*
                }
            }

            fn read(id: CommandId, reader: &mut Reader<'_>) -> Option<Result<Self, Fault>> {
                Some(match id.0 {
                    $($id => body::$body::read(reader).map(Self::$variant),)*
                    _ => return None,
                })
            }

            /// A body of this operation in which nothing is said.
            fn empty(id: CommandId) -> Option<Self> {
                Some(match id.0 {
                    $($id => Self::$variant(body::$body::default()),)*
                    _ => return None,
                })
            }

            fn write(&self, out: &mut BytesMut) {
                match self {
                    $(Self::$variant(body) => body.write(out),)*
                }
            }

            fn is_empty(&self) -> bool {
                match self {
                    $(Self::$variant(body) => body.is_empty(),)*
                }
            }
        }
    };
}

operations! {
    0x0000_0001 BIND_RECEIVER BindReceiver(Bind) "bind_receiver",
    0x8000_0001 BIND_RECEIVER_RESP BindReceiverResp(BindResp) "bind_receiver_resp",
    0x0000_0002 BIND_TRANSMITTER BindTransmitter(Bind) "bind_transmitter",
    0x8000_0002 BIND_TRANSMITTER_RESP BindTransmitterResp(BindResp) "bind_transmitter_resp",
    0x0000_0003 QUERY_SM QuerySm(QuerySm) "query_sm",
    0x8000_0003 QUERY_SM_RESP QuerySmResp(QuerySmResp) "query_sm_resp",
    0x0000_0004 SUBMIT_SM SubmitSm(Sm) "submit_sm",
    0x8000_0004 SUBMIT_SM_RESP SubmitSmResp(SmResp) "submit_sm_resp",
    0x0000_0005 DELIVER_SM DeliverSm(Sm) "deliver_sm",
    0x8000_0005 DELIVER_SM_RESP DeliverSmResp(SmResp) "deliver_sm_resp",
    0x0000_0006 UNBIND Unbind(Bare) "unbind",
    0x8000_0006 UNBIND_RESP UnbindResp(Bare) "unbind_resp",
    0x0000_0007 REPLACE_SM ReplaceSm(ReplaceSm) "replace_sm",
    0x8000_0007 REPLACE_SM_RESP ReplaceSmResp(Bare) "replace_sm_resp",
    0x0000_0008 CANCEL_SM CancelSm(CancelSm) "cancel_sm",
    0x8000_0008 CANCEL_SM_RESP CancelSmResp(Bare) "cancel_sm_resp",
    0x0000_0009 BIND_TRANSCEIVER BindTransceiver(Bind) "bind_transceiver",
    0x8000_0009 BIND_TRANSCEIVER_RESP BindTransceiverResp(BindResp) "bind_transceiver_resp",
    0x0000_000B OUTBIND Outbind(Outbind) "outbind",
    0x0000_0015 ENQUIRE_LINK EnquireLink(Bare) "enquire_link",
    0x8000_0015 ENQUIRE_LINK_RESP EnquireLinkResp(Bare) "enquire_link_resp",
    0x0000_0021 SUBMIT_MULTI SubmitMulti(SubmitMulti) "submit_multi",
    0x8000_0021 SUBMIT_MULTI_RESP SubmitMultiResp(SubmitMultiResp) "submit_multi_resp",
    0x0000_0102 ALERT_NOTIFICATION AlertNotification(AlertNotification) "alert_notification",
    0x0000_0103 DATA_SM DataSm(DataSm) "data_sm",
    0x8000_0103 DATA_SM_RESP DataSmResp(SmResp) "data_sm_resp",
    0x0000_0111 BROADCAST_SM BroadcastSm(BroadcastSm) "broadcast_sm",
    0x8000_0111 BROADCAST_SM_RESP BroadcastSmResp(SmResp) "broadcast_sm_resp",
    0x0000_0112 QUERY_BROADCAST_SM QueryBroadcastSm(QuerySm) "query_broadcast_sm",
    0x8000_0112 QUERY_BROADCAST_SM_RESP QueryBroadcastSmResp(SmResp) "query_broadcast_sm_resp",
    0x0000_0113 CANCEL_BROADCAST_SM CancelBroadcastSm(CancelBroadcastSm) "cancel_broadcast_sm",
    0x8000_0113 CANCEL_BROADCAST_SM_RESP CancelBroadcastSmResp(Bare) "cancel_broadcast_sm_resp",
    0x8000_0000 GENERIC_NACK GenericNack(Bare) "generic_nack",
}

/// Why a frame is not a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No standard knows the operation: `generic_nack`, `ESME_RINVCMDID`.
    #[error("unknown command_id {:#010x}", .0.0)]
    UnknownCommand(CommandId),
    /// The body cannot be read; the response of the same operation says so.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Refused {
    /// What the answer says.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::UnknownCommand(_) => Status::RINVCMDID,
            Self::Fault(fault) => fault.status,
        }
    }
}

impl Pdu {
    /// Reads the body of a frame. A response without a body says nothing but its status.
    ///
    /// # Errors
    /// [`Refused`]; the header of the frame is there to answer with.
    pub fn read_frame(frame: &Frame, tolerance: Tolerance) -> Result<Self, Refused> {
        let id = frame.header.command_id;
        let unknown = Refused::UnknownCommand(id);
        if id.is_response() && frame.body.is_empty() {
            return Self::empty(id).ok_or(unknown);
        }
        let mut reader = Reader::new(&frame.body, tolerance);
        Ok(Self::read(id, &mut reader).ok_or(unknown)??)
    }

    /// Reads one whole PDU with its header.
    ///
    /// # Errors
    /// [`Refused`]; a length that is not that of the octets is a fault of `command_length`.
    pub fn decode(octets: &Bytes, tolerance: Tolerance) -> Result<(Header, Self), Refused> {
        let bad_length = Fault {
            field: "command_length",
            offset: 0,
            problem: Problem::Length {
                length: octets.len(),
            },
            status: Status::RINVCMDLEN,
        };
        let (length, header) = Header::read(octets).ok_or(bad_length)?;
        if usize::try_from(length).is_ok_and(|length| length == octets.len()) {
            let body = octets.slice(Header::LENGTH..);
            let frame = Frame { header, body };
            return Ok((header, Self::read_frame(&frame, tolerance)?));
        }
        Err(bad_length.into())
    }

    /// Writes the PDU. A response that tells of an error and has nothing else to say has no body
    /// (3.4, 4.4.2).
    pub fn encode(&self, status: Status, sequence: u32, out: &mut BytesMut) {
        let start = out.len();
        let header = Header {
            command_id: self.command_id(),
            status,
            sequence,
        };
        header.write(out);
        if !(self.command_id().is_response() && !status.is_ok() && self.is_empty()) {
            self.write(out);
        }
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(start..start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// The answer to a request that could not be done: the response of its operation without a
    /// body, `generic_nack` where there is none.
    #[must_use]
    pub fn refusal(request: CommandId) -> Self {
        Self::empty(request.response())
            .filter(|_| !request.is_response() && request != CommandId::ALERT_NOTIFICATION)
            .unwrap_or_else(|| Self::GenericNack(Bare::default()))
    }
}
