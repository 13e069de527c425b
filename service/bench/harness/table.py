"""Results as Markdown, as they stand in docs/performance.md."""

from collections.abc import Iterable, Sequence

from .results import Results
from .targets import Target
from .workloads import Workload

EXTRAS = {
    "failed_at_the_kill": ("failed at the kill", "{:.0f}"),
    "back_to_hits_s": ("back to hits", "{:.2f} s"),
    "of_the_hit_rate": ("of the hit rate", "{:.1%}"),
    "cold_503": ("cold keys with 503", "{:.0%}"),
    "cold_slowest_ms": ("the slowest of them", "{:.1f} ms"),
    "queries": ("queries", "{:.0f}"),
    "busiest_connections": ("connections on the busiest thread", "{:.1%}"),
    "busiest_requests": ("requests on the busiest", "{:.1%}"),
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    # Columns in which nobody has anything are left out.
    kept = [i for i in range(len(header)) if i == 0 or any(row[i] for row in rows)]
    header, rows = [header[i] for i in kept], [[row[i] for i in kept] for row in rows]
    columns = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [[cell.ljust(columns[i]) if i == 0 else cell.rjust(columns[i]) for i, cell in enumerate(row)] for row in [header, *rows]]
    rule = ["-" * columns[0], *("-" * (width - 1) + ":" for width in columns[1:])]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def workload_table(results: Results, workload: Workload, peers: Sequence[str]) -> str:
    """Ratios are against FastAPI and the ceiling, where this run has them."""
    found = {peer: summary for peer in peers if (summary := results.of(workload.name, peer))}
    fastapi, ceiling = found.get("fastapi"), found.get("ceiling")
    extras = [name for name in EXTRAS if any(name in summary.extra for summary in found.values())]
    header = ["", "requests/s", "of FastAPI's", "CPU s/100k", "FastAPI's of it", "of the ceiling's"]
    header += ["p50 ms", "p99 ms", "failed", "misses", *(EXTRAS[name][0] for name in extras)]
    rows = []
    for peer, summary in found.items():
        row = [peer, f"{summary.per_second:,.0f}", _ratio(summary.per_second, fastapi and fastapi.per_second)]
        row += [f"{summary.cpu:.3f}", _ratio(fastapi and fastapi.cpu, summary.cpu), _ratio(summary.cpu, ceiling and ceiling.cpu)]
        row += [f"{summary.p50_ms:.2f}", f"{summary.p99_ms:.2f}", str(summary.failed), f"{summary.misses:.2f}"]
        row += [EXTRAS[name][1].format(summary.extra[name]) if name in summary.extra else "" for name in extras]
        rows.append(row)
    return f"### {workload.title} (`{workload.name}`)\n\n{table(header, rows)}"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}×" if value and base else ""


def process_table(results: Results, peers: Sequence[str]) -> str:
    rows = [
        [peer, f"{start:,.0f}", f"{results.resident_mib(peer):,.1f}"] for peer in peers if (start := results.start_ms(peer)) is not None
    ]
    return f"### Processes\n\n{table(['', 'start to the first answer, ms', 'memory, MiB'], rows)}"


def target_table(peer: str, found: Iterable[Target]) -> str:
    rows = [[target.what, target.wanted, target.measured, "met" if target.met else "not met"] for target in found]
    return f"### Targets, {peer}\n\n{table(['', 'target', 'measured', ''], rows)}" if rows else ""
