"""How many requests a scheduler refused, and why: for whoever watches.

Beside ``no_valid_host``, which knows when a request has failed. Each process
of nova-scheduler keeps its counts in a small file of its own, and ``metrics``
adds them up. Requests only add one to a number: the file is written by a
thread, whole and in one step (a rename), and where that fails the counts stay
in memory until it does not.

A process takes over the file of one that has ended, and counts on from there.
So there are no more files than there were processes at a time, and no sum of
them ever falls, as a counter must not.

Whoever reads needs nothing of Nova: :func:`read`.
"""

from __future__ import annotations

import collections
import fcntl
import functools
import json
import logging
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import NamedTuple

LOG = logging.getLogger(__name__)

#: Processes of nova-scheduler on one machine.
_MOST_FILES = 256
_GLOB = "scheduler-*.json"


class Counts(NamedTuple):
    """What was counted, of requests for servers with a NUMA topology."""

    requests: int  #: answered, with hosts or without
    refused: Mapping[str, int]  #: code of what was missing -> requests


class Counters:
    """The counts of this process.

    :param folder: where its file is; it is made where it is not there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = pathlib.Path(folder)
        self._guard = threading.Lock()
        self._saving = threading.Lock()
        self._changed = threading.Event()
        self._requests = 0
        self._refused: collections.Counter[str] = collections.Counter()
        self._file: pathlib.Path | None = None
        self._complaint = ""
        threading.Thread(target=self._keep_saving, daemon=True).start()

    def add(self, code: str | None) -> None:
        """Count a request.

        :param code: what was missing; None: it was given a host.
        """
        with self._guard:
            self._requests += 1
            if code is not None:
                self._refused[code] += 1
        self._changed.set()

    def _keep_saving(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            self.save()

    def save(self) -> None:
        """Write what was counted so far. Never raises."""
        with self._saving:
            try:
                self._write()
                self._complaint = ""
            except Exception as error:
                if self._complaint != str(error):
                    self._complaint = str(error)
                    LOG.warning(
                        "Refusals are counted, and not written: %s", error
                    )

    def _write(self) -> None:
        if self._file is None:
            self._file = self._take_over()
        with self._guard:
            text = json.dumps(
                {"requests": self._requests, "refused": self._refused}
            )
        new = self._file.with_suffix(".new")
        new.write_text(text)
        new.replace(self._file)

    def _take_over(self) -> pathlib.Path:
        """A file that no living process has; its counts are ours now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(_MOST_FILES):
            path = self._folder / f"scheduler-{number}.json"
            # The kernel lets go of it when the process ends, however it does.
            lock = os.open(
                path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            before = _read(path)
            with self._guard:
                self._requests += before.requests
                self._refused.update(before.refused)
            return path
        raise OSError(f"{self._folder} has {_MOST_FILES} files in use")


def of_process(folder: str) -> Counters:
    """Those of this process.

    nova-scheduler makes its filters before it makes its worker processes, so
    each of them begins with its first request.
    """
    return _of_process(folder, os.getpid())


@functools.cache
def _of_process(folder: str, pid: int) -> Counters:
    return Counters(folder)


def read(folder: str | os.PathLike[str]) -> Counts:
    """What all processes of this machine have counted.

    A file that cannot be read counts as empty: it is replaced by the next
    request.

    :raises OSError: if there is no such folder.
    """
    requests = 0
    refused: collections.Counter[str] = collections.Counter()
    os.stat(folder)
    for path in sorted(pathlib.Path(folder).glob(_GLOB)):
        found = _read(path)
        requests += found.requests
        refused.update(found.refused)
    return Counts(requests, refused)


def _read(path: pathlib.Path) -> Counts:
    try:
        data = json.loads(path.read_bytes())
        refused = {
            str(code): int(number) for code, number in data["refused"].items()
        }
        return Counts(int(data["requests"]), refused)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Counts(0, {})
