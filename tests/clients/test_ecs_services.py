"""ECS services: what comes back, what is refused, and idempotency, without a task (desiredCount 0)."""

import re

import pytest

from conftest import NETWORK, arn, definition, in_pages, refused, service
from emulator import until


def of(aws, cluster, name):
    return aws.ecs.describe_services(cluster=cluster, services=[name], include=["TAGS"])["services"][0]


def test_what_aws_fills_in(aws, cluster, name, task_definition):
    created = aws.ecs.create_service(**service(cluster, name, task_definition))["service"]
    assert created["serviceArn"] == arn("ecs", f"service/{cluster}/{name}")
    expected = {
        "status": "ACTIVE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "propagateTags": "NONE",
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "healthCheckGracePeriodSeconds": 0,
        "availabilityZoneRebalancing": "ENABLED",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
    }
    assert {key: created.get(key) for key in expected} == expected
    deployment = created["deploymentConfiguration"]
    assert (deployment["maximumPercent"], deployment["minimumHealthyPercent"]) == (200, 100)
    assert deployment["strategy"] == "ROLLING"
    breaker = deployment["deploymentCircuitBreaker"]
    assert (breaker["enable"], breaker["rollback"], breaker.get("resetOnHealthyTask")) == (False, False, True)
    assert created["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    only = created["deployments"][0]
    assert re.fullmatch(r"ecs-svc/\d{19}", only["id"])
    assert (only["status"], only["rolloutState"], only["platformVersion"]) == ("PRIMARY", "IN_PROGRESS", "1.4.0")
    assert only["rolloutStateReason"] == f"ECS deployment {only['id']} in progress."
    assert "currentServiceDeployment" not in created and created["currentServiceRevisions"]


def test_the_waiter_sees_it_stable_and_its_events_say_so(aws, cluster, name, task_definition):
    aws.ecs.create_service(**service(cluster, name, task_definition))
    waiter = aws.ecs.get_waiter("services_stable")
    waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    aws.ecs.update_service(cluster=cluster, service=name, desiredCount=0, forceNewDeployment=True)
    waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    # With nothing to run it counts as stable at once, and ECS says so later.
    until(lambda: of(aws, cluster, name)["deployments"][0]["rolloutState"] == "COMPLETED", "completed")
    found = of(aws, cluster, name)
    messages = [event["message"] for event in found["events"]]
    assert f"(service {name}) has reached a steady state." in messages
    assert f"(service {name}) (deployment {found['deployments'][0]['id']}) deployment completed." in messages
    times = [event["createdAt"] for event in found["events"]]
    assert times == sorted(times, reverse=True)


def test_an_update_changes_what_it_names_and_keeps_the_rest(aws, cluster, name, task_definition):
    breaker = {"enable": True, "rollback": True}
    created = aws.ecs.create_service(
        **service(
            cluster,
            name,
            task_definition,
            deploymentConfiguration={"maximumPercent": 150, "deploymentCircuitBreaker": breaker},
            tags=[{"key": "team", "value": "shop"}],
        )
    )["service"]
    updated = aws.ecs.update_service(
        cluster=cluster,
        service=name,
        deploymentConfiguration={"minimumHealthyPercent": 50},
        enableExecuteCommand=True,
        propagateTags="SERVICE",
        enableECSManagedTags=True,
    )["service"]
    deployment = updated["deploymentConfiguration"]
    assert (deployment["maximumPercent"], deployment["minimumHealthyPercent"]) == (150, 50)
    assert breaker.items() <= deployment["deploymentCircuitBreaker"].items()
    assert (updated["propagateTags"], updated["enableECSManagedTags"]) == ("SERVICE", True)
    assert updated["deployments"][0]["id"] == created["deployments"][0]["id"], "none of these starts a deployment"
    assert of(aws, cluster, name)["tags"] == [{"key": "team", "value": "shop"}]
    moved = aws.ecs.update_service(
        cluster=cluster,
        service=name,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}},
    )["service"]
    assert moved["deployments"][0]["id"] != created["deployments"][0]["id"]


def test_a_missing_service(aws, cluster, name):
    described = aws.ecs.describe_services(cluster=cluster, services=[name])
    assert described["services"] == []
    assert described["failures"] == [{"arn": arn("ecs", f"service/{cluster}/{name}"), "reason": "MISSING"}]
    with refused("ServiceNotFoundException", "Service not found."):
        aws.ecs.update_service(cluster=cluster, service=name, desiredCount=1)
    with refused("ServiceNotFoundException", "^$"):
        aws.ecs.delete_service(cluster=cluster, service=name)


def test_at_most_ten_are_described(aws, cluster):
    with refused("InvalidParameterException"):
        aws.ecs.describe_services(cluster=cluster, services=[f"s{i}" for i in range(11)])
    with refused("InvalidParameterException"):
        aws.ecs.describe_services(cluster=cluster, services=[])


