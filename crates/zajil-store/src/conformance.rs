//! The suite that every store must pass (D15): each case is one behaviour, named with its section.
//!
//! A store's integration tests run it with one line each:
//! `zajil_store::conformance_tests!(home)` for every store, where `home` is an expression that
//! makes a fresh [`Home`], and `zajil_store::reopen_tests!(home)` for those that persist. Each case
//! becomes a test of its own name. They need `tokio` with `rt` and `macros`.
//!
//! What the contract leaves open is not tested: the sentence of a `late_report` line, the order of
//! what one sweep ends, how many sweeps a purge takes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test suite: a case fails by panicking"
)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::contract::Store;

mod build;
mod dice;
mod subject;

pub mod accept;
pub mod arranged;
pub mod awaited;
pub mod differential;
pub mod edit;
pub mod frontend;
pub mod lease;
pub mod list;
pub mod located;
pub mod location;
pub mod moved;
pub mod offer;
pub mod outbox;
pub mod parts;
pub mod purge;
pub mod receipts;
pub mod remove;
pub mod reopen;
pub mod report;
pub mod routing;
pub mod shelf;
pub mod sweep;
pub mod whole;

pub use subject::Subject;

/// A future that can be put into a table.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// One behaviour, tried on an empty store.
pub type Case = fn(Arc<dyn Store>) -> Boxed<'static, ()>;
/// One behaviour that needs closing and opening again.
pub type ReopenCase = fn(Arc<dyn Home>) -> Boxed<'static, ()>;

/// A place where a store lives, empty at first; what it holds (a directory, a database) ends with
/// the value.
pub trait Home: Send + Sync + 'static {
    /// Opens the store. After it was closed, what had been stored is there again, if it persists.
    fn open(&self) -> Boxed<'_, Arc<dyn Store>>;
}

impl<F: Fn() -> Arc<dyn Store> + Send + Sync + 'static> Home for F {
    fn open(&self) -> Boxed<'_, Arc<dyn Store>> {
        Box::pin(std::future::ready(self()))
    }
}

/// Runs one case on a store of `home`, and closes it.
pub async fn run(home: impl Home, case: Case) {
    let store = home.open().await;
    case(Arc::clone(&store)).await;
    // The case may have closed it.
    drop(store.close().await);
}

