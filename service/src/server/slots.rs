//! How many connections the process holds, and what the ones beyond are told.
//!
//! A connection has one request in work at a time (HTTP/1.1), so this bounds the work too.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections at most, however many files may be open: an idle one costs 24 KiB, 16 of them hyper's buffers.
const MOST: u64 = 16_384;
/// Files that are none of these: scrapes, refused connections on their way out, listeners and the like.
const OTHERS: u64 = 352;
/// Of each worker: its connections to the stores, also while they are replaced, and what its runtime opens.
const OF_A_WORKER: u64 = 16;
/// Refused connections on their way out; ones beyond are closed without a word.
const MOST_REFUSED: usize = 256;
/// For a refused client to take its answer.
const REFUSAL: Duration = Duration::from_secs(1);

/// What a connection beyond the limit reads.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 118\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    \r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"there are too many connections; try again\"}";

/// Room for connections, shared by all listeners of a port.
#[derive(Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Slots {
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(connections)),
            refusals: Arc::new(Semaphore::new(MOST_REFUSED)),
        }
    }

    /// Room for one connection, free again when it is dropped.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Tells a client that there is no room, without reading what it wants.
    pub(super) fn refuse(&self, mut stream: TcpStream) {
        let Ok(room) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let refusal = async move {
            stream.write_all(BUSY).await?;
            stream.shutdown().await?;
            // Closing over what is unread would reset the connection, and the answer with it.
            let mut scratch = [0; 1 << 10];
            while stream.read(&mut scratch).await? > 0 {}
            std::io::Result::Ok(())
        };
        tokio::spawn(async move {
            // The client's own end or its deadline: both are the end.
            let _ = timeout(REFUSAL, refusal).await;
            drop(room);
        });
    }
}

/// Raises the limit on open files as far as it goes, and gives the connections that fit.
///
/// The soft limit is 1,024 almost everywhere, for the sake of programs that use select(2).
pub(crate) fn raise_file_limit(workers: NonZeroUsize) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, hard)| {
        match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        }
    });
    connections(files, workers)
}

fn connections(files: u64, workers: NonZeroUsize) -> usize {
    let reserved = OTHERS + OF_A_WORKER * workers.get() as u64;
    let fit = files.saturating_sub(reserved).clamp(16, MOST);
    usize::try_from(fit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_other_files() {
        let two = NonZeroUsize::new(2).unwrap();
        assert_eq!(connections(1_024, two), 640);
        assert_eq!(connections(1 << 20, two), 16_384);
        assert_eq!(connections(0, two), 16);
    }

    #[tokio::test]
    async fn a_slot_is_free_again_when_dropped() {
        let slots = Slots::new(1);
        let slot = slots.take();
        assert!(slot.is_some());
        assert!(slots.clone().take().is_none());
        drop(slot);
        assert!(slots.take().is_some());
    }

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], 503);
    }
}
