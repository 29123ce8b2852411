//! Database servers that speak TLS only, with a certificate of an authority of our own (S11.1).

use std::path::Path;
use std::sync::Arc;

use zajil_cdr::database;
use zajil_cdr::server::{Encryption, Host, Server};
use zajil_core::clock::Timestamp;
use zajil_core::port::Unwritten;
use zajil_telemetry::Telemetry;
use zajil_testkit::database::{DatabaseServer, Engine, NAME, Protection};

/// A server as it is reached by this name with this encryption.
fn server(machine: &DatabaseServer, name: &str, encryption: Encryption, ca: &Path) -> Server {
    let mut server = Server::parse(&machine.url()).unwrap();
    server.hosts = vec![Host {
        name: name.to_owned(),
        port: machine.port(),
    }];
    server.encryption = encryption;
    server.ca_file = Some(ca.to_owned());
    server
}

/// Makes the table over a new connection; answers why not.
async fn reach(server: &Server) -> Result<(), String> {
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let sink = database::open(server, telemetry).unwrap();
    match sink.write(&[], Timestamp::EPOCH).await {
        Ok(()) => Ok(()),
        Err(Unwritten::Down(why)) => Err(why.to_lowercase()),
        Err(Unwritten::BadRows(bad)) => panic!("{bad:?}"),
    }
}

async fn over_tls(engine: Engine) {
    if !zajil_testkit::slow::asked_for() {
        return;
    }
    let machine = DatabaseServer::open_as(engine, Protection::Tls).await;
    let ours = machine.authority();
    for encryption in [Encryption::Prefer, Encryption::Require] {
        let anyone = server(&machine, "127.0.0.1", encryption, &ours);
        assert_eq!(reach(&anyone).await, Ok(()), "{encryption:?}");
    }
    let trusted = server(&machine, NAME, Encryption::VerifyFull, &ours);
    assert_eq!(reach(&trusted).await, Ok(()));

    // Its certificate has no such name.
    let misnamed = server(&machine, "127.0.0.1", Encryption::VerifyFull, &ours);
    let why = reach(&misnamed).await.unwrap_err();
    assert!(why.contains("certificate"), "{why}");
    // Another authority has not signed it.
    let folder = tempfile::tempdir().unwrap();
    let theirs = another_authority(folder.path());
    let unknown = server(&machine, NAME, Encryption::VerifyFull, &theirs);
    let why = reach(&unknown).await.unwrap_err();
    assert!(why.contains("certificate"), "{why}");
    // It does not speak plain text, so what worked above was TLS.
    let plain = server(&machine, NAME, Encryption::Disable, &ours);
    let why = reach(&plain).await.unwrap_err();
    let expected = match engine {
        Engine::Postgres => "no pg_hba.conf entry",
        // MariaDB tells a client without TLS no more than that.
        Engine::MySql => "access denied",
    };
    assert!(why.contains(expected), "{why}");
}

fn another_authority(folder: &Path) -> std::path::PathBuf {
    let made = std::process::Command::new("openssl")
        .current_dir(folder)
        .args(
            "req -x509 -newkey rsa:2048 -nodes -keyout key -out ca.pem -days 2 -subj /CN=other"
                .split(' '),
        )
        .output()
        .unwrap();
    assert!(made.status.success());
    folder.join("ca.pem")
}

#[tokio::test]
async fn s11_1_postgresql_is_reached_over_tls_and_impostors_are_not() {
    over_tls(Engine::Postgres).await;
}

#[tokio::test]
async fn s11_1_mariadb_is_reached_over_tls_and_impostors_are_not() {
    over_tls(Engine::MySql).await;
}
