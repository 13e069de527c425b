"""ECS task definitions: what comes back, revisions, sizes, and the way from ACTIVE to deleted."""

import pytest

from conftest import container, definition, in_pages, refused, service


def test_what_aws_fills_in(aws, name):
    registered = aws.ecs.register_task_definition(
        **definition(name, cpu="1 vCPU", memory="2GB", tags=[{"key": "team", "value": "shop"}])
    )
    got = registered["taskDefinition"]
    assert (got["cpu"], got["memory"], got["revision"], got["status"]) == ("1024", "2048", 1, "ACTIVE")
    only = got["containerDefinitions"][0]
    assert (only["cpu"], only["essential"]) == (0, True)
    assert [only[empty] for empty in ("environment", "mountPoints", "volumesFrom", "systemControls")] == [[]] * 4
    assert only["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert (got["volumes"], got["placementConstraints"]) == ([], [])
    assert "FARGATE" in got["compatibilities"]
    assert not {"entryPoint", "command", "secrets", "healthCheck", "stopTimeout"} & only.keys()
    assert registered["tags"] == [{"key": "team", "value": "shop"}]
    assert got["taskDefinitionArn"].endswith(f":task-definition/{name}:1")

    described = aws.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
    assert described["tags"] == registered["tags"]
    assert described["taskDefinition"]["containerDefinitions"] == got["containerDefinitions"]
    assert not aws.ecs.describe_task_definition(taskDefinition=f"{name}:1").get("tags")


def test_revisions_only_rise_and_the_family_means_the_newest_active(aws, name):
    for revision in (1, 2, 3):
        assert aws.ecs.register_task_definition(**definition(name))["taskDefinition"]["revision"] == revision
    aws.ecs.deregister_task_definition(taskDefinition=f"{name}:3")
    assert aws.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]["revision"] == 2
    assert aws.ecs.register_task_definition(**definition(name))["taskDefinition"]["revision"] == 4


def test_lists_of_definitions_and_families(aws, name):
    arns = [
        aws.ecs.register_task_definition(**definition(name))["taskDefinition"]["taskDefinitionArn"] for _ in range(5)
    ]
    aws.ecs.register_task_definition(**definition(f"{name}-more"))
    listed, pages = in_pages(aws.ecs, "list_task_definitions", "taskDefinitionArns", 2, familyPrefix=name)
    # The whole family's name, not a prefix of it.
    assert (listed, pages) == (arns, 3)
    latest = aws.ecs.list_task_definitions(familyPrefix=name, sort="DESC", maxResults=1)
    assert latest["taskDefinitionArns"] == arns[-1:]
    families, _ = in_pages(aws.ecs, "list_task_definition_families", "families", 1, familyPrefix=name, status="ACTIVE")
    assert families == [name, f"{name}-more"]


def test_inactive_then_deleted(aws, name, cluster):
    registered = aws.ecs.register_task_definition(**definition(name))["taskDefinition"]
    with refused("ClientException|InvalidParameterException"):
        aws.ecs.deregister_task_definition(taskDefinition=name)
    not_yet = aws.ecs.delete_task_definitions(taskDefinitions=[f"{name}:1"])
    assert not not_yet["taskDefinitions"] and len(not_yet["failures"]) == 1
    gone = aws.ecs.deregister_task_definition(taskDefinition=f"{name}:1")["taskDefinition"]
    assert gone["status"] == "INACTIVE" and gone["deregisteredAt"]
    with refused("ClientException", "TaskDefinition is inactive"):
        aws.ecs.create_service(**service(cluster, name, registered["taskDefinitionArn"]))
    deleted = aws.ecs.delete_task_definitions(taskDefinitions=[f"{name}:1"])
    assert [found["status"] for found in deleted["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert deleted["failures"] == []
    with refused("InvalidParameterException|ClientException"):
        aws.ecs.delete_task_definitions(taskDefinitions=[f"{name}:{i}" for i in range(1, 12)])


def test_what_is_missing_says_so(aws, cluster, name):
    with refused("ClientException", "Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition="nobody:1")
    with refused("ClientException", "TaskDefinition not found."):
        aws.ecs.create_service(**service(cluster, name, "nobody"))


@pytest.mark.parametrize(
    "cpu, memory", [("256", "4096"), ("512", "1536"), ("4096", "7168"), ("300", "512"), ("16384", "33000")]
)
def test_sizes_that_fargate_does_not_have(aws, name, cpu, memory):
    with refused(
        "ClientException", "No Fargate configuration exists for given values|Invalid '(cpu|memory)' setting for task"
    ):
        aws.ecs.register_task_definition(**definition(name, cpu=cpu, memory=memory))


@pytest.mark.parametrize(
    "cpu, memory", [("256", "2048"), ("512", "3072"), ("4096", "30720"), ("16384", "32768"), ("32768", "61440")]
)
def test_sizes_that_fargate_has(aws, name, cpu, memory):
    registered = aws.ecs.register_task_definition(**definition(name, cpu=cpu, memory=memory))
    assert registered["taskDefinition"]["cpu"] == cpu


WRONG = {
    "no containers": {"containerDefinitions": []},
    "not awsvpc": {"networkMode": "bridge"},
    "no memory": {"memory": None},
    "a stop timeout of 1": {"containerDefinitions": [container("nginx", stopTimeout=1)]},
    "a stop timeout of 121": {"containerDefinitions": [container("nginx", stopTimeout=121)]},
    "privileged": {"containerDefinitions": [container("nginx", privileged=True)]},
    "two of a name": {"containerDefinitions": [container("nginx"), container("nginx")]},
    "no essential container": {"containerDefinitions": [container("nginx", essential=False)]},
    "a bad family": {"family": "with space"},
    "eleven containers": {"containerDefinitions": [{"name": f"c{i}", "image": "nginx"} for i in range(11)]},
    "a small disk": {"ephemeralStorage": {"sizeInGiB": 20}},
    "a huge disk": {"ephemeralStorage": {"sizeInGiB": 201}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_fargate_does_not_run(aws, name, wrong):
    given = {key: value for key, value in {**definition(name), **wrong}.items() if value is not None}
    with refused("ClientException|InvalidParameterException"):
        aws.ecs.register_task_definition(**given)
