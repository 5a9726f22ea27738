"""Who sits on each pCPU of a compute node: for pictures and figures.

After the snapshot, before any form of drawing or counting.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import NamedTuple

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core.host import HostCell
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.fleet import conflicts
from pinning_filter.fleet.hosts import Guest


class PcpuState(str, enum.Enum):
    """What a pCPU is in use for. The values are stable."""

    FREE = "free"  #: open to pinning, and nobody there
    VCPU = "vcpu"  #: a guest's vCPU
    EMULATOR = "emulator"  #: a guest's emulator threads
    IDLE = "idle"  #: kept idle beside a guest's vCPU (isolate)
    TWICE = "twice"  #: held by several guests, or another runs there
    OUTSIDE = "outside"  #: a guest's vCPU, on a pCPU that is not dedicated
    ORPHAN = "orphan"  #: a guest runs there that Nova does not know
    TAKEN = "taken"  #: pinned, by a guest that is not known here
    SHARED = "shared"  #: for floating vCPUs
    CLOSED = "closed"  #: not for guests


#: Of a pCPU that is both, that it is held twice is told. Other conflicts are
#: not of a pCPU by itself.
_CONFLICTS = {
    conflicts.Kind.OUTSIDE: PcpuState.OUTSIDE,
    conflicts.Kind.HELD_TWICE: PcpuState.TWICE,
}


class PcpuUse(NamedTuple):
    """One pCPU."""

    state: PcpuState
    guest: int | None = None  #: index in the node's guests
    vcpu: int | None = None  #: of that guest


def in_order(node: Node) -> Node:
    """The node with its guests in the order of their first pCPUs.

    So that letters, which follow that order, are read off a picture in it.
    """

    def first(guest: Guest) -> tuple[int, int]:
        cells = guest.placement.cells
        pcpus = [min(cell.taken) for cell in cells if cell.taken]
        # Guests that only float come last.
        return min(pcpus, default=1 << 31), cells[0].host_cell.id

    return dataclasses.replace(
        node, guests=tuple(sorted(node.guests, key=first))
    )


def pcpu_uses(node: Node) -> dict[int, PcpuUse]:
    """pCPU -> who sits there, in order of pCPUs; later rules overrule."""
    made: dict[int, PcpuUse] = {}
    cells = node.host.cells if node.host else ()
    for cell in cells:
        for pcpus, state in (
            (pcpus_of(cell), PcpuState.CLOSED),
            (cell.shared, PcpuState.SHARED),
            (cell.dedicated, PcpuState.FREE),
            (cell.pinned, PcpuState.TAKEN),
        ):
            made.update(dict.fromkeys(pcpus, PcpuUse(state)))
    for index, guest in enumerate(node.guests):
        isolated = guest.request.thread_policy is ThreadPolicy.ISOLATE
        for placed in guest.placement.cells:
            if isolated:
                for core in placed.host_cell.siblings:
                    if core & placed.taken:
                        made.update(
                            dict.fromkeys(core, PcpuUse(PcpuState.IDLE, index))
                        )
            for pcpu in placed.reserved:
                made[pcpu] = PcpuUse(PcpuState.EMULATOR, index)
            for vcpu, pcpu in placed.pinning.items():
                made[pcpu] = PcpuUse(PcpuState.VCPU, index, vcpu)
    for conflict in conflicts.of(node.host, node.guests) if node.host else ():
        if conflict.kind in _CONFLICTS:
            state = _CONFLICTS[conflict.kind]
            for pcpu in conflict.cpus & made.keys():
                made[pcpu] = made[pcpu]._replace(state=state)
    for pcpu in node.found.others_there if node.found else ():
        if use := made.get(pcpu):
            alone = use.guest is None
            made[pcpu] = use._replace(
                state=PcpuState.ORPHAN if alone else PcpuState.TWICE
            )
    return dict(sorted(made.items()))


def pcpus_of(cell: HostCell) -> frozenset[int]:
    """Every pCPU of a host cell, whatever it is for."""
    return frozenset[int]().union(cell.dedicated, cell.shared, *cell.siblings)


def cores_of(cell: HostCell) -> list[list[int]]:
    """The pCPUs of each core, in order; those of no core by themselves."""
    known = frozenset[int]().union(*cell.siblings)
    cores = [sorted(core) for core in cell.siblings if core]
    cores += [[pcpu] for pcpu in pcpus_of(cell) - known]
    return sorted(cores)
