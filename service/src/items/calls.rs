//! Calls to Redis: each has a deadline, and one that fails has the connection asked whether it lives.

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::redis::{Cmd, Pipeline, RedisError, Value};

use super::cache::CacheAway;
use super::redis::Session;
use crate::deadline::Deadlines;
use crate::link::Link;
use crate::logging::chain;
use crate::waits::{self, For};

/// The connection of one worker.
pub(super) struct Calls {
    pub(super) link: Link<Session>,
    pub(super) deadlines: Arc<Deadlines>,
}

impl Calls {
    /// One command; what Redis refuses is a failure.
    pub(super) async fn call(&self, deadline: Duration, command: &Cmd) -> Result<Value, CacheAway> {
        let mut session = self.link.live().ok_or(CacheAway)?;
        let reply = async {
            let reply = session.connection.send_packed_command(command).await;
            reply.and_then(Value::extract_error)
        };
        self.within(deadline, reply).await
    }

    /// Several commands, each with its reply; if Redis refuses one, all have failed.
    pub(super) async fn call_all(
        &self,
        deadline: Duration,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, CacheAway> {
        let mut session = self.link.live().ok_or(CacheAway)?;
        let reply = async {
            let count = commands.len();
            let replies = session.connection.send_packed_commands(commands, 0, count);
            Value::Array(replies.await?).extract_error()
        };
        if let Value::Array(replies) = self.within(deadline, reply).await? {
            Ok(replies)
        } else {
            Err(CacheAway)
        }
    }

    async fn within<T>(
        &self,
        deadline: Duration,
        reply: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, CacheAway> {
        let _waiting = waits::on(For::Cache);
        let failure = match self.deadlines.within(deadline, reply).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => chain(&error),
            Err(late) => chain(&late),
        };
        tracing::debug!(error = failure, "Redis did not answer");
        self.link.suspect();
        Err(CacheAway)
    }
}
