//! An authority of our own, and a certificate that it has signed for a server.

use std::path::Path;
use std::process::Command;

/// The only name that the server has: its address is none.
pub const NAME: &str = "localhost";

/// Makes `ca.pem`, and `server.pem` with `server.key`, which it has signed for [`NAME`].
pub(super) fn make(folder: &Path) {
    make_for(folder, &format!("DNS:{NAME}"));
}

/// Likewise for these names, as `IP:127.0.0.1,DNS:localhost`.
pub(super) fn make_for(folder: &Path, names: &str) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"),
    );
    openssl(
        folder,
        &format!("req {key} -keyout server.key -out server.csr -subj /CN={NAME}"),
    );
    std::fs::write(
        folder.join("extensions"),
        format!("subjectAltName={names}\n"),
    )
    .unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile extensions -out server.pem",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder);
    let done = command.args(arguments.split_whitespace()).output().unwrap();
    assert!(
        done.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}
