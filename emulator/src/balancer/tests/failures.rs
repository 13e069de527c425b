//! What the balancer answers itself.

use super::*;

#[tokio::test]
async fn without_a_target_it_answers_503_as_alb_does() {
    let world = World::new();
    for _ in 0..2 {
        let response = world.get("/").await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["server"], "awselb/2.0");
        assert_eq!(response.headers()["content-type"], "text/html");
        assert!(
            std::str::from_utf8(response.body())
                .unwrap()
                .contains("<h1>503 Service Temporarily Unavailable</h1>")
        );
        world.route(&[]);
    }
}

/// A target that reads a request and answers with these bytes, whatever they are, and closes.
async fn raw_backend(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = socket.accept().await.unwrap();
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.unwrap() > 0 {
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (at, requests)
}

#[tokio::test]
async fn a_broken_answer_is_502_and_is_asked_for_once() {
    for answer in [
        &b""[..],
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let world = World::new();
        let (at, requests) = raw_backend(answer).await;
        world.put(1, at);
        world.route(&[1]);
        let response = world.get("/").await;
        assert_eq!(response.status(), 502);
        assert_eq!(response.headers()["server"], "awselb/2.0");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    let world = World::new();
    let (at, _) = raw_backend(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    world.put(1, at);
    world.route(&[1]);
    let request = world.request("GET", "/").body(Full::default()).unwrap();
    let response = world.client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_target_that_is_silent_is_504() {
    let world = World::new();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.put(1, socket.local_addr().unwrap());
    let mut route = world.table(&[1]);
    route.idle = Duration::from_millis(300);
    world.apply(route);
    let response = world.get("/").await;
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["server"], "awselb/2.0");
}

/// Until the balancer closes the connection.
async fn rest_of(client: &mut TcpStream) -> String {
    let mut answer = String::new();
    let read = client.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408_and_a_target_that_says_nothing_504() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.put(2, silent.local_addr().unwrap());
    for (number, sent, status) in [(1, 4, "408"), (2, 10, "504")] {
        let mut route = world.table(&[number]);
        route.idle = Duration::from_millis(300);
        world.apply(route);
        let mut client = TcpStream::connect(world.at).await.unwrap();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n";
        let request = format!("{head}{}", "x".repeat(sent));
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = rest_of(&mut client).await;
        assert_eq!(answer.get(9..12), Some(status), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"));
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let world = World::new();
    world.route(&[]);
    let head = "HTTP/1.1\r\nHost: a\r\n";
    let many_addresses = "1.1.1.1,".repeat(30) + "1.1.1.1";
    let many_addresses = format!("GET / {head}X-Forwarded-For: {many_addresses}\r\n\r\n");
    let long_path = format!("GET /{} {head}\r\n", "a".repeat(16 * 1024));
    let long_header = format!("GET / {head}X-Long: {}\r\n\r\n", "a".repeat(16 * 1024));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("\u{1}\u{2}\r\n\r\n", "400"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "501",
        ),
        (&many_addresses, "463"),
        (&long_path, "414"),
        (&long_header, "400"),
        ("GET / HTTP/1.0\r\n\r\n", "503"),
        ("GET http://other/x HTTP/1.1\r\nHost: a\r\n\r\n", "503"),
    ] {
        let mut client = TcpStream::connect(world.at).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = [0; 512];
        let read = client.read(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        assert_eq!(text.get(9..12), Some(status), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn a_body_with_two_lengths_has_one_behind_the_balancer() {
    let world = World::new();
    let backend = Backend::start("a").await;
    world.put(1, backend.at);
    world.route(&[1]);
    let mut client = TcpStream::connect(world.at).await.unwrap();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    if answer.starts_with("HTTP/1.1 200 ") {
        assert!(!answer.contains("saw-content-length"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    } else {
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}
