"""What the API is to reach, and whether it did. Times of a run are told, never asserted."""

from collections.abc import Iterator
from dataclasses import dataclass

from .results import Results

# Workload: requests per second and CPU against FastAPI, CPU against the ceiling.
RATIOS = {
    "hit64": (14, 26, 1.5),
    "hit256": (18, 34, 1.5),
    "new": (18, 36, None),
    "uniform": (25, 45, None),
    "redisdown": (20, None, None),
}
NEAR_OF_CEILING = 1.06


@dataclass(frozen=True)
class Target:
    what: str
    wanted: str
    measured: str
    met: bool


def at_least(what: str, wanted: float, value: float, unit: str = "×") -> Target:
    return Target(what, f"≥ {_number(wanted)}{unit}", f"{_number(value)}{unit}", value >= wanted)


def at_most(what: str, wanted: float, value: float, unit: str = "×") -> Target:
    return Target(what, f"≤ {_number(wanted)}{unit}", f"{_number(value)}{unit}", value <= wanted)


def _number(value: float) -> str:
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"


def targets(results: Results, peer: str, binary_bytes: int) -> Iterator[Target]:
    """All that this run can tell of a build of ours."""
    for workload, (faster, cheaper, of_ceiling) in RATIOS.items():
        ours, theirs = results.of(workload, peer), results.of(workload, "fastapi")
        ceiling = results.of(workload, "ceiling")
        if ours and theirs:
            yield at_least(f"{workload}: requests/s of FastAPI's", faster, ours.per_second / theirs.per_second)
            if cheaper:
                yield at_least(f"{workload}: FastAPI's CPU of ours", cheaper, theirs.cpu / ours.cpu)
        if ours and ceiling and of_ceiling:
            yield at_most(f"{workload}: CPU of the ceiling's", of_ceiling, ours.cpu / ceiling.cpu)
    yield from _faults(results, peer)
    if (start := results.start_ms(peer)) is not None:
        yield at_most("start to the first answer", 25, start, " ms")
        yield at_most("memory, the most at the end of a load", 20, results.resident_mib(peer), " MiB")
    yield at_most("binary", 5, binary_bytes / 1e6, " MB")


def _faults(results: Results, peer: str) -> Iterator[Target]:
    if down := results.of("redisdown", peer):
        failed = down.failed + (results.worst("redisdown", peer, "failed_at_the_kill") or 0)
        yield at_most("redisdown: errors, also while it is killed", 0, failed, "")
        yield at_most("redisdown: p99", 5, down.p99_ms, " ms")
        yield at_most("redisdown: back to hits", 0.3, down.extra["back_to_hits_s"], " s")
    if down := results.of("pgdown", peer):
        yield at_least("pgdown: of the hit rate", 95, down.extra["of_the_hit_rate"] * 100, " %")
        yield at_most("pgdown: bad answers", 0, down.failed, "")
        yield at_least("pgdown: cold keys that get 503", 100, down.extra["cold_503"] * 100, " %")
        yield at_most("pgdown: the slowest of them", 5, results.worst("pgdown", peer, "cold_slowest_ms"), " ms")
    queries = results.worst("stampede", peer, "queries")
    if queries is not None:
        yield at_most("stampede: queries", 1, queries, "")


def near_targets(results: Results, near: str) -> Iterator[Target]:
    """With the cache in the process, against the ceiling."""
    for workload in ("hit64", "hit256"):
        ours, ceiling = results.of(workload, near), results.of(workload, "ceiling")
        if ours and ceiling:
            yield at_most(f"{workload}, {near}: CPU of the ceiling's", NEAR_OF_CEILING, ours.cpu / ceiling.cpu)