/// Hands all cases to a macro: the one list of them.
#[doc(hidden)]
#[macro_export]
macro_rules! each_conformance_case {
    ([$($emit:tt)*] $args:tt) => {
        $($emit)*! { $args
            accept {
                d5_an_accepted_message_is_visible_with_every_field
                d5_any_text_comes_back_as_it_was
                d5_a_batch_has_an_answer_each_in_order
                d5_a_batch_is_stored_whole_or_not_at_all
                d5_an_empty_batch_is_no_error
                d5_many_callers_at_once_are_all_stored
                s3_1_an_answer_names_the_queue
                d6_the_same_key_and_body_answer_the_first_message
                d6_a_key_repeated_within_a_batch_is_recognised
                d6_the_same_key_with_another_body_is_refused_alone
                d6_a_key_is_known_until_its_instant
                d6_a_key_outlives_its_message
                s4_3_a_message_that_ended_on_arrival_has_its_cdr
                s3_3_a_message_that_comes_late_is_placed_as_of_now
                d4_the_highest_id_never_falls
                d4_reserved_ids_count_as_used
            }
            arranged {
                d14_a_message_that_waits_for_its_charge_is_offered_to_nobody
                d14_a_granted_message_is_offered_at_once_and_a_rejected_one_has_its_cdr
                d14_an_answer_that_never_comes_is_swept
                d14_nothing_else_ends_a_message_that_waits_for_its_charge
                d14_a_debit_that_is_known_late_is_kept_and_given_back
                d6_a_key_can_be_forgotten
                d12_the_next_frontend_gets_what_the_first_did_not_take
                d19_what_a_network_took_is_held_until_it_tells
                d12_a_frontend_that_holds_a_message_keeps_its_turn
                d12_a_refusal_goes_to_the_next_at_once_and_the_last_one_ends
                d14_a_debit_whose_message_ends_undelivered_waits_to_be_given_back
                d14_a_refund_is_begun_once_and_logged_when_done
            }
            offer {
                s3_1_a_routed_message_is_offered_to_its_frontend_only
                s3_1_an_unrouted_message_waits_for_include_unrouted
                s3_1_include_unrouted_adds_to_the_askers_own
                s3_1_nothing_is_offered_once_it_expires
                s3_1_nothing_is_offered_before_deliver_after
                s3_1_nothing_is_offered_after_its_end
                s3_1_the_longest_due_comes_first_then_the_lower_id
                s3_1_the_limit_cuts_one_order_over_all_queues
                d7_an_offer_holds_nothing
                d7_next_due_is_never_late
                d7_next_due_of_an_asker_without_messages_is_none
                d17_a_long_queue_is_offered_page_by_page
            }
            located {
                s3_3_a_location_routes_to_the_frontend_it_names
                s3_3_a_location_that_comes_later_takes_waiting_messages
                s3_3_numbers_are_compared_without_plus_and_separators
                s3_3_a_subscriber_that_moves_takes_its_messages_along
                s3_3_a_detached_subscriber_is_reached_nowhere
                s3_3_a_deleted_location_leaves_messages_unrouted
                s3_3_an_expired_location_routes_nothing
                s3_3_a_renewed_location_routes_again
                s3_3_a_location_without_a_frontend_decides_nothing
                s3_3_an_explicit_route_beats_the_location
                s3_3_a_changed_number_moves_both_queues
                s3_3_the_latest_of_two_live_locations_decides
                s3_3_the_sweep_honours_its_limit_and_comes_to_rest
                s3_3_a_held_message_that_moves_stays_held
                d10_a_location_names_the_queues_that_must_hear_of_it
            }
            lease {
                d7_a_held_message_is_given_to_nobody_else
                d7_many_callers_at_once_never_share_a_message
                d7_a_lease_returns_at_its_end
                d7_a_lease_changes_nothing_but_the_hold
                d7_a_lease_honours_limit_and_order
                d7_returned_messages_queue_by_the_end_of_their_lease
                d7_a_failed_attempt_ends_the_lease
                d7_a_report_after_the_lease_ran_out_still_counts
                s9_1_a_held_message_expires_all_the_same
            }
            report {
                s3_a_delivered_message_has_time_frontend_and_log
                s3_a_reporters_time_is_kept_plausible
                s3_2_failed_attempts_back_off_in_powers_of_two
                d7_the_frontends_own_wait_beats_the_schedule
                d7_a_permanent_failure_ends_the_message
                d11_state_cdr_and_log_of_every_ending_come_together
                d11_a_late_report_is_logged_and_changes_nothing
                d11_of_many_final_reports_at_once_one_wins
                d7_a_batch_has_an_outcome_each_in_order
                s3_a_report_on_an_unknown_message_is_not_found
                s3_1_a_report_tells_where_the_message_waits
            }
            edit {
                s3_every_field_of_a_patch_is_taken_over
                s3_an_optional_field_can_be_cleared
                s3_an_empty_patch_changes_nothing
                d7_an_edit_takes_a_message_out_of_its_holders_hands
                s13_1_a_reroute_moves_the_message_to_the_other_queue
                s3_3_an_edit_can_give_the_decision_back_to_the_location
                s3_deliver_after_moves_the_message_in_the_order
                s9_1_a_longer_life_is_not_swept_and_a_shorter_one_is
                s3_a_status_in_a_patch_ends_the_message
                d11_an_edit_after_the_end_is_logged_and_changes_nothing
                d19_an_edit_can_leave_alone_what_a_frontend_holds
            }
            remove {
                s3_a_removed_message_is_found_by_nobody
                s10_2_a_removed_message_still_has_its_cdr
                d11_removing_a_finished_message_adds_no_second_cdr
                s3_removing_an_unknown_message_is_false
            }
            list {
                s3_the_newest_come_first
                s3_limit_and_offset_page_through_all
                s3_status_selects
                s3_what_is_scheduled_is_selected_until_it_is_due_or_tried
                s13_1_digits_select_by_either_number
                s13_1_selections_combine
                s8_a_log_keeps_the_order_of_what_happened
                s8_outside_systems_add_their_own_events
                s8_an_unknown_message_has_no_log
                s3_frontend_client_time_and_place_select
                d19_what_waits_is_found_by_its_addresses_if_its_application_wants_that
            }
            parts {
                d9_the_parts_of_a_text_find_each_other
                d9_parts_are_found_within_a_day_of_each_other
                d9_a_part_is_found_in_every_state_until_it_is_gone
                d9_only_the_nearest_of_many_parts_are_found
            }
            sweep {
                s9_1_only_a_life_that_is_over_expires
                s9_1_an_expired_message_is_told_to_the_caller
                s9_1_the_sweep_honours_its_limit
                s9_1_two_sweeps_at_once_end_each_message_once
            }
            purge {
                s9_3_finished_messages_leave_after_their_retention
                s9_3_pending_messages_never_leave
                s10_2_a_message_stays_until_its_cdr_is_drained
                s9_3_the_purge_honours_its_limit_and_comes_to_rest
                s8_a_log_outlives_its_message_until_its_own_time
                s8_the_log_of_a_present_message_stays
                d6_keys_leave_at_their_instant
                s3_4_frontend_history_leaves_after_its_retention
            }
            location {
                s3_3_an_imsi_has_one_record
                s3_3_a_record_is_read_and_changed_by_id
                s3_3_an_unknown_id_and_a_missing_imsi_are_refused
                s3_3_records_are_listed_by_id
                d8_a_number_is_found_without_its_plus
                s3_3_the_latest_update_of_a_number_wins
                s3_3_ids_rise_and_are_not_used_again
            }
            frontend {
                s3_4_a_repeated_registration_renews_the_stretch
                s3_4_a_registration_after_a_missed_one_begins_a_new_stretch
                s3_4_a_vanished_frontend_is_told_once
                s3_4_the_figures_count_by_the_clock
                s3_4_the_list_shows_the_latest_stretch_by_name
                s3_4_history_is_kept_newest_first
                s3_4_ids_rise_from_one
                d10_a_policy_is_kept_replaced_and_forgotten
            }
            routing {
                s4_4_the_tables_start_empty_and_every_change_raises_the_version
                s4_1_every_term_of_a_route_is_kept
                s5_1_every_term_of_a_rule_is_kept
                s4_4_routes_are_changed_and_removed_by_id
                s5_1_rules_are_changed_and_removed_by_id
                s4_4_an_unknown_id_is_refused_and_changes_nothing
                s4_4_an_import_goes_beside_what_is_there
                s4_4_a_replacing_import_leaves_nothing_else
                s5_1_rules_are_imported_like_routes
                s4_4_ids_are_not_used_again
            }
            shelf {
                a_record_comes_back_as_it_was_written
                ids_and_revisions_rise_within_their_kind
                a_name_is_one_records_at_a_time
                a_record_that_is_not_there_is_not_found
                a_change_from_an_older_revision_is_refused
                changes_happen_together_or_not_at_all
                a_later_change_sees_an_earlier_one
                pages_lead_through_all_records_both_ways
                the_oldest_records_are_purged
                of_many_changes_from_one_revision_one_wins
                a_record_beyond_its_limits_is_refused
            }
            receipts {
                d19_an_ending_owes_the_receipt_that_was_asked_for
                d19_every_way_to_end_owes_its_receipt
                d19_a_refused_submit_owes_nothing
                d19_a_receipt_knows_what_the_network_said
                d19_a_state_on_the_way_gives_place_to_the_next
                d19_a_leased_receipt_is_given_to_nobody_else
                d19_a_look_for_what_is_due_takes_nothing
                d19_what_is_told_of_a_receipt_decides
                d19_the_oldest_receipts_are_found_whosever_they_are
            }
            awaited {
                d19_what_a_carrier_took_is_found_by_its_ids
                d19_an_id_that_is_given_again_means_the_new_part
                d19_a_report_without_effect_awaits_nothing
                d19_of_receipts_at_once_exactly_one_is_the_last
                d19_overdue_parts_are_found_the_longest_first
                d19_parts_are_forgotten_by_turn
            }
            outbox {
                s10_2_every_ending_has_exactly_one_entry
                s10_2_entries_come_in_the_order_of_the_endings
                s10_2_the_limit_takes_the_oldest
                s10_2_done_entries_are_forgotten_and_others_stay
                endings_can_be_read_again_until_retention_is_over
            }
            whole {
                s12_the_figures_follow_every_change
                s12_messages_are_counted_by_whose_they_are_and_their_state
                d5_a_closed_store_answers_closed
            }
            differential {
                d15_random_operations_agree_with_the_model
                d15_other_random_operations_agree_with_the_model
            }
        }
    };
}

