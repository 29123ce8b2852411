//! The load generator against servers of its own process: counts, never timing.
#![cfg(test)]

mod frontend_server;
mod smpp;

use std::net::SocketAddr;
use std::time::Duration;

use loadgen::http::{self, Limit, Options, Rate, Scenario};
use loadgen::report::Report;

/// Starts the null server on a free port; it ends with the test's process.
fn null_server() -> String {
    url(|listener| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loadgen::null::serve(listener).await.unwrap();
        });
    })
}

/// Binds a free port, serves it on a thread and returns its URL; connecting works from now on.
fn url(serve: impl FnOnce(std::net::TcpListener) + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(listener));
    format!("http://{address}")
}

fn run(options: &Options) -> Report {
    http::run(options).unwrap()
}

fn counts(report: &Report, operation: &str) -> (u64, u64) {
    let operation = &report.operations[operation];
    (operation.count, operation.ok)
}

#[test]
fn every_submit_of_a_count_is_sent_and_answered() {
    let url = null_server();
    for scenario in [Scenario::Submit, Scenario::SubmitAsync] {
        let limit = Limit::Count(500);
        let report = run(&Options {
            connections: 8,
            limit,
            ..Options::new(scenario, &url)
        });
        assert_eq!(counts(&report, scenario.name()), (500, 500));
        assert!(report.is_clean());
    }
}

#[test]
fn several_threads_share_one_count() {
    let options = Options {
        connections: 5,
        threads: 2,
        limit: Limit::Count(101),
        server_pids: vec![std::process::id()],
        ..Options::new(Scenario::Submit, null_server())
    };
    let report = run(&options);
    assert_eq!(counts(&report, "submit"), (101, 101));
    assert!(report.server_cpu_us_per_message.is_some());
}

#[test]
fn a_rate_sends_what_it_promises() {
    let options = Options {
        connections: 4,
        rate: Rate::PerSecond(1000.0),
        limit: Limit::Duration(Duration::from_millis(200)),
        ..Options::new(Scenario::Submit, null_server())
    };
    let report = run(&options);
    let (count, ok) = counts(&report, "submit");
    assert_eq!(count, ok);
    assert_eq!(count + report.unsent, 200);
}

#[test]
fn refusals_are_counted_by_status() {
    let options = Options {
        connections: 2,
        limit: Limit::Count(10),
        body: Some(r#"{"message_body":"to nobody"}"#.to_owned()),
        ..Options::new(Scenario::Submit, null_server())
    };
    let report = run(&options);
    assert_eq!(counts(&report, "submit"), (10, 0));
    assert_eq!(report.operations["submit"].errors["422"], 10);
    assert!(!report.is_clean());
}

#[test]
fn a_life_cycle_ends_when_every_message_is_delivered() {
    let options = Options {
        connections: 4,
        deliverers: 4,
        limit: Limit::Count(300),
        page: 20,
        ..Options::new(Scenario::Lifecycle, url(frontend_server::serve))
    };
    let report = run(&options);
    assert_eq!(counts(&report, "submit"), (300, 300));
    assert_eq!(counts(&report, "mark_delivered"), (300, 300));
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_listing_longer_than_one_read_is_taken_whole() {
    let url = url(frontend_server::serve);
    run(&Options {
        limit: Limit::Count(2000),
        ..Options::new(Scenario::Submit, &url)
    });
    let list = Options::new(Scenario::List, &url);
    let report = run(&Options {
        connections: 2,
        limit: Limit::Count(20),
        page: 1000,
        ..list
    });
    assert_eq!(counts(&report, "list"), (20, 20));
}

#[test]
fn a_queue_is_drained_to_its_last_message() {
    let url = url(frontend_server::serve);
    let submit = Options {
        limit: Limit::Count(250),
        ..Options::new(Scenario::Submit, &url)
    };
    run(&submit);
    let drain = Options {
        connections: 2,
        page: 100,
        ..Options::new(Scenario::Drain, &url)
    };
    let report = run(&drain);
    assert_eq!(report.messages, 250);
    assert!(report.is_clean(), "{report}");
    assert_eq!(run(&drain).messages, 0);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let options = Options::new(Scenario::Submit, format!("http://{address}"));
    let error = http::run(&options).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("cannot connect to {address}: is the server running?")
    );
}

#[test]
fn options_that_cannot_work_are_refused_with_the_reason() {
    let url = null_server();
    let nowhere = Options::new(Scenario::Submit, url.replace("http:", "https:"));
    let error = http::run(&nowhere).unwrap_err().to_string();
    assert!(
        error.ends_with("is not of the form http://host:port"),
        "{error}"
    );
    let no_poller = Options {
        pollers: 0,
        ..Options::new(Scenario::Lifecycle, &url)
    };
    let error = http::run(&no_poller).unwrap_err().to_string();
    assert_eq!(
        error,
        "a life-cycle needs at least one poller and one deliverer"
    );
}
