//! House rules that neither the compiler nor clippy knows: layers, sizes, names, words.
//!
//! A rule's exceptions stand in [`table::EXCEPTIONS`], each with its reason. The table may only
//! shrink: an entry that excuses nothing any more is a finding itself.

mod files;
mod layers;
mod table;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::{Package, Workspace};
use table::Exception;

/// What a finding breaks; the name is what an exception refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Layer,
    Package,
    Purpose,
    FileLength,
    Columns,
    Unfinished,
    Sleep,
    FileName,
    MachinePath,
    Exception,
}

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    /// From the root of the workspace.
    pub(crate) path: String,
    /// Zero when it is about the whole file.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            path,
            line,
            text,
        } = self;
        match line {
            0 => write!(out, "{path}: {text} ({rule:?})"),
            _ => write!(out, "{path}:{line}: {text} ({rule:?})"),
        }
    }
}

pub(crate) fn run() -> Result<bool> {
    let workspace = Workspace::load()?;
    let findings = excuse(find(&workspace)?, table::EXCEPTIONS);
    for finding in &findings {
        println!("{finding}");
    }
    Ok(findings.is_empty())
}

fn find(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let manifest = relative(&workspace.root, &package.manifest_path);
        findings.extend(layers::check(package, &manifest));
        findings.extend(check_package(package, &manifest)?);
    }
    for path in our_texts(&workspace.root)? {
        let name = relative(&workspace.root, &path);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            findings.extend(files::check(&name, &text));
        }
    }
    Ok(findings)
}

/// A package's folder has its name, and it obeys the workspace's lints.
fn check_package(package: &Package, manifest: &str) -> Result<Vec<Finding>> {
    let finding = |text: String| Finding {
        rule: Rule::Package,
        path: manifest.to_owned(),
        line: 0,
        text,
    };
    let mut findings = Vec::new();
    if package.folder().file_name() != Some(package.name.as_ref()) {
        findings.push(finding(format!(
            "the folder of {} has another name",
            package.name
        )));
    }
    let text = fs::read_to_string(&package.manifest_path)
        .with_context(|| format!("cannot read {manifest}"))?;
    if !text.contains("[lints]\nworkspace = true") {
        findings.push(finding(
            "the workspace's lints are not switched on".to_owned(),
        ));
    }
    Ok(findings)
}

/// Takes the excused findings away, and adds the excuses that nothing needs.
fn excuse(mut findings: Vec<Finding>, exceptions: &[Exception]) -> Vec<Finding> {
    let excuses = |exception: &Exception, finding: &Finding| {
        exception.rule == finding.rule && exception.path == finding.path
    };
    let unneeded: Vec<Finding> = exceptions
        .iter()
        .filter(|exception| !findings.iter().any(|finding| excuses(exception, finding)))
        .map(|exception| Finding {
            rule: Rule::Exception,
            path: exception.path.to_owned(),
            line: 0,
            text: format!(
                "no longer needs its exception from {:?} ({}); take it out of tidy's table",
                exception.rule, exception.reason
            ),
        })
        .collect();
    findings.retain(|finding| {
        !exceptions
            .iter()
            .any(|exception| excuses(exception, finding))
    });
    findings.extend(unneeded);
    findings
}

/// Every text of ours, whether or not it is committed yet.
fn our_texts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut texts = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_folder = path.is_dir() && !path.is_symlink();
            if is_folder && !table::FOREIGN_FOLDERS.contains(&name.as_ref()) {
                folders.push(path);
            } else if !is_folder && files::is_ours(&name) {
                texts.push(path);
            }
        }
    }
    texts.sort();
    Ok(texts)
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
