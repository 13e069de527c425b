//! Files that others read while we write them.

use std::{fs::Permissions, io, io::Write, os::unix::fs::PermissionsExt, path::Path};

/// Replaces a small file's content at once; readers see the old or the new, never a part. World-readable.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}
