"""Starting processes, and ending every one of them, by the ids that were started here."""

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 5.0
PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """The kernel's word for a runner that was killed: what it started goes too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    name: str
    child: subprocess.Popen
    log: Path
    farewell: signal.Signals

    @property
    def pid(self) -> int:
        return self.child.pid

    def alive(self) -> bool:
        return self.child.poll() is None

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def end(self, how: signal.Signals | None = None) -> None:
        """Ends it and what it has started: each is the leader of a group of its own."""
        if self.alive():
            self.child.send_signal(how or self.farewell)
            with suppress(subprocess.TimeoutExpired):
                self.child.wait(GRACE)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.child.wait()


class Household:
    """Every process that runs, so that none outlives the run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.members: list[Process] = []

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        farewell: signal.Signals = signal.SIGTERM,
    ) -> Process:
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            child = subprocess.Popen(
                [str(word) for word in command],
                env=None if environment is None else {**os.environ, **environment},
                cwd=self.directory if user else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                preexec_fn=_end_with_parent,
            )
        process = Process(name, child, log, farewell)
        self.members.append(process)
        return process

    def end(self, process: Process, how: signal.Signals | None = None) -> None:
        process.end(how)
        self.members.remove(process)

    def end_all(self) -> None:
        while self.members:
            self.members.pop().end()
