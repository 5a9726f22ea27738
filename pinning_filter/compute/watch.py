"""The compute node looks at itself, once a report.

Between Nova's report and ``audit``, which knows what is wrong: what is found
goes into the compute node's ``stats``, and into the log when it appears and
when it is gone. What is just being built or moved is seen at one look and not
at the next, so a finding counts at the second. Whatever goes wrong here, the
report goes on without it.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import nova.conf
from nova import objects
from nova.compute import resource_tracker
from oslo_log import log as logging

from pinning_filter.audit import findings as audit_findings
from pinning_filter.audit import node
from pinning_filter.audit.findings import Code, Finding
from pinning_filter.audit.observation import (
    Observation,
    Observer,
    configured,
)
from pinning_filter.compute import orphans
from pinning_filter.core.text import one_line
from pinning_filter.kernel.files import HERE, Roots
from pinning_filter.nova import around
from pinning_filter.nova import stats as nova_stats

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


def install() -> None:
    """Let every watch know which guests Nova's resource tracker counts."""
    around.run_within(
        resource_tracker.ResourceTracker, "_update", _when_all_are_counted
    )


class Watch:
    """What one compute node found of itself.

    :param connect: the way to libvirt-python's connection.
    :param roots: the kernel's files; None: this machine's.
    """

    def __init__(
        self, connect: Callable[[], Any], roots: Roots | None = None
    ) -> None:
        self._roots = roots or HERE
        self._observer = Observer(connect, self._roots)
        self._last: list[Finding] = []
        self._told: list[Finding] = []
        self._broken = False
        #: UUIDs of guests that Nova knows here; None: it has not said yet.
        self.known: AbstractSet[str] | None = None

    def look(self, host: str) -> dict[str, str]:
        """Look, tell what is new, and what ``stats`` are to say."""
        try:
            said = self._look(host)
        except Exception:
            # Said once, until it works again; the report needs none of it.
            if not self._broken:
                LOG.warning(
                    "This compute node cannot look at itself", exc_info=True
                )
            self._broken = True
            return {}
        self._broken = False
        return said

    def _look(self, host: str) -> dict[str, str]:
        found = list(node.findings(self.observe(host), self.known))
        confirmed = audit_findings.confirmed(self._last, found)
        self._last = found
        self._tell(confirmed)
        pcpus: dict[str, frozenset[int]] = collections.defaultdict(frozenset)
        for each in confirmed:
            pcpus[each.code.value] |= each.pcpus
        return nova_stats.write_findings(
            nova_stats.Findings(len(confirmed), pcpus)
        )

    def observe(self, host: str) -> Observation:
        """What there is to see now, guests' memory left out."""
        return self._observer.look(host, configured(self._roots))

    def _tell(self, found: list[Finding]) -> None:
        """Log what has come since the last time, and what has gone."""
        for each in set(found) - set(self._told):
            if not _told_by_orphans(each):
                LOG.warning("%s", _said(each))
        for each in set(self._told) - set(found):
            if not _told_by_orphans(each):
                LOG.info("No longer: %s", _said(each))
        self._told = found


def _said(finding: Finding) -> str:
    server = f", server {finding.server}" if finding.server else ""
    return one_line(
        f"{finding.code.value}{server}: expected {finding.expected}, seen "
        f"{finding.seen}. To mend it: {finding.remedy}"
    )


def _told_by_orphans(finding: Finding) -> bool:
    """Whether ``orphans`` logs it, with what it does about it."""
    return (
        finding.code is Code.DOMAIN_UNKNOWN
        and bool(finding.pcpus)
        and bool(CONF.pinning_filter.hold_orphaned_pcpus)
    )


@contextlib.contextmanager
def _when_all_are_counted(
    tracker: resource_tracker.ResourceTracker,
    context: Any,
    compute_node: objects.ComputeNode,
    *_: Any,
    **__: Any,
) -> Iterator[None]:
    watch = getattr(tracker.driver, "watch", None)
    if watch is not None:
        watch.known = orphans.known(tracker)
    yield
