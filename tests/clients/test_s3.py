"""S3: small objects, and writes that hold only on a condition."""

import base64
import hashlib

import pytest

from conftest import refused
from emulator import ACCOUNT, REGION

MISSING = "s3-of-nobody"


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
