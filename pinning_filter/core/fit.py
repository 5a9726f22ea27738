"""The rule: does this request fit this host, and where exactly?

The middle of the flow ``request -> fit -> placement -> domain XML``. Pure:
reads two values, changes nothing, logs nothing, asks nobody, save that PCI
devices are answered for by whoever hands in :class:`Devices`.

The rule is that of Nova's ``numa_fit_instance_to_host``; where Nova's answer
is valid this is the same answer, to the pCPU. The answer is also *sound* (it
breaks no hard condition) and *complete* (if a placement exists, one is
found), which Nova's is not for guests of several cells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from pinning_filter.core import nearness, pairs
from pinning_filter.core.assignment import (
    MOST_CELLS,
    Choices,
    Cover,
    TooManyCells,
    assign,
    shortage,
)
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import FOR_NOW, Code, Fact, Refusal
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import SPREAD as SPREAD
from pinning_filter.core.strategy import Strategy as Strategy

#: Whether a choice of host cells, by position, has the devices.
_Accepts = Callable[[tuple[int, ...]], bool]


class Devices(Protocol):
    """The PCI devices of a host, as far as the choice of cells needs them."""

    #: Whether the guest asks for any.
    requested: bool
    #: Each in turn may accept a choice, given the ids of the host cells; a
    #: later one is only asked when an earlier one accepts no choice at all.
    attempts: Sequence[Callable[[Sequence[int]], bool]]

    def free(self, host_cell: int) -> int:
        """How many free devices are near a host cell."""

    def covers(self, cells: Sequence[HostCell]) -> list[Cover]:
        """What any accepted choice meets, over positions in ``cells``."""

    def matters(self, cells: Sequence[HostCell]) -> int:
        """Which of the cells, as bits, make a difference to an attempt."""


def fit(
    host: Host,
    request: Request,
    devices: Devices | None = None,
    strategy: Strategy = SPREAD,
) -> Placement | Refusal:
    """Place every guest cell on a host cell of its own, or say why not.

    1. Put the host cells in order of preference.
    2. See which guest cell fits which host cell, each pair by itself.
    3. Choose, in that order, so that all guest cells are placed and the
       chosen host cells are near the networks and devices asked for; first
       among the pairs that Nova's own rules find (``Taken.usual``), then
       among all.

    Ties: the host's own order, which is that of ids.

    >>> from pinning_filter.core.request import GuestCell
    >>> cell = HostCell(0, dedicated={0, 1}, siblings=[{0, 1}])
    >>> request = Request((GuestCell(dedicated=frozenset({0, 1})),))
    >>> fit(Host((cell,)), request).pinning
    {0: 0, 1: 1}
    """
    needed = len(request.cells)
    if len(host.cells) < needed:
        have = len(host.cells)
        return Refusal((Fact(Code.HOST_CELLS, needed, have, "NUMA cells"),))
    ordered = in_order(host, request, devices, strategy)
    if needed == 1:
        return _fit_one(host, ordered, request, devices, strategy)
    try:
        return _fit_several(host, ordered, request, devices, strategy)
    except TooManyCells as error:
        unit = "unlike host cells"
        return Refusal(
            (Fact(Code.TOO_MANY_CELLS, error.cells, MOST_CELLS, unit),)
        )


def beside(
    host: Host, request: Request
) -> Callable[[Collection[int]], bool]:
    """For whoever asks many times: does it fit with these host cells chosen?

    What ``fit`` says of one host and one request is worked out once; what
    comes back answers for any host cells, by id, that must be among those
    that the guest sits on.

    >>> from pinning_filter.core.request import GuestCell
    >>> cells = [HostCell(i, dedicated={i}, siblings=[{i}]) for i in (0, 1)]
    >>> one_cell = Request((GuestCell(dedicated=frozenset({0})),))
    >>> fits = beside(Host(cells), one_cell)
    >>> fits({1}), fits({0, 1})
    (True, False)
    """
    cells = host.cells
    kinds, found = _all_pairs(host, cells, request, SPREAD)
    masks = {kind: _masks(row)[0] for kind, row in found.items()}
    covers = [cover for cover, _ in _network_covers(cells, request)]
    chosen = Choices([masks[kind] for kind in kinds], len(cells), covers)
    bits = {cell.id: 1 << index for index, cell in enumerate(cells)}
    return lambda near: (
        bits.keys() >= set(near) and chosen.some(sum(bits[id] for id in near))
    )


def in_order(
    host: Host,
    request: Request,
    devices: Devices | None = None,
    strategy: Strategy = SPREAD,
) -> Sequence[HostCell]:
    """The host cells in the order in which they are tried.

    All *preferences*, the first that tells two cells apart decides:

    1. If the guest asks for PCI devices, cells with more free ones first;
       if it does not, cells with fewer first.
    2. Cells with more free pCPUs first; for a shared guest, cells with fewer
       floating vCPUs.
    3. Cells with more free memory first.
    4. The host's own order.

    2 and 3 are turned round by ``Strategy.pack`` and ``Strategy.tight``.
    Where a guest needs every host cell the host's own order stands. Source:
    Nova. For a guest of several cells ``Strategy.near_cells`` comes between
    1 and 2 (:mod:`~pinning_filter.core.nearness`).
    """
    if len(host.cells) <= len(request.cells):
        return host.cells
    sign = 1 if strategy.pack or strategy.tight else -1
    pinned = request.pinned

    def preference(cell: HostCell) -> tuple[int, int, int]:
        fullness = len(cell.free) if pinned else -cell.shared_used
        free_kib = cell.memory_kib - cell.memory_used_kib
        return _near(cell, devices), sign * fullness, sign * free_kib

    return sorted(host.cells, key=preference)


def _near(cell: HostCell, devices: Devices | None) -> int:
    """The devices near a host cell: below 0 where they are asked for."""
    if devices is None:
        return 0
    return devices.free(cell.id) * (-1 if devices.requested else 1)


def _fit_one(
    host: Host,
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
    strategy: Strategy,
) -> Placement | Refusal:
    """One guest cell: the first host cell that takes it."""
    covers = _network_covers(ordered, request) if request.networks else ()
    facts: list[Fact] = []
    fitting: list[tuple[HostCell, pairs.Fit]] = []
    unusual: list[tuple[HostCell, pairs.Fit]] = []
    attempts: Sequence[Callable[[Sequence[int]], bool]] = ()
    if devices is not None and devices.requested:
        attempts = devices.attempts

    def on(cell: HostCell, found: pairs.Fit) -> Placement:
        return Placement(request, (pairs.placed(request, 0, cell, found),))

    for position, cell in enumerate(ordered):
        found = pairs.fit_cell(host, cell, request, 0, strategy)
        if isinstance(found, Fact):
            facts.append(found)
            continue
        if covers and (unmet := _unmet(covers, 1 << position)):
            facts.append(unmet._replace(host_cell=cell.id))
        elif not found[1].usual:
            unusual.append((cell, found))
        elif not attempts or attempts[0]((cell.id,)):
            return on(cell, found)
        else:
            fitting.append((cell, found))
    for turn, accepts in enumerate(attempts or [_anywhere]):
        for cell, found in (*(fitting if turn else ()), *unusual):
            if accepts((cell.id,)):
                return on(cell, found)
    if devices is not None:
        facts += [
            _device_fact(devices, [cell])._replace(host_cell=cell.id)
            for cell, _ in (*fitting, *unusual)
        ]
    return Refusal(tuple(facts))


def _anywhere(host_cells: Sequence[int]) -> bool:
    return True


def _fit_several(
    host: Host,
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
    strategy: Strategy,
) -> Placement | Refusal:
    """Several guest cells: every pair by itself, then all at once."""
    kinds, found = _all_pairs(host, ordered, request, strategy)
    masks = {kind: _masks(row) for kind, row in found.items()}
    fits = [masks[kind][0] for kind in kinds]
    usual = [masks[kind][1] for kind in kinds]
    chosen = _choose(usual, ordered, request, devices, strategy)
    if chosen is None and usual != fits:
        chosen = _choose(fits, ordered, request, devices, strategy)
    if chosen is None:
        facts = [
            pair._replace(guest_cell=kinds.index(kind))
            for kind, row in found.items()
            for pair in row
            if isinstance(pair, Fact)
        ]
        ever = {kind: _ever(row) for kind, row in found.items()}
        whole = _whole_fact(
            fits, [ever[kind] for kind in kinds], ordered, request, devices
        )
        return Refusal((*whole, *facts))
    cells = []
    for index, position in enumerate(chosen):
        pair = found[kinds[index]][position]
        assert not isinstance(pair, Fact)
        cells.append(pairs.placed(request, index, ordered[position], pair))
    return Placement(request, tuple(cells))


def _all_pairs(
    host: Host,
    ordered: Sequence[HostCell],
    request: Request,
    strategy: Strategy,
) -> tuple[list[pairs.Kind], dict[pairs.Kind, list[pairs.Fit | Fact]]]:
    """The kind of each guest cell, and each kind on every host cell."""
    kinds = [pairs.kind(request, index) for index in range(len(request.cells))]
    return kinds, {
        kind: [
            pairs.fit_cell(host, cell, request, kinds.index(kind), strategy)
            for cell in ordered
        ]
        for kind in dict.fromkeys(kinds)
    }


def _masks(row: Sequence[pairs.Fit | Fact]) -> tuple[int, int]:
    """The host cells that fit, and those that Nova finds too, as bits."""
    fits = usual = 0
    for position, pair in enumerate(row):
        if not isinstance(pair, Fact):
            fits |= 1 << position
            usual |= pair[1].usual << position
    return fits, usual


def _ever(row: Sequence[pairs.Fit | Fact]) -> int:
    """The host cells that fit, or would if other guests left, as bits."""
    return sum(
        1 << position
        for position, pair in enumerate(row)
        if not isinstance(pair, Fact) or pair.code in FOR_NOW
    )


def _choose(
    fits: Sequence[int],
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
    strategy: Strategy,
) -> tuple[int, ...] | None:
    """Positions of host cells for the guest cells, or None."""
    count = len(ordered)
    covers = [cover for cover, _ in _network_covers(ordered, request)]
    accepts: _Accepts | None = None
    if devices is None or not devices.requested:
        chosen = assign(fits, count, covers)
    else:
        chosen, accepts = _with_devices(fits, ordered, covers, devices)
    if chosen is None or not strategy.near_cells:
        return chosen
    matters = -1
    if devices is not None and accepts is not None:
        covers += devices.covers(ordered)
        matters = devices.matters(ordered)

    def first(within: int) -> tuple[int, ...] | None:
        return assign(
            fits, count, covers, accepts, matters=matters, within=within
        )

    prices = [_near(cell, devices) for cell in ordered]
    return nearness.nearer(ordered, prices, chosen, first)


def _with_devices(
    fits: Sequence[int],
    ordered: Sequence[HostCell],
    covers: Sequence[Cover],
    devices: Devices,
) -> tuple[tuple[int, ...] | None, _Accepts | None]:
    """The same where the guest asks for devices, and who accepted it."""
    count = len(ordered)

    def asking(accepts: Callable[[Sequence[int]], bool]) -> _Accepts:
        return lambda chosen: accepts([ordered[c].id for c in chosen])

    # Most often the first choice has the devices, and costs one question.
    first = asking(devices.attempts[0])
    chosen = assign(fits, count, covers, first, asks=1)
    if chosen is not None:
        return chosen, first
    covers = [*covers, *devices.covers(ordered)]
    matters = devices.matters(ordered)
    for accepts in map(asking, devices.attempts):
        chosen = assign(fits, count, covers, accepts, matters=matters)
        if chosen is not None:
            return chosen, accepts
    return None, None


def _whole_fact(
    fits: Sequence[int],
    ever: Sequence[int],
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
) -> tuple[Fact, ...]:
    """What is missing beyond single pairs of cells, if anything."""
    if all(ever) and (short := shortage(ever)):
        return (Fact(Code.TOGETHER_TOTAL, *short, "host cells"),)
    if not all(fits):
        return ()
    if short := shortage(fits):
        return (Fact(Code.TOGETHER, *short, "host cells"),)
    covers = _network_covers(ordered, request)
    if assign(fits, len(ordered), [cover for cover, _ in covers]) is None:
        facts = [
            fact
            for cover, fact in covers
            if assign(fits, len(ordered), [cover]) is None
        ]
        # Each can be met alone, but not all of them by one choice.
        return tuple(facts or [fact for _, fact in covers])
    if devices is None:
        return ()
    return (_device_fact(devices, ordered),)


def _network_covers(
    ordered: Sequence[HostCell], request: Request
) -> list[tuple[Cover, Fact]]:
    """Where host cells are near a network, one of them must be chosen.

    A network that no host cell is near to asks nothing: its affinity is
    unknown. Source: Nova's NUMA-aware vSwitches.
    """
    wanted = [
        (Fact(Code.PHYSNET, 1, 0, "host cells", detail=physnet),
         [physnet in cell.physnets for cell in ordered])
        for physnet in sorted(request.physnets)
    ]
    if request.tunneled:
        wanted.append(
            (Fact(Code.TUNNEL, 1, 0, "host cells"),
             [cell.tunneled for cell in ordered])
        )
    return [
        (Cover(1, ((sum(1 << p for p, near in enumerate(nears) if near), 1),)),
         fact)
        for fact, nears in wanted
        if any(nears)
    ]


def _unmet(covers: Sequence[tuple[Cover, Fact]], chosen: int) -> Fact | None:
    return next(
        (fact for cover, fact in covers if not cover.met(chosen)), None
    )


def _device_fact(devices: Devices, cells: Sequence[HostCell]) -> Fact:
    """How near the given host cells come to the devices asked for."""
    everything = (1 << len(cells)) - 1
    found = [
        (cover.reached(everything), cover.needed)
        for cover in devices.covers(cells)
    ]
    short = [(free, needed) for free, needed in found if free < needed]
    if not short:  # enough by count, yet Nova has no use for them
        return Fact(Code.DEVICES)
    free, needed = min(short)
    return Fact(Code.DEVICES, needed, free, "PCI devices")
