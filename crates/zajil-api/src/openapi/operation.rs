//! One page's description: parameters, body, answers, refusals, links, examples.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::schema::{self, Described, Schema, Uses};
use crate::problem::{ErrorBody, Problem};

const REQUEST_ID: &str = "x-request-id";
const REASON: &str = "x-reason";
const RETRY_AFTER: &str = "retry-after";

/// Every status of a refusal.
const REFUSALS: &[(u16, &str)] = &[
    (400, "The request cannot be read."),
    (
        401,
        "Who calls is not known: no key, token or certificate, or none that is valid.",
    ),
    (403, "The caller may not do this, or not from there."),
    (404, "There is no such record."),
    (
        409,
        "The message has ended, or is with another frontend by now; nothing was changed.",
    ),
    (413, "The body is larger than the configuration allows."),
    (
        422,
        "A field breaks a rule, or the request contradicts what is stored; the detail says which.",
    ),
    (
        429,
        "More calls than are allowed; `retry-after` says when to come back.",
    ),
    (500, "A bug on our side, logged and counted."),
    (
        503,
        "Too busy, stopping, or without its store: the same request may succeed later.",
    ),
];

/// What a page does. Refusals that follow from its shape (an id in the path, a query string, a
/// body) are added by themselves; [`Operation::refuses`] names the others.
#[derive(Debug)]
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    detail: Option<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
    refusals: Vec<u16>,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Parameter {
    place: &'static str,
    name: &'static str,
    says: &'static str,
    schema: Schema,
    required: bool,
    example: Option<Value>,
}

#[derive(Debug)]
struct Body {
    required: bool,
    schema: Schema,
    examples: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    says: &'static str,
    media: &'static str,
    schema: Option<Schema>,
}

/// Where what an answer holds leads to.
#[derive(Debug)]
struct Link {
    to: &'static str,
    parameter: &'static str,
    pointer: &'static str,
}

