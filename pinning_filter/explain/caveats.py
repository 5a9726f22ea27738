"""Hosts that run plain Nova, and what is not asked of them here."""

from __future__ import annotations

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.request import Request


def caveat(snapshot: Snapshot, request: Request | None) -> str:
    """What the scheduler would ask besides, in a sentence; empty: nothing.

    On a host with plain Nova, a guest of several cells is claimed by Nova's
    own fit. The scheduler works its answer out beforehand, from Nova's own
    objects; a snapshot has none.
    """
    plain = sum(node.plain_nova for node in snapshot.nodes)
    if not plain or request is None or len(request.cells) < 2:
        return ""
    hosts = "1 host runs" if plain == 1 else f"{plain} hosts run"
    return (
        f"{hosts} nova-compute without our driver: for a server of several "
        "NUMA cells the scheduler also works out Nova's own claim there, and "
        "refuses where that is wrong. This is not done here."
    )
