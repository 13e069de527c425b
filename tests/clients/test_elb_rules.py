"""A listener's rules, and that the balancer goes by them."""

import http.client

import pytest

from conftest import arn, in_pages, refused
from emulator import until
from test_elb_balancers import SUBNETS


def answer(status, text="", **more):
    given = {"StatusCode": str(status), "MessageBody": text, "ContentType": "text/plain"}
    return [{"Type": "fixed-response", "FixedResponseConfig": given, **more}]


def path(*values):
    return [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}]


@pytest.fixture
def listener(aws, name):
    balancer = aws.elbv2.create_load_balancer(Name=name, Subnets=SUBNETS)["LoadBalancers"][0]["LoadBalancerArn"]
    made = aws.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=answer(404, "none")
    )
    yield made["Listeners"][0]["ListenerArn"]
    aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer)


def create(aws, listener, priority, conditions, actions):
    made = aws.elbv2.create_rule(ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=actions)
    return made["Rules"][0]["RuleArn"]


def ask(emulator, listener, target, headers=None):
    address = emulator.get("/_emulator/endpoints")["listenerArns"][listener]
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.request("GET", target, headers=headers or {})
    response = connection.getresponse()
    found = (response.status, response.read().decode(), response.getheader("location"))
    connection.close()
    return found


def test_rules_are_made_changed_ordered_and_deleted(aws, listener):
    first = create(aws, listener, 10, path("/a"), answer(201))
    second = create(aws, listener, 20, path("/b"), answer(202))
    rules, _ = in_pages(aws.elbv2, "describe_rules", "Rules", 1, ListenerArn=listener)
    assert [(rule["RuleArn"], rule["Priority"]) for rule in rules[:2]] == [(first, "10"), (second, "20")]
    assert (rules[2]["Priority"], rules[2]["IsDefault"]) == ("default", True)
    with refused("PriorityInUse"):
        create(aws, listener, 10, path("/c"), answer(203))
    swapped = [{"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 10}]
    aws.elbv2.set_rule_priorities(RulePriorities=swapped)
    found = aws.elbv2.describe_rules(RuleArns=[first, second])["Rules"]
    assert {rule["RuleArn"]: rule["Priority"] for rule in found} == {first: "20", second: "10"}
    changed = aws.elbv2.modify_rule(RuleArn=first, Actions=answer(204))["Rules"][0]
    assert changed["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "204"
    assert changed["Conditions"][0]["PathPatternConfig"]["Values"] == ["/a"]
    aws.elbv2.delete_rule(RuleArn=first)
    with refused("RuleNotFound"):
        aws.elbv2.describe_rules(RuleArns=[first])
    with refused("OperationNotPermitted"):
        aws.elbv2.delete_rule(RuleArn=rules[2]["RuleArn"])


def test_the_balancer_goes_by_its_rules(aws, emulator, listener):
    create(
        aws,
        listener,
        5,
        [{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}],
        answer(200, "host"),
    )
    create(
        aws,
        listener,
        6,
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-a", "Values": ["yes*"]}}],
        answer(200, "header"),
    )
    create(
        aws,
        listener,
        7,
        [{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "q", "Value": "1"}]}}],
        answer(200, "query"),
    )
    create(aws, listener, 8, path("/items/*", "/one?"), answer(200, "path"))
    elsewhere = {"Type": "redirect", "RedirectConfig": {"Path": "/new/#{path}", "StatusCode": "HTTP_301"}}
    create(aws, listener, 9, path("/old"), [elsewhere])
    until(lambda: ask(emulator, listener, "/old")[0] == 301, "the rules are in force")
    assert ask(emulator, listener, "/", {"host": "www.example.com"})[:2] == (200, "host")
    assert ask(emulator, listener, "/", {"x-a": "yes please"})[:2] == (200, "header")
    assert ask(emulator, listener, "/?q=1")[:2] == (200, "query")
    assert ask(emulator, listener, "/items/1")[:2] == (200, "path")
    assert ask(emulator, listener, "/one1")[:2] == (200, "path")
    assert ask(emulator, listener, "/ones12")[:2] == (404, "none")
    assert "/new/" in ask(emulator, listener, "/old")[2]


WRONG = {
    "no condition": {"Conditions": []},
    "no action": {"Actions": []},
    "priority 0": {"Priority": 0},
    "priority 50001": {"Priority": 50_001},
    "an odd field": {"Conditions": [{"Field": "weather", "Values": ["fair"]}]},
    "an odd action": {"Actions": [{"Type": "sing"}]},
    "a missing group": {
        "Actions": [
            {"Type": "forward", "TargetGroupArn": arn("elasticloadbalancing", "targetgroup/nobody/0123456789abcdef")}
        ]
    },
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(raw, listener, wrong):
    given = {"ListenerArn": listener, "Priority": 1, "Conditions": path("/a"), "Actions": answer(200)}
    with refused("ValidationError|InvalidConfigurationRequest|TargetGroupNotFound"):
        raw.elbv2.create_rule(**{**given, **wrong})


def test_a_missing_listener(aws):
    gone = arn("elasticloadbalancing", "listener/app/nobody/0123456789abcdef/0123456789abcdef")
    with refused("ListenerNotFound"):
        aws.elbv2.create_rule(ListenerArn=gone, Priority=1, Conditions=path("/a"), Actions=answer(200))
    with refused("ListenerNotFound"):
        aws.elbv2.describe_rules(ListenerArn=gone)
