//! An event as JSON: the names of S2 and S8, and nothing that is not known.

use zajil_core::civil;
use zajil_core::frontend::FrontendName;
use zajil_core::number;

use super::event::{Event, Numbers};

pub(super) fn write(event: &Event, numbers: Numbers) -> String {
    let mut out = String::with_capacity(384);
    let subject = &event.subject;
    let shown = |number: &Option<Box<str>>| {
        let number = number.as_deref()?;
        Some(match numbers {
            Numbers::Full | Numbers::Octets => number.to_owned(),
            Numbers::Masked => number::end_hidden(number),
        })
    };
    let name = |name: &Option<FrontendName>| name.as_ref().map(ToString::to_string);
    let at: String = civil::rfc3339(event.at).map(char::from).iter().collect();
    integer(&mut out, "{\"id\":", Some(event.id));
    text(&mut out, ",\"time\":", Some(&at));
    text(&mut out, ",\"kind\":", Some(event.kind.as_str()));
    text(&mut out, ",\"name\":", Some(event.name));
    text(&mut out, ",\"event_source\":", Some(event.node.as_str()));
    let id = subject.message.map(|id| id.get());
    integer(&mut out, ",\"message_id\":", id);
    let (source, destination) = (shown(&subject.source), shown(&subject.destination));
    text(&mut out, ",\"source_msisdn\":", source.as_deref());
    text(&mut out, ",\"destination_msisdn\":", destination.as_deref());
    let (source_smsc, dest_smsc) = (name(&subject.source_smsc), name(&subject.dest_smsc));
    text(&mut out, ",\"source_smsc\":", source_smsc.as_deref());
    text(&mut out, ",\"dest_smsc\":", dest_smsc.as_deref());
    text(&mut out, ",\"status\":", subject.status);
    integer(
        &mut out,
        ",\"delivery_attempts\":",
        subject.attempts.map(u64::from),
    );
    integer(
        &mut out,
        ",\"message_parts\":",
        subject.parts.map(u64::from),
    );
    integer(&mut out, ",\"route_id\":", subject.route);
    text(
        &mut out,
        ",\"frontend_name\":",
        name(&subject.frontend).as_deref(),
    );
    integer(&mut out, ",\"count\":", subject.count);
    text(
        &mut out,
        ",\"description\":",
        subject.description.as_deref(),
    );
    if let Some(wire) = &subject.wire {
        text(&mut out, ",\"command\":", Some(&wire.command));
        text(&mut out, ",\"command_status\":", Some(&wire.status));
        integer(
            &mut out,
            ",\"sequence_number\":",
            Some(wire.sequence.into()),
        );
        text(&mut out, ",\"fields\":", Some(&wire.fields));
        let hex = wire.hex.as_deref().filter(|_| numbers == Numbers::Octets);
        text(&mut out, ",\"hex\":", hex);
    }
    out.push('}');
    out
}

fn integer(out: &mut String, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        out.push_str(key);
        out.push_str(&value.to_string());
    }
}

fn text(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push_str(key);
        out.push_str(&serde_json::Value::from(value).to_string());
    }
}
