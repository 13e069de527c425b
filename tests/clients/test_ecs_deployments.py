"""ECS deployments: rolled out, superseded, rolled back by the circuit breaker and by hand; their history and revisions."""

import re

import pytest

from conftest import arn, definition, refused, service
from emulator import until

WAIT = {"Delay": 1, "MaxAttempts": 40}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def running(aws, cluster, name, task_definition):
    """A service whose first deployment is done; its name, which is the cluster's too."""
    given = service(cluster, name, task_definition, count=1, deploymentConfiguration=BREAKER)
    aws.ecs.create_service(**given)
    aws.ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name], WaiterConfig=WAIT)
    # Stable is not completed: a deployment that is replaced now would end as STOPPED.
    until(lambda: all_successful(aws, name), "the first deployment is done")
    yield name
    aws.ecs.delete_service(cluster=cluster, service=name, force=True)


def of(aws, name):
    return aws.ecs.describe_services(cluster=name, services=[name])["services"][0]


def history(aws, name, **filters):
    listed = aws.ecs.list_service_deployments(cluster=name, service=name, **filters)["serviceDeployments"]
    if not listed:
        return []
    arns = [entry["serviceDeploymentArn"] for entry in listed]
    described = aws.ecs.describe_service_deployments(serviceDeploymentArns=arns)
    assert described["failures"] == []
    by_arn = {entry["serviceDeploymentArn"]: entry for entry in described["serviceDeployments"]}
    return [by_arn[wanted] for wanted in arns]


def all_successful(aws, name):
    """The history, once nothing of it is under way or failed."""
    found = history(aws, name)
    return {entry["status"] for entry in found} == {"SUCCESSFUL"} and found


def another(aws, name, image):
    return aws.ecs.register_task_definition(**definition(name, image))["taskDefinition"]["taskDefinitionArn"]


