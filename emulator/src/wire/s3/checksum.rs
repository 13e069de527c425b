//! The checksums that a content may come with:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.

use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::{CrcAlgorithm, checksum};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::error;
use crate::core::ApiError;

const PREFIX: &str = "x-amz-checksum-";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// That of `x-amz-checksum-…`; `None` for one that is not known here.
    pub(super) fn of_header(name: &str) -> Option<Self> {
        Self::of_name(name.strip_prefix(PREFIX)?)
    }

    /// By its name in lower case.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "crc32" => Some(Self::Crc32),
            "crc32c" => Some(Self::Crc32c),
            "crc64nvme" => Some(Self::Crc64Nvme),
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn of(self, content: &[u8]) -> Vec<u8> {
        // The lower half of what is handed out as 64 bits.
        let crc32 = |algorithm| {
            let bytes = checksum(algorithm, content).to_be_bytes();
            bytes.into_iter().skip(4).collect()
        };
        match self {
            Self::Crc32 => crc32(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => crc32(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => checksum(CrcAlgorithm::Crc64Nvme, content)
                .to_be_bytes()
                .to_vec(),
            Self::Sha1 => Sha1::digest(content).to_vec(),
            Self::Sha256 => Sha256::digest(content).to_vec(),
        }
    }

    /// Whether a content is the one that a checksum in Base64 was made of.
    ///
    /// # Errors
    /// `BadDigest` when it is not, `InvalidRequest` when the text is no checksum of this kind.
    pub(super) fn check(self, content: &[u8], text: &str) -> Result<(), ApiError> {
        let computed = self.of(content);
        let given = STANDARD.decode(text.trim()).ok();
        match given.filter(|given| given.len() == computed.len()) {
            None => Err(error(
                400,
                "InvalidRequest",
                format!("Value for {PREFIX}… ({self:?}) header is invalid."),
            )),
            Some(given) if given == computed => Ok(()),
            Some(_) => Err(error(
                400,
                "BadDigest",
                format!("The {self:?} you specified did not match the calculated checksum."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogues of CRCs, and of FIPS 180 by `sha1sum` and `sha256sum`.
    #[test]
    fn checksums_are_the_published_ones() {
        for (name, hex) in [
            ("crc32", "cbf43926"),
            ("crc32c", "e3069283"),
            ("crc64nvme", "ae8b14860a799888"),
            ("sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (
                "sha256",
                "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
            ),
        ] {
            let algorithm = Algorithm::of_header(&format!("x-amz-checksum-{name}")).unwrap();
            let text = STANDARD.encode(hex::decode(hex).unwrap());
            assert_eq!(algorithm.check(b"123456789", &text), Ok(()), "{name}");
            let other = algorithm.check(b"12345678", &text);
            assert_eq!(other.unwrap_err().code, "BadDigest");
            for junk in ["", "AA==", "?"] {
                let refused = algorithm.check(b"123456789", junk).unwrap_err();
                assert_eq!(refused.code, "InvalidRequest");
            }
        }
        assert_eq!(Algorithm::of_header("x-amz-checksum-md6"), None);
        assert_eq!(Algorithm::of_header("crc32"), None);
    }
}
