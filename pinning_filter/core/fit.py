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

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from pinning_filter.core import caches, memory, siblings, tight
from pinning_filter.core.assignment import Cover, assign, shortage
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Strategy:
    """What to prefer among placements that are all allowed."""

    #: Fullest host cells first, instead of emptiest (``[compute]
    #: packing_host_numa_cells_allocation_strategy``).
    pack: bool = False
    #: Fullest host cells first, and in them half-used cores before whole
    #: ones (:mod:`~pinning_filter.core.tight`), instead of emptiest.
    tight: bool = False
    #: Among cores that are equally good, those of as few last-level caches
    #: as can be (:mod:`~pinning_filter.core.caches`), where these are known.
    align_caches: bool = False


#: Nova's own preference.
SPREAD = Strategy()


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


#: One kind of guest cell on one host cell: its page size and its pCPUs.
_Fit = tuple["int | None", siblings.Taken]
_DEDICATED = CpuPolicy.DEDICATED


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

    >>> cell = HostCell(0, dedicated={0, 1}, siblings=[{0, 1}])
    >>> request = Request((GuestCell(dedicated=frozenset({0, 1})),))
    >>> fit(Host((cell,)), request).pinning
    {0: 0, 1: 1}

    :raises InvalidHost: if the host's sibling sets overlap where it matters.
    """
    needed = len(request.cells)
    if len(host.cells) < needed:
        have = len(host.cells)
        return Refusal((Fact(Code.HOST_CELLS, needed, have, "NUMA cells"),))
    ordered = in_order(host, request, devices, strategy)
    if needed == 1:
        return _fit_one(host, ordered, request, devices, strategy)
    return _fit_several(host, ordered, request, devices, strategy)


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
    Nova.
    """
    if len(host.cells) <= len(request.cells):
        return host.cells
    sign = 1 if strategy.pack or strategy.tight else -1
    pinned = request.pinned

    def preference(cell: HostCell) -> tuple[int, int, int]:
        near = 0
        if devices is not None:
            near = devices.free(cell.id) * (-1 if devices.requested else 1)
        fullness = len(cell.free) if pinned else -cell.shared_used
        free_kib = cell.memory_kib - cell.memory_used_kib
        return near, sign * fullness, sign * free_kib

    return sorted(host.cells, key=preference)


def _fit_one(
    host: Host,
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
    strategy: Strategy,
) -> Placement | Refusal:
    """One guest cell: the first host cell that takes it."""
    networks = request.tunneled or request.physnets
    covers = _network_covers(ordered, request) if networks else ()
    facts: list[Fact] = []
    fitting: list[tuple[HostCell, _Fit]] = []
    unusual: list[tuple[HostCell, _Fit]] = []
    attempts: Sequence[Callable[[Sequence[int]], bool]] = ()
    if devices is not None and devices.requested:
        attempts = devices.attempts
    for position, cell in enumerate(ordered):
        found = _fit_cell(host, cell, request, 0, strategy)
        if isinstance(found, Fact):
            facts.append(found)
            continue
        if covers and (unmet := _unmet(covers, 1 << position)):
            facts.append(unmet._replace(host_cell=cell.id))
        elif not found[1].usual:
            unusual.append((cell, found))
        elif not attempts or attempts[0]((cell.id,)):
            return Placement(request, (_placed(request, 0, cell, found),))
        else:
            fitting.append((cell, found))
    for turn, accepts in enumerate(attempts or [_anywhere]):
        for cell, found in (*(fitting if turn else ()), *unusual):
            if accepts((cell.id,)):
                return Placement(request, (_placed(request, 0, cell, found),))
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
    kinds = [_kind(request, index) for index in range(len(request.cells))]
    found = {
        kind: [
            _fit_cell(host, cell, request, kinds.index(kind), strategy)
            for cell in ordered
        ]
        for kind in dict.fromkeys(kinds)
    }
    masks = {kind: _masks(pairs) for kind, pairs in found.items()}
    fits = [masks[kind][0] for kind in kinds]
    usual = [masks[kind][1] for kind in kinds]
    chosen = _choose(usual, ordered, request, devices)
    if chosen is None and usual != fits:
        chosen = _choose(fits, ordered, request, devices)
    if chosen is None:
        facts = [
            pair._replace(guest_cell=kinds.index(kind))
            for kind, pairs in found.items()
            for pair in pairs
            if isinstance(pair, Fact)
        ]
        whole = _whole_fact(fits, ordered, request, devices)
        return Refusal((*whole, *facts))
    cells = []
    for index, position in enumerate(chosen):
        pair = found[kinds[index]][position]
        assert not isinstance(pair, Fact)
        cells.append(_placed(request, index, ordered[position], pair))
    return Placement(request, tuple(cells))


def _masks(pairs: Sequence[_Fit | Fact]) -> tuple[int, int]:
    """The host cells that fit, and those that Nova finds too, as bits."""
    fits = usual = 0
    for position, pair in enumerate(pairs):
        if not isinstance(pair, Fact):
            fits |= 1 << position
            usual |= pair[1].usual << position
    return fits, usual


