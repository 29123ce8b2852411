//! What a message looks like (S2), for the description of the API.

use zajil_core::message::{CharacterSet, Message};
use zajil_core::status::Status;

use crate::openapi::schema::{self, Described, Schema, list, shown};

impl Described for Message {
    const NAME: &'static str = "Message";

    fn schema() -> Schema {
        let words = CharacterSet::ALL.map(CharacterSet::as_str);
        let smsc = || shown::text().or_null();
        schema::object(
            &REQUIRED,
            [
                ("id", shown::id()),
                (
                    "source_msisdn",
                    smsc().says("The sender, after translation."),
                ),
                (
                    "destination_msisdn",
                    shown::text().says("The recipient, after translation."),
                ),
                ("message_body", shown::text()),
                (
                    "source_smsc",
                    smsc().says("The frontend or client that submitted."),
                ),
                (
                    "dest_smsc",
                    smsc().says("The frontend that must deliver; null leaves it to a location."),
                ),
                ("destination_smsc", smsc().says("As `dest_smsc`.").older()),
                ("source_imsi", smsc()),
                ("dest_imsi", smsc()),
                (
                    "message_parts",
                    shown::count().says("SMS that the text takes."),
                ),
                ("message_part_number", shown::count().or_null()),
                ("tp_data_coding_scheme", shown::hex().or_null()),
                ("tp_dcs_character_set", shown::word(words).or_null()),
                ("tp_dcs_coding_group", shown::text().or_null()),
                ("tp_dcs_compressed", shown::boolean().or_null()),
                ("tp_dcs_has_message_class", shown::boolean().or_null()),
                ("tp_dcs_message_class", shown::integer(0, 3).or_null()),
                ("tp_user_data_header", shown::any_object().or_null()),
                ("status", shown::word(Status::ALL.map(Status::as_str))),
                ("send_time", shown::time().or_null()),
                ("deliver_time", shown::time().or_null()),
                (
                    "delivered_at",
                    shown::time().or_null().says("As `deliver_time`.").older(),
                ),
                ("inserted_at", shown::time()),
                ("updated_at", shown::time()),
                ("expires", shown::time()),
                (
                    "deliver_after",
                    shown::time().or_null().says("Not offered before."),
                ),
                (
                    "leased_until",
                    shown::time()
                        .or_null()
                        .says("Offered to nobody until then."),
                ),
                ("delivery_attempts", shown::count()),
                ("deadletter", shown::boolean()),
                ("charge_failed", shown::boolean()),
                ("raw_data_flag", shown::boolean()),
                ("raw_sip_flag", shown::boolean()),
                ("raw_pdu", shown::hex().or_null()),
                ("joined", schema::of::<JoinedOut>()),
            ],
        )
    }
}

/// All but `joined`.
const REQUIRED: [&str; 33] = [
    "id",
    "source_msisdn",
    "destination_msisdn",
    "message_body",
    "source_smsc",
    "dest_smsc",
    "destination_smsc",
    "source_imsi",
    "dest_imsi",
    "message_parts",
    "message_part_number",
    "tp_data_coding_scheme",
    "tp_dcs_character_set",
    "tp_dcs_coding_group",
    "tp_dcs_compressed",
    "tp_dcs_has_message_class",
    "tp_dcs_message_class",
    "tp_user_data_header",
    "status",
    "send_time",
    "deliver_time",
    "delivered_at",
    "inserted_at",
    "updated_at",
    "expires",
    "deliver_after",
    "leased_until",
    "delivery_attempts",
    "deadletter",
    "charge_failed",
    "raw_data_flag",
    "raw_sip_flag",
    "raw_pdu",
];

/// The text of which a message is a part, as far as it is there (D9).
#[derive(Debug)]
struct JoinedOut;

impl Described for JoinedOut {
    const NAME: &'static str = "Joined";

    fn schema() -> Schema {
        let part = schema::record([("message_part_number", shown::count()), ("id", shown::id())]);
        schema::record([
            ("parts_total", shown::count()),
            ("parts_present", shown::count()),
            ("complete", shown::boolean()),
            ("message_body", shown::text()),
            ("parts", list(part, None)),
        ])
        .says("The text of which this message is a part, as far as it is there.")
    }
}

/// What `create_async` answers with.
#[derive(Debug)]
pub(crate) struct AcceptedOut;

impl Described for AcceptedOut {
    const NAME: &'static str = "Accepted";

    fn schema() -> Schema {
        schema::record([
            ("status", shown::exactly("accepted")),
            ("message", schema::of::<Message>()),
        ])
    }
}
