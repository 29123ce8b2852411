//! The bodies, field by field in the order of the wire (SMPP 5.0, 4.1 to 4.6; 3.4, 4.1 to 4.12).

use bytes::BytesMut;

use super::field::Field;
use crate::Status;
use crate::address::{Address, Destinations, Unsuccesses};
use crate::error::Fault;
use crate::flags::{EsmClass, RegisteredDelivery};
use crate::reader::{Reader, Rule};
use crate::text::{ShortMessage, Text};
use crate::tlv::Tlvs;
use crate::visit::{Value, Visitor};

/// What comes after a header.
pub(super) trait Body: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault>;
    fn write(&self, out: &mut BytesMut);
    fn visit<'a>(&'a self, visitor: Visitor<'_, 'a>);
    fn is_empty(&self) -> bool;
}

/// Declares a body: each field with the most octets that the standard allows, and the status that
/// says it is wrong. Optional parameters follow in every body.
macro_rules! bodies {
    ($(
        $(#[$about:meta])*
        $name:ident {
            $($(#[$meaning:meta])* $field:ident: $type:ty [$most:literal $status:ident],)*
        }
    )*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name {
            $($(#[$meaning])* pub $field: $type,)*
            /// Optional parameters.
            pub tlvs: Tlvs,
        }

        impl Body for $name {
            fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
                Ok(Self {
                    $($field: <$type>::read(reader, &Rule {
                        name: stringify!($field),
                        most: $most,
                        status: Status::$status,
                    })?,)*
                    tlvs: Tlvs::read(reader)?,
                })
            }

            fn write(&self, out: &mut BytesMut) {
                $(self.$field.write(out);)*
                self.tlvs.write(out);
            }

            fn visit<'a>(&'a self, visitor: Visitor<'_, 'a>) {
                $(visitor(stringify!($field), self.$field.value());)*
                for tlv in self.tlvs.all() {
                    visitor("tlv", Value::Tlv(tlv));
                }
            }

            fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }
    )*};
}

bodies! {
    /// Nothing: `unbind`, `enquire_link`, `generic_nack` and the responses without fields.
    Bare {}

    /// `bind_transmitter`, `bind_receiver`, `bind_transceiver`.
    Bind {
        /// Who binds.
        system_id: Text [16 RINVSYSID],
        /// The secret.
        password: Text [9 RINVPASWD],
        /// What kind of system it is.
        system_type: Text [13 RINVSYSTYP],
        /// 0x34 for 3.4, 0x50 for 5.0; less for 3.3.
        interface_version: u8 [1 RBINDFAIL],
        /// Type of number of the addresses served.
        addr_ton: u8 [1 RBINDFAIL],
        /// Numbering plan of the addresses served.
        addr_npi: u8 [1 RBINDFAIL],
        /// The addresses served.
        address_range: Text [41 RBINDFAIL],
    }

    /// The responses to binds.
    BindResp {
        /// Who answers.
        system_id: Text [16 RINVSYSID],
    }

    /// `outbind`: the message centre asks to be bound to.
    Outbind {
        /// Who asks.
        system_id: Text [16 RINVSYSID],
        /// The secret.
        password: Text [9 RINVPASWD],
    }

    /// `submit_sm` and `deliver_sm`.
    Sm {
        /// The service; empty for the default.
        service_type: Text [6 RINVSERTYP],
        /// From.
        source_addr: Address [21 RINVSRCADR],
        /// To.
        destination_addr: Address [21 RINVDSTADR],
        /// Mode, kind and features.
        esm_class: EsmClass [1 RINVESMCLASS],
        /// TP-PID in GSM.
        protocol_id: u8 [1 RSUBMITFAIL],
        /// 0 to 3, or 4 in 5.0.
        priority_flag: u8 [1 RINVPRTFLG],
        /// When to deliver; empty for at once.
        schedule_delivery_time: Text [17 RINVSCHED],
        /// How long it is worth delivering; empty for the default.
        validity_period: Text [17 RINVEXPIRY],
        /// Which receipts are asked for.
        registered_delivery: RegisteredDelivery [1 RINVREGDLVFLG],
        /// 1 to replace what waits.
        replace_if_present_flag: u8 [1 RINVREPFLAG],
        /// The alphabet.
        data_coding: u8 [1 RINVDCS],
        /// A text that the message centre has; 0 for none.
        sm_default_msg_id: u8 [1 RINVDFTMSGID],
        /// The text.
        short_message: ShortMessage [255 RINVMSGLEN],
    }

    /// The responses to `submit_sm`, `deliver_sm`, `data_sm` and `broadcast_sm`.
    SmResp {
        /// The message centre's name for the message; empty for a `deliver_sm`.
        message_id: Text [65 RINVMSGID],
    }

    /// `data_sm`: its text is in `message_payload`.
    DataSm {
        /// The service; empty for the default.
        service_type: Text [6 RINVSERTYP],
        /// From.
        source_addr: Address [65 RINVSRCADR],
        /// To.
        destination_addr: Address [65 RINVDSTADR],
        /// Mode, kind and features.
        esm_class: EsmClass [1 RINVESMCLASS],
        /// Which receipts are asked for.
        registered_delivery: RegisteredDelivery [1 RINVREGDLVFLG],
        /// The alphabet.
        data_coding: u8 [1 RINVDCS],
    }

    /// `submit_multi`: one text to many.
    SubmitMulti {
        /// The service; empty for the default.
        service_type: Text [6 RINVSERTYP],
        /// From.
        source_addr: Address [21 RINVSRCADR],
        /// To.
        dest_address: Destinations [21 RINVDSTADR],
        /// Mode, kind and features.
        esm_class: EsmClass [1 RINVESMCLASS],
        /// TP-PID in GSM.
        protocol_id: u8 [1 RSUBMITFAIL],
        /// 0 to 3, or 4 in 5.0.
        priority_flag: u8 [1 RINVPRTFLG],
        /// When to deliver; empty for at once.
        schedule_delivery_time: Text [17 RINVSCHED],
        /// How long it is worth delivering; empty for the default.
        validity_period: Text [17 RINVEXPIRY],
        /// Which receipts are asked for.
        registered_delivery: RegisteredDelivery [1 RINVREGDLVFLG],
        /// Not used; 5.0 has it too.
        replace_if_present_flag: u8 [1 RINVREPFLAG],
        /// The alphabet.
        data_coding: u8 [1 RINVDCS],
        /// A text that the message centre has; 0 for none.
        sm_default_msg_id: u8 [1 RINVDFTMSGID],
        /// The text.
        short_message: ShortMessage [255 RINVMSGLEN],
    }

    /// `submit_multi_resp`.
    SubmitMultiResp {
        /// The message centre's name for the message.
        message_id: Text [65 RINVMSGID],
        /// Where it does not go.
        unsuccess_sme: Unsuccesses [21 RINVDSTADR],
    }

    /// `query_sm` and `query_broadcast_sm`.
    QuerySm {
        /// Which message.
        message_id: Text [65 RINVMSGID],
        /// Its sender.
        source_addr: Address [21 RINVSRCADR],
    }

    /// `query_sm_resp`.
    QuerySmResp {
        /// Which message.
        message_id: Text [65 RINVMSGID],
        /// When it ended; empty before.
        final_date: Text [17 RQUERYFAIL],
        /// How far it has come.
        message_state: u8 [1 RQUERYFAIL],
        /// Why it was not delivered, as the network says.
        error_code: u8 [1 RQUERYFAIL],
    }

    /// `cancel_sm`.
    CancelSm {
        /// The service.
        service_type: Text [6 RINVSERTYP],
        /// Which message; empty for all from one to another.
        message_id: Text [65 RINVMSGID],
        /// Its sender.
        source_addr: Address [21 RINVSRCADR],
        /// Its destination.
        destination_addr: Address [21 RINVDSTADR],
    }

    /// `replace_sm`.
    ReplaceSm {
        /// Which message.
        message_id: Text [65 RINVMSGID],
        /// Its sender.
        source_addr: Address [21 RINVSRCADR],
        /// The new time; empty to keep it.
        schedule_delivery_time: Text [17 RINVSCHED],
        /// The new end; empty to keep it.
        validity_period: Text [17 RINVEXPIRY],
        /// Which receipts are asked for now.
        registered_delivery: RegisteredDelivery [1 RINVREGDLVFLG],
        /// A text that the message centre has; 0 for none.
        sm_default_msg_id: u8 [1 RINVDFTMSGID],
        /// The new text.
        short_message: ShortMessage [255 RINVMSGLEN],
    }

    /// `alert_notification`: a subscriber can be reached again.
    AlertNotification {
        /// The subscriber.
        source_addr: Address [65 RINVSRCADR],
        /// Who wanted to know.
        esme_addr: Address [65 RINVDSTADR],
    }

    /// `broadcast_sm` (5.0).
    BroadcastSm {
        /// The service.
        service_type: Text [6 RINVSERTYP],
        /// From.
        source_addr: Address [21 RINVSRCADR],
        /// The broadcast that it replaces, if it does.
        message_id: Text [65 RINVMSGID],
        /// How urgent.
        priority_flag: u8 [1 RINVPRTFLG],
        /// When to begin; empty for at once.
        schedule_delivery_time: Text [17 RINVSCHED],
        /// When it is over.
        validity_period: Text [17 RINVEXPIRY],
        /// 1 to replace what waits.
        replace_if_present_flag: u8 [1 RINVREPFLAG],
        /// The alphabet.
        data_coding: u8 [1 RINVDCS],
        /// A text that the message centre has; 0 for none.
        sm_default_msg_id: u8 [1 RINVDFTMSGID],
    }

    /// `cancel_broadcast_sm` (5.0).
    CancelBroadcastSm {
        /// The service.
        service_type: Text [6 RINVSERTYP],
        /// Which broadcast.
        message_id: Text [65 RINVMSGID],
        /// Its sender.
        source_addr: Address [21 RINVSRCADR],
    }
}
