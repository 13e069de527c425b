//! Asking a running daemon, on the port that it serves.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::de::DeserializeOwned;

use crate::cli::exit;

/// More than this is not an answer of ours.
const LONGEST_ANSWER: usize = 64 << 20;

/// Which daemon.
#[derive(Debug, Args)]
pub(super) struct Port {
    /// Where the daemon serves.
    #[arg(
        long,
        value_name = "URL",
        env = "EVENKEEL_URL",
        default_value = "http://127.0.0.1:9180",
        value_parser = daemon_url
    )]
    pub(super) daemon: String,

    /// How long to wait for the daemon, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// A URL that the daemon can have: it speaks plain HTTP.
fn daemon_url(text: &str) -> Result<String, String> {
    let is_http = text
        .parse::<Uri>()
        .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.query().is_none());
    if is_http {
        Ok(text.to_owned())
    } else {
        Err("it is http://HOST:PORT".to_owned())
    }
}

impl Port {
    /// Ends with what `asking` comes to, or with an error when that takes too long.
    pub(super) async fn within(
        &self,
        asking: impl Future<Output = Result<exit::Code, String>>,
    ) -> exit::Code {
        match tokio::time::timeout(Duration::from_secs(self.timeout), asking).await {
            Ok(Ok(code)) => code,
            Ok(Err(why)) => exit::fail(&why),
            Err(_) => exit::fail(&format!(
                "{} did not answer within {} s",
                self.daemon, self.timeout
            )),
        }
    }

    /// Whether it serves at all.
    pub(super) async fn is_live(&self) -> Result<(), String> {
        self.bytes("/livez").await.map(|_| ())
    }

    /// A page of the daemon, decoded.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let body = self.bytes(path).await?;
        serde_json::from_slice(&body)
            .map_err(|error| format!("{}{path}: not an answer of evenkeel: {error}", self.daemon))
    }

    async fn bytes(&self, path: &str) -> Result<Bytes, String> {
        let url = format!("{}{path}", self.daemon.trim_end_matches('/'));
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.get(uri).await.map_err(|error| {
            format!(
                "no daemon at {}: {}; start it with `evenkeel run`, or say where it is with --daemon",
                self.daemon,
                innermost(&error)
            )
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|error| format!("{url}: {error}"))?.to_bytes();
        if !status.is_success() {
            return Err(format!(
                "{url}: {status}; say where the daemon is with --daemon"
            ));
        }
        Ok(body)
    }
}

/// What happened, without the layers that it happened in.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_daemon_is_asked() {
        for good in ["http://127.0.0.1:9180", "http://evenkeel.internal/"] {
            assert_eq!(daemon_url(good).as_deref(), Ok(good));
        }
        for bad in ["", "127.0.0.1:9180", "localhost", "https://h", "a b"] {
            assert!(daemon_url(bad).is_err(), "{bad}");
        }
    }
}
