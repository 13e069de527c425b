use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// What the kernel takes of an answer without its being read.
const ROOM: usize = 64 << 10;

/// A client whose connection hyper serves, in virtual time; answers have a body of `size` bytes.
fn serve(size: usize) -> DuplexStream {
    let (client, server) = duplex(ROOM);
    let service = service_fn(move |_: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![b'x'; size]))))
    });
    let io = TokioIo::new(Watched::new(server));
    tokio::spawn(
        http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(io, service),
    );
    client
}

/// Reads one answer's head and leaves its body of `size` bytes.
async fn status(client: &mut DuplexStream, size: usize) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(client.read_u8().await.unwrap());
    }
    client.read_exact(&mut vec![0; size]).await.unwrap();
    String::from_utf8(answer)
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .to_owned()
}

/// How long the connection stays open from now on, in whole seconds.
async fn stays_open(client: &mut DuplexStream) -> u64 {
    let started = Instant::now();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    started.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes() {
    let mut fresh = serve(1);
    assert_eq!(stays_open(&mut fresh).await, IDLE.as_secs());

    let mut used = serve(1);
    for _ in 0..3 {
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        used.write_all(GET).await.unwrap();
        assert_eq!(status(&mut used, 1).await, "200");
    }
    assert_eq!(stays_open(&mut used).await, IDLE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_head_must_end_soon_after_it_began() {
    let mut client = serve(1);
    client.write_all(GET).await.unwrap();
    assert_eq!(status(&mut client, 1).await, "200");
    tokio::time::sleep(Duration::from_secs(40)).await;
    let started = Instant::now();
    // A byte a second, so that the connection is never quiet.
    for byte in GET {
        if client.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(stays_open(&mut client).await, 0);
    assert_eq!(started.elapsed().as_secs(), HEAD.as_secs() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_began_behind_another_request_must_end_too() {
    let mut client = serve(1);
    client.write_all(&[GET, b"GET /"].concat()).await.unwrap();
    assert_eq!(status(&mut client, 1).await, "200");
    assert_eq!(stays_open(&mut client).await, HEAD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_left() {
    let size = 4 * ROOM;
    let mut client = serve(size);
    client.write_all(GET).await.unwrap();
    let started = Instant::now();
    tokio::time::sleep(ANSWER + Duration::from_secs(1)).await;
    let mut read = Vec::new();
    let _ = client.read_to_end(&mut read).await;
    assert!(read.len() < size, "the whole answer came");
    assert_eq!(started.elapsed(), ANSWER + Duration::from_secs(1));

    // One that reads late but in time gets all, and may go on.
    let mut client = serve(size);
    client.write_all(GET).await.unwrap();
    tokio::time::sleep(ANSWER - Duration::from_secs(1)).await;
    assert_eq!(status(&mut client, size).await, "200");
    client.write_all(GET).await.unwrap();
    assert_eq!(status(&mut client, size).await, "200");
}

#[tokio::test(start_paused = true)]
async fn broken_framing_is_refused_after_the_answers_before_it() {
    for cut in 0..10 {
        let mut client = serve(1);
        let bytes = [GET, GET, b"GET / HTTP/1.1\r\nHost: a\n\r\n", GET].concat();
        let (first, second) = bytes.split_at(2 * GET.len() + cut);
        client.write_all(first).await.unwrap();
        assert_eq!(status(&mut client, 1).await, "200");
        client.write_all(second).await.unwrap();
        assert_eq!(status(&mut client, 1).await, "200");
        assert_eq!(status(&mut client, 0).await, "400");
        // What is still sent is read for a moment, so that no reset overtakes the answer.
        assert_eq!(stays_open(&mut client).await, 0);
        assert!(client.write_all(GET).await.is_ok());
        tokio::time::sleep(LINGER + Duration::from_millis(1)).await;
        assert!(client.write_all(GET).await.is_err());
    }
}
