"""How good a placement is: what it leaves behind.

After the answer: of many hosts that a guest fits, which one to take. Knows
hosts and placements, and nothing of how a scheduler weighs.

What is left of a host is counted in *shapes*: guests of 1, 2, 4, 8 ... vCPUs
in one guest cell or evenly in two, with and without siblings together, with
and without their share of memory, with and without a device near them. No
history and no option says what guests a cloud has; that these shapes serve
as well as the true ones is shown in ``doc/source/weigher.rst``.

A shape that few hosts have room for is dear, one that fits everywhere is
cheap: a placement costs the share of each shape's room in the whole cloud
that is gone afterwards. So a small guest does not go where one of the last
big ones could, does not break whole cores or whole cells while broken ones
will do, and fills pCPUs whose memory is gone, or the reverse.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement

#: vCPUs of a shape in one guest cell.
SIZES = (1, 2, 4, 8, 16, 32, 64)
#: What the pCPUs that a host has free count beside what shapes cost: among
#: hosts where a guest costs the same, the fuller one is better.
_FULLER = 0.002

_NO_DEVICES: Mapping[int, int] = {}


class Loose(NamedTuple):
    """What is free in a host cell, as far as shapes are concerned."""

    free: int  #: free pCPUs
    paired: int  #: those of them beside another free one
    fed: int  #: vCPUs that the free memory serves, at the cell's own rate
    devices: int  #: free devices near it


class Choice(NamedTuple):
    """A host, before and after a placement."""

    before: tuple[Loose, ...]  #: its cells as they are
    after: tuple[Loose, ...]  #: its cells with the guest on it


def choice(
    host: Host,
    placement: Placement,
    devices: Mapping[int, int] = _NO_DEVICES,
) -> Choice:
    """What a placement does to the host that it is on.

    :param devices: host cell id -> free devices near it; empty for a guest
        that asks for devices itself, which are none of them to be kept from.
    """
    before = [_loose(cell, cell.free, devices) for cell in host.cells]
    after = list(before)
    policy = placement.request.thread_policy
    ids = [cell.id for cell in host.cells]
    for placed in placement.cells:
        at = ids.index(placed.host_cell.id)
        cell = host.cells[at]
        free = cell.free - usage.occupied(cell, placed, policy)
        after[at] = _loose(cell, free, devices, placed.guest_cell.memory_kib)
    return Choice(tuple(before), tuple(after))


def _loose(
    cell: HostCell,
    free: AbstractSet[int],
    devices: Mapping[int, int],
    less_kib: int = 0,
) -> Loose:
    alone = [len(core & free) for core in cell.siblings].count(1)
    total: float = cell.memory_kib
    left: float = cell.memory_free_kib
    if cell.pages:
        total = left = 0
        for size, pages, used, reserved in cell.pages:
            total += pages * size
            left += (pages - used - reserved) * size
    count = len(free)
    fed = count
    if total > 0:
        fed = max(0, int((left - less_kib) * len(cell.dedicated) / total))
    return Loose(count, count - alone, fed, devices.get(cell.id, 0))


@functools.lru_cache(maxsize=1 << 14)
def room(cells: tuple[Loose, ...]) -> tuple[int, ...]:
    """How many of each shape fit a host, each shape by itself.

    In the order of :data:`WEIGHTS`. A bound that is met unless a guest's
    last vCPU makes the difference; the same for a host before and after.
    Remembered, as the hosts of a cloud change one at a time.

    >>> host = (Loose(6, 4, 8, 0), Loose(2, 2, 2, 1))
    >>> dict(zip(WEIGHTS, room(host)))["vcpus:2 paired"]
    3
    """
    counts: list[int] = []
    for size in SIZES:
        for supply in _supplies(cells):
            each = [pcpus // size for pcpus in supply]
            total = sum(each)
            counts += (total, min(total // 2, total - max(each, default=0)))
        counts.append(sum(min(c.free // size, c.devices) for c in cells))
    return tuple(counts)


def _supplies(cells: Sequence[Loose]) -> list[list[int]]:
    """pCPUs that shapes can have in each host cell, by what they ask."""
    return [
        [cell.free for cell in cells],
        [cell.paired for cell in cells],
        [min(cell.free, cell.fed) for cell in cells],
        [min(cell.paired, cell.fed) for cell in cells],
    ]


def _weights() -> dict[str, float]:
    """The name of each shape, and what it counts: as many as its vCPUs."""
    weights: dict[str, float] = {}
    for size in SIZES:
        for kind in ("", " paired", " fed", " paired fed"):
            weights[f"vcpus:{size}{kind}"] = size
            weights[f"vcpus:{2 * size} cells:2{kind}"] = 2 * size
        weights[f"vcpus:{size} device"] = size
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


#: Shape -> its part in the score; all of them are 1 together.
WEIGHTS = _weights()


def scores(choices: Sequence[Choice]) -> list[float]:
    """A number for each choice, the highest is the best; 0 costs nothing.

    1. Count the room of all the hosts for each shape.
    2. A choice costs the share of that room that it takes, over all shapes
       by their weights.
    3. Little beside that: the emptier the host, the worse.

    Numbers of different calls cannot be compared.

    >>> full, empty = Loose(2, 2, 4, 0), Loose(4, 4, 4, 0)
    >>> gone, half = Loose(0, 0, 2, 0), Loose(2, 2, 2, 0)
    >>> best, other = scores([Choice((full,), (gone,)),
    ...                       Choice((empty,), (half,))])
    >>> best > other
    True
    """
    if not choices:
        return []
    rooms = [room(each.before) for each in choices]
    totals = map(sum, zip(*rooms, strict=True))
    prices = [
        weight / (total + 1)
        for weight, total in zip(WEIGHTS.values(), totals, strict=True)
    ]
    worth: dict[tuple[Loose, ...], float] = {}
    for each in choices:
        for cells in each:
            if cells not in worth:
                worth[cells] = sum(map(operator.mul, prices, room(cells)))
    free = [sum(cell.free for cell in each.before) for each in choices]
    fuller = _FULLER / max(1, sum(free))
    return [
        worth[each.after] - worth[each.before] - fuller * pcpus
        for each, pcpus in zip(choices, free, strict=True)
    ]
