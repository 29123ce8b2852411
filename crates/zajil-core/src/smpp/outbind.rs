//! An application that is called: where messages wait for it, we connect, and it binds.

use std::path::PathBuf;

use super::carrier::{Host, Password, Tls};

/// The longest password of an `outbind`, in octets (SMPP 3.4, 4.1.7.1).
pub const LONGEST_PASSWORD: usize = 8;

/// Where an application listens for us, and how it knows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbind {
    /// Where it listens.
    pub host: Host,
    /// With what we prove who we are, where it wants to know.
    pub password: Option<Password>,
    /// Who its certificate must be for, where TLS is spoken; none = the host.
    pub server_name: Option<String>,
    /// The authorities (PEM) that its certificate must be signed by, where TLS is spoken; none =
    /// those of the system.
    pub ca_path: Option<PathBuf>,
}

impl Outbind {
    /// How the connection is protected, to an account that needs TLS or does not.
    #[must_use]
    pub fn tls(&self, is_required: bool) -> Tls {
        Tls {
            enabled: is_required,
            server_name: self.server_name.clone(),
            ca_path: self.ca_path.clone(),
            ..Tls::default()
        }
    }
}
