//! Manifests in a directory.

use std::path::Path;

use super::{Named, Source, Texts};
use crate::manifest::{self, OUTPUTS, VALUES};

/// Reads all of it.
pub(super) fn texts(directory: &Path, source: &Source) -> Result<Texts, String> {
    let files = manifest::read_dir(directory).map_err(|error| error.to_string())?;
    Ok(Texts {
        files,
        ..beside(
            directory,
            source.terraform_outputs.as_deref(),
            source.values.as_deref(),
        )?
    })
}

/// What manifests refer to: the files that are named, or those beside them.
pub(super) fn beside(
    directory: &Path,
    terraform_outputs: Option<&Path>,
    values: Option<&Path>,
) -> Result<Texts, String> {
    let terraform = named_or_beside(terraform_outputs, directory, OUTPUTS)
        .map_err(|error| format!("{error}; write it with `terraform output -json > FILE`"))?;
    Ok(Texts {
        files: Vec::new(),
        terraform,
        values: named_or_beside(values, directory, VALUES)?,
    })
}

fn named_or_beside(
    named: Option<&Path>,
    directory: &Path,
    name: &str,
) -> Result<Option<Named>, String> {
    match named {
        Some(path) => read(path).map(Some),
        None => {
            let path = directory.join(name);
            path.is_file().then(|| read(&path)).transpose()
        }
    }
}

/// A file that must be there.
pub(super) fn read(path: &Path) -> Result<Named, String> {
    let name = path.display().to_string();
    match manifest::read_file(path) {
        Ok(text) => Ok(Named { name, text }),
        Err(error) => Err(format!("{name} {error}")),
    }
}
