//! A small ordered tree of named values that prints itself as JSON.

use std::fmt::{self, Write as _};

/// A value with a name, or a list or group of such values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Tree>),
    /// Named values in order.
    Group(Vec<(&'static str, Tree)>),
}

impl Tree {
    /// The value named `name` in a group.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Group(fields) => fields
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }
}

impl<N: Into<i64>> From<N> for Tree {
    fn from(number: N) -> Self {
        Self::Number(number.into())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Number(number) => write!(out, "{number}"),
            Self::Text(text) => quote(text, out),
            Self::List(values) => {
                out.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    write!(out, "{value}")?;
                }
                out.write_char(']')
            }
            Self::Group(fields) => {
                out.write_char('{')?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.write_char(',')?;
                    }
                    quote(name, out)?;
                    write!(out, ":{value}")?;
                }
                out.write_char('}')
            }
        }
    }
}

fn quote(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            control if control.is_control() => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_json_in_order() {
        let tree = Tree::Group(vec![
            (
                "b",
                Tree::List(vec![1_u8.into(), Tree::Null, Tree::Flag(true)]),
            ),
            ("a", Tree::Text("\"\\\n\u{1}é".into())),
        ]);
        assert_eq!(
            tree.to_string(),
            r#"{"b":[1,null,true],"a":"\"\\\n\u0001é"}"#
        );
        assert_eq!(tree.get("a"), Some(&Tree::Text("\"\\\n\u{1}é".into())));
    }
}
