//! Optional parameters: tag, length, value (SMPP 5.0, 4.8; 3.4, 5.3).

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::Status;
use crate::error::{Fault, Problem};
use crate::reader::{Reader, Rule};
use crate::text::Text;

/// The tag of an optional parameter; those of vendors are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

/// What the standard says about a tag.
#[derive(Debug, Clone, Copy)]
struct Known {
    name: &'static str,
    least: u16,
    most: u16,
}

macro_rules! tags {
    ($($value:literal $constant:ident $name:literal $least:literal $most:literal),* $(,)?) => {
        impl Tag {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($value);)*

            /// Every tag that the standards define, in order.
            pub const DEFINED: &'static [Self] = &[$(Self::$constant),*];

            const fn known(self) -> Option<Known> {
                Some(match self.0 {
                    $($value => Known { name: $name, least: $least, most: $most },)*
                    _ => return None,
                })
            }
        }
    };
}

tags! {
    0x0005 DEST_ADDR_SUBUNIT "dest_addr_subunit" 1 1,
    0x0006 DEST_NETWORK_TYPE "dest_network_type" 1 1,
    0x0007 DEST_BEARER_TYPE "dest_bearer_type" 1 1,
    0x0008 DEST_TELEMATICS_ID "dest_telematics_id" 2 2,
    0x000D SOURCE_ADDR_SUBUNIT "source_addr_subunit" 1 1,
    0x000E SOURCE_NETWORK_TYPE "source_network_type" 1 1,
    0x000F SOURCE_BEARER_TYPE "source_bearer_type" 1 1,
    0x0010 SOURCE_TELEMATICS_ID "source_telematics_id" 1 2,
    0x0017 QOS_TIME_TO_LIVE "qos_time_to_live" 4 4,
    0x0019 PAYLOAD_TYPE "payload_type" 1 1,
    0x001D ADDITIONAL_STATUS_INFO_TEXT "additional_status_info_text" 0 256,
    0x001E RECEIPTED_MESSAGE_ID "receipted_message_id" 1 65,
    0x0030 MS_MSG_WAIT_FACILITIES "ms_msg_wait_facilities" 1 1,
    0x0201 PRIVACY_INDICATOR "privacy_indicator" 1 1,
    0x0202 SOURCE_SUBADDRESS "source_subaddress" 1 23,
    0x0203 DEST_SUBADDRESS "dest_subaddress" 1 23,
    0x0204 USER_MESSAGE_REFERENCE "user_message_reference" 2 2,
    0x0205 USER_RESPONSE_CODE "user_response_code" 1 1,
    0x020A SOURCE_PORT "source_port" 2 2,
    0x020B DESTINATION_PORT "destination_port" 2 2,
    0x020C SAR_MSG_REF_NUM "sar_msg_ref_num" 2 2,
    0x020D LANGUAGE_INDICATOR "language_indicator" 1 1,
    0x020E SAR_TOTAL_SEGMENTS "sar_total_segments" 1 1,
    0x020F SAR_SEGMENT_SEQNUM "sar_segment_seqnum" 1 1,
    0x0210 SC_INTERFACE_VERSION "sc_interface_version" 1 1,
    0x0302 CALLBACK_NUM_PRES_IND "callback_num_pres_ind" 1 1,
    0x0303 CALLBACK_NUM_ATAG "callback_num_atag" 0 65,
    0x0304 NUMBER_OF_MESSAGES "number_of_messages" 1 1,
    0x0381 CALLBACK_NUM "callback_num" 1 65,
    0x0420 DPF_RESULT "dpf_result" 1 1,
    0x0421 SET_DPF "set_dpf" 1 1,
    0x0422 MS_AVAILABILITY_STATUS "ms_availability_status" 1 1,
    0x0423 NETWORK_ERROR_CODE "network_error_code" 3 3,
    0x0424 MESSAGE_PAYLOAD "message_payload" 0 0xFFFF,
    0x0425 DELIVERY_FAILURE_REASON "delivery_failure_reason" 1 1,
    0x0426 MORE_MESSAGES_TO_SEND "more_messages_to_send" 1 1,
    0x0427 MESSAGE_STATE "message_state" 1 1,
    0x0428 CONGESTION_STATE "congestion_state" 1 1,
    0x0501 USSD_SERVICE_OP "ussd_service_op" 1 1,
    0x0600 BROADCAST_CHANNEL_INDICATOR "broadcast_channel_indicator" 1 1,
    0x0601 BROADCAST_CONTENT_TYPE "broadcast_content_type" 3 3,
    0x0602 BROADCAST_CONTENT_TYPE_INFO "broadcast_content_type_info" 0 255,
    0x0603 BROADCAST_MESSAGE_CLASS "broadcast_message_class" 1 1,
    0x0604 BROADCAST_REP_NUM "broadcast_rep_num" 2 2,
    0x0605 BROADCAST_FREQUENCY_INTERVAL "broadcast_frequency_interval" 3 3,
    0x0606 BROADCAST_AREA_IDENTIFIER "broadcast_area_identifier" 1 0xFFFF,
    0x0607 BROADCAST_ERROR_STATUS "broadcast_error_status" 4 4,
    0x0608 BROADCAST_AREA_SUCCESS "broadcast_area_success" 1 1,
    0x0609 BROADCAST_END_TIME "broadcast_end_time" 16 17,
    0x060A BROADCAST_SERVICE_GROUP "broadcast_service_group" 1 255,
    0x060B BILLING_IDENTIFICATION "billing_identification" 1 1024,
    0x060D SOURCE_NETWORK_ID "source_network_id" 7 65,
    0x060E DEST_NETWORK_ID "dest_network_id" 7 65,
    0x060F SOURCE_NODE_ID "source_node_id" 6 6,
    0x0610 DEST_NODE_ID "dest_node_id" 6 6,
    0x0611 DEST_ADDR_NP_RESOLUTION "dest_addr_np_resolution" 1 1,
    0x0612 DEST_ADDR_NP_INFORMATION "dest_addr_np_information" 10 10,
    0x0613 DEST_ADDR_NP_COUNTRY "dest_addr_np_country" 1 5,
    0x1201 DISPLAY_TIME "display_time" 1 1,
    0x1203 SMS_SIGNAL "sms_signal" 2 2,
    0x1204 MS_VALIDITY "ms_validity" 1 4,
    0x130C ALERT_ON_MESSAGE_DELIVERY "alert_on_message_delivery" 0 1,
    0x1380 ITS_REPLY_TYPE "its_reply_type" 1 1,
    0x1383 ITS_SESSION_INFO "its_session_info" 2 2,
}

