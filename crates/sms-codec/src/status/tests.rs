//! Groups of 3GPP TS 23.040 9.2.3.15.

use super::*;

#[test]
fn a_status_belongs_to_one_of_four_groups() {
    let cases = [
        (0x00, Outcome::Completed, "received by the SME"),
        (0x1F, Outcome::Completed, "specific to the SC"),
        (0x22, Outcome::StillTrying, "no response from SME"),
        (0x46, Outcome::Failed, "validity period expired"),
        (0x65, Outcome::GaveUp, "error in SME"),
        (0x80, Outcome::Reserved, "reserved"),
    ];
    for (octet, outcome, name) in cases {
        assert_eq!(
            (Status(octet).outcome(), Status(octet).name()),
            (outcome, name)
        );
        assert_eq!(Status(octet).is_final(), outcome != Outcome::StillTrying);
    }
    assert_eq!(FailureCause(0xD3).name(), "memory capacity exceeded");
    assert_eq!(FailureCause(0xE5).name(), "specific to the application");
    assert_eq!(FailureCause(0xD9).name(), "reserved");
}
