"""ECS tasks: of services and alone, seen from their start to their end."""

import re

import pytest

from conftest import NETWORK, container, definition, in_pages, refused, service
from emulator import until

WAIT = {"Delay": 1, "MaxAttempts": 30}


def run(aws, cluster, task_definition, **more):
    given = {"cluster": cluster, "taskDefinition": task_definition, "launchType": "FARGATE"}
    return aws.ecs.run_task(**{**given, "networkConfiguration": NETWORK, **more})


def described(aws, cluster, arns):
    return aws.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]


def test_a_service_runs_its_tasks_and_replaces_one_that_is_stopped(aws, cluster, name, task_definition):
    made = aws.ecs.create_service(**service(cluster, name, task_definition, count=2))["service"]
    aws.ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name], WaiterConfig=WAIT)
    arns, pages = in_pages(aws.ecs, "list_tasks", "taskArns", 1, cluster=cluster, serviceName=name)
    assert (len(arns), pages) == (2, 2)
    for task in described(aws, cluster, arns):
        assert (task["lastStatus"], task["desiredStatus"], task["launchType"]) == ("RUNNING", "RUNNING", "FARGATE")
        assert (task["group"], task["startedBy"]) == (f"service:{name}", made["deployments"][0]["id"])
        assert (task["platformVersion"], task["healthStatus"]) == ("1.4.0", "UNKNOWN")
        assert re.fullmatch(rf"arn:aws:ecs:us-east-1:\d+:task/{cluster}/[0-9a-f]{{32}}", task["taskArn"])
        details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
        assert details["privateIPv4Address"].startswith("10.")
        assert details["subnetId"] in NETWORK["awsvpcConfiguration"]["subnets"]
        only = task["containers"][0]
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", only["imageDigest"]) and "exitCode" not in only
        assert only["cpu"] == "0"
    by_deployment = aws.ecs.list_tasks(cluster=cluster, startedBy=made["deployments"][0]["id"])
    assert set(by_deployment["taskArns"]) == set(arns)

    stopped = aws.ecs.stop_task(cluster=cluster, task=arns[0], reason="by hand")["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"]) == ("STOPPED", "UserInitiated")
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=[arns[0]], WaiterConfig=WAIT)
    gone = described(aws, cluster, [arns[0]])[0]
    assert (gone["stoppedReason"], gone["lastStatus"]) == ("by hand", "STOPPED")
    assert gone["containers"][0]["exitCode"] == 143
    listed = aws.ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus="STOPPED")
    assert listed["taskArns"] == [arns[0]]
    until(lambda: len(aws.ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]) == 2, "replaced")
    assert described(aws, cluster, ["0" * 32]) == []
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)


def test_a_task_alone_runs_until_it_is_stopped(aws, cluster, task_definition):
    started = run(
        aws, cluster, task_definition, count=2, startedBy="me", group="batch", tags=[{"key": "a", "value": "1"}]
    )
    assert started["failures"] == [] and len(started["tasks"]) == 2
    arns = [task["taskArn"] for task in started["tasks"]]
    assert {task["lastStatus"] for task in started["tasks"]} == {"PROVISIONING"}
    aws.ecs.get_waiter("tasks_running").wait(cluster=cluster, tasks=arns, WaiterConfig=WAIT)
    first = aws.ecs.describe_tasks(cluster=cluster, tasks=arns[:1], include=["TAGS"])["tasks"][0]
    assert (first["group"], first["startedBy"], first["tags"]) == ("batch", "me", [{"key": "a", "value": "1"}])
    assert set(aws.ecs.list_tasks(cluster=cluster, startedBy="me")["taskArns"]) == set(arns)
    for task in arns:
        aws.ecs.stop_task(cluster=cluster, task=task)
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=arns, WaiterConfig=WAIT)


