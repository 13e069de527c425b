"""What is asked of servers, and what happens to their stores meanwhile."""

from dataclasses import dataclass
from enum import Enum

from .client import Keys
from .peers import SHARED

ROWS = 500_000
# Items that every server has answered before a load of hits begins.
WARM = Keys("any", 1, 1_000)
# What no cache has when a load begins.
COLD_FIRST, COLD_LAST = WARM.last + 1, 440_000
UNIFORM = 100_000
# Of these each measurement takes its own.
STAMPEDE_FIRST, POSTGRES_DOWN_FIRST = 440_001, 450_001
# For servers to get used to misses.
PRACTICE = Keys("each", 460_001, ROWS)


class Kind(Enum):
    """What a load finds."""

    HITS = "everything in Redis"
    COLD = "nothing in Redis"
    REDIS_DOWN = "no Redis"
    POSTGRES_DOWN = "everything in Redis, no PostgreSQL"
    STAMPEDE = "all but the one item that is asked for in Redis"


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: Kind
    connections: int
    # The roles of those who are measured.
    peers: tuple[str, ...]
    # Whether it is run only by its name.
    only_named: bool = False

    @property
    def breaks_stores(self) -> bool:
        return self.kind in (Kind.REDIS_DOWN, Kind.POSTGRES_DOWN, Kind.STAMPEDE)

    def keys(self, turn: int) -> Keys:
        """Rounds begin at other items, so that what a process may remember of the one before is no help."""
        if self.name == "new":
            return Keys("each", COLD_FIRST, COLD_LAST, COLD_FIRST + turn % 3 * (COLD_LAST // 3))
        if self.name == "uniform":
            first = COLD_FIRST + turn % 4 * UNIFORM
            return Keys("any", first, first + UNIFORM - 1)
        return WARM


STORES = ("api", "fastapi", "fastify", "axum")
ALL = ("api", "near", "fastapi", "fastify", "axum", *SHARED)

# In the order in which they are run and reported.
WORKLOADS = (
    Workload("hit8", "Every request a hit, 8 connections", Kind.HITS, 8, ALL, only_named=True),
    Workload("hit64", "Every request a hit, 64 connections", Kind.HITS, 64, ALL),
    Workload("hit256", "Every request a hit, 256 connections", Kind.HITS, 256, ALL),
    Workload("new", "Every key new, 64 connections", Kind.COLD, 64, STORES),
    Workload("uniform", "100,000 keys at random, starting cold, 64 connections", Kind.COLD, 64, STORES),
    Workload("redisdown", "Redis down, 64 connections", Kind.REDIS_DOWN, 64, STORES),
    Workload("pgdown", "PostgreSQL down, warm, 64 connections", Kind.POSTGRES_DOWN, 64, ("api",)),
    Workload("stampede", "256 connections on one cold key", Kind.STAMPEDE, 256, STORES),
)
