//! Finding rows, and the end of old ones.

use zajil_core::port::{CdrFilter, CdrPlace};

use super::*;

fn ids(found: &[(CdrPlace, Cdr)]) -> Vec<i64> {
    found.iter().map(|(_, cdr)| cdr.message_id).collect()
}

pub(super) async fn s10_3_rows_are_found_by_every_filter_newest_first(site: Site) {
    let sink = site.sink();
    let mut rows = cdrs(1..=9);
    rows[1].calling_number = "+100".into();
    rows[2].called_number = "+100".into();
    rows[3] = Cdr {
        calling_number: "+100".into(),
        called_number: "+100".into(),
        ..cdr(4)
    };
    rows[4].status = FinalStatus::Rejected;
    rows[5].source_smsc = Some("other".into());
    rows[6] = Cdr {
        dest_smsc: None,
        delivery_time: None,
        message_body: None,
        ..cdr(7)
    };
    rows[7].submission_time = Timestamp::from_millis(5_001);
    for row in &rows {
        sink.write(std::slice::from_ref(row), NOW).await.unwrap();
    }
    let any = CdrFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let at = |millis| Some(Timestamp::from_millis(millis));
    for (filter, expected) in [
        (any(), vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (
            CdrFilter {
                number: text("+100"),
                ..any()
            },
            vec![4, 3, 2],
        ),
        (
            CdrFilter {
                number: text("+1"),
                ..any()
            },
            vec![],
        ),
        (
            CdrFilter {
                calling_number: text("+100"),
                ..any()
            },
            vec![4, 2],
        ),
        (
            CdrFilter {
                called_number: text("+100"),
                ..any()
            },
            vec![4, 3],
        ),
        (
            CdrFilter {
                message_id: Some(5),
                ..any()
            },
            vec![5],
        ),
        (
            CdrFilter {
                status: Some(FinalStatus::Rejected),
                ..any()
            },
            vec![5],
        ),
        (
            CdrFilter {
                source_smsc: text("other"),
                ..any()
            },
            vec![6],
        ),
        (
            CdrFilter {
                source_smsc: text("OTHER"),
                ..any()
            },
            vec![],
        ),
        (
            CdrFilter {
                source_smsc: text("o\0ther"),
                ..any()
            },
            vec![],
        ),
        (
            CdrFilter {
                dest_smsc: text("gw"),
                message_id: Some(7),
                ..any()
            },
            vec![],
        ),
        (
            CdrFilter {
                to: at(5_002),
                ..any()
            },
            vec![8],
        ),
        (
            CdrFilter {
                from: at(5_001),
                to: at(5_001),
                ..any()
            },
            vec![],
        ),
        (
            CdrFilter {
                from: at(5_002),
                message_id: Some(8),
                ..any()
            },
            vec![],
        ),
    ] {
        let found = sink.search(&filter, None, 100).await.unwrap();
        assert_eq!(ids(&found), expected, "{filter:?}");
        for (_, cdr) in &found {
            let index = usize::try_from(cdr.message_id).unwrap() - 1;
            assert_eq!(cdr, &rows[index]);
        }
    }
    let mut pages = Vec::new();
    let mut place = None;
    loop {
        let page = sink.search(&any(), place, 4).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        place = Some(*last);
        pages.push(ids(&page));
    }
    assert_eq!(pages, [vec![9, 8, 7, 6], vec![5, 4, 3, 2], vec![1]]);
    let number = CdrFilter {
        number: text("+100"),
        ..any()
    };
    let first = sink.search(&number, None, 2).await.unwrap();
    assert_eq!(ids(&first), [4, 3]);
    let next = sink.search(&number, Some(first[1].0), 2).await.unwrap();
    assert_eq!(ids(&next), [2]);
    sink.health().await.unwrap();
}

pub(super) async fn s10_4_old_rows_are_purged_in_steps(site: Site) {
    let sink = site.sink();
    let old = |row: Cdr| Cdr {
        submission_time: Timestamp::from_secs(row.message_id),
        ..row
    };
    let rows: Vec<Cdr> = cdrs(1..=25).into_iter().map(old).collect();
    sink.write(&rows, NOW).await.unwrap();
    let before = Timestamp::from_secs(21);
    let mut steps = Vec::new();
    loop {
        let count = sink.purge(before, 8).await.unwrap();
        steps.push(count);
        if count == 0 {
            break;
        }
    }
    assert_eq!(steps, [8, 8, 4, 0]);
    assert_eq!(
        site.sql("SELECT min(message_id), count(*) FROM cdrs")
            .trim(),
        "21|5"
    );
}
