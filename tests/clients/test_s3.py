"""S3: small objects, and writes that hold only on a condition."""

import base64
import hashlib
import http.client
import zlib

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from conftest import refused
from emulator import ACCOUNT, REGION

MISSING = "s3-of-nobody"


@pytest.fixture
def s3(aws):
    return aws.s3


@pytest.fixture
def bucket(s3, name):
    """A bucket of the test's own; its objects go with it."""
    s3.create_bucket(Bucket=name)
    yield name
    for listed in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=listed["Key"])
    s3.delete_bucket(Bucket=name)


def put(s3, bucket, *keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def etag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


def test_buckets_come_and_go(s3, name):
    created = s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert created["Location"] == f"/{name}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}", "us-east-1 says OK to who owns it"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == REGION
    assert s3.head_bucket(Bucket=name, ExpectedBucketOwner=ACCOUNT)
    listed = s3.list_buckets()
    assert name in [bucket["Name"] for bucket in listed["Buckets"]]
    put(s3, name, "a")
    with refused("BucketNotEmpty", status=409):
        s3.delete_bucket(Bucket=name)
    s3.delete_object(Bucket=name, Key="a")
    deleted = s3.delete_bucket(Bucket=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("404", status=404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", status=404):
        s3.delete_bucket(Bucket=name)


def test_buckets_that_cannot_be(s3, raw):
    elsewhere = {"LocationConstraint": "eu-west-1"}
    with refused("IllegalLocationConstraintException", "eu-west-1"):
        s3.create_bucket(Bucket="of-elsewhere", CreateBucketConfiguration=elsewhere)
    with refused("NotImplemented", status=501):
        s3.create_bucket(Bucket="with-more", CreateBucketConfiguration={"Tags": [{"Key": "a", "Value": "b"}]})
    with refused("NotImplemented", "x-amz-acl", status=501):
        s3.create_bucket(Bucket="with-an-acl", ACL="public-read")
    for name in ("Upper", "a..b", "10.0.0.1", "aa"):
        with refused("InvalidBucketName"):
            raw.s3.create_bucket(Bucket=name)


def test_an_object_is_there_as_it_was_put(s3, bucket):
    for key in ("plain", "with/slashes/and.dots", "/begins//so", "späce +%&?=#", "a\tb", "ü" * 512):
        content = key.encode() * 3 + bytes(range(256))
        written = s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/x-yaml")
        assert written["ETag"] == etag(content)
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == content
        seen = s3.head_object(Bucket=bucket, Key=key)
        for answer in (got, seen):
            assert answer["ETag"] == etag(content)
            assert (answer["ContentLength"], answer["ContentType"]) == (len(content), "text/x-yaml")
            assert answer["LastModified"].tzinfo
        assert key in [listed["Key"] for listed in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert s3.put_object(Bucket=bucket, Key="plain")["ETag"] == etag(b"")
    assert s3.get_object(Bucket=bucket, Key="plain")["Body"].read() == b""
    assert s3.get_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"
    largest = bytes(5 * 1024 * 1024)
    s3.put_object(Bucket=bucket, Key="largest", Body=largest)
    assert s3.get_object(Bucket=bucket, Key="largest")["Body"].read() == largest
    for _ in range(2):
        deleted = s3.delete_object(Bucket=bucket, Key="largest")
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204, "also when there is none"


def test_objects_that_cannot_be(s3, bucket):
    for read in (s3.get_object, s3.delete_object):
        with refused("NoSuchBucket", status=404):
            read(Bucket=MISSING, Key="a")
    with refused("NoSuchKey", "The specified key does not exist", status=404):
        s3.get_object(Bucket=bucket, Key="a")
    with refused("404", status=404):
        s3.head_object(Bucket=bucket, Key="a")
    with refused("NoSuchBucket", status=404):
        put(s3, MISSING, "a")
    with refused("KeyTooLongError"):
        put(s3, bucket, "k" * 1025)
    for length in (5 * 1024 * 1024 + 1, 11 * 1024 * 1024):
        with refused("EntityTooLarge"):
            s3.put_object(Bucket=bucket, Key="a", Body=bytes(length))
    with refused("AccessDenied", status=403):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a", ExpectedBucketOwner="000000000000")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_what_would_mean_more_is_refused(s3, bucket):
    put(s3, bucket, "a")
    refusals = [
        lambda: s3.get_object(Bucket=bucket, Key="a", Range="bytes=0-1"),
        lambda: s3.get_object(Bucket=bucket, Key="a", VersionId="1"),
        lambda: s3.put_object(Bucket=bucket, Key="a", Metadata={"a": "b"}),
        lambda: s3.put_object(Bucket=bucket, Key="a", CacheControl="no-store"),
        lambda: s3.put_object(Bucket=bucket, Key="a", ContentEncoding="gzip"),
        lambda: s3.put_object(Bucket=bucket, Key="a", StorageClass="GLACIER"),
        lambda: s3.put_object(Bucket=bucket, Key="a", IfNoneMatch=etag(b"a")),
        lambda: s3.delete_object(Bucket=bucket, Key="a", IfMatch=etag(b"a")),
        lambda: s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a"),
        lambda: s3.get_object_acl(Bucket=bucket, Key="a"),
        lambda: s3.list_objects(Bucket=bucket),
        lambda: s3.list_object_versions(Bucket=bucket),
        lambda: s3.list_objects_v2(Bucket=bucket, FetchOwner=True),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="a"),
        lambda: s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}]}),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
    ]
    for refusal in refusals:
        with refused("NotImplemented", status=501):
            refusal()
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"


