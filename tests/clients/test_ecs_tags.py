"""Tags of ECS's resources."""

import pytest

from conftest import NETWORK, arn, definition, refused, service


def tags(**pairs):
    return [{"key": key, "value": value} for key, value in pairs.items()]


@pytest.mark.parametrize("kind", ["cluster", "service", "task-definition"])
def test_set_changed_listed_and_taken_away(aws, cluster, name, task_definition, kind):
    aws.ecs.create_service(**service(cluster, name, task_definition))
    resource = {
        "cluster": arn("ecs", f"cluster/{cluster}"),
        "service": arn("ecs", f"service/{cluster}/{name}"),
        "task-definition": task_definition,
    }[kind]
    aws.ecs.tag_resource(resourceArn=resource, tags=tags(a="1", b="2"))
    aws.ecs.tag_resource(resourceArn=resource, tags=tags(b="3", c=""))
    listed = aws.ecs.list_tags_for_resource(resourceArn=resource)["tags"]
    assert {tag["key"]: tag["value"] for tag in listed} == {"a": "1", "b": "3", "c": ""}
    aws.ecs.untag_resource(resourceArn=resource, tagKeys=["a", "c", "nobody"])
    assert aws.ecs.list_tags_for_resource(resourceArn=resource)["tags"] == tags(b="3")


def test_a_running_task_has_tags_too(aws, cluster, task_definition):
    given = {"cluster": cluster, "taskDefinition": task_definition, "launchType": "FARGATE"}
    task = aws.ecs.run_task(**given, networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    aws.ecs.tag_resource(resourceArn=task, tags=tags(a="1"))
    assert aws.ecs.list_tags_for_resource(resourceArn=task)["tags"] == tags(a="1")
    aws.ecs.stop_task(cluster=cluster, task=task)


def test_what_is_refused(aws, cluster, name):
    with refused("InvalidParameterException"):
        aws.ecs.tag_resource(resourceArn="no-arn", tags=tags(a="1"))
    with refused("ResourceNotFoundException|ClusterNotFoundException|InvalidParameterException"):
        aws.ecs.tag_resource(resourceArn=arn("ecs", "cluster/nobody"), tags=tags(a="1"))
    resource = arn("ecs", f"cluster/{cluster}")
    for wrong in (tags(**{"aws:a": "1"}), tags(**{"k" * 129: "1"}), tags(a="v" * 257)):
        with refused("InvalidParameterException"):
            aws.ecs.tag_resource(resourceArn=resource, tags=wrong)
    with refused("InvalidParameterException"):
        aws.ecs.tag_resource(resourceArn=resource, tags=tags(**{f"k{i}": "" for i in range(51)}))
    with refused("InvalidParameterException|ClientException"):
        aws.ecs.register_task_definition(**definition(name, tags=tags(**{"aws:a": "1"})))
