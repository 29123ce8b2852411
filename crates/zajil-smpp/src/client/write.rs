//! A message as a carrier wants it: one `submit_sm` for each part.

use smpp_codec::address::{Address, TON_ALPHANUMERIC};
use smpp_codec::flags::RegisteredDelivery;
use smpp_codec::pdu::Sm;
use smpp_codec::text::Text;
use smpp_codec::time::Time;
use zajil_core::message::Message;
use zajil_core::smpp::LongText;
use zajil_core::smpp::carrier::{Carrier, DeliveredAt, Plan};

use crate::{number, text};

/// The parts of a message, in order.
pub(super) fn parts(message: &Message, carrier: &Carrier) -> Vec<Sm> {
    let content = &message.content;
    let sender = carrier.forced_sender.as_deref();
    let source = planned(
        number::write(sender.unwrap_or(content.source.as_str())),
        carrier.source_plan,
    );
    let destination = planned(
        number::write(content.destination.as_str()),
        carrier.destination_plan,
    );
    // Without optional parameters only headers tell parts from each other.
    let long = if carrier.version >= 0x34 {
        carrier.long_text
    } else {
        LongText::Udh
    };
    let validity = if carrier.send_validity {
        Time::at(message.expires.millis()).to_text()
    } else {
        Text::EMPTY
    };
    let registered_delivery = RegisteredDelivery(match carrier.delivered_at {
        DeliveredAt::Response => 0,
        DeliveredAt::Receipt => 1,
    });
    let pieces = text::write(message, carrier.alphabet, long);
    let sm = |piece: text::Piece| Sm {
        source_addr: source.clone(),
        destination_addr: destination.clone(),
        esm_class: piece.esm_class,
        validity_period: validity.clone(),
        registered_delivery,
        data_coding: match piece.data_coding {
            0 => carrier.text_coding,
            other => other,
        },
        short_message: piece.short_message,
        tlvs: piece.tlvs,
        ..Sm::default()
    };
    pieces.into_iter().map(sm).collect()
}

/// What the carrier wants to see of numbers; letters are always letters.
fn planned(address: Address, plan: Plan) -> Address {
    if address.ton == TON_ALPHANUMERIC {
        return address;
    }
    Address {
        ton: plan.ton.unwrap_or(address.ton),
        npi: plan.npi.unwrap_or(address.npi),
        ..address
    }
}
