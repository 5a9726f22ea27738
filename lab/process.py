"""Processes that outlive the command that started them.

A process is known by its id *and* the time it started (field 22 of
``/proc/PID/stat``), so an id that the kernel gave to somebody else is never
signalled. Knows no service by name.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import layout, steps

#: Seconds between two looks at something awaited.
TICK = 0.2


@dataclass(frozen=True, slots=True)
class Daemon:
    """One long-lived process of the lab."""

    name: str
    #: The command and its arguments.
    argv: Sequence[str]
    #: Added to the lab's common environment.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Says whether it serves already.
    ready: Callable[[], bool] = lambda: True
    #: Seconds that it may take until it serves.
    ready_seconds: int = 300
    #: Seconds from SIGTERM to SIGKILL.
    stop_seconds: int = 20

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return layout.LOGS / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Where its identity is kept."""
        return layout.PIDS / f"{self.name}.json"

    def pid(self) -> int | None:
        """Its process id if it runs, else None."""
        return recorded(self.pid_file)

    def start(self) -> bool:
        """Start it and wait until it serves; False if it ran already."""
        if self.pid() is not None:
            return False
        steps.timed(f"start {self.name}", self._start)
        return True

    def _start(self) -> None:
        for folder in (layout.LOGS, layout.PIDS, layout.RUN / "home"):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as out:
            child = subprocess.Popen(
                list(self.argv), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=steps.environment(**self.env), cwd="/",
                start_new_session=True,
            )
        identity = {
            "pid": child.pid,
            "started": start_time(child.pid),
            "argv": list(self.argv),
        }
        self.pid_file.write_text(json.dumps(identity))
        limit = time.monotonic() + self.ready_seconds
        while not self.ready():
            if child.poll() is not None:
                raise steps.StepFailed(
                    f"start {self.name}",
                    f"it ended with status {child.returncode}", self.log,
                )
            if time.monotonic() > limit:
                raise steps.StepFailed(
                    f"start {self.name}",
                    f"not ready after {self.ready_seconds} s", self.log,
                )
            time.sleep(TICK)
        # It shall outlive us: nobody waits for it here.
        child.returncode = 0

    def stop(self) -> bool:
        """End it and its process group; False if it did not run."""
        pid = self.pid()
        self.pid_file.unlink(missing_ok=True)
        if pid is None:
            return False
        steps.timed(f"stop {self.name}", lambda: end_group(
            pid, self.stop_seconds))
        return True

    def kill(self) -> None:
        """SIGKILL it and its process group, as a crash would."""
        pid = self.pid()
        self.pid_file.unlink(missing_ok=True)
        if pid is not None:
            end_group(pid, 0)


def recorded(pid_file: Path) -> int | None:
    """The process of a pid file, if that very process still runs."""
    try:
        identity = json.loads(pid_file.read_text())
    except (OSError, ValueError):
        return None
    pid = int(identity["pid"])
    started = start_time(pid)
    return pid if started and started == identity["started"] else None


def start_time(pid: int) -> int | None:
    """When the process started (clock ticks after boot); None if it ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command, in parentheses, may contain anything, spaces included.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def marked() -> Iterator[int]:
    """Every process that carries this lab's mark in its environment."""
    mark = f"{layout.MARK}={layout.RUN}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables:
            yield int(entry.name)


def group(pgid: int) -> list[int]:
    """The running processes of a process group."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if int(fields[2]) == pgid and fields[0] not in "ZX":
            members.append(int(entry.name))
    return members


def end_group(pgid: int, seconds: float) -> None:
    """SIGTERM the group, and SIGKILL what is left of it after ``seconds``."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5)):
        if not patience:
            continue
        try:
            os.killpg(pgid, number)
        except ProcessLookupError:
            return
        if wait_for(lambda: not group(pgid), patience):
            return


def end_strays() -> int:
    """SIGKILL what the lab's processes left behind; how many there were."""
    strays = list(marked())
    for pid in strays:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(strays)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Look until the condition holds; False when it did not in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(TICK)
    return True
