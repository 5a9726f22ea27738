"""The PCI devices of a compute node, counted by Nova.

For the engine, which places guests near them, and for whoever asks whether
there are enough at all. Imported only when needed: Nova takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

from nova import objects

from pinning_filter.cloud.snapshot import Node
from pinning_filter.explain.findings import Finding, Stage
from pinning_filter.explain.question import Question
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import pci as nova_pci


def of(node: Node, question: Question) -> nova_pci.NovaDevices | None:
    """The devices of a node for the engine; None: they make no difference."""
    if node.host is None:
        return None
    requests = list(question.pci_requests)
    stats = nova_fit.claimed_stats(_stats(node), requests)
    return nova_fit.devices(stats, requests, None)


def lacking(node: Node, question: Question) -> Iterator[Finding]:
    """The devices that a node has too few of, wherever in it they are.

    As ``PciPassthroughFilter`` asks.
    """
    requests = list(question.pci_requests)
    stats = _stats(node)
    if not requests or stats.support_requests(requests, None):
        return
    short = False
    for request in requests:
        free = _most(stats, request)
        if free < request.count:
            short = True
            yield _finding(request.count, free, request.alias_name or "")
    if not short:
        yield _finding(sum(each.count for each in requests), None, "")


def _finding(needed: int, free: int | None, alias: str) -> Finding:
    what = f"free PCI device{'' if needed == 1 else 's'}"
    if alias:
        what += f" of alias {alias}"
    has = f"has {free}" if free is not None else "has too few for all"
    return Finding(
        Stage.DEVICES,
        "devices",
        f"needs {needed} {what}, {has}",
        needed,
        free,
        "PCI devices",
    )


def _most(
    stats: nova_pci.LightStats, request: objects.InstancePCIRequest
) -> int:
    """How many of the devices that a request wants are free."""
    asked = request.obj_clone()
    for count in range(request.count, 0, -1):
        asked.count = count
        if stats.support_requests([asked], None):
            return count
    return 0


def _stats(node: Node) -> nova_pci.LightStats:
    cells = node.host.cells if node.host else ()
    return nova_pci.light_stats(cells, node.pci_pools)
