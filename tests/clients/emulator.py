"""The emulator as a process of its own, and boto3's clients of it."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import botocore.config

import shapes

ROOT = Path(__file__).resolve().parents[2]
EVENKEEL = ROOT / "target/debug/evenkeel"
MISBEHAVES = ROOT / "target/debug/examples/misbehaves"
# AWS's own delays become milliseconds. What a caller sets, such as intervals of health checks, stays exact.
SPEED = "500"
ACCOUNT = "123456789012"
REGION = "us-east-1"


class Emulator:
    """Runs from the start to `stop`. `called` has every (service, operation) that has succeeded."""

    def __init__(self, state):
        self.state = state
        self.called = set()
        self.log = open(state / "log", "wb")
        self.process = subprocess.Popen(
            [EVENKEEL, "local", "aws", "--state", state, "--listen", "127.0.0.1:0", "--speed", SPEED]
            + ["--with-parent"],
            stdin=subprocess.PIPE,
            stderr=self.log,
        )
        addresses = state / "aws.json"
        until(lambda: addresses.exists() or self.process.poll() is not None, "the emulator serves")
        if self.process.poll() is not None:
            raise RuntimeError((state / "log").read_text())
        self.endpoint = json.loads(addresses.read_text())["endpoint"]

    def stop(self):
        """Ends it, as its parent's end would."""
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0, (self.state / "log").read_text()
        self.log.close()

    def client(self, service, validate=True):
        """A client whose every response is compared with the model. Without `validate` it also sends nonsense."""
        client = boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="boto3",
            aws_secret_access_key="not-a-secret",
            config=botocore.config.Config(
                # One attempt: what the emulator answers is what the test sees.
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=20,
                parameter_validation=validate,
            ),
        )
        client.meta.events.register("after-call.*.*", self.check)
        return client

    def check(self, model, http_response, **_rest):
        """Called by botocore after each response."""
        shapes.check(model, http_response)
        if http_response.status_code < 300:
            self.called.add((model.service_model.service_name, model.name))

    def push(self, image, *variables):
        """Pushes the release that misbehaves, with this environment; its URI by tag."""
        options = [option for variable in variables for option in ("--env", variable)]
        push = [EVENKEEL, "local", "push", image, "--exe", MISBEHAVES, "--state", self.state]
        subprocess.run(push + options, check=True, capture_output=True, timeout=60)
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{image}"

    def get(self, path):
        """A page of the emulator's own."""
        with urllib.request.urlopen(self.endpoint + path, timeout=10) as answer:
            return json.load(answer)


def until(condition, what, seconds=30):
    """Polls a condition, and returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
