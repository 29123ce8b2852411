//! What a file says and how long it is.

use std::path::Path;

use super::table::EMPTY_NAMES;
use super::{Finding, Rule};

const MAX_PRODUCTION_LINES: usize = 600;
const MAX_COLUMNS: usize = 100;

/// Texts we write by hand; `name` is the file's own.
pub(crate) fn is_ours(name: &str) -> bool {
    let extension = Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str());
    matches!(
        extension,
        Some("rs" | "md" | "toml" | "sh" | "sql" | "yml" | "yaml" | "ts" | "tsx")
    ) || matches!(name, "run" | "Dockerfile")
}

/// `path` is from the root of the workspace.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Findings {
        path,
        found: Vec::new(),
    };
    check_machine_paths(text, &mut findings);
    if Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
    {
        check_name(&mut findings);
        check_source(text, &mut findings);
    }
    findings.found
}

struct Findings<'a> {
    path: &'a str,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, rule: Rule, line: usize, text: impl Into<String>) {
        let (path, text) = (self.path.to_owned(), text.into());
        self.found.push(Finding {
            rule,
            path,
            line,
            text,
        });
    }
}

/// A path of one developer's machine works nowhere else.
fn check_machine_paths(text: &str, findings: &mut Findings<'_>) {
    let homes = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    for (number, line) in numbered(text) {
        for home in &homes {
            let starts = line.match_indices(home.as_str());
            let absolute = |at: usize| !line.as_bytes().get(..at).is_some_and(ends_in_a_name);
            if starts.into_iter().any(|(at, _)| absolute(at)) {
                findings.add(
                    Rule::MachinePath,
                    number,
                    format!("{home} is one machine's folder"),
                );
            }
        }
    }
}

/// True when a path or a URL goes on from here, so that what follows is not its beginning.
fn ends_in_a_name(before: &[u8]) -> bool {
    before
        .last()
        .is_some_and(|&byte| byte.is_ascii_alphanumeric() || b"._-~}*".contains(&byte))
}

fn check_name(findings: &mut Findings<'_>) {
    let path = Path::new(findings.path);
    let stem = path.file_stem().unwrap_or_default();
    let folders = path.parent().into_iter().flat_map(Path::iter);
    let empty: Vec<String> = folders
        .chain([stem])
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| EMPTY_NAMES.contains(&name.as_str()))
        .collect();
    for name in empty {
        findings.add(
            Rule::FileName,
            0,
            format!("'{name}' does not say what is inside"),
        );
    }
}

fn check_source(text: &str, findings: &mut Findings<'_>) {
    if !text.starts_with("//!") {
        findings.add(
            Rule::Purpose,
            1,
            "the first line does not say what the file is for (//!)",
        );
    }
    let production = production_lines(findings.path, text);
    if production > MAX_PRODUCTION_LINES {
        let text = format!("{production} production lines; {MAX_PRODUCTION_LINES} is the most");
        findings.add(Rule::FileLength, 0, text);
    }
    let mut in_snapshot = false;
    for (number, line) in numbered(text) {
        // A snapshot shows what was printed; its width is not ours to choose.
        in_snapshot = in_snapshot || line.contains("expect![[r#\"");
        let columns = line.chars().count();
        if columns > MAX_COLUMNS && !in_snapshot {
            findings.add(
                Rule::Columns,
                number,
                format!("{columns} columns; {MAX_COLUMNS} is the most"),
            );
        }
        in_snapshot = in_snapshot && !line.contains("\"#]]");
        if let Some(word) = unfinished(line) {
            findings.add(Rule::Unfinished, number, format!("{word} is left behind"));
        }
        if number > production && calls_sleep(line) {
            let text = "a test waits for a condition with a deadline, never for a time";
            findings.add(Rule::Sleep, number, text);
        }
    }
}

/// Lines before an inline test module; none in a file of tests.
fn production_lines(path: &str, text: &str) -> usize {
    let is_test = Path::new(path)
        .file_name()
        .is_some_and(|name| name == "tests.rs")
        || Path::new(path)
            .iter()
            .any(|folder| folder == "tests" || folder == "benches");
    if is_test {
        return 0;
    }
    let lines: Vec<&str> = text.lines().collect();
    let module = |pair: &[&str]| match pair {
        [attribute, module] => attribute.trim() == "#[cfg(test)]" && module.trim() == "mod tests {",
        _ => false,
    };
    lines.windows(2).position(module).unwrap_or(lines.len())
}

/// The words are put together here so that this file does not hold them.
fn unfinished(line: &str) -> Option<&'static str> {
    const LEFT: [&str; 5] = [
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("#[ig", "nore"),
    ];
    LEFT.into_iter().find(|word| {
        let starts = line.match_indices(word);
        starts
            .into_iter()
            .any(|(at, _)| is_whole(line.as_bytes(), at, word.len()))
    })
}

fn calls_sleep(line: &str) -> bool {
    let starts = line
        .match_indices("sleep(")
        .chain(line.match_indices("sleep_until("));
    starts
        .into_iter()
        .any(|(at, _)| is_whole(line.as_bytes(), at, 0))
}

/// True when no word goes on before `at`, nor after `length` bytes from it.
fn is_whole(line: &[u8], at: usize, length: usize) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let before = at.checked_sub(1).and_then(|before| line.get(before));
    !is_word(before) && (length == 0 || !is_word(line.get(at + length)))
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}
