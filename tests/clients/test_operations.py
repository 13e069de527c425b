"""That nothing was left out: every operation that the emulator says it has was called, and answered."""

import re

import pytest

from emulator import ROOT

SERVICES = {"ECS": "ecs", "ELBv2": "elbv2", "CloudWatch Logs": "logs", "ECR": "ecr", "STS": "sts", "S3": "s3"}


def documented():
    """The table of emulator/README.md: `| ECS | CreateCluster, … |`."""
    text = (ROOT / "emulator/README.md").read_text().split("\n## Operations\n")[1].split("\n## ")[0]
    return {
        (service, operation)
        for name, service in SERVICES.items()
        for row in re.findall(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE)
        for operation in re.findall(r"\b[A-Z][a-z]+[A-Za-z0-9]+\b", row)
    }


def test_every_documented_operation_is_driven(emulator, request):
    files = {item.path.name for item in request.session.items}
    everything = {path.name for path in (ROOT / "tests/clients").glob("test_*.py")}
    if files != everything or request.config.option.keyword:
        pytest.skip("only with all the other tests")
    assert len(documented()) > 60
    assert documented() - emulator.called == set(), "documented, and not driven"
    assert emulator.called - documented() == set(), "driven, and not documented"
