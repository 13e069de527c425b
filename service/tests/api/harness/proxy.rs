//! A TCP proxy before a store, to break the network rather than to pretend.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{eventually, free_port};

/// What a proxy does. A change holds for connections that there are, too, but for the server.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The server's port on the loopback.
    pub(crate) server: u16,
    pub(crate) way: Way,
}

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Nothing arrives, and nobody is told.
    Hangs,
    /// Connections end, and new ones are refused.
    Closed,
}

/// What is done to the bytes that pass.
#[derive(Default)]
pub(crate) struct Meddling {
    /// What either side sends is late by up to this.
    pub(crate) delay: Duration,
    /// Replaced in what the client sends, by something of the same length.
    pub(crate) requests: Option<(&'static str, &'static str)>,
    /// Replaced in what the server sends.
    pub(crate) replies: Option<(&'static str, &'static str)>,
}

/// A proxy; it ends with this value.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    plan: watch::Sender<Plan>,
    listener: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(server: u16) -> Self {
        Self::start_meddling(server, Meddling::default()).await
    }

    pub(crate) async fn start_meddling(server: u16, meddling: Meddling) -> Self {
        let port = free_port();
        let way = Way::Open;
        let (plan, seen) = watch::channel(Plan { server, way });
        let listener = tokio::spawn(listen(port, seen, Arc::new(meddling)));
        let proxy = Self {
            port,
            plan,
            listener,
        };
        proxy.listens().await;
        proxy
    }

    /// Returns once it holds.
    pub(crate) async fn set(&self, way: Way) {
        self.plan.send_modify(|plan| plan.way = way);
        if way == Way::Closed {
            eventually("a closed proxy", async || {
                let tried = TcpStream::connect(("127.0.0.1", self.port)).await;
                tried.is_err().then_some(())
            })
            .await;
        } else {
            self.listens().await;
        }
    }

    /// New connections go to another server; those that there are stay where they are.
    pub(crate) fn point_at(&self, server: u16) {
        self.plan.send_modify(|plan| plan.server = server);
    }

    async fn listens(&self) {
        eventually("a proxy", async || {
            TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(port: u16, mut plan: watch::Receiver<Plan>, meddling: Arc<Meddling>) {
    loop {
        if plan.wait_for(|plan| plan.way != Way::Closed).await.is_err() {
            return;
        }
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        // Ends the connections when it is dropped.
        let mut connections = JoinSet::new();
        loop {
            let mut closing = plan.clone();
            tokio::select! {
                _ = closing.wait_for(|plan| plan.way == Way::Closed) => break,
                accepted = listener.accept() => {
                    let client = accepted.unwrap().0;
                    connections.spawn(connection(client, plan.clone(), Arc::clone(&meddling)));
                }
            }
        }
    }
}

async fn connection(client: TcpStream, plan: watch::Receiver<Plan>, meddling: Arc<Meddling>) {
    let server = plan.borrow().server;
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, plan.clone(), meddling.requests, meddling.delay) => {}
        () = pump(from_server, to_client, plan, meddling.replies, meddling.delay) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut plan: watch::Receiver<Plan>,
    replacement: Option<(&str, &str)>,
    delay: Duration,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        if plan.wait_for(|plan| plan.way == Way::Open).await.is_err() {
            return;
        }
        let bytes = &mut buffer[..read];
        if let Some((old, new)) = replacement {
            assert_eq!(old.len(), new.len());
            let found = bytes.windows(old.len()).position(|w| w == old.as_bytes());
            if let Some(at) = found {
                bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
            }
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay.mul_f64(fastrand::f64())).await;
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
