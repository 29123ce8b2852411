//! Where a setting was written: the line of the file, or the variable that set it.

use toml::de::{DeTable, DeValue};

/// The sources of a configuration, for telling the operator where to look.
#[derive(Debug, Default)]
pub(super) struct Places {
    file: String,
    text: String,
    /// Keys that a variable has set, with its name.
    variables: Vec<(&'static str, &'static str)>,
}

impl Places {
    /// Of this file, with its text.
    pub(super) fn of(file: String, text: String) -> Self {
        Self {
            file,
            text,
            variables: Vec::new(),
        }
    }

    /// Notes that a variable has set a key.
    pub(super) fn set_by(&mut self, key: &'static str, variable: &'static str) {
        self.variables.push((key, variable));
    }

    /// One line for the operator: the place, the key, the rule.
    pub(super) fn complaint(&self, key: &str, rule: &str) -> String {
        if let Some((_, variable)) = self.variables.iter().find(|(set, _)| *set == key) {
            return format!("{variable}: {key} {rule}");
        }
        match self.line(key, rule) {
            Some(line) => format!("{}:{line}: {key} {rule}", self.file),
            None if self.file.is_empty() => format!("configuration: {key} {rule}"),
            None => format!("{}: {key} {rule}", self.file),
        }
    }

    /// The line of `section.name`, or of the field that `rule` begins with in `list[n]`.
    fn line(&self, key: &str, rule: &str) -> Option<usize> {
        let root = DeTable::parse(&self.text).ok()?;
        let root = root.get_ref();
        let start = match key.split_once('.') {
            Some((section, name)) => match find(root, section)?.1.get_ref() {
                DeValue::Table(table) => find(table, name)?.0,
                _ => return None,
            },
            None => {
                let (list, number) = key.strip_suffix(']')?.split_once('[')?;
                let DeValue::Array(items) = find(root, list)?.1.get_ref() else {
                    return None;
                };
                let item = items.get(number.parse::<usize>().ok()?)?;
                let field = rule.split(' ').next().unwrap_or_default();
                match item.get_ref() {
                    DeValue::Table(table) => find(table, field).map_or(item.span().start, |f| f.0),
                    _ => item.span().start,
                }
            }
        };
        Some(line_of(&self.text, start))
    }
}

/// The line, from 1, of the octet at `start`.
pub(super) fn line_of(text: &str, start: usize) -> usize {
    let before = text.bytes().take(start);
    before.filter(|byte| *byte == b'\n').count() + 1
}

/// Where a key stands, and its value.
fn find<'t, 'i>(
    table: &'t DeTable<'i>,
    name: &str,
) -> Option<(usize, &'t toml::Spanned<DeValue<'i>>)> {
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
    Some((key.span().start, value))
}
