//! Every answer of every test is compared with what the description of the API says of it.

use std::sync::LazyLock;

use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&zajil_api::openapi_json()).unwrap());

/// An answer as it came.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) media: Option<&'a str>,
    pub(crate) headers: &'a axum::http::HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Panics if the answer to this request is not described so.
pub(crate) fn check(verb: &str, uri: &str, answer: &Answer<'_>) {
    let path = uri.split('?').next().unwrap();
    // HEAD is not described: it is GET without a body, and leases nothing.
    if verb == "HEAD" {
        return;
    }
    let Some(operation) = operation(verb, path) else {
        assert!(
            matches!(answer.status, 403..=405),
            "{verb} {uri}: {} undescribed",
            answer.status
        );
        return;
    };
    let described = &operation["responses"][answer.status.to_string()];
    assert!(
        described.is_object(),
        "{verb} {uri}: {} is not described",
        answer.status
    );
    let described = resolved(described);
    if let Some(headers) = described["headers"].as_object() {
        for name in headers.keys() {
            assert!(
                answer.headers.contains_key(name.as_str()),
                "{verb} {uri}: no {name}"
            );
        }
    }
    let Some(media) = answer.media else {
        assert!(
            described["content"].is_null() || answer.body.is_empty(),
            "{verb} {uri}: no body"
        );
        return;
    };
    let kind = media.split(';').next().unwrap();
    let content = &described["content"][kind];
    assert!(
        content.is_object(),
        "{verb} {uri}: {media} is not described"
    );
    if kind.ends_with("json") && !answer.body.is_empty() {
        let value: Value = serde_json::from_slice(answer.body).unwrap();
        if let Err(why) = fits(&value, &content["schema"], Others::Refused) {
            panic!("{verb} {uri}: {}{why}\n{value}", answer.status);
        }
    }
}

/// Panics if a request body that was taken does not fit its schema.
pub(crate) fn check_taken(verb: &str, uri: &str, body: &[u8]) {
    let Some(operation) = operation(verb, uri.split('?').next().unwrap()) else {
        return;
    };
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() || body.trim_ascii().is_empty() {
        return;
    }
    // Numbers beyond all bounds are JSON, but no value here.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    if let Err(why) = fits(&value, schema, Others::Ignored) {
        panic!("{verb} {uri} took what the description forbids: {why}\n{value}");
    }
}

/// Every operation: its verb, its path and what is said of it.
pub(crate) fn operations() -> impl Iterator<Item = (String, String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, verbs)| {
        let verbs = verbs.as_object().unwrap().iter();
        verbs.map(|(verb, operation)| (verb.to_ascii_uppercase(), path.clone(), operation))
    })
}

fn operation(verb: &str, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (mut said, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (said.next(), given.next()) {
                (None, None) => return true,
                (Some(said), Some(given)) if said == given => {}
                (Some(said), Some(given)) if said.starts_with('{') && !given.is_empty() => {}
                _ => return false,
            }
        }
    };
    // A path without parameters goes before one with them, as in the router.
    let found = paths.get(path).or_else(|| {
        let fitting = paths.iter().filter(|(template, _)| fits(template));
        fitting
            .max_by_key(|(template, _)| template.split('{').next().unwrap().len())
            .map(|(_, v)| v)
    })?;
    found.get(verb.to_ascii_lowercase())
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(to) => DOCUMENT.pointer(to.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

/// What members are that a schema does not describe.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    /// In requests (S2.1).
    Ignored,
    /// In answers.
    Refused,
}

/// Compares with the keywords that our schemas use.
fn fits(value: &Value, schema: &'static Value, others: Others) -> Result<(), String> {
    let schema = resolved(schema);
    let wrong = |what: &str| Err(format!(": {value} {what} {schema}"));
    if let Some(kinds) = schema.get("type") {
        let kind = |kind: &Value| match kind.as_str().unwrap() {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "array" => value.is_array(),
            _ => value.is_object(),
        };
        if !kinds
            .as_array()
            .map_or_else(|| kind(kinds), |kinds| kinds.iter().any(kind))
        {
            return wrong("is not of the type of");
        }
    }
    let allowed = schema["enum"]
        .as_array()
        .is_none_or(|words| words.contains(value))
        && schema.get("const").is_none_or(|only| only == value);
    if !allowed {
        return wrong("is not among");
    }
    if let Some(any) = schema["anyOf"].as_array()
        && !any.iter().any(|schema| fits(value, schema, others).is_ok())
    {
        return wrong("fits none of");
    }
    match value {
        Value::String(text) if !text_fits(text, schema) => wrong("is a text unlike"),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let low = schema["minimum"]
                .as_f64()
                .is_some_and(|least| number < least);
            let high = schema["maximum"].as_f64().is_some_and(|most| number > most);
            if low || high {
                wrong("is out of the range of")
            } else {
                Ok(())
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            fits(item, &schema["items"], others).map_err(|why| format!("[{at}]{why}"))
        }),
        Value::Object(members) => members_fit(members, schema, others),
        _ => Ok(()),
    }
}

fn members_fit(
    members: &serde_json::Map<String, Value>,
    schema: &'static Value,
    others: Others,
) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            return Err(format!(": {name} is missing"));
        }
    }
    for (name, member) in members {
        let known = schema["properties"]
            .get(name)
            .or(schema.get("additionalProperties"));
        match known.filter(|known| known.is_object()) {
            Some(schema) => {
                fits(member, schema, others).map_err(|why| format!(".{name}{why}"))?;
            }
            None if others == Others::Refused && schema["properties"].is_object() => {
                return Err(format!(": {name} is not described"));
            }
            None => {}
        }
    }
    Ok(())
}

fn text_fits(text: &str, schema: &Value) -> bool {
    let length = u64::try_from(text.chars().count()).unwrap();
    let long = schema["maxLength"]
        .as_u64()
        .is_some_and(|most| length > most);
    let short = schema["minLength"]
        .as_u64()
        .is_some_and(|least| length < least);
    let time = schema["format"] == "date-time";
    !long && !short && (!time || text.len() >= 16 && text.contains('T'))
}
