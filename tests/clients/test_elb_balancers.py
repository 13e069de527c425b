"""Load balancers and their listeners."""

import re

import pytest

from conftest import arn, in_pages, refused

SUBNETS = ["subnet-0a1b2c3d4e5f60718", "subnet-0b1b2c3d4e5f60718"]
GONE = arn("elasticloadbalancing", "loadbalancer/app/nobody/0123456789abcdef")


@pytest.fixture
def balancer(aws, name):
    return aws.elbv2.create_load_balancer(Name=name, Subnets=SUBNETS)["LoadBalancers"][0]["LoadBalancerArn"]


@pytest.fixture
def group(aws, name):
    made = aws.elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId="vpc-0a", TargetType="ip")
    return made["TargetGroups"][0]["TargetGroupArn"]


def forward(group):
    return [{"Type": "forward", "TargetGroupArn": group}]


def test_made_described_and_deleted(aws, name):
    made = aws.elbv2.create_load_balancer(
        Name=name, Subnets=SUBNETS, SecurityGroups=["sg-0a"], Scheme="internal", Tags=[{"Key": "a", "Value": "1"}]
    )["LoadBalancers"][0]
    assert re.fullmatch(
        rf"arn:aws:elasticloadbalancing:us-east-1:\d+:loadbalancer/app/{name}/[0-9a-f]{{16}}", made["LoadBalancerArn"]
    )
    assert (made["Scheme"], made["Type"], made["IpAddressType"]) == ("internal", "application", "ipv4")
    assert made["DNSName"].startswith(f"internal-{name}-") and made["DNSName"].endswith(".us-east-1.elb.amazonaws.com")
    assert [zone["SubnetId"] for zone in made["AvailabilityZones"]] == SUBNETS
    waiter = aws.elbv2.get_waiter("load_balancer_available")
    waiter.wait(LoadBalancerArns=[made["LoadBalancerArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    assert aws.elbv2.describe_load_balancers(Names=[name])["LoadBalancers"][0]["State"] == {"Code": "active"}
    with refused("DuplicateLoadBalancerName"):
        aws.elbv2.create_load_balancer(Name=name, Subnets=SUBNETS)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    with refused("LoadBalancerNotFound"):
        aws.elbv2.describe_load_balancers(Names=[name])
    # Deleting what is gone is no error.
    aws.elbv2.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


def test_attributes(aws, balancer):
    def attributes():
        found = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=balancer)["Attributes"]
        return {attribute["Key"]: attribute["Value"] for attribute in found}

    assert attributes()["idle_timeout.timeout_seconds"] == "60"
    assert attributes()["deletion_protection.enabled"] == "false"
    changed = aws.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=balancer,
        Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "30"},
            {"Key": "deletion_protection.enabled", "Value": "true"},
        ],
    )["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "30"} in changed
    assert attributes()["idle_timeout.timeout_seconds"] == "30"
    with refused("OperationNotPermitted"):
        aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    off = [{"Key": "deletion_protection.enabled", "Value": "false"}]
    aws.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=off)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer)


def test_in_pages(aws, name):
    made = [aws.elbv2.create_load_balancer(Name=f"{name}-{i}", Subnets=SUBNETS)["LoadBalancers"][0] for i in range(3)]
    found, _ = in_pages(aws.elbv2, "describe_load_balancers", "LoadBalancers", 2)
    assert {each["LoadBalancerArn"] for each in made} <= {each["LoadBalancerArn"] for each in found}
    with refused("ValidationError"):
        aws.elbv2.describe_load_balancers(Marker="made-up")


