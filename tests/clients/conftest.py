"""What the tests share: one emulator, its clients, and things to work with."""

import hashlib
import json
import os
import re
import types
import urllib.request
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from emulator import ACCOUNT, REGION, Emulator

# Nobody's profile, nobody's proxy.
for variable in list(os.environ):
    if variable.startswith("AWS_") or variable.lower().endswith("_proxy"):
        del os.environ[variable]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"], "securityGroups": ["sg-0a1b2c3d4e5f60718"]}}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()


def clients(emulator, validate):
    services = ("ecs", "elbv2", "logs", "ecr", "sts", "s3")
    return types.SimpleNamespace(**{name: emulator.client(name, validate) for name in services})


@pytest.fixture(scope="session")
def aws(emulator):
    """Clients as anybody has them."""
    return clients(emulator, validate=True)


@pytest.fixture(scope="session")
def raw(emulator):
    """Clients that send what botocore would refuse."""
    return clients(emulator, validate=False)


@contextmanager
def refused(code, message="", status=400):
    """The call inside must fail with this code and HTTP status, and with these words; code and words are patterns."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response
    assert re.fullmatch(code, error["Error"]["Code"]), error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == status, error
    assert re.search(message, error["Error"].get("Message", "")), error


@pytest.fixture
def name(request):
    """A name of the test's own, as short as the shortest of AWS's limits (32)."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:18].strip("-")
    return f"{words}-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:6]}"


@pytest.fixture
def cluster(aws, name):
    aws.ecs.create_cluster(clusterName=name)
    return name


@pytest.fixture(scope="session")
def image(emulator):
    return emulator.push("well:1")


def container(image, **more):
    return {"name": "web", "image": image, "portMappings": [{"containerPort": 80}], **more}


def definition(family, image="nginx", **more):
    """An input of RegisterTaskDefinition for Fargate."""
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
        "containerDefinitions": [container(image)],
        **more,
    }


def service(cluster, name, task_definition, count=0, **more):
    """An input of CreateService."""
    return {
        "cluster": cluster,
        "serviceName": name,
        "taskDefinition": task_definition,
        "desiredCount": count,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        **more,
    }


@pytest.fixture
def task_definition(aws, name, image):
    registered = aws.ecs.register_task_definition(**definition(name, image))
    return registered["taskDefinition"]["taskDefinitionArn"]


def arn(service_name, resource):
    return f"arn:aws:{service_name}:{REGION}:{ACCOUNT}:{resource}"


def in_pages(client, operation, member, size, **filters):
    """Everything that a paginator finds, in pages of `size`, and how many pages it took."""
    pages = list(client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **filters))
    assert all(len(page.get(member, [])) <= size for page in pages)
    return [item for page in pages for item in page.get(member, [])], len(pages)


@pytest.fixture
def faults(emulator):
    """Sets the rules that are in force until the test ends."""

    def ask(method, plan=None):
        body = None if plan is None else json.dumps(plan).encode()
        request = urllib.request.Request(f"{emulator.endpoint}/_emulator/faults", data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    yield lambda *rules, **more: ask("POST", {"rules": list(rules), **more})
    ask("DELETE")


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


def pytest_collection_modifyitems(items):
    """Last, for it looks back at all the others."""
    items.sort(key=lambda item: item.path.name == "test_operations.py")
