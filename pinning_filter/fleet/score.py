"""How good a placement is: what it leaves behind.

After the answer: of many hosts that a guest fits, which one to take. Knows
hosts and placements, and nothing of how a scheduler weighs.

What is left of a host is counted in *shapes*: guests of 1, 2, 3, 4, 6 ...
vCPUs in one guest cell or twice that in two, on whole cores or on any, with
little memory or much, with and without a device near them. No history and no
option says what guests a cloud has; that these shapes serve as well as the
true ones is shown in ``doc/source/weigher.rst``.

A shape that few hosts have room for is dear, one that fits everywhere is
cheap: a placement costs the share of each shape's room in the whole cloud
that is gone afterwards. So a small guest does not go where one of the last
big ones could, does not break whole cores or whole cells while broken ones
will do, and fills pCPUs whose memory is gone, or the reverse.
"""

from __future__ import annotations

import collections
import functools
import itertools
import math
import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeVar

from pinning_filter.core import usage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import CellPlacement, Placement

#: vCPUs that a shape has in one guest cell. It counts as much as it has.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
#: Memory beside each vCPU of a shape, little and much: in shares of what the
#: host cell has beside each pCPU.
LITTLE, MUCH = 0.5, 2
#: So that taking everything costs nearly 1: there are five kinds of shapes
#: in one guest cell, and two in two.
_UNIT = 1 / sum(5 * size + 2 * 2 * size for size in SIZES)
#: What the pCPUs and the memory that a host has free count beside what shapes
#: cost: among hosts where a guest costs the same, the fuller one is better.
_FULLER = 0.02

_NO_DEVICES: Mapping[int, int] = {}


class Loose(NamedTuple):
    """What is free in a host cell, as far as shapes are concerned."""

    little: int  #: free pCPUs that have little memory each
    much: int  #: those that have much
    whole_little: int  #: the same on wholly free cores of several threads
    whole_much: int
    devices: int = 0  #: free devices near it


class Halves(NamedTuple):
    """What shapes in two guest cells can have of each host cell.

    Those with little memory: guests of many vCPUs are seldom short of it.
    """

    pcpus: tuple[int, ...]
    whole: tuple[int, ...]  #: those on whole cores


class Part(NamedTuple):
    """A host cell, as far as guests that come make a difference to it."""

    whole: int  #: pCPUs on wholly free cores of several threads
    cores: Mapping[int, AbstractSet[int]]  #: pCPU -> its core
    served: float  #: pCPUs that the free memory serves
    rate: float  #: pCPUs that each KiB serves


class View(NamedTuple):
    """A host as shapes see it; it holds as long as its host cells do."""

    cells: tuple[Loose, ...]  #: its host cells, without devices
    halves: Halves
    parts: tuple[Part, ...]  #: what else is known of each host cell
    free: float  #: free pCPUs, and those that the free memory serves


class Choice(NamedTuple):
    """A host, before and after a placement."""

    cells: tuple[Loose, ...]  #: its cells as they are
    #: Those of them that change, each before and after.
    changes: tuple[tuple[Loose, Loose], ...]
    halves: tuple[Halves, Halves]  #: before and after, too
    free: float  #: as in :class:`View`


def view(host: Host) -> View:
    """What shapes see of a host."""
    parts = tuple([_part(cell) for cell in host.cells])
    free = [len(cell.free) for cell in host.cells]
    cells = [
        _loose(pcpus, part.whole, part.served)
        for pcpus, part in zip(free, parts, strict=True)
    ]
    served = [max(0.0, part.served) for part in parts]
    return View(tuple(cells), _halves(cells), parts, sum(free) + sum(served))


def choice(
    host: Host,
    placement: Placement,
    devices: Mapping[int, int] = _NO_DEVICES,
    seen: View | None = None,
) -> Choice:
    """What a placement does to the host that it is on.

    :param devices: host cell id -> free devices near it; empty for a guest
        that asks for devices itself, as none are to be kept from it.
    :param seen: the :func:`view` of the host, where it is known.
    """
    if seen is None:
        seen = view(host)
    cells = seen.cells
    if devices:
        cells = tuple(
            loose._replace(devices=devices.get(cell.id, 0))
            for cell, loose in zip(host.cells, cells, strict=True)
        )
    policy = placement.request.thread_policy
    changes, after = [], list(cells)
    ids = [cell.id for cell in host.cells]
    for placed in placement.cells:
        at = ids.index(placed.host_cell.id)
        taken = usage.occupied(host.cells[at], placed, policy)
        left = _without(host.cells[at], seen.parts[at], placed, taken)
        if devices:
            left = left._replace(devices=cells[at].devices)
        changes.append((cells[at], left))
        after[at] = left
    halves = seen.halves, _halves(after)
    return Choice(cells, tuple(changes), halves, seen.free)


def _part(cell: HostCell) -> Part:
    whole = 0
    if cell.threads > 1:
        cores = filter(cell.free.__ge__, cell.siblings)
        whole = sum([len(core) for core in cores if len(core) > 1])
    by_pcpu = _by_pcpu(tuple(map(frozenset, cell.siblings)))
    return Part(whole, by_pcpu, *_served(cell))


@functools.lru_cache(maxsize=256)
def _by_pcpu(
    cores: tuple[frozenset[int], ...],
) -> Mapping[int, AbstractSet[int]]:
    """One for all cells that are alike: a cloud has few models of hosts."""
    return {pcpu: core for core in cores for pcpu in core}