def test_a_listener_is_made_changed_and_deleted(aws, emulator, balancer, group):
    made = aws.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=8081, DefaultActions=forward(group)
    )
    listener = made["Listeners"][0]
    assert listener["ListenerArn"].startswith(balancer.replace("loadbalancer/", "listener/"))
    assert listener["DefaultActions"][0]["TargetGroupArn"] == group
    assert listener["ListenerArn"] in emulator.get("/_emulator/endpoints")["listenerArns"]
    with refused("DuplicateListener"):
        answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
        aws.elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8081, DefaultActions=answer)
    attached = aws.elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert attached["LoadBalancerArns"] == [balancer]
    answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}]
    changed = aws.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=answer)["Listeners"][0]
    assert changed["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    found, _ = in_pages(aws.elbv2, "describe_listeners", "Listeners", 1, LoadBalancerArn=balancer)
    assert [each["ListenerArn"] for each in found] == [listener["ListenerArn"]]
    aws.elbv2.delete_listener(ListenerArn=listener["ListenerArn"])
    with refused("ListenerNotFound"):
        aws.elbv2.describe_listeners(ListenerArns=[listener["ListenerArn"]])
    with refused("ListenerNotFound"):
        aws.elbv2.delete_listener(ListenerArn=listener["ListenerArn"])


def test_listener_attributes(aws, balancer, group):
    made = aws.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=8082, DefaultActions=forward(group)
    )
    listener = made["Listeners"][0]["ListenerArn"]
    found = aws.elbv2.describe_listener_attributes(ListenerArn=listener)["Attributes"]
    key = "routing.http.response.server.enabled"
    assert {"Key": key, "Value": "true"} in found
    same = {"Key": key, "Value": "true"}
    changed = aws.elbv2.modify_listener_attributes(ListenerArn=listener, Attributes=[same])["Attributes"]
    assert same in changed
    with refused("ValidationError|InvalidConfigurationRequest"):
        odd = [{"Key": "no.such.attribute", "Value": "true"}]
        aws.elbv2.modify_listener_attributes(ListenerArn=listener, Attributes=odd)


def test_tags(aws, balancer, group):
    for resource in (balancer, group):
        aws.elbv2.add_tags(ResourceArns=[resource], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        aws.elbv2.remove_tags(ResourceArns=[resource], TagKeys=["a"])
    found = aws.elbv2.describe_tags(ResourceArns=[balancer, group])["TagDescriptions"]
    assert {each["ResourceArn"]: each["Tags"] for each in found} == {
        balancer: [{"Key": "b", "Value": "2"}],
        group: [{"Key": "b", "Value": "2"}],
    }
    with refused("LoadBalancerNotFound"):
        aws.elbv2.describe_tags(ResourceArns=[GONE])


def test_subnets_and_security_groups_are_replaced(aws, balancer):
    moved = [SUBNETS[0], "subnet-0c1b2c3d4e5f60718"]
    zones = aws.elbv2.set_subnets(LoadBalancerArn=balancer, Subnets=moved)["AvailabilityZones"]
    assert [zone["SubnetId"] for zone in zones] == moved
    groups = ["sg-0b", "sg-0c"]
    assert aws.elbv2.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=groups)["SecurityGroupIds"] == groups
    found = aws.elbv2.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]
    assert found["SecurityGroups"] == groups


WRONG = {
    "one subnet": {"Subnets": SUBNETS[:1]},
    "a name too long": {"Name": "a" * 33},
    "a name with a dot": {"Name": "a.b"},
    "a name that begins with -": {"Name": "-a"},
    "a name that begins with internal-": {"Name": "internal-a"},
    "an odd scheme": {"Scheme": "sideways"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(aws, name, wrong):
    with refused("ValidationError|InvalidConfigurationRequest"):
        aws.elbv2.create_load_balancer(**{"Name": name, "Subnets": SUBNETS, **wrong})


def test_what_is_missing(aws, name, balancer, group):
    gone_group = arn("elasticloadbalancing", "targetgroup/nobody/0123456789abcdef")
    with refused("LoadBalancerNotFound"):
        aws.elbv2.create_listener(LoadBalancerArn=GONE, Protocol="HTTP", Port=80, DefaultActions=forward(group))
    with refused("TargetGroupNotFound"):
        aws.elbv2.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=83, DefaultActions=forward(gone_group)
        )
    with refused("LoadBalancerNotFound"):
        aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=GONE)
    with refused("ValidationError"):
        aws.elbv2.describe_listeners()
    with refused("InvalidAction"):
        aws.elbv2.describe_trust_stores()
