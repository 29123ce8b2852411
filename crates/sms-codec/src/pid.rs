//! TP-Protocol-Identifier: octet and meaning (3GPP TS 23.040 9.2.3.9).

/// A TP-Protocol-Identifier as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u8);

/// What an identifier says (3GPP TS 23.040 9.2.3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// 00: a short message from one entity to another, or another protocol between the two.
    EntityToEntity(u8),
    /// 20 to 3F: interworking with this telematic device.
    Telematic(u8),
    /// 40: acknowledged and discarded by the mobile.
    TypeZero,
    /// 41 to 47: replaces an earlier message with the same type, centre and originator.
    Replace(u8),
    /// 48: device triggering.
    DeviceTriggering,
    /// 5E: enhanced message service, obsolete.
    Enhanced,
    /// 5F: return call.
    ReturnCall,
    /// 7C: ANSI-136 R-DATA.
    Ansi136,
    /// 7D: data download to the mobile equipment.
    EquipmentDownload,
    /// 7E: de-personalization of the mobile equipment.
    Depersonalization,
    /// 7F: data download to the (U)SIM.
    SimDownload,
    /// C0 to FF: specific to the service centre.
    ServiceCentre(u8),
    /// Everything else.
    Reserved(u8),
}

impl Pid {
    /// A plain short message.
    pub const PLAIN: Self = Self(0);

    /// What the octet says.
    #[must_use]
    pub const fn meaning(self) -> Meaning {
        match self.0 {
            octet @ 0x00..=0x1F => Meaning::EntityToEntity(octet),
            octet @ 0x20..=0x3F => Meaning::Telematic(octet & 0x1F),
            0x40 => Meaning::TypeZero,
            octet @ 0x41..=0x47 => Meaning::Replace(octet & 0x07),
            0x48 => Meaning::DeviceTriggering,
            0x5E => Meaning::Enhanced,
            0x5F => Meaning::ReturnCall,
            0x7C => Meaning::Ansi136,
            0x7D => Meaning::EquipmentDownload,
            0x7E => Meaning::Depersonalization,
            0x7F => Meaning::SimDownload,
            octet @ 0xC0.. => Meaning::ServiceCentre(octet & 0x3F),
            octet => Meaning::Reserved(octet),
        }
    }

    /// The octet that says `meaning`; numbers beyond their range lose their upper bits.
    #[must_use]
    pub const fn from_meaning(meaning: Meaning) -> Self {
        Self(match meaning {
            Meaning::EntityToEntity(protocol) => protocol & 0x1F,
            Meaning::Telematic(device) => 0x20 | device & 0x1F,
            Meaning::TypeZero => 0x40,
            Meaning::Replace(kind) => 0x40 | kind & 0x07,
            Meaning::DeviceTriggering => 0x48,
            Meaning::Enhanced => 0x5E,
            Meaning::ReturnCall => 0x5F,
            Meaning::Ansi136 => 0x7C,
            Meaning::EquipmentDownload => 0x7D,
            Meaning::Depersonalization => 0x7E,
            Meaning::SimDownload => 0x7F,
            Meaning::ServiceCentre(code) => 0xC0 | code & 0x3F,
            Meaning::Reserved(octet) => octet,
        })
    }
}

/// The name of a telematic device (3GPP TS 23.040 9.2.3.9).
#[must_use]
pub const fn telematic_name(device: u8) -> &'static str {
    match device {
        0x00 => "implicit",
        0x01 => "telex",
        0x02 => "group 3 telefax",
        0x03 => "group 4 telefax",
        0x04 => "voice telephone",
        0x05 => "ERMES",
        0x06 => "national paging system",
        0x07 => "videotex",
        0x08 => "teletex, carrier unspecified",
        0x09 => "teletex, in PSPDN",
        0x0A => "teletex, in CSPDN",
        0x0B => "teletex, in analogue PSTN",
        0x0C => "teletex, in digital ISDN",
        0x0D => "UCI",
        0x10 => "message handling facility",
        0x11 => "X.400 message handling system",
        0x12 => "Internet electronic mail",
        0x18..=0x1E => "specific to the service centre",
        0x1F => "GSM or UMTS mobile station",
        _ => "reserved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives_its_meaning() {
        for octet in 0..=255 {
            assert_eq!(Pid::from_meaning(Pid(octet).meaning()), Pid(octet));
        }
    }

    #[test]
    fn names_what_the_standard_names() {
        assert_eq!(Pid(0x00).meaning(), Meaning::EntityToEntity(0));
        assert_eq!(Pid(0x32).meaning(), Meaning::Telematic(0x12));
        assert_eq!(telematic_name(0x12), "Internet electronic mail");
        assert_eq!(Pid(0x40).meaning(), Meaning::TypeZero);
        assert_eq!(Pid(0x41).meaning(), Meaning::Replace(1));
        assert_eq!(Pid(0x7F).meaning(), Meaning::SimDownload);
        assert_eq!(Pid(0x80).meaning(), Meaning::Reserved(0x80));
    }
}