def test_a_lease_is_taken_and_renewed_by_conditions(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="lease", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="lease", Body=b"2", IfNoneMatch="*")
    second = s3.put_object(Bucket=bucket, Key="lease", Body=b"2", IfMatch=first)["ETag"]
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="lease", Body=b"3", IfMatch=first)
    s3.put_object(Bucket=bucket, Key="lease", Body=b"3", IfMatch=second.strip('"'))
    assert s3.get_object(Bucket=bucket, Key="lease")["Body"].read() == b"3"
    with refused("NoSuchKey", status=404):
        s3.put_object(Bucket=bucket, Key="other", Body=b"1", IfMatch=second)


def test_reads_on_a_condition(s3, bucket):
    now = s3.put_object(Bucket=bucket, Key="a", Body=b"a")["ETag"]
    for read in (s3.get_object, s3.head_object):
        assert read(Bucket=bucket, Key="a", IfMatch=now)["ETag"] == now
        assert read(Bucket=bucket, Key="a", IfNoneMatch=etag(b"b"))["ETag"] == now
        with refused("304", status=304):
            read(Bucket=bucket, Key="a", IfNoneMatch=now)
    with refused("PreconditionFailed", status=412):
        s3.get_object(Bucket=bucket, Key="a", IfMatch=etag(b"b"))
    with refused("412", status=412):
        s3.head_object(Bucket=bucket, Key="a", IfMatch=etag(b"b"))


def test_a_listing_has_everything_once_in_order(s3, bucket):
    keys = [f"env/{number:02}.yaml" for number in range(25)]
    put(s3, bucket, *reversed(keys), "env", "other/a", "env/sub/a", "env/sub/b")
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix="env/", Delimiter="/", PaginationConfig={"PageSize": 7}
        )
    )
    assert [len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) for page in pages] == [7, 7, 7, 5]
    assert all(page["KeyCount"] <= page["MaxKeys"] == 7 for page in pages)
    assert [listed["Key"] for page in pages for listed in page.get("Contents", [])] == keys
    prefixes = [prefix["Prefix"] for page in pages for prefix in page.get("CommonPrefixes", [])]
    assert prefixes == ["env/sub/"]
    first = pages[0]["Contents"][0]
    assert (first["Size"], first["ETag"], first["StorageClass"]) == (11, etag(keys[0].encode()), "STANDARD")


