"""What is run on a release: the columns of the table, and their commands."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pinning_filter.nova import releases
from tests import nova_suite
from tests.releases import outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One command in the environment of a release."""

    column: str  #: of the table; several steps may share one
    command: tuple[str, ...]  #: after ``python``; ``{results}`` is a file
    read: Callable[[Path, int], outcome.Outcome]  #: results, exit status
    threads: bool | None = None  #: whether Nova runs on them; None: its choice
    since: int = releases.OLDEST  #: the first release that can do it
    seconds: int = 3600  #: after which it has failed

    @property
    def environment(self) -> dict[str, str]:
        """What the command needs to know beside its arguments."""
        if self.threads is None:
            return {}
        return {releases.THREADS_SWITCH: str(self.threads).lower()}


def _pytest(column: str, folder: str, **fields: Any) -> Step:
    command = ("-m", "pytest", "-q", "-n", "auto", "--junitxml={results}")
    return Step(
        column, (*command, f"tests/{folder}"), outcome.of_pytest, **fields
    )


def _suite(module: str) -> Step:
    command = ("-m", "tests.nova_suite", "--json={results}", module)
    return Step("suites", command, outcome.of_suite)


STEPS = (
    # They start no service, and in pytest's workers eventlet would hang.
    _pytest("unit", "unit", threads=True),
    _pytest("property", "property", threads=True),
    _pytest(
        "threads",
        "functional",
        threads=True,
        since=releases.THREADS_SINCE,
    ),
    _pytest("eventlet", "functional", threads=False),
    Step("demo", ("-m", "pinning_filter.demo"), outcome.of_status),
    *map(_suite, nova_suite.MODULES),
)

COLUMNS = tuple(dict.fromkeys(step.column for step in STEPS))
