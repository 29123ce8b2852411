//! Certificates are loaded, judged, exchanged and kept.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use super::*;

struct Place {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Place {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    fn files(&self) -> Files {
        Files {
            certificate: self.folder.path().join("server.pem"),
            key: self.folder.path().join("server.key"),
            clients: None,
        }
    }

    /// Writes a new certificate with its key.
    fn issue(&self, files: &Files) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }
}

#[test]
fn s3_8_a_new_certificate_is_used_and_a_bad_one_leaves_the_old() {
    let place = Place::new();
    let files = place.files();
    place.issue(&files);
    let certificates = Certificates::open(files.clone()).unwrap();
    assert!(matches!(certificates.look(), Looked::Same));
    let first = certificates.current();

    place.issue(&files);
    assert!(matches!(certificates.look(), Looked::Exchanged));
    let second = certificates.current();
    assert!(!Arc::ptr_eq(&first.config, &second.config));

    let other = KeyPair::generate().unwrap().serialize_pem();
    for (path, text) in [
        (&files.key, other.as_str()),
        (&files.key, "nonsense"),
        (&files.certificate, ""),
    ] {
        fs::write(path, text).unwrap();
        assert!(matches!(certificates.look(), Looked::Bad(_)), "{text}");
        assert!(matches!(certificates.look(), Looked::Same), "told of once");
    }
    fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(certificates.look(), Looked::Bad(_)));
    assert!(matches!(certificates.look(), Looked::Same), "told of once");
    assert!(Arc::ptr_eq(&certificates.current().config, &second.config));

    place.issue(&files);
    assert!(matches!(certificates.look(), Looked::Exchanged));
}

#[test]
fn s3_8_a_server_does_not_start_with_a_key_of_another_certificate() {
    let place = Place::new();
    let files = place.files();
    place.issue(&files);
    assert!(files.check().is_ok());
    fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(Certificates::open(files.clone()).is_err());
    let clients = place.folder.path().join("none.pem");
    fs::write(&clients, "").unwrap();
    place.issue(&files);
    let files = Files {
        clients: Some((clients, ClientAuth::Required)),
        ..files
    };
    assert!(files.check().is_err(), "no authority could sign a client");
}

#[test]
fn s3_8_the_names_of_a_client_are_those_in_its_certificate() {
    let place = Place::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["gw.example".to_owned()]).unwrap();
    let uri = "spiffe://example/gw".try_into().unwrap();
    params.subject_alt_names.push(SanType::URI(uri));
    params
        .subject_alt_names
        .push(SanType::IpAddress("192.0.2.1".parse().unwrap()));
    params
        .distinguished_name
        .push(DnType::CommonName, "gateway 1");
    let certificate = params.signed_by(&key, &place.authority).unwrap();
    assert_eq!(
        names_of(certificate.der()),
        ["gw.example", "spiffe://example/gw", "gateway 1"]
    );
    assert!(names_of(&CertificateDer::from(vec![0x30, 0x80, 0xff])).is_empty());
}