def test_a_listings_bounds(s3, bucket):
    put(s3, bucket, "a", "b/1", "b/2", "c")

    def listed(**how):
        page = s3.list_objects_v2(Bucket=bucket, **how)
        return [entry["Key"] for entry in page.get("Contents", [])], page["IsTruncated"]

    assert listed() == (["a", "b/1", "b/2", "c"], False)
    assert listed(StartAfter="b/1") == (["b/2", "c"], False)
    assert listed(MaxKeys=2) == (["a", "b/1"], True)
    assert listed(MaxKeys=4) == (["a", "b/1", "b/2", "c"], False)
    assert listed(MaxKeys=0) == ([], False)
    assert listed(Prefix="x") == ([], False)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    with refused("InvalidArgument"):
        listed(MaxKeys=-1)
    with refused("InvalidArgument", "continuation token"):
        listed(ContinuationToken="nobody's")
    with refused("NoSuchBucket", status=404):
        s3.list_objects_v2(Bucket=MISSING)


def test_another_regions_signature_says_where_to_go(emulator):
    elsewhere = boto3.client(
        "s3",
        endpoint_url=emulator.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="boto3",
        aws_secret_access_key="not-a-secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )
    # boto3 itself would follow the region that it is told.
    elsewhere.meta.events.unregister("needs-retry.s3")
    with pytest.raises(ClientError) as caught:
        raw_request(emulator, "GET", "/", region="eu-west-1")
        elsewhere.list_buckets()
    error = caught.value.response
    assert error["Error"]["Code"] == "AuthorizationHeaderMalformed"
    assert error["Error"]["Region"] == REGION
    assert error["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == REGION


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_of_the_sdk_are_checked(s3, bucket, algorithm):
    s3.put_object(Bucket=bucket, Key="a", Body=b"content", ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")["Body"].read() == b"content"
    length = {"CRC32": 4, "SHA1": 20, "SHA256": 32}[algorithm]
    wrong = {f"Checksum{algorithm}": base64.b64encode(bytes(length)).decode()}
    with refused("BadDigest"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"other", **wrong)
    with refused("BadDigest"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"other", ContentMD5=base64.b64encode(bytes(16)).decode())
    with refused("InvalidDigest"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"other", ContentMD5="x")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"content"


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


def test_the_journal_has_calls_without_their_contents(emulator, s3, bucket):
    since = emulator.get("/_emulator/journal")["next"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"secret", IfNoneMatch="*")
    s3.get_object(Bucket=bucket, Key="a")
    s3.head_object(Bucket=bucket, Key="a")
    s3.list_objects_v2(Bucket=bucket, Prefix="a")
    with refused("NoSuchKey", status=404):
        s3.get_object(Bucket=bucket, Key="b")
    entries = emulator.get(f"/_emulator/journal?since={since}")["entries"]
    assert {(entry["service"], entry["caller"]) for entry in entries} == {("s3", "boto3")}
    assert [(entry["operation"], entry["write"], entry["code"]) for entry in entries] == [
        ("PutObject", True, "OK"),
        ("GetObject", False, "OK"),
        ("HeadObject", False, "OK"),
        ("ListObjectsV2", False, "OK"),
        ("GetObject", False, "NoSuchKey"),
    ]
    assert entries[0]["input"] == {"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"}
    assert entries[3]["input"]["Prefix"] == "a"


def test_faults_are_in_s3s_words(s3, bucket, faults):
    put(s3, bucket, "a")
    for effect, code, status in [
        ("throttle", "SlowDown", 503),
        ({"serverError": {"status": 500}}, "InternalError", 500),
        ({"serverError": {"status": 503}}, "ServiceUnavailable", 503),
        ("accessDenied", "AccessDenied", 403),
        ("expiredCredentials", "ExpiredToken", 400),
    ]:
        faults({"service": "s3", "effect": effect})
        with refused(code, status=status):
            s3.get_object(Bucket=bucket, Key="a")
    faults({"service": "s3", "operation": "PutObject", "times": 1, "effect": "replyLost"})
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=bucket, Key="lease", Body=b"mine", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="lease")["Body"].read() == b"mine"
    # S3 is strongly consistent.
    faults({"effect": {"stale": {"seconds": 60}}})
    put(s3, bucket, "new")
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"new"
    faults()
