"""What a server and its children use: CPU time and memory, as the kernel counts them."""

import os
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat from the third on: before them is a name in brackets, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with that of children that have ended (proc(5): fields 14 to 17)."""
    return sum(sum(map(int, fields[11:15])) for pid in tree(root) if (fields := _stat(pid))) * TICK


def resident_bytes(root: int) -> int:
    """Resident memory of the tree. Pages that processes share are counted once for each."""
    return sum(int(fields[21]) for pid in tree(root) if (fields := _stat(pid))) * PAGE
