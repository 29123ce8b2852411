//! Who may import whom, by the packages' own manifests.

use super::table::{Imports, LAYERS, Layer};
use super::{Finding, Rule};
use crate::workspace::{Dependency, Package};

pub(crate) fn check(package: &Package, manifest: &str) -> Vec<Finding> {
    let finding = |text| Finding {
        rule: Rule::Layer,
        path: manifest.to_owned(),
        line: 0,
        text,
    };
    let Some(layer) = layer_of(&package.name) else {
        return vec![finding(format!(
            "{} has no line in tidy's table of layers",
            package.name
        ))];
    };
    let in_production = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.as_deref() != Some("dev"));
    in_production
        .filter_map(|dependency| refusal(layer, dependency))
        .map(|why| finding(format!("{} {why}", package.name)))
        .collect()
}

/// Why the layer may not have this dependency; `None` when it may.
fn refusal(layer: &Layer, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if layer.forbidden.contains(&name) {
        return Some(format!("must do without {name}"));
    }
    dependency.path.as_ref()?;
    match layer.imports {
        Imports::Tool => None,
        Imports::Production if is_tool(name) => {
            Some(format!("is shipped and may not import the tool {name}"))
        }
        Imports::Production => None,
        Imports::Only(allowed) if allowed.contains(&name) => None,
        Imports::Only([]) => Some(format!("may import nothing of ours, but imports {name}")),
        Imports::Only(allowed) => Some(format!(
            "may import only {}, but imports {name}",
            allowed.join(", ")
        )),
    }
}

fn is_tool(package: &str) -> bool {
    layer_of(package).is_some_and(|layer| matches!(layer.imports, Imports::Tool))
}

fn layer_of(package: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| matches(layer.package, package))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name
            .strip_prefix(start)
            .is_some_and(|rest| !rest.is_empty() && rest.ends_with(end)),
    }
}