def _without(
    cell: HostCell, part: Part, placed: CellPlacement, taken: AbstractSet[int]
) -> Loose:
    """What is left of a host cell when the guest cell is there."""
    free, whole = cell.free, part.whole
    for core in set(map(part.cores.__getitem__, taken)):
        if len(core) > 1 and core <= free:
            whole -= len(core)
    served = part.served - placed.guest_cell.memory_kib * part.rate
    return _loose(len(free) - len(taken), whole, served)


def _served(cell: HostCell) -> tuple[float, float]:
    """pCPUs that the free memory serves, and that each KiB does."""
    total: float = cell.memory_kib
    left: float = total - cell.memory_used_kib
    if cell.pages:
        total = left = 0
        for size, pages, used, reserved in cell.pages:
            total += pages * size
            left += (pages - used - reserved) * size
    if total <= 0:  # nothing is known of the memory: there is enough
        return MUCH * len(cell.dedicated), 0.0
    rate = len(cell.dedicated) / total
    return left * rate, rate


def _loose(free: int, whole: int, served: float) -> Loose:
    if served < 0:
        served = 0
    little, much = int(served / LITTLE), int(served / MUCH)
    return Loose(
        free if free < little else little,
        free if free < much else much,
        whole if whole < little else little,
        whole if whole < much else much,
    )


def singles(pcpus: int) -> list[int]:
    """How many shapes of each size in one guest cell fit so many pCPUs.

    >>> singles(6)[:5]
    [6, 3, 2, 1, 1]
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

    >>> cell = HostCell(0, dedicated={0, 1})
    >>> from pinning_filter.core import fit, request, synthetic
    >>> one = request.Request((request.GuestCell(frozenset({0})),))
    >>> hosts = map(synthetic.host, ("cell:1 core:2", "cell:1 core:4"))
    >>> small, large = scores([choice(h, fit.fit(h, one)) for h in hosts])
    >>> small > large
    True
    """
    cells = collections.Counter(
        itertools.chain.from_iterable([each.cells for each in choices])
    )
    in_one = _worth_of_cells(cells)
    in_two = _worth_of_hosts(
        collections.Counter([each.halves[0] for each in choices])
    )
    fuller = _FULLER / max(1.0, sum([each.free for each in choices]))
    found = []
    for _, changes, (both, both_after), free in choices:
        left = in_two(both_after) - in_two(both) - fuller * free
        for before, after in changes:
            left += in_one(after) - in_one(before)
        found.append(left)
    return found


def _halves(cells: Sequence[Loose]) -> Halves:
    """The same for hosts with the same room, of which there are fewer.

    What the fuller of two host cells lacks is of no use to the other.
    """
    if len(cells) == 2:
        one, other = cells
        pcpus = min(one.little, other.little)
        whole = min(one.whole_little, other.whole_little)
        return Halves((pcpus, pcpus), (whole, whole))
    return Halves(
        tuple(sorted([cell.little for cell in cells])),
        tuple(sorted([cell.whole_little for cell in cells])),
    )


def _worth_of_cells(cells: Mapping[Loose, int]) -> Callable[[Loose], float]:
    """What a host cell is worth for shapes in one guest cell.

    :param cells: all host cells, and how many there are of each kind.
    """
    little, much, whole_little, whole_much = (
        _worth(_summed(cells, operator.itemgetter(field)), singles, 1)
        for field in range(4)
    )
    near = _worth(_summed(cells, _little_and_devices), near_devices, 1)

    @functools.cache
    def worth(cell: Loose) -> float:
        value = (
            little(cell.little)
            + much(cell.much)
            + whole_little(cell.whole_little)
            + whole_much(cell.whole_much)
        )
        if cell.devices:
            value += near(_little_and_devices(cell))
        return value

    return worth


def _little_and_devices(cell: Loose) -> tuple[int, int]:
    return cell.little, cell.devices


def _worth_of_hosts(hosts: Mapping[Halves, int]) -> Callable[[Halves], float]:
    """What a host is worth for shapes in two guest cells."""
    pcpus = _worth(_summed(hosts, lambda each: each.pcpus), doubles, 2)
    whole = _worth(_summed(hosts, lambda each: each.whole), doubles, 2)

    @functools.cache
    def worth(halves: Halves) -> float:
        return pcpus(halves.pcpus) + whole(halves.whole)

    return worth


_Whole = TypeVar("_Whole")
_Supply = TypeVar("_Supply", bound=Hashable)


def _summed(
    many: Mapping[_Whole, int], supply: Callable[[_Whole], _Supply]
) -> Mapping[_Supply, int]:
    """How many there are of each supply."""
    found: collections.Counter[_Supply] = collections.Counter()
    for each, times in many.items():
        found[supply(each)] += times
    return found


def _worth(
    supplies: Mapping[_Supply, int],
    room: Callable[[_Supply], list[int]],
    cells: int,
) -> Callable[[_Supply], float]:
    """What a supply is worth: shapes are dear where few fit.

    :param supplies: those of all host cells, or hosts; how many of each.
    :param room: how many shapes of each size a supply is enough for.
    :param cells: guest cells of these shapes.
    """
    totals = [0] * len(SIZES)
    for supply, times in supplies.items():
        for at, count in enumerate(room(supply)):
            totals[at] += times * count
    prices = [
        _UNIT * cells * size / (total + 1)
        for size, total in zip(SIZES, totals, strict=True)
    ]

    @functools.cache
    def worth(supply: _Supply) -> float:
        return math.fsum(map(operator.mul, prices, room(supply)))

    return worth
