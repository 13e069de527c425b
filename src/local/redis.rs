//! A private Redis: found and started on loopback, keeping nothing on disk.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    child::{ChildError, Household, Plan},
    place::Place,
    ports::{PortError, Reserved},
    process::Farewell,
    store_url::StoreUrl,
};

const OLDEST: u32 = 7;
const READY_WITHIN: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Why there is no Redis.
#[derive(Debug, thiserror::Error)]
pub(super) enum RedisError {
    /// None is installed, or none that is new enough.
    #[error("Redis {OLDEST} or newer is not installed: {0}")]
    Missing(String),
    /// It runs, but does not answer.
    #[error("Redis did not answer within {} s", READY_WITHIN.as_secs())]
    NotReady {
        /// Its output.
        log: PathBuf,
    },
    /// No port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// It could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
}

impl RedisError {
    /// What the person can do.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Missing(_) => Some("run scripts/setup".into()),
            Self::NotReady { log } => Some(format!("see {}", log.display())),
            Self::Port(error) => error.help(),
            Self::Child(error) => error.help(),
        }
    }
}

/// The server's executable, if it is new enough.
pub(super) fn find() -> Result<PathBuf, RedisError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&path)
        .map(|dir| dir.join("redis-server"))
        .find(|program| program.is_file())
        .ok_or_else(|| RedisError::Missing("no `redis-server` on the PATH".into()))?;
    let output = std::process::Command::new(&program)
        .arg("--version")
        .output()
        .map_err(|error| RedisError::Missing(format!("{}: {error}", program.display())))?;
    match major(&String::from_utf8_lossy(&output.stdout)) {
        Some(version) if version >= OLDEST => Ok(program),
        version => Err(RedisError::Missing(format!(
            "{} is version {}",
            program.display(),
            version.map_or_else(|| "unknown".into(), |version| version.to_string())
        ))),
    }
}

/// `Redis server v=7.0.15 sha=…` → 7.
fn major(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("v=")?;
    rest.split('.').next()?.parse().ok()
}

/// Starts a Redis in `place` and returns its address.
pub(super) async fn start(
    household: &mut Household,
    place: &Place,
    log: PathBuf,
) -> Result<StoreUrl, RedisError> {
    let program = find()?;
    let address = Reserved::pick()?.release();
    household.start(Plan {
        name: "redis",
        command: command(place, &program, address),
        log: log.clone(),
        farewell: Farewell::Terminate,
        grace: GRACE,
        least_grace: Duration::ZERO,
        leash: false,
    })?;
    household
        .while_all_live(tokio::time::timeout(READY_WITHIN, answering(address)))
        .await?
        .map_err(|_elapsed| RedisError::NotReady { log })?;
    Ok(StoreUrl::new(format!("redis://{address}")))
}

fn command(place: &Place, program: &Path, address: SocketAddr) -> tokio::process::Command {
    let mut command = place.command(program);
    command
        .args(["--bind", &address.ip().to_string()])
        .args(["--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        // Tests may take a database each.
        .args(["--databases", "256"])
        .arg("--dir")
        .arg(place.dir());
    command
}

async fn answering(address: SocketAddr) {
    while !tokio::time::timeout(PING_WITHIN, ping(address))
        .await
        .is_ok_and(|answer| answer.is_ok())
    {
        tokio::time::sleep(POLL).await;
    }
}

async fn ping(address: SocketAddr) -> io::Result<()> {
    const PONG: &[u8] = b"+PONG\r\n";
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; PONG.len()];
    stream.read_exact(&mut answer).await?;
    if answer == PONG {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            major("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some(7)
        );
        assert_eq!(major("Redis server v=8.2.1 sha=0"), Some(8));
        assert_eq!(major("nonsense"), None);
    }
}
