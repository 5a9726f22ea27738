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
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from pinning_filter.core import usage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement

#: vCPUs that a shape has in one guest cell.
SIZES = (1, 2, 4, 8, 16, 32, 64)
#: A shape of twice as many vCPUs counts 2 ** 1.5 times as much: it is as
#: useful as two small ones, and harder to find room for.
_GROWTH = 1.5
#: So that taking everything costs nearly 1: there are five kinds of shapes
#: in one guest cell, and two in two.
_UNIT = 1 / sum(
    5 * size**_GROWTH + 2 * (2 * size) ** _GROWTH for size in SIZES
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
        near = devices.get(cell.id, 0)
        served, rate = _served(cell)
        free = frozenset(cell.free)
        cores = list(filter(free.issuperset, cell.siblings))
        loose = _loose(len(free), cores, served, near)
        before.append(loose)
        if placed := guests.get(cell.id):
            free -= usage.occupied(cell, placed, policy)
            cores = list(filter(free.issuperset, cores))
            served -= placed.guest_cell.memory_kib * rate
            loose = _loose(len(free), cores, served, near)
        after.append(loose)
    return Choice(tuple(before), tuple(after))


def _served(cell: HostCell) -> tuple[float, float]:
    """pCPUs that the free memory serves, and that each KiB does."""
    total: float = cell.memory_kib
    left: float = total - cell.memory_used_kib
    if cell.pages:
        total = left = 0
        for size, pages, used, reserved in cell.pages:
            total += pages * size
            left += (pages - used - reserved) * size
    if total <= 0:  # nothing is known of the memory
        return len(cell.dedicated), 0.0
    rate = len(cell.dedicated) / total
    return left * rate, rate


def _loose(
    free: int, cores: Sequence[AbstractSet[int]], served: float, devices: int
) -> Loose:
    threads = len(cores[0]) if cores else 0  # whole cores are alike
    return Loose(
        free,
        threads * len(cores) if threads > 1 else 0,
        free if served >= free else max(0, int(served)),
        devices,
    )


def singles(pcpus: int) -> list[int]:
    """How many shapes of each size in one guest cell fit so many pCPUs.

    >>> singles(6)[:3]
    [6, 3, 1]
    """
    return [pcpus // size for size in SIZES]


def near_devices(supply: tuple[int, int]) -> list[int]:
    """The same where each takes one of so many devices, too."""
    pcpus, devices = supply
    return [min(pcpus // size, devices) for size in SIZES]


def doubles(pcpus: tuple[int, ...]) -> list[int]:
    """How many shapes of each size in two guest cells fit a host.

    Each guest takes two different host cells: of 3, 1 and 1 halves two
    guests can be made, of 5 and 1 only one.

    :param pcpus: those of each host cell.
    """
    counts = []
    for size in SIZES:
        halves = [free // size for free in pcpus]
        total = sum(halves)
        counts.append(min(total // 2, total - max(halves)))
    return counts


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
    cells = [cell for each in choices for cell in each.before]
    in_one = _worth_of_cells(cells)
    halves = [_halves(each.before) for each in choices]
    in_two = _worth_of_hosts(halves)
    free = [sum([cell.free for cell in each.before]) for each in choices]
    fuller = _FULLER / max(1, sum(free))
    found = []
    for (before, after), pcpus, both in zip(
        choices, free, halves, strict=True
    ):
        left = in_two(_halves(after)) - in_two(both)
        for cell, then in zip(before, after, strict=True):
            if then is not cell:
                left += in_one(then) - in_one(cell)
        found.append(left - fuller * pcpus)
    return found


class _Halves(NamedTuple):
    """What shapes in two guest cells can have of each host cell."""

    fed: tuple[int, ...]  #: pCPUs with memory
    whole: tuple[int, ...]  #: the same on whole cores


def _halves(cells: Sequence[Loose]) -> _Halves:
    """The same for hosts with the same room, of which there are fewer.

    What the fuller of two host cells lacks is of no use to the other.
    """
    fed = [cell.fed for cell in cells]
    whole = [min(cell.whole, cell.fed) for cell in cells]
    if len(cells) == 2:
        return _Halves((min(fed),) * 2, (min(whole),) * 2)
    return _Halves(tuple(sorted(fed)), tuple(sorted(whole)))


def _worth_of_cells(cells: Sequence[Loose]) -> Callable[[Loose], float]:
    """What a host cell is worth for shapes in one guest cell."""
    pcpus = _worth([cell.free for cell in cells], singles, 1)
    whole = _worth([cell.whole for cell in cells], singles, 1)
    fed = _worth([cell.fed for cell in cells], singles, 1)
    both = _worth([min(cell.whole, cell.fed) for cell in cells], singles, 1)
    near = _worth(
        [(cell.fed, cell.devices) for cell in cells if cell.devices],
        near_devices,
        1,
    )

    @functools.cache
    def worth(cell: Loose) -> float:
        return (
            pcpus(cell.free)
            + whole(cell.whole)
            + fed(cell.fed)
            + both(min(cell.whole, cell.fed))
            + near((cell.fed, cell.devices))
        )

    return worth


def _worth_of_hosts(hosts: Sequence[_Halves]) -> Callable[[_Halves], float]:
    """What a host is worth for shapes in two guest cells."""
    fed = _worth([each.fed for each in hosts], doubles, 2)
    whole = _worth([each.whole for each in hosts], doubles, 2)

    @functools.cache
    def worth(halves: _Halves) -> float:
        return fed(halves.fed) + whole(halves.whole)

    return worth


_Supply = TypeVar("_Supply", bound=Hashable)


def _worth(
    supplies: Sequence[_Supply],
    room: Callable[[_Supply], list[int]],
    cells: int,
) -> Callable[[_Supply], float]:
    """What a supply is worth: shapes are dear where few fit.

    :param supplies: those of all host cells, or hosts.
    :param room: how many shapes of each size a supply is enough for.
    :param cells: guest cells of these shapes.
    """
    totals = [0] * len(SIZES)
    for supply, times in collections.Counter(supplies).items():
        for at, count in enumerate(room(supply)):
            totals[at] += times * count
    prices = [
        _UNIT * (cells * size) ** _GROWTH / (total + 1)
        for size, total in zip(SIZES, totals, strict=True)
    ]

    @functools.cache
    def worth(supply: _Supply) -> float:
        return math.fsum(map(operator.mul, prices, room(supply)))

    return worth