def _choose(
    fits: Sequence[int],
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
) -> tuple[int, ...] | None:
    """Positions of host cells for the guest cells, or None."""
    count = len(ordered)
    covers = [cover for cover, _ in _network_covers(ordered, request)]
    if devices is None or not devices.requested:
        return assign(fits, count, covers)

    def asking(
        accepts: Callable[[Sequence[int]], bool],
    ) -> Callable[[tuple[int, ...]], bool]:
        return lambda chosen: accepts([ordered[c].id for c in chosen])

    # Most often the first choice has the devices, and costs one question.
    chosen = assign(fits, count, covers, asking(devices.attempts[0]), asks=1)
    if chosen is None:
        covers += devices.covers(ordered)
        matters = devices.matters(ordered)
        for accepts in devices.attempts:
            chosen = assign(
                fits, count, covers, asking(accepts), matters=matters
            )
            if chosen is not None:
                break
    return chosen


def _whole_fact(
    fits: Sequence[int],
    ordered: Sequence[HostCell],
    request: Request,
    devices: Devices | None,
) -> tuple[Fact, ...]:
    """What is missing beyond single pairs of cells, if anything."""
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


def _kind(request: Request, index: int) -> tuple[object, ...]:
    """Guest cells of one kind fit the same host cells in the same way."""
    cell = request.cells[index]
    return (
        len(cell.dedicated),
        len(cell.shared),
        cell.memory_kib,
        cell.page_size,
        request.reserve(index),
    )


def _placed(
    request: Request, index: int, host_cell: HostCell, found: _Fit
) -> CellPlacement:
    """vCPUs in ascending order take the pCPUs in order of choice."""
    guest_cell = request.cells[index]
    page_size, (pcpus, reserved, _) = found
    pinning = dict(zip(sorted(guest_cell.dedicated), pcpus, strict=True))
    return CellPlacement(guest_cell, host_cell, pinning, page_size, reserved)


def _fit_cell(
    host: Host,
    cell: HostCell,
    request: Request,
    index: int,
    strategy: Strategy,
) -> _Fit | Fact:
    """One guest cell on one host cell. All conditions are *hard*.

    1. Enough free pCPUs, and for floating vCPUs as many shared ones as there
       are of them: a guest never overcommits itself.
    2. Memory, and a page size for it.
    3. The free pCPUs in cores as the thread policy wants them.
    4. Allocation ratios, for what is shared.
    """
    guest_cell = request.cells[index]
    count, shared = len(guest_cell.dedicated), len(guest_cell.shared)
    reserve = request.reserve(index) if request.emulator_isolated else 0
    if count + reserve > len(cell.free) or shared > len(cell.shared):
        return _too_few(cell, count + reserve, shared)
    page_size = memory.page_size(cell, guest_cell, request.pinned)
    if isinstance(page_size, Fact):
        return page_size
    policy = request.thread_policy if request.pinned else ThreadPolicy.PREFER
    cores = cell
    if strategy.align_caches:
        cores = caches.aligned(cell, count, policy, reserve)
    take = tight.take if strategy.tight else siblings.take
    taken = take(cores, count, policy, reserve)
    if isinstance(taken, Fact):
        return taken
    if request.pinned and not count and not shared:
        # Nova takes a guest cell without vCPUs for one that does not fit.
        taken = taken._replace(usual=False)
    if request.cpu_policy is not _DEDICATED:
        over = _over_ratio(host, cell, guest_cell)
        if over:
            return over
    return page_size, taken


def _too_few(cell: HostCell, needed: int, shared: int) -> Fact:
    """Which pCPUs there are too few of."""
    if needed > (total := len(cell.dedicated)):
        return Fact(Code.PCPUS_TOTAL, needed, total, "pCPUs", cell.id)
    if shared > (total := len(cell.shared)):
        return Fact(Code.SHARED_CPUS, shared, total, "pCPUs", cell.id)
    return Fact(Code.PCPUS, needed, len(cell.free), "pCPUs", cell.id)


def _over_ratio(
    host: Host, cell: HostCell, guest_cell: GuestCell
) -> Fact | None:
    if host.cpu_ratio is not None:
        limit = len(cell.shared) * host.cpu_ratio
        vcpus = len(guest_cell.shared)
        if cell.shared_used + vcpus > limit:
            free = max(0, limit - cell.shared_used)
            return Fact(Code.SHARED_RATIO, vcpus, free, "vCPUs", cell.id)
    if host.ram_ratio is not None:
        limit = cell.memory_kib * host.ram_ratio
        needed = guest_cell.memory_kib
        if cell.memory_used_kib + needed > limit:
            free = max(0, limit - cell.memory_used_kib)
            return Fact(Code.MEMORY_RATIO, needed, free, "KiB", cell.id)
    return None


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
    short = [
        (cover.reached(everything), cover.needed)
        for cover in devices.covers(cells)
        if not cover.met(everything)
    ]
    free, needed = min(short, default=(0, 0))
    return Fact(Code.DEVICES, needed, free, "PCI devices")
