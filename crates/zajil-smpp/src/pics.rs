//! What of SMPP is there, on which side (PICS): the tables behind `docs/smpp-pics.md`. The tests
//! compare them with the codec, with what the sources use, and with what a message centre answers.

use smpp_codec::session::{self, Side, State};
use smpp_codec::tlv::Tag;
use smpp_codec::{CommandId, Status};
use zajil_core::outcome::Reason;

use crate::status;

/// What one of our sides does with a request of its peer, or sends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Sends it.
    Sends,
    /// Takes it, and does what it asks for.
    Takes,
    /// Both.
    Both,
    /// Takes it apart, and refuses to do it in the words of the version.
    Refuses,
    /// The other side's, or not used.
    No,
}

impl Support {
    const fn word(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Takes => "takes",
            Self::Both => "sends, takes",
            Self::Refuses => "refuses",
            Self::No => "–",
        }
    }
}

/// Each request: what the message centre does, and what the client of carriers does.
pub const REQUESTS: &[(CommandId, Support, Support)] = &[
    (CommandId::BIND_RECEIVER, Support::Takes, Support::Sends),
    (CommandId::BIND_TRANSMITTER, Support::Takes, Support::Sends),
    (CommandId::BIND_TRANSCEIVER, Support::Takes, Support::Sends),
    (CommandId::OUTBIND, Support::Sends, Support::No),
    (CommandId::UNBIND, Support::Both, Support::Both),
    (CommandId::ENQUIRE_LINK, Support::Both, Support::Both),
    (CommandId::GENERIC_NACK, Support::Both, Support::Both),
    (CommandId::SUBMIT_SM, Support::Takes, Support::Sends),
    (CommandId::SUBMIT_MULTI, Support::Takes, Support::No),
    (CommandId::DATA_SM, Support::Takes, Support::Takes),
    (CommandId::DELIVER_SM, Support::Sends, Support::Takes),
    (CommandId::QUERY_SM, Support::Takes, Support::No),
    (CommandId::CANCEL_SM, Support::Takes, Support::No),
    (CommandId::REPLACE_SM, Support::Takes, Support::No),
    (CommandId::ALERT_NOTIFICATION, Support::Sends, Support::No),
    (CommandId::BROADCAST_SM, Support::Refuses, Support::No),
    (CommandId::QUERY_BROADCAST_SM, Support::Refuses, Support::No),
    (
        CommandId::CANCEL_BROADCAST_SM,
        Support::Refuses,
        Support::No,
    ),
];

/// The optional parameters that are acted upon or sent, and as what. Others are taken apart, and
/// passed over.
pub const PARAMETERS: &[(Tag, &str)] = &[
    (Tag::DEST_ADDR_SUBUNIT, "taken with a text: 1 is a flash"),
    (Tag::RECEIPTED_MESSAGE_ID, "sent and taken with receipts"),
    (
        Tag::USER_MESSAGE_REFERENCE,
        "taken, sent to the receiver and with receipts",
    ),
    (Tag::SAR_MSG_REF_NUM, "sent and taken with parts"),
    (Tag::SAR_TOTAL_SEGMENTS, "sent and taken with parts"),
    (Tag::SAR_SEGMENT_SEQNUM, "sent and taken with parts"),
    (
        Tag::SC_INTERFACE_VERSION,
        "sent with the response to a bind of 3.4 or later",
    ),
    (Tag::NETWORK_ERROR_CODE, "sent and taken with receipts"),
    (
        Tag::DPF_RESULT,
        "sent with responses to submits with set_dpf: whether an alert follows",
    ),
    (Tag::SET_DPF, "taken with submits: 1 asks for an alert"),
    (Tag::MS_AVAILABILITY_STATUS, "sent with alerts"),
    (
        Tag::MESSAGE_PAYLOAD,
        "sent and taken in the place of short_message",
    ),
    (Tag::MESSAGE_STATE, "sent and taken with receipts"),
    (
        Tag::CONGESTION_STATE,
        "sent with responses to submits of 5.0: the share of the window in use",
    ),
];