/// Hands the cases that reopen a store to a macro.
#[doc(hidden)]
#[macro_export]
macro_rules! each_reopen_case {
    ([$($emit:tt)*] $args:tt) => {
        $($emit)*! { $args
            reopen {
                d5_everything_survives_closing_and_opening
                d5_a_held_message_stays_held_over_a_restart
                d4_ids_go_on_where_they_were
                the_shelf_survives_closing_and_opening
                d15_random_operations_agree_over_restarts
            }
            receipts {
                d19_receipts_survive_closing_and_opening
            }
            awaited {
                d19_what_carriers_took_survives_closing_and_opening
            }
        }
    };
}

macro_rules! case_table {
    (() $($topic:ident { $($case:ident)* })*) => {
        /// Every case, by name.
        pub const CASES: &[(&str, Case)] = &[$($(
            (stringify!($case), |store| Box::pin($topic::$case(Subject::new(store)))),
        )*)*];
    };
}

macro_rules! reopen_table {
    (() $($topic:ident { $($case:ident)* })*) => {
        /// Every case that closes the store and opens it again, by name.
        pub const REOPEN_CASES: &[(&str, ReopenCase)] = &[$($(
            (stringify!($case), |home| Box::pin($topic::$case(home))),
        )*)*];
    };
}

each_conformance_case!([case_table]());
each_reopen_case!([reopen_table]());

/// Makes a test of every case, on a store of the [`Home`] that the expression makes.
#[macro_export]
macro_rules! conformance_tests {
    ($home:expr) => {
        $crate::each_conformance_case!([$crate::emit_conformance_tests]($home));
    };
}

/// Makes a test of every case that closes the store and opens it again.
#[macro_export]
macro_rules! reopen_tests {
    ($home:expr) => {
        $crate::each_reopen_case!([$crate::emit_reopen_tests]($home));
    };
}

/// The tests themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! emit_conformance_tests {
    (($home:expr) $($topic:ident { $($case:ident)* })*) => { $($(
        #[tokio::test]
        async fn $case() {
            let case: $crate::conformance::Case = |store| {
                let subject = $crate::conformance::Subject::new(store);
                Box::pin($crate::conformance::$topic::$case(subject))
            };
            $crate::conformance::run($home, case).await;
        }
    )*)* };
}

/// The tests themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! emit_reopen_tests {
    (($home:expr) $($topic:ident { $($case:ident)* })*) => { $($(
        #[tokio::test]
        async fn $case() {
            $crate::conformance::$topic::$case(::std::sync::Arc::new($home)).await;
        }
    )*)* };
}
