//! `evenkeel status`: what a running daemon says of its services.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    cli::{
        exit,
        output::{self, Format},
    },
    status::ServiceStatus,
};

/// More than this is not an answer of ours.
const LONGEST_ANSWER: usize = 64 << 20;

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Only this service: NAME or CLUSTER/NAME.
    name: Option<String>,

    /// Where the daemon serves.
    #[arg(
        long,
        value_name = "URL",
        env = "EVENKEEL_URL",
        default_value = "http://127.0.0.1:9180",
        value_parser = daemon_url
    )]
    daemon: String,

    /// How the status is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,

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

#[derive(Debug, Deserialize)]
struct Manifests {
    errors: Vec<String>,
}

impl Status {
    pub(super) async fn run(self) -> exit::Code {
        match tokio::time::timeout(Duration::from_secs(self.timeout), self.ask()).await {
            Ok(Ok(code)) => code,
            Ok(Err(why)) => exit::fail(&why),
            Err(_) => exit::fail(&format!(
                "{} did not answer within {} s",
                self.daemon, self.timeout
            )),
        }
    }

    async fn ask(&self) -> Result<exit::Code, String> {
        let mut services: Vec<ServiceStatus> = self.get("/api/v1/services").await?;
        let manifests: Manifests = self.get("/api/v1/manifests").await?;
        for error in &manifests.errors {
            output::note(&format!("error: {error}"));
        }
        if let Some(name) = &self.name {
            services.retain(|status| {
                status.name == *name || *name == format!("{}/{}", status.cluster, status.name)
            });
            if services.is_empty() {
                return Err(format!(
                    "the daemon at {} knows no service {name}",
                    self.daemon
                ));
            }
        }
        Ok(output::print(self.output, &services, || table(&services)))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
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
        serde_json::from_slice(&body)
            .map_err(|error| format!("{url}: not an answer of evenkeel: {error}"))
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

fn table(services: &[ServiceStatus]) -> String {
    let now = Timestamp::now();
    let rows: Vec<_> = services
        .iter()
        .map(|status| {
            vec![
                status.name.clone(),
                status.cluster.clone(),
                status.phase.to_string(),
                format!("{}/{}", status.tasks.running, status.tasks.desired),
                status.targets.map_or_else(
                    || "-".to_owned(),
                    |targets| format!("{}/{}", targets.healthy, targets.total),
                ),
                status
                    .image
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |image| image.tag.clone()),
                output::age(status.since, now),
                status.message.clone(),
            ]
        })
        .collect();
    output::columns(
        &[
            "NAME", "CLUSTER", "PHASE", "TASKS", "TARGETS", "IMAGE", "SINCE", "MESSAGE",
        ],
        &rows,
    )
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
