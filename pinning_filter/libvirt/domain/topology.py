"""The guest's CPU topology: what is asked for, the host's, or Nova's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from pinning_filter.core.placement import Placement
from pinning_filter.libvirt.domain.settings import (
    DEFAULT,
    InvalidSettings,
    Settings,
    Topology,
)

_T = TypeVar("_T")


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
    cells. QEMU gives the CPUs of a socket one L3 cache, and Linux warns of
    one in two cells ("llc-sibling CPU is not on the same node"). So guest
    cells that are alike are one socket each, and cells of 2 and 4 cores are 3
    sockets of 2 cores.

    An AMD guest sees threads as such only with the CPU feature ``topoext``,
    which libvirt's ``host-model`` and ``host-passthrough`` have; without it
    they are cores to the guest.
    """
    cores = _core_of_each_vcpu(placement)
    threads = cores.count(cores[0]) if cores else 0
    if not threads or None in cores:
        return None
    used = _split(cores, threads)
    if len(set(cores)) < len(used) or any(
        len(set(core)) > 1 or len(core) < threads for core in used
    ):
        return None
    homes = [core[0].host_cell for core in used if core[0]]
    each = max(
        size
        for size in range(1, len(homes) + 1)
        if len(homes) % size == 0
        and all(len(set(socket)) == 1 for socket in _split(homes, size))
    )
    return Topology(len(homes) // each, each, threads)


def false_siblings(placement: Placement, shown: Topology) -> bool:
    """Whether a guest is shown siblings whose pCPUs are not of one core.

    Not said of a guest whose vCPUs float, or not all of which are pinned.
    """
    cores = _core_of_each_vcpu(placement)
    return any(
        len(set(core)) > 1 for core in _split(cores, max(shown.threads, 1))
    )


class _Core(NamedTuple):
    host_cell: int
    number: int  #: within the host cell


def _core_of_each_vcpu(placement: Placement) -> list[_Core | None]:
    """In order of vCPUs; empty if one floats, None where it is unknown."""
    pinning = placement.pinning
    if list(pinning) != list(range(_count(placement))):
        return []
    core_of = {
        pcpu: _Core(cell.host_cell.id, number)
        for cell in placement.cells
        for number, core in enumerate(cell.host_cell.siblings)
        for pcpu in core
    }
    return [core_of.get(pcpu) for pcpu in pinning.values()]


def _split(items: Sequence[_T], size: int) -> list[Sequence[_T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _count(placement: Placement) -> int:
    return sum(len(cell.guest_cell.vcpus) for cell in placement.cells)