/// The page.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(
        "# SMPP: what is there\n\n\
         Written by `cargo xtask gen`; the tests compare it with what the message centre does. As\n\
         message centre Zajil is bound to by applications; as client it binds to carriers.\n\
         Versions: 3.3, 3.4 and 5.0 on both sides; 3.3 gets no optional parameters.\n\n\
         ## Operations\n\n\
         A response is sent and taken where its request is. The states are those in which the\n\
         side may send it: O open, B asked to bind, T, R, X bound as transmitter, receiver,\n\
         transceiver, U unbound.\n\n\
         | operation | command_id | from applications | from message centres \
         | as message centre | as client |\n\
         |---|---|---|---|---|---|\n",
    );
    for (id, centre, client) in REQUESTS {
        let (esme, other) = (states(Side::Esme, *id), states(Side::Centre, *id));
        let (centre, client) = (centre.word(), client.word());
        let row = format!(
            "| `{id}` | {:#010x} | {esme} | {other} | {centre} | {client} |\n",
            id.0
        );
        out.push_str(&row);
    }
    out.push_str(
        "\nAn operation that nobody knows is answered with `generic_nack`, `ESME_RINVCMDID`; one \
         in the wrong\nstate with `ESME_RINVBNDSTS`, a second bind with `ESME_RALYBND`.\n\n\
         ## Optional parameters\n\n| parameter | tag | |\n|---|---|---|\n",
    );
    for (tag, what) in PARAMETERS {
        let name = tag.name().unwrap_or_default();
        out.push_str(&format!("| `{name}` | {:#06x} | {what} |\n", tag.0));
    }
    out.push_str(
        "\nAll others are read, those of vendors too, and passed over. A wrong length is answered \
         with\n`ESME_RINVTLVLEN`.\n\n\
         ## Why a submit is refused\n\n| reason | command_status |\n|---|---|\n",
    );
    for reason in Reason::ALL {
        let status = status::of(reason);
        out.push_str(&format!("| `{}` | `{status}` |\n", reason.code()));
    }
    out.push_str(
        "\n## Which `command_status` is sent\n\n\
         | status | value | as message centre | as client | meaning |\n|---|---|---|---|---|\n",
    );
    let only = |status: &&Status| !SENT.contains(status);
    for status in SENT.iter().chain(SENT_AS_CLIENT.iter().filter(only)) {
        let meaning = status.meaning().unwrap_or("of this message centre");
        let by = |list: &[Status]| if list.contains(status) { "yes" } else { "–" };
        let (centre, client) = (by(SENT), by(SENT_AS_CLIENT));
        let row = format!(
            "| `{status}` | {:#05x} | {centre} | {client} | {meaning} |\n",
            status.0
        );
        out.push_str(&row);
    }
    out
}

/// Each status that the client answers its carriers with.
pub const SENT_AS_CLIENT: &[Status] = &[
    Status::ROK,
    Status::RINVMSGLEN,
    Status::RINVCMDLEN,
    Status::RINVCMDID,
    Status::RINVBNDSTS,
    Status::RX_T_APPN,
    Status::RX_R_APPN,
];

/// Each status that the message centre sends.
pub const SENT: &[Status] = &[
    Status::ROK,
    Status::RINVMSGLEN,
    Status::RINVCMDLEN,
    Status::RINVCMDID,
    Status::RINVBNDSTS,
    Status::RALYBND,
    Status::RINVPRTFLG,
    Status::RINVREGDLVFLG,
    Status::RSYSERR,
    Status::RINVSRCADR,
    Status::RINVDSTADR,
    Status::RINVMSGID,
    Status::RBINDFAIL,
    Status::RINVPASWD,
    Status::RINVSYSID,
    Status::RCANCELFAIL,
    Status::RREPLACEFAIL,
    Status::RMSGQFUL,
    Status::RINVNUMDESTS,
    Status::RINVDLNAME,
    Status::RINVESMCLASS,
    Status::RSUBMITFAIL,
    Status::RINVREPFLAG,
    Status::RTHROTTLED,
    Status::RINVSCHED,
    Status::RINVEXPIRY,
    Status::RINVDFTMSGID,
    Status::RQUERYFAIL,
    Status::RINVTLVVAL,
    Status::RPROHIBITED,
    Status::RINVDCS,
    status::NO_CREDIT,
    status::BARRED,
];

/// The letters of the states in which a side may send a request.
fn states(side: Side, id: CommandId) -> String {
    let letter = |state: &State| match state {
        State::Open => "O",
        State::Outbound => "B",
        State::BoundTx => "T",
        State::BoundRx => "R",
        State::BoundTrx => "X",
        State::Unbound => "U",
        State::Closed => "",
    };
    let allowed = State::ALL
        .iter()
        .filter(|state| session::check(**state, side, id).is_ok());
    let letters: String = allowed.map(letter).collect();
    if letters.is_empty() {
        "–".to_owned()
    } else {
        letters
    }
}

#[cfg(test)]
mod tests;
