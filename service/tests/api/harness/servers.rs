//! A PostgreSQL and a Redis of the test's own, to be broken. Both listen on the loopback and end with their value.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bb8_redis::redis;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_postgres::Client;
use uuid::Uuid;

use super::shared::connect;
use super::{Certificate, Proxy, eventually, patiently};

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

/// Waits until a server accepts connections.
async fn listens(port: u16) {
    eventually("a server", async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
}

/// A Redis without persistence.
pub(crate) struct RedisServer {
    pub(crate) url: String,
    port: u16,
    options: Vec<OsString>,
    server: Server,
    /// A replica writes what it is sent into its directory.
    _directory: TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let url = format!("redis://127.0.0.1:{port}/0");
        Self::start_with(url, port, ["--port".into(), port.to_string().into()].into()).await
    }

    /// Speaks nothing but TLS, and wants the password `canary`.
    pub(crate) async fn start_tls(host: &str, certificate: &Certificate) -> Self {
        let port = free_port();
        let url = format!("rediss://:canary@{host}:{port}/0");
        let mut options: Vec<OsString> = ["--port", "0", "--tls-auth-clients", "no"]
            .map(OsString::from)
            .into();
        options.extend(["--requirepass", "canary", "--tls-port"].map(OsString::from));
        options.push(port.to_string().into());
        options.extend(["--tls-cert-file".into(), certificate.chain.clone().into()]);
        options.extend(["--tls-key-file".into(), certificate.key.clone().into()]);
        Self::start_with(url, port, options).await
    }

    async fn start_with(url: String, port: u16, mut options: Vec<OsString>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("api-redis-")
            .tempdir()
            .unwrap();
        options.extend(["--dir".into(), directory.path().into()]);
        let server = Self::spawn(&options);
        listens(port).await;
        Self {
            url,
            port,
            options,
            server,
            _directory: directory,
        }
    }

    pub(crate) async fn kill(&mut self) {
        self.server.end(Signal::SIGKILL).await;
    }

    /// Starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.server = Self::spawn(&self.options);
        listens(self.port).await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Makes it a replica of another server, and waits until it follows.
    pub(crate) async fn replicate(&self, port: u16) {
        let mut connection = self.connect().await;
        let () = redis::cmd("REPLICAOF")
            .arg("127.0.0.1")
            .arg(port)
            .query_async(&mut connection)
            .await
            .unwrap();
        eventually("a replica", async || {
            let info: String = redis::cmd("INFO")
                .arg("replication")
                .query_async(&mut connection)
                .await
                .unwrap();
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }

    /// What is stored under a key; empty where nothing is.
    pub(crate) async fn get(&self, key: &str) -> String {
        let mut connection = self.connect().await;
        let held: Option<String> = redis::cmd("GET")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        held.unwrap_or_default()
    }

    pub(crate) async fn delete(&self, key: &str) {
        let mut connection = self.connect().await;
        let deleted: i64 = redis::cmd("DEL")
            .arg(key)
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(deleted, 1, "{key} was there");
    }

    async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    fn spawn(options: &[OsString]) -> Server {
        let common = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        Server::start(Command::new("redis-server").args(options).args(common))
    }
}

/// A PostgreSQL in a directory that goes with it.
pub(crate) struct PostgresServer {
    pub(crate) url: String,
    port: u16,
    directory: TempDir,
    options: &'static [&'static str],
    server: Server,
}

impl PostgresServer {
    pub(crate) async fn start() -> Self {
        let directory = Self::initialized().await;
        Self::start_in(directory, &[], |port| {
            format!("postgres://api@127.0.0.1:{port}/postgres?sslmode=disable")
        })
        .await
    }

    /// Counts statements, see [`Self::finds`].
    pub(crate) async fn start_counting() -> Self {
        let directory = Self::initialized().await;
        let options = &["-cshared_preload_libraries=pg_stat_statements"];
        let server = Self::start_in(directory, options, |port| {
            format!("postgres://api@127.0.0.1:{port}/postgres?sslmode=disable")
        })
        .await;
        let extension = "CREATE EXTENSION pg_stat_statements";
        connect(&server.url)
            .await
            .batch_execute(extension)
            .await
            .unwrap();
        server
    }

    pub(crate) async fn connect(&self) -> Client {
        connect(&self.url).await
    }

    /// How often an item was looked for by its id.
    pub(crate) async fn finds(&self) -> i64 {
        let calls = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements
                     WHERE query LIKE 'SELECT id, name%FROM items WHERE id = ANY($1)'";
        let row = connect(&self.url)
            .await
            .query_one(calls, &[])
            .await
            .unwrap();
        row.get(0)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL by way of a proxy.
    pub(crate) fn through(&self, proxy: &Proxy) -> String {
        self.url
            .replace(&format!(":{}/", self.port), &format!(":{}/", proxy.port))
    }

    /// Wants the password `canary`, which is not in the URL.
    pub(crate) async fn start_with_password() -> Self {
        let directory = Self::initialized().await;
        let rule = "host all api 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(directory.path().join("pg_hba.conf"), rule).unwrap();
        Self::start_in(directory, &[], |port| {
            format!("postgres://api@127.0.0.1:{port}/postgres")
        })
        .await
    }

    /// Speaks nothing but TLS, and wants the password `canary`.
    pub(crate) async fn start_tls(host: &str, certificate: &Certificate) -> Self {
        let directory = Self::initialized().await;
        let rule = "hostssl all api 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(directory.path().join("pg_hba.conf"), rule).unwrap();
        install(certificate, directory.path());
        Self::start_in(directory, &["-cssl=on"], |port| {
            format!("postgres://api:canary@{host}:{port}/postgres?sslmode=verify-full")
        })
        .await
    }

    /// A directory with an empty database cluster in it.
    async fn initialized() -> TempDir {
        let directory = tempfile::Builder::new()
            .prefix("api-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        lend(directory.path());
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), "canary\n").unwrap();
        lend(password.path());
        let init = command("initdb", directory.path())
            .args(["--username=api", "--auth=trust", "--no-sync", "--pwfile"])
            .arg(password.path())
            .stdout(Stdio::null())
            .status();
        assert!(patiently("initdb", init).await.unwrap().success());
        directory
    }

    async fn start_in(
        directory: TempDir,
        options: &'static [&'static str],
        url: impl FnOnce(u16) -> String,
    ) -> Self {
        let port = free_port();
        let server = Self::spawn(port, directory.path(), options);
        Self::ready(port).await;
        Self {
            url: url(port),
            port,
            directory,
            options,
            server,
        }
    }

    /// Ends it at once, without a word to its clients ("immediate shutdown").
    pub(crate) async fn kill(&mut self) {
        self.server.end(Signal::SIGQUIT).await;
    }

    /// Starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.server = Self::spawn(self.port, self.directory.path(), self.options);
        Self::ready(self.port).await;
    }

    /// Waits until it takes sessions: it listens a while before that, and says that it is starting up.
    async fn ready(port: u16) {
        eventually("PostgreSQL", async || {
            let asked = Command::new(program_path("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status();
            asked.await.unwrap().success().then_some(())
        })
        .await;
    }

    /// Starts again with another certificate.
    pub(crate) async fn restart_as(&mut self, certificate: &Certificate) {
        install(certificate, self.directory.path());
        self.restart().await;
    }

    fn spawn(port: u16, directory: &Path, options: &[&str]) -> Server {
        let port = port.to_string();
        let common = [
            "-p",
            &port,
            "-clisten_addresses=127.0.0.1",
            "-cunix_socket_directories=",
            "-cfsync=off",
        ];
        Server::start(command("postgres", directory).args(common).args(options))
    }
}

/// Puts a certificate where PostgreSQL looks for it, with the mode that it insists on.
fn install(certificate: &Certificate, directory: &Path) {
    for (from, to) in [
        (&certificate.chain, "server.crt"),
        (&certificate.key, "server.key"),
    ] {
        let to = directory.join(to);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).unwrap();
        lend(&to);
    }
}

/// Gives a path to the user that PostgreSQL runs as.
fn lend(path: &Path) {
    if let Some(user) = unprivileged() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
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
