//! Connections to Redis, plain or over TLS: shared by many requests, and aware of their end.
//!
//! RESP3 is spoken for its pushes: the client library tells the end of a connection by one, and Redis what has changed. The library
//! could speak TLS itself, but it would build its TLS client anew, system roots included, for every connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bb8_redis::bb8::ManageConnection;
use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, Value, cmd,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::near::Near;
use super::owed::Owed;
use crate::config::Redis;
use crate::link::Shared;

/// Below the link's deadline for connecting, so that the log can tell why: a Redis that speaks plain text never answers a handshake,
/// it waits for the end of a line.
const HANDSHAKE: Duration = Duration::from_millis(400);
/// Commands that may wait to be written; callers beyond wait for room, inside their deadline.
const QUEUE: usize = 1_024;

/// A connection to Redis.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) connection: MultiplexedConnection,
    open: Arc<AtomicBool>,
    _driver: Arc<Driver>,
}

/// Ends with the last session: the library would keep a connection that owes a reply, for ever if need be.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shared for Session {
    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// Connects to one Redis.
pub(super) struct Manager {
    host: String,
    port: u16,
    settings: RedisConnectionInfo,
    tls: Option<Tls>,
    owed: Arc<Owed>,
    near: Option<Arc<Near>>,
}

struct Tls {
    /// The host, as the certificate must name it.
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Manager {
    /// # Errors
    ///
    /// When the address is of a kind that the configuration does not let through.
    pub(super) fn new(
        redis: &Redis,
        owed: Arc<Owed>,
        near: Option<Arc<Near>>,
    ) -> Result<Self, RedisError> {
        let refused = |what| RedisError::from((ErrorKind::InvalidClientConfig, what));
        let ConnectionAddr::Tcp(host, port) = redis.info.addr() else {
            return Err(refused("not a TCP address"));
        };
        let tls = match &redis.tls {
            None => None,
            Some(client) => Some(Tls {
                name: ServerName::try_from(host.clone())
                    .map_err(|_| refused("no certificate can name this host"))?,
                connector: TlsConnector::from(Arc::new(client.clone())),
            }),
        };
        Ok(Self {
            host: host.clone(),
            port: *port,
            settings: redis
                .info
                .redis_settings()
                .clone()
                .set_protocol(ProtocolVersion::RESP3),
            tls,
            owed,
            near,
        })
    }

    async fn session(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Session, RedisError> {
        let open = Arc::new(AtomicBool::new(true));
        let config = AsyncConnectionConfig::new()
            .set_pipeline_buffer_size(QUEUE)
            // Each call says how long it waits, and the link how long connecting may take.
            .set_response_timeout(None)
            .set_push_sender(self.listener(Arc::clone(&open)));
        let (mut connection, driver) = {
            let opened = MultiplexedConnection::new_with_config(&self.settings, stream, config);
            let (connection, driver) = opened.await?;
            (connection, Driver(tokio::spawn(driver)))
        };
        if let Some(near) = &self.near {
            let tracking = cmd("CLIENT").arg("TRACKING").arg("ON").to_owned();
            tracking.query_async::<()>(&mut connection).await?;
            // What was heard of before is not tracked by this connection.
            near.clear();
        }
        Ok(Session {
            connection,
            open,
            _driver: Arc::new(driver),
        })
    }

    /// Called by the connection in the order of what Redis sends, replies included.
    fn listener(
        &self,
        open: Arc<AtomicBool>,
    ) -> impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync + 'static {
        let near = self.near.clone();
        move |push| {
            if push.kind == PushKind::Disconnection {
                open.store(false, Ordering::Release);
            }
            if let Some(near) = &near {
                near.heard(&push);
            }
            Ok(())
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = RedisError;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let mut session = match &self.tls {
            None => self.session(stream).await?,
            Some(tls) => self.session(tls.handshake(stream).await?).await?,
        };
        self.is_valid(&mut session).await?;
        Ok(session)
    }

    /// Whether it answers and takes writes, which a replica does not: after a failover the old primary is one.
    async fn is_valid(&self, session: &mut Self::Connection) -> Result<(), Self::Error> {
        let role: Value = cmd("ROLE").query_async(&mut session.connection).await?;
        if is_replica(&role) {
            return Err((
                ErrorKind::Server(bb8_redis::redis::ServerErrorKind::ReadOnly),
                "it is a replica; does REDIS_URL name the primary endpoint?",
            )
                .into());
        }
        self.owed.settle(&mut session.connection).await
    }

    fn has_broken(&self, session: &mut Self::Connection) -> bool {
        !session.is_open()
    }
}

impl Tls {
    async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, RedisError> {
        let failed = |why| RedisError::from((ErrorKind::Io, "the TLS handshake failed", why));
        timeout(HANDSHAKE, self.connector.connect(self.name.clone(), stream))
            .await
            .map_err(|_| {
                failed(format!(
                    "no answer within {HANDSHAKE:?}; is the server's TLS on?"
                ))
            })?
            .map_err(|error| failed(error.to_string()))
    }
}

/// <https://redis.io/docs/latest/commands/role/>
fn is_replica(role: &Value) -> bool {
    let Value::Array(parts) = role else {
        return false;
    };
    matches!(parts.first(), Some(Value::BulkString(name)) if name == b"slave")
}
