//! Layers of images, as far as pushing an image needs them: they arrive in parts and their digests are checked.
//! Nothing here can fetch a layer again, so their bytes are not kept.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::CODE;
use crate::core::{
    ApiError, Cloud, Reply,
    error::{fault, invalid, limit},
    input::Input,
};

/// The size of parts that a client is told to send; every part but the last must be as large. Source:
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html>
const PART: u64 = 5 * 1024 * 1024;
const UPLOADS: usize = 100;
const LAYERS: usize = 10_000;

/// The layers of one repository, and those on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    /// Sizes in bytes by digest.
    there: BTreeMap<String, u64>,
    /// By id.
    uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Clone, Default)]
struct Upload {
    hash: Sha256,
    /// Bytes so far.
    received: u64,
    /// A part came that was too small to be followed by another.
    ended: bool,
}

impl Layers {
    pub(super) fn contains(&self, digest: &str) -> bool {
        self.there.contains_key(digest)
    }

    fn upload_mut(&mut self, id: &str) -> Result<&mut Upload, ApiError> {
        self.uploads.get_mut(id).ok_or_else(|| missing_upload(id))
    }
}

impl Cloud {
    pub(super) fn batch_check_layers(&self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryName", "layerDigests"];
        let input = Input::new(input, CODE, &members)?;
        let (_, repository) = self.repository(&input)?;
        let digests = digests(&input)?;
        let (mut layers, mut failures) = (Vec::new(), Vec::new());
        for digest in digests {
            if !is_digest(digest) {
                failures.push(json!({
                    "layerDigest": digest,
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": "Invalid parameter at 'layerDigest' failed to satisfy constraint: 'must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''",
                }));
                continue;
            }
            layers.push(match repository.layers.there.get(digest) {
                Some(size) => json!({
                    "layerDigest": digest,
                    "layerAvailability": "AVAILABLE",
                    "layerSize": size,
                }),
                None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
            });
        }
        Ok(json!({ "layers": layers, "failures": failures }))
    }

    pub(super) fn initiate_layer_upload(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let input = Input::new(input, CODE, &["registryId", "repositoryName"])?;
        let id = self.ids.uuid();
        let (_, repository) = self.repository_mut(&input)?;
        let layers = &mut repository.layers;
        if layers.uploads.len() >= UPLOADS {
            return Err(limit(
                "The emulator holds at most 100 uploads per repository.",
            ));
        }
        layers.uploads.insert(id.clone(), Upload::default());
        Ok(json!({ "uploadId": id, "partSize": PART }))
    }

    pub(super) fn upload_layer_part(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let members = [
            "registryId",
            "repositoryName",
            "uploadId",
            "partFirstByte",
            "partLastByte",
            "layerPartBlob",
        ];
        let input = Input::new(input, CODE, &members)?;
        let account = self.ids.account.clone();
        let bytes = BASE64_STANDARD
            .decode(input.need("layerPartBlob")?)
            .map_err(|_| invalid("layerPartBlob is not base64."))?;
        let (first, last) = (input.int("partFirstByte")?, input.int("partLastByte")?);
        let id = input.need("uploadId")?;
        let (name, repository) = self.repository_mut(&input)?;
        let upload = repository.layers.upload_mut(id)?;
        let size = bytes.len() as u64;
        let expected = (upload.received, (upload.received + size).saturating_sub(1));
        let given = |at: Option<i64>| at.and_then(|at| u64::try_from(at).ok());
        if size == 0 || (given(first), given(last)) != (Some(expected.0), Some(expected.1)) {
            return Err(fault(
                "InvalidLayerPartException",
                format!(
                    "The layer part must begin at byte {} and its length must be partLastByte - partFirstByte + 1.",
                    upload.received
                ),
            ));
        }
        if upload.ended {
            return Err(fault(
                "InvalidLayerPartException",
                format!("Every part but the last must have at least {PART} bytes."),
            ));
        }
        upload.hash.update(&bytes);
        upload.received += size;
        upload.ended = size < PART;
        Ok(json!({
            "registryId": account,
            "repositoryName": name,
            "uploadId": id,
            "lastByteReceived": expected.1,
        }))
    }

    pub(super) fn complete_layer_upload(&mut self, input: &Value) -> Result<Reply, ApiError> {
        let members = ["registryId", "repositoryName", "uploadId", "layerDigests"];
        let input = Input::new(input, CODE, &members)?;
        let account = self.ids.account.clone();
        let claimed = digests(&input)?;
        let id = input.need("uploadId")?;
        let (name, repository) = self.repository_mut(&input)?;
        let layers = &mut repository.layers;
        let upload = layers.upload_mut(id)?;
        if upload.received == 0 {
            return Err(fault(
                "EmptyUploadException",
                "The specified layer upload does not contain any layer parts.",
            ));
        }
        let digest = format!("sha256:{}", hex::encode(upload.hash.clone().finalize()));
        let size = upload.received;
        if !claimed.contains(&digest.as_str()) {
            return Err(fault(
                "InvalidLayerException",
                format!(
                    "The digest of the uploaded layer is {digest}, which is none of those given."
                ),
            ));
        }
        if layers.contains(&digest) {
            return Err(fault(
                "LayerAlreadyExistsException",
                format!("The layer {digest} already exists in the repository {name}."),
            ));
        }
        if layers.there.len() >= LAYERS {
            return Err(limit(
                "The emulator holds at most 10000 layers per repository.",
            ));
        }
        layers.uploads.remove(id);
        layers.there.insert(digest.clone(), size);
        Ok(json!({
            "registryId": account,
            "repositoryName": name,
            "uploadId": id,
            "layerDigest": digest,
        }))
    }
}

fn digests<'a>(input: &Input<'a>) -> Result<Vec<&'a str>, ApiError> {
    let digests = input.texts("layerDigests")?;
    if digests.is_empty() || digests.len() > 100 {
        return Err(invalid("layerDigests must have 1 to 100 elements."));
    }
    Ok(digests)
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        let word = |c: char| c.is_ascii_alphanumeric() || "-_+.".contains(c);
        !algorithm.is_empty()
            && algorithm.chars().all(word)
            && !hex.is_empty()
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

fn missing_upload(id: &str) -> ApiError {
    fault(
        "UploadNotFoundException",
        format!("The upload with id '{id}' does not exist."),
    )
}
