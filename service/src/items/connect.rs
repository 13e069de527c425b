//! Connections to Redis, plain or over TLS.
//!
//! The client library could speak TLS itself, but it would build its TLS client anew, system roots included, for every connection.

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use bb8_redis::bb8::ManageConnection;
use bb8_redis::redis::aio::MultiplexedConnection;
use bb8_redis::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, RedisConnectionInfo, RedisError, cmd,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::Redis;

/// Below the pool's deadline for connecting, so that the log can tell why: a Redis that speaks plain text never answers a handshake,
/// it waits for the end of a line.
const HANDSHAKE: Duration = Duration::from_millis(400);

/// Connects to one Redis.
pub(super) enum RedisManager {
    Plain(RedisConnectionManager),
    Tls(Tls),
}

/// What a connection over TLS needs.
pub(super) struct Tls {
    host: String,
    port: u16,
    /// The host, as the certificate must name it.
    name: ServerName<'static>,
    settings: RedisConnectionInfo,
    connector: TlsConnector,
}

impl RedisManager {
    /// # Errors
    ///
    /// When the address is of a kind that the configuration does not let through.
    pub(super) fn new(redis: &Redis) -> Result<Self, RedisError> {
        match &redis.tls {
            None => RedisConnectionManager::new(redis.info.clone()).map(Self::Plain),
            Some(client) => Tls::new(redis, client).map(Self::Tls),
        }
    }
}

impl Tls {
    fn new(redis: &Redis, client: &ClientConfig) -> Result<Self, RedisError> {
        let refused = |what| RedisError::from((ErrorKind::InvalidClientConfig, what));
        let ConnectionAddr::Tcp(host, port) = redis.info.addr() else {
            return Err(refused("TLS needs a TCP address"));
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|_| refused("no certificate can name this host"))?;
        Ok(Self {
            host: host.clone(),
            port: *port,
            name,
            settings: redis.info.redis_settings().clone(),
            connector: TlsConnector::from(Arc::new(client.clone())),
        })
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let failed = |why| RedisError::from((ErrorKind::Io, "the TLS handshake failed", why));
        let stream = timeout(HANDSHAKE, self.connector.connect(self.name.clone(), stream))
            .await
            .map_err(|_| {
                failed(format!(
                    "no answer within {HANDSHAKE:?}; is the server's TLS on?"
                ))
            })?
            .map_err(|error| failed(error.to_string()))?;
        let config = AsyncConnectionConfig::default();
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&self.settings, stream, config).await?;
        // Ends with the connection.
        tokio::spawn(driver);
        Ok(connection)
    }
}

impl ManageConnection for RedisManager {
    type Connection = MultiplexedConnection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        match self {
            Self::Plain(manager) => manager.connect().await,
            Self::Tls(tls) => tls.connect().await,
        }
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        cmd("PING").query_async(connection).await
    }

    /// Never known here; the pool finds out by the calls.
    fn has_broken(&self, _: &mut Self::Connection) -> bool {
        false
    }
}
