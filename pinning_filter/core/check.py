"""Does a placement obey the rules, whoever made it?

Beside the flow ``request -> fit -> placement``: reads a placement that may
be anybody's (plain Nova's, or an old one) and says what is wrong with it.
Shares no code with ``fit``, so that one is a check on the other. Knows
nothing of PCI devices, which Nova alone can answer for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    PageSize,
    Request,
    ThreadPolicy,
)


def problems(host: Host, request: Request, placement: Placement) -> list[str]:
    """Every hard rule that a placement breaks, a clause each; empty: none.

    >>> cell = HostCell(0, dedicated={0, 1}, pinned={1},
    ...                 siblings=[{0}, {1}])
    >>> guest = GuestCell(dedicated=frozenset({0}))
    >>> request = Request((guest,))
    >>> wrong = Placement(request, (CellPlacement(guest, cell, {0: 1}),))
    >>> problems(Host((cell,)), request, wrong)
    ['guest cell 0 on host cell 0: pCPUs 1 are in use']

    :param host: the host as it is without this guest.
    """
    if len(placement.cells) != len(request.cells):
        return [
            f"{len(placement.cells)} guest cells are placed, "
            f"asked for were {len(request.cells)}"
        ]
    cells = {cell.id: cell for cell in host.cells}
    chosen = [placed.host_cell.id for placed in placement.cells]
    found = []
    if len(set(chosen)) < len(chosen):
        found.append(f"several guest cells share a host cell: {chosen}")
    for index, placed in enumerate(placement.cells):
        cell = cells.get(placed.host_cell.id)
        where = f"guest cell {index} on host cell {placed.host_cell.id}: "
        if cell is None:
            found.append(where + "the host has no such cell")
            continue
        guest = request.cells[index]
        found += [
            where + problem
            for problems in (
                _pinning(request, index, cell, placed),
                _threads(request, cell, placed),
                _memory(request, cell, guest, placed.page_size_kib),
                _shared(host, request, cell, guest),
            )
            for problem in problems
        ]
    found += _networks(host, request, set(chosen))
    return found


def _pinning(
    request: Request, index: int, cell: HostCell, placed: CellPlacement
) -> Iterator[str]:
    """Each dedicated vCPU alone on a free pCPU of the host cell."""
    asked = request.cells[index].dedicated
    pinned = placed.pinning.keys()
    if missing := asked - pinned:
        yield f"dedicated vCPUs {cpuset.format(missing)} have no pCPU"
    if more := pinned - asked:
        yield f"vCPUs {cpuset.format(more)} are pinned and should not be"
    reserve = request.reserve(index)
    if len(placed.reserved) != reserve:
        yield (
            f"{len(placed.reserved)} pCPUs are reserved for emulator "
            f"threads, asked for were {reserve}"
        )
    used = _used(placed)
    if twice := {pcpu for pcpu in used if used.count(pcpu) > 1}:
        yield f"pCPUs {cpuset.format(twice)} are given twice"
    if strange := set(used) - cell.dedicated:
        yield f"pCPUs {cpuset.format(strange)} are not for pinning there"
    if taken := set(used) & cell.pinned:
        yield f"pCPUs {cpuset.format(taken)} are in use"


def _used(placed: CellPlacement) -> list[int]:
    return [*placed.pinning.values(), *placed.reserved]


def _threads(
    request: Request, cell: HostCell, placed: CellPlacement
) -> Iterator[str]:
    """The thread policy, whose rules are in ``ThreadPolicy``."""
    if request.thread_policy is ThreadPolicy.REQUIRE and placed.pinning:
        yield from _require(cell, set(placed.pinning.values()))
    elif request.thread_policy is ThreadPolicy.ISOLATE and _used(placed):
        yield from _isolate(cell, _used(placed))


def _require(cell: HostCell, pcpus: set[int]) -> Iterator[str]:
    if cell.threads < 2:
        yield "require, and no core has two threads"
    beside = {
        pcpu
        for core in cell.siblings
        if len(core & pcpus) > 1
        for pcpu in core & pcpus
    }
    if len(alone := pcpus - beside) > 1:
        yield f"require, and pCPUs {cpuset.format(alone)} are without sibling"
    for core in cell.siblings:
        if core & pcpus and len(core & cell.free) < 2:
            yield (
                f"require, and pCPU {cpuset.format(core & pcpus)} has no free "
                "sibling"
            )


def _isolate(cell: HostCell, used: Collection[int]) -> Iterator[str]:
    if cell.threads > 1 and cell.shared != cell.dedicated:
        yield "isolate, and siblings cannot be kept idle"
    for core in cell.siblings:
        here = core & set(used)
        if len(here) > 1:
            yield f"isolate, and pCPUs {cpuset.format(here)} share a core"
        if here and len(core) < cell.threads:
            yield (
                f"isolate, and not all threads of the core of pCPU "
                f"{cpuset.format(here)} are given out"
            )
        if here and not core <= cell.free:
            yield (
                f"isolate, and the siblings of pCPU {cpuset.format(here)} "
                "are not free"
            )


def _memory(
    request: Request, cell: HostCell, guest: GuestCell, size: int | None
) -> Iterator[str]:
    """Room for the memory, in whole pages of a size that was asked for."""
    need = guest.memory_kib
    asked = guest.page_size
    if asked is None:
        if size is not None:
            yield f"memory pages of {size} KiB, and no size was asked for"
        yield from _plain_memory(request, cell, need)
        return
    sizes = sorted(pages.size_kib for pages in cell.pages)
    by_name: dict[int, list[int]] = {
        PageSize.SMALL: sizes[:1],
        PageSize.LARGE: sizes[1:],
        PageSize.ANY: sizes,
    }
    allowed = by_name.get(asked, [asked])
    if size not in allowed or size not in sizes:
        yield f"memory pages of {size} KiB, allowed are {allowed}"
        return
    free = next(p.free_kib for p in cell.pages if p.size_kib == size)
    if need % size:
        yield f"{need} KiB are not whole pages of {size} KiB"
    if need > free:
        room = f"{free:.15g} are free"
        yield f"{need} KiB in pages of {size} KiB, of which {room}"


def _plain_memory(
    request: Request, cell: HostCell, need: int
) -> Iterator[str]:
    """A guest that floats may be promised memory that is in use."""
    room: float = cell.memory_kib
    free: float = cell.memory_free_kib
    if cell.pages:
        smallest = min(cell.pages)
        room, free = smallest.total_kib, smallest.free_kib
        if need % smallest.size_kib:
            yield f"{need} KiB are not whole pages of {smallest.size_kib} KiB"
    if request.pinned:
        room = free
    if need > room:
        yield f"{need} KiB of memory, of which there are {room:.15g}"


def _shared(
    host: Host, request: Request, cell: HostCell, guest: GuestCell
) -> Iterator[str]:
    """Floating vCPUs: not more than pCPUs, and the allocation ratios."""
    vcpus = len(guest.shared)
    if vcpus > len(cell.shared):
        yield f"{vcpus} floating vCPUs on {len(cell.shared)} shared pCPUs"
    if request.cpu_policy is CpuPolicy.DEDICATED:
        return
    if host.cpu_ratio is not None and (
        cell.shared_used + vcpus > host.cpu_ratio * len(cell.shared)
    ):
        yield f"{vcpus} floating vCPUs more exceed the allocation ratio"
    if host.ram_ratio is not None and (
        cell.memory_used_kib + guest.memory_kib
        > host.ram_ratio * cell.memory_kib
    ):
        yield f"{guest.memory_kib} KiB more exceed the allocation ratio"


def _networks(
    host: Host, request: Request, chosen: Collection[int]
) -> Iterator[str]:
    """Where host cells are near a network, one of them is chosen."""
    for physnet in sorted(request.physnets):
        near = {cell.id for cell in host.cells if physnet in cell.physnets}
        if near and near.isdisjoint(chosen):
            yield f"no host cell near the physical network {physnet} is used"
    if request.tunneled:
        near = {cell.id for cell in host.cells if cell.tunneled}
        if near and near.isdisjoint(chosen):
            yield "no host cell near the tunnel endpoint is used"
