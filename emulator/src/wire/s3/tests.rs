//! Requests as the SDKs make them, and answers as they read them.

use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};

use super::*;

const EMPTY: &[u8] = b"";

fn ask(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(String, Value), &'static str> {
    let scope = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, Signature=0";
    let mut request = Request::builder().method(method).uri(uri);
    request = request.header("authorization", scope);
    request = request.header("content-length", body.len());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    assert!(is_s3(&head.headers));
    let (_, call) = decode(&head, body, "us-east-1");
    let call = call.map_err(|error| error.code)?;
    assert_eq!(call.caller, "AKID");
    Ok((call.operation, call.input))
}

#[test]
fn method_and_path_say_the_operation() {
    let object = json!({ "Bucket": "b-1", "Key": "k/é +" });
    let bucket = json!({ "Bucket": "b-1" });
    let key = "/b-1/k/%C3%A9%20+";
    for (method, uri, operation, input) in [
        ("GET", "/?x-id=ListBuckets", "ListBuckets", json!({})),
        ("HEAD", "/b-1", "HeadBucket", bucket.clone()),
        ("PUT", "/b-1/", "CreateBucket", bucket.clone()),
        ("DELETE", "/b-1", "DeleteBucket", bucket),
        ("GET", key, "GetObject", object.clone()),
        ("HEAD", key, "HeadObject", object.clone()),
        ("DELETE", key, "DeleteObject", object),
        (
            "GET",
            "/b-1//a?x-id=GetObject",
            "GetObject",
            json!({ "Bucket": "b-1", "Key": "/a" }),
        ),
        (
            "GET",
            "/b-1?list-type=2&prefix=a%2Fb&max-keys=5",
            "ListObjectsV2",
            json!({ "Bucket": "b-1", "Prefix": "a/b", "MaxKeys": "5" }),
        ),
    ] {
        let asked = ask(method, uri, &[], EMPTY);
        assert_eq!(asked, Ok((operation.to_owned(), input)), "{method} {uri}");
    }
}

#[test]
fn conditions_and_content_are_part_of_the_input() {
    let headers = [
        ("if-none-match", "*"),
        ("content-type", "text/plain"),
        ("x-amz-checksum-crc32", "NSRBwg=="),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-date", "20260101T000000Z"),
    ];
    let (operation, input) = ask("PUT", "/b-1/k?x-id=PutObject", &headers, b"abc").unwrap();
    assert_eq!(operation, "PutObject");
    assert_eq!(
        input,
        json!({"Bucket": "b-1", "Key": "k", "IfNoneMatch": "*", "ContentType": "text/plain", "Body": "YWJj"})
    );
    for (headers, code) in [
        (&[("x-amz-checksum-crc32", "AAAAAA==")][..], "BadDigest"),
        (&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], "BadDigest"),
        (&[("content-md5", "AA==")], "InvalidDigest"),
        (&[("x-amz-checksum-crc32", "AA==")], "InvalidRequest"),
        (
            &[("x-amz-sdk-checksum-algorithm", "CRC32")],
            "InvalidRequest",
        ),
        (
            &[
                ("x-amz-checksum-crc32", "NSRBwg=="),
                ("x-amz-checksum-crc32c", "Nks/tw=="),
            ],
            "InvalidRequest",
        ),
        (
            &[("x-amz-content-sha256", "00")],
            "XAmzContentSHA256Mismatch",
        ),
        (&[("x-amz-content-sha256", "STREAMING-X")], "NotImplemented"),
        (&[("content-encoding", "aws-chunked")], "NotImplemented"),
    ] {
        let refused = ask("PUT", "/b-1/k", headers, b"abc");
        assert_eq!(refused, Err(code), "{headers:?}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for (method, uri, header, code) in [
        ("GET", "/b-1/k?acl", "", "NotImplemented"),
        ("GET", "/b-1/k?x-id=PutObject", "", "NotImplemented"),
        ("GET", "/b-1", "", "NotImplemented"),
        ("POST", "/b-1?delete", "", "NotImplemented"),
        ("PATCH", "/b-1/k", "", "NotImplemented"),
        ("PUT", "/b-1/k", "x-amz-acl", "NotImplemented"),
        ("PUT", "/b-1/k", "x-amz-checksum-md6", "NotImplemented"),
        ("PUT", "/b-1/k", "x-amz-copy-source", "NotImplemented"),
        ("PUT", "/b-1/k", "cache-control", "NotImplemented"),
        ("GET", "/b-1/k", "range", "NotImplemented"),
        ("DELETE", "/b-1/k", "if-match", "NotImplemented"),
        ("GET", "/b-1/%ff", "", "InvalidURI"),
        ("GET", "//k", "", "InvalidBucketName"),
    ] {
        let header = (header, "x");
        let headers = if header.0.is_empty() {
            &[][..]
        } else {
            &[header]
        };
        assert_eq!(
            ask(method, uri, headers, EMPTY),
            Err(code),
            "{method} {uri} {header:?}"
        );
    }
}

