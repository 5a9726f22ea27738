"""What the audit finds, in one line: it has a command of its own."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator

from pinning_filter.audit.findings import Finding as Audited
from pinning_filter.audit.findings import Severity
from pinning_filter.status.findings import Finding, Level


def agree(found: Iterable[Audited]) -> Iterator[Finding]:
    """Whether Nova's tables and the Placement API agree.

    One look only: what is just being moved may differ for a moment.
    """
    codes = collections.Counter(each.code for each in found)
    if not codes:
        return
    total = codes.total()
    critical = sum(
        number
        for code, number in codes.items()
        if code.severity is Severity.CRITICAL
    )
    yield Finding(
        Level.WARNING,
        f"The audit has {total} finding{'s' if total > 1 else ''}, "
        f"{critical} of them critical: "
        + ", ".join(f"{n} {code.value}" for code, n in codes.most_common())
        + ".",
        "Run 'pinning-filter audit', which looks twice and says for each "
        "what would mend it.",
    )
