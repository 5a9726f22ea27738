"""What a command came to, whoever ran it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How many passed, and which did not and why."""

    passed: int
    failed: tuple[tuple[str, str], ...] = ()  #: test, reason
    skipped: tuple[tuple[str, str], ...] = ()  #: test, reason

    def __str__(self) -> str:
        return (
            f"{self.passed} passed, {len(self.skipped)} skipped, "
            f"{len(self.failed)} failed"
        )


def of_pytest(results: Path, status: int) -> Outcome:
    """Read pytest's JUnit XML; an expected failure counts as skipped."""
    if not results.exists():
        return of_status(results, status)
    passed, failed, skipped = 0, [], []
    for case in ElementTree.parse(results).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        ends = [e for e in case if e.tag in ("failure", "error", "skipped")]
        for end in ends[:1]:
            kind = skipped if end.tag == "skipped" else failed
            kind.append((name, end.get("message") or "no reason given"))
        passed += not ends
    return Outcome(passed, tuple(failed), tuple(skipped))


def of_suite(results: Path, status: int) -> Outcome:
    """Read what ``tests.nova_suite`` writes."""
    if not results.exists():
        return of_status(results, status)
    told = json.loads(results.read_text())
    failed = tuple((test, why) for test, why in told["failed"])
    skipped = tuple((test, why) for test, why in told["skipped"])
    return Outcome(told["run"] - len(failed) - len(skipped), failed, skipped)


def of_status(_: Path, status: int) -> Outcome:
    """A command that only ends well or badly."""
    if status == 0:
        return Outcome(1)
    return Outcome(0, (("all of it", f"it ended with status {status}"),))
