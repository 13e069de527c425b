"""S3 in the journal, and with faults."""

import pytest
from botocore.exceptions import ConnectionClosedError

from conftest import refused


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
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
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
    s3.put_object(Bucket=bucket, Key="new", Body=b"new")
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"new"
