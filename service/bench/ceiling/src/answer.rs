//! The bytes that are the answer, and the look-up before it.

use std::env;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisResult, Value};

use crate::Failure;

/// What hyper writes by itself.
const HYPERS_OWN: &[&str] = &["date", "content-length", "connection"];

#[derive(Clone)]
pub struct Answer {
    headers: HeaderMap,
    body: Bytes,
    redis: Option<MultiplexedConnection>,
}

/// What is looked up; how long the value is hardly matters.
const KEY: &str = "ceiling";

impl Answer {
    pub fn parse(wire: &[u8]) -> Result<Self, Failure> {
        let end = wire
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .ok_or("no end of the head")?;
        let (head, body) = (&wire[..end], &wire[end + 4..]);
        let mut lines = std::str::from_utf8(head)?.split("\r\n");
        if lines.next() != Some("HTTP/1.1 200 OK") {
            return Err("not an answer with status 200".into());
        }
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").ok_or("a header without a value")?;
            let name = HeaderName::from_bytes(name.as_bytes())?;
            if !HYPERS_OWN.contains(&name.as_str()) {
                headers.append(name, HeaderValue::from_str(value)?);
            }
        }
        Ok(Self {
            headers,
            body: Bytes::copy_from_slice(body),
            redis: None,
        })
    }

    /// The same after a look-up in Redis, if that is asked for, over a connection of its own that runs where this is called.
    pub async fn after_a_look_up(mut self) -> Result<Self, Failure> {
        if env::var_os("LOOK_UP").is_some() {
            let client = redis::Client::open(env::var("REDIS_URL")?)?;
            let mut redis = client.get_multiplexed_async_connection().await?;
            let _: () = redis.set(KEY, self.body.as_ref()).await?;
            self.redis = Some(redis);
        }
        Ok(self)
    }

    pub async fn response(&self) -> RedisResult<Response<Full<Bytes>>> {
        if let Some(redis) = &self.redis {
            let _: Value = redis.clone().get(KEY).await?;
        }
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = StatusCode::OK;
        *response.headers_mut() = self.headers.clone();
        Ok(response)
    }
}
