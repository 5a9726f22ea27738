"""What the filter says: that it is on, and its verdicts, in log and fault.

Beside the filter, which decides. The words about one host are those of
``core.refusal``, about many those of ``fleet.summary``; here is who gets them.
"""

from __future__ import annotations

import contextlib
import functools
import logging as standard_logging
import threading
from collections.abc import Iterator
from typing import Any

from nova import conf, exception, objects
from oslo_log import log as logging

from pinning_filter.core import cpuset
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.refusal import Refusal
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler import no_valid_host
from pinning_filter.scheduler.question import Question

LOG = logging.getLogger(__name__)

@functools.cache
def log_filter_enabled() -> None:
    """Say so, once in a process."""
    scheduler, ours = conf.CONF.filter_scheduler, conf.CONF.pinning_filter
    LOG.info(
        "PinningFilter %(version)s is on: core_choice is %(choice)s, "
        "explain_in_fault is %(fault)s. Compute nodes that do not run its "
        "driver count as plain Nova.",
        {
            "version": nova_stats.version(),
            "choice": ours.core_choice,
            "fault": ours.explain_in_fault,
        },
    )
    if "NUMATopologyFilter" in scheduler.enabled_filters:
        LOG.warning(
            "NUMATopologyFilter is enabled beside PinningFilter: hosts are "
            "fitted twice, and servers that NUMATopologyFilter refuses first "
            "are not told why. Take it out of [filter_scheduler] "
            "enabled_filters."
        )


@functools.cache
def log_weigher_enabled() -> None:
    """Say so, once in a process."""
    LOG.info(
        "PinningWeigher %(version)s is on: pinning_weight_multiplier is "
        "%(multiplier)s where a host aggregate does not set its own.",
        {
            "version": nova_stats.version(),
            "multiplier": (
                conf.CONF.pinning_filter.pinning_weight_multiplier
            ),
        },
    )


def report_refusal(
    spec_obj: objects.RequestSpec, question: Question
) -> None:
    """Say why no host passed: in the log, and to whoever asked.

    The latter here only where one server was asked for. Of several, the first
    may have been given its host, and Nova takes that back only if it is not
    interrupted; ``no_valid_host`` tells them when it has. ``num_instances``
    is that of the boot: a server that was booted with others keeps their
    number for its moves, which are of one server each.

    :raises nova.exception.NoValidHost: to tell whoever asked.
    """
    found = no_valid_host.filtered(spec_obj)
    # In place of what Nova logs, which it does not if it is interrupted.
    LOG.info(
        "Filter PinningFilter returned 0 hosts: %s",
        no_valid_host.sentence(question.request, found, None),
        instance_uuid=question.instance_uuid,
    )
    one = "num_instances" in spec_obj and spec_obj.num_instances == 1
    if one and conf.CONF.pinning_filter.explain_in_fault:
        raise exception.NoValidHost(
            reason=no_valid_host.sentence(question.request, found)
        )


def log_verdict(
    host_state: Any, instance_uuid: str | None, answer: Placement | Refusal
) -> None:
    """Say at DEBUG what one host was found to be."""
    LOG.debug(
        "%(host)s, %(node)s %(verdict)s: %(why)s",
        {
            "host": getattr(host_state, "host", "?"),
            "node": getattr(host_state, "nodename", "?"),
            "verdict": "fits" if answer else "does not fit",
            "why": (
                answer.text
                if isinstance(answer, Refusal)
                else "; ".join(map(_cell_text, answer.cells))
            ),
        },
        instance_uuid=instance_uuid,
    )


def _cell_text(cell: CellPlacement) -> str:
    """One guest cell of a placement, in a clause."""
    parts = [f"host cell {cell.host_cell.id}"]
    parts += [f"{vcpu}->{pcpu}" for vcpu, pcpu in sorted(cell.pinning.items())]
    if cell.reserved:
        parts.append(f"emulator threads on {cpuset.format(cell.reserved)}")
    if cell.page_size_kib:
        parts.append(f"pages of {cell.page_size_kib} KiB")
    return " ".join(parts)


_quiet = threading.local()


class _DropInfo(standard_logging.Filter):
    """Drops what a thread says below WARNING while it is to be quiet."""

    def filter(self, record: standard_logging.LogRecord) -> bool:
        quiet = getattr(_quiet, "active", False)
        return not quiet or record.levelno >= standard_logging.WARNING


standard_logging.getLogger("nova.virt.hardware").addFilter(_DropInfo())


@contextlib.contextmanager
def without_nova_info() -> Iterator[None]:
    """Without what Nova's own fit logs.

    That is a line at INFO for each try ("Computed NUMA topology CPU
    pinning"), of pCPUs that nobody may ever get.
    """
    _quiet.active = True
    try:
        yield
    finally:
        _quiet.active = False
