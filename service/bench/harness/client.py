"""A small HTTP client, and wrk."""

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from .processes import Household, Process

SCRIPT = Path(__file__).resolve().parent.parent / "load.lua"
THREADS = 2
FILL_CONNECTIONS = 8


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    # Answers that are neither 2xx nor 3xx.
    refused: int
    # Connections that failed, broke or were too slow.
    broken: int


@dataclass(frozen=True)
class Keys:
    """Which items are asked for: `any` at random, or `each` in order from `start` on, round and round."""

    kind: str
    first: int
    last: int
    start: int = 0

    @property
    def arguments(self) -> list[str]:
        return [self.kind, *map(str, (self.first, self.last, self.start or self.first))]


class Wrk:
    """A load that runs, and stops by itself."""

    def __init__(self, household: Household, port: int, connections: int, seconds: int, keys: Keys) -> None:
        self.household = household
        self.seconds = seconds
        # One log file a load: its last line is the result.
        self.name = f"wrk-{time.monotonic_ns()}"
        command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", SCRIPT]
        command += [f"http://127.0.0.1:{port}", "--", *keys.arguments]
        self.process: Process = household.start(self.name, command)

    def result(self) -> Load:
        self.process.child.wait(self.seconds + 30)
        text = self.process.log.read_text()
        self.household.end(self.process)
        self.process.log.unlink()
        found = json.loads(text.strip().splitlines()[-1])
        return Load(
            requests=found["requests"],
            per_second=found["requests"] / (found["duration"] / 1e6),
            p50_ms=found["p50"] / 1e3,
            p99_ms=found["p99"] / 1e3,
            refused=found["refused"],
            broken=found["broken"],
        )


def fill(port: int, keys: Keys) -> None:
    """Asks once for each, over some connections, so that every worker gets its share."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(FILL_CONNECTIONS)]
    for key in range(keys.first, keys.last + 1):
        connection = connections[key % len(connections)]
        connection.request("GET", f"/items/{key}")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET /items/{key}: status {answer.status}")
    for connection in connections:
        connection.close()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes
    seconds: float

    @property
    def is_hit(self) -> bool:
        return "hit" in self.headers.get("cache-status", "")


def get(port: int, key: int) -> Answer:
    """Asks for an item."""
    return fetch(port, f"/items/{key}")


def fetch(port: int, path: str) -> Answer:
    """One request on a connection of its own; OSError where nobody answers. The time includes connecting."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 10) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        wire = b""
        while b"\r\n\r\n" not in wire:
            wire += _more(stream)
        head, _, body = wire.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            more = _more(stream)
            wire, body = wire + more, body + more
    return Answer(int(first.split()[1]), headers, body, wire, time.perf_counter() - began)


def _more(stream: socket.socket) -> bytes:
    data = stream.recv(65536)
    if not data:
        raise ConnectionError("closed before the end of the answer")
    return data
