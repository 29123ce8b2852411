//! Nobody pays twice, nobody is paid twice, and no debit is without a record (D14).

use std::collections::BTreeMap;

use zajil_core::event::EventName;
use zajil_core::id::MessageId;
use zajil_core::status::FinalStatus;

use super::{Findings, Rows};
use crate::history::What;
use crate::run::Finale;

pub(super) fn check(finale: &Finale, rows: &Rows<'_>, findings: &mut Findings) {
    let (mut debits, mut refunds) = (BTreeMap::new(), BTreeMap::new());
    for entry in &finale.history {
        let (book, id) = match entry.what {
            What::Debit(id) => (&mut debits, id),
            What::Refund(id) => (&mut refunds, id),
            _ => continue,
        };
        let count: &mut u32 = book.entry(id).or_default();
        *count += 1;
    }
    for (id, count) in &debits {
        if *count > 1 {
            findings.add("debited twice", format!("{id}, {count} times"));
        }
        match rows.get(id) {
            Some(row) => {
                let owed = finale.plan.charging.refund_on.contains(&row.status);
                if owed && !refunds.contains_key(id) && !is_written_down(finale, *id) {
                    findings.add("not refunded", format!("{id}, which is {}", row.status));
                }
            }
            None if finale.drained => findings.add("debit without message", id),
            None => {}
        }
    }
    for (id, count) in &refunds {
        if *count > 1 {
            findings.add("refunded twice", format!("{id}, {count} times"));
        }
        if !debits.contains_key(id) {
            findings.add("refunded unpaid", id);
        }
        if rows
            .get(id)
            .is_some_and(|row| row.status == FinalStatus::Delivered)
        {
            findings.add("refunded delivered", id);
        }
    }
}

/// Whether an operator finds the case: nobody knows whether money has moved, and the log says so,
/// or a refund was begun by a process that is gone.
fn is_written_down(finale: &Finale, id: MessageId) -> bool {
    let begun = finale.refunds.iter();
    let mut begun = begun.filter(|refund| refund.begun.is_some());
    let log = finale.logs.get(&id).map_or(&[][..], Vec::as_slice);
    let failed = |name: &EventName| *name == EventName::ChargingFailed;
    begun.any(|refund| refund.call.message == id) || log.iter().any(|line| failed(&line.name))
}