fn asked() -> Asked {
    Asked {
        resource: "/b-1/<k>".to_owned(),
        region: "us-east-1".to_owned(),
    }
}

async fn text(operation: &str, outcome: &Result<Value, ApiError>) -> String {
    let response = encode(&asked(), operation, outcome, "id-1");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn lists_are_documents_and_names_can_be_encoded() {
    let listed = json!({
        "Name": "b-1", "Prefix": "a b", "EncodingType": "url", "KeyCount": 2,
        "Contents": [{ "Key": "a b/é+", "ETag": "\"0\"" }, { "Key": "a b/\u{1}" }],
    });
    let body = text("ListObjectsV2", &Ok(listed)).await;
    let (_, body) = body.split_once("2006-03-01/\">").unwrap();
    assert_eq!(
        body,
        "<Name>b-1</Name><Prefix>a%20b</Prefix><EncodingType>url</EncodingType><KeyCount>2</KeyCount>\
         <Contents><Key>a%20b/%C3%A9%2B</Key><ETag>&quot;0&quot;</ETag></Contents>\
         <Contents><Key>a%20b/%01</Key></Contents></ListBucketResult>"
    );
    let buckets =
        json!({ "Owner": { "ID": "1" }, "Buckets": [{ "Name": "b-1" }, { "Name": "b-2" }] });
    let body = text("ListBuckets", &Ok(buckets)).await;
    assert!(body.ends_with(
        "<Owner><ID>1</ID></Owner><Buckets><Bucket><Name>b-1</Name></Bucket><Bucket><Name>b-2</Name></Bucket></Buckets></ListAllMyBucketsResult>"
    ));
}

#[tokio::test]
async fn errors_name_the_resource_and_another_region() {
    let body = text("GetObject", &Err(error(404, "NoSuchKey", "none <there>"))).await;
    assert!(body.ends_with(
        "<Error><Code>NoSuchKey</Code><Message>none &lt;there&gt;</Message><Resource>/b-1/&lt;k&gt;</Resource><RequestId>id-1</RequestId></Error>"
    ));
    let (head, ()) = Request::get("/b-1")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/s3/aws4_request",
        )
        .body(())
        .unwrap()
        .into_parts();
    let elsewhere = decode(&head, EMPTY, "us-east-1").1.unwrap_err();
    assert_eq!(
        (elsewhere.status, elsewhere.code),
        (400, "AuthorizationHeaderMalformed")
    );
    let response = encode(&asked(), "", &Err(elsewhere.clone()), "id-1");
    assert_eq!(response.headers()["x-amz-bucket-region"], "us-east-1");
    let body = text("", &Err(elsewhere)).await;
    assert!(body.contains("<Region>us-east-1</Region>"));
    assert_eq!(
        text("GetObject", &Err(error(304, "NotModified", ""))).await,
        ""
    );
}

#[test]
fn contents_come_with_their_headers() {
    let got = json!({
        "ETag": "\"0\"", "LastModified": "2026-10-01T12:00:00.500Z", "ContentLength": 3, "ContentType": "text/plain",
        "Body": "YWJj",
    });
    let response = encode(&asked(), "GetObject", &Ok(got), "id-1");
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("etag"), "\"0\"");
    assert_eq!(header("last-modified"), "Thu, 01 Oct 2026 12:00:00 GMT");
    assert_eq!(
        (header("content-length"), header("content-type")),
        ("3", "text/plain")
    );
    assert_eq!(header("x-amz-request-id"), "id-1");
    let deleted = encode(&asked(), "DeleteObject", &Ok(json!({})), "id-1");
    assert_eq!(deleted.status(), 204);
}
