//! TLS to the stores: rustls with ring, and always a server that is verified, by its chain and by its name.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Far above any bundle: that of RDS for all regions is below 200 KiB.
const MAX_BUNDLE: u64 = 4 << 20;

/// Why there are no CA certificates to trust. Follows the variable's name in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("names {path}, which cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("names {0}, which is not a regular file")]
    NotAFile(PathBuf),
    #[error("names {0}, which is larger than {MAX_BUNDLE} bytes")]
    TooLarge(PathBuf),
    #[error("names {0}, which has no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    Empty(PathBuf),
    #[error("names {path}, whose PEM text is broken after {good} certificates: {source}")]
    BrokenPem {
        path: PathBuf,
        good: usize,
        source: pem::Error,
    },
    #[error("names {path}, whose certificate number {number} cannot be read: {source}")]
    BrokenCertificate {
        path: PathBuf,
        number: usize,
        source: rustls::Error,
    },
}

/// Why the system's CA certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemRootsError {
    #[error("the system has no CA certificates")]
    None,
    #[error("the system's CA certificates cannot be read: {0}")]
    Unreadable(rustls_native_certs::Error),
}

/// A TLS client, version 1.2 or 1.3, that accepts only servers whose certificate leads to `roots`.
///
/// # Errors
///
/// When the TLS library refuses its own defaults.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    // The provider is named because a process-wide default could be another one.
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Trusts nobody.
pub(crate) fn no_roots() -> RootCertStore {
    RootCertStore::empty()
}

/// The certificates of a PEM file, all of which must be readable: one that is skipped would be missed much later.
pub(crate) fn bundle(path: &Path) -> Result<RootCertStore, BundleError> {
    let text = read(path)?;
    let path = || path.to_owned();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|source| BundleError::BrokenPem {
            path: path(),
            good: roots.len(),
            source,
        })?;
        let number = roots.len() + 1;
        roots
            .add(certificate)
            .map_err(|source| BundleError::BrokenCertificate {
                path: path(),
                number,
                source,
            })?;
    }
    if roots.is_empty() {
        return Err(BundleError::Empty(path()));
    }
    Ok(roots)
}

/// The system's: those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where these are set. Like everyone, skips what it cannot read.
pub(crate) fn system() -> Result<RootCertStore, SystemRootsError> {
    let mut found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(found
            .errors
            .pop()
            .map_or(SystemRootsError::None, SystemRootsError::Unreadable));
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, BundleError> {
    let unreadable = |source| BundleError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Asked before opening, which would wait for ever on a named pipe.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(BundleError::NotAFile(path.to_owned()));
    }
    let mut text = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_BUNDLE + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BUNDLE) {
        Ok(text)
    } else {
        Err(BundleError::TooLarge(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What a bundle with this text gives, with the path cut out of the message.
    fn bundle_of(text: &[u8]) -> Result<usize, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        bundle(file.path())
            .map(|roots| roots.len())
            .map_err(|error| {
                error
                    .to_string()
                    .replace(file.path().to_str().unwrap(), "FILE")
            })
    }

    fn certificate() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["ca".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_bundle_may_hold_many_certificates_and_words_between_them() {
        let text = format!("# one\n{}\n# two\n{}", certificate(), certificate());
        assert_eq!(bundle_of(text.as_bytes()), Ok(2));
    }

    #[test]
    fn a_bundle_without_a_certificate_is_refused() {
        let none = "names FILE, which has no PEM certificate (-----BEGIN CERTIFICATE-----)";
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for text in [&b""[..], b"\x30\x82\xff", key.as_bytes()] {
            assert_eq!(bundle_of(text).unwrap_err(), none);
        }
    }

    #[test]
    fn a_bundle_with_a_broken_certificate_is_refused() {
        let good = certificate();
        for (bad, expected) in [
            (&good[..good.len() / 2], "is broken after 1 certificates"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "certificate number 2 cannot be read",
            ),
        ] {
            let message = bundle_of(format!("{good}\n{bad}").as_bytes()).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_bundle_that_is_no_proper_file_is_refused() {
        let message = |path: &str| bundle(Path::new(path)).unwrap_err().to_string();
        assert!(message("/nowhere.pem").starts_with("names /nowhere.pem, which cannot be read: "));
        assert_eq!(message("/tmp"), "names /tmp, which is not a regular file");
        assert_eq!(
            message("/dev/zero"),
            "names /dev/zero, which is not a regular file"
        );
        let large = vec![b'#'; usize::try_from(MAX_BUNDLE).unwrap() + 1];
        assert_eq!(
            bundle_of(&large).unwrap_err(),
            "names FILE, which is larger than 4194304 bytes"
        );
    }
}
