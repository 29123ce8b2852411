//! Prints the metric reference, `docs/metrics.md`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout()
        .lock()
        .write_all(zajil_telemetry::metric::reference().as_bytes())
}
