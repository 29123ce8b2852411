//! Servers that stop, die, hang and refuse.

use super::*;

/// A worker with small batches, running, with its store.
struct Flow {
    store: Arc<MemoryStore>,
    figures: Arc<zajil_cdr::outbox::Figures>,
    stop: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
    next: u64,
}

impl Flow {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own task, joined by `end`"
    )]
    fn begin(site: &Site, batch_size: u32) -> Self {
        let store = Arc::new(MemoryStore::new());
        let options = Options {
            batch_size,
            flush_interval: Duration::from_millis(5),
            ..Options::default()
        };
        let sink: Arc<dyn CdrSink> = site.sink();
        let worker: Outbox = outbox(&store, sink, options);
        let (figures, stop) = (worker.figures(), CancellationToken::new());
        let worker = tokio::spawn(worker.drain(stop.clone()));
        Self {
            store,
            figures,
            stop,
            worker,
            next: 0,
        }
    }

    async fn accept(&mut self, count: u64) {
        let drafts = (self.next + 1..=self.next + count).map(finished).collect();
        self.store.accept(drafts, NOW).await.unwrap();
        self.next += count;
    }

    /// Until another batch has arrived, so that one is on its way.
    async fn moves(&self) {
        let before = self.figures.snapshot().total_batches;
        until("a batch", async || {
            self.figures.snapshot().total_batches > before
        })
        .await;
    }

    async fn end(self) {
        until("the end", async || waiting(&self.store).await == 0).await;
        self.stop.cancel();
        self.worker.await.unwrap();
    }
}

pub(super) async fn s10_2_rows_wait_for_a_server_that_stops_and_comes_back(mut site: Site) {
    let mut flow = Flow::begin(&site, 10);
    flow.accept(1_000).await;
    flow.moves().await;
    site.stop().await;
    flow.accept(1_000).await;
    let errors = flow.figures.snapshot().flush_errors;
    until("a failure", async || {
        flow.figures.snapshot().flush_errors > errors
    })
    .await;
    assert!(waiting(&flow.store).await > 0);
    site.start().await;
    flow.end().await;
    assert_eq!(counts(&site), "2000|2000");
}

pub(super) async fn d16_a_server_that_is_killed_twenty_times_has_each_row_once(mut site: Site) {
    let mut flow = Flow::begin(&site, 1);
    let mut interrupted = 0;
    for _ in 0..20 {
        flow.accept(100).await;
        flow.moves().await;
        site.kill();
        interrupted += u32::from(waiting(&flow.store).await > 0);
        site.start().await;
    }
    flow.end().await;
    assert_eq!(counts(&site), "2000|2000");
    assert!(
        interrupted >= 10,
        "rows were on their way {interrupted} times"
    );
}

pub(super) async fn s10_2_a_server_that_hangs_costs_a_bounded_time(site: Site) {
    let mut server = site.server();
    server.connect_timeout = Duration::from_millis(400);
    server.statement_timeout = Duration::from_millis(600);
    let sink = site.sink_at(&server);
    sink.write(&cdrs(1..=10), NOW).await.unwrap();
    site.signal("-STOP", true);
    let begun = tokio::time::Instant::now();
    let why = down(sink.write(&cdrs(11..=20), NOW).await);
    assert!(
        why.contains("did not give an answer within 600 ms"),
        "{why}"
    );
    let why = down(sink.write(&cdrs(11..=20), NOW).await);
    assert!(
        why.contains("a connection within 400 ms") || why.contains("timed out"),
        "{why}"
    );
    assert!(sink.health().await.is_err());
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    site.signal("-CONT", true);
    until("recovery", async || {
        sink.write(&cdrs(11..=20), NOW).await.is_ok()
    })
    .await;
    assert_eq!(counts(&site), "20|20");
}

pub(super) async fn s10_2_a_server_that_refuses_us_says_why(mut site: Site) {
    let mut wrong = site.server();
    wrong.password.0 = "falsch".into();
    let why = down(site.sink_at(&wrong).write(&cdrs(1..=1), NOW).await);
    let expected = match site.kind {
        Kind::Postgres => "password authentication failed for user \"zajil\"",
        _ => "Access denied for user 'zajil'",
    };
    assert!(
        why.contains("cannot connect to") && why.contains(expected),
        "{why}"
    );
    assert!(!why.contains("falsch"), "{why}");
    let mut wrong = site.server();
    wrong.database = "nowhere".into();
    let why = down(site.sink_at(&wrong).write(&cdrs(1..=1), NOW).await);
    assert!(why.contains("nowhere"), "{why}");
    let mut wrong = site.server();
    wrong.encryption = zajil_cdr::server::Encryption::Require;
    let why = down(site.sink_at(&wrong).write(&cdrs(1..=1), NOW).await);
    assert!(
        why.to_lowercase().contains("tls") || why.contains("SSL"),
        "{why}"
    );
    let sink = site.sink();
    site.stop().await;
    let why = down(sink.write(&cdrs(1..=1), NOW).await);
    assert!(why.contains("refused"), "{why}");
}

pub(super) async fn s12_the_pool_is_counted(site: Site) {
    let sink = site.sink();
    sink.write(&cdrs(1..=1), NOW).await.unwrap();
    sink.health().await.unwrap();
    let figures = site.telemetry.metrics.render();
    for line in [
        "ecto_pools_connected_count 1\n",
        "ecto_pools_queue_time_count 2\n",
    ] {
        assert!(figures.contains(line), "{line} in {figures}");
    }
    assert!(!figures.contains("ecto_pools_query_time_count 0\n"));
    drop(sink);
    let figures = site.telemetry.metrics.render();
    assert!(figures.contains("ecto_pools_connected_count 0\n"));
}
