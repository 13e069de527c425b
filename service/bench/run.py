#!/usr/bin/env python3
"""Measures our API against peers that keep the same contract, in one run: docs/performance.md says how and why.

`make bench-api` installs what this needs and calls it. Everything it starts listens on loopback, and ends with it.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import peers, table, targets
from harness.client import get
from harness.measures import Lab
from harness.peers import Peer
from harness.processes import Household
from harness.results import Results
from harness.stores import StoreError, Stores
from harness.workloads import COLD_FIRST, COLD_LAST, ROWS, WARM, WORKLOADS, Workload

# A load average from which other processes are seen in the results.
BUSY = 0.7
QUICK_PEERS = {"api", "near", "fastapi", "ceiling"}
# They tell nothing of the API, but of its choice of threads.
ONLY_NAMED = set(peers.SHARED) - {"ceiling"}


def main() -> None:
    options = parse()
    for how in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, lambda number, _frame: sys.exit(128 + number))
    try:
        builds = [peers.ours(text) for text in options.api or [peers.build_ours()]]
        peers.build_others()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
    directory = Path(tempfile.mkdtemp(prefix="evenkeel-bench-"))
    # PostgreSQL runs as another user when we are root.
    directory.chmod(0o711)
    household = Household(directory)
    try:
        run(options, builds, household)
    except KeyboardInterrupt:
        sys.exit(130)
    except (StoreError, RuntimeError) as error:
        sys.exit(f"bench: {error}")
    finally:
        household.end_all()
        shutil.rmtree(directory, ignore_errors=True)


def parse() -> argparse.Namespace:
    names = [workload.name for workload in WORKLOADS]
    default = [workload.name for workload in WORKLOADS if not workload.only_named]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short loads, faults once, and only the peers that targets name")
    parser.add_argument("--only", nargs="+", choices=names, default=default, metavar="WORKLOAD", help=", ".join(names))
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="api, near, fastapi, fastify, axum, ceiling, fewest, stealing, ceiling-redis, fewest-redis, stealing-redis, or names of builds")
    parser.add_argument(
        "--api",
        nargs="+",
        metavar="[NAME=]PATH[,VARIABLE=VALUE]...",
        help="builds of ours to measure, each by a name of its own, instead of building one",
    )
    parser.add_argument("--rounds", type=int, help="of each load; 3, or 2 with --quick")
    parser.add_argument("--seconds", type=int, help="of each load; 10, or 1 with --quick")
    return parser.parse_args()


def run(options: argparse.Namespace, builds: list[Peer], household: Household) -> None:
    busy = os.getloadavg()[0]
    if busy > BUSY:
        say(f"this machine is busy (load average {busy:.1f}): trust CPU more than requests per second, and ratios alone")
    stores = Stores(household)
    stores.start()
    answer = prepare(builds[0], stores, household)
    chosen = choose(options, builds, answer)
    lab = Lab(
        household,
        stores,
        seconds=options.seconds or (1 if options.quick else 10),
        warm_seconds=1 if options.quick else 2,
    )
    todo = [workload for workload in WORKLOADS if workload.name in options.only]
    results = Results()
    for workload in todo:
        rounds = 1 if options.quick and workload.breaks_stores else options.rounds or (2 if options.quick else 3)
        measure(lab, workload, chosen, rounds, results)
    report(results, todo, chosen)


def prepare(api: Peer, stores: Stores, household: Household) -> Path:
    """The schema as our API makes it, the rows, and a hit as our API answers it, for the ceiling."""
    peers.migrate(household, api, stores.environment)
    stores.postgres.fill(ROWS)
    server = peers.start(household, api, stores.environment)
    key = WARM.last
    get(server.port, key)
    answer = get(server.port, key)
    household.end(server.process)
    if not answer.is_hit:
        raise RuntimeError(f"the second answer is no hit: {answer}")
    say(f"{ROWS:,} items; one is {len(answer.body)} bytes, and a hit {len(answer.wire)} on the wire")
    path = household.directory / "answer"
    path.write_bytes(answer.wire)
    return path


def choose(options: argparse.Namespace, builds: list[Peer], answer: Path) -> list[Peer]:
    """Our builds, the first of them with its cache in the process, and the others; or those that are named."""
    near = peers.near(builds[0])
    others = [peers.fastapi(), peers.fastify(), peers.axum(), *peers.ceilings(answer)]
    everybody = [*builds, *([near] if near else []), *others]
    if options.peers:
        if unknown := set(options.peers) - {peer.name for peer in everybody}:
            raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}")
        return [peer for peer in everybody if peer.name in options.peers]
    left_out = ONLY_NAMED if not options.quick else {peer.role for peer in everybody} - QUICK_PEERS
    return [peer for peer in everybody if peer.role not in left_out]


def measure(lab: Lab, workload: Workload, chosen: list[Peer], rounds: int, results: Results) -> None:
    """Runs a workload, and tells how it goes."""
    for cell in lab.measure(workload, [peer for peer in chosen if peer.role in workload.peers], rounds):
        results.cells.append(cell)
        load = cell.load
        say(
            f"{workload.name:10} {cell.peer:10} {load.per_second:10,.0f}/s {cell.cpu:8.3f} CPU s/100k"
            f"  p99 {load.p99_ms:8.2f} ms  failed {load.refused + load.broken}"
        )
        if workload.name == "new" and load.requests > COLD_LAST - COLD_FIRST:
            say("  more requests than items: some were asked for twice; make the load shorter")


def report(results: Results, todo: list[Workload], chosen: list[Peer]) -> None:
    names = [peer.name for peer in chosen]
    parts = [table.workload_table(results, workload, names) for workload in todo]
    parts.append(table.process_table(results, names))
    for peer in chosen:
        if peer.role == "api":
            found = targets.targets(results, peer.name, peer.executable.stat().st_size)
            parts.append(table.target_table(peer.name, found))
        if peer.role == "near":
            parts.append(table.target_table(peer.name, targets.near_targets(results, peer.name)))
    print("\n\n".join(part for part in parts if part))
    path = peers.TARGET / "results.json"
    path.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    say(f"every round is in {path}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
