//! A directory's manifests as text: the only place of this module that touches the file system.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::yaml::MAX_BYTES;

/// The most files in a set.
pub const MAX_FILES: usize = 1_000;
/// The values file beside the manifests.
pub const VALUES: &str = "values.yaml";
/// Terraform's outputs beside the manifests.
pub const OUTPUTS: &str = "terraform.json";

/// One file, or why it could not be read.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as a person would write it: the directory as given, then the file's name.
    pub name: String,
    /// The whole text.
    pub text: Result<String, FileError>,
}

/// One file could not be read; the others can.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system said no.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// More than 1 MiB.
    #[error("has {size} bytes, more than {MAX_BYTES}: split it into several files")]
    TooLarge {
        /// Bytes.
        size: u64,
    },
    /// Not text.
    #[error("is not UTF-8 text (at byte {at})")]
    NotText {
        /// How many bytes are text.
        at: usize,
    },
    /// A symbolic link to somewhere else.
    #[error("is a link that leaves the directory: put the file itself there")]
    Outside,
    /// A directory, a pipe, a device.
    #[error("is not a file")]
    NotAFile,
    /// An object whose key could mislead, on a terminal or as a path.
    #[error("has a name that is refused: use letters, digits and `-_.`")]
    BadName,
    /// S3 does not hand it out.
    #[error("cannot be read: {0}")]
    Refused(String),
}

/// The directory as a whole could not be read; the set in use stays.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The system said no.
    #[error("cannot read the manifests in {}: {source}", directory.display())]
    Io {
        /// The directory as given.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More files than a set may have.
    #[error("{} has more than {MAX_FILES} manifests", directory.display())]
    TooMany {
        /// The directory as given.
        directory: PathBuf,
    },
}

/// Reads every manifest of a directory, by name; not those below it.
///
/// A symbolic link to the directory's own files, or within it (as Kubernetes mounts a ConfigMap), is followed.
///
/// # Errors
/// The directory cannot be read. A file that cannot be read is in the result, with its reason.
pub fn read_dir(directory: &Path) -> Result<Vec<SourceFile>, ReadError> {
    let failed = |source| ReadError::Io {
        directory: directory.to_owned(),
        source,
    };
    let root = fs::canonicalize(directory).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_manifest(entry.file_name()) {
            paths.push(entry.path());
        }
        if paths.len() > MAX_FILES {
            return Err(ReadError::TooMany {
                directory: directory.to_owned(),
            });
        }
    }
    paths.sort_unstable();
    Ok(paths
        .into_iter()
        .map(|path| SourceFile {
            name: path.display().to_string(),
            text: within(&root, &path).and_then(|()| read_file(&path)),
        })
        .collect())
}

/// Reads one file, bounded.
///
/// # Errors
/// It is no file, too large, not text, or the system said no.
pub fn read_file(path: &Path) -> Result<String, FileError> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    let limit = MAX_BYTES as u64;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooLarge {
            size: metadata.len().max(limit + 1),
        });
    }
    text_of(bytes)
}

/// A file's content as text.
///
/// # Errors
/// It is not UTF-8.
pub fn text_of(bytes: Vec<u8>) -> Result<String, FileError> {
    String::from_utf8(bytes).map_err(|error| FileError::NotText {
        at: error.utf8_error().valid_up_to(),
    })
}

fn within(root: &Path, path: &Path) -> Result<(), FileError> {
    match fs::canonicalize(path)?.starts_with(root) {
        true => Ok(()),
        false => Err(FileError::Outside),
    }
}

/// Whether a file of this name is a manifest: `*.yaml` and `*.yml`, but neither hidden ones nor the values file.
pub fn is_manifest(name: impl AsRef<OsStr>) -> bool {
    let name = Path::new(&name);
    let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
    let extension = name.extension().and_then(OsStr::to_str);
    !hidden && name != Path::new(VALUES) && matches!(extension, Some("yaml" | "yml"))
}
