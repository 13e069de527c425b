//! Certificate authorities of a test's own, and the servers' certificates that they sign.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;
use uuid::Uuid;

/// A certificate authority, and a directory with what it made.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: TempDir,
}

/// A server's certificate and its key, as PEM files that live as long as their authority.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// When a certificate is, or was, valid.
#[derive(Clone, Copy)]
pub(crate) enum Validity {
    Now,
    LongAgo,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // A name of its own: two authorities of one name differ by signature only, which reads as `BadSignature`.
        let name = format!("authority {}", Uuid::new_v4());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let directory = tempfile::Builder::new()
            .prefix("api-ca-")
            .tempdir_in("/tmp")
            .unwrap();
        std::fs::write(directory.path().join("ca.pem"), root.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            directory,
        }
    }

    /// The file that makes this authority trusted.
    pub(crate) fn bundle(&self) -> String {
        let path = self.directory.path().join("ca.pem");
        path.to_str().unwrap().to_owned()
    }

    /// A certificate for a DNS name or an IP address.
    pub(crate) fn issue(&self, name: &str, validity: Validity) -> Certificate {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if matches!(validity, Validity::LongAgo) {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let serial = std::fs::read_dir(self.directory.path()).unwrap().count();
        let write = |kind: &str, pem: String| {
            let path = self.directory.path().join(format!("{serial}.{kind}.pem"));
            std::fs::write(&path, pem).unwrap();
            path
        };
        Certificate {
            chain: write("chain", signed.pem()),
            key: write("key", key.serialize_pem()),
        }
    }
}
