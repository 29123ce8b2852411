//! Outside tools: found, installed, or asked for in one line.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step::{cargo, succeeds};

/// Makes `cargo <name>` work, installing the crate `cargo-<name>` where it is missing.
pub(crate) fn ensure_cargo_tool(name: &str) -> Result<()> {
    let found = Command::new("cargo")
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if found {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    println!("installing {package}, once for this machine: cargo install --locked {package}");
    if succeeds(&mut cargo(["install", "--quiet", "--locked", &package]))? {
        return Ok(());
    }
    bail!("please install {package} and try again: cargo install --locked {package}")
}

/// Makes `binary` runnable, installing the Debian package that holds it where we may.
pub(crate) fn ensure_debian_package(binary: &str, package: &str) -> Result<()> {
    if is_on_path(binary) {
        return Ok(());
    }
    if is_root() && is_on_path("apt-get") {
        println!("installing {package}, which has {binary}: apt-get install {package}");
        // A new machine has no lists yet; an old one need not fetch them again.
        if (apt_get(&["install", package])? || {
            apt_get(&["update"])? && apt_get(&["install", package])?
        }) && is_on_path(binary)
        {
            return Ok(());
        }
    }
    bail!("the tests need {binary}; please install it: sudo apt-get install {package}")
}

fn apt_get(arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("apt-get");
    command
        .args(["-qq", "-y", "--no-install-recommends"])
        .args(arguments);
    succeeds(
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()),
    )
}

/// Debian keeps servers in `/usr/sbin`, which a user's path may lack; tests find them there.
fn is_on_path(binary: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.any(|folder| folder.join(binary).is_file())
}

/// The owner of our own process entry is our effective user.
fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|entry| entry.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_installed_again() {
        ensure_debian_package("sh", "no-such-package").expect("every Debian has sh");
        assert!(!is_on_path("no-such-binary"));
    }
}
