//! A real Prometheus watches a real server: every expression that we ship finds its series.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use zajil_telemetry::Stopwatch;
use zajil_testkit::fake::ocs::FakeOcs;

use crate::alerts::{dashboard, panels, rules, rules_path};
use crate::server::{Client, Server};

const DEADLINE: Duration = Duration::from_secs(60);

/// An instant about a year after the server's now, as late as a message may be scheduled.
fn in_a_year(client: &Client) -> String {
    let (_, status) = client.call("GET", "/api/status", &Value::Null);
    let now = status["timestamp"].as_str().unwrap();
    let (year, rest) = now.split_once('-').unwrap();
    let year: u32 = year.parse().unwrap();
    format!("{}-{}", year + 1, rest.replacen("02-29", "02-28", 1))
}

/// Panels that are empty here, and why; none are: every name is there from the start.
const EMPTY: [(&str, &str); 0] = [];

/// Who can pay.
const ACCOUNT: &str = "15550001";

/// A Prometheus of our own, on a port of its own.
struct Prometheus {
    child: Child,
    base: String,
}

impl Prometheus {
    fn start(folder: &Path, target: &str) -> Self {
        let configuration = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [rules_path()],
            "scrape_configs": [{
                "job_name": "zajil",
                "static_configs": [{"targets": [target]}],
            }],
        });
        // JSON is YAML too.
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, configuration.to_string()).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("tsdb").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log.by_ref().map(Result::unwrap).find_map(|line| {
            let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
            Some(address.trim().to_owned())
        });
        let address = address.unwrap();
        // Its pipe must not fill.
        std::thread::spawn(move || log.for_each(drop));
        Self {
            child,
            base: format!("http://{address}"),
        }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let request = ureq::get(format!("{}{path}", self.base)).query_pairs(query.iter().copied());
        let answer = request.config().http_status_as_error(false).build().call();
        let text = answer.unwrap().into_body().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The series that an expression has now, or what is wrong with it.
    fn ask(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get("/api/v1/query", &[("query", expression)]);
        match answer["data"]["result"].as_array() {
            Some(series) if answer["status"] == "success" => Ok(series.clone()),
            Some(_) | None => Err(format!("{expression}: {answer}")),
        }
    }

    /// The one number that an expression has now.
    fn number(&self, expression: &str) -> Option<f64> {
        let series = self.ask(expression).unwrap_or_default();
        series.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Waits until an expression is true, which in PromQL is: has a series.
    fn wait_for(&self, expression: &str) {
        let watch = Stopwatch::start();
        while self.ask(expression).unwrap_or_default().is_empty() {
            assert!(watch.elapsed() < DEADLINE, "never: {expression}");
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Charged by a stand-in, and with name servers that are not there.
fn start(data: &Path, ocs: &FakeOcs) -> Server {
    let url = ocs.url();
    let settings = format!(
        "[charging]\ndefault_charging_enabled = true\nocs_url = \"{url}\"\n\
         [enum]\nenum_enabled = true\nenum_domains = [\"e164.test\"]\n\
         enum_dns_servers = [\"127.0.0.1:9\"]\nenum_timeout = 500\n"
    );
    ocs.set_unlimited(ACCOUNT);
    Server::configured(data, &settings)
}

fn submit(client: &Client, to: &str) -> u64 {
    let body = json!({"source_msisdn": "+15550001", "destination_msisdn": to, "message_body": "x"});
    let (status, answer) = client.call("POST", "/api/messages", &body);
    assert_eq!(status, 201, "{answer}");
    answer["data"]["id"].as_u64().unwrap()
}

fn lease(client: &Client, frontend: &str, query: &str) -> Vec<u64> {
    let call = ("GET", format!("/api/messages?{query}"));
    let headers = [("smsc", frontend)];
    let (status, answer) = client
        .try_call((call.0, &call.1), &headers, &Value::Null)
        .unwrap();
    assert_eq!(status, 200, "{answer}");
    let list = answer["data"].as_array().unwrap().iter();
    list.map(|message| message["id"].as_u64().unwrap())
        .collect()
}

fn post(client: &Client, path: &str, body: &Value) -> u16 {
    client.call("POST", path, body).0
}

/// Messages along every path.
fn send_traffic(client: &Client) {
    for name in ["gw", "gw2"] {
        let body = json!({"frontend_name": name, "frontend_type": "smpp"});
        assert_eq!(post(client, "/api/frontends/register", &body), 201);
    }
    for route in [
        json!({"called_prefix": "+1", "dest_smsc": "gw", "fallback": ["gw2"], "weight": 100}),
        json!({"called_prefix": "+2", "auto_reply": true, "auto_reply_message": "closed"}),
        json!({"called_prefix": "+3", "drop": true}),
        json!({"called_prefix": "+4", "dest_smsc": "gw", "enum_domain": "e164.test"}),
    ] {
        assert_eq!(post(client, "/api/routes", &route), 201, "{route}");
    }
    let ids: Vec<u64> = (0..6)
        .map(|n| submit(client, &format!("+1555000{n}")))
        .collect();
    submit(client, "+25550001");
    submit(client, "+35550001");
    submit(client, "+45550001");
    let later = json!({"destination_msisdn": "+15550009", "message_body": "x",
        "source_msisdn": "+15550001", "deliver_after": in_a_year(client)});
    assert_eq!(post(client, "/api/messages", &later), 201);
    let body = json!({"destination_msisdn": "+15550008", "message_body": "x",
        "source_msisdn": "+15550001"});
    assert_eq!(post(client, "/api/messages/create_async", &body), 202);
    assert_eq!(post(client, "/api/messages", &json!({})), 422);
    let penniless = json!({"destination_msisdn": "+15550007", "message_body": "x",
        "source_msisdn": "+19990001"});
    post(client, "/api/messages", &penniless);
    let delivered = |id| format!("/api/messages/{id}/mark_delivered");
    let failed = |id| format!("/api/messages/{id}/mark_failed");
    let by = json!({"dest_smsc": "gw"});
    assert_eq!(post(client, &delivered(ids[0]), &by), 200);
    assert_eq!(post(client, &delivered(ids[0]), &by), 409, "late");
    assert_eq!(
        post(client, &failed(ids[1]), &json!({"permanent": false})),
        200
    );
    assert_eq!(
        post(client, &failed(ids[2]), &json!({"permanent": true})),
        200
    );
    // Held for a second, and again for longer by who comes after.
    let held = lease(client, "gw", "lease=1");
    assert!(held.contains(&ids[3]), "{held:?}");
    let again = lease(client, "gw", "lease=600&wait=10");
    assert!(again.contains(&ids[3]), "{again:?}");
}

#[test]
fn s12_every_expression_of_dashboard_and_rules_finds_its_series_on_a_real_server() {
    if std::env::var_os("SLOW_TESTS").is_none() {
        println!("SKIPPED: set SLOW_TESTS=1 to run it");
        return;
    }
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ocs = FakeOcs::start_blocking();
    let server = start(data.path(), &ocs);
    let target = server.metrics.trim_start_matches("http://");
    let prometheus = Prometheus::start(folder.path(), target.trim_end_matches("/metrics"));
    send_traffic(&server.client());
    prometheus.wait_for("count_over_time(zajil_build_info[5m]) >= 2");
    prometheus.wait_for("count_over_time(zajil_queue_messages{frontend=\"gw\"}[5m]) >= 2");
    prometheus.wait_for("zajil_part_ready{part=\"charging\"} == 1");
    every_panel_has_its_series(&prometheus);
    every_rule_works(&prometheus);
    the_figures_are_those_of_the_traffic(&prometheus);
    assert_eq!(server.stop(), Some(0));
}

fn every_panel_has_its_series(prometheus: &Prometheus) {
    let dashboard = dashboard();
    let mut asked = 0;
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".*");
            let series = prometheus.ask(&expression).unwrap();
            let excused = EMPTY.iter().any(|(panel, _)| *panel == title);
            assert_eq!(series.is_empty(), excused, "{title}: {expression}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

fn every_rule_works(prometheus: &Prometheus) {
    let answer = prometheus.get("/api/v1/rules", &[]);
    let groups = answer["data"]["groups"].as_array().unwrap().iter();
    let loaded: Vec<&Value> = groups
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    assert_eq!(loaded.len(), rules().len());
    for rule in loaded {
        assert_eq!(rule["health"], "ok", "{rule}");
        prometheus.ask(rule["query"].as_str().unwrap()).unwrap();
    }
}

fn the_figures_are_those_of_the_traffic(prometheus: &Prometheus) {
    for (expression, expected) in [
        ("sms_c_message_received_count", 12.0),
        ("sms_c_charging_failed_count", 1.0),
        ("zajil_auto_replies_total", 1.0),
        ("zajil_fallbacks_total", 1.0),
        ("sms_c_delivery_succeeded_count", 1.0),
        ("zajil_late_reports_total", 1.0),
        ("zajil_refusals_total{reason=\"invalid\"}", 1.0),
        ("zajil_queue_messages{frontend=\"gw2\",state=\"due\"}", 1.0),
        ("zajil_part_ready{part=\"store\"}", 1.0),
        ("zajil_part_ready{part=\"charging\"}", 1.0),
        ("zajil_part_ready{part=\"enum\"}", 0.0),
        ("ecto_pools_connected_count", 1.0),
    ] {
        let found = prometheus.number(expression);
        assert_eq!(found, Some(expected), "{expression}");
    }
    let charged = prometheus.number("sms_c_charging_succeeded_count").unwrap();
    assert!(charged >= 8.0, "{charged}");
    let asked = "sms_c_enum_lookup_stop_duration_count{success=\"false\"}";
    assert!(prometheus.number(asked).unwrap() >= 1.0);
    let returned = prometheus.number("zajil_lease_returns_total").unwrap();
    assert!(returned >= 1.0, "{returned}");
    let later = "zajil_queue_messages{frontend=\"gw\",state=\"waiting\"}";
    assert!(prometheus.number(later).unwrap() >= 1.0);
    let late = prometheus.number("sms_c_queue_oldest_message_age_seconds");
    assert!(
        late.unwrap() < 120.0,
        "what is due in a year is not late: {late:?}"
    );
}
