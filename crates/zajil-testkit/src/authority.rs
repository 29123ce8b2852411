//! A certificate authority of a test, with its files.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// An authority; its files go with it.
#[derive(Debug)]
pub struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, with its certificate in `ca.pem`.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        let folder = tempfile::tempdir().unwrap();
        // No two have one name: one that is not known is not taken for another.
        let name = format!("authority in {}", folder.path().display());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// One of its files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `name.pem` and `name.key`.
    ///
    /// # Panics
    /// When they cannot be written, or `host` is none.
    pub fn issue(&self, name: &str, host: &str) {
        self.write(name, CertificateParams::new(vec![host.to_owned()]).unwrap());
    }

    /// The same, long past its end.
    ///
    /// # Panics
    /// When they cannot be written, or `host` is none.
    pub fn issue_expired(&self, name: &str, host: &str) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(2001, 1, 1);
        self.write(name, params);
    }

    fn write(&self, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    }
}
