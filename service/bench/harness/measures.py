"""One measurement each: a server started anew, an empty Redis, a load, and what it cost."""

import time
from dataclasses import dataclass, field

from . import peers, usage
from .client import Keys, Load, Wrk, fill, get
from .peers import Peer, Server
from .processes import Household
from .stores import Stores
from .workloads import WARM, Workload

# Rounds ask for keys of their own, so that no cache knows them.
STAMPEDE_KEY = 120_000
COLD_KEY = 130_000
COLD_REQUESTS = 20
RETURN_WITHIN = 30.0


@dataclass
class Cell:
    """What one server did under one load."""

    workload: str
    peer: str
    load: Load
    # Server CPU seconds per 100,000 requests, children included, stores not.
    cpu: float
    resident_mib: float
    start_ms: float
    # Redis lookups per request, and how many of them found nothing.
    lookups: float
    lookups_missed: float
    # What only some workloads have.
    extra: dict[str, float] = field(default_factory=dict)


@dataclass
class Lab:
    """What measurements share."""

    household: Household
    stores: Stores
    seconds: int
    # How long wrk asks before it counts, 0 for not at all; for compilers that learn while they run.
    warm_seconds: int

    def measure(self, peer: Peer, workload: Workload, turn: int) -> Cell:
        self.stores.redis.empty()
        special = {"redisdown": self._redis_down, "pgdown": self._postgres_down, "stampede": self._stampede}
        return special.get(workload.name, self._plain)(peer, workload, turn)

    def _serve(self, peer: Peer, workload: Workload) -> Server:
        server = peers.start(self.household, peer, self.stores.environment)
        if peer.has_stores:
            fill(server.port, WARM)
        if self.warm_seconds:
            self._wrk(server, workload.connections, self.warm_seconds, WARM).result()
        return server

    def _wrk(self, server: Server, connections: int, seconds: int, keys: Keys) -> Wrk:
        return Wrk(self.household, server.port, connections, seconds, keys)

    def _end(self, server: Server) -> None:
        self.household.end(server.process)

    def _load(self, server: Server, workload: Workload) -> Cell:
        """The load itself, on a server that is ready for it."""
        redis = self.stores.redis
        before = redis.lookups() if redis.running else (0, 0)
        cpu = usage.cpu_seconds(server.pid)
        load = self._wrk(server, workload.connections, self.seconds, workload.keys).result()
        cpu = usage.cpu_seconds(server.pid) - cpu
        after = redis.lookups() if redis.running else (0, 0)
        found, missed = (then - now for then, now in zip(after, before, strict=True))
        requests = max(load.requests, 1)
        return Cell(
            workload=workload.name,
            peer=server.peer.name,
            load=load,
            cpu=cpu / requests * 1e5,
            resident_mib=usage.resident_bytes(server.pid) / 2**20,
            start_ms=server.start_seconds * 1e3,
            lookups=(found + missed) / requests,
            lookups_missed=missed / requests,
        )

    def _plain(self, peer: Peer, workload: Workload, _turn: int) -> Cell:
        server = self._serve(peer, workload)
        cell = self._load(server, workload)
        self._end(server)
        return cell

    def _redis_down(self, peer: Peer, workload: Workload, _turn: int) -> Cell:
        """Redis is killed under load, stays away for the load that counts, and comes back."""
        redis = self.stores.redis
        server = self._serve(peer, workload)
        wrk = self._wrk(server, workload.connections, 2, WARM)
        time.sleep(1)
        redis.kill()
        at_the_kill = wrk.result()
        cell = self._load(server, workload)
        redis.start()
        began = time.perf_counter()
        cell.extra["failed_at_the_kill"] = at_the_kill.refused + at_the_kill.broken
        # The others do not say where an answer came from.
        if peer.ours:
            while not get(server.port, WARM.first).is_hit:
                if time.perf_counter() - began > RETURN_WITHIN:
                    raise RuntimeError(f"{peer.name}: no hit within {RETURN_WITHIN} s of Redis's return")
            cell.extra["back_to_hits_s"] = time.perf_counter() - began
        self._end(server)
        return cell

    def _postgres_down(self, peer: Peer, workload: Workload, turn: int) -> Cell:
        """The same load with PostgreSQL and without, then items that no cache has."""
        server = self._serve(peer, workload)
        before = self._load(server, workload)
        self.stores.postgres.kill()
        cell = self._load(server, workload)
        cell.extra["of_the_hit_rate"] = cell.load.per_second / before.load.per_second
        first = COLD_KEY + turn * COLD_REQUESTS
        cold = [get(server.port, key) for key in range(first, first + COLD_REQUESTS)]
        cell.extra["cold_503"] = sum(answer.status == 503 for answer in cold) / len(cold)
        cell.extra["cold_slowest_ms"] = max(answer.seconds for answer in cold) * 1e3
        self.stores.postgres.start()
        self._end(server)
        return cell

    def _stampede(self, peer: Peer, workload: Workload, turn: int) -> Cell:
        """Everybody asks for the same item, which nobody has asked for before; PostgreSQL's log tells how often it was read."""
        postgres = self.stores.postgres
        key = STAMPEDE_KEY + turn
        postgres.log_statements(True)
        server = self._serve(peer, workload)
        # Pools have grown to what they need before it begins.
        self._wrk(server, workload.connections, 1, WARM).result()
        before = postgres.logged_selects(key)
        everybody = Workload(workload.name, workload.title, workload.connections, Keys("any", key, key))
        cell = self._load(server, everybody)
        cell.extra["queries"] = postgres.logged_selects(key) - before
        postgres.log_statements(False)
        self._end(server)
        return cell
