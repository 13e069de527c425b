"""Target groups: settings, attributes, and targets by hand and by ECS."""

import http.client
import re

import pytest

from conftest import arn, definition, in_pages, refused, service
from emulator import until
from test_elb_balancers import SUBNETS, forward

WAIT = {"Delay": 1, "MaxAttempts": 30}
GONE = arn("elasticloadbalancing", "targetgroup/nobody/0123456789abcdef")


def create(aws, name, **more):
    given = {"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-0a", "TargetType": "ip"}
    return aws.elbv2.create_target_group(**{**given, **more})["TargetGroups"][0]


def test_what_aws_fills_in(aws, name):
    group = create(aws, name)
    assert re.fullmatch(
        rf"arn:aws:elasticloadbalancing:us-east-1:\d+:targetgroup/{name}/[0-9a-f]{{16}}", group["TargetGroupArn"]
    )
    expected = {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [],
        "ProtocolVersion": "HTTP1",
        "TargetType": "ip",
    }
    assert {key: group.get(key) for key in expected} == expected


def test_changed_and_deleted(aws, name):
    group = create(aws, name)["TargetGroupArn"]
    changed = aws.elbv2.modify_target_group(
        TargetGroupArn=group, HealthCheckPath="/health", HealthCheckIntervalSeconds=10, Matcher={"HttpCode": "200-299"}
    )["TargetGroups"][0]
    assert (changed["HealthCheckPath"], changed["HealthCheckIntervalSeconds"]) == ("/health", 10)
    assert (changed["Matcher"], changed["UnhealthyThresholdCount"]) == ({"HttpCode": "200-299"}, 2)
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": "5"}
    found = aws.elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    assert {**attribute, "Value": "300"} in found
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
    assert attribute in aws.elbv2.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    with refused("DuplicateTargetGroupName"):
        create(aws, name, Port=81)
    aws.elbv2.delete_target_group(TargetGroupArn=group)
    with refused("TargetGroupNotFound", "One or more target groups not found"):
        aws.elbv2.describe_target_groups(TargetGroupArns=[group])


def test_in_pages(aws, name):
    made = {create(aws, f"{name}-{i}")["TargetGroupArn"] for i in range(3)}
    found, _ = in_pages(aws.elbv2, "describe_target_groups", "TargetGroups", 2)
    assert made <= {group["TargetGroupArn"] for group in found}
    with refused("ValidationError"):
        aws.elbv2.describe_target_groups(Names=[name], TargetGroupArns=list(made))


WRONG = {
    "an interval of 4": {"HealthCheckIntervalSeconds": 4},
    "an interval of 301": {"HealthCheckIntervalSeconds": 301},
    "a timeout of 1": {"HealthCheckTimeoutSeconds": 1},
    "a threshold of 1": {"HealthyThresholdCount": 1},
    "a threshold of 11": {"UnhealthyThresholdCount": 11},
    "port 0": {"Port": 0},
    "a name too long": {"Name": "a" * 33},
    "a name with _": {"Name": "a_b"},
    "an odd path": {"HealthCheckPath": "health"},
    "no checks for ip": {"HealthCheckEnabled": False},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(raw, name, wrong):
    with refused("ValidationError|InvalidConfigurationRequest"):
        create(raw, name, **wrong)


def test_what_is_missing(aws, name):
    for call in (
        lambda: aws.elbv2.describe_target_health(TargetGroupArn=GONE),
        lambda: aws.elbv2.register_targets(TargetGroupArn=GONE, Targets=[{"Id": "10.0.0.1"}]),
        lambda: aws.elbv2.deregister_targets(TargetGroupArn=GONE, Targets=[{"Id": "10.0.0.1"}]),
        lambda: aws.elbv2.modify_target_group(TargetGroupArn=GONE, HealthCheckPath="/"),
        lambda: aws.elbv2.describe_target_group_attributes(TargetGroupArn=GONE),
        lambda: aws.elbv2.describe_target_groups(Names=["nobody"]),
    ):
        with refused("TargetGroupNotFound"):
            call()
    group = create(aws, name)["TargetGroupArn"]
    with refused("ValidationError|InvalidTarget"):
        aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "not-an-address"}])
    with refused("ValidationError", "is not in 10.0.0.0/8"):
        aws.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "8.8.8.8"}])


def test_targets_by_hand(aws, name):
    group = create(aws, name)["TargetGroupArn"]
    target = {"Id": "10.0.0.77", "Port": 8080}
    aws.elbv2.register_targets(TargetGroupArn=group, Targets=[target])
    health = aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert {"Id": "10.0.0.77", "Port": 8080}.items() <= health["Target"].items()
    assert (health["TargetHealth"]["State"], health["TargetHealth"]["Reason"]) == ("unused", "Target.NotInUse")
    unknown = aws.elbv2.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "10.9.9.9", "Port": 80}])
    found = unknown["TargetHealthDescriptions"][0]["TargetHealth"]
    assert (found["State"], found["Reason"]) == ("unused", "Target.NotRegistered")
    aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=[target])
    waiter = aws.elbv2.get_waiter("target_deregistered")
    waiter.wait(TargetGroupArn=group, Targets=[target], WaiterConfig=WAIT)
    assert aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []


def test_a_service_behind_a_balancer(aws, emulator, cluster, name, image):
    group = create(aws, name, HealthCheckPath="/health", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2)[
        "TargetGroupArn"
    ]
    soon = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=soon)
    balancer = aws.elbv2.create_load_balancer(Name=name, Subnets=SUBNETS)["LoadBalancers"][0]["LoadBalancerArn"]
    listener = aws.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward(group)
    )["Listeners"][0]["ListenerArn"]
    address = emulator.get("/_emulator/endpoints")["listenerArns"][listener].removeprefix("http://")

    def ask():
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/items/1")
        response = connection.getresponse()
        found = (response.status, response.getheader("server"))
        connection.close()
        return found

    assert ask() == (503, "awselb/2.0")
    family = aws.ecs.register_task_definition(**definition(name, image))["taskDefinition"]["family"]
    to_group = [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}]
    with refused("InvalidParameterException", "container"):
        wrong = [{**to_group[0], "containerPort": 81}]
        aws.ecs.create_service(**service(cluster, name, family, count=1, loadBalancers=wrong))
    aws.ecs.create_service(**service(cluster, name, family, count=2, loadBalancers=to_group))
    aws.ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name], WaiterConfig=WAIT)
    registered = aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    targets = [{"Id": found["Target"]["Id"], "Port": found["Target"]["Port"]} for found in registered]
    assert len(targets) == 2
    aws.elbv2.get_waiter("target_in_service").wait(TargetGroupArn=group, Targets=targets, WaiterConfig=WAIT)
    healthy = aws.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [found["TargetHealth"] for found in healthy] == [{"State": "healthy"}] * 2
    assert ask() == (200, "misbehaves")
    with refused("ResourceInUse"):
        aws.elbv2.delete_target_group(TargetGroupArn=group)

    # Taken out by hand, it comes back: ECS registers what should be there.
    aws.elbv2.deregister_targets(TargetGroupArn=group, Targets=targets[:1])
    aws.elbv2.get_waiter("target_in_service").wait(TargetGroupArn=group, Targets=targets, WaiterConfig=WAIT)
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)
    aws.elbv2.get_waiter("target_deregistered").wait(TargetGroupArn=group, Targets=targets, WaiterConfig=WAIT)
    until(lambda: ask()[0] == 503, "nobody answers any more")
