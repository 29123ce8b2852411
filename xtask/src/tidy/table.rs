//! The data of tidy: who may import whom, and what is excused, with the reason.

use super::Rule;

/// One rule that one file need not keep.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) rule: Rule,
    /// From the root of the workspace.
    pub(crate) path: &'static str,
    pub(crate) reason: &'static str,
}

/// May only shrink. New rules arrive with the places that break them already.
pub(crate) const EXCEPTIONS: &[Exception] = &[];

/// What a package may use in production.
#[derive(Debug)]
pub(crate) struct Layer {
    /// A package's name; `*` stands for any text.
    pub(crate) package: &'static str,
    pub(crate) imports: Imports,
    /// Crates of others that would break the layer's promise.
    pub(crate) forbidden: &'static [&'static str],
}

#[derive(Debug)]
pub(crate) enum Imports {
    /// Of our packages, these.
    Only(&'static [&'static str]),
    /// All but the tools: the binary wires the graph.
    Production,
    /// Whatever it needs: nothing in production imports it.
    Tool,
}

/// Crates that are a runtime, a protocol stack or a store: the pure layers know none of them.
const IMPURE: &[&str] = &[
    "anyhow",
    "axum",
    "hyper",
    "libc",
    "mimalloc",
    "rusqlite",
    "serde",
    "serde_json",
    "socket2",
    "tokio",
    "tokio-util",
    "tracing",
    "ureq",
];
/// An error that a caller can act on has a type; only tools and the binary do without.
const UNTYPED_ERRORS: &[&str] = &["anyhow"];

/// The first line whose name fits decides.
pub(crate) const LAYERS: &[Layer] = &[
    layer("*-codec", &[], IMPURE),
    layer("zajil-core", &["sms-codec"], IMPURE),
    layer("zajil-telemetry", &["zajil-core"], UNTYPED_ERRORS),
    layer("zajil-database", &["zajil-telemetry"], UNTYPED_ERRORS),
    layer("zajil-store", &["zajil-core"], UNTYPED_ERRORS),
    layer(
        "zajil-store-*",
        &[
            "zajil-core",
            "zajil-database",
            "zajil-store",
            "zajil-telemetry",
        ],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-engine",
        &["sms-codec", "zajil-core", "zajil-store", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    // Adapters and doors: never the engine, never each other.
    layer(
        "zajil-cdr",
        &[
            "zajil-core",
            "zajil-database",
            "zajil-store",
            "zajil-telemetry",
        ],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-enum",
        &["zajil-core", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-ocs",
        &["zajil-core", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-webhook",
        &["zajil-core", "zajil-store", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-api",
        &["sms-codec", "zajil-core", "zajil-store", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-smpp",
        &[
            "smpp-codec",
            "sms-codec",
            "zajil-core",
            "zajil-store",
            "zajil-telemetry",
        ],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-ims",
        &["sip-codec", "sms-codec", "zajil-core", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-map",
        &["map-codec", "sms-codec", "zajil-core", "zajil-telemetry"],
        UNTYPED_ERRORS,
    ),
    layer(
        "zajil-diameter",
        &[
            "diameter-codec",
            "sms-codec",
            "zajil-core",
            "zajil-telemetry",
        ],
        UNTYPED_ERRORS,
    ),
    Layer {
        package: "zajil",
        imports: Imports::Production,
        forbidden: &[],
    },
    tool("zajil-testkit"),
    tool("zajil-sim"),
    tool("loadgen"),
    tool("xtask"),
];

const fn layer(
    package: &'static str,
    imports: &'static [&'static str],
    forbidden: &'static [&'static str],
) -> Layer {
    Layer {
        package,
        imports: Imports::Only(imports),
        forbidden,
    }
}

const fn tool(package: &'static str) -> Layer {
    Layer {
        package,
        imports: Imports::Tool,
        forbidden: &[],
    }
}

/// Names that say nothing about what is inside. `mod` would hide a module's name in its folder's.
pub(crate) const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "types", "mod",
];

/// Not written by us.
pub(crate) const FOREIGN_FOLDERS: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "dist",
    "zajil-data",
    "corpus",
];
