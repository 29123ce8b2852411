//! Finding rows, and the end of old ones.

use zajil_core::port::{CdrFilter, CdrPlace};

use super::*;

fn ids(found: &[(CdrPlace, Cdr)]) -> Vec<i64> {
    found.iter().map(|(_, cdr)| cdr.message_id).collect()
}

/// Nine rows; each of the first eight is odd in its own way.
async fn fill(sink: &Arc<dyn Database>) -> Vec<Cdr> {
    let mut rows = cdrs(1..=9);
    rows[1].calling_number = "+100".into();
    rows[2].called_number = "+100".into();
    rows[3].calling_number = "+100".into();
    rows[3].called_number = "+100".into();
    rows[4].status = FinalStatus::Rejected;
    rows[5].source_smsc = Some("other".into());
    rows[6].dest_smsc = None;
    rows[6].delivery_time = None;
    rows[6].message_body = None;
    rows[7].submission_time = Timestamp::from_millis(5_001);
    for row in &rows {
        sink.write(std::slice::from_ref(row), NOW).await.unwrap();
    }
    rows
}

fn only(change: impl FnOnce(&mut CdrFilter)) -> CdrFilter {
    let mut filter = CdrFilter::default();
    change(&mut filter);
    filter
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(super) async fn s10_3_rows_are_found_by_every_filter_newest_first(site: Site) {
    let sink = site.sink();
    let rows = fill(&sink).await;
    let at = |millis| Some(Timestamp::from_millis(millis));
    for (filter, expected) in [
        (only(|_| {}), vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (only(|f| f.number = text("+100")), vec![4, 3, 2]),
        (only(|f| f.number = text("+1")), vec![]),
        (only(|f| f.calling_number = text("+100")), vec![4, 2]),
        (only(|f| f.called_number = text("+100")), vec![4, 3]),
        (only(|f| f.message_id = Some(5)), vec![5]),
        (only(|f| f.status = Some(FinalStatus::Rejected)), vec![5]),
        (only(|f| f.source_smsc = text("other")), vec![6]),
        (only(|f| f.source_smsc = text("OTHER")), vec![]),
        (only(|f| f.source_smsc = text("o\0ther")), vec![]),
        (
            only(|f| (f.dest_smsc, f.message_id) = (text("gw"), Some(7))),
            vec![],
        ),
        (only(|f| f.to = at(5_002)), vec![8]),
        (only(|f| (f.from, f.to) = (at(5_001), at(5_001))), vec![]),
        (
            only(|f| (f.from, f.message_id) = (at(5_002), Some(8))),
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
    sink.health().await.unwrap();
}

pub(super) async fn s10_3_pages_follow_each_other(site: Site) {
    let sink = site.sink();
    fill(&sink).await;
    let mut pages = Vec::new();
    let mut place = None;
    loop {
        let page = sink.search(&only(|_| {}), place, 4).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        place = Some(*last);
        pages.push(ids(&page));
    }
    assert_eq!(pages, [vec![9, 8, 7, 6], vec![5, 4, 3, 2], vec![1]]);
    let number = only(|f| f.number = text("+100"));
    let first = sink.search(&number, None, 2).await.unwrap();
    assert_eq!(ids(&first), [4, 3]);
    let next = sink.search(&number, Some(first[1].0), 2).await.unwrap();
    assert_eq!(ids(&next), [2]);
    // An adopted table may lack an index that a search would rather use.
    site.sql(match site.kind {
        Kind::MySql => "DROP INDEX idx_cdrs_calling_number ON cdrs",
        Kind::Postgres | Kind::Sqlite => "DROP INDEX idx_cdrs_calling_number",
    });
    let next = sink.search(&number, Some(first[1].0), 2).await.unwrap();
    assert_eq!(ids(&next), [2]);
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
