//! Bytes on a connection, and answers as they come, for what an HTTP client would not send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::patiently;

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    /// What was read beyond the last answer.
    read: Vec<u8>,
}

/// An answer as it was on the wire.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    /// The fields, in lower case and in order.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let fields = self.head.lines().skip(1).filter(|line| !line.is_empty());
        fields
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect()
    }

    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let fields = self.fields().into_iter();
        fields
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value)
            .next()
    }
}

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        // Each write is a segment of its own.
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends; a server that has closed already is for the reader to find.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next answer to `method`, or `None` where the connection has ended.
    pub(crate) async fn answer(&mut self, method: &str) -> Option<RawAnswer> {
        let ends = loop {
            if let Some(ends) = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break ends + 4;
            }
            if !self.more().await {
                assert!(self.read.is_empty(), "half an answer: {:?}", self.read);
                return None;
            }
        };
        let head = String::from_utf8(self.read.drain(..ends).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = RawAnswer {
            status,
            head,
            body: Vec::new(),
        };
        let length = answer
            .field("content-length")
            .map_or(0, |length| length.parse().unwrap());
        if method != "HEAD" && !matches!(status, 100 | 204 | 304) {
            while self.read.len() < length {
                assert!(self.more().await, "half a body: {answer:?}");
            }
            answer.body = self.read.drain(..length).collect();
        }
        Some(answer)
    }

    /// Whether the connection has ended with nothing left to read.
    pub(crate) async fn has_ended(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let read = patiently(
            "more bytes or the end",
            self.stream.read_buf(&mut self.read),
        )
        .await;
        // A reset is an end too: there was something on the way that nobody would read.
        read.is_ok_and(|read| read > 0)
    }
}
