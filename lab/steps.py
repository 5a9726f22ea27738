"""Named steps: progress on the terminal, a log each, stamps, clear failure.

Knows nothing of what the steps do.
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import layout

#: Lines of a log shown when its step fails.
TAIL_LINES = 25


class StepFailed(layout.LabError):
    """A step did not succeed; says which, and shows the log's end."""

    def __init__(self, step: str, why: str, log: Path | None) -> None:
        text = f"step failed: {step}: {why}"
        if log is not None and log.exists():
            text += f"\n--- the end of {log} ---\n{tail(log)}"
        super().__init__(text)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def digest(*parts: str | Path) -> str:
    """A short digest of texts and of files' contents."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:16]


def environment(**extra: str) -> dict[str, str]:
    """The environment of the lab's processes: small, and marked."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "LAB_")) or name in {"LANG", "TERM"}
        or name.lower().endswith("_proxy") or "_CERT" in name
    }
    return {
        "LANG": "C.UTF-8",
        **pip_settings(),
        **kept,
        "PATH": f"{layout.BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(layout.RUN / "home"),
        "no_proxy": "127.0.0.1,localhost",
        layout.MARK: str(layout.RUN),
        **extra,
    }


def pip_settings() -> dict[str, str]:
    """Where pip's settings of this user are, who has another home there."""
    settings = Path.home() / ".config" / "pip" / "pip.conf"
    return {"PIP_CONFIG_FILE": str(settings)} if settings.exists() else {}


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def once(name: str, key: str, action: Callable[[], None]) -> bool:
    """Do a step unless it was done with the same key; True if done now."""
    stamp = layout.DONE / name
    if stamp.exists() and stamp.read_text() == key:
        return False
    timed(name, action)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key)
    return True


def timed(name: str, action: Callable[[], None]) -> None:
    """Do a step and say how long it took."""
    print(f"  {name:<34}", end="", flush=True)
    begin = time.monotonic()
    try:
        with moving(name, begin):
            action()
    except BaseException:
        say("FAILED")
        raise
    say(f"{time.monotonic() - begin:6.1f} s")


@contextmanager
def moving(name: str, begin: float) -> Iterator[None]:
    """On a terminal, count a step's seconds while it lasts."""
    ended = threading.Event()

    def count() -> None:
        while not ended.wait(1):
            passed = time.monotonic() - begin
            print(f"\r  {name:<34}{passed:4.0f}   s\r  {name:<34}",
                  end="", flush=True)

    if not sys.stdout.isatty():
        yield
        return
    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        yield
    finally:
        ended.set()
        counter.join()


def run(
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run one command of the step ``name``, its output in the step's log."""
    layout.LOGS.mkdir(parents=True, exist_ok=True)
    log = layout.LOGS / f"step-{name.replace(' ', '-')}.log"
    with log.open("a") as out:
        out.write(f"\n$ {' '.join(map(str, argv))}\n")
        out.flush()
        done = subprocess.run(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env=environment(**(env or {})), cwd="/", check=False,
        )
    if done.returncode != 0:
        raise StepFailed(name, f"exit status {done.returncode}", log)
