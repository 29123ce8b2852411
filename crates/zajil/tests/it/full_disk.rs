//! A disk that fills up: refusals that say so, nothing damaged, and service when there is room.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;

/// A file system of its own, so that it can be filled; needs the right to mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(place.path())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn d5_a_full_disk_is_refused_with_503_and_healed() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0_u8; 5 << 20]).unwrap();
    let server = Server::start(&disk.path().join("data"));
    let client = server.client();
    let submit = || {
        let body = json!({ "destination_msisdn": "+15550001", "message_body": "x".repeat(30_000) });
        client.call("POST", "/api/messages", &body)
    };
    let mut accepted = Vec::new();
    let refusal = loop {
        let (status, answer) = submit();
        if status != 201 {
            break (status, answer);
        }
        accepted.push(answer["data"]["id"].as_u64().unwrap());
        assert!(accepted.len() < 1_000, "8 MiB cannot hold this");
    };
    assert_eq!(refusal.0, 503, "{}", refusal.1);
    let detail = refusal.1["errors"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("no room") || detail.contains("full"),
        "{detail}"
    );
    assert_eq!(client.call("GET", "/api/status", &Value::Null).0, 200);

    std::fs::remove_file(&ballast).unwrap();
    let (status, answer) = submit();
    assert_eq!(status, 201, "{answer}");
    accepted.push(answer["data"]["id"].as_u64().unwrap());
    assert_eq!(server.stop(), Some(0));

    let server = Server::start(&disk.path().join("data"));
    for id in &accepted {
        let (status, _) = server
            .client()
            .call("GET", &format!("/api/messages/{id}"), &Value::Null);
        assert_eq!(status, 200, "message {id} was acknowledged and is gone");
    }
}
