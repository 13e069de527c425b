"""What is asked of servers, and what happens to their stores meanwhile."""

from dataclasses import dataclass

from .client import Keys

# Items that every server has answered before the load begins.
WARM = Keys("any", 1, 1_000)
# Many more than are asked for in one load of `new`; items up to here exist.
ROWS, ROWS_QUICK = 600_000, 150_000


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    connections: int
    keys: Keys
    # Who is measured: all, unless named.
    peers: tuple[str, ...] = ("api", "near", "fastapi", "fastify", "axum", "ceiling")


WITH_STORES = ("api", "fastapi", "fastify", "axum")


def workloads(rows: int) -> list[Workload]:
    """In the order in which they are run and reported."""
    return [
        Workload("hit64", "Every request a hit, 64 connections", 64, WARM),
        Workload("hit256", "Every request a hit, 256 connections", 256, WARM),
        Workload("new", "Every key new, 64 connections", 64, Keys("each", 1_001, rows), WITH_STORES),
        Workload("uniform", "100,000 keys at random, starting cold, 64 connections", 64, Keys("any", 1_001, 101_000), WITH_STORES),
        Workload("redisdown", "Redis down, 64 connections", 64, WARM, WITH_STORES),
        Workload("pgdown", "PostgreSQL down, warm, 64 connections", 64, WARM, ("api",)),
        Workload("stampede", "256 connections on one cold key", 256, WARM, WITH_STORES),
    ]
