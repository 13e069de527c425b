//! Images: an executable on this machine, and a manifest in the registry that names it by its digest.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use emulator::core::LocalImage;
use sha2::{Digest, Sha256};

use super::{
    cloud::{CloudError, create_repository},
    files::{FilesError, io_error},
};
use crate::aws::Clients;

/// Why an image was not pushed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    /// The file cannot be what a task runs.
    #[error("{} is not an executable file", .0.display())]
    NotExecutable(PathBuf),
    /// The registry refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// `NAME:TAG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The repository's name.
    pub(super) repository: String,
    /// The tag.
    pub(super) tag: String,
}

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((repository, tag))
                if !repository.is_empty() && !tag.is_empty() && !tag.contains('/') =>
            {
                Ok(Self {
                    repository: repository.to_owned(),
                    tag: tag.to_owned(),
                })
            }
            _ => Err("an image is NAME:TAG, such as api:1.0.0"),
        }
    }
}

/// Stores an executable among the images' blobs, once, and returns its `sha256:<hex>`.
pub(super) fn store(blobs: &Path, executable: &Path) -> Result<String, ImageError> {
    let open = || File::open(executable).map_err(io_error("open", executable));
    let metadata = fs::metadata(executable).map_err(io_error("open", executable))?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(ImageError::NotExecutable(executable.to_owned()));
    }
    let dir = blobs.join("sha256");
    fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
    // It is hashed while it is copied, so that a build that replaces it meanwhile cannot come between.
    let mut copy = tempfile::NamedTempFile::new_in(&dir).map_err(io_error("write in", &dir))?;
    let hex = copy_and_hash(open()?, copy.as_file_mut()).map_err(io_error("copy", executable))?;
    let blob = dir.join(&hex);
    if !blob.exists() {
        copy.as_file()
            .set_permissions(Permissions::from_mode(0o755))
            .map_err(io_error("write", &blob))?;
        copy.persist(&blob)
            .map_err(|error| io_error("write", &blob)(error.error))?;
    }
    Ok(format!("sha256:{hex}"))
}

fn copy_and_hash(mut from: impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
            return Ok(hex::encode(hasher.finalize()));
        };
        hasher.update(chunk);
        to.write_all(chunk)?;
    }
}

/// Pushes an image whose executable is stored already; returns `REPOSITORY-URI@DIGEST`.
pub(super) async fn push(
    clients: &Clients,
    reference: &Reference,
    executable: String,
    env: BTreeMap<String, String>,
    args: Vec<String>,
) -> Result<String, ImageError> {
    const PUT: &str = "PutImage";
    let uri = create_repository(clients, &reference.repository).await?;
    let manifest = manifest(executable, env, args)?;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&manifest)));
    let put = clients
        .ecr
        .put_image()
        .repository_name(&reference.repository)
        .image_tag(&reference.tag)
        .image_manifest(manifest)
        .image_manifest_media_type(LocalImage::MEDIA_TYPE)
        .send()
        .await;
    match put {
        Ok(_) => {}
        // The very same image under the very same tag.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_image_already_exists_exception()) => {}
        Err(error) => return Err(CloudError::new(PUT, error).into()),
    }
    Ok(format!("{uri}@{digest}"))
}

/// One text for one image: members in the type's order, the environment sorted, no spaces.
fn manifest(
    executable: String,
    env: BTreeMap<String, String>,
    args: Vec<String>,
) -> Result<String, FilesError> {
    let image = LocalImage {
        schema_version: 2,
        media_type: LocalImage::MEDIA_TYPE.to_owned(),
        executable,
        env,
        args,
    };
    serde_json::to_string(&image)
        .map_err(io::Error::from)
        .map_err(io_error("encode", Path::new("the image's manifest")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_name_and_tag() {
        let reference: Reference = "team/api:1.0.0".parse().unwrap();
        assert_eq!(
            (reference.repository.as_str(), reference.tag.as_str()),
            ("team/api", "1.0.0")
        );
        for wrong in ["api", "api:", ":1", "host:80/api", ""] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_executable_is_stored_once_under_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(matches!(
            store(dir.path(), &script),
            Err(ImageError::NotExecutable(_))
        ));
        fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();

        let digest = store(dir.path(), &script).unwrap();
        assert_eq!(store(dir.path(), &script).unwrap(), digest);
        let hex = digest.strip_prefix("sha256:").unwrap();
        assert_eq!(hex, hex::encode(Sha256::digest("#!/bin/sh\n")));
        let blobs: Vec<_> = fs::read_dir(dir.path().join("sha256"))
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(blobs.len(), 1);
        assert_eq!(
            blobs[0].metadata().unwrap().permissions().mode() & 0o777,
            0o755
        );
    }

    #[test]
    fn the_manifest_is_canonical() {
        let env = BTreeMap::from([
            ("B".to_owned(), "2".to_owned()),
            ("A".to_owned(), "1".to_owned()),
        ]);
        let text = manifest("sha256:00".into(), env, vec!["serve".into()]).unwrap();
        assert_eq!(
            text,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.evenkeel.local-image.v1+json","executable":"sha256:00","env":{"A":"1","B":"2"},"args":["serve"]}"#
        );
    }
}
