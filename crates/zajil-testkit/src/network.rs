//! A machine of its own for a process under test, behind a network that can be cut.
//!
//! Two network namespaces: one is the machine, the other a router between it and this one. Packets
//! are dropped in the router, so neither side is told of it, and one direction can be cut alone.
#![expect(
    clippy::unwrap_used,
    reason = "a network that cannot be changed must fail the test"
)]

use std::process::Command;

/// Which packets do not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// None in either direction.
    Both,
    /// What the machine sends gets lost; it still hears the other side.
    Sent,
    /// What is sent to the machine gets lost; the other side still hears it.
    Answers,
}

/// A machine behind a router. Both end with it.
#[derive(Debug)]
pub struct Machine {
    machine: String,
    router: String,
    /// Which of the networks for tests it has.
    at: u32,
}

impl Machine {
    /// A machine that reaches this one.
    ///
    /// # Errors
    /// Why this machine may have none: not root, or a container without that right.
    pub fn open() -> Result<Self, String> {
        let process = std::process::id();
        let machine = Self {
            machine: format!("zajil-m{process}"),
            router: format!("zajil-r{process}"),
            at: process % 16_384,
        };
        let (ours, near) = (machine.outside(), machine.host(18, 2));
        let (far, theirs) = (machine.host(19, 1), machine.address());
        let link = format!("zj{process}");
        let (m, r) = (&machine.machine, &machine.router);
        for arguments in [
            format!("netns add {m}"),
            format!("netns add {r}"),
            format!("link add {link} type veth peer name north netns {r}"),
            format!("addr add {ours}/30 dev {link}"),
            format!("link set {link} up"),
            format!("-n {r} addr add {near}/30 dev north"),
            format!("-n {r} link set dev north up"),
            format!("-n {r} link add south type veth peer name north netns {m}"),
            format!("-n {r} addr add {far}/30 dev south"),
            format!("-n {r} link set dev south up"),
            format!("-n {m} addr add {theirs}/30 dev north"),
            format!("-n {m} link set lo up"),
            format!("-n {m} link set dev north up"),
            format!("-n {m} route add default via {far}"),
            format!("route add {theirs} via {near} dev {link}"),
            format!("netns exec {r} sysctl -qw net.ipv4.ip_forward=1"),
            format!("netns exec {r} nft add table ip cut"),
        ] {
            ip(&arguments)?;
        }
        Ok(machine)
    }

    /// One of the two hosts of one of the networks: 198.18.0.0/15 is for such tests (RFC 2544).
    fn host(&self, second: u8, host: u32) -> String {
        format!(
            "198.{second}.{}.{}",
            self.at >> 6,
            ((self.at & 63) << 2) + host
        )
    }

    /// The address of the machine.
    #[must_use]
    pub fn address(&self) -> String {
        self.host(19, 2)
    }

    /// Our address, as the machine sees it.
    #[must_use]
    pub fn outside(&self) -> String {
        self.host(18, 1)
    }

    /// A program that runs on the machine. Its process is the program's own.
    #[must_use]
    pub fn run(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.machine, program]);
        command
    }

    /// From now on packets between the machine and this port of ours are dropped.
    ///
    /// # Panics
    /// When the router refuses.
    pub fn cut(&self, port: u16, cut: Cut) {
        self.heal();
        let router = &self.router;
        let chain = "{ type filter hook forward priority 0; }";
        let mut command = Command::new("ip");
        command.args(["netns", "exec", router, "nft", "add", "chain", "ip", "cut"]);
        assert!(command.args(["way", chain]).status().unwrap().success());
        let (sent, answers) = (
            format!("iifname south tcp dport {port} drop"),
            format!("iifname north tcp sport {port} drop"),
        );
        let rules = match cut {
            Cut::Both => vec![sent, answers],
            Cut::Sent => vec![sent],
            Cut::Answers => vec![answers],
        };
        for rule in rules {
            ip(&format!(
                "netns exec {router} nft add rule ip cut way {rule}"
            ))
            .unwrap();
        }
    }

    /// All packets arrive again.
    ///
    /// # Panics
    /// When the router refuses.
    pub fn heal(&self) {
        let router = &self.router;
        ip(&format!("netns exec {router} nft flush ruleset")).unwrap();
        ip(&format!("netns exec {router} nft add table ip cut")).unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The cables end with the namespaces that hold one of their ends.
        for name in [&self.machine, &self.router] {
            drop(ip(&format!("netns del {name}")));
        }
    }
}

/// Runs `ip` with these words.
fn ip(arguments: &str) -> Result<(), String> {
    let mut command = Command::new("ip");
    let done = command.args(arguments.split(' ')).output();
    let done = done.map_err(|error| format!("ip: {error}"))?;
    let told = String::from_utf8_lossy(&done.stderr);
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("ip {arguments}: {}", told.trim())),
    }
}
