//! Forms that the vectors lack: commands, reports, and what must be refused.

use super::*;
use crate::pid::Pid;
use crate::status::{FailureCause, Status};

fn read(direction: Direction, octets: &'static [u8]) -> Result<Tpdu, Error> {
    let octets = Bytes::from_static(octets);
    let tpdu = Tpdu::decode(direction, &octets)?;
    assert_eq!(tpdu.encode(), octets);
    Ok(tpdu)
}

#[test]
fn a_command_names_the_message_it_is_about() {
    let octets = &[0x22, 7, 0, 2, 42, 0x04, 0x91, 0x21, 0x43, 2, 0xAB, 0xCD];
    let Ok(Tpdu::Command(command)) = read(Direction::MsToSc, octets) else {
        panic!("no command")
    };
    assert_eq!(
        (command.kind, command.message_number),
        (CommandKind::Delete, 42)
    );
    assert!(command.status_report_request);
    assert_eq!(command.data.octets().as_ref(), [0xAB, 0xCD]);
    assert!((0..=255).all(|code| CommandKind::from_code(code).code() == code));
    assert!(CommandData::new(Bytes::from_static(&[0; 158])).is_err());
}

#[test]
fn reports_come_with_and_without_cause() {
    let read_report = |kind, octets: &'static [u8]| {
        let octets = Bytes::from_static(octets);
        let report = Tpdu::decode_report(Direction::MsToSc, kind, &octets).unwrap();
        assert_eq!(report.encode(), octets);
        let Tpdu::DeliverReport(report) = report else {
            panic!("no report")
        };
        report
    };
    assert_eq!(
        read_report(ReportKind::Acknowledgement, &[0, 0]).failure_cause,
        None
    );
    let full = read_report(ReportKind::Error, &[0, 0xD3, 0]);
    assert_eq!(full.failure_cause, Some(FailureCause(0xD3)));
    // An indicator with further octets announces fields of a later release.
    let later = read_report(ReportKind::Acknowledgement, &[0, 0x81, 0x02, 0x7F, 0x99]);
    assert_eq!(later.parameters.indicator(), [0x81, 0x02]);
    assert_eq!(later.parameters.pid(), Some(Pid(0x7F)));
    let octets = Bytes::from_static(&[1, 0, 0, 0]);
    assert!(Tpdu::decode_report(Direction::MsToSc, ReportKind::Error, &octets).is_err());
}

#[test]
fn a_status_report_may_end_after_the_status() {
    let octets = &[
        0x06, 0x18, 0x05, 0x81, 0x05, 0x31, 0xF1, 0x01, 0x90, 0x82, 0x41, 0x65, 0x00, 0x40, 0x01,
        0x90, 0x82, 0x41, 0x65, 0x00, 0x40, 0x46,
    ];
    let Ok(Tpdu::StatusReport(report)) = read(Direction::ScToMs, octets) else {
        panic!("no status report")
    };
    assert_eq!((report.status, report.parameters), (Status::EXPIRED, None));
}

#[test]
fn errors_name_field_and_offset() {
    let refused = |direction, octets| read(direction, octets).unwrap_err();
    let cases: [(&'static [u8], Error); 6] = [
        (
            &[],
            Error::Truncated {
                field: "TP-MTI",
                offset: 0,
                missing: 1,
            },
        ),
        (
            &[0x03],
            Error::Value {
                field: "TP-MTI",
                offset: 0,
                value: 0x03,
            },
        ),
        (
            &[0x01, 0, 2, 0x91],
            Error::Truncated {
                field: "TP-DA",
                offset: 4,
                missing: 1,
            },
        ),
        (
            &[0x11, 0, 2, 0x91, 0x21, 0, 0],
            Error::Truncated {
                field: "TP-VP",
                offset: 7,
                missing: 1,
            },
        ),
        (
            &[0x01, 0, 2, 0x91, 0x21, 0, 4, 2, 1],
            Error::Truncated {
                field: "TP-UD",
                offset: 8,
                missing: 1,
            },
        ),
        (
            &[0x01, 0, 2, 0x91, 0x21, 0, 4, 1, 1, 9],
            Error::Trailing {
                offset: 9,
                count: 1,
            },
        ),
    ];
    for (octets, error) in cases {
        assert_eq!(refused(Direction::MsToSc, octets), error);
    }
    let text = refused(Direction::MsToSc, &[0x01, 0, 2, 0x91, 0x21, 0, 4, 2, 1]).to_string();
    assert_eq!(text, "TP-UD at octet 8 ends 1 octets too early");
    let after_centre = Bytes::from_static(&[0, 0x01, 0, 2, 0x91]);
    let error = Tpdu::decode_with_service_centre(Direction::MsToSc, &after_centre).unwrap_err();
    assert_eq!(
        error,
        Error::Truncated {
            field: "TP-DA",
            offset: 5,
            missing: 1
        }
    );
}
