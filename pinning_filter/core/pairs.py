"""One guest cell on one host cell: does it fit, and on what of it?

Whatever needs to see both and no third is here. Which of its parts are pCPUs
is for :mod:`~pinning_filter.core.siblings`, memory for
:mod:`~pinning_filter.core.memory`; which pairs are chosen for ``fit``.
"""

from __future__ import annotations

from collections.abc import Callable

from pinning_filter.core import apart, caches, memory, siblings, tight
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import CellPlacement
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.core.strategy import Strategy

#: What the host cell would give: a page size and pCPUs.
Fit = tuple["int | None", siblings.Taken]
#: What makes guest cells alike.
Kind = tuple[object, ...]
_DEDICATED = CpuPolicy.DEDICATED


def kind(request: Request, index: int) -> Kind:
    """Guest cells of one kind fit the same host cells in the same way."""
    cell = request.cells[index]
    return (
        len(cell.dedicated),
        len(cell.shared),
        cell.memory_kib,
        cell.page_size,
        request.reserve(index),
    )


def placed(
    request: Request, index: int, host_cell: HostCell, found: Fit
) -> CellPlacement:
    """vCPUs in ascending order take the pCPUs in order of choice."""
    guest_cell = request.cells[index]
    page_size, (pcpus, reserved, _) = found
    pinning = dict(zip(sorted(guest_cell.dedicated), pcpus, strict=True))
    return CellPlacement(guest_cell, host_cell, pinning, page_size, reserved)


def fit_cell(
    host: Host,
    cell: HostCell,
    request: Request,
    index: int,
    strategy: Strategy,
) -> Fit | Fact:
    """One guest cell on one host cell. All conditions are *hard*.

    Of what is missing, that which no guest that leaves would bring is told
    before what is only in use.

    1. Enough free pCPUs, and for floating vCPUs as many shared ones as there
       are of them: a guest never overcommits itself.
    2. Memory, and a page size for it.
    3. The free pCPUs in cores as the thread policy wants them.
    4. Allocation ratios, for what is shared.
    """
    guest_cell = request.cells[index]
    count, shared = len(guest_cell.dedicated), len(guest_cell.shared)
    reserve = request.reserve(index) if request.emulator_isolated else 0
    policy = request.thread_policy if request.pinned else ThreadPolicy.PREFER
    if count + reserve > len(cell.free) or shared > len(cell.shared):
        needed, free = count + reserve, len(cell.free)
        fact = siblings.too_few(Code.PCPUS, needed, free, cell, reserve)
        return _lasting(cell, guest_cell, request, policy, reserve) or fact
    page_size = memory.page_size(cell, guest_cell, request.pinned)
    if isinstance(page_size, Fact):
        return (
            _lasting(cell, guest_cell, request, policy, reserve) or page_size
        )
    cores = cell
    if strategy.align_caches:
        cores = caches.aligned(cell, count, policy, reserve, strategy.apart)
    taken = _take(strategy)(cores, count, policy, reserve)
    if isinstance(taken, Fact):
        return siblings.lasting(cell, count, policy, reserve) or taken
    if request.pinned and not count and not shared:
        # Nova takes a guest cell without vCPUs for one that does not fit.
        taken = taken._replace(usual=False)
    if request.cpu_policy is not _DEDICATED:
        over = _over_ratio(host, cell, guest_cell)
        if over:
            return over
    return page_size, taken


def _take(
    strategy: Strategy,
) -> Callable[[HostCell, int, ThreadPolicy, int], siblings.Taken | Fact]:
    """Who chooses the pCPUs."""
    if strategy.tight:
        return tight.take
    return apart.take if strategy.apart else siblings.take


def _lasting(
    cell: HostCell,
    guest_cell: GuestCell,
    request: Request,
    policy: ThreadPolicy,
    reserve: int,
) -> Fact | None:
    """What is missing even if there were no other guest, ratios apart."""
    count, shared = len(guest_cell.dedicated), len(guest_cell.shared)
    if found := siblings.lasting(cell, count, policy, reserve):
        return found
    if shared > (total := len(cell.shared)):
        return Fact(Code.SHARED_CPUS, shared, total, "pCPUs", cell.id)
    return memory.lasting(cell, guest_cell, request.pinned)


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