impl Tag {
    /// The name of the standard; none for a vendor's tag.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.known().map(|known| known.name)
    }
}

/// One optional parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tlv {
    tag: Tag,
    value: Bytes,
}

impl Tlv {
    /// `None` when the value has a length that the standard does not allow for this tag.
    #[must_use]
    pub fn new(tag: Tag, value: impl Into<Bytes>) -> Option<Self> {
        let value = value.into();
        let length = u16::try_from(value.len()).ok()?;
        let fits = |known: Known| (known.least..=known.most).contains(&length);
        tag.known().is_none_or(fits).then_some(Self { tag, value })
    }

    /// Which parameter.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Its octets.
    #[must_use]
    pub const fn value(&self) -> &Bytes {
        &self.value
    }
}

/// Optional parameters in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tlvs(Vec<Tlv>);

impl Tlvs {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// In order.
    #[must_use]
    pub fn all(&self) -> &[Tlv] {
        &self.0
    }

    /// Adds one at the end.
    pub fn push(&mut self, tlv: Tlv) {
        self.0.push(tlv);
    }

    /// Adds one of a single octet; nothing happens when the tag has another length.
    pub fn push_u8(&mut self, tag: Tag, value: u8) {
        self.0.extend(Tlv::new(tag, vec![value]));
    }

