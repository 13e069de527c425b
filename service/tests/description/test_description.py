"""What the API says of itself holds: Schemathesis asks what `/openapi.json` allows, and what it does not, and looks at every answer.

Run by `make test`, which sets DATABASE_URL and REDIS_URL."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
API = HERE.parents[2] / "target/debug/api"
SCHEMATHESIS = pathlib.Path(sys.executable).with_name("schemathesis")


@pytest.fixture
def api():
    """The address of an API of the test's own."""
    variables = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    variables |= {"HOST": "127.0.0.1", "PORT": "0", "METRICS_PORT": "0", "ACCESS_LOG": "off"}
    with subprocess.Popen([API], env=variables, stdout=subprocess.PIPE, text=True) as process:
        lines = (json.loads(line) for line in process.stdout)
        listening = next(line for line in lines if line["message"] == "listening")
        try:
            yield f"http://{listening['address']}"
            assert process.poll() is None, "it has ended"
        finally:
            process.terminate()
            rest, _ = process.communicate(timeout=30)
        failed = [line for line in rest.splitlines() if json.loads(line)["level"] == "ERROR"]
        assert not failed, failed
        assert process.returncode == 0


def test_every_answer_is_as_described(api, tmp_path):
    # The same questions each time; nothing is kept from one run to the next.
    command = [SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml", "run", f"{api}/openapi.json"]
    command += ["--url", api, "--checks", "all", "--seed", "1", "--max-examples", "40", "--workers", "1"]
    command += ["--generation-database", "none", "--request-timeout", "10", "--no-color"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    # A document that says nothing would pass too.
    assert "Tested: 8" in ran.stdout, ran.stdout
