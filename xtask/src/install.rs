//! Outside tools: found, installed, or asked for in one line.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step::{cargo, succeeds};

/// Makes `cargo <name>` work, installing the crate `cargo-<name>` where it is missing.
pub(crate) fn ensure_cargo_tool(name: &str) -> Result<()> {
    if runs(Command::new("cargo").args([name, "--version"])) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    println!("installing {package}, once for this machine: cargo install --locked {package}");
    if succeeds(&mut cargo(["install", "--quiet", "--locked", &package]))? {
        return Ok(());
    }
    bail!("please install {package} and try again: cargo install --locked {package}")
}

/// Builds a package that is not of the workspace, and answers its binary, which has its name.
pub(crate) fn ensure_binary(package: &Path, target: &Path) -> Result<PathBuf> {
    let mut build = cargo(["build", "--quiet", "--locked", "--manifest-path"]);
    build.arg(package.join("Cargo.toml"));
    let name = package.file_name().unwrap_or_default();
    if !succeeds(build.arg("--target-dir").arg(target))? {
        bail!("the tests need {}; it does not build", package.display());
    }
    Ok(target.join("debug").join(name))
}

/// Makes `binary` runnable, installing the Debian package that holds it where we may.
pub(crate) fn ensure_debian_package(binary: &str, package: &str) -> Result<()> {
    if is_on_path(binary) {
        return Ok(());
    }
    install_debian_package(package)?;
    if !is_on_path(binary) {
        bail!("the tests need {binary}; please install it: sudo apt-get install {package}");
    }
    Ok(())
}

fn install_debian_package(package: &str) -> Result<()> {
    if is_root() && is_on_path("apt-get") {
        println!("installing {package}: apt-get install {package}");
        let _policy = Policy::set();
        // A new machine has no lists yet; an old one need not fetch them again.
        if apt_get(&["install", package])?
            || apt_get(&["update"])? && apt_get(&["install", package])?
        {
            return Ok(());
        }
    }
    bail!("the tests need {package}; please install it: sudo apt-get install {package}")
}

/// While it lives, installing a server does not start it: the tests start their own.
struct Policy(Option<&'static Path>);

impl Policy {
    /// Where the machine has a policy of its own, or none can be set, nothing is changed.
    fn set() -> Self {
        let file = Path::new("/usr/sbin/policy-rc.d");
        let mut options = fs::OpenOptions::new();
        // 101: not allowed.
        let written = options
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(file)
            .and_then(|mut policy| policy.write_all(b"#!/bin/sh\nexit 101\n"));
        Self(written.is_ok().then_some(file))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.map(fs::remove_file) {
            println!("please remove /usr/sbin/policy-rc.d: {error}");
        }
    }
}

/// Makes a Python environment in `folder` that has `package` in exactly this version, and answers
/// its interpreter.
pub(crate) fn ensure_python_package(folder: &Path, package: &str, module: &str) -> Result<PathBuf> {
    let python = folder.join("bin").join("python3");
    let has_module = || runs(Command::new(&python).args(["-c", &format!("import {module}")]));
    // Its name has the version in it, so another version is another folder.
    if has_module() {
        return Ok(python);
    }
    ensure_debian_package("python3", "python3")?;
    if !runs(Command::new("python3").args(["-c", "import ensurepip"])) {
        install_debian_package("python3-venv")?;
    }
    println!("installing {package} into {}", folder.display());
    let mut venv = Command::new("python3");
    let made = succeeds(venv.args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    if made && succeeds(pip.arg(package))? && has_module() {
        return Ok(python);
    }
    let folder = folder.display();
    bail!(
        "the tests need {package}; please install it: sudo apt-get install python3-venv && \
         python3 -m venv {folder} && {folder}/bin/pip install {package}"
    )
}

/// A gateway, which is bound to us and which we bind to. 0.11.1 forgets the receipts of messages in
/// one part.
const JASMIN: &str = "jasmin==0.11.0";

/// Makes a Python environment with Jasmin, installs what that keeps its messages in, and answers
/// the interpreter.
pub(crate) fn ensure_jasmin(target: &Path) -> Result<PathBuf> {
    for package in ["rabbitmq-server", "redis-server"] {
        ensure_debian_package(package, package)?;
    }
    ensure_python_package(&target.join(JASMIN), JASMIN, "jasmin")
}

/// Brings a package of npm in exactly this version, such as `smpp@0.5.1`, into a folder of its own,
/// and answers where node finds it.
pub(crate) fn ensure_npm_package(folder: &Path, package: &str) -> Result<PathBuf> {
    let modules = folder.join("node_modules");
    let name = package.rsplit_once('@').map_or(package, |(name, _)| name);
    ensure_debian_package("node", "nodejs")?;
    // The folder's name has the version in it, so another version is another folder.
    if modules.join(name).join("package.json").is_file() {
        return Ok(modules);
    }
    ensure_debian_package("npm", "npm")?;
    println!("installing {package} into {}", folder.display());
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
    ]);
    if succeeds(npm.arg("--prefix").arg(folder).arg(package))? {
        return Ok(modules);
    }
    bail!(
        "the tests need {package}; please install it: npm install --prefix {} {package}",
        folder.display()
    )
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

/// Whether a command starts and succeeds; what it prints is nobody's concern.
fn runs(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Debian keeps servers in `/usr/sbin`, which a user's path may lack, and each version of
/// PostgreSQL in a folder of its own; tests find them there.
fn is_on_path(binary: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten().flatten();
    let mut folders = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .chain(versions.map(|version| version.path().join("bin")));
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
