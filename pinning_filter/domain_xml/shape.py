"""The guest's CPU topology: what is asked for, the host's, or Nova's."""

from __future__ import annotations

from pinning_filter.core.placement import Placement
from pinning_filter.domain_xml.settings import (
    DEFAULT,
    InvalidSettings,
    Settings,
    Topology,
)


def topology(placement: Placement, settings: Settings = DEFAULT) -> Topology:
    """The guest's CPU topology.

    1. What flavor or image ask for.
    2. What the host's threads are, if ``mirror`` and the cores are alike.
    3. Every vCPU a socket, which is Nova's choice where nothing is asked.

    A guest that runs keeps the topology it was started with.

    :raises InvalidSettings: if that asked for is not one of as many vCPUs.
    """
    count = _count(placement)
    if settings.topology is not None:
        sockets, cores, threads = settings.topology
        if sockets * cores * threads != count:
            raise InvalidSettings(
                "guest settings",
                [f"{sockets} sockets x {cores} cores x {threads} threads are "
                 f"not {count} vCPUs"],
            )
        return settings.topology
    mirror = mirrored(placement) if settings.mirror else None
    return mirror or Topology(count, 1, 1)


def mirrored(placement: Placement) -> Topology | None:
    """The topology of the threads that the guest is pinned to, if it has one.

    It has one if no vCPU floats and consecutive vCPUs share a core, as many
    on each core used: a guest numbers its vCPUs thread by thread, then core
    by core. Two vCPUs on one core with two threads: 1 socket, 1 core, 2
    threads. With ``isolate`` every vCPU is a core.

    Sockets are as few as can be without one that reaches over two guest
    cells: a guest takes the CPUs of a socket to share a cache and a memory,
    and Linux complains of a socket in two cells. So alike guest cells are one
    socket each, and cells of 2 and 4 cores are 3 sockets of 2.
    """
    pinning = placement.pinning
    if list(pinning) != list(range(_count(placement))):
        return None
    core_of = {
        pcpu: (cell.host_cell.id, number)
        for cell in placement.cells
        for number, core in enumerate(cell.host_cell.siblings)
        for pcpu in core
    }
    cores = [core_of.get(pcpu) for pcpu in pinning.values()]
    threads = cores.count(cores[0]) if cores else 0
    if not threads or len(cores) % threads:
        return None
    homes: list[int] = []
    seen = set()
    for start in range(0, len(cores), threads):
        core = cores[start]
        if (
            core is None
            or core in seen
            or cores[start : start + threads] != [core] * threads
        ):
            return None
        seen.add(core)
        homes.append(core[0])
    each = next(
        size
        for size in range(len(homes), 0, -1)
        if len(homes) % size == 0
        and all(
            len(set(homes[start : start + size])) == 1
            for start in range(0, len(homes), size)
        )
    )
    return Topology(len(homes) // each, each, threads)


def _count(placement: Placement) -> int:
    return sum(len(cell.guest_cell.vcpus) for cell in placement.cells)
