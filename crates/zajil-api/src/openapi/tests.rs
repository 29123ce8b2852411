//! Schemas name the fields that are read; references and links lead somewhere.

use std::collections::BTreeSet;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor, value};
use serde_json::Value;

use super::schema::Described;
use crate::dto::batch::{BatchIn, BatchReportIn};
use crate::dto::bulk::{BulkIn, FilterIn};
use crate::dto::edit::Patch;
use crate::dto::event::NewEvent;
use crate::dto::frontend::RegistrationIn;
use crate::dto::key::KeyIn;
use crate::dto::location::SightingIn;
use crate::dto::mms::MmsIn;
use crate::dto::policy::{PauseIn, RetryIn};
use crate::dto::raw::Raw;
use crate::dto::report::{Cancel, Delivered, Failed};
use crate::dto::route::RouteIn;
use crate::dto::rule::RuleIn;
use crate::dto::simulation::QuestionIn;
use crate::dto::smpp_account::AccountIn;
use crate::dto::smpp_carrier::CarrierIn;
use crate::dto::ss7::Ss7EventIn;
use crate::dto::submit::Submit;
use crate::dto::webhook::{ReplayIn, WebhookIn};
use crate::router;

/// Asks a type which fields it reads, and gives it none.
struct Asked<'a>(&'a mut BTreeSet<String>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, value::Error> {
        self.0
            .extend(fields.iter().map(|field| (*field).to_owned()));
        Err(value::Error::custom("that was all"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn check<T: Described + Deserialize<'static>>() {
    let mut read = BTreeSet::new();
    let nothing = T::deserialize(Asked(&mut read));
    assert!(nothing.is_err() && !read.is_empty(), "{}", T::NAME);
    let (schema, _) = T::schema().into_parts();
    let said = schema["properties"].as_object().unwrap();
    let said: BTreeSet<_> = said.keys().cloned().collect();
    assert_eq!(said, read, "{}", T::NAME);
}

#[test]
fn every_field_that_is_read_is_described_and_none_besides() {
    check::<Submit<'_>>();
    check::<Raw<'_>>();
    check::<Patch<'_>>();
    check::<Delivered<'_>>();
    check::<Cancel<'_>>();
    check::<KeyIn<'_>>();
    check::<WebhookIn<'_>>();
    check::<ReplayIn<'_>>();
    check::<MmsIn<'_>>();
    check::<Ss7EventIn<'_>>();
    check::<BatchIn<'_>>();
    check::<BatchReportIn<'_>>();
    check::<Failed<'_>>();
    check::<BulkIn<'_>>();
    check::<FilterIn<'_>>();
    check::<NewEvent<'_>>();
    check::<RegistrationIn<'_>>();
    check::<SightingIn<'_>>();
    check::<AccountIn<'_>>();
    check::<CarrierIn<'_>>();
    check::<PauseIn<'_>>();
    check::<RetryIn<'_>>();
    check::<RouteIn<'_>>();
    check::<RuleIn<'_>>();
    check::<QuestionIn<'_>>();
}

/// Calls `see` with each object in a document.
fn walk(value: &Value, see: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            object.values().for_each(|value| walk(value, see));
        }
        Value::Array(items) => items.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

#[test]
fn references_lead_somewhere_and_names_are_used_once() {
    let document = super::document(router::listed());
    walk(&document, &mut |object| {
        if let Some(Value::String(to)) = object.get("$ref") {
            let pointer = to.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{to}");
        }
    });
    let mut ids = BTreeSet::new();
    let mut linked = BTreeSet::new();
    walk(
        &document["paths"],
        &mut |object| match (object.get("operationId"), object.get("summary")) {
            (Some(id), Some(_)) => assert!(ids.insert(id.to_string()), "{id} twice"),
            (Some(id), None) => drop(linked.insert(id.to_string())),
            (None, _) => {}
        },
    );
    assert!(ids.is_superset(&linked), "links lead to {linked:?}");
}

#[test]
fn the_parameters_of_a_path_are_those_of_its_operation() {
    for (path, verb, operation) in router::listed() {
        let segments = path.split('/').filter_map(|s| s.strip_prefix('{'));
        let of_path: Vec<_> = segments
            .map(|s| s.trim_end_matches('}').to_owned())
            .collect();
        let value = operation.into_value("x");
        let parameters = value["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path");
        let said: Vec<_> = in_path
            .map(|p| p["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(said, of_path, "{verb} {path}");
    }
}
