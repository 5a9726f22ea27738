"""How many more of a guest fit a host, and what of it is of no use.

Beside the answer for one guest: the same engine, asked again and again with
what it placed counted on the host. Knows one host at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.fit import SPREAD, Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request


def emptied(host: Host) -> Host:
    """The host as it was before its first guest."""
    return host._replace(
        cells=tuple(
            cell._replace(
                pinned=frozenset(),
                free=frozenset(cell.dedicated),
                shared_used=0,
                memory_used_kib=0,
                pages=tuple(pages._replace(used=0) for pages in cell.pages),
            )
            for cell in host.cells
        )
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """What a host has for one kind of guest."""

    now: int  #: how many more fit, one after the other
    empty: int  #: how many fit when no other guest is there
    #: How many more would fit if what is free were in one piece: guests that
    #: fragmentation costs.
    lost: int


class Capacity:
    """Counts, and remembers: hosts of a cloud are much alike.

    Two host cells are alike if they have as many cores with as many free
    threads, and as much memory; which ids they have makes no difference to
    how many guests they take.

    >>> from pinning_filter.core import synthetic
    >>> from pinning_filter.core.request import GuestCell
    >>> three = Request((GuestCell(dedicated=frozenset(range(3))),))
    >>> host = synthetic.host("cell:2 core:4", used={0, 4})
    >>> Capacity().room(host, three)
    Room(now=2, empty=2, lost=0)
    """

    def __init__(self, strategy: Strategy = SPREAD) -> None:
        self._strategy = strategy
        self._known: dict[Hashable, int] = {}
        self._left: dict[Hashable, tuple[tuple[int, float], ...]] = {}

    def room(self, host: Host, request: Request) -> Room:
        """How many of a pinned guest a host takes.

        :raises ValueError: for a guest that pins nothing, of which there may
            be any number.
        """
        return self.rooms(host, [request])[0]

    def rooms(self, host: Host, requests: Sequence[Request]) -> list[Room]:
        """The same for several guests, each of them by itself.

        :raises ValueError: as :meth:`room`.
        """
        _pinning(requests)
        here = _Parts.of(host)
        empty_host = _Parts.of(emptied(host))
        made = []
        for request in requests:
            now = self._count(here, request)
            empty = max(now, self._count(empty_host, request))
            whole = min(empty, _at_most(host, request))
            made.append(Room(now, empty, max(0, whole - now)))
        return made

    def stranded(
        self, host: Host, requests: Sequence[Request]
    ) -> dict[int, tuple[int, float]]:
        """What no guest of the given kinds can use, for each host cell.

        pCPUs, and memory in KiB, that are left when the host is filled up:
        with the largest that fit, then with the next, until none fits.

        :raises ValueError: as :meth:`room`.
        """
        _pinning(requests)
        wanted = tuple(sorted(requests, key=_size, reverse=True))
        parts = _Parts.of(host)
        asked = parts.cells if all(map(_one_cell, wanted)) else (parts.whole,)
        left: list[tuple[int, float]] = []
        for part, alike in asked:
            key = (alike, wanted)
            if key not in self._left:
                self._left[key] = self._filled(part, wanted)
            left += self._left[key]
        return {
            cell.id: each for cell, each in zip(host.cells, left, strict=True)
        }

    def _filled(
        self, host: Host, requests: Sequence[Request]
    ) -> tuple[tuple[int, float], ...]:
        for request in requests:
            host, _ = _filled_with(host, request, self._strategy)
        return tuple((len(c.free), free_kib(c)) for c in host.cells)

    def _count(self, parts: _Parts, request: Request) -> int:
        if not _one_cell(request):
            return self._counted(*parts.whole, request)
        # Each guest is in one host cell, whatever is in the others.
        return sum(
            self._counted(part, alike, request) for part, alike in parts.cells
        )

    def _counted(self, host: Host, alike: Hashable, request: Request) -> int:
        key = (alike, request)
        if key not in self._known:
            _, self._known[key] = _filled_with(host, request, self._strategy)
        return self._known[key]


def _filled_with(
    host: Host, request: Request, strategy: Strategy
) -> tuple[Host, int]:
    """The host with as many of one guest as fit, and how many these are."""
    number = 0
    while isinstance(
        placement := fit(host, request, None, strategy), Placement
    ):
        host = usage.add(host, placement)
        number += 1
    return host, number


def _pinning(requests: Sequence[Request]) -> None:
    for request in requests:
        if not any(cell.dedicated for cell in request.cells):
            raise ValueError("the guest pins no vCPU")


def _one_cell(request: Request) -> bool:
    return len(request.cells) == 1 and not request.networks


def _size(request: Request) -> tuple[int, int]:
    return request.pcpus, sum(cell.memory_kib for cell in request.cells)


def free_kib(cell: HostCell) -> float:
    """Memory of a host cell that no guest has; not below 0."""
    if cell.pages:
        return sum(max(0, pages.free_kib) for pages in cell.pages)
    return max(0, cell.memory_free_kib)


def _at_most(host: Host, request: Request) -> int:
    """A bound: what is free, as if it were in one piece."""
    most = host.free_pcpus // request.pcpus
    memory = sum(cell.memory_kib for cell in request.cells)
    if memory:
        most = min(most, int(sum(map(free_kib, host.cells)) // memory))
    return most


class _Parts(NamedTuple):
    """A host as a whole and cell by cell, each with what it is alike by."""

    whole: tuple[Host, Hashable]
    cells: tuple[tuple[Host, Hashable], ...]

    @classmethod
    def of(cls, host: Host) -> _Parts:
        ratios = (host.cpu_ratio, host.ram_ratio)
        keys = [(ratios, _alike_cell(cell)) for cell in host.cells]
        return cls(
            (host, tuple(keys)),
            tuple(
                (host._replace(cells=(cell,)), key)
                for cell, key in zip(host.cells, keys, strict=True)
            ),
        )


def _alike_cell(cell: HostCell) -> Hashable:
    free = cell.free
    dedicated = cell.dedicated
    cores = tuple(
        sorted(
            (len(core), len(core & dedicated), len(core & free))
            for core in cell.siblings
        )
    )
    return (
        cores,
        cell.shared == dedicated,
        len(cell.shared),
        cell.shared_used,
        cell.memory_kib,
        cell.memory_used_kib,
        tuple(cell.pages),
        frozenset(cell.physnets),
        cell.tunneled,
        tuple(map(frozenset, cell.caches)),
    )
