//! What an image's manifest says.

use serde::Deserialize;
use serde_json::Value;

use super::Content;
use crate::core::{ApiError, LocalImage, error::invalid};

const MANIFEST_BYTES: usize = 64 * 1024;
/// Images of layers. They can be pushed and fetched; no process here can be made from them.
const LAYERED: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
];

/// A manifest that is well formed.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) content: Content,
    /// Digests of the layers that must be there, the configuration's among them.
    pub(super) layers: Vec<String>,
    /// Bytes of the layers, as the manifest claims.
    pub(super) size: u64,
}

impl Manifest {
    /// Reads the text of an `imageManifest`.
    ///
    /// # Errors
    /// `InvalidParameterException`; the message does not quote the text, which may hold an environment with secrets.
    pub(super) fn parse(text: &str, media_type: Option<&str>) -> Result<Self, ApiError> {
        if text.len() > MANIFEST_BYTES {
            return Err(bad(&format!("at most {MANIFEST_BYTES} bytes")));
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| bad(&format!("not JSON (line {})", error.line())))?;
        let named = value.get("mediaType").and_then(Value::as_str);
        if named.is_some() && media_type.is_some() && named != media_type {
            return Err(bad("mediaType differs from imageManifestMediaType"));
        }
        let media_type = media_type.or(named).unwrap_or_default();
        if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(bad("schemaVersion must be 2"));
        }
        if LAYERED.contains(&media_type) {
            return layered(&value, media_type);
        }
        if media_type != LocalImage::MEDIA_TYPE {
            return Err(bad(&format!(
                "its media type must be {} or one of {LAYERED:?}",
                LocalImage::MEDIA_TYPE
            )));
        }
        let image = LocalImage::deserialize(&value).map_err(|_| bad("not a local image"))?;
        let digest = image.executable.strip_prefix("sha256:");
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if !digest.is_some_and(|digest| digest.len() == 64 && digest.chars().all(hex)) {
            return Err(bad("executable must be sha256:<64 hex digits>"));
        }
        Ok(Self {
            media_type: media_type.to_owned(),
            content: Content::Executable(image),
            layers: Vec::new(),
            size: 0,
        })
    }
}

/// Source: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>
fn layered(value: &Value, media_type: &str) -> Result<Manifest, ApiError> {
    let config = value.get("config").into_iter();
    let layers = value.get("layers").and_then(Value::as_array);
    let layers = layers.ok_or_else(|| bad("layers are missing"))?;
    let mut manifest = Manifest {
        media_type: media_type.to_owned(),
        content: Content::Layers,
        layers: Vec::new(),
        size: 0,
    };
    for descriptor in config.chain(layers) {
        let digest = descriptor.get("digest").and_then(Value::as_str);
        let digest = digest.ok_or_else(|| bad("a layer without a digest"))?;
        manifest.layers.push(digest.to_owned());
        let size = descriptor.get("size").and_then(Value::as_u64).unwrap_or(0);
        manifest.size = manifest.size.saturating_add(size);
    }
    if manifest.layers.len() != layers.len() + 1 {
        return Err(bad("config is missing"));
    }
    Ok(manifest)
}

fn bad(what: &str) -> ApiError {
    invalid(format!(
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: {what}"
    ))
}
