//! The ceiling: hyper answers every request with the same bytes, and no store is behind it.
//!
//! `ANSWER` names a file with one whole answer as it was on the wire; `PORT` is where to listen on 127.0.0.1. One runtime of
//! one thread per core, each with a listener of its own, so that threads share nothing.

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

/// What hyper writes by itself.
const HYPERS_OWN: &[&str] = &["date", "content-length", "connection"];

fn main() -> Result<(), Failure> {
    let port = std::env::var("PORT")?.parse()?;
    let answer = Answer::parse(&std::fs::read(std::env::var("ANSWER")?)?)?;
    let cores = thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            let answer = answer.clone();
            thread::spawn(move || serve(port, answer))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    Ok(())
}

#[derive(Clone)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn parse(wire: &[u8]) -> Result<Self, Failure> {
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
        })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = StatusCode::OK;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

fn serve(port: u16, answer: Answer) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = listen(port)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = answer.clone();
            tokio::task::spawn_local(async move {
                let service = service_fn(|_| {
                    let response = answer.response();
                    async move { Ok::<_, Infallible>(response) }
                });
                // Clients end connections as they please.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

/// A listener that shares its port with those of the other threads.
fn listen(port: u16) -> Result<TcpListener, Failure> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(1024)?;
    Ok(TcpListener::from_std(socket.into())?)
}
