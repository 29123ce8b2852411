//! Fallback frontends (D12) and ENUM (S6) in the path of a message.

use expect_test::{Expect, expect};

use crate::scenario::run;

async fn check(timeline: &str, expected: Expect) {
    expected.assert_eq(&run(timeline).await);
}

#[tokio::test(start_paused = true)]
async fn d12_the_first_active_frontend_gets_it_and_the_first_of_all_while_none_is() {
    let timeline = "
        route 44 a then=b,c
        submit 111 441 none
        register b
        submit 111 442 b
        +91s
        submit 111 443 none_again";
    check(
        timeline,
        expect![[r#"
        route 44 a then=b,c => route 1
        submit 111 441 none => m1 111>441 pending dest Some(a)
        register b => new
        submit 111 442 b => m2 111>442 pending dest Some(b)
        +91s
        submit 111 443 none_again => m3 111>443 pending dest Some(a)
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'a'
          +91s message_routed fallback to 'b': 'a' did not take it within 60 s
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'b': [a] not active
          +91s message_routed fallback to 'c': 'b' did not take it within 60 s
        m3:
          +91s message_inserted
          +91s message_routed route 1 to 'a'
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn d12_a_message_that_is_refused_or_not_taken_goes_to_the_next() {
    let timeline = "
        register a
        register b
        route 44 a then=b,c
        submit 111 441 x
        refused m1
        offer b
        refused m1
        offer c
        refused m1
        submit 111 442 y
        +59s
        offer a
        +1s
        offer a
        offer b lease=30
        +60s
        offer b
        +31s
        offer c";
    check(
        timeline,
        expect![[r#"
        register a => new
        register b => new
        route 44 a then=b,c => route 1
        submit 111 441 x => m1 111>441 pending dest Some(a)
        refused m1 => m1 111>441 pending dest Some(b)
        offer b => [m1]
        refused m1 => m1 111>441 pending dest Some(c)
        offer c => [m1]
        refused m1 => m1 111>441 failed dest Some(c)
        submit 111 442 y => m2 111>442 pending dest Some(a)
        +59s
        offer a => [m2]
        +1s
        offer a => []
        offer b lease=30 => [m2]
        +60s
        offer b => []
        +31s
        offer c => [m2]
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'a'
          +0s delivery_attempt_1 refused
          +0s message_routed fallback to 'b': 'a' refused it
          +0s delivery_attempt_2 refused
          +0s message_routed fallback to 'c': 'b' refused it
          +0s message_failed failed
        m2:
          +0s message_inserted
          +0s message_routed route 1 to 'a'
          +60s message_routed fallback to 'b': 'a' did not take it within 60 s
          +120s message_routed fallback to 'c': 'b' did not take it within 60 s
        cdr m1 failed by Some("c"), attempts 2
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn s6_2_a_route_may_depend_on_what_enum_says() {
    let timeline = "
        enum 441 voip.example.com
        enum 443 broken
        route - gw
        submit 111 440 nobody_asks
        route 44 voip enum=voip.example.com
        submit 111 441 found
        submit 111 442 absent
        submit 111 443 broken
        submit 111 441 named dest=gw";
    check(
        timeline,
        expect![[r#"
        enum 441 voip.example.com
        enum 443 broken
        route - gw => route 1
        submit 111 440 nobody_asks => m1 111>440 pending dest Some(gw)
        route 44 voip enum=voip.example.com => route 2
        submit 111 441 found => m2 111>441 pending dest Some(voip)
        submit 111 442 absent => m3 111>442 pending dest Some(gw)
        submit 111 443 broken => m4 111>443 pending dest Some(gw)
        submit 111 441 named dest=gw => m5 111>441 pending dest Some(gw)
        m1:
          +0s message_inserted
          +0s message_routed route 1 to 'gw'
        m2:
          +0s message_inserted
          +0s enum_lookup sip:441@voip.example.com by E2U+sip of e164.test
          +0s message_routed route 2 to 'voip'
        m3:
          +0s message_inserted
          +0s enum_lookup not there
          +0s message_routed route 1 to 'gw'
        m4:
          +0s message_inserted
          +0s enum_lookup failed: time-out
          +0s message_routed route 1 to 'gw'
        m5:
          +0s message_inserted
          +0s message_routed set to 'gw' by the submitter
    "#]],
    )
    .await;
}
