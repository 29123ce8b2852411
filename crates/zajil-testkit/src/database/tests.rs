//! Whose server it is that answers, and what one leaves behind.

use super::*;

/// A test that took another's server for its own lost it when that one's test was over.
#[tokio::test]
async fn a_server_does_not_answer_for_another_one_at_its_port() {
    if !crate::slow::asked_for() {
        return;
    }
    for engine in [Engine::Postgres, Engine::MySql] {
        let one = DatabaseServer::open(engine).await;
        let other = DatabaseServer {
            engine,
            protection: Protection::Plain,
            folder: tempfile::tempdir().unwrap(),
            port: one.place(),
            also: Vec::new(),
            settings: Vec::new(),
            child: None,
        };
        other.install();
        assert!(one.answers());
        other.ask("SELECT 1").unwrap();
        assert!(!other.answers());
    }
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_shared_memory() {
    if !crate::slow::asked_for() {
        return;
    }
    let server = DatabaseServer::open(Engine::Postgres).await;
    let told = std::fs::read_to_string(server.path("data/postmaster.pid")).unwrap();
    // The seventh line: the key and the id of the segment.
    let segment = told.lines().nth(6).unwrap().split_whitespace().nth(1);
    let segment = segment.unwrap().to_owned();
    let is_there = || {
        let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        all.lines()
            .any(|line| line.split_whitespace().nth(1) == Some(segment.as_str()))
    };
    assert!(is_there());
    drop(server);
    assert!(!is_there());
}
