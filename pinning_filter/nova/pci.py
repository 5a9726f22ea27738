"""What Nova answers about PCI devices, asked as rarely as possible.

Whether a host's devices serve a guest on given host cells is Nova's to say
(``PciDeviceStats.support_requests``), as it is Nova that hands them out
afterwards. But an answer copies the whole of the statistics, so

* copies are made only as deep as the answer goes,
* what follows from counting alone is worked out first (``covers``), so that
  Nova is asked about promising choices only.
"""

from __future__ import annotations

import collections
import functools
import itertools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nova import objects
from nova.objects import fields
from nova.pci import stats

from pinning_filter.core.assignment import Cover
from pinning_filter.core.host import HostCell

_POLICY = fields.PCINUMAAffinityPolicy

#: Strictest first: who can do with fewer devices chooses before who can do
#: with more.
_STRICTNESS = {
    _POLICY.REQUIRED: 0,
    _POLICY.SOCKET: 1,
    _POLICY.LEGACY: 2,
    _POLICY.PREFERRED: 3,
}

#: Up to so many different requests all combinations are counted; above, each
#: alone and all together.
_MOST_COMBINED = 4

#: Up to so many requests every order is tried in which to serve them.
_MOST_PERMUTED = 3

#: What tells devices apart that are alike.
NAMES = frozenset({"address", "rp_uuid", "devices", "parent_ifname"})

ProviderMapping = Mapping[str, Sequence[str]]


class LightStats(stats.PciDeviceStats):
    """Nova's answers over pools that are copied no deeper than they change."""

    def __init__(self, numa_topology: Any, pools: list[stats.Pool]) -> None:
        # Not Nova's, which reads and checks the configuration of devices.
        self.numa_topology = numa_topology
        self.pools = pools
        self.dev_filter = None

    def __deepcopy__(self, memo: object) -> LightStats:
        pools = [dict(pool) for pool in self.pools]
        return LightStats(self.numa_topology, pools)

    def _filter_pools(
        self, pools: Any, request: Any, numa_cells: Any, rp_uuids: Any
    ) -> list[stats.Pool] | None:
        """Nova's, and no device that a candidate names is left out.

        Of several devices of one request Nova drops those that are not near,
        and hands out the others, if there are enough like them.
        """
        found = super()._filter_pools(pools, request, numa_cells, rp_uuids)
        if found and rp_uuids:
            left = {pool["rp_uuid"] for pool in found}
            return found if left >= set(rp_uuids) else None
        return found


def light_stats(
    cells: Sequence[HostCell], pools: Sequence[Mapping[str, Any]]
) -> LightStats:
    """Statistics of a host that is known without Nova's objects."""
    topology = types.SimpleNamespace(
        cells=[
            types.SimpleNamespace(id=cell.id, socket=cell.socket)
            for cell in cells
        ]
    )
    return LightStats(topology, [dict(pool) for pool in pools])


def light(pci_stats: Any) -> Any:
    """The same statistics, cheap to ask."""
    if isinstance(pci_stats, stats.PciDeviceStats):
        return LightStats(pci_stats.numa_topology, pci_stats.pools)
    return pci_stats


def free(pools: Sequence[stats.Pool]) -> dict[int | None, int]:
    """How many free devices, of any kind, are near each host cell."""
    found: dict[int | None, int] = {}
    for pool in pools:
        node = pool["numa_node"]
        found[node] = found.get(node, 0) + pool["count"]
    return found