def test_a_container_that_fails_its_health_check_is_replaced(aws, cluster, name, image, tmp_path):
    ill = tmp_path / "ill"
    check = {"command": ["CMD-SHELL", f"test -n \"$PORT\" && test ! -e {ill}"], "interval": 5, "retries": 1}
    registered = aws.ecs.register_task_definition(
        **definition(name, containerDefinitions=[container(image, healthCheck=check)])
    )["taskDefinition"]
    assert registered["containerDefinitions"][0]["healthCheck"] == {**check, "timeout": 5}
    aws.ecs.create_service(**service(cluster, name, registered["taskDefinitionArn"], count=1))
    aws.ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name], WaiterConfig=WAIT)

    def tasks(status):
        arns = aws.ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus=status)["taskArns"]
        return described(aws, cluster, arns) if arns else []

    def deployment():
        return aws.ecs.describe_services(cluster=cluster, services=[name])["services"][0]["deployments"][0]

    until(lambda: deployment()["rolloutState"] == "COMPLETED", "the container is healthy")
    assert [(task["healthStatus"], task["containers"][0]["healthStatus"]) for task in tasks("RUNNING")] == [
        ("HEALTHY", "HEALTHY")
    ]
    ill.touch()
    until(lambda: {task["healthStatus"] for task in tasks("RUNNING")} >= {"UNHEALTHY"}, "it is unhealthy")
    ill.unlink()
    until(lambda: tasks("STOPPED"), "it is replaced")
    assert tasks("STOPPED")[0]["stoppedReason"] == "Task failed container health checks"
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)


def test_a_task_alone_ends_with_its_container(aws, emulator, cluster, name):
    image = emulator.push("exits:1", "BEHAVES=exits")
    family = aws.ecs.register_task_definition(**definition(name, image))["taskDefinition"]["family"]
    task = run(aws, cluster, family)["tasks"][0]["taskArn"]
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=[task], WaiterConfig=WAIT)
    ended = described(aws, cluster, [task])[0]
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (ended["containers"][0]["exitCode"], ended["group"]) == (1, f"family:{name}")
    assert aws.ecs.list_tasks(cluster=cluster)["taskArns"] == [], "nobody starts it again"


def test_an_image_that_is_not_there(aws, cluster, name, image):
    gone = image.replace("well:1", "well:nobody")
    family = aws.ecs.register_task_definition(**definition(name, gone))["taskDefinition"]["family"]
    task = run(aws, cluster, family)["tasks"][0]["taskArn"]
    aws.ecs.get_waiter("tasks_stopped").wait(cluster=cluster, tasks=[task], WaiterConfig=WAIT)
    failed = described(aws, cluster, [task])[0]
    assert failed["stopCode"] == "TaskFailedToStart"
    assert failed["stoppedReason"].startswith("CannotPullContainerError: "), failed["stoppedReason"]


def test_a_token_runs_a_task_once(aws, cluster, task_definition):
    first = run(aws, cluster, task_definition, clientToken="once")["tasks"][0]["taskArn"]
    assert run(aws, cluster, task_definition, clientToken="once")["tasks"][0]["taskArn"] == first
    aws.ecs.stop_task(cluster=cluster, task=first)


WRONG = {
    "eleven": {"count": 11},
    "no network": {"networkConfiguration": None},
    "both ways": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
    "a missing definition": {"taskDefinition": "nobody:1"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_not_run(aws, cluster, task_definition, wrong):
    given = {"cluster": cluster, "taskDefinition": task_definition, "launchType": "FARGATE"}
    given = {**given, "networkConfiguration": NETWORK, **wrong}
    with refused("InvalidParameterException|ClientException"):
        aws.ecs.run_task(**{key: value for key, value in given.items() if value is not None})


def test_what_is_not_listed_or_stopped(aws, cluster):
    with refused("InvalidParameterException"):
        aws.ecs.list_tasks(cluster=cluster, startedBy="me", family="family")
    with refused("InvalidParameterException"):
        aws.ecs.list_tasks(cluster=cluster, maxResults=101)
    with refused("InvalidParameterException"):
        aws.ecs.describe_tasks(cluster=cluster, tasks=[])
    with refused("InvalidParameterException", "not found"):
        aws.ecs.stop_task(cluster=cluster, task="0" * 32)
    with refused("ServiceNotFoundException"):
        aws.ecs.list_tasks(cluster=cluster, serviceName="nobody")
