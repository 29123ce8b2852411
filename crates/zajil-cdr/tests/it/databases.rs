//! One suite for every database: the same rows, doubles, deaths and reports (S10, D16).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zajil_cdr::outbox::{Options, Outbox};
use zajil_core::cdr::Cdr;
use zajil_core::clock::Timestamp;
use zajil_core::port::{CdrSink, Unwritten};
use zajil_core::status::FinalStatus;
use zajil_store::contract::Store as _;
use zajil_store::memory::MemoryStore;

use crate::outbox::{finished, outbox, waiting};
use zajil_cdr::Database;

use crate::servers::{Kind, Site};

mod adopted;
mod deaths;
mod reports;
mod rows;
mod search;

/// The tests of every database.
macro_rules! everywhere {
    ($($name:ident in $place:ident),* $(,)?) => {
        mod sqlite { $(everywhere!(one Sqlite $place $name);)* }
        mod postgres { $(everywhere!(one Postgres $place $name);)* }
        mod mysql { $(everywhere!(one MySql $place $name);)* }
    };
    (one $kind:ident $place:ident $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Some(site) = super::Site::open(super::Kind::$kind).await {
                super::$place::$name(site).await;
            }
        }
    };
}

/// The tests of servers, which can be stopped, killed and misunderstood.
macro_rules! on_servers {
    ($($name:ident in $place:ident),* $(,)?) => {
        mod postgres_server { $(everywhere!(one Postgres $place $name);)* }
        mod mysql_server { $(everywhere!(one MySql $place $name);)* }
    };
}

everywhere! {
    s10_1_every_column_is_as_it_was_given in rows,
    d16_a_repeated_batch_changes_nothing in rows,
    d16_two_nodes_may_begin_and_write_at_once in rows,
    s10_2_a_row_that_the_table_refuses_is_named_and_the_others_are_written in rows,
    s10_3_rows_are_found_by_every_filter_newest_first in search,
    s10_3_pages_follow_each_other in search,
    s10_4_old_rows_are_purged_in_steps in search,
    s10_3_the_reports_of_the_manual_run_as_they_are_printed in reports,
    s10_3_a_report_is_asked_for_a_time_and_a_number in reports,
    s10_4_a_report_changes_nothing in reports,
}

on_servers! {
    s10_1_the_table_is_that_of_the_specification in rows,
    s10_1_a_table_of_a_later_version_is_left_alone in rows,
    s10_2_rows_wait_for_a_server_that_stops_and_comes_back in deaths,
    d16_a_server_that_is_killed_twenty_times_has_each_row_once in deaths,
    s10_2_a_server_that_hangs_costs_a_bounded_time in deaths,
    s10_2_a_server_that_refuses_us_says_why in deaths,
    s12_the_pool_is_counted in deaths,
    d16_a_table_of_the_reference_is_taken_over_with_its_rows in adopted,
    d16_a_table_with_doubles_is_written_row_by_row_once in adopted,
    d16_a_table_that_is_none_for_cdrs_is_left_alone in adopted,
    s10_3_a_table_may_be_partitioned_by_month in adopted,
    s10_2_a_user_who_may_only_write_is_enough in adopted,
}

fn cdr(message_id: i64) -> Cdr {
    Cdr {
        message_id,
        calling_number: "+15551230000".into(),
        called_number: "+15559870000".into(),
        source_smsc: Some("app".into()),
        dest_smsc: Some("gw".into()),
        origin_node: "zajil@a".into(),
        destination_node: "zajil@b".into(),
        submission_time: Timestamp::from_millis(1_709_210_096_007),
        delivery_time: Some(Timestamp::from_millis(1_709_210_097_123)),
        expiry_time: Timestamp::from_millis(1_709_296_496_007),
        status: FinalStatus::Delivered,
        delivery_attempts: 2,
        message_parts: 1,
        deadletter: false,
        message_body: Some("hello".into()),
    }
}

fn cdrs(ids: std::ops::RangeInclusive<i64>) -> Vec<Cdr> {
    ids.map(cdr).collect()
}

/// Rows, and messages with a row.
fn counts(site: &Site) -> String {
    site.sql("SELECT count(*), count(DISTINCT message_id) FROM cdrs")
        .trim()
        .to_owned()
}

const NOW: Timestamp = Timestamp::EPOCH;

fn down(answer: Result<(), Unwritten>) -> String {
    match answer {
        Err(Unwritten::Down(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Waits for something, for at most a minute.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let wait = async {
        while !condition().await {
            tick.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "{what} did not happen");
}
