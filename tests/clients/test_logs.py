"""CloudWatch Logs: groups, retention, streams, and reading them page by page."""

import re
import time

import pytest

from conftest import arn, definition, in_pages, refused, service

WAIT = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def group(aws, name):
    aws.logs.create_log_group(logGroupName=name)
    return name


def described(aws, name):
    return [
        found
        for found in aws.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if found["logGroupName"] == name
    ]


def now():
    return int(time.time() * 1000)


def put(aws, group, stream, messages, start=None):
    start = start or now() - len(messages)
    events = [{"timestamp": start + at, "message": message} for at, message in enumerate(messages)]
    return aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@pytest.fixture
def stream(aws, group):
    """A stream of 25 lines in a group of the same name."""
    aws.logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(aws, group, "s", [f"line {i:02}" for i in range(25)])
    return group


def test_groups_come_and_go(aws, name):
    aws.logs.create_log_group(logGroupName=name, tags={"team": "shop"})
    found = described(aws, name)[0]
    assert found["arn"] == arn("logs", f"log-group:{name}:*")
    assert found["logGroupArn"] == arn("logs", f"log-group:{name}")
    assert "retentionInDays" not in found and found["creationTime"] > 1.7e12
    with refused("ResourceAlreadyExistsException", "The specified log group already exists"):
        aws.logs.create_log_group(logGroupName=name)
    aws.logs.delete_log_group(logGroupName=name)
    assert described(aws, name) == []
    with refused("ResourceNotFoundException", "The specified log group does not exist"):
        aws.logs.delete_log_group(logGroupName=name)


@pytest.mark.parametrize("bad", ["with space", "aws/mine", "a" * 513, "ü"])
def test_names_are_checked(raw, bad):
    with refused("InvalidParameterException"):
        raw.logs.create_log_group(logGroupName=bad)


def test_retention(aws, group):
    aws.logs.put_retention_policy(logGroupName=group, retentionInDays=14)
    assert described(aws, group)[0]["retentionInDays"] == 14
    with refused("InvalidParameterException"):
        aws.logs.put_retention_policy(logGroupName=group, retentionInDays=15)
    aws.logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in described(aws, group)[0]
    with refused("ResourceNotFoundException"):
        aws.logs.put_retention_policy(logGroupName="nobody", retentionInDays=14)


def test_tags(aws, group):
    resource = arn("logs", f"log-group:{group}")
    aws.logs.tag_resource(resourceArn=resource, tags={"a": "1", "b": "2"})
    assert aws.logs.list_tags_for_resource(resourceArn=resource)["tags"] == {"a": "1", "b": "2"}
    aws.logs.untag_resource(resourceArn=resource, tagKeys=["a"])
    assert aws.logs.list_tags_for_resource(resourceArn=resource)["tags"] == {"b": "2"}
    with refused("ResourceNotFoundException"):
        aws.logs.list_tags_for_resource(resourceArn=arn("logs", "log-group:nobody"))


def test_groups_in_pages(aws, name):
    for i in range(5):
        aws.logs.create_log_group(logGroupName=f"{name}/{i}")
    found, pages = in_pages(aws.logs, "describe_log_groups", "logGroups", 2, logGroupNamePrefix=f"{name}/")
    assert ([group["logGroupName"] for group in found], pages) == ([f"{name}/{i}" for i in range(5)], 3)
    with refused("InvalidParameterException"):
        aws.logs.describe_log_groups(logGroupNamePrefix=name, logGroupNamePattern=name)


def test_streams(aws, group):
    for i in range(5):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=f"s/{i}")
    put(aws, group, "s/3", ["last"])
    with refused("ResourceAlreadyExistsException"):
        aws.logs.create_log_stream(logGroupName=group, logStreamName="s/1")
    found, pages = in_pages(
        aws.logs, "describe_log_streams", "logStreams", 2, logGroupName=group, logStreamNamePrefix="s/"
    )
    assert ([found["logStreamName"] for found in found], pages) == ([f"s/{i}" for i in range(5)], 3)
    latest = aws.logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
    assert latest["logStreams"][0]["logStreamName"] == "s/3"
    with refused("InvalidParameterException"):
        aws.logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="s/")
    aws.logs.delete_log_stream(logGroupName=group, logStreamName="s/1")
    with refused("ResourceNotFoundException", "The specified log stream does not exist"):
        aws.logs.get_log_events(logGroupName=group, logStreamName="s/1")


