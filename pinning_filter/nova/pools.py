"""The PCI devices of a compute node that is planned with.

Implements :class:`pinning_filter.fleet.hosts.HostDevices` with Nova's own
statistics, which hand devices out as Nova would.
"""

from __future__ import annotations

import functools
import json
import types
from collections.abc import Mapping, Sequence
from typing import Any

from nova import objects

from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import pci as nova_pci

objects.register_all()


class Pools:
    """Free devices, in pools as a snapshot keeps them."""

    def __init__(self, host: Host, pools: Sequence[Mapping[str, Any]]) -> None:
        self._host, self._pools = host, pools

    def near(self, wanted: tuple[str, ...]) -> nova_pci.NovaDevices | None:
        """For the engine; None: they make no difference."""
        requests = _requests(wanted)
        stats = nova_fit.claimed_stats(self._stats(), requests)
        return nova_fit.devices(stats, requests, None)

    def enough(self, wanted: tuple[str, ...]) -> bool:
        """Whether there are so many, wherever in the host they are."""
        return bool(self._stats().support_requests(_requests(wanted), None))

    def taking(
        self, wanted: tuple[str, ...], placement: Placement | None
    ) -> Pools:
        """Those that are left, once a server so placed has its own."""
        stats = self._stats()
        cells = placement and [
            types.SimpleNamespace(id=cell.host_cell.id)
            for cell in placement.cells
        ]
        requests = nova_pci.serving_order(
            stats, _requests(wanted), None, cells
        )
        stats.apply_requests(requests, None, cells)
        return Pools(self._host, stats.pools)

    def _stats(self) -> nova_pci.LightStats:
        return nova_pci.light_stats(self._host.cells, self._pools)


@functools.lru_cache(maxsize=1024)
def _requests(wanted: tuple[str, ...]) -> list[objects.InstancePCIRequest]:
    return [
        objects.InstancePCIRequest(
            count=each["count"],
            spec=each["spec"],
            alias_name=each["alias_name"],
            numa_policy=each["numa_policy"],
            request_id=None,
        )
        for each in map(json.loads, wanted)
    ]
