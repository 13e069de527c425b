"""A PostgreSQL and a Redis of the run's own, on loopback, which can be killed and come back."""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .processes import Household, Process

OLDEST_POSTGRES = 15
READY_WITHIN = 30.0
ROLE = "evenkeel"
# PostgreSQL refuses to run as root. The first that exists.
SERVANTS = ("postgres", "nobody")
# Bytes of an item's JSON, in all.
DOCUMENT = 250

POSTGRES_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=300",
    # The data go with the run; writing them is not what is measured.
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_wal_size=4GB",
    "shared_buffers=512MB",
)

# Rows as `api seed` makes them, with a description that fills the JSON up to its length: 104 bytes are the braces, the names,
# the version and the time.
ROWS = f"""
INSERT INTO items (name, description, price_cents)
SELECT 'item ' || n,
       rpad('Sample item number ' || n || '. ',
            {DOCUMENT} - 104 - length('item ' || n || n || (n * 7919) % 100000),
            'It is made of oak, and it floats. '),
       (n * 7919) % 100000
FROM generate_series(1, {{rows}}::bigint) AS n ORDER BY n;
VACUUM ANALYZE items;
CHECKPOINT;
"""


class StoreError(Exception):
    """A store is missing, or does not start."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float, what: str, process: Process | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if process is not None and not process.alive():
            raise StoreError(f"{what}: {process.name} has ended:\n{process.last_words()}")
        if time.monotonic() > deadline:
            words = process.last_words() if process else ""
            raise StoreError(f"{what}: not within {seconds} s\n{words}")
        time.sleep(0.002)


class Redis:
    def __init__(self, household: Household) -> None:
        self.household = household
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process: Process | None = None

    def start(self) -> None:
        """Returns when it answers."""
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir", self.household.directory]
        self.process = self.household.start("redis", command)
        wait_until(self._answers, READY_WITHIN, "Redis", self.process)

    def _answers(self) -> bool:
        try:
            return self.ask("PING").startswith("+PONG")
        except OSError:
            return False

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive()

    def kill(self) -> None:
        self.household.end(self.process, signal.SIGKILL)

    def ask(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port), 10) as stream:
            stream.sendall(f"{command}\r\nQUIT\r\n".encode())
            return b"".join(iter(lambda: stream.recv(65536), b"")).decode(errors="replace")

    def empty(self) -> None:
        self.ask("FLUSHALL")

    def misses(self) -> int:
        """How often a key was looked for in vain since it started; 0 while it is away."""
        if not self.running:
            return 0
        return int(re.search(r"keyspace_misses:(\d+)", self.ask("INFO stats"))[1])


class Postgres:
    def __init__(self, household: Household) -> None:
        self.household = household
        self.bin = _postgres_bin()
        self.user = _servant()
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.data = household.directory / "postgres"
        self.process: Process | None = None

    @property
    def url(self) -> str:
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Makes the cluster."""
        self.data.mkdir(mode=0o700)
        password_file = self.household.directory / "password"
        password_file.touch(0o600)
        password_file.write_text(self.password)
        if self.user:
            for path in (self.data, password_file):
                shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)
        command = [self.bin / "initdb", "--pgdata", self.data, "--pwfile", password_file, f"--username={ROLE}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        initdb = self.household.start("initdb", command, user=self.user)
        if initdb.child.wait(60) != 0:
            raise StoreError(f"initdb failed:\n{initdb.last_words()}")
        self.household.members.remove(initdb)

    def start(self) -> None:
        """Returns when it takes sessions."""
        command = [self.bin / "postgres", "-D", self.data, "-p", str(self.port)]
        for setting in POSTGRES_SETTINGS:
            command += ["-c", setting]
        # SIGQUIT: an immediate shutdown, as after a crash.
        self.process = self.household.start("postgres", command, user=self.user, farewell=signal.SIGQUIT)
        wait_until(self._ready, READY_WITHIN, "PostgreSQL", self.process)

    def _ready(self) -> bool:
        """The eighth line of postmaster.pid, where pg_ctl looks too."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def kill(self) -> None:
        self.household.end(self.process, signal.SIGQUIT)

    def sql(self, text: str) -> str:
        environment = {**os.environ, "PGPASSWORD": self.password}
        command = [self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", ROLE, "-d", "postgres"]
        done = subprocess.run(command, input=text, env=environment, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise StoreError(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def fill(self, rows: int) -> None:
        """Inserts items from 1 to `rows`."""
        self.sql(ROWS.format(rows=rows))

    def log_statements(self, on: bool) -> None:
        """For sessions that begin from now on."""
        self.sql(f"ALTER ROLE {ROLE} SET log_statement = '{'all' if on else 'none'}'")

    def logged_statements(self, key: int) -> int:
        """How often statements were run for an item, by the log, which has their parameters in a line of their own."""
        text = self.process.log.read_text(errors="replace")
        return len(re.findall(rf"DETAIL: +[Pp]arameters: .*\b{key}\b", text))


class Stores:
    """Both, filled."""

    def __init__(self, household: Household) -> None:
        self.redis = Redis(household)
        self.postgres = Postgres(household)

    def start(self) -> None:
        self.redis.start()
        self.postgres.make()
        self.postgres.start()

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}


def _postgres_bin() -> Path:
    """The newest installation that is new enough, as `evenkeel local` looks for it."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ["PATH"].split(":"))]
    found = []
    for place in places:
        if not all((place / name).is_file() for name in ("initdb", "postgres", "psql")):
            continue
        text = subprocess.run([place / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        if (version := re.search(r"(\d+)", text)) and int(version[1]) >= OLDEST_POSTGRES:
            found.append((int(version[1]), place))
    if not found:
        raise StoreError(f"no PostgreSQL {OLDEST_POSTGRES} or newer: run scripts/setup --bench")
    return max(found)[1]


def _servant() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in SERVANTS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            pass
    raise StoreError(f"PostgreSQL does not run as root, and there is no user {' or '.join(SERVANTS)}")
