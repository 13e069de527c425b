"""Who is measured: builds of our API, the others, and the ceiling."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from .client import get
from .processes import Household, Process
from .stores import free_port

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / "service" / "bench"
TARGET = ROOT / "target" / "bench"
STARTED_WITHIN = 30.0
POLL = 0.0005
# Named in an executable of ours that knows it.
NEAR_CACHE = "NEAR_CACHE"
# The ceiling: by how its cores share the connections, and by whether it asks Redis for each.
SHARED = {
    "ceiling": {"SHARE": "listeners"},
    "fewest": {"SHARE": "fewest"},
    "stealing": {"SHARE": "stealing"},
    "ceiling-redis": {"SHARE": "listeners", "LOOK_UP": "1"},
    "fewest-redis": {"SHARE": "fewest", "LOOK_UP": "1"},
    "stealing-redis": {"SHARE": "stealing", "LOOK_UP": "1"},
}


@dataclass(frozen=True)
class Peer:
    name: str
    # What workloads call it: builds of ours have names of their own.
    role: str
    command: tuple[str | Path, ...]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.role in ("api", "near")

    @property
    def has_stores(self) -> bool:
        return self.role not in SHARED

    @property
    def executable(self) -> Path:
        return Path(self.command[0])


@dataclass
class Server:
    """A peer that runs."""

    peer: Peer
    process: Process
    port: int
    # From starting the process until an item was answered with 200.
    start_seconds: float
    # On the monotonic clock: until when the items that it has stored are there. Without stores they always are.
    filled_until: float = inf

    @property
    def pid(self) -> int:
        return self.process.pid


def fastapi() -> Peer:
    uvicorn = [TARGET / "fastapi/bin/python", "-m", "uvicorn", "--app-dir", BENCH / "fastapi", "app:app"]
    uvicorn += ["--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Peer("fastapi", "fastapi", (*uvicorn, "--host", "127.0.0.1", "--port", "{port}"))


def fastify() -> Peer:
    modules = {"NODE_PATH": str(TARGET / "fastify/node_modules"), "NODE_ENV": "production"}
    return Peer("fastify", "fastify", (TARGET / "fastify/node", BENCH / "fastify/server.js"), modules)


def axum() -> Peer:
    return Peer("axum", "axum", (TARGET / "cargo/release/peer-axum",))


def ceilings(answer: Path) -> list[Peer]:
    command = (TARGET / "cargo/release/ceiling",)
    return [Peer(name, name, command, {"ANSWER": str(answer), **share}) for name, share in SHARED.items()]


def ours(text: str) -> Peer:
    """`[NAME=]PATH[,VARIABLE=VALUE]...`: a build of our API, and how it is configured."""
    path, *settings = text.split(",")
    name, _, path = path.rpartition("=")
    executable = Path(path).resolve()
    # No line for each request, by whichever variable the build knows.
    quiet = {"RUST_LOG": "warn"} | ({"ACCESS_LOG": "off"} if mentions(executable, "ACCESS_LOG") else {})
    environment = {"HOST": "127.0.0.1", "METRICS_PORT": "0", **quiet}
    environment |= dict(setting.split("=", 1) for setting in settings)
    return Peer(name or "api", "api", (executable,), environment)


def near(api: Peer) -> Peer | None:
    """The same build with its cache in the process turned on, where it has one."""
    if not mentions(api.executable, NEAR_CACHE):
        return None
    return Peer("near", "near", api.command, {**api.environment, NEAR_CACHE: "on"})


def mentions(executable: Path, word: str) -> bool:
    return word.encode() in executable.read_bytes()


def build_ours() -> str:
    """The executable as the image has it."""
    built = subprocess.run([ROOT / "scripts/static", "api"], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return str(ROOT / built.stdout.strip())


def build_others() -> None:
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", BENCH / "Cargo.toml"]
    subprocess.run(command, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET / "cargo")}, check=True)


def migrate(household: Household, api: Peer, stores: dict[str, str]) -> None:
    process = household.start("migrate", (*api.command, "migrate"), {**stores, **api.environment})
    code = process.child.wait(STARTED_WITHIN)
    household.end(process)
    if code != 0:
        raise RuntimeError(f"api migrate: exit {code}\n{process.last_words()}")


def start(household: Household, peer: Peer, stores: dict[str, str]) -> Server:
    """Starts a server and waits until it answers with an item."""
    port = free_port()
    command = [str(word).replace("{port}", str(port)) for word in peer.command]
    began = time.perf_counter()
    process = household.start(peer.name, command, {**stores, **peer.environment, "PORT": str(port)})
    while True:
        try:
            if get(port, 1).status == 200:
                break
        except OSError:
            pass
        elapsed = time.perf_counter() - began
        if not process.alive() or elapsed > STARTED_WITHIN:
            raise RuntimeError(f"{peer.name} does not answer:\n{process.last_words()}")
        time.sleep(POLL)
    return Server(peer, process, port, time.perf_counter() - began)
