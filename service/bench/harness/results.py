"""Medians of the rounds, and ratios within the run."""

import dataclasses
from dataclasses import dataclass
from statistics import median

from .measures import Cell


@dataclass(frozen=True)
class Summary:
    """One peer under one workload: medians, but sums of what must not happen."""

    per_second: float
    cpu: float
    p50_ms: float
    p99_ms: float
    failed: int
    misses: float
    resident_mib: float
    start_ms: float
    extra: dict[str, float]


class Results:
    def __init__(self) -> None:
        self.cells: list[Cell] = []

    def of(self, workload: str, peer: str) -> Summary | None:
        cells = [cell for cell in self.cells if (cell.workload, cell.peer) == (workload, peer)]
        if not cells:
            return None
        return Summary(
            per_second=median(cell.load.per_second for cell in cells),
            cpu=median(cell.cpu for cell in cells),
            p50_ms=median(cell.load.p50_ms for cell in cells),
            p99_ms=median(cell.load.p99_ms for cell in cells),
            failed=sum(cell.load.refused + cell.load.broken for cell in cells),
            misses=median(cell.misses for cell in cells),
            resident_mib=median(cell.resident_mib for cell in cells),
            start_ms=median(cell.start_ms for cell in cells),
            extra={name: median(cell.extra[name] for cell in cells) for name in cells[0].extra},
        )

    def worst(self, workload: str, peer: str, name: str) -> float | None:
        """The largest of the rounds."""
        values = [cell.extra[name] for cell in self.cells if (cell.workload, cell.peer) == (workload, peer) and name in cell.extra]
        return max(values, default=None)

    def start_ms(self, peer: str) -> float | None:
        return median(starts) if (starts := [cell.start_ms for cell in self.cells if cell.peer == peer]) else None

    def resident_mib(self, peer: str) -> float | None:
        """The most that it has taken at the end of any load."""
        return max((cell.resident_mib for cell in self.cells if cell.peer == peer), default=None)

    def as_json(self) -> list[dict]:
        return [dataclasses.asdict(cell) for cell in self.cells]
