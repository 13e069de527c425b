"""ECS clusters."""

import pytest

from conftest import arn, in_pages, refused, service


def test_created_described_listed_and_deleted(aws, name):
    created = aws.ecs.create_cluster(clusterName=name, tags=[{"key": "team", "value": "shop"}])["cluster"]
    assert created["clusterArn"] == arn("ecs", f"cluster/{name}")
    assert created["status"] == "ACTIVE"
    described = aws.ecs.describe_clusters(clusters=[name, "nobody"], include=["TAGS"])
    assert [found["clusterName"] for found in described["clusters"]] == [name]
    assert described["clusters"][0]["tags"] == [{"key": "team", "value": "shop"}]
    assert described["failures"] == [{"arn": arn("ecs", "cluster/nobody"), "reason": "MISSING"}]
    # Again is no error.
    assert aws.ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"] == created["clusterArn"]

    deleted = aws.ecs.delete_cluster(cluster=name)["cluster"]
    assert (deleted["clusterArn"], deleted["status"]) == (created["clusterArn"], "INACTIVE")
    listed, _ = in_pages(aws.ecs, "list_clusters", "clusterArns", 100)
    assert created["clusterArn"] not in listed


def test_lists_in_pages(aws, name):
    created = {aws.ecs.create_cluster(clusterName=f"{name}-{i}")["cluster"]["clusterArn"] for i in range(5)}
    listed, pages = in_pages(aws.ecs, "list_clusters", "clusterArns", 2)
    assert created <= set(listed) and len(listed) == len(set(listed))
    assert pages == -(-len(listed) // 2)
    with refused("InvalidParameterException"):
        aws.ecs.list_clusters(nextToken="made-up")


def test_a_cluster_with_services_or_tasks_stays(aws, cluster, name, task_definition):
    aws.ecs.create_service(**service(cluster, name, task_definition))
    with refused("ClusterContainsServicesException"):
        aws.ecs.delete_cluster(cluster=cluster)


@pytest.mark.parametrize("bad", ["with space", "a" * 256, "dot.dot"])
def test_names_are_checked(aws, bad):
    with refused("InvalidParameterException"):
        aws.ecs.create_cluster(clusterName=bad)


def test_every_call_on_a_missing_cluster_says_so(aws, name, task_definition):
    missing = [
        lambda: aws.ecs.create_service(**service("nobody", name, task_definition)),
        lambda: aws.ecs.update_service(cluster="nobody", service=name),
        lambda: aws.ecs.delete_service(cluster="nobody", service=name),
        lambda: aws.ecs.describe_services(cluster="nobody", services=[name]),
        lambda: aws.ecs.list_services(cluster="nobody"),
        lambda: aws.ecs.list_tasks(cluster="nobody"),
        lambda: aws.ecs.describe_tasks(cluster="nobody", tasks=["0" * 32]),
        lambda: aws.ecs.run_task(cluster="nobody", taskDefinition=task_definition),
        lambda: aws.ecs.delete_cluster(cluster="nobody"),
    ]
    for call in missing:
        with refused("ClusterNotFoundException", "Cluster not found."):
            call()


def test_an_operation_or_parameter_that_is_unknown_is_refused(aws, raw):
    with refused("UnknownOperationException"):
        aws.ecs.list_attributes(targetType="container-instance")
    with refused("InvalidParameterException", "configuration|not support"):
        aws.ecs.create_cluster(clusterName="other", configuration={"executeCommandConfiguration": {"logging": "NONE"}})
    with refused("SerializationException"):
        raw.ecs.list_clusters(maxResults="two")
