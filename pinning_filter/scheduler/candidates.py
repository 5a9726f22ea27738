"""The allocation candidates of one host: which of them can take the guest.

Between the filter and the engine. Candidates differ, for the fit, only in the
devices that they name, and there may be a thousand. So

* those that name alike devices get one answer;
* of the rest only the first is fitted whole. For the others it is asked
  whether the guest can sit beside all the devices that they name, which is
  yes for most; whether anything less will do is again Nova's to say.

Decides nothing about host cells: that is :func:`pinning_filter.core.fit.fit`.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Collection, Sequence
from typing import Any

from nova import objects
from nova.objects import fields
from nova.pci import stats

from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Refusal
from pinning_filter.nova import pci as nova_pci

#: Whether the guest fits with certain host cells, by id, among the chosen.
Beside = Callable[[Collection[int]], bool]

#: What a candidate asks: of each provider named its kind, and by which
#: requests, by their numbers. What Nova calls the groups makes no difference.
Asked = tuple[tuple[int, tuple[int, ...]], ...]

#: A device that is near a host cell serves no guest elsewhere.
_STRICT = {
    fields.PCINUMAAffinityPolicy.REQUIRED,
    fields.PCINUMAAffinityPolicy.LEGACY,
}


def fitting(
    mappings: Sequence[nova_pci.ProviderMapping],
    pci_stats: stats.PciDeviceStats,
    pci_requests: Sequence[objects.InstancePCIRequest],
    fit_one: Callable[[nova_pci.ProviderMapping], Placement | Refusal],
    beside: Callable[[], Beside] | None,
) -> tuple[Placement | Refusal, list[bool]]:
    """Which candidates fit, and the placement for the first that does.

    :param mappings: of each candidate, resource providers by request group.
    :param fit_one: the whole fit for one candidate.
    :param beside: makes what says whether the guest fits with certain host
        cells among the chosen; None: each candidate needs the whole fit.
    :returns: if none fits the refusal of the first; and a verdict on each.
    """
    providers = Providers(pci_stats, pci_requests)
    keys = [providers.asks(mapping) for mapping in mappings]
    answer: Placement | Refusal | None = None
    fits_beside: Beside | None = None
    verdicts: dict[Asked, bool] = {}
    for key, mapping in zip(keys, mappings, strict=True):
        if key in verdicts:
            continue
        fits = None
        if answer is not None and beside is not None:
            fits_beside = fits_beside or beside()
            fits = providers.served(mapping, fits_beside)
        if fits is None or (fits and not answer):
            found = fit_one(mapping)
            fits = bool(found)
            if answer is None or (fits and not answer):
                answer = found
        verdicts[key] = fits
    assert answer is not None
    return answer, [verdicts[key] for key in keys]


class Providers:
    """The resource providers of a host's devices, which candidates name.

    Those whose pools differ in nothing but address and provider are alike.
    """

    def __init__(
        self,
        pci_stats: Any,
        pci_requests: Sequence[objects.InstancePCIRequest],
    ) -> None:
        self._requests = pci_requests
        self._stats = pci_stats
        self._ids = [request.request_id for request in pci_requests]
        # A request that names no provider takes from pools in their order,
        # and then no two are alike.
        alike = all(
            request.source != objects.InstancePCIRequest.NEUTRON_PORT
            for request in pci_requests
        )
        kinds: dict[object, int] = {}
        #: Provider -> the number of its kind, from 1 on; 0: unknown here.
        self._kind: dict[str, int] = {}
        #: Provider -> its pools: one, where all is well.
        self._pools: dict[str, list[stats.Pool]] = {}
        for pool in pci_stats.pools:
            if uuid := pool.get("rp_uuid"):
                self._pools.setdefault(uuid, []).append(pool)
        for uuid, pools in self._pools.items():
            kind = tuple(map(_likeness, pools)) if alike else uuid
            self._kind[uuid] = kinds.setdefault(kind, len(kinds) + 1)
        #: The groups of a candidate, in order -> (request, position).
        self._devices: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        #: The providers named, each with the request -> what that asks.
        self._known: dict[tuple[tuple[str, int], ...], Asked] = {}

    def asks(self, mapping: nova_pci.ProviderMapping) -> Asked:
        """What a candidate asks; equal for those that get one answer."""
        groups = tuple(mapping)
        devices = self._devices.get(groups)
        if devices is None:
            devices = self._devices[groups] = [
                (request, position)
                for request, request_id in enumerate(self._ids)
                for position, group in enumerate(groups)
                if group.startswith(request_id)
            ]
        uuids = list(mapping.values())
        if len(devices) == 1:  # most often, and then there is little to do
            ((request, position),) = devices
            return ((self._kind.get(uuids[position][0], 0), (request,)),)
        names = tuple(
            [(uuids[position][0], request) for request, position in devices]
        )
        known = self._known.get(names)
        if known is None:
            known = self._known[names] = self._kinds(names)
        return known

    def _kinds(self, names: Sequence[tuple[str, int]]) -> Asked:
        """The kind of each provider named, and the requests that name it."""
        named: dict[str, list[int]] = {}
        for uuid, request in names:
            named.setdefault(uuid, []).append(request)
        return tuple(
            sorted(
                (self._kind.get(uuid, 0), tuple(by))
                for uuid, by in named.items()
            )
        )

    def served(
        self,
        mapping: nova_pci.ProviderMapping,
        fits_beside: Beside,
    ) -> bool | None:
        """Whether the guest fits with the devices of a candidate near it.

        With every device near a chosen host cell, Nova is content by any
        policy. None: it may be content with less, or there is more to look
        at than what is near; it must be asked.
        """
        named: collections.Counter[str] = collections.Counter()
        strict = True
        for request in self._requests:
            uuids = self._stats._get_rp_uuids_for_request(mapping, request)
            if len(uuids) != request.count or not self._take(request, uuids):
                return None
            named.update(uuids)
            strict = strict and nova_pci.policy(request) in _STRICT
        pools = {uuid: self._pools[uuid][0] for uuid in named}
        if any(pools[uuid]["count"] < named[uuid] for uuid in named):
            return None
        near = {pool["numa_node"] for pool in pools.values()}
        if None in near:
            return None
        return fits_beside(near) or (False if strict else None)

    def _take(
        self, request: objects.InstancePCIRequest, uuids: Sequence[str]
    ) -> bool:
        """Whether Nova would take a request's devices from these providers."""
        pools = [self._pools.get(uuid, []) for uuid in dict.fromkeys(uuids)]
        if any(len(each) != 1 for each in pools):
            return False
        alone = [each[0] for each in pools]
        found = self._stats._filter_pools(alone, request, None, uuids)
        return len(found or ()) == len(alone)


def _likeness(pool: stats.Pool) -> object:
    return tuple(
        sorted(
            (key, str(value))
            for key, value in pool.items()
            if key not in nova_pci.NAMES
        )
    )
