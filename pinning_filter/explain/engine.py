"""PinningFilter's answer about one compute node of a snapshot.

What the filter asks before the engine, and then the engine: for whoever asks
without a scheduler.
"""

from __future__ import annotations

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core.fit import SPREAD, Devices, Strategy, fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import CpuPolicy, Request, ThreadPolicy


def answer(
    node: Node,
    request: Request,
    devices: Devices | None = None,
    strategy: Strategy = SPREAD,
) -> Placement | Refusal:
    """Where the guest would sit on the node, or why the filter refuses it.

    :param devices: the node's PCI devices; None: they make no difference.
    """
    if node.problem:
        return Refusal((Fact(Code.UNREADABLE, detail=node.problem),))
    if node.host is None:
        return Refusal((Fact(Code.NO_TOPOLOGY),))
    if (
        request.cpu_policy is CpuPolicy.DEDICATED
        and request.thread_policy is ThreadPolicy.REQUIRE
        and not node.host.has_threads
    ):
        # What the filter asks first, too.
        return Refusal((Fact(Code.NO_SMT, 2, 1, "threads a core"),))
    return fit(node.host, request, devices, strategy)
