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
        default_value = "http://127.0.0.1:9180"
    )]
    daemon: String,

    /// How the status is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,

    /// How long to wait for the daemon, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u64,
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
        let uri = address(&self.daemon, path)?;
        let url = uri.to_string();
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

fn address(daemon: &str, path: &str) -> Result<Uri, String> {
    format!("{}{path}", daemon.trim_end_matches('/'))
        .parse()
        .ok()
        .filter(|uri: &Uri| uri.scheme_str() == Some("http"))
        .ok_or_else(|| {
            format!("--daemon {daemon}: not an address of a daemon; give it as http://HOST:PORT")
        })
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
    fn an_address_that_cannot_be_a_daemon_is_refused_with_its_form() {
        for good in ["http://127.0.0.1:9180", "http://localhost:9180/"] {
            assert_eq!(address(good, "/api").unwrap().path(), "/api");
        }
        for bad in ["", "nonsense", "127.0.0.1:9180", "https://127.0.0.1:9180"] {
            let why = address(bad, "/api").unwrap_err();
            assert!(why.contains("http://HOST:PORT"), "{why}");
        }
    }
}
