//! The names of events: those of S8 where it has a word.

use zajil_core::status::FinalStatus;

/// Every name. What an event of it is about is in the manual (`docs/ops/stream.md`).
pub const NAMES: [&str; 32] = [
    "message_routed",
    "routing_failed",
    "message_inserted",
    "charging_attempted",
    "charging_failed",
    "charging_refunded",
    "charging_refund_unknown",
    "delivery_attempt_failed",
    "message_fell_back",
    "lease_returned",
    "late_report",
    "message_delivered",
    "message_dead_letter",
    "message_failed",
    "message_rejected",
    "message_dropped",
    "frontend_connected",
    "frontend_vanished",
    "frontend_paused",
    "frontend_resumed",
    "frontend_congested",
    "routes_changed",
    "cdrs_written",
    "cdrs_failing",
    "cdr_refused",
    "node_started",
    "node_stopping",
    "part_usable",
    "part_unusable",
    "webhook_resting",
    "pdu_received",
    "pdu_sent",
];

/// The name of the event that says how a message ended.
#[must_use]
pub fn ended(how: FinalStatus) -> &'static str {
    match how {
        FinalStatus::Delivered => "message_delivered",
        FinalStatus::Expired => "message_dead_letter",
        FinalStatus::Failed => "message_failed",
        FinalStatus::Rejected => "message_rejected",
        FinalStatus::Dropped => "message_dropped",
    }
}
