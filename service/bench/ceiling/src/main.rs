//! The ceiling: hyper answers every request with the same bytes, and no store is behind it.
//!
//! `ANSWER` names a file with one whole answer as it was on the wire; `PORT` is where to listen on 127.0.0.1; `SHARE` says how the
//! cores share the work: `listeners` unless it is set, or `fewest` or `stealing`. With `LOOK_UP`, each answer waits for a GET of the Redis at
//! `REDIS_URL`. `GET /counts` alone is answered otherwise.

mod answer;
mod counts;
mod share;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use redis::RedisResult;
use tokio::net::TcpStream;

use answer::Answer;
use share::Share;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let port = std::env::var("PORT")?.parse()?;
    let answer = Answer::parse(&std::fs::read(std::env::var("ANSWER")?)?)?;
    let share = match std::env::var("SHARE").as_deref() {
        Err(_) | Ok("listeners") => Share::Listeners,
        Ok("fewest") => Share::Fewest,
        Ok("stealing") => Share::Stealing,
        Ok(_) => return Err("SHARE is listeners, fewest or stealing".into()),
    };
    share.serve(port, answer)
}

/// Answers on one connection until it ends.
async fn connection(stream: TcpStream, answer: Answer) {
    let begins = AtomicBool::new(true);
    let service = service_fn(async |request| {
        if request.uri().path() == counts::PATH {
            return RedisResult::Ok(counts::response());
        }
        counts::request(begins.swap(false, Ordering::Relaxed));
        answer.response().await
    });
    // Only latency is lost where this fails; and clients end connections as they please.
    let _ = stream.set_nodelay(true);
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
