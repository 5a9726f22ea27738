"""What is counted of a cloud, from a snapshot of it.

First in the flow ``snapshot -> figures -> families -> text``. The rules are
those of the commands: ``map`` for pCPUs, ``capacity`` for room, ``survive``
for losses. Knows no name of a series.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Mapping

from pinning_filter.audit.findings import Finding
from pinning_filter.cloud import closed
from pinning_filter.cloud.occupancy import PcpuState, pcpu_uses
from pinning_filter.cloud.room import room_by_flavor
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet.capacity import Capacity, Room
from pinning_filter.fleet.survival import Survival

#: States of pCPUs, each pCPU being in one of them.
PCPU_STATES = ("free", "pinned", "idle", "shared", "offline", "unaccounted")
_STATE = {
    PcpuState.FREE: "free",
    PcpuState.VCPU: "pinned",
    PcpuState.EMULATOR: "pinned",
    PcpuState.TWICE: "pinned",
    PcpuState.OUTSIDE: "pinned",
    PcpuState.IDLE: "idle",
    PcpuState.TAKEN: "unaccounted",
    PcpuState.SHARED: "shared",
    PcpuState.CLOSED: "offline",
}
#: Losses of hosts are counted up to here, which is far enough for an alert.
MOST_LOSSES = 10
_KIB = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class HostFigures:
    """One compute node."""

    name: str
    closed: closed.Kind | None  #: why it takes no guests; None: it does
    pcpus: Mapping[tuple[int, str], int]  #: by host cell and state
    memory: Mapping[tuple[int, str], float]  #: bytes, by host cell and state
    #: Bytes, by host cell, page size in KiB and state.
    pages: Mapping[tuple[int, int, str], float]
    rooms: Mapping[str, Room]  #: by flavor
    #: pCPUs and KiB of no use to the flavors in use, by host cell.
    stranded: Mapping[int, tuple[int, float]]


@dataclasses.dataclass(frozen=True, slots=True)
class Losses:
    """What becomes of pinned guests when hosts fail."""

    survived: int  #: hosts with guests that may fail, each by itself
    not_survived: int  #: hosts that may not
    #: Hosts that may fail one after the other; no more are counted than
    #: :data:`MOST_LOSSES`.
    in_turn: int


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """A cloud."""

    hosts: tuple[HostFigures, ...]
    losses: Losses
    #: Of every finding that holds; None: it takes a second look to know.
    findings: tuple[Finding, ...] | None
    allocations: bool  #: whether the Placement API's were compared
    cells: Mapping[str, bool]  #: cell (v2) -> whether it answered


def count(
    snapshot: Snapshot,
    wanted: Mapping[str, Request],
    used: Mapping[str, Request],
    strategy: Strategy,
    findings: Iterable[Finding] | None,
) -> Figures:
    """Every figure of a cloud.

    :param wanted: the flavors whose room is counted, by name.
    :param used: those by which capacity is stranded: that of no use to them.
    :param strategy: of hosts whose own is not known.
    :param findings: those of the audit; None: not known yet.
    """
    counter = functools.cache(Capacity)
    hosts = tuple(
        _host(node, counter(node.strategy or strategy), wanted, used)
        for node in snapshot.nodes
    )
    cells = {node.cell: True for node in snapshot.nodes if node.cell}
    return Figures(
        hosts,
        _losses(snapshot, strategy),
        None if findings is None else tuple(findings),
        any(
            node.provider is not None and node.provider.allocations is not None
            for node in snapshot.nodes
        ),
        cells | dict.fromkeys(snapshot.unreachable, False),
    )


def _host(
    node: Node,
    counter: Capacity,
    wanted: Mapping[str, Request],
    used: Mapping[str, Request],
) -> HostFigures:
    kind = closed.kind(node)
    rooms = room_by_flavor(counter, node, wanted)
    host = node.host
    if host is None or node.problem:
        return HostFigures(node.name, kind, {}, {}, {}, rooms, {})
    # What a move holds is accounted for, too.
    whole = dataclasses.replace(node, guests=(*node.guests, *node.held))
    return HostFigures(
        node.name,
        kind,
        _pcpus(whole),
        _memory(node),
        _pages(node),
        rooms,
        counter.stranded(host, list(used.values())) if used else {},
    )


def _pcpus(node: Node) -> dict[tuple[int, str], int]:
    uses = pcpu_uses(node)
    counted: dict[tuple[int, str], int] = {}
    for cell in node.host.cells if node.host else ():
        states = collections.Counter(
            _STATE[uses[pcpu].state]
            for pcpu in frozenset().union(
                cell.dedicated, cell.shared, *cell.siblings
            )
        )
        for state in PCPU_STATES:
            counted[cell.id, state] = states[state]
    return counted


def _memory(node: Node) -> dict[tuple[int, str], float]:
    counted: dict[tuple[int, str], float] = {}
    for cell in node.host.cells if node.host else ():
        counted[cell.id, "used"] = cell.memory_used_kib * _KIB
        counted[cell.id, "free"] = max(0, cell.memory_free_kib) * _KIB
    return counted


def _pages(node: Node) -> dict[tuple[int, int, str], float]:
    counted: dict[tuple[int, int, str], float] = {}
    for cell in node.host.cells if node.host else ():
        for pages in cell.pages:
            size = pages.size_kib
            for state, number in (
                ("used", pages.used),
                ("reserved", pages.reserved),
            ):
                counted[cell.id, size, state] = number * size * _KIB
            counted[cell.id, size, "free"] = max(0, pages.free_kib) * _KIB
    return counted


def _losses(snapshot: Snapshot, strategy: Strategy) -> Losses:
    # Nova takes seconds to load.
    from pinning_filter.explain import eligible

    survival = Survival(
        snapshot.cloud(strategy), eligible.by_flavor_and_zone(snapshot)
    )
    survived = [loss.survived for loss in survival.losses(why=False)]
    return Losses(
        sum(survived),
        len(survived) - sum(survived),
        survival.in_turn(MOST_LOSSES),
    )
