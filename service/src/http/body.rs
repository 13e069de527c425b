//! Request bodies: JSON, bounded in size and time.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;

/// Bytes in a body.
pub(crate) const MAX: usize = 1 << 20;
/// For a whole body to arrive.
const DEADLINE: Duration = Duration::from_secs(10);
/// What is read and thrown away of a body that is too large, and for how long. A client that is still sending when the connection
/// closes sees a reset and not the answer.
const DISCARD: usize = 8 * MAX;
const DISCARD_DEADLINE: Duration = Duration::from_secs(2);

/// Reads a JSON request's body.
pub(crate) async fn read_json<B>(headers: &HeaderMap, body: B) -> Result<Vec<u8>, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if !is_json(headers) {
        return Err(Failure::MediaType);
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Failure::ContentEncoding);
    }
    // A client that waits for "100 Continue" has sent nothing yet.
    let waits = headers.contains_key(EXPECT);
    if waits && body.size_hint().lower() > MAX as u64 {
        return Err(Failure::TooLarge { most: MAX });
    }
    read(body).await
}

async fn read<B>(body: B) -> Result<Vec<u8>, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let mut body = std::pin::pin!(body);
    let mut read = Vec::new();
    let mut discarded = 0;
    let mut deadline = Instant::now() + DEADLINE;
    loop {
        let too_large = discarded > 0;
        let frame = match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Failure::BodyBroken(Box::new(error))),
            Ok(None) if too_large => return Err(Failure::TooLarge { most: MAX }),
            Ok(None) => return Ok(read),
            Err(_) if too_large => return Err(Failure::TooLarge { most: MAX }),
            Err(_) => return Err(Failure::BodyLate),
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if !too_large && read.len() + data.len() <= MAX {
            read.extend_from_slice(&data);
            continue;
        }
        if !too_large {
            deadline = deadline.min(Instant::now() + DISCARD_DEADLINE);
        }
        discarded += data.len();
        if discarded > DISCARD {
            return Err(Failure::TooLarge { most: MAX });
        }
    }
}

/// `application/json`, or a type with the suffix `+json` (RFC 6839), whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || essence
            .strip_prefix("application/")
            .is_some_and(|subtype| subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())])
    }

    async fn read(headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        read_json(headers, Full::<Bytes>::from(body)).await
    }

    #[tokio::test]
    async fn the_limit_is_inclusive() {
        let fits = read(&headers("application/json"), vec![b' '; MAX]).await;
        assert_eq!(fits.unwrap().len(), MAX);
        let large = read(&headers("application/json"), vec![b' '; MAX + 1]).await;
        assert!(matches!(large, Err(Failure::TooLarge { most: MAX })));
    }

    #[tokio::test]
    async fn a_compressed_body_is_refused_as_such() {
        let mut compressed = headers("application/json");
        compressed.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        let refused = read(&compressed, vec![0x1f, 0x8b]).await;
        assert!(matches!(refused, Err(Failure::ContentEncoding)));
    }

    #[tokio::test]
    async fn only_json_is_read() {
        for good in ["Application/JSON; charset=utf-8", "application/merge+json"] {
            assert!(read(&headers(good), Vec::new()).await.is_ok(), "{good}");
        }
        for bad in ["text/plain", "", "application/jsonx", "json"] {
            let refused = read(&headers(bad), Vec::new()).await;
            assert!(matches!(refused, Err(Failure::MediaType)), "{bad}");
        }
    }
}
