//! What a carrier's answer to a submit means for the message (D10).

use smpp_codec::Status;
use zajil_core::retry::schedule::ErrorClass;

/// What is done about a message that a carrier did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is tried again, by the schedule of this class.
    Again(ErrorClass),
    /// This carrier never takes it: the next one of the route has its turn, or it ends.
    Never,
}

/// The verdict on a status. What says that the message itself is wrong is permanent; what the
/// standards do not define may be anything, and is tried again for as long as the message lives.
pub(crate) const fn of(status: Status) -> Verdict {
    match status {
        Status::RTHROTTLED | Status::RMSGQFUL => Verdict::Again(ErrorClass::Congestion),
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
        | Status::RINVDSTADDRSUBUNIT => Verdict::Never,
        _ => Verdict::Again(ErrorClass::Temporary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_what_may_pass_is_tried_again_and_what_is_wrong_is_not() {
        for (status, expected) in [
            (Status::RTHROTTLED, Verdict::Again(ErrorClass::Congestion)),
            (Status::RMSGQFUL, Verdict::Again(ErrorClass::Congestion)),
            (Status::RSYSERR, Verdict::Again(ErrorClass::Temporary)),
            (Status::RINVBNDSTS, Verdict::Again(ErrorClass::Temporary)),
            (Status::RX_T_APPN, Verdict::Again(ErrorClass::Temporary)),
            (Status(0x40B), Verdict::Again(ErrorClass::Temporary)),
            (Status::RINVDSTADR, Verdict::Never),
            (Status::RSUBMITFAIL, Verdict::Never),
            (Status::RX_R_APPN, Verdict::Never),
        ] {
            assert_eq!(of(status), expected, "{status}");
        }
    }
}
