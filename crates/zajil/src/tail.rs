//! `zajil tail`: the live stream of a server, line by line, for as long as anybody wants.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::{FAILED, UNREACHABLE, complain};
use crate::client::encoded;
use crate::client::{Lines, Remote, cell};

/// A connection that has died without a word is given up by then. Coming back costs nothing: the
/// server knows from the last id where to go on.
const LONGEST: Duration = Duration::from_secs(60);
/// The wait after the first failure; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What is printed of it.
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only these kinds: message, frontend, route, cdr, node; with commas. With wire, the PDUs of
    /// one frontend or number.
    #[arg(long)]
    kind: Option<String>,
    /// Only events of these names; with commas.
    #[arg(long)]
    name: Option<String>,
    /// Only about this frontend, and messages from it or for it.
    #[arg(long)]
    frontend: Option<String>,
    /// Only messages from this number or to it.
    #[arg(long)]
    number: Option<String>,
    /// Only this message.
    #[arg(long)]
    message_id: Option<u64>,
    /// Only messages that this route took.
    #[arg(long)]
    route: Option<u64>,
    /// Hide the last four digits of numbers.
    #[arg(long)]
    masked: bool,
    /// Show the octets of PDUs, texts and numbers among them; for administrators.
    #[arg(long, conflicts_with = "masked")]
    hex: bool,
    /// Go on after this event.
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

impl TailArgs {
    fn path(&self, after: Option<u64>) -> String {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let pairs = [
            ("kind", self.kind.clone()),
            ("name", self.name.clone()),
            ("frontend", self.frontend.clone()),
            ("number", self.number.clone()),
            ("message_id", number(self.message_id)),
            ("route", number(self.route)),
            ("last_event_id", number(after)),
        ];
        let mut path = format!("/api/stream?masked={}&hex={}", self.masked, self.hex);
        for (name, value) in pairs {
            if let Some(value) = value {
                path += &format!("&{name}={}", encoded(&value));
            }
        }
        path
    }
}

/// What became of a connection.
enum Ended {
    /// Nobody reads what we print.
    Unread,
    /// It worked for a while.
    Worked,
    /// The server did not answer, or has no place for us now.
    Away(String),
    /// The server does not take the question.
    Refused(String),
}

/// Prints events until the reader of the output goes away, or the server refuses.
pub(crate) fn run(server: &Remote, args: &TailArgs) -> anyhow::Result<ExitCode> {
    let mut after = args.after;
    let (mut wait, mut worked) = (FIRST_WAIT, false);
    loop {
        match follow(server, args, &mut after)? {
            Ended::Unread => return Ok(ExitCode::SUCCESS),
            Ended::Worked => {
                worked = true;
                wait = FIRST_WAIT;
            }
            Ended::Refused(why) => {
                complain(&why);
                return Ok(ExitCode::from(FAILED));
            }
            Ended::Away(why) if !worked => {
                complain(&why);
                return Ok(ExitCode::from(UNREACHABLE));
            }
            Ended::Away(why) => {
                complain(&format!("{why}; trying again"));
                std::thread::sleep(wait);
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// One connection, to its end.
fn follow(server: &Remote, args: &TailArgs, after: &mut Option<u64>) -> anyhow::Result<Ended> {
    let (status, lines) = match server.open(&args.path(*after), LONGEST) {
        Ok(opened) => opened,
        Err(error) => return Ok(Ended::Away(format!("{error:#}"))),
    };
    if status != 200 {
        let why = refusal(lines);
        return Ok(match status {
            429 | 503 => Ended::Away(why),
            _ => Ended::Refused(why),
        });
    }
    let mut name = String::new();
    // A line that cannot be read is the end of the connection.
    for line in lines.lines().map_while(Result::ok) {
        if let Some(id) = line.strip_prefix("id: ") {
            *after = id.parse().ok().or(*after);
        } else if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ")
            && !print(server, &name, data)?
        {
            return Ok(Ended::Unread);
        }
    }
    Ok(Ended::Worked)
}

fn refusal(lines: Lines) -> String {
    let text: String = lines.lines().map_while(Result::ok).collect();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let detail = body.pointer("/errors/detail").and_then(Value::as_str);
    let detail = detail.unwrap_or("the server refused without saying why");
    detail.to_owned()
}

/// Prints an event; `false` when nobody reads it.
fn print(server: &Remote, name: &str, data: &str) -> anyhow::Result<bool> {
    if server.shows_json() {
        return told(data);
    }
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    if name == "gap" {
        let [after, next] = ["after", "next"].map(|end| cell(&event[end]));
        complain(&format!(
            "events between {after} and {next} are not kept any more"
        ));
        return Ok(true);
    }
    told(&line(&event))
}

fn told(line: &str) -> anyhow::Result<bool> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Time, name, and what else there is, as `key=value`.
fn line(event: &Value) -> String {
    let mut line = format!("{} {}", cell(&event["time"]), cell(&event["name"]));
    let fields = event.as_object().into_iter().flatten();
    for (name, value) in fields {
        if !["id", "time", "kind", "name", "event_source"].contains(&name.as_str()) {
            let value = match value {
                Value::String(text) if text.contains(' ') => format!("{text:?}"),
                other => cell(other),
            };
            line.push_str(&format!(" {name}={value}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_what_and_of_which() {
        let event = json!({
            "id": 7, "time": "2026-01-01T00:00:00.000Z", "kind": "frontend",
            "name": "frontend_paused",
            "event_source": "n1", "frontend_name": "gw", "description": "night works",
        });
        assert_eq!(
            line(&event),
            "2026-01-01T00:00:00.000Z frontend_paused description=\"night works\" frontend_name=gw"
        );
    }
}
