//! A reason as SMPP says it: one `command_status` for each (D18).
//!
//! Clients send again what is answered with `ESME_RTHROTTLED`, `ESME_RMSGQFUL`, `ESME_RSYSERR` or
//! `ESME_RX_T_APPN`, some of them for ever: only what may succeed later gets one of these.

use smpp_codec::Status;
use zajil_core::outcome::Reason;

/// Why a submit was not taken: no credit, in the range for vendors.
pub const NO_CREDIT: Status = Status(0x400);
/// The destination is barred for this account.
pub const BARRED: Status = Status(0x401);

/// The status of a refusal, for `submit_sm`, `submit_multi` and `data_sm`.
#[must_use]
pub const fn of(reason: Reason) -> Status {
    match reason {
        Reason::Malformed | Reason::Invalid => Status::RSUBMITFAIL,
        Reason::TooLarge => Status::RINVMSGLEN,
        Reason::NotFound => Status::RINVMSGID,
        Reason::NoCredit | Reason::UnknownAccount | Reason::DisabledAccount | Reason::NoTariff => {
            NO_CREDIT
        }
        Reason::BarredDestination => BARRED,
        Reason::UnknownFrontend
        | Reason::KeyReused
        | Reason::NotAllowed
        | Reason::Unauthenticated
        | Reason::Forbidden
        | Reason::AlreadyFinal
        | Reason::Conflict => Status::RSUBMITFAIL,
        Reason::Overloaded
        | Reason::TooManyConnections
        | Reason::RateLimited
        | Reason::Stopping => Status::RTHROTTLED,
        Reason::StorageFull | Reason::StorageDown | Reason::ChargingDown | Reason::IssuerDown => {
            Status::RMSGQFUL
        }
        Reason::Internal => Status::RSYSERR,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn d18_only_what_may_succeed_later_invites_clients_to_try_again() {
        let again = [
            Status::RTHROTTLED,
            Status::RMSGQFUL,
            Status::RSYSERR,
            Status::RX_T_APPN,
        ];
        let mut table = String::new();
        for reason in Reason::ALL {
            let status = of(reason);
            table.push_str(&format!("{} {status}\n", reason.code()));
            let ours = reason.is_retryable() || reason == Reason::Internal;
            assert_eq!(again.contains(&status), ours, "{reason:?}");
        }
        expect![[r#"
            malformed ESME_RSUBMITFAIL
            invalid ESME_RSUBMITFAIL
            unauthenticated ESME_RSUBMITFAIL
            forbidden ESME_RSUBMITFAIL
            rate_limited ESME_RTHROTTLED
            too_large ESME_RINVMSGLEN
            unknown_frontend ESME_RSUBMITFAIL
            key_reused ESME_RSUBMITFAIL
            not_found ESME_RINVMSGID
            not_allowed ESME_RSUBMITFAIL
            already_final ESME_RSUBMITFAIL
            no_credit 0x00000400
            unknown_account 0x00000400
            disabled_account 0x00000400
            barred_destination 0x00000401
            no_tariff 0x00000400
            conflict ESME_RSUBMITFAIL
            overloaded ESME_RTHROTTLED
            too_many_connections ESME_RTHROTTLED
            storage_full ESME_RMSGQFUL
            storage_down ESME_RMSGQFUL
            charging_down ESME_RMSGQFUL
            issuer_down ESME_RMSGQFUL
            stopping ESME_RTHROTTLED
            internal ESME_RSYSERR
        "#]]
        .assert_eq(&table);
    }
}