def test_lists_in_pages_of_ten(aws, cluster, name, task_definition):
    for i in range(12):
        aws.ecs.create_service(**service(cluster, f"{name}-{i}", task_definition))
    first = aws.ecs.list_services(cluster=cluster)
    assert len(first["serviceArns"]) == 10 and first["nextToken"]
    listed, pages = in_pages(aws.ecs, "list_services", "serviceArns", 5, cluster=cluster)
    assert (len(set(listed)), pages) == (12, 3)
    with refused("InvalidParameterException", "Max results can not be greater than 100"):
        aws.ecs.list_services(cluster=cluster, maxResults=101)
    with refused("InvalidParameterException"):
        aws.ecs.list_services(cluster=cluster, nextToken="made-up")


def test_deleted_services(aws, cluster, name, task_definition):
    aws.ecs.create_service(**service(cluster, name, task_definition))
    deleted = aws.ecs.delete_service(cluster=cluster, service=name)["service"]
    assert deleted["status"] in ("DRAINING", "INACTIVE")
    assert aws.ecs.list_services(cluster=cluster)["serviceArns"] == []
    waiter = aws.ecs.get_waiter("services_inactive")
    waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert of(aws, cluster, name)["status"] == "INACTIVE"
    with refused("ServiceNotActiveException", "Service was not ACTIVE."):
        aws.ecs.update_service(cluster=cluster, service=name, desiredCount=1)
    aws.ecs.create_service(**service(cluster, name, task_definition))
    assert of(aws, cluster, name)["status"] == "ACTIVE"


NOT_IDEMPOTENT = "Creation of service was not idempotent."


def test_what_a_repeated_create_does(aws, cluster, name, task_definition):
    given = service(cluster, name, task_definition, clientToken=f"token-{name}"[:36], tags=[{"key": "a", "value": "1"}])
    first = aws.ecs.create_service(**given)["service"]
    assert aws.ecs.create_service(**given)["service"]["serviceArn"] == first["serviceArn"]
    again = aws.ecs.create_service(**{**given, "tags": [{"key": "a", "value": "2"}]})["service"]
    assert (again["serviceArn"], of(aws, cluster, name)["tags"]) == (first["serviceArn"], [{"key": "a", "value": "1"}])
    for other in ({"desiredCount": 1}, {"clientToken": "another-token"}):
        with refused("InvalidParameterException", NOT_IDEMPOTENT):
            aws.ecs.create_service(**{**given, **other})
    del given["clientToken"]
    with refused("InvalidParameterException", NOT_IDEMPOTENT):
        aws.ecs.create_service(**given)


WRONG = {
    "no count": {"desiredCount": None},
    "no network": {"networkConfiguration": None},
    "too much": {"deploymentConfiguration": {"maximumPercent": 201}},
    "too little": {"deploymentConfiguration": {"maximumPercent": 99}},
    "over 100": {"deploymentConfiguration": {"minimumHealthyPercent": 101}},
    "a negative count": {"desiredCount": -1},
    "a bad name": {"serviceName": "with space"},
    "both ways": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
    "too many subnets": {
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [f"subnet-{i}" for i in range(17)]}}
    },
    "a missing group": {
        "loadBalancers": [
            {
                "targetGroupArn": arn("elasticloadbalancing", "targetgroup/nobody/0123456789abcdef"),
                "containerName": "web",
                "containerPort": 80,
            }
        ]
    },
    "a breaker of 0": {
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {
                "enable": True,
                "rollback": True,
                "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 0},
            }
        }
    },
    "an odd strategy": {"schedulingStrategy": "SOMETIMES"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(aws, cluster, name, task_definition, wrong):
    given = {
        key: value for key, value in {**service(cluster, name, task_definition), **wrong}.items() if value is not None
    }
    with refused("InvalidParameterException|ClientException"):
        aws.ecs.create_service(**given)
    described = aws.ecs.describe_services(cluster=cluster, services=[name])
    assert described["services"] == [], "nothing was made"


def test_a_full_stop_needs_no_rebalancing(aws, cluster, name, task_definition):
    stop_first = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    created = aws.ecs.create_service(**service(cluster, name, task_definition, deploymentConfiguration=stop_first))
    assert created["service"]["availabilityZoneRebalancing"] == "DISABLED"
    aws.ecs.create_service(**service(cluster, f"{name}-2", task_definition))
    with refused("InvalidParameterException"):
        aws.ecs.update_service(cluster=cluster, service=f"{name}-2", deploymentConfiguration=stop_first)


def test_an_inactive_definition_is_not_taken(aws, cluster, name, task_definition):
    aws.ecs.create_service(**service(cluster, name, task_definition))
    other = aws.ecs.register_task_definition(**definition(name))["taskDefinition"]["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=other)
    with refused("ClientException", "TaskDefinition is inactive"):
        aws.ecs.update_service(cluster=cluster, service=name, taskDefinition=other)
    with refused("ClientException", "TaskDefinition not found."):
        aws.ecs.update_service(cluster=cluster, service=name, taskDefinition="nobody:7")
    assert (
        of(aws, cluster, name)["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
        == (NETWORK["awsvpcConfiguration"]["subnets"])
    )
