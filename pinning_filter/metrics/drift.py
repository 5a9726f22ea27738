"""Findings of the audit that two looks in a row have.

What is just built, moved or deleted is in one of them only: ``audit`` looks
twice for that reason. Whoever reads a cloud again and again has looked before.
"""

from __future__ import annotations

from pinning_filter.audit import books
from pinning_filter.audit.findings import Finding, confirmed
from pinning_filter.cloud.snapshot import Snapshot


class Drift:
    """One look after the other.

    :param live: whether things go on between two looks; a dump is as it is.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._before: list[Finding] | None = None

    def look(self, snapshot: Snapshot) -> list[Finding] | None:
        """What holds; None: something was found, at the first look."""
        found = list(books.findings(snapshot))
        before, self._before = self._before, found
        if not self._live or not found:
            return found
        return None if before is None else confirmed(before, found)
