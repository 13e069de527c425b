"""Loads, and what they cost the server."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from . import peers, usage
from .client import Keys, Load, Wrk, fetch, fill, get
from .peers import Peer, Server
from .processes import Household
from .stores import Stores
from .workloads import POSTGRES_DOWN_FIRST, PRACTICE, STAMPEDE_FIRST, WARM, Kind, Workload

COLD_REQUESTS = 5
# Of a load in whose middle Redis is killed.
KILL_AFTER = 1
# How long what a server has stored can be relied on: less than the 60 s that all of them give it.
LIFE = 55.0
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
    # What was looked for in Redis in vain, per request.
    misses: float
    # What only some workloads have.
    extra: dict[str, float] = field(default_factory=dict)


@dataclass
class Lab:
    """What measurements share."""

    household: Household
    stores: Stores
    seconds: int
    # How long wrk asks before anything counts: pools grow, and compilers learn.
    warm_seconds: int

    def measure(self, workload: Workload, chosen: Sequence[Peer], rounds: int) -> Iterator[Cell]:
        """Peers take turns, so that whatever else the machine does meets all of them."""
        if workload.breaks_stores:
            yield from self._break_stores(workload, chosen, rounds)
            return
        self.stores.redis.empty()
        servers = [self._serve(peer, workload) for peer in chosen]
        for turn in range(rounds):
            for server in servers:
                if workload.kind is Kind.COLD:
                    self.stores.redis.empty()
                elif time.monotonic() + self.seconds > server.filled_until:
                    self._fill(server)
                yield self._load(server, workload, workload.keys(turn))
        for server in servers:
            self._end(server)

    def _break_stores(self, workload: Workload, chosen: Sequence[Peer], rounds: int) -> Iterator[Cell]:
        """One server at a time, so that nobody else notices."""
        measure = {
            Kind.REDIS_DOWN: self._redis_down,
            Kind.POSTGRES_DOWN: self._postgres_down,
            Kind.STAMPEDE: self._stampede,
        }[workload.kind]
        for turn in range(rounds):
            for place, peer in enumerate(chosen):
                self.stores.redis.empty()
                yield measure(peer, workload, turn * len(chosen) + place)

    def _serve(self, peer: Peer, workload: Workload) -> Server:
        server = peers.start(self.household, peer, self.stores.environment)
        self._fill(server)
        practice = PRACTICE if workload.kind is Kind.COLD else WARM
        self._wrk(server, workload, self.warm_seconds, practice).result()
        return server

    def _fill(self, server: Server) -> None:
        if server.peer.has_stores:
            server.filled_until = time.monotonic() + LIFE
            fill(server.port, WARM)

    def _end(self, server: Server) -> None:
        self.household.end(server.process)

    def _wrk(self, server: Server, workload: Workload, seconds: int, keys: Keys) -> Wrk:
        return Wrk(self.household, server.port, workload.connections, seconds, keys)

    def _load(self, server: Server, workload: Workload, keys: Keys = WARM, seconds: int | None = None) -> Cell:
        """The load itself, on a server that is ready for it."""
        redis = self.stores.redis
        before = counts(server)
        misses, cpu = redis.misses(), usage.cpu_seconds(server.pid)
        load = self._wrk(server, workload, seconds or self.seconds, keys).result()
        cpu, misses = usage.cpu_seconds(server.pid) - cpu, redis.misses() - misses
        requests = max(load.requests, 1)
        return Cell(
            workload=workload.name,
            peer=server.peer.name,
            load=load,
            cpu=cpu / requests * 1e5,
            resident_mib=usage.resident_bytes(server.pid) / 2**20,
            start_ms=server.start_seconds * 1e3,
            misses=misses / requests,
            extra=busiest(before, counts(server)),
        )

    def _redis_down(self, peer: Peer, workload: Workload, _number: int) -> Cell:
        """Redis is killed under load, stays away for the load that counts, and comes back."""
        redis = self.stores.redis
        server = self._serve(peer, workload)
        wrk = self._wrk(server, workload, KILL_AFTER * 2, WARM)
        time.sleep(KILL_AFTER)
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

    def _postgres_down(self, peer: Peer, workload: Workload, number: int) -> Cell:
        """The same load with PostgreSQL and without, then items that no cache has."""
        server = self._serve(peer, workload)
        before = self._load(server, workload)
        self.stores.postgres.kill()
        cell = self._load(server, workload)
        cell.extra["of_the_hit_rate"] = cell.load.per_second / before.load.per_second
        first = POSTGRES_DOWN_FIRST + number * COLD_REQUESTS
        cold = [get(server.port, key) for key in range(first, first + COLD_REQUESTS)]
        cell.extra["cold_503"] = sum(answer.status == 503 for answer in cold) / len(cold)
        cell.extra["cold_slowest_ms"] = max(answer.seconds for answer in cold) * 1e3
        self.stores.postgres.start()
        self._end(server)
        return cell

    def _stampede(self, peer: Peer, workload: Workload, number: int) -> Cell:
        """Everybody asks for one item that nobody has asked for before; PostgreSQL's log tells how often it was read."""
        postgres = self.stores.postgres
        key = STAMPEDE_FIRST + number
        postgres.log_statements(True)
        server = self._serve(peer, workload)
        # It is over within milliseconds.
        cell = self._load(server, workload, Keys("any", key, key), seconds=1)
        cell.extra["queries"] = postgres.logged_statements(key)
        postgres.log_statements(False)
        self._end(server)
        return cell


def counts(server: Server) -> dict[str, list[int]]:
    """By thread, of those who tell: the requests that it has answered, and the connections that began on it."""
    if server.peer.role not in peers.SHARED:
        return {}
    return json.loads(fetch(server.port, "/counts").body)


def busiest(before: dict[str, list[int]], after: dict[str, list[int]]) -> dict[str, float]:
    """The share of the thread that had the most, of each of the two that the server knows."""
    shares = {}
    for what, counted in after.items():
        since = [now - then for now, then in zip(counted, before[what], strict=True)]
        if sum(since):
            shares[f"busiest_{what}"] = max(since) / sum(since)
    return shares
