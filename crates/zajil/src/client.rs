//! Commands that talk to a running server over its REST API.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use zajil_core::status::Status;

use crate::cli::{FAILED, UNREACHABLE, complain, say};
use crate::table::aligned;

pub(crate) mod trust;

/// What is shown of messages.
const MESSAGES: [&str; 6] = [
    "id",
    "status",
    "source_msisdn",
    "destination_msisdn",
    "dest_smsc",
    "inserted_at",
];
/// What is shown of messages for later.
const SCHEDULED: [&str; 6] = [
    "id",
    "deliver_after",
    "source_msisdn",
    "destination_msisdn",
    "dest_smsc",
    "expires",
];
/// How long a server may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// Which server, and how its answers are shown.
#[derive(Clone, Args)]
pub(crate) struct Remote {
    /// The server.
    #[arg(
        long,
        global = true,
        env = "ZAJIL_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    server: String,
    /// An API key or bearer token.
    #[arg(long, global = true, env = "ZAJIL_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Trust the certificates of this file (PEM), in place of the system's.
    #[arg(long, global = true, env = "ZAJIL_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate (PEM) for servers that ask for one.
    #[arg(
        long,
        global = true,
        env = "ZAJIL_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    client_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, global = true, env = "ZAJIL_CERT_KEY", value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// Print the API's JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// Send a message.
    Send {
        /// Recipient.
        to: String,
        /// Text.
        text: String,
        /// Sender.
        #[arg(long)]
        from: Option<String>,
        /// Frontend that must deliver it.
        #[arg(long)]
        dest_smsc: Option<String>,
        /// Not before this time (RFC 3339).
        #[arg(long)]
        deliver_after: Option<String>,
    },
    /// List messages, newest first.
    List {
        /// Only those that wait for the time they were sent for, not for another attempt.
        #[arg(long, conflicts_with = "status")]
        scheduled: bool,
        /// Only this status.
        #[arg(long, value_parser = Status::ALL.map(Status::as_str))]
        status: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a message and its event log.
    Show {
        /// Its id.
        id: u64,
    },
    /// Say why a message is where it is, and what to do about it.
    Why {
        /// Its id.
        id: u64,
    },
    /// Make a pending message due now.
    Retry {
        /// Its id.
        id: u64,
    },
    /// Submit a message that has ended again, as another one.
    Requeue {
        /// Its id.
        id: u64,
    },
    /// End a message that waits, scheduled or not; it stays, as failed, and has its CDR.
    Cancel {
        /// Its id.
        id: u64,
        /// Why, for its log.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a message; a pending one ends as failed, with its CDR.
    Remove {
        /// Its id.
        id: u64,
    },
}

/// An answer that is read line by line.
pub(crate) type Lines = BufReader<ureq::BodyReader<'static>>;

/// An answer of the server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Without the key.
impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// Its address.
    pub(crate) fn base(&self) -> &str {
        &self.server
    }

    /// The server at this address.
    pub(crate) fn at(server: String, json: bool) -> Self {
        Self {
            server,
            api_key: None,
            ca: None,
            client_cert: None,
            client_key: None,
            json,
        }
    }

    /// With a key, and an authority to trust.
    pub(crate) fn with(self, api_key: Option<String>, ca: Option<PathBuf>) -> Self {
        Self {
            api_key,
            ca,
            ..self
        }
    }

    /// Asks for a page.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call("GET", path, None)
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWERS_WITHIN));
        let mut response = self.ask(config, (method, path), body)?;
        let text = response.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer {
            status: response.status().as_u16(),
            body,
        })
    }

    /// Opens a page that is read as it comes, for so long at the most; its status, and its lines.
    pub(crate) fn open(&self, path: &str, longest: Duration) -> anyhow::Result<(u16, Lines)> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(ANSWERS_WITHIN))
            .timeout_recv_response(Some(ANSWERS_WITHIN))
            .timeout_recv_body(Some(longest));
        let response = self.ask(config, ("GET", path), None)?;
        let status = response.status().as_u16();
        Ok((status, BufReader::new(response.into_body().into_reader())))
    }

    fn ask(
        &self,
        config: ConfigBuilder<AgentScope>,
        (method, path): (&str, &str),
        body: Option<&Value>,
    ) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let mut config = config.http_status_as_error(false);
        if url.starts_with("https:") {
            let client = self.client_cert.as_ref().zip(self.client_key.as_ref());
            config = config.tls_config(trust::tls(self.ca.as_ref(), client)?);
        }
        let agent: ureq::Agent = config.build().into();
        let text = body.map(ToString::to_string).unwrap_or_default();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(&url)
            .header("content-type", "application/json");
        if let Some(key) = &self.api_key {
            request = request.header("authorization", format!("Bearer {}", key.trim()));
        }
        let request = request
            .body(text)
            .with_context(|| format!("server address {}", self.server))?;
        Ok(agent.run(request)?)
    }

    /// Whether answers are to be shown as they come.
    pub(crate) fn shows_json(&self) -> bool {
        self.json
    }

    /// Calls, and shows the answer: as JSON, or as `human` makes it.
    pub(crate) fn show(
        &self,
        (method, path): (&str, &str),
        body: Option<&Value>,
        human: impl Fn(&Value) -> String,
    ) -> anyhow::Result<ExitCode> {
        let answer = match self.call(method, path, body) {
            Ok(answer) => answer,
            Err(error) => {
                complain(&format!("{}: {error:#}", self.server));
                return Ok(ExitCode::from(UNREACHABLE));
            }
        };
        let failed = answer.status >= 400;
        if self.json {
            say(&format!("{:#}\n", answer.body))?;
        } else if failed {
            let detail = answer
                .body
                .pointer("/errors/detail")
                .and_then(Value::as_str);
            complain(detail.unwrap_or("the server refused without saying why"));
        } else {
            say(&human(&answer.body["data"]))?;
        }
        Ok(if failed {
            ExitCode::from(FAILED)
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// A message and its log; as JSON one document, the log in `events` of `data`.
fn shown(server: &Remote, id: u64) -> anyhow::Result<ExitCode> {
    let message = format!("/api/messages/{id}");
    let log = format!("/api/events/{id}");
    if !server.json {
        let code = server.show(("GET", &message), None, fields)?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        return server.show(("GET", &log), None, |data| events(list(data)));
    }
    let both = server.call("GET", &message, None).and_then(|message| {
        let log = server.call("GET", &log, None)?;
        Ok((message, log))
    });
    let (mut message, log) = match both {
        Ok(both) => both,
        Err(error) => {
            complain(&format!("{}: {error:#}", server.server));
            return Ok(ExitCode::from(UNREACHABLE));
        }
    };
    if let Some(data) = message.body["data"].as_object_mut() {
        data.insert("events".to_owned(), log.body["data"].clone());
    }
    say(&format!("{:#}\n", message.body))?;
    Ok(if message.status >= 400 {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Runs `zajil message …`.
pub(crate) fn message(server: &Remote, command: MessageCommand) -> anyhow::Result<ExitCode> {
    let one = |data: &Value| rows(std::slice::from_ref(data), &MESSAGES);
    match command {
        MessageCommand::Send {
            to,
            text,
            from,
            dest_smsc,
            deliver_after,
        } => {
            let body = present(json!({
                "destination_msisdn": to,
                "message_body": text,
                "source_msisdn": from,
                "source_smsc": "cli",
                "dest_smsc": dest_smsc,
                "deliver_after": deliver_after,
            }));
            server.show(("POST", "/api/messages"), Some(&body), one)
        }
        MessageCommand::List {
            scheduled,
            status,
            limit,
        } => {
            let status = status
                .map(|status| format!("&status={status}"))
                .unwrap_or_default();
            let path = format!("/api/messages?limit={limit}{status}&scheduled={scheduled}");
            let columns = if scheduled { SCHEDULED } else { MESSAGES };
            server.show(("GET", &path), None, |data| rows(list(data), &columns))
        }
        MessageCommand::Show { id } => shown(server, id),
        MessageCommand::Why { id } => why(server, id),
        MessageCommand::Retry { id } => {
            let body = json!({ "deliver_after": null });
            server.show(("PATCH", &format!("/api/messages/{id}")), Some(&body), one)
        }
        MessageCommand::Requeue { id } => {
            let path = format!("/api/messages/{id}/requeue");
            server.show(("POST", &path), None, one)
        }
        MessageCommand::Cancel { id, reason } => {
            let body = present(json!({ "reason": reason }));
            let path = format!("/api/messages/{id}/cancel");
            server.show(("POST", &path), Some(&body), one)
        }
        MessageCommand::Remove { id } => {
            let path = format!("/api/messages/{id}");
            server.show(("DELETE", &path), None, |_| {
                format!("message {id} removed\n")
            })
        }
    }
}

/// Runs `zajil message why`.
pub(crate) fn why(server: &Remote, id: u64) -> anyhow::Result<ExitCode> {
    let path = format!("/api/diagnose/{id}");
    server.show(("GET", &path), None, findings)
}

/// A sentence a line, and below it what to do.
fn findings(data: &Value) -> String {
    let status = match data["status"].as_str() {
        Some(status) => format!("is {status}"),
        None => "is not here".to_owned(),
    };
    let mut text = format!("message {} {status}\n", cell(&data["message_id"]));
    for finding in list(&data["findings"]) {
        text.push_str(&format!("- {}\n", cell(&finding["sentence"])));
        if let Some(remedy) = finding["remedy"].as_str() {
            text.push_str(&format!("    > {remedy}\n"));
        }
    }
    text
}

/// The object without its nulls: what was not said is not sent.
pub(crate) fn present(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

pub(crate) fn list(data: &Value) -> &[Value] {
    data.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn rows(items: &[Value], keys: &[&str]) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| keys.iter().map(|key| cell(&item[*key])).collect())
        .collect();
    aligned(keys, &rows)
}

/// A text as a piece of a URL: all but the unreserved characters of RFC 3986 is escaped.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|b| match plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

/// The lines of an event log.
pub(crate) fn events(items: &[Value]) -> String {
    rows(
        items,
        &["event_epoch", "name", "description", "event_source"],
    )
}

fn fields(item: &Value) -> String {
    let Some(fields) = item.as_object() else {
        return format!("{item:#}\n");
    };
    let mut shown: Vec<Vec<String>> = fields
        .iter()
        .filter(|(name, value)| !value.is_null() && *name != "joined")
        .map(|(name, value)| vec![name.clone(), cell(value)])
        .collect();
    if let Some(joined) = fields.get("joined") {
        shown.extend(joined_rows(joined));
    }
    aligned(&["field", "value"], &shown) + "\n"
}

/// The text that a message is a part of: how much of it is there, what it says, and where.
fn joined_rows(joined: &Value) -> [Vec<String>; 3] {
    let [present, total] = ["parts_present", "parts_total"].map(|name| cell(&joined[name]));
    let part = |part: &Value| {
        let [number, id] = ["message_part_number", "id"].map(|name| cell(&part[name]));
        format!("{number}: {id}")
    };
    let parts: Vec<String> = list(&joined["parts"]).iter().map(part).collect();
    [
        ("joined", format!("{present} of {total} parts")),
        ("joined.message_body", cell(&joined["message_body"])),
        ("joined.parts", parts.join(", ")),
    ]
    .map(|(name, value)| vec![name.to_owned(), value])
}