def test_the_history_of_a_rollout(aws, running, image):
    second = another(aws, running, image)
    updated = aws.ecs.update_service(cluster=running, service=running, taskDefinition=second)["service"]
    assert [deployment["status"] for deployment in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert updated["deployments"][0]["runningCount"] == 0
    aws.ecs.get_waiter("services_stable").wait(cluster=running, services=[running], WaiterConfig=WAIT)
    newest, oldest = until(lambda: all_successful(aws, running), "both are successful")
    assert re.fullmatch(r".*:service-deployment/[^/]+/[^/]+/[A-Za-z0-9_-]{21}", newest["serviceDeploymentArn"])
    digits = of(aws, running)["deployments"][0]["id"].removeprefix("ecs-svc/")
    assert newest["targetServiceRevision"]["arn"].endswith(f":service-revision/{running}/{running}/{digits}")
    assert newest["targetServiceRevision"]["runningTaskCount"] == 1
    sources = [source["arn"] for source in newest["sourceServiceRevisions"]]
    assert sources == [oldest["targetServiceRevision"]["arn"]]
    assert newest["deploymentCircuitBreaker"]["status"] == "MONITORING_COMPLETE"
    assert oldest["createdAt"] < newest["createdAt"] <= newest["finishedAt"]

    revisions = [entry["targetServiceRevision"]["arn"] for entry in (newest, oldest)]
    described = aws.ecs.describe_service_revisions(serviceRevisionArns=revisions)["serviceRevisions"]
    by_arn = {revision["serviceRevisionArn"]: revision for revision in described}
    assert by_arn[revisions[0]]["taskDefinition"] == second
    assert by_arn[revisions[0]]["platformVersion"] == "1.4.0"
    assert "loadBalancers" not in by_arn[revisions[1]], "a first revision has none, not even empty"
    assert by_arn[revisions[0]]["containerImages"][0]["containerName"] == "web"

    listed = one_by_one(aws, running)
    assert [entry["serviceDeploymentArn"] for entry in listed] == [
        newest["serviceDeploymentArn"],
        oldest["serviceDeploymentArn"],
    ]
    assert (
        aws.ecs.list_service_deployments(cluster=running, service=running, status=["STOPPED"])["serviceDeployments"]
        == []
    )


def one_by_one(aws, name):
    """Its two deployments, in two pages: boto3 has no paginator for them."""
    first = aws.ecs.list_service_deployments(cluster=name, service=name, maxResults=1)
    token = first["nextToken"]
    second = aws.ecs.list_service_deployments(cluster=name, service=name, maxResults=1, nextToken=token)
    assert "nextToken" not in second
    return first["serviceDeployments"] + second["serviceDeployments"]


def test_a_release_that_ends_at_once_is_rolled_back_by_the_breaker(aws, emulator, running):
    before = of(aws, running)["deployments"][0]["id"]
    bad = another(aws, running, emulator.push("exits:2", "BEHAVES=exits"))
    failed = aws.ecs.update_service(cluster=running, service=running, taskDefinition=bad)["service"]["deployments"][0][
        "id"
    ]
    until(lambda: history(aws, running)[0]["status"] == "ROLLBACK_SUCCESSFUL", "rolled back", 60)
    done = history(aws, running)[0]
    breaker = done["deploymentCircuitBreaker"]
    assert (breaker["status"], breaker["failureCount"], breaker["threshold"]) == ("TRIGGERED", 3, 3)
    assert done["rollback"]["serviceRevisionArn"].endswith(before.removeprefix("ecs-svc/"))
    found = of(aws, running)
    assert (found["deployments"][0]["id"], found["taskDefinition"]) == (before, f"{bad.rsplit(':', 1)[0]}:1")
    messages = [event["message"] for event in found["events"]]
    at = messages.index(f"(service {running}) (deployment {failed}) deployment failed: tasks failed to start.")
    assert messages[at - 1] == f"(service {running}) rolling back to deployment {before}."


def test_a_deployment_stopped_by_hand_is_rolled_back(aws, emulator, running):
    before = of(aws, running)["deployments"][0]["id"]
    slow = another(aws, running, emulator.push("slow:1", "STARTS_AFTER=60"))
    aws.ecs.update_service(cluster=running, service=running, taskDefinition=slow)
    current = until(lambda: of(aws, running).get("currentServiceDeployment"), "it is named")
    stopped = aws.ecs.stop_service_deployment(serviceDeploymentArn=current, stopType="ROLLBACK")
    assert stopped["serviceDeploymentArn"] == current
    until(lambda: history(aws, running)[0]["status"] == "ROLLBACK_SUCCESSFUL", "rolled back", 60)
    assert of(aws, running)["deployments"][0]["id"] == before
    with refused("ConflictException"):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=current)
    with refused("ServiceDeploymentNotFoundException"):
        nobody = arn("ecs", f"service-deployment/{running}/{running}/" + "a" * 21)
        aws.ecs.stop_service_deployment(serviceDeploymentArn=nobody)


def test_a_newer_deployment_stops_the_one_before(aws, emulator, running, image):
    slow = another(aws, running, emulator.push("slow:2", "STARTS_AFTER=60"))
    aws.ecs.update_service(cluster=running, service=running, taskDefinition=slow)
    last = another(aws, running, image)
    aws.ecs.update_service(cluster=running, service=running, taskDefinition=last)
    aws.ecs.get_waiter("services_stable").wait(cluster=running, services=[running], WaiterConfig=WAIT)
    until(lambda: history(aws, running)[0]["status"] == "SUCCESSFUL", "done")
    assert [entry["status"] for entry in history(aws, running)] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_what_is_missing_or_too_much(aws, running):
    nobody = arn("ecs", f"service-deployment/{running}/{running}/" + "b" * 21)
    described = aws.ecs.describe_service_deployments(serviceDeploymentArns=[nobody])
    assert described["serviceDeployments"] == []
    assert described["failures"] == [{"arn": nobody, "reason": "MISSING"}]
    missing = arn("ecs", f"service-revision/{running}/{running}/" + "1" * 19)
    assert aws.ecs.describe_service_revisions(serviceRevisionArns=[missing])["failures"][0]["reason"] == "MISSING"
    many = [missing[:-2] + f"{i:02}" for i in range(21)]
    with refused("InvalidParameterException", "Service Revision ARN count cannot exceed 20"):
        aws.ecs.describe_service_revisions(serviceRevisionArns=many)
    with refused("ServiceNotFoundException"):
        aws.ecs.list_service_deployments(cluster=running, service="nobody")
    only = history(aws, running)[0]["targetServiceRevision"]["arn"]
    with refused("ServerException", status=500):
        aws.ecs.describe_service_revisions(serviceRevisionArns=[only, only])
