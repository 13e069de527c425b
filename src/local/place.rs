//! Where a store's files lie and which user owns them: PostgreSQL refuses to run as root.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::files::{FilesError, Lock, io_error};

/// As root, stores live here: an unprivileged user cannot get through a home of mode 700.
const ROOTS_PLACES: &str = "/var/lib/evenkeel-local";
/// Who stores run as when we are root, the first that exists.
const SERVANTS: [&str; 2] = ["postgres", "nobody"];
/// Temporary places begin like this, and are swept by this name.
const TEMPORARY: &str = "evenkeel-data-";
/// Beside a lasting place lies a file with this extension that names its state directory.
const BELONGS_TO: &str = "belongs-to";

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    /// Root, but nobody to run as.
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as"
    )]
    NoServant,
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A directory of mode 700, owned by whoever the stores in it run as.
#[derive(Debug, Clone)]
pub(super) struct Place {
    dir: PathBuf,
    servant: Option<Servant>,
}

#[derive(Debug, Clone, Copy)]
struct Servant {
    uid: u32,
    gid: u32,
}

impl Place {
    /// The lasting place that belongs to a state directory.
    pub(super) fn lasting(state: &Path) -> Result<Self, PlaceError> {
        let servant = servant()?;
        let dir = match servant {
            None => state.join("stores"),
            Some(_) => root_s_place_of(&roots_places()?, state)?,
        };
        match make(&dir, servant) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self { dir, servant }),
            made => made
                .map_err(io_error("create", &dir))
                .map(|()| Self { dir, servant })
                .map_err(PlaceError::from),
        }
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a directory in it with the same owner.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf, FilesError> {
        let dir = self.dir.join(name);
        make(&dir, self.servant).map_err(io_error("create", &dir))?;
        Ok(dir)
    }

    /// Hands a file to the owner.
    pub(super) fn give(&self, path: &Path) -> Result<(), FilesError> {
        match self.servant {
            None => Ok(()),
            Some(Servant { uid, gid }) => {
                chown(path, Some(uid), Some(gid)).map_err(io_error("give away", path))
            }
        }
    }

    /// A command that runs in the place as its owner, with nothing of our environment but the path.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .env_clear()
            .env("LC_ALL", "C");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(Servant { uid, gid }) = self.servant {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// A place that is removed in the end, and locked until then.
#[derive(Debug)]
pub(super) struct Temporary {
    /// Ours alone: a store must not be able to write the record of processes that we end.
    dir: PathBuf,
    place: Place,
    _lock: Lock,
}

impl Temporary {
    /// Makes a place. Its lock tells the living from the dead: see [`Temporary::abandoned`].
    pub(super) fn new() -> Result<Self, PlaceError> {
        let servant = servant()?;
        if servant.is_some() {
            sweep(&roots_places()?);
        }
        let parent = temporaries(servant)?;
        let dir = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempdir_in(&parent)
            .map_err(io_error("create a directory in", &parent))?
            .keep();
        if servant.is_some() {
            fs::set_permissions(&dir, Permissions::from_mode(0o711))
                .map_err(io_error("open up", &dir))?;
        }
        let this = Self::locked(dir, servant)?;
        make(&this.place.dir, servant).map_err(io_error("create", &this.place.dir))?;
        Ok(this)
    }

    /// Places whose makers were killed, locked by us now.
    pub(super) fn abandoned() -> Result<Vec<Self>, PlaceError> {
        let servant = servant()?;
        let parent = temporaries(servant)?;
        let found = fs::read_dir(&parent).map_err(io_error("read", &parent))?;
        Ok(found
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
            .filter(|entry| {
                entry
                    .metadata()
                    .is_ok_and(|dir| dir.is_dir() && dir.uid() == Uid::effective().as_raw())
            })
            .filter(|entry| entry.path().join("lock").exists())
            .filter_map(|entry| Self::locked(entry.path(), servant).ok())
            .collect())
    }

    fn locked(dir: PathBuf, servant: Option<Servant>) -> Result<Self, FilesError> {
        let lock = Lock::take(&dir)?;
        let place = Place {
            dir: dir.join("stores"),
            servant,
        };
        Ok(Self {
            dir,
            place,
            _lock: lock,
        })
    }

    /// The place itself.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The record of processes.
    pub(super) fn processes(&self) -> PathBuf {
        self.dir.join("processes.json")
    }

    /// The output of one child.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// Removes the place with all that is in it.
    pub(super) fn remove(self) -> Result<(), FilesError> {
        fs::remove_dir_all(&self.dir).map_err(io_error("remove", &self.dir))
    }
}

fn temporaries(servant: Option<Servant>) -> Result<PathBuf, FilesError> {
    match servant {
        None => Ok(std::env::temp_dir()),
        Some(_) => roots_places(),
    }
}

fn roots_places() -> Result<PathBuf, FilesError> {
    let dir = PathBuf::from(ROOTS_PLACES);
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&dir)
        .map_err(io_error("create", &dir))?;
    Ok(dir)
}

/// A place under `places` that a state directory is written beside, so that it can be swept when that is gone.
fn root_s_place_of(places: &Path, state: &Path) -> Result<PathBuf, FilesError> {
    sweep(places);
    let dir = places.join(&hash(state)[..16]);
    let belongs_to = dir.with_extension(BELONGS_TO);
    fs::write(&belongs_to, state.as_os_str().as_encoded_bytes())
        .map_err(io_error("write", &belongs_to))?;
    Ok(dir)
}

/// Removes the places of state directories that are gone. What cannot be removed now is tried again the next time.
fn sweep(places: &Path) {
    let entries = fs::read_dir(places).into_iter().flatten().flatten();
    let markers = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == BELONGS_TO));
    for marker in markers {
        let Ok(state) = fs::read(&marker) else {
            continue;
        };
        if Path::new(OsStr::from_bytes(&state)).exists() {
            continue;
        }
        let dir = marker.with_extension("");
        let is_gone = match fs::remove_dir_all(&dir) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_gone {
            let _tried_again_otherwise = fs::remove_file(&marker);
        }
    }
}

fn make(dir: &Path, servant: Option<Servant>) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(dir)?;
    match servant {
        None => Ok(()),
        Some(Servant { uid, gid }) => chown(dir, Some(uid), Some(gid)),
    }
}

fn servant() -> Result<Option<Servant>, PlaceError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    SERVANTS
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| {
            Some(Servant {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            })
        })
        .ok_or(PlaceError::NoServant)
}

fn hash(path: &Path) -> String {
    hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_goes_with_its_state_directory() {
        let places = tempfile::tempdir().unwrap();
        let [kept, gone] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [of_kept, of_gone] = [&kept, &gone].map(|state| {
            let dir = root_s_place_of(places.path(), state.path()).unwrap();
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("data"), "rows").unwrap();
            dir
        });
        gone.close().unwrap();
        sweep(places.path());
        assert!(of_kept.join("data").exists() && !of_gone.exists());
        assert_eq!(
            fs::read_dir(places.path()).unwrap().count(),
            2,
            "the kept one and its name"
        );
    }
}
