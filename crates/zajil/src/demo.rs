//! The demo: a server of its own, a handset that answers late, and the life of a few messages (D2).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use crate::cli;
use crate::config::{self, Overrides};
use crate::serve::{Server, Signals};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep serving afterwards, with the handset answering, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Address of the REST API; a free port when left out.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
}

const FRONTEND: &str = "handset_sim";

/// Runs the demo on data that goes away with it.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let data = tempfile::tempdir().context("a place for the demo's data")?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let overrides = Overrides {
        data: Some(data.path().to_owned()),
        listen: Some(args.listen.unwrap_or(any_port)),
        metrics_listen: Some(any_port),
        smpp_listen: Some(any_port),
    };
    let config = config::load(None, &[], &overrides)?;
    let cdr_path = config.cdr.path.clone();
    let runtime = cli::runtime()?;
    let server = runtime.block_on(Server::start(config))?;
    let base = format!("http://{}", server.api);
    let (keep, told) = (args.keep, Told { json: args.json });
    told.server(&base, data.path())?;
    let shown = std::thread::spawn(move || show(&base, keep, told));
    if keep {
        runtime.block_on(async { anyhow::Ok(Signals::new()?.next().await) })?;
    }
    // With --keep the handset runs on until its server goes away.
    let shown = if keep { Ok(()) } else { join(shown) };
    runtime.block_on(server.stop())?;
    if !keep {
        show_cdrs(&cdr_path, told)?;
    }
    shown.map(|()| ExitCode::SUCCESS)
}

fn join(thread: std::thread::JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the demo itself failed"))?
}

/// A client of the server, as any other program would be.
struct Client {
    base: String,
    agent: ureq::Agent,
}

impl Client {
    fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .body(if body.is_null() {
                String::new()
            } else {
                body.to_string()
            })?;
        let mut response = self.agent.run(request)?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string()?;
        ensure!(status < 400, "{method} {path}: {status} {text}");
        if text.is_empty() {
            Ok(Value::Null)
        } else {
            Ok(serde_json::from_str(&text)?)
        }
    }
}

fn show(base: &str, keep: bool, told: Told) -> anyhow::Result<()> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let client = Client {
        base: base.to_owned(),
        agent,
    };
    let hello = json!({ "frontend_name": FRONTEND, "frontend_type": "HTTP" });
    client.call("POST", "/api/frontends", &hello)?;
    let route = json!({ "called_prefix": "+1555", "dest_smsc": FRONTEND, "description": "demo" });
    client.call("POST", "/api/routes", &route)?;
    let rule = json!({ "called_match": "^00(\\d+)$", "called_replace": "+\\1" });
    client.call("POST", "/api/translations", &rule)?;
    told.step(
        "a frontend registered, a route and a translation rule were added; three messages go in",
    )?;
    let mut ids = Vec::new();
    for (to, text) in [
        ("+15550000001", "Hello from Zajil"),
        ("0015550000002", "This number is translated first"),
        ("+15550000003", "The first attempt at this one fails"),
    ] {
        let body = json!({
            "source_msisdn": "Zajil", "destination_msisdn": to, "message_body": text,
            "source_smsc": "demo",
        });
        let sent = client.call("POST", "/api/messages", &body)?;
        ids.push(sent["data"]["id"].as_u64().context("an id")?);
    }
    let mut failing = ids.last().copied();
    let mut left = ids.len();
    while left > 0 {
        left -= deliver(&client, &mut failing)?;
    }
    for id in &ids {
        let log = client.call("GET", &format!("/api/events/{id}"), &Value::Null)?;
        told.life(*id, &log["data"])?;
    }
    if keep {
        told.step(&format!(
            "keeps serving at {base}; try: zajil message send --server {base} +15551234567 hi"
        ))?;
        loop {
            client.call("POST", "/api/frontends", &hello)?;
            deliver(&client, &mut None)?;
        }
    }
    Ok(())
}

/// The handset: takes what is due, and delivers all but one first attempt. Answers how many.
fn deliver(client: &Client, failing: &mut Option<u64>) -> anyhow::Result<usize> {
    let path = format!("/api/messages/queue?smsc={FRONTEND}&lease=30&wait=5");
    let due = client.call("GET", &path, &Value::Null)?;
    let mut delivered = 0;
    for message in due["data"].as_array().map_or(&[][..], Vec::as_slice) {
        let id = message["id"].as_u64().context("an id")?;
        if failing.take_if(|failing| *failing == id).is_some() {
            let report = json!({ "reason": "absent subscriber", "retry_after": 1 });
            client.call("POST", &format!("/api/messages/{id}/mark_failed"), &report)?;
            continue;
        }
        let report = json!({ "dest_smsc": FRONTEND });
        client.call(
            "POST",
            &format!("/api/messages/{id}/mark_delivered"),
            &report,
        )?;
        delivered += 1;
    }
    Ok(delivered)
}

/// How it is told what happens.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// An object a line, for programs.
    json: bool,
}

impl Told {
    fn server(self, base: &str, data: &Path) -> anyhow::Result<()> {
        self.say(json!({ "server": base, "data": data }), || {
            let data = data.display();
            format!("a server runs at {base}, its data below {data}\n")
        })
    }

    fn step(self, text: &str) -> anyhow::Result<()> {
        self.say(json!({ "step": text }), || format!("\n== {text}\n"))
    }

    fn life(self, id: u64, events: &Value) -> anyhow::Result<()> {
        self.say(json!({ "message": id, "events": events }), || {
            let lines = crate::client::events(crate::client::list(events));
            format!("\n== the life of message {id}\n{lines}")
        })
    }

    fn say(self, object: Value, human: impl Fn() -> String) -> anyhow::Result<()> {
        let text = match self.json {
            true => format!("{object}\n"),
            false => human(),
        };
        cli::say(&text).map(drop)
    }
}

/// The rows that billing would read.
fn show_cdrs(path: &Path, told: Told) -> anyhow::Result<()> {
    let head = [
        "message_id",
        "calling_number",
        "called_number",
        "dest_smsc",
        "status",
        "delivery_attempts",
    ];
    let db = rusqlite::Connection::open(path)?;
    let mut query = db.prepare(&format!("SELECT {} FROM cdrs ORDER BY id", head.join(", ")))?;
    let rows = query.query_map([], |row| {
        (0..head.len())
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    _ => "-".to_owned(),
                })
            })
            .collect::<rusqlite::Result<Vec<String>>>()
    })?;
    let rows: Vec<Vec<String>> = rows.collect::<Result<_, _>>()?;
    let object = |row: &Vec<String>| -> Value {
        let pairs = head.iter().zip(row);
        pairs
            .map(|(name, cell)| ((*name).to_owned(), json!(cell)))
            .collect()
    };
    let cdrs: Value = rows.iter().map(object).collect();
    told.say(json!({ "cdrs": cdrs }), || {
        let table = crate::table::aligned(&head, &rows);
        format!("\n== their call detail records (table cdrs, SQLite)\n{table}")
    })
}
