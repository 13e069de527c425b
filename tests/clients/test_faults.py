"""What clients see of the faults that the emulator makes when it is asked to."""

import botocore.config
import boto3
import pytest
from botocore.exceptions import ConnectionClosedError

from conftest import refused
from emulator import REGION


def reads(aws):
    """A read of each service."""
    return {
        "ecs": aws.ecs.list_clusters,
        "elasticloadbalancing": aws.elbv2.describe_load_balancers,
        "logs": aws.logs.describe_log_groups,
        "ecr": aws.ecr.describe_repositories,
    }


def test_each_service_refuses_in_its_own_words(aws, faults):
    faults({"effect": "throttle"})
    for read in reads(aws).values():
        with refused("ThrottlingException", "Rate exceeded"):
            read()
    faults({"effect": "accessDenied"})
    for service, read in reads(aws).items():
        with refused("AccessDenied(Exception)?", status=403 if service == "elasticloadbalancing" else 400):
            read()
    faults({"effect": "expiredCredentials"})
    for service, read in reads(aws).items():
        with refused("ExpiredToken(Exception)?", status=403 if service == "elasticloadbalancing" else 400):
            read()
    faults({"effect": {"serverError": {"status": 503}}})
    for read in reads(aws).values():
        with refused(".*", status=503):
            read()


@pytest.mark.parametrize("effect", ["throttle", {"serverError": {"status": 500}}, "replyLost"])
def test_a_client_that_retries_gets_through(emulator, faults, effect):
    patient = boto3.client(
        "ecs",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        aws_access_key_id="patient",
        aws_secret_access_key="not-a-secret",
        config=botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    since = emulator.get("/_emulator/journal")["next"]
    faults({"caller": "patient", "times": 2, "effect": effect})
    assert "clusterArns" in patient.list_clusters()
    entries = emulator.get(f"/_emulator/journal?since={since}")["entries"]
    assert len([entry for entry in entries if entry["caller"] == "patient"]) == 3


def test_a_lost_reply_leaves_what_was_done(aws, faults, name):
    faults({"operation": "CreateCluster", "times": 1, "effect": "replyLost"})
    with pytest.raises(ConnectionClosedError):
        aws.ecs.create_cluster(clusterName=name)
    assert aws.ecs.describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE"


def test_stale_and_partial_answers_have_aws_shapes(aws, faults, cluster):
    faults({"operation": "DescribeClusters", "effect": {"partial": {"share": 1.0}}})
    described = aws.ecs.describe_clusters(clusters=[cluster])
    assert (described["clusters"], [missing["reason"] for missing in described["failures"]]) == ([], ["MISSING"])
    faults({"operation": "DescribeClusters", "effect": {"stale": {"seconds": 60}}})
    aws.ecs.create_cluster(clusterName=f"{cluster}-2")
    stale = aws.ecs.describe_clusters(clusters=[cluster, f"{cluster}-2"])
    assert [found["clusterName"] for found in stale["clusters"]] == [cluster], "as it was when the fault began"


def test_the_documented_quotas_bind(aws, faults, cluster):
    faults(buckets=True)
    with refused("ThrottlingException", "Rate exceeded"):
        for _ in range(200):
            aws.ecs.list_services(cluster=cluster)
