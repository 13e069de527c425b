//! The state directory: what lies where in it, its lock, and writing that leaves nothing half-made.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What can go wrong with the state directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    /// Another process holds the directory.
    #[error("{} is in use by {}", dir.display(), holder(*pid))]
    InUse {
        /// The state directory.
        dir: PathBuf,
        /// The holder, when it has written itself down.
        pid: Option<u32>,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// A verb.
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

impl FilesError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::InUse { pid, .. } => Some(format!(
                "end it first{}, or choose another directory with --state or EVENKEEL_STATE",
                pid.map(|pid| format!(" (kill {pid})")).unwrap_or_default()
            )),
            Self::Io { .. } => None,
        }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

/// Attaches what was being done to an I/O error.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError::Io {
        doing,
        path,
        source,
    }
}

/// A state directory. Its path is absolute, so that children may work elsewhere.
#[derive(Debug, Clone)]
pub(super) struct State {
    dir: PathBuf,
}

impl State {
    /// The directory as it is; it need not exist.
    pub(super) fn at(dir: &Path) -> Result<Self, FilesError> {
        let dir = std::path::absolute(dir).map_err(io_error("find", dir))?;
        Ok(Self { dir })
    }

    /// The directory, made when it is missing.
    pub(super) fn create(dir: &Path) -> Result<Self, FilesError> {
        let state = Self::at(dir)?;
        for dir in [state.dir.clone(), state.dir.join("logs")] {
            fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        }
        Ok(state)
    }

    /// The directory itself.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The executables of images, under `sha256/<hex>`.
    pub(super) fn images(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// Where the emulator says where it listens.
    pub(super) fn aws(&self) -> PathBuf {
        self.dir.join("aws.json")
    }

    /// The processes of tasks, as the emulator writes them down.
    pub(super) fn tasks(&self) -> PathBuf {
        self.dir.join("tasks.pids")
    }

    /// The values behind the secrets' ARNs. Mode 600.
    pub(super) fn secrets(&self) -> PathBuf {
        self.dir.join("secrets.json")
    }

    /// What `terraform output -json` would print.
    pub(super) fn terraform(&self) -> PathBuf {
        self.dir.join("terraform.json")
    }

    /// The addresses of everything that runs.
    pub(super) fn endpoints(&self) -> PathBuf {
        self.dir.join("endpoints.json")
    }

    /// The processes that were started from here.
    pub(super) fn processes(&self) -> PathBuf {
        self.dir.join("processes.json")
    }

    /// The output of one child.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Removes the last run's logs: whoever fails silently must not be explained by an older failure.
    pub(super) fn clear_logs(&self) -> Result<(), FilesError> {
        let logs = self.dir.join("logs");
        for log in fs::read_dir(&logs)
            .map_err(io_error("read", &logs))?
            .flatten()
        {
            remove(&log.path())?;
        }
        Ok(())
    }

    /// Takes the directory for this process, until the lock is dropped.
    pub(super) fn lock(&self) -> Result<Lock, FilesError> {
        Lock::take(&self.dir)
    }
}

/// Holds a directory. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `dir/lock` and writes this process's id into it.
    pub(super) fn take(dir: &Path) -> Result<Self, FilesError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path)
                    .ok()
                    .and_then(|text| text.trim().parse().ok());
                let dir = dir.to_owned();
                return Err(FilesError::InUse { dir, pid });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io_error("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Replaces a file as a whole: a reader sees the old content or the new one.
pub(super) fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), FilesError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    tempfile::NamedTempFile::new_in(dir)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.as_file()
                .set_permissions(Permissions::from_mode(mode))?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        })
        .map_err(io_error("write", path))
}

/// Writes a value as JSON, for people too.
pub(super) fn write_json<T: serde::Serialize>(
    path: &Path,
    value: &T,
    mode: u32,
) -> Result<(), FilesError> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(io::Error::from)
        .map_err(io_error("write", path))?;
    write_atomically(path, &text, mode)
}

/// Reads a JSON file; `None` when there is none.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<Option<T>, FilesError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(io_error("read", path))?,
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(io::Error::from)
        .map_err(io_error("read", path))
}

/// Removes a file that may be missing.
pub(super) fn remove(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(io_error("remove", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_first_holder() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::create(dir.path()).unwrap();
        let lock = state.lock().unwrap();
        let refusal = state.lock().unwrap_err();
        assert!(
            matches!(refusal, FilesError::InUse { pid: Some(pid), .. } if pid == std::process::id())
        );
        assert!(refusal.help().unwrap().contains("EVENKEEL_STATE"));
        drop(lock);
        state.lock().unwrap();
    }

    #[test]
    fn secrets_are_written_for_the_owner_alone_and_leave_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.json");
        write_json(&path, &serde_json::json!({"a": 1}), 0o600).unwrap();
        write_json(&path, &serde_json::json!({"a": 2}), 0o600).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let back: Option<serde_json::Value> = read_json(&path).unwrap();
        assert_eq!(back.unwrap()["a"], 2);
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_one_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        assert!(read_json::<serde_json::Value>(&path).unwrap().is_none());
        fs::write(&path, "{").unwrap();
        assert!(read_json::<serde_json::Value>(&path).is_err());
    }
}
