"""A host with a guest more, or a guest less.

After the answer: what a :class:`~pinning_filter.core.placement.Placement`
does to the host that it was made for. Asks nobody whether it may be done.
"""

from __future__ import annotations

from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import ThreadPolicy


def add(host: Host, placement: Placement) -> Host:
    """The host when the guest is there too.

    What is counted, for each guest cell on its host cell: memory, floating
    vCPUs, pages (the smallest where none were asked for), pCPUs of vCPUs and
    emulator threads; with ``isolate`` the siblings of these too. Source:
    Nova (``numa_usage_from_instance_numa``).

    >>> from pinning_filter.core import fit, request, synthetic
    >>> host = synthetic.host("cell:1 core:2 pu:2")
    >>> two = request.GuestCell(dedicated=frozenset({0, 1}))
    >>> placed = fit.fit(host, request.Request((two,)))
    >>> add(host, placed).cells[0].pinned
    frozenset({0, 1})
    """
    return _counted(host, placement, 1)


def remove(host: Host, placement: Placement) -> Host:
    """The host when the guest has gone: the opposite of :func:`add`.

    No quantity falls below 0, whatever the host's books say.
    """
    return _counted(host, placement, -1)


def _counted(host: Host, placement: Placement, sign: int) -> Host:
    placed = {each.host_cell.id: each for each in placement.cells}
    policy = placement.request.thread_policy
    return host._replace(
        cells=tuple(
            _counted_cell(cell, placed[cell.id], policy, sign)
            if cell.id in placed
            else cell
            for cell in host.cells
        )
    )


def _counted_cell(
    cell: HostCell, placed: CellPlacement, policy: ThreadPolicy, sign: int
) -> HostCell:
    guest = placed.guest_cell
    taken = occupied(cell, placed, policy)
    pinned = cell.pinned | taken if sign > 0 else cell.pinned - taken
    used = cell.shared_used + sign * len(guest.shared)
    memory = cell.memory_used_kib + sign * guest.memory_kib
    return cell._replace(
        pinned=pinned,
        shared_used=max(0, used),
        memory_used_kib=max(0, memory),
        pages=_counted_pages(cell, placed, sign),
        free=cell.dedicated - pinned,
    )


def occupied(
    cell: HostCell, placed: CellPlacement, policy: ThreadPolicy
) -> frozenset[int]:
    """The pCPUs that are not free while the guest is there."""
    taken = placed.taken
    if policy is not ThreadPolicy.ISOLATE:
        return taken
    return taken.union(*(core for core in cell.siblings if core & taken))


def _counted_pages(
    cell: HostCell, placed: CellPlacement, sign: int
) -> tuple[Pages, ...]:
    size = placed.page_size_kib
    if not size:
        size = min((pages.size_kib for pages in cell.pages), default=0)
    memory = sign * placed.guest_cell.memory_kib
    return tuple(
        pages._replace(used=max(0, pages.used + memory / pages.size_kib))
        if pages.size_kib == size
        else pages
        for pages in cell.pages
    )