class NovaDevices:
    """The PCI devices of one host for one request.

    Implements :class:`pinning_filter.core.fit.Devices`.

    :param reorder: whether the requests may be served in another order than
        their own, as :func:`serving_order` will find it.
    """

    def __init__(
        self,
        pci_stats: Any,
        pci_requests: Sequence[objects.InstancePCIRequest] | None,
        provider_mapping: ProviderMapping | None,
        reorder: bool = True,
    ) -> None:
        self._requests = tuple(pci_requests or ())
        self._mapping = provider_mapping
        pci_stats = light(pci_stats)
        #: Devices named, by provider; empty where a request names none.
        self._named = self._names(pci_stats)
        self._stats = self._condensed(pci_stats)
        self._free = free(self._stats.pools)
        self.requested = bool(self._requests)
        self.attempts: Sequence[Callable[[Sequence[int]], bool]] = [
            functools.partial(self._supports, order)
            for order in (
                orders(self._requests) if reorder else [self._requests]
            )
        ]

    def _names(self, pci_stats: Any) -> Mapping[str, int]:
        named: collections.Counter[str] = collections.Counter()
        for request in self._requests:
            uuids = pci_stats._get_rp_uuids_for_request(self._mapping, request)
            if not uuids:
                return {}
            named.update(uuids)
        return named

    def _condensed(self, pci_stats: Any) -> Any:
        """The same statistics with fewer pools, if that changes no answer.

        Where every request names its providers, pools of other providers
        only count towards what is near: alike ones can be one.
        """
        named, pools = self._named, pci_stats.pools
        if not named or not pci_stats._assert_one_pool_per_rp_uuid(pools):
            return pci_stats
        kept: list[stats.Pool] = []
        alike: dict[object, stats.Pool] = {}
        for pool in pools:
            if pool.get("rp_uuid") in named:
                kept.append(pool)
                continue
            kind = tuple(
                (key, str(value))
                for key, value in pool.items()
                if key != "count" and key not in NAMES
            )
            if kind in alike:
                alike[kind]["count"] += pool["count"]
            else:
                alike[kind] = {
                    key: value
                    for key, value in pool.items()
                    if key != "rp_uuid"
                }
        return LightStats(pci_stats.numa_topology, [*kept, *alike.values()])

    def free(self, host_cell: int) -> int:
        """How many free devices, of any kind, are near a host cell."""
        return self._free.get(host_cell, 0)

    def _supports(
        self,
        requests: Sequence[objects.InstancePCIRequest],
        host_cells: Sequence[int],
    ) -> bool:
        return bool(
            self._stats.support_requests(
                requests,
                self._mapping,
                [types.SimpleNamespace(id=cell) for cell in host_cells],
            )
        )

    def covers(self, cells: Sequence[HostCell]) -> list[Cover]:
        """Devices that the chosen host cells must have near them, by count.

        For any of the requests together: the devices that could serve at
        least one of them, where they are near enough, are as many as asked
        for. Positions are those in ``cells``.
        """
        wanted: dict[tuple[object, ...], int] = collections.Counter()
        reach: dict[tuple[object, ...], dict[int, int | None]] = {}
        for request in self._requests:
            near = self._reach(request, cells)
            kind = tuple(sorted(near.items(), key=lambda item: item[0]))
            wanted[kind] += request.count
            reach[kind] = near
        return [
            Cover(
                sum(wanted[kind] for kind in kinds),
                self._supplies([reach[kind] for kind in kinds]),
            )
            for kinds in _combinations(list(wanted))
        ]

    def matters(self, cells: Sequence[HostCell]) -> int:
        """The host cells, as bits, that have a device near them.

        A device that no request can be served from still counts where Nova
        compares what is near with what is asked for.
        """
        by_socket = any(
            policy(each) == _POLICY.SOCKET for each in self._requests
        )
        nodes = {pool["numa_node"] for pool in self._stats.pools}
        sockets = {cell.socket for cell in cells if cell.id in nodes}
        return sum(
            1 << position
            for position, cell in enumerate(cells)
            if cell.id in nodes or (by_socket and cell.socket in sockets)
        )

    def _supplies(
        self, reaches: Sequence[Mapping[int, int | None]]
    ) -> tuple[tuple[int, int], ...]:
        supplies = []
        for index, pool in enumerate(self._stats.pools):
            masks = [near[index] for near in reaches if index in near]
            # Where providers are named, so are the devices of each.
            named = self._named.get(pool.get("rp_uuid"), pool["count"])
            count = min(pool["count"], named)
            if None in masks:
                supplies.append((0, count))
            elif mask := functools.reduce(
                lambda one, other: one | (other or 0), masks, 0
            ):
                supplies.append((mask, count))
        return tuple(supplies)

    def _reach(
        self,
        request: objects.InstancePCIRequest,
        cells: Sequence[HostCell],
    ) -> dict[int, int | None]:
        """Pools that may serve a request: index -> from which host cells.

        The host cells are bits over positions in ``cells``; None: from any.
        """
        pools = self._stats.pools
        uuids = self._stats._get_rp_uuids_for_request(self._mapping, request)
        serving = self._stats._filter_pools(pools, request, None, uuids) or ()
        wanted = policy(request)
        reach: dict[int, int | None] = {}
        for index, pool in enumerate(pools):
            if not any(pool is each for each in serving):
                continue
            node = pool["numa_node"]
            if wanted == _POLICY.PREFERRED or (
                wanted == _POLICY.LEGACY and node is None
            ):
                reach[index] = None
            else:
                reach[index] = _near(node, wanted, cells)
        return reach


