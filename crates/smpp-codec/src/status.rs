//! `command_status`: how a request went (SMPP 5.0, 4.7.6; 3.4, 5.1.3).

use std::fmt;

/// A `command_status` as it is on the wire; values nobody has defined are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Status(pub u32);

macro_rules! statuses {
    ($($value:literal $name:ident $meaning:literal),* $(,)?) => {
        impl Status {
            $(#[doc = $meaning] pub const $name: Self = Self($value);)*

            /// Every value that the standards define, in order.
            pub const DEFINED: &'static [Self] = &[$(Self::$name),*];

            /// The name of the standard, such as `ESME_ROK`; none for others.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(concat!("ESME_", stringify!($name))),)*
                    _ => None,
                }
            }

            /// What it means, in words.
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    0x000 ROK "no error",
    0x001 RINVMSGLEN "message length is invalid",
    0x002 RINVCMDLEN "command length is invalid",
    0x003 RINVCMDID "invalid command id",
    0x004 RINVBNDSTS "incorrect bind status for the command",
    0x005 RALYBND "already bound",
    0x006 RINVPRTFLG "invalid priority flag",
    0x007 RINVREGDLVFLG "invalid registered delivery flag",
    0x008 RSYSERR "system error",
    0x00A RINVSRCADR "invalid source address",
    0x00B RINVDSTADR "invalid destination address",
    0x00C RINVMSGID "message id is invalid",
    0x00D RBINDFAIL "bind failed",
    0x00E RINVPASWD "invalid password",
    0x00F RINVSYSID "invalid system id",
    0x011 RCANCELFAIL "cancel failed",
    0x013 RREPLACEFAIL "replace failed",
    0x014 RMSGQFUL "message queue full",
    0x015 RINVSERTYP "invalid service type",
    0x033 RINVNUMDESTS "invalid number of destinations",
    0x034 RINVDLNAME "invalid distribution list name",
    0x040 RINVDESTFLAG "invalid destination flag",
    0x042 RINVSUBREP "invalid submit with replace request",
    0x043 RINVESMCLASS "invalid esm_class",
    0x044 RCNTSUBDL "cannot submit to the distribution list",
    0x045 RSUBMITFAIL "submit failed",
    0x048 RINVSRCTON "invalid source address TON",
    0x049 RINVSRCNPI "invalid source address NPI",
    0x050 RINVDSTTON "invalid destination address TON",
    0x051 RINVDSTNPI "invalid destination address NPI",
    0x053 RINVSYSTYP "invalid system type",
    0x054 RINVREPFLAG "invalid replace_if_present flag",
    0x055 RINVNUMMSGS "invalid number of messages",
    0x058 RTHROTTLED "throttled: the message rate is exceeded",
    0x061 RINVSCHED "invalid scheduled delivery time",
    0x062 RINVEXPIRY "invalid validity period",
    0x063 RINVDFTMSGID "predefined message is invalid or not found",
    0x064 RX_T_APPN "ESME receiver temporary application error",
    0x065 RX_P_APPN "ESME receiver permanent application error",
    0x066 RX_R_APPN "ESME receiver reject message",
    0x067 RQUERYFAIL "query failed",
    0x0C0 RINVTLVSTREAM "error in the optional part of the PDU",
    0x0C1 RTLVNOTALLWD "optional parameter not allowed",
    0x0C2 RINVTLVLEN "invalid length of an optional parameter",
    0x0C3 RMISSINGTLV "expected optional parameter is missing",
    0x0C4 RINVTLVVAL "invalid value of an optional parameter",
    0x0FE RDELIVERYFAILURE "transaction delivery failure",
    0x0FF RUNKNOWNERR "unknown error",
    0x100 RSERTYPUNAUTH "not authorised to use the service type",
    0x101 RPROHIBITED "the operation is prohibited",
    0x102 RSERTYPUNAVAIL "the service type is unavailable",
    0x103 RSERTYPDENIED "the service type is denied",
    0x104 RINVDCS "invalid data coding scheme",
    0x105 RINVSRCADDRSUBUNIT "source address subunit is invalid",
    0x106 RINVDSTADDRSUBUNIT "destination address subunit is invalid",
    0x107 RINVBCASTFREQINT "broadcast frequency interval is invalid",
    0x108 RINVBCASTALIAS_NAME "broadcast alias name is invalid",
    0x109 RINVBCASTAREAFMT "broadcast area format is invalid",
    0x10A RINVNUMBCAST_AREAS "number of broadcast areas is invalid",
    0x10B RINVBCASTCNTTYPE "broadcast content type is invalid",
    0x10C RINVBCASTMSGCLASS "broadcast message class is invalid",
    0x10D RBCASTFAIL "broadcast failed",
    0x10E RBCASTQUERYFAIL "broadcast query failed",
    0x10F RBCASTCANCELFAIL "broadcast cancel failed",
    0x110 RINVBCAST_REP "number of repeated broadcasts is invalid",
    0x111 RINVBCASTSRVGRP "broadcast service group is invalid",
    0x112 RINVBCASTCHANIND "broadcast channel indicator is invalid",
}

impl Status {
    /// Whether the request was done.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "{:#010x}", self.0),
        }
    }
}
