//! Waiting until the API answers through the load balancer, and saying meanwhile what holds it up.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::progress::Progress;

const POLL: Duration = Duration::from_millis(250);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
const BODY_LIMIT: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns when GET /health answers 200 at the balancer. There is no deadline: a person may still be mending the
/// manifest. Every change of a service's message is said.
pub(super) async fn wait(balancer: SocketAddr, daemon: SocketAddr, progress: &Progress) {
    let mut told = BTreeMap::new();
    let patience = tokio::time::Instant::now() + PATIENCE;
    let mut impatient = false;
    loop {
        if matches!(get(balancer, "/health").await, Ok((200, _))) {
            return;
        }
        for line in changes(services(daemon).await, &mut told) {
            progress.say(line);
        }
        if !impatient && tokio::time::Instant::now() > patience {
            impatient = true;
            progress.say("the API does not answer yet; the daemon goes on trying, and Ctrl-C ends everything");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A service in the daemon's words.
#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    message: String,
}

/// None while the daemon does not answer.
async fn services(daemon: SocketAddr) -> Vec<Service> {
    match get(daemon, "/api/v1/services").await {
        Ok((200, body)) => serde_json::from_slice(&body).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn changes(services: Vec<Service>, told: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut lines = Vec::new();
    for Service {
        name,
        phase,
        message,
    } in services
    {
        let line = format!("  {name}: {phase}: {message}");
        if told.get(&name) != Some(&line) {
            lines.push(line.clone());
            told.insert(name, line);
        }
    }
    lines
}

/// One GET on a connection of its own.
async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, Bytes)> {
    tokio::time::timeout(ANSWER_WITHIN, async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let request = Request::get(path)
            .header(HOST, address.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let exchange = async {
            let answer = sender
                .send_request(request)
                .await
                .map_err(io::Error::other)?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), BODY_LIMIT)
                .collect()
                .await
                .map_err(io::Error::other)?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may end with the answer already received.
            _ = connection => exchange.await,
        }
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _read = stream.read(&mut request).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[]")
                .await
                .unwrap();
        });
        let (status, body) = get(address, "/x").await.unwrap();
        assert_eq!((status, body.as_ref()), (200, b"[]".as_ref()));
    }

    #[test]
    fn only_changes_are_told() {
        let mut told = BTreeMap::new();
        let services = |message: &str| {
            vec![Service {
                name: "api".into(),
                phase: "Progressing".into(),
                message: message.into(),
            }]
        };
        assert_eq!(
            changes(services("0 of 2"), &mut told),
            ["  api: Progressing: 0 of 2"]
        );
        assert!(changes(services("0 of 2"), &mut told).is_empty());
        assert_eq!(changes(services("1 of 2"), &mut told).len(), 1);
    }
}
