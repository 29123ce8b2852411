//! JSON Schemas (2020-12) of the wire, composed by call.

pub(crate) mod given;
mod grammar;
pub(crate) mod shown;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A type of the wire that has a name in the document.
pub(crate) trait Described {
    /// The name among the components.
    const NAME: &'static str;

    /// What its JSON looks like.
    fn schema() -> Schema;
}

/// Named schemas that another refers to.
pub(crate) type Uses = BTreeMap<&'static str, fn() -> Schema>;

/// A schema, and the named ones that it refers to.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    value: Value,
    uses: Uses,
}

impl Schema {
    /// A schema that refers to no other.
    pub(crate) fn plain(value: Value) -> Self {
        Self {
            value,
            uses: Uses::new(),
        }
    }

    /// Any value.
    pub(crate) fn any() -> Self {
        Self::plain(json!({}))
    }

    /// Puts a keyword in.
    fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(keywords) = &mut self.value {
            keywords.insert(keyword.to_owned(), value.into());
        }
        self
    }

    /// Says what it means.
    pub(crate) fn says(self, text: &str) -> Self {
        self.with("description", text)
    }

    /// What holds when it is absent.
    pub(crate) fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// An instance.
    pub(crate) fn example(self, value: impl Into<Value>) -> Self {
        let examples = Value::Array(vec![value.into()]);
        self.with("examples", examples)
    }

    /// A member that it may have.
    pub(crate) fn with_member(mut self, name: &str, member: Self) -> Self {
        let (value, mut uses) = member.into_parts();
        self.uses.append(&mut uses);
        if let Value::Object(keywords) = &mut self.value {
            let members = keywords.entry("properties").or_insert_with(|| json!({}));
            if let Value::Object(members) = members {
                members.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// The members that another may have, none of them required.
    pub(crate) fn with_members_of<T: Described>(mut self) -> Self {
        let (value, mut uses) = T::schema().into_parts();
        self.uses.append(&mut uses);
        let members = value["properties"].as_object().into_iter().flatten();
        members.fold(self, |schema, (name, member)| {
            schema.with_member(name, Self::plain(member.clone()))
        })
    }

    /// One or the other.
    pub(crate) fn either(one: Self, other: Self) -> Self {
        let mut uses = one.uses;
        uses.extend(other.uses);
        Self {
            value: json!({ "anyOf": [one.value, other.value] }),
            uses,
        }
    }

    /// Only here for older clients.
    pub(crate) fn older(self) -> Self {
        self.with("deprecated", true)
    }

    /// An array of no fewer items.
    pub(crate) fn at_least(self, items: usize) -> Self {
        self.with("minItems", items)
    }

    /// An object that needs at least one of these members.
    pub(crate) fn one_of(self, names: &[&str]) -> Self {
        let each: Vec<_> = names
            .iter()
            .map(|name| json!({ "required": [name] }))
            .collect();
        self.with("anyOf", each)
    }

    /// An object with no other members.
    pub(crate) fn closed(self) -> Self {
        self.with("additionalProperties", false)
    }

    /// The same or null.
    pub(crate) fn or_null(self) -> Self {
        let Self { value, uses } = self;
        let value = match value {
            Value::Object(mut keywords) if keywords.get("type").is_some_and(Value::is_string) => {
                let kind = keywords.remove("type").unwrap_or_default();
                keywords.insert("type".to_owned(), json!([kind, "null"]));
                if let Some(Value::Array(words)) = keywords.get_mut("enum") {
                    words.push(Value::Null);
                }
                Value::Object(keywords)
            }
            other => json!({ "anyOf": [other, { "type": "null" }] }),
        };
        Self { value, uses }
    }

    /// The JSON, and what it refers to.
    pub(crate) fn into_parts(self) -> (Value, Uses) {
        (self.value, self.uses)
    }
}

/// A named schema, by its name.
pub(crate) fn of<T: Described>() -> Schema {
    Schema {
        value: json!({ "$ref": format!("#/components/schemas/{}", T::NAME) }),
        uses: Uses::from([(T::NAME, T::schema as fn() -> Schema)]),
    }
}

/// An array.
pub(crate) fn list(items: Schema, most: Option<usize>) -> Schema {
    let Schema { value, uses } = items;
    let mut array = Map::new();
    array.insert("type".to_owned(), json!("array"));
    array.insert("items".to_owned(), value);
    if let Some(most) = most {
        array.insert("maxItems".to_owned(), json!(most));
    }
    Schema {
        value: Value::Object(array),
        uses,
    }
}

/// An object whose members are named by whoever writes it.
pub(crate) fn map(values: Schema) -> Schema {
    let Schema { value, uses } = values;
    Schema {
        value: json!({ "type": "object", "additionalProperties": value }),
        uses,
    }
}

/// An object with these members; those `required` must be there.
pub(crate) fn object<const N: usize>(required: &[&str], members: [(&str, Schema); N]) -> Schema {
    let mut uses = Uses::new();
    let mut properties = Map::new();
    for (name, member) in members {
        let (value, mut of_member) = member.into_parts();
        uses.append(&mut of_member);
        properties.insert(name.to_owned(), value);
    }
    let mut value = json!({ "type": "object", "properties": properties });
    if let (false, Some(keywords)) = (required.is_empty(), value.as_object_mut()) {
        keywords.insert("required".to_owned(), json!(required));
    }
    Schema { value, uses }
}

/// An object of an answer: every member is there.
pub(crate) fn record<const N: usize>(members: [(&str, Schema); N]) -> Schema {
    let names = members.each_ref().map(|(name, _)| *name);
    object(&names, members)
}

/// `{"data": …}`.
pub(crate) fn data(of: Schema) -> Schema {
    record([("data", of)])
}

/// `{"status": "success", "data": …}`: the calls about messages.
pub(crate) fn success(of: Schema) -> Schema {
    let word = Schema::plain(json!({ "const": "success" }));
    record([("status", word), ("data", of)])
}

/// The JSON of these schemas and of all that they refer to, by name.
pub(crate) fn components(mut open: Uses) -> Map<String, Value> {
    let mut done = Map::new();
    while let Some((name, make)) = open.pop_first() {
        if done.contains_key(name) {
            continue;
        }
        let (value, mut uses) = make().into_parts();
        done.insert(name.to_owned(), value);
        open.append(&mut uses);
    }
    done
}