impl Operation {
    /// A page under the name that generated clients give its function.
    pub(crate) fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            detail: None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            links: Vec::new(),
        }
    }

    /// More than the summary says, in Markdown.
    pub(crate) fn detail(mut self, text: &'static str) -> Self {
        self.detail = Some(text);
        self
    }

    /// The parameter of the path, with an example that the tests use.
    pub(crate) fn path(mut self, name: &'static str, schema: Schema, example: &str) -> Self {
        self.parameters.push(Parameter {
            place: "path",
            name,
            says: "",
            schema,
            required: true,
            example: Some(json!(example)),
        });
        self
    }

    /// A parameter of the query string.
    pub(crate) fn query(mut self, name: &'static str, schema: Schema, says: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "query",
            name,
            says,
            schema,
            required: false,
            example: None,
        });
        self
    }

    /// A parameter of the query string that must be there, with an example that the tests use.
    pub(crate) fn needed_query(
        mut self,
        name: &'static str,
        schema: Schema,
        example: &str,
    ) -> Self {
        self.parameters.push(Parameter {
            place: "query",
            name,
            says: "",
            schema,
            required: true,
            example: Some(json!(example)),
        });
        self
    }

    /// A header.
    pub(crate) fn header(mut self, name: &'static str, schema: Schema, says: &'static str) -> Self {
        self.parameters.push(Parameter {
            place: "header",
            name,
            says,
            schema,
            required: false,
            example: None,
        });
        self
    }

    /// The body, with an example that the tests send.
    pub(crate) fn body<T: Described>(self, example: Value) -> Self {
        self.body_of(schema::of::<T>(), true, example)
    }

    /// The body, which may be left out, with an example that the tests send.
    pub(crate) fn optional_body<T: Described>(self, example: Value) -> Self {
        self.body_of(schema::of::<T>(), false, example)
    }

    fn body_of(mut self, schema: Schema, required: bool, example: Value) -> Self {
        self.body = Some(Body {
            required,
            schema,
            examples: vec![("example", example)],
        });
        self
    }

    /// One more example of the body, which the tests send too.
    pub(crate) fn example(mut self, name: &'static str, example: Value) -> Self {
        if let Some(body) = &mut self.body {
            body.examples.push((name, example));
        }
        self
    }

    /// A success with a JSON body.
    pub(crate) fn answer(mut self, status: StatusCode, says: &'static str, of: Schema) -> Self {
        self.answers.push(Answer {
            status: status.as_u16(),
            says,
            media: "application/json",
            schema: Some(of),
        });
        self
    }

    /// A success with a body of another kind.
    pub(crate) fn answer_as(mut self, media: &'static str, says: &'static str) -> Self {
        self.answers.push(Answer {
            status: 200,
            says,
            media,
            schema: Some(schema::shown::text()),
        });
        self
    }

    /// A success without a body.
    pub(crate) fn empty(mut self, says: &'static str) -> Self {
        self.answers.push(Answer {
            status: 204,
            says,
            media: "",
            schema: None,
        });
        self
    }

    /// A refusal that its shape does not tell.
    pub(crate) fn refuses(mut self, status: u16) -> Self {
        self.refusals.push(status);
        self
    }

    /// The value at a pointer in the answer is that parameter of another page.
    pub(crate) fn leads_to(
        mut self,
        to: &'static str,
        parameter: &'static str,
        pointer: &'static str,
    ) -> Self {
        self.links.push(Link {
            to,
            parameter,
            pointer,
        });
        self
    }

    /// Collects the named schemas that it refers to.
    pub(crate) fn components(&self, uses: &mut Uses) {
        let parameters = self.parameters.iter().map(|parameter| &parameter.schema);
        let body = self.body.iter().map(|body| &body.schema);
        let answers = self.answers.iter().filter_map(|a| a.schema.as_ref());
        for schema in parameters.chain(body).chain(answers) {
            uses.append(&mut schema.clone().into_parts().1);
        }
    }

    /// The statuses of its refusals, in order.
    fn refused_with(&self) -> Vec<u16> {
        let mut all = vec![401, 403, 429, 500, 503];
        let places = |place| self.parameters.iter().any(|p| p.place == place);
        if places("path") {
            all.extend([400, 404]);
        }
        if places("query") || places("header") {
            all.extend([400, 422]);
        }
        if self.body.is_some() {
            all.extend([400, 413, 422]);
        }
        all.extend(&self.refusals);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The JSON of the operation object.
    pub(crate) fn into_value(self, tag: &str) -> Value {
        let refusals = self.refused_with();
        let mut value = Map::new();
        value.insert("operationId".to_owned(), json!(self.id));
        value.insert("summary".to_owned(), json!(self.summary));
        value.insert("tags".to_owned(), json!([tag]));
        if let Some(detail) = self.detail {
            value.insert("description".to_owned(), json!(detail));
        }
        if !self.parameters.is_empty() {
            let parameters = self.parameters.into_iter().map(Parameter::into_value);
            value.insert("parameters".to_owned(), parameters.collect());
        }
        if let Some(body) = self.body {
            value.insert("requestBody".to_owned(), body.into_value());
        }
        let mut responses = Map::new();
        for answer in self.answers {
            let status = answer.status.to_string();
            responses.insert(status, answer.into_value(&self.links));
        }
        for status in refusals {
            let reference = format!("#/components/responses/{status}");
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
        value.insert("responses".to_owned(), Value::Object(responses));
        Value::Object(value)
    }
}

impl Parameter {
    fn into_value(self) -> Value {
        let mut value = Map::new();
        value.insert("name".to_owned(), json!(self.name));
        value.insert("in".to_owned(), json!(self.place));
        value.insert("schema".to_owned(), self.schema.into_parts().0);
        if self.required {
            value.insert("required".to_owned(), json!(true));
        }
        if !self.says.is_empty() {
            value.insert("description".to_owned(), json!(self.says));
        }
        if let Some(example) = self.example {
            value.insert("example".to_owned(), example);
        }
        Value::Object(value)
    }
}

impl Body {
    fn into_value(self) -> Value {
        let examples = self.examples.into_iter();
        let examples: Map<_, _> = examples
            .map(|(name, value)| (name.to_owned(), json!({ "value": value })))
            .collect();
        let schema = self.schema.into_parts().0;
        json!({
            "required": self.required,
            "content": { "application/json": { "schema": schema, "examples": examples } },
        })
    }
}

impl Answer {
    fn into_value(self, links: &[Link]) -> Value {
        let mut value = json!({ "description": self.says, "headers": header_of(REQUEST_ID) });
        let Some(fields) = value.as_object_mut() else {
            return value;
        };
        if let Some(schema) = self.schema {
            let schema = schema.into_parts().0;
            let content = json!({ self.media: { "schema": schema } });
            fields.insert("content".to_owned(), content);
            if !links.is_empty() {
                let links = links.iter().map(|link| {
                    let pointer = format!("$response.body#{}", link.pointer);
                    let value = json!({
                        "operationId": link.to, "parameters": { link.parameter: pointer },
                    });
                    (link.to.to_owned(), value)
                });
                fields.insert("links".to_owned(), Value::Object(links.collect()));
            }
        }
        value
    }
}

fn header_of(name: &str) -> Value {
    json!({ name: { "$ref": format!("#/components/headers/{name}") } })
}

/// The headers that answers share.
pub(crate) fn headers() -> Value {
    let text = || json!({ "type": "string" });
    json!({
        REQUEST_ID: {
            "description": "The client's `x-request-id` if it can stand in a log line, or ours.",
            "schema": text(),
        },
        REASON: {
            "description": "The stable code of the reason: a page of the manual each.",
            "schema": text(),
        },
        RETRY_AFTER: {
            "description": "Seconds after which to try again.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

/// The answers to refused requests, by status.
pub(crate) fn refusals() -> Value {
    let all = REFUSALS.iter().map(|(status, says)| {
        let mut headers = Map::new();
        let retried = matches!(status, 429 | 503).then_some(RETRY_AFTER);
        for name in [REQUEST_ID, REASON].into_iter().chain(retried) {
            let reference = json!({ "$ref": format!("#/components/headers/{name}") });
            headers.insert(name.to_owned(), reference);
        }
        let media = |schema: Schema| json!({ "schema": schema.into_parts().0 });
        let value = json!({
            "description": says,
            "headers": headers,
            "content": {
                "application/json": media(schema::of::<ErrorBody>()),
                "application/problem+json": media(schema::of::<Problem<'_>>()),
            },
        });
        (status.to_string(), value)
    });
    Value::Object(all.collect())
}

/// The named schemas of refusals.
pub(crate) fn everywhere() -> Uses {
    let mut uses = schema::of::<ErrorBody>().into_parts().1;
    uses.append(&mut schema::of::<Problem<'_>>().into_parts().1);
    uses
}
