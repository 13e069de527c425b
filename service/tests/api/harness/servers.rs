//! A PostgreSQL and a Redis of the test's own, to be broken. Both listen on the loopback and end with their value.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bb8_redis::redis;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::NoTls;
use uuid::Uuid;

use super::{eventually, patiently};

/// A free port below the ephemeral range: a client that keeps dialling a dead server in that range may at last connect to itself.
pub(crate) fn free_port() -> u16 {
    (0..100)
        .map(|_| 20_000 + u16::try_from(Uuid::new_v4().as_u128() % 12_000).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no free port")
}

/// A server process of a test.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    fn signal(&self, signal: Signal) {
        let pid = self.0.id().unwrap().try_into().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    async fn end(&mut self, signal: Signal) {
        self.signal(signal);
        patiently("the end of a server", self.0.wait())
            .await
            .unwrap();
    }
}

/// A Redis without persistence.
pub(crate) struct RedisServer {
    pub(crate) url: String,
    port: u16,
    server: Server,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let redis = Self {
            url: format!("redis://127.0.0.1:{port}/0"),
            port,
            server: Self::spawn(port),
        };
        redis.answers().await;
        redis
    }

    pub(crate) async fn kill(&mut self) {
        self.server.end(Signal::SIGKILL).await;
    }

    /// Starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.server = Self::spawn(self.port);
        self.answers().await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    fn spawn(port: u16) -> Server {
        let port = port.to_string();
        let options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        Server::start(
            Command::new("redis-server")
                .args(["--port", &port])
                .args(options),
        )
    }

    async fn answers(&self) {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        eventually("Redis", async || {
            client.get_multiplexed_async_connection().await.ok()
        })
        .await;
    }
}

/// A PostgreSQL in a directory that goes with it.
pub(crate) struct PostgresServer {
    pub(crate) url: String,
    port: u16,
    directory: TempDir,
    server: Server,
}

impl PostgresServer {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("api-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        if let Some(user) = unprivileged() {
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
        }
        let init = command("initdb", directory.path())
            .args(["--username=api", "--auth=trust", "--no-sync"])
            .stdout(Stdio::null())
            .status();
        assert!(patiently("initdb", init).await.unwrap().success());
        let port = free_port();
        let postgres = Self {
            url: format!("postgres://api@127.0.0.1:{port}/postgres"),
            port,
            server: Self::spawn(port, directory.path()),
            directory,
        };
        postgres.answers().await;
        postgres
    }

    /// Ends it at once, without a word to its clients ("immediate shutdown").
    pub(crate) async fn kill(&mut self) {
        self.server.end(Signal::SIGQUIT).await;
    }

    /// Starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.server = Self::spawn(self.port, self.directory.path());
        self.answers().await;
    }

    fn spawn(port: u16, directory: &Path) -> Server {
        Server::start(command("postgres", directory).args([
            "-p",
            &port.to_string(),
            "-clisten_addresses=127.0.0.1",
            "-cunix_socket_directories=",
            "-cfsync=off",
        ]))
    }

    async fn answers(&self) {
        eventually("PostgreSQL", async || {
            let connected = tokio_postgres::connect(&self.url, NoTls).await;
            connected.is_ok().then_some(())
        })
        .await;
    }
}

/// A PostgreSQL program on a data directory, as a user that it accepts.
fn command(program: &str, directory: &Path) -> Command {
    let program = program_path(program);
    let mut command = match unprivileged() {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", user.uid))
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups")
                .arg(program);
            command
        }
    };
    command.arg("-D").arg(directory).current_dir(directory);
    command
}

/// PostgreSQL refuses to run as root, so root lends it the user that its package made.
fn unprivileged() -> Option<User> {
    Uid::effective().is_root().then(|| {
        User::from_name("postgres")
            .unwrap()
            .expect("no user postgres: install PostgreSQL")
    })
}

/// Debian keeps the servers' programs off the PATH, in a directory per major version.
fn program_path(program: &str) -> PathBuf {
    let debian = (15..=20)
        .rev()
        .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")).join(program));
    debian
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| program.into())
}
