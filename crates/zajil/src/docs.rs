//! The generated pages of the manual: written by `cargo xtask gen`, compared by the gate.

use std::path::Path;

use anyhow::Context as _;

/// Writes the pages below `root`, or with `check` only says whether they are fresh.
pub(crate) fn generate(root: &Path, check: bool) -> anyhow::Result<bool> {
    let pages = [
        ("docs/config.md", crate::config::reference()),
        ("docs/metrics.md", zajil_telemetry::metric::reference()),
        ("docs/smpp-pics.md", zajil_smpp::pics::page()),
        ("docs/openapi.json", zajil_api::openapi_json()),
    ];
    let mut fresh = true;
    for (path, page) in pages {
        let file = root.join(path);
        if check {
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            if committed != page {
                crate::cli::complain(&format!("{path} is stale"));
                fresh = false;
            }
        } else {
            std::fs::write(&file, page).with_context(|| path.to_owned())?;
        }
    }
    Ok(fresh)
}
