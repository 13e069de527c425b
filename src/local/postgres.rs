//! A private PostgreSQL: found, initialised once, started on loopback.

use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    child::{ChildError, Household, Plan},
    files::{FilesError, io_error, write_atomically},
    place::Place,
    ports::{PortError, Reserved},
    process::Farewell,
    store_url::StoreUrl,
};

const OLDEST: u32 = 15;
const DEBIANS: &str = "/usr/lib/postgresql";
const ROLE: &str = "evenkeel";
const READY_WITHIN: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostgresError {
    /// None is installed, or none that is new enough.
    #[error(
        "PostgreSQL {OLDEST} or newer is not installed: no `initdb` in {DEBIANS}/*/bin or on the PATH"
    )]
    Missing,
    /// The data were made by another version.
    #[error("the data in {} were made by PostgreSQL {made_by}, which is not installed", data.display())]
    OtherVersion {
        /// The data directory.
        data: PathBuf,
        /// The version that made it.
        made_by: String,
    },
    /// It runs, but does not become ready.
    #[error("PostgreSQL was not ready within {} s", READY_WITHIN.as_secs())]
    NotReady {
        /// Its output.
        log: PathBuf,
    },
    /// No port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// It could not be started or ended.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The system refused.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl PostgresError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Missing => Some("run scripts/setup".into()),
            Self::OtherVersion { data, made_by } => Some(format!(
                "install PostgreSQL {made_by}, or give the data up: rm -r {}",
                data.parent().unwrap_or(data).display()
            )),
            Self::NotReady { log } => Some(format!("see {}", log.display())),
            Self::Port(error) => error.help(),
            Self::Child(error) => error.help(),
            Self::Files(error) => error.help(),
        }
    }
}

/// How much the data are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// They survive the run.
    Lasting,
    /// They go with the run: nothing need reach the disk.
    Temporary,
}

/// An installed PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    bin: PathBuf,
    version: u32,
}

impl Installation {
    /// The newest one that is new enough.
    pub(super) fn find() -> Result<Self, PostgresError> {
        Self::all()
            .into_iter()
            .max_by_key(|found| found.version)
            .ok_or(PostgresError::Missing)
    }

    fn all() -> Vec<Self> {
        let debians = fs::read_dir(DEBIANS)
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        debians
            .chain(std::env::split_paths(&path))
            .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
            .filter_map(|bin| {
                let output = std::process::Command::new(bin.join("postgres"))
                    .arg("--version")
                    .output()
                    .ok()?;
                let version = major(&String::from_utf8_lossy(&output.stdout))?;
                Some(Self { bin, version })
            })
            .filter(|found| found.version >= OLDEST)
            .collect()
    }

    /// The one that made the data, if there are any yet; the newest otherwise.
    fn for_data(data: &Path) -> Result<Self, PostgresError> {
        let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) else {
            return Self::find();
        };
        let made_by = made_by.trim().to_owned();
        Self::all()
            .into_iter()
            .find(|found| found.version.to_string() == made_by)
            .ok_or(PostgresError::OtherVersion {
                data: data.to_owned(),
                made_by,
            })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Starts a PostgreSQL whose files lie in `place` and returns its address, for a superuser.
pub(super) async fn start(
    household: &mut Household,
    place: &Place,
    keep: Keep,
    log: PathBuf,
) -> Result<StoreUrl, PostgresError> {
    let cluster = place.dir().join("postgres");
    let data = cluster.join("data");
    let installation = Installation::for_data(&data)?;
    if !cluster.exists() {
        initialise(household, place, &installation, &cluster, &log).await?;
    }
    let password_file = cluster.join("password");
    let password = fs::read_to_string(&password_file).map_err(io_error("read", &password_file))?;
    forget_dead_postmaster(&data)?;

    let address = Reserved::pick()?.release();
    let mut command = place.command(&installation.bin.join("postgres"));
    command
        .arg("-D")
        .arg(&data)
        .args(["-p", &address.port().to_string()]);
    for setting in settings(keep) {
        command.args(["-c", setting]);
    }
    household.start(Plan {
        name: "postgres",
        command,
        log: log.clone(),
        farewell: Farewell::Interrupt,
        grace: GRACE,
        least_grace: Duration::ZERO,
        leash: false,
    })?;
    household
        .while_all_live(tokio::time::timeout(READY_WITHIN, ready(&data)))
        .await?
        .map_err(|_elapsed| PostgresError::NotReady { log })?;
    Ok(StoreUrl::new(format!(
        "postgres://{ROLE}:{}@{address}/postgres",
        password.trim()
    )))
}

fn settings(keep: Keep) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        // A socket's path may have 107 bytes only, and nobody needs one.
        "unix_socket_directories=",
        "max_connections=300",
        "logging_collector=off",
        "log_destination=stderr",
    ];
    if keep == Keep::Temporary {
        settings.extend([
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ]);
    }
    settings
}

/// Makes the data under another name and renames them, so that a kill in the middle leaves nothing half-made.
async fn initialise(
    household: &mut Household,
    place: &Place,
    installation: &Installation,
    cluster: &Path,
    log: &Path,
) -> Result<(), PostgresError> {
    const UNFINISHED: &str = "postgres.unfinished";
    let unfinished = place.dir().join(UNFINISHED);
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed.map_err(io_error("remove", &unfinished))?,
    }
    let unfinished = place.make(UNFINISHED)?;
    let password_file = unfinished.join("password");
    write_atomically(&password_file, random_password()?.as_bytes(), 0o600)?;
    place.give(&password_file)?;

    let mut command = place.command(&installation.bin.join("initdb"));
    command
        .arg("--pgdata")
        .arg(unfinished.join("data"))
        .arg("--pwfile")
        .arg(&password_file)
        .arg(format!("--username={ROLE}"))
        .args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--no-instructions",
        ]);
    household
        .complete(Plan::brief("initdb", command, log.to_owned()))
        .await?;
    fs::rename(&unfinished, cluster).map_err(io_error("rename", &unfinished))?;
    Ok(())
}

/// After a crash of the machine, `postmaster.pid` may name a process that is somebody else by now; PostgreSQL would
/// refuse to start. The data are ours alone, by the lock on the state directory.
fn forget_dead_postmaster(data: &Path) -> Result<(), FilesError> {
    let path = data.join("postmaster.pid");
    let Some(pid) = fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
    else {
        return Ok(());
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let is_postgres = matches!(name.trim(), "postgres" | "postmaster");
    if Path::new("/proc/self").exists() && !is_postgres {
        return super::files::remove(&path);
    }
    Ok(())
}

/// Until `postmaster.pid` says so, in the line where `pg_ctl` looks too.
/// <https://doxygen.postgresql.org/pidfile_8h.html>
async fn ready(data: &Path) {
    const STATUS_LINE: usize = 7;
    let path = data.join("postmaster.pid");
    loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text
            .lines()
            .nth(STATUS_LINE)
            .is_some_and(|status| status.trim() == "ready")
        {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn random_password() -> Result<String, FilesError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(io_error("read", source))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(
            major("postgres (PostgreSQL) 16.9 (Ubuntu 16.9-0ubuntu0.24.04.1)"),
            Some(16)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("command not found"), None);
    }
}
