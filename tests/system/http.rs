//! Plain HTTP, as anybody asks.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Response;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

/// A GET whose answer must come, whatever its status.
pub async fn get(url: &str) -> Response<Bytes> {
    try_get(url).await.unwrap()
}

/// A POST without a body, which must succeed.
pub async fn post(url: &str) {
    let request = hyper::Request::post(url).body(Empty::new()).unwrap();
    let response = client().request(request).await.unwrap();
    assert!(
        response.status().is_success(),
        "{url}: {}",
        response.status()
    );
}

/// A GET that may fail.
pub async fn try_get(url: &str) -> Result<Response<Bytes>, String> {
    let client = client();
    fetch(&client, url).await
}

/// A client with connections of its own.
pub fn client() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A GET through `client`.
pub async fn fetch(
    client: &Client<HttpConnector, Empty<Bytes>>,
    url: &str,
) -> Result<Response<Bytes>, String> {
    let response = client
        .get(url.parse().unwrap())
        .await
        .map_err(|error| format!("{error:?}"))?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| format!("{error:?}"))?
        .to_bytes();
    Ok(Response::from_parts(head, body))
}
