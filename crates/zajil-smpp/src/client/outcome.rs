//! What a carrier's answer to a submit means for the message (D10).

use smpp_codec::Status;
use zajil_core::retry::schedule::ErrorClass;
use zajil_core::smpp::carrier::{Carrier, Handling};

/// What is done after this answer: as it was set for the carrier, else as the standards mean it.
pub(super) fn on(carrier: &Carrier, status: Status) -> Handling {
    carrier.on_status(status.0).unwrap_or_else(|| of(status))
}

/// What a status means. What says that the message itself is wrong is permanent; what the
/// standards do not define may be anything, and is tried again for as long as the message lives.
const fn of(status: Status) -> Handling {
    match status {
        Status::RTHROTTLED | Status::RMSGQFUL => Handling::Again(ErrorClass::Congestion),
        Status::RINVMSGLEN
        | Status::RINVPRTFLG
        | Status::RINVREGDLVFLG
        | Status::RINVSRCADR
        | Status::RINVDSTADR
        | Status::RINVMSGID
        | Status::RINVSERTYP
        | Status::RINVNUMDESTS
        | Status::RINVDLNAME
        | Status::RINVDESTFLAG
        | Status::RINVSUBREP
        | Status::RINVESMCLASS
        | Status::RCNTSUBDL
        | Status::RSUBMITFAIL
        | Status::RINVSRCTON
        | Status::RINVSRCNPI
        | Status::RINVDSTTON
        | Status::RINVDSTNPI
        | Status::RINVSYSTYP
        | Status::RINVREPFLAG
        | Status::RINVNUMMSGS
        | Status::RINVSCHED
        | Status::RINVEXPIRY
        | Status::RINVDFTMSGID
        | Status::RX_P_APPN
        | Status::RX_R_APPN
        | Status::RINVTLVSTREAM
        | Status::RTLVNOTALLWD
        | Status::RINVTLVLEN
        | Status::RMISSINGTLV
        | Status::RINVTLVVAL
        | Status::RDELIVERYFAILURE
        | Status::RSERTYPUNAUTH
        | Status::RPROHIBITED
        | Status::RSERTYPDENIED
        | Status::RINVDCS
        | Status::RINVSRCADDRSUBUNIT
        | Status::RINVDSTADDRSUBUNIT => Handling::Never,
        _ => Handling::Again(ErrorClass::Temporary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_what_may_pass_is_tried_again_and_what_is_wrong_is_not() {
        for (status, expected) in [
            (Status::RTHROTTLED, Handling::Again(ErrorClass::Congestion)),
            (Status::RMSGQFUL, Handling::Again(ErrorClass::Congestion)),
            (Status::RSYSERR, Handling::Again(ErrorClass::Temporary)),
            (Status::RINVBNDSTS, Handling::Again(ErrorClass::Temporary)),
            (Status::RX_T_APPN, Handling::Again(ErrorClass::Temporary)),
            (Status(0x40B), Handling::Again(ErrorClass::Temporary)),
            (Status::RINVDSTADR, Handling::Never),
            (Status::RSUBMITFAIL, Handling::Never),
            (Status::RX_R_APPN, Handling::Never),
        ] {
            assert_eq!(of(status), expected, "{status}");
        }
    }
}
