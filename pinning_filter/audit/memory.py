"""Where guests' memory is, against where it should be.

What of it was not seen (it is root's to see) is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinning_filter.audit.findings import Code, Finding, command
from pinning_filter.audit.observation import Domain, Observation
from pinning_filter.core import cpuset
from pinning_filter.libvirt.running import Running

#: Of a guest's memory, so many hundredths may be elsewhere: pages that were
#: there before it was bound.
_LEEWAY_PERCENT = 1
_MIB = 1024


def of_domain(seen: Observation, domain: Domain) -> Iterator[Finding]:
    """One guest's memory: on its host cells, and of its pages."""
    live, found = domain.live, domain.memory
    if found is None or not found.bound:
        return
    leeway = live.memory_kib * _LEEWAY_PERCENT // 100
    nodes = frozenset[int]().union(
        live.nodes or (), *live.cell_nodes.values()
    )
    elsewhere = {
        cell: kib
        for cell, kib in found.cells_kib.items()
        if nodes and cell not in nodes
    }
    if sum(elsewhere.values()) > leeway:
        yield Finding(
            Code.MEMORY_ELSEWHERE, seen.host,
            f"all memory on host cells {cpuset.format(nodes)}",
            _by(elsewhere, "on host cell"),
            command("openstack", "server", "reboot", "--hard", live.uuid),
            live.uuid, live.server or live.name,
        )
    wrong = {
        size: kib
        for size, kib in found.pages_kib.items()
        if live.page_sizes_kib and size not in live.page_sizes_kib
    }
    # Guests of several cells may have large pages in some of them only.
    plain = len(live.cell_memory_kib) > 1
    if sum(wrong.values()) > leeway and not plain:
        sizes = ", ".join(f"{size} KiB" for size in live.page_sizes_kib)
        yield Finding(
            Code.PAGES_DIFFER, seen.host, f"pages of {sizes}",
            _by(wrong, "in pages of KiB"),
            command("openstack", "server", "reboot", "--hard", live.uuid),
            live.uuid, live.server or live.name,
        )


def of_cells(seen: Observation) -> Iterator[Finding]:
    """Host cells that promised more memory than they can still give.

    Guests that are bound to a cell may take all their memory there; guests
    without a NUMA topology take theirs from anywhere. Where these have taken
    what those were promised, the kernel kills one of the former.
    """
    for number, cell in seen.kernel.cells.items():
        promised, floating = 0, 0
        for domain in seen.domains:
            if domain.memory is None:
                return
            here = domain.memory.cells_kib.get(number, 0)
            if _bound(domain.live):
                owed = _promised(domain.live, number)
                promised += max(owed - here, 0) if owed else 0
            else:
                floating += here
        if floating and promised > cell.available_kib:
            yield Finding(
                Code.CELL_MEMORY_SHORT, seen.host,
                f"memory for the guests that are bound to host cell {number}",
                f"they may take {promised // _MIB} MiB more, "
                f"{cell.available_kib // _MIB} MiB are left, and guests "
                f"without a NUMA topology have {floating // _MIB} MiB there",
                _evict(seen, number),
            )


def _bound(live: Running) -> bool:
    return bool(live.nodes or live.cell_nodes)


def _promised(live: Running, host_cell: int) -> int:
    """Small pages that a bound guest may take from a host cell, in KiB."""
    if live.page_sizes_kib:
        return 0
    return sum(
        live.cell_memory_kib.get(cell, live.memory_kib)
        for cell, nodes in live.cell_nodes.items()
        if host_cell in nodes
    )


def _evict(seen: Observation, number: int) -> str:
    """Move the guest away that has most of what others were promised."""
    worst = max(
        (
            domain
            for domain in seen.domains
            if domain.memory and not _bound(domain.live)
        ),
        key=lambda each: each.memory.cells_kib.get(number, 0)
        if each.memory else 0,
    )
    return command("openstack", "server", "migrate", "--wait",
                   worst.live.uuid)


def _by(amounts: dict[int, int], what: str) -> str:
    return ", ".join(
        f"{kib // _MIB} MiB {what} {number}"
        for number, kib in sorted(amounts.items())
    )
