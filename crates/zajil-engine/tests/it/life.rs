//! The life of messages (S1.3, S3, S4, S9): from the submit to the CDR.

use expect_test::{Expect, expect};

use crate::scenario::run;

async fn check(timeline: &str, expected: Expect) {
    expected.assert_eq(&run(timeline).await);
}

#[tokio::test(start_paused = true)]
async fn s1_3_a_message_is_routed_offered_delivered_and_billed() {
    let timeline = "
        register gw
        route 44 gw
        submit 111 44700 hello
        offer other
        offer gw lease=60
        offer gw
        delivered m1 gw
        delivered m1 gw
        remove m1
        remove m1";
    check(
        timeline,
        expect![[r#"
        register gw => new
        route 44 gw => route 1
        submit 111 44700 hello => m1 111>44700 pending dest Some(gw)
        offer other => []
        offer gw lease=60 => [m1]
        offer gw => []
        delivered m1 gw => m1 111>44700 delivered dest Some(gw)
        delivered m1 gw => refused, already_final: message m1 is already delivered
        remove m1 => gone
        remove m1 => refused, not_found: message m1 not found
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +0s delivery_attempt_1 gw
          +0s message_delivered gw
          +0s late_report the message is already delivered
          +0s message_deleted removed after its end
        cdr m1 delivered by Some("gw"), attempts 1
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s3_2_failures_are_put_off_by_powers_of_two_until_the_life_is_over() {
    let timeline = "
        route 44 gw
        submit 111 44700 hello
        failed m1
        +119s
        offer gw
        +1s
        offer gw
        failed m1
        +240s
        offer gw
        +86400s
        offer gw
        failed m1";
    check(
        timeline,
        expect![[r#"
            route 44 gw => route 1
            submit 111 44700 hello => m1 111>44700 pending dest Some(gw)
            failed m1 => m1 111>44700 pending dest Some(gw)
            +119s
            offer gw => []
            +1s
            offer gw => [m1]
            failed m1 => m1 111>44700 pending dest Some(gw)
            +240s
            offer gw => [m1]
            +86400s
            offer gw => []
            failed m1 => refused, already_final: message m1 is already expired
            m1:
              +0s message_inserted
              +0s message_routed route 1 to 'gw'
              +0s delivery_attempt_1 failed; again in 120 s
              +120s delivery_attempt_2 failed; again in 240 s
              +86760s message_dead_letter expired after 2 failed attempts
              +86760s late_report the message is already expired
            cdr m1 expired by Some("gw"), attempts 2
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s4_3_a_drop_route_ends_the_message() {
    check(
        "route 44 drop\n submit 111 44700 hello\n offer gw unrouted",
        expect![[r#"
            route 44 drop => route 1
            submit 111 44700 hello => m1 111>44700 dropped dest None
            offer gw unrouted => []
            m1:
              +0s message_inserted
              +0s message_dropped route 1
            cdr m1 dropped by None, attempts 0
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s4_3_a_reply_goes_back_and_is_not_answered_itself() {
    let timeline = "
        route - gw
        route 7 reply closed_today
        route 8 reply thanks gw
        route 111 reply never
        submit 111 7000 hello key=a
        submit 111 7000 hello key=a
        submit 8111 8000 hello
        submit BANK 7000 hello
        submit - 7000 hello
        offer gw unrouted";
    check(
        timeline,
        expect![[r#"
            route - gw => route 1
            route 7 reply closed_today => route 2
            route 8 reply thanks gw => route 3
            route 111 reply never => route 4
            submit 111 7000 hello key=a => m1 111>7000 delivered dest None
            submit 111 7000 hello key=a => again m1 111>7000 delivered dest None
            submit 8111 8000 hello => m3 8111>8000 pending dest Some(gw)
            submit BANK 7000 hello => m5 BANK>7000 delivered dest None
            submit - 7000 hello => m6 >7000 delivered dest None
            offer gw unrouted => [m2 m3 m4]
            m1:
              +0s message_inserted
              +0s message_delivered route 2
              +0s auto_reply_sent route 2, message m2
            m2:
              +0s message_inserted auto-reply to message m1
              +0s message_routed route 1 to 'gw'
            m3:
              +0s message_inserted
              +0s message_routed route 3 to 'gw'
              +0s auto_reply_sent route 3, message m4
            m4:
              +0s message_inserted auto-reply to message m3
              +0s message_routed route 1 to 'gw'
            m5:
              +0s message_inserted
              +0s auto_reply_sent route 2: no reply, the sender has no number
              +0s message_delivered route 2
            m6:
              +0s message_inserted
              +0s auto_reply_sent route 2: no reply, the sender has no number
              +0s message_delivered route 2
            cdr m1 delivered by None, attempts 1
            cdr m5 delivered by None, attempts 1
            cdr m6 delivered by None, attempts 1
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s5_1_numbers_are_translated_then_checked_then_routed() {
    let timeline = r"
        route 44 gw
        rule called ^00(\d+)$ +\1
        rule called ^999$ bad
        submit 111 0044700 hello
        submit 111 999 hello
        submit 111 12 hello";
    check(timeline, expect![[r#"
        route 44 gw => route 1
        rule called ^00(\d+)$ +\1 => rule 1
        rule called ^999$ bad => rule 2
        submit 111 0044700 hello => m1 111>+44700 pending dest Some(gw)
        submit 111 999 hello => refused, invalid: destination_msisdn must be 3 to 20 digits with an optional leading '+'
        submit 111 12 hello => refused, invalid: destination_msisdn must be 3 to 20 digits with an optional leading '+'
        m1:
          +0s message_inserted
          +0s number_translated rule 1: destination_msisdn '0044700' to '+44700'
          +0s message_routed route 1 to 'gw'
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s4_2_what_no_route_takes_waits_for_a_location_or_a_fallback() {
    let timeline = "
        submit 111 44700 hello
        submit 111 44800 hello
        offer gw
        offer fallback unrouted
        locate 00101 44700 gw
        offer gw
        offer fallback unrouted
        delivered m1 gw
        delivered m2 fallback";
    check(
        timeline,
        expect![[r#"
        submit 111 44700 hello => m1 111>44700 pending dest None
        submit 111 44800 hello => m2 111>44800 pending dest None
        offer gw => []
        offer fallback unrouted => [m1 m2]
        locate 00101 44700 gw => new
        offer gw => [m1]
        offer fallback unrouted => [m2]
        delivered m1 gw => m1 111>44700 delivered dest Some(gw)
        delivered m2 fallback => m2 111>44800 delivered dest Some(fallback)
        m1:
          +0s message_inserted
          +0s routing_failed no route matches
          +0s delivery_attempt_1 gw
          +0s message_delivered gw
        m2:
          +0s message_inserted
          +0s routing_failed no route matches
          +0s delivery_attempt_1 fallback
          +0s message_delivered fallback
        cdr m1 delivered by Some("gw"), attempts 1
        cdr m2 delivered by Some("fallback"), attempts 1
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn d6_repeated_submits_are_recognised() {
    let timeline = "
        submit 111 44700 hello key=a
        submit 111 44700 hello key=a
        submit 111 44700 other key=a
        submit 111 44700 hello key=b
        +301s
        submit 111 44700 other key=a
        remove m1";
    check(timeline, expect![[r#"
        submit 111 44700 hello key=a => m1 111>44700 pending dest None
        submit 111 44700 hello key=a => again m1 111>44700 pending dest None
        submit 111 44700 other key=a => refused, key_reused: this idempotency key came with another request before: use a new key
        submit 111 44700 hello key=b => m2 111>44700 pending dest None
        +301s
        submit 111 44700 other key=a => m3 111>44700 pending dest None
        remove m1 => gone
        m1:
          +0s message_inserted
          +0s routing_failed no route matches
          +301s message_deleted removed before delivery
        m2:
          +0s message_inserted
          +0s routing_failed no route matches
        m3:
          +301s message_inserted
          +301s routing_failed no route matches
        cdr m1 failed by None, attempts 0
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d12_the_submitter_may_name_a_frontend_that_is_known() {
    let timeline = "
        route 44 gw
        submit 111 44700 hello dest=nobody
        submit 111 44700 hello dest=special
        register special
        submit 111 44700 hello dest=special
        +600s
        submit 111 44700 hello dest=special
        submit 111 55700 hello dest=gw
        offer special";
    check(timeline, expect![[r#"
        route 44 gw => route 1
        submit 111 44700 hello dest=nobody => refused, unknown_frontend: dest_smsc names no known frontend: nobody
        submit 111 44700 hello dest=special => refused, unknown_frontend: dest_smsc names no known frontend: special
        register special => new
        submit 111 44700 hello dest=special => m1 111>44700 pending dest Some(special)
        +600s
        submit 111 44700 hello dest=special => m2 111>44700 pending dest Some(special)
        submit 111 55700 hello dest=gw => m3 111>55700 pending dest Some(gw)
        offer special => [m1 m2]
        m1:
          +0s message_inserted
          +0s message_routed set to 'special' by the submitter
        m2:
          +600s message_inserted
          +600s message_routed set to 'special' by the submitter
        m3:
          +600s message_inserted
          +600s message_routed set to 'gw' by the submitter
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d6_an_asynchronous_submit_with_a_key_gets_the_first_answer_or_a_refusal() {
    let timeline = "
        route 44 gw
        async 111 44700 hello key=a
        async 111 44700 hello key=a
        async 111 44700 other key=a
        submit 111 44700 hello key=a
        stop";
    check(timeline, expect![[r#"
        route 44 gw => route 1
        async 111 44700 hello key=a => taken, dest Some(gw)
        async 111 44700 hello key=a => taken, dest Some(gw)
        async 111 44700 other key=a => refused, key_reused: this idempotency key came with another request before: use a new key
        submit 111 44700 hello key=a => again m1 111>44700 pending dest Some(gw)
        stop => stopped
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d6_a_repeated_submit_is_not_answered_by_a_route_that_came_later() {
    let timeline = "
        submit 111 7000 hello key=a
        route - gw
        route 7 reply closed_today
        submit 111 7000 hello key=a
        submit 111 7000 other key=a
        async 111 7000 hello key=a
        offer gw unrouted";
    check(timeline, expect![[r#"
        submit 111 7000 hello key=a => m1 111>7000 pending dest None
        route - gw => route 1
        route 7 reply closed_today => route 2
        submit 111 7000 hello key=a => again m1 111>7000 pending dest None
        submit 111 7000 other key=a => refused, key_reused: this idempotency key came with another request before: use a new key
        async 111 7000 hello key=a => taken, dest None
        offer gw unrouted => [m1]
        m1:
          +0s message_inserted
          +0s routing_failed no route matches
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn s9_1_a_message_for_later_lives_from_then_on() {
    let timeline = "
        route 44 gw
        submit 111 44700 hello after=172800
        +172799s
        offer gw
        +1s
        offer gw
        +86393s
        offer gw
        +7s
        offer gw";
    check(
        timeline,
        expect![[r#"
        route 44 gw => route 1
        submit 111 44700 hello after=172800 => m1 111>44700 pending dest Some(gw)
        +172799s
        offer gw => []
        +1s
        offer gw => [m1]
        +86393s
        offer gw => [m1]
        +7s
        offer gw => []
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
          +259200s message_dead_letter expired after 0 failed attempts
        cdr m1 expired by Some("gw"), attempts 0
    "#]],
    )
    .await;
}