def _near(node: int | None, policy: str, cells: Sequence[HostCell]) -> int:
    """Positions of the host cells from which a device counts as near."""
    sockets = {cell.socket for cell in cells if cell.id == node}
    by_socket = (
        policy == _POLICY.SOCKET
        and sockets
        and all(cell.socket is not None for cell in cells)
    )
    return sum(
        1 << position
        for position, cell in enumerate(cells)
        if cell.id == node or (by_socket and cell.socket in sockets)
    )


def _combinations(
    kinds: list[tuple[object, ...]],
) -> list[tuple[tuple[object, ...], ...]]:
    sizes = (
        range(1, len(kinds) + 1)
        if len(kinds) <= _MOST_COMBINED
        else (1, len(kinds))
    )
    return [
        chosen
        for size in sizes
        for chosen in itertools.combinations(kinds, size)
    ]


def policy(request: objects.InstancePCIRequest) -> str:
    """How near its devices must be: Nova's default if it does not say."""
    asked = request.numa_policy if "numa_policy" in request else None
    return asked or _POLICY.LEGACY


def orders(
    requests: Sequence[objects.InstancePCIRequest],
) -> list[Sequence[objects.InstancePCIRequest]]:
    """The orders in which requests may be served, each once.

    Nova serves requests one after the other, each with the first devices that
    will do: one that merely prefers a near device takes the only one that
    another requires, and one for any device the only one of a kind.

    1. The order given: Nova's.
    2. The strictest first, in which the least is wasted.
    3. Of a few requests, every other order.
    """
    strictest = sorted(requests, key=_strictness)
    found = [tuple(requests), tuple(strictest)]
    if len(requests) <= _MOST_PERMUTED:
        found += itertools.permutations(strictest)
    return list({tuple(map(id, order)): order for order in found}.values())


def _strictness(request: objects.InstancePCIRequest) -> int:
    # A policy that a later Nova has is taken for its default.
    return _STRICTNESS.get(policy(request), _STRICTNESS[_POLICY.LEGACY])


def serving_order(
    pci_stats: stats.PciDeviceStats,
    requests: Sequence[objects.InstancePCIRequest],
    provider_mapping: ProviderMapping | None,
    numa_cells: Sequence[objects.InstanceNUMACell] | None,
) -> Sequence[objects.InstancePCIRequest]:
    """The requests in the first order in which the devices suffice.

    Those of the fit are tried, so that what was accepted can be handed out.
    """
    if len(requests) < 2 or not numa_cells:
        return requests
    asked = light(pci_stats)
    for order in orders(requests):
        if asked.support_requests(order, provider_mapping, numa_cells):
            return order
    return requests