def test_reading_forwards_ends_where_the_token_stays(aws, stream):
    page = aws.logs.get_log_events(logGroupName=stream, logStreamName="s", startFromHead=True, limit=10)
    seen = [event["message"] for event in page["events"]]
    for _ in range(20):
        token = page["nextForwardToken"]
        assert re.fullmatch(r"f/\d{56}/s", token) and re.fullmatch(r"b/\d{56}/s", page["nextBackwardToken"])
        page = aws.logs.get_log_events(
            logGroupName=stream, logStreamName="s", startFromHead=True, limit=10, nextToken=token
        )
        seen += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
    else:
        raise AssertionError("it never ends")
    assert seen == [f"line {i:02}" for i in range(25)]
    newest = aws.logs.get_log_events(logGroupName=stream, logStreamName="s", limit=10)
    assert [event["message"] for event in newest["events"]] == [f"line {i}" for i in range(15, 25)]
    before = aws.logs.get_log_events(
        logGroupName=stream, logStreamName="s", limit=10, nextToken=newest["nextBackwardToken"]
    )
    assert [event["message"] for event in before["events"]] == [f"line {i:02}" for i in range(5, 15)]


def test_searching_a_group(aws, stream):
    aws.logs.create_log_stream(logGroupName=stream, logStreamName="t")
    put(aws, stream, "t", ["ERROR one", "fine", "ERROR two"])
    found, pages = in_pages(aws.logs, "filter_log_events", "events", 10, logGroupName=stream)
    assert len(found) == 28 and pages >= 3
    assert len({event["eventId"] for event in found}) == 28
    times = [event["timestamp"] for event in found]
    assert times == sorted(times), "oldest first"
    errors = aws.logs.filter_log_events(logGroupName=stream, filterPattern="ERROR", logStreamNames=["t"])
    assert [event["message"] for event in errors["events"]] == ["ERROR one", "ERROR two"]
    with refused("InvalidParameterException"):
        aws.logs.filter_log_events(logGroupName=stream, logStreamNames=["t"], logStreamNamePrefix="t")


def test_times_bound_what_is_read(aws, group):
    aws.logs.create_log_stream(logGroupName=group, logStreamName="s")
    start = now() - 1000
    put(aws, group, "s", ["a", "b", "c"], start)
    span = {"startTime": start, "endTime": start + 1}
    got = aws.logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True, **span)
    assert [event["message"] for event in got["events"]] == ["a"], "the end is excluded"
    found = aws.logs.filter_log_events(logGroupName=group, **span)
    assert [event["message"] for event in found["events"]] == ["a", "b"], "the end is included"


def test_writing(aws, group):
    with refused("ResourceNotFoundException", "The specified log stream does not exist"):
        put(aws, group, "s", ["a"])
    aws.logs.create_log_stream(logGroupName=group, logStreamName="s")
    assert put(aws, group, "s", ["a"])["nextSequenceToken"]
    with refused("InvalidParameterException"):
        backwards = [{"timestamp": now(), "message": "b"}, {"timestamp": now() - 10, "message": "a"}]
        aws.logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=backwards)
    old = put(aws, group, "s", ["old"], now() - 15 * 86_400_000)
    assert old["rejectedLogEventsInfo"]


def test_a_token_that_aws_did_not_give(aws, stream):
    for call in (
        lambda: aws.logs.get_log_events(logGroupName=stream, logStreamName="s", nextToken="made-up"),
        lambda: aws.logs.filter_log_events(logGroupName=stream, nextToken="made-up"),
        lambda: aws.logs.describe_log_groups(nextToken="made-up"),
    ):
        with refused("InvalidParameterException"):
            call()


def test_what_a_task_prints(aws, cluster, name, group, image):
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    given = definition(name, image)
    given["containerDefinitions"][0]["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    family = aws.ecs.register_task_definition(**given)["taskDefinition"]["family"]
    aws.ecs.create_service(**service(cluster, name, family, count=1))
    aws.ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name], WaiterConfig=WAIT)
    task = aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"][0].rsplit("/", 1)[1]
    events = aws.logs.get_log_events(logGroupName=group, logStreamName=f"web/web/{task}", startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["misbehaves: serving"]
    assert events[0]["ingestionTime"] >= events[0]["timestamp"] > 1.7e12
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)
