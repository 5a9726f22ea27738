"""How good a placement is: what it leaves behind.

After the answer: of many hosts that a guest fits, which one to take. Knows
hosts and placements, and nothing of how a scheduler weighs.

What is left of a host is counted in *shapes*: guests of 1, 2, 4, 8 ... vCPUs
in one guest cell or evenly in two, on whole cores or on any, with and without
their share of memory, with and without a device near them. No
history and no option says what guests a cloud has; that these shapes serve
as well as the true ones is shown in ``doc/source/weigher.rst``.

A shape that few hosts have room for is dear, one that fits everywhere is
cheap: a placement costs the share of each shape's room in the whole cloud
that is gone afterwards. So a small guest does not go where one of the last
big ones could, does not break whole cores or whole cells while broken ones
will do, and fills pCPUs whose memory is gone, or the reverse.
"""

from __future__ import annotations

import collections
import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement

#: vCPUs that a shape has in one guest cell.
SIZES = (1, 2, 4, 8, 16, 32, 64)
#: What shapes ask of a host cell beside that.
KINDS = ("any", "whole", "fed", "whole fed", "device")
#: Shapes in one guest cell; those in two are of the kinds with memory.
_IN_ONE = len(KINDS) * len(SIZES)
_IN_TWO = slice(2 * len(SIZES), 4 * len(SIZES))
#: A shape of twice as many vCPUs counts 2 ** 1.5 times as much: it is as
#: useful as two small ones, and harder to find room for.
_GROWTH = 1.5
#: So that taking everything costs nearly 1.
_UNIT = 1 / sum(
    len(KINDS) * size**_GROWTH + 2 * (2 * size) ** _GROWTH for size in SIZES
)
#: What the pCPUs that a host has free count beside what shapes cost: among
#: hosts where a guest costs the same, the fuller one is better.
_FULLER = 0.002

_NO_DEVICES: Mapping[int, int] = {}


class Loose(NamedTuple):
    """What is free in a host cell, as far as shapes are concerned."""

    free: int  #: free pCPUs
    whole: int  #: those of them on wholly free cores of several threads
    fed: int  #: those that the free memory serves, at the cell's own rate
    devices: int = 0  #: free devices near it


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
        that asks for devices itself, as none are to be kept from it.
    """
    policy = placement.request.thread_policy
    guests = {placed.host_cell.id: placed for placed in placement.cells}
    before, after = [], []
    for cell in host.cells:
        cores = list(filter(cell.free.__ge__, cell.siblings))
        memory = _free_share(cell, 0)
        near = devices.get(cell.id, 0)
        loose = _loose(cell, len(cell.free), cores, memory, near)
        before.append(loose)
        if placed := guests.get(cell.id):
            taken = usage.occupied(cell, placed, policy)
            cores = list(filter(taken.isdisjoint, cores))
            memory = _free_share(cell, placed.guest_cell.memory_kib)
            free = len(cell.free) - len(taken)
            loose = _loose(cell, free, cores, memory, near)
        after.append(loose)
    return Choice(tuple(before), tuple(after))


def _free_share(cell: HostCell, less_kib: int) -> float:
    """Which part of the memory is free; 1 where nothing is known of it."""
    total: float = cell.memory_kib
    left: float = total - cell.memory_used_kib
    if cell.pages:
        total = left = 0
        for size, pages, used, reserved in cell.pages:
            total += pages * size
            left += (pages - used - reserved) * size
    return (left - less_kib) / total if total else 1.0


def _loose(
    cell: HostCell,
    free: int,
    cores: Sequence[AbstractSet[int]],
    memory: float,
    devices: int,
) -> Loose:
    threads = len(cores[0]) if cores else 0  # whole cores are alike
    fed = int(memory * len(cell.dedicated))
    return Loose(
        free,
        threads * len(cores) if threads > 1 else 0,
        free if fed >= free else max(0, fed),
        devices,
    )


@functools.lru_cache(maxsize=1 << 14)
def room(cell: Loose) -> tuple[int, ...]:
    """How many of each shape in one guest cell fit, each shape by itself.

    Sizes within :data:`KINDS`. Remembered, as host cells are much alike.

    >>> room(Loose(free=6, whole=4, fed=3, devices=1))[:3]
    (6, 3, 1)
    """
    whole_fed = min(cell.whole, cell.fed)
    counts = [
        pcpus // size
        for pcpus in (cell.free, cell.whole, cell.fed, whole_fed)
        for size in SIZES
    ]
    counts += [min(cell.fed // size, cell.devices) for size in SIZES]
    return tuple(counts)


def double_room(cells: Sequence[Loose]) -> list[int]:
    """How many of each shape in two guest cells fit a host.

    Each guest takes two different host cells: of 3, 1 and 1 halves two
    guests can be made, of 5 and 1 only one.
    """
    halves = [room(cell)[_IN_TWO] for cell in cells]
    if len(halves) == 2:
        return list(map(min, *halves))  # the same, quicker
    return [
        min(sum(each) // 2, sum(each) - max(each))
        for each in zip(*halves, strict=True)
    ]


def scores(choices: Sequence[Choice]) -> list[float]:
    """A number for each choice, the highest is the best; 0 costs nothing.

    1. Count the room of all the hosts for each shape.
    2. A choice costs the share of that room that it takes, over all shapes,
       of which large ones count more.
    3. Little beside that: the emptier the host, the worse.

    Numbers of different calls cannot be compared.

    >>> full, empty = Loose(2, 2, 2), Loose(4, 4, 4)
    >>> gone, half = Loose(0, 0, 0), Loose(2, 2, 2)
    >>> best, other = scores([Choice((full,), (gone,)),
    ...                       Choice((empty,), (half,))])
    >>> best > other
    True
    """
    if not choices:
        return []
    single = _prices(
        _total_room(cell for each in choices for cell in each.before), 1
    )
    doubles = [double_room(each.before) for each in choices]
    double = _prices(map(sum, zip(*doubles, strict=True)), 2)

    @functools.cache
    def worth(cell: Loose) -> float:
        return math.fsum(map(operator.mul, single, room(cell)))

    free = [sum([cell.free for cell in each.before]) for each in choices]
    fuller = _FULLER / max(1, sum(free))
    found = []
    for each, pcpus, pairs in zip(choices, free, doubles, strict=True):
        left = sum(map(worth, each.after)) - sum(map(worth, each.before))
        left += sum(map(operator.mul, double, double_room(each.after)))
        left -= sum(map(operator.mul, double, pairs))
        found.append(left - fuller * pcpus)
    return found


def _total_room(cells: Iterable[Loose]) -> list[int]:
    totals = [0] * _IN_ONE
    for cell, times in collections.Counter(cells).items():
        totals = [
            total + times * count
            for total, count in zip(totals, room(cell), strict=True)
        ]
    return totals


def _prices(totals: Iterable[int], cells: int) -> list[float]:
    """What one of each shape costs: dear where few fit."""
    return [
        _UNIT * (cells * SIZES[at % len(SIZES)]) ** _GROWTH / (total + 1)
        for at, total in enumerate(totals)
    ]
