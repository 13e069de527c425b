"""S3 as it is on the wire, where no SDK goes: bodies in chunks, errors, signatures for other regions."""

import base64
import hashlib
import http.client
import zlib

from emulator import REGION


def etag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


def raw_request(emulator, method, path, body=b"", region=REGION, service="s3", **headers):
    """A request that no SDK would send; its status, headers and body."""
    scope = f"raw/20260101/{region}/{service}/aws4_request"
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
    connection = http.client.HTTPConnection(emulator.endpoint.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def crc32(content):
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def chunked(*chunks, trailer="", signature=""):
    """A body in aws-chunked."""
    sizes = [f"{len(chunk):x}{signature}\r\n".encode() for chunk in (*chunks, b"")]
    pieces = b"".join(size + chunk + b"\r\n" for size, chunk in zip(sizes, chunks))
    return pieces + sizes[-1] + trailer.encode() + b"\r\n"


def put_chunked(emulator, path, body, length, sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **headers):
    return raw_request(
        emulator,
        "PUT",
        path,
        body,
        content_encoding="aws-chunked",
        x_amz_content_sha256=sha256,
        x_amz_decoded_content_length=str(length),
        **headers,
    )


def test_bodies_in_chunks(emulator, s3, bucket):
    content = b"abc\r\n" + bytes(70_000)
    trailer = f"x-amz-checksum-crc32:{crc32(content)}\r\n"
    body = chunked(content[:65_536], content[65_536:], trailer=trailer)
    status, headers, _ = put_chunked(emulator, f"/{bucket}/a", body, len(content), x_amz_trailer="x-amz-checksum-crc32")
    assert (status, headers["etag"]) == (200, etag(content))
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == content

    signature = ";chunk-signature=" + "0" * 64
    for kind, end in (("", ""), ("-TRAILER", trailer + "x-amz-trailer-signature:" + "0" * 64 + "\r\n")):
        body = chunked(content, signature=signature, trailer=end)
        announced = {"x_amz_trailer": "x-amz-checksum-crc32"} if end else {}
        sha256 = f"STREAMING-AWS4-HMAC-SHA256-PAYLOAD{kind}"
        assert put_chunked(emulator, f"/{bucket}/b", body, len(content), sha256, **announced)[0] == 200
        assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == content


def test_bodies_in_bad_chunks(emulator, s3, bucket):
    whole = chunked(b"abc", trailer=f"x-amz-checksum-crc32:{crc32(b'abc')}\r\n")
    wrong = chunked(b"abd", trailer=f"x-amz-checksum-crc32:{crc32(b'abc')}\r\n")
    announced = {"x_amz_trailer": "x-amz-checksum-crc32"}
    big = chunked(bytes(5 * 1024 * 1024 + 1))
    for body, length, headers, code in [
        (whole[:-1], 3, announced, b"MalformedTrailerError"),
        (whole[:7], 3, announced, b"IncompleteBody"),
        (whole, 4, announced, b"IncompleteBody"),
        (whole, 3, {}, b"MalformedTrailerError"),
        (chunked(b"abc"), 3, announced, b"MalformedTrailerError"),
        (wrong, 3, announced, b"BadDigest"),
        (b"zz\r\nabc\r\n0\r\n\r\n", 3, {}, b"IncompleteBody"),
        (b"", 0, {}, b"IncompleteBody"),
        (big, 5 * 1024 * 1024 + 1, {}, b"EntityTooLarge"),
    ]:
        status, _, answer = put_chunked(emulator, f"/{bucket}/a", body, length, **headers)
        assert (status, b"<Code>" + code + b"</Code>" in answer) == (400, True), answer
    status, _, answer = put_chunked(emulator, f"/{bucket}/a", whole, 3, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    assert (status, b"NotImplemented" in answer) == (501, True)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_errors_are_xml_of_s3s_own(emulator, bucket):
    status, headers, body = raw_request(emulator, "GET", f"/{bucket}/a%3Cb")
    assert (status, headers["content-type"]) == (404, "application/xml")
    words = "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
    resource = f"<Resource>/{bucket}/a%3Cb</Resource><RequestId>{headers['x-amz-request-id']}</RequestId>"
    assert body.decode().endswith(f"<Error>{words}{resource}</Error>")
    for path, status, code in [
        (f"/{bucket}/%ff", 400, b"InvalidURI"),
        (f"/{bucket}?list-type=1", 501, b"NotImplemented"),
        (f"/{bucket}?list-type=2&encoding-type=x", 400, b"InvalidArgument"),
        (f"/{bucket}?list-type=2&max-keys=x", 400, b"InvalidArgument"),
        (f"/{bucket}?list-type=2&prefix=a&prefix=b", 400, b"InvalidArgument"),
        ("//a", 400, b"InvalidBucketName"),
    ]:
        answer = raw_request(emulator, "GET", path)
        assert (answer[0], code in answer[2]) == (status, True), answer
    sha256 = hashlib.sha256(b"other").hexdigest()
    answer = raw_request(emulator, "PUT", f"/{bucket}/a", b"a", x_amz_content_sha256=sha256)
    assert (answer[0], b"XAmzContentSHA256Mismatch" in answer[2]) == (400, True)
    # What was not signed for S3 is none of S3's.
    assert raw_request(emulator, "GET", f"/{bucket}/a", service="ecs")[0] == 404


def test_another_regions_signature_says_where_to_go(emulator):
    status, headers, body = raw_request(emulator, "GET", "/", region="eu-west-1")
    assert (status, headers["x-amz-bucket-region"]) == (400, REGION)
    assert f"<Region>{REGION}</Region>" in body.decode()
    assert "<Code>AuthorizationHeaderMalformed</Code>" in body.decode()
    status, headers, body = raw_request(emulator, "HEAD", "/any", region="eu-west-1")
    assert (status, headers["x-amz-bucket-region"], body) == (400, REGION, b"")