    /// Adds one of two octets; nothing happens when the tag has another length.
    pub fn push_u16(&mut self, tag: Tag, value: u16) {
        self.0.extend(Tlv::new(tag, value.to_be_bytes().to_vec()));
    }

    /// Adds a C-octet string; nothing happens when it is too long for the tag.
    pub fn push_text(&mut self, tag: Tag, value: &Text) {
        let octets = [value.octets(), &[0_u8][..]].concat();
        self.0.extend(Tlv::new(tag, octets));
    }

    /// The value of a parameter; of a repeated one the last counts.
    #[must_use]
    pub fn get(&self, tag: Tag) -> Option<&Bytes> {
        let mut last_first = self.0.iter().rev();
        last_first.find(|tlv| tlv.tag == tag).map(|tlv| &tlv.value)
    }

    /// The value of a parameter of one octet.
    #[must_use]
    pub fn u8(&self, tag: Tag) -> Option<u8> {
        self.get(tag)?.first().copied()
    }

    /// The value of a parameter of two octets.
    #[must_use]
    pub fn u16(&self, tag: Tag) -> Option<u16> {
        self.get(tag)?
            .first_chunk()
            .copied()
            .map(u16::from_be_bytes)
    }

    /// The value of a string parameter; its zero octet may be missing.
    #[must_use]
    pub fn text(&self, tag: Tag) -> Option<Text> {
        self.get(tag).cloned().map(Text::until_zero)
    }

    /// Whether a parameter that may only come once came twice.
    #[must_use]
    pub fn repeated(&self) -> Option<Tag> {
        let may_repeat = [
            Tag::BROADCAST_AREA_IDENTIFIER,
            Tag::BROADCAST_AREA_SUCCESS,
            Tag::BROADCAST_ERROR_STATUS,
            Tag::CALLBACK_NUM,
            Tag::CALLBACK_NUM_ATAG,
            Tag::CALLBACK_NUM_PRES_IND,
            Tag::BROADCAST_CONTENT_TYPE,
        ];
        let mut seen = Vec::new();
        let tags = self.0.iter().map(|tlv| tlv.tag);
        tags.filter(|tag| tag.name().is_some() && !may_repeat.contains(tag))
            .find(|tag| {
                let again = seen.contains(tag);
                seen.push(*tag);
                again
            })
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut all = Vec::new();
        while !reader.rest().is_empty() {
            all.push(read_one(reader)?);
        }
        Ok(Self(all))
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        for Tlv { tag, value } in &self.0 {
            out.put_u16(tag.0);
            out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
            out.put_slice(value);
        }
    }
}

impl FromIterator<Tlv> for Tlvs {
    fn from_iter<I: IntoIterator<Item = Tlv>>(tlvs: I) -> Self {
        Self(tlvs.into_iter().collect())
    }
}

fn read_one(reader: &mut Reader<'_>) -> Result<Tlv, Fault> {
    let stream = |fault: Fault| Fault {
        status: Status::RINVTLVSTREAM,
        ..fault
    };
    let mut rule = Rule {
        name: "tlv",
        most: usize::MAX,
        status: Status::RINVTLVLEN,
    };
    let [a, b, c, d] = reader.array(&rule).map_err(stream)?;
    let tag = Tag(u16::from_be_bytes([a, b]));
    rule.name = tag.name().unwrap_or(rule.name);
    let length = usize::from(u16::from_be_bytes([c, d]));
    let value = reader.take(length, &rule).map_err(stream)?;
    Tlv::new(tag, value)
        .ok_or_else(|| reader.fault(&rule, Problem::Length { length }, Status::RINVTLVLEN))
}

#[cfg(test)]
mod tests;
