"""Do the placements on one host agree with the host's record?

Beside ``conflicts``, which needs no record. Facts only, for whoever audits:
what they are called, how bad they are and how to mend them is not known here.
The placements are whatever Nova's tables say, and need not obey any rule.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.fleet.hosts import Guest


class Recorded(NamedTuple):
    """A quantity of a host cell, by its guests and by the host's record."""

    what: str  #: ``memory_kib``, ``shared_vcpus``, or ``pages_SIZE_kib``
    cell: int  #: the id of the host cell
    expected: float  #: what its guests add up to
    seen: float  #: what the host's record says


def crowded(
    host: Host, guests: Sequence[Guest]
) -> list[tuple[Guest, Guest, frozenset[int]]]:
    """Guests that ``isolate``, who is beside them, and on which pCPUs.

    A sibling of theirs was to be idle, and is not. A pCPU that two hold is
    told by :mod:`~pinning_filter.fleet.conflicts`.
    """
    isolated = [
        guest
        for guest in guests
        if guest.request.thread_policy is ThreadPolicy.ISOLATE
    ]
    found = []
    if isolated:
        core_of = {
            pcpu: core
            for cell in host.cells
            for core in cell.siblings
            for pcpu in core
        }
        taken = [(guest, guest.placement.taken) for guest in guests]
        for guest in isolated:
            mine = guest.placement.taken
            idle = frozenset[int]().union(
                *(core_of.get(pcpu, frozenset()) for pcpu in mine)
            )
            found += [
                (guest, other, beside)
                for other, its in taken
                if other.id != guest.id and (beside := its & (idle - mine))
            ]
    return found


def occupied(host: Host, guests: Iterable[Guest]) -> frozenset[int]:
    """pCPUs that are not free, by the guests' placements."""
    cells = {cell.id: cell for cell in host.cells}
    taken: set[int] = set()
    for guest in guests:
        policy = guest.request.thread_policy
        for placed in guest.placement.cells:
            cell = cells.get(placed.host_cell.id)
            taken |= (
                usage.occupied(cell, placed, policy) if cell else placed.taken
            )
    return frozenset(taken)


def miscounted(host: Host, guests: Iterable[Guest]) -> list[Recorded]:
    """Quantities of host cells that are not the sum of what guests have."""
    memory: dict[int, int] = collections.Counter()
    shared: dict[int, int] = collections.Counter()
    pages: dict[tuple[int, int | None], int] = collections.Counter()
    for guest in guests:
        for placed in guest.placement.cells:
            number = placed.host_cell.id
            memory[number] += placed.guest_cell.memory_kib
            shared[number] += len(placed.guest_cell.shared)
            size = placed.page_size_kib or None
            pages[number, size] += placed.guest_cell.memory_kib
    found = []
    for cell in host.cells:
        found += [
            Recorded("memory_kib", cell.id, memory[cell.id],
                     cell.memory_used_kib),
            Recorded("shared_vcpus", cell.id, shared[cell.id],
                     cell.shared_used),
            *_pages(cell, pages),
        ]
    return [each for each in found if abs(each.expected - each.seen) >= 1]


def _pages(
    cell: HostCell, held: Mapping[tuple[int, int | None], int]
) -> list[Recorded]:
    smallest = min((pages.size_kib for pages in cell.pages), default=0)
    return [
        Recorded(
            f"pages_{size}_kib",
            cell.id,
            (
                held[cell.id, size]
                # Nova counts as smallest pages what asked for no size.
                + (held[cell.id, None] if size == smallest else 0)
            ) / size,
            used,
        )
        for size, _, used, _ in cell.pages
    ]
