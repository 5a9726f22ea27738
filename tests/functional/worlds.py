"""Machines and flavors at random, as one nova.conf can have them."""

from __future__ import annotations

import random

from pinning_filter.core import synthetic
from pinning_filter.core.host import Host, HostCell

#: Shapes of machines, each of at least one guest of several cells.
_SHAPES = (
    "cell:2 core:4 pu:2",
    "cell:3 core:3",
    "cell:4 core:2 pu:2",
    "cell:2 core:3 pu:4",
    "cell:4 core:4",
)


def host(dice: random.Random) -> Host:
    """A machine; on all of them the same pCPUs are for floating vCPUs."""
    made = synthetic.host(dice.choice(_SHAPES))
    return Host(tuple(map(_with_shared, made.cells)))


def _with_shared(cell: HostCell) -> HostCell:
    shared = {pcpu for pcpu in cell.dedicated if pcpu % 6 == 5}
    return HostCell(
        cell.id,
        dedicated=set(cell.dedicated) - shared,
        shared=shared,
        siblings=cell.siblings,
        memory_kib=16 << 20,
        pages=cell.pages,
        socket=cell.socket,
    )


def flavor(dice: random.Random) -> dict[str, str | int]:
    """A flavor with a NUMA topology, as arguments of ``Cloud.flavor``."""
    cells = dice.choice((1, 1, 2, 2, 3))
    sizes = [dice.randint(1, 3) for _ in range(cells)]
    specs = {
        "hw__cpu_policy": "dedicated",
        "hw__numa_nodes": str(cells),
        "hw__cpu_thread_policy": dice.choice(
            ("prefer", "prefer", "require", "isolate")
        ),
    }
    first = 0
    for index, size in enumerate(sizes):
        vcpus = ",".join(map(str, range(first, first + size)))
        specs[f"hw__numa_cpus.{index}"] = vcpus
        specs[f"hw__numa_mem.{index}"] = "512"
        first += size
    kind = dice.random()
    if kind < 0.2:
        specs["hw__emulator_threads_policy"] = "isolate"
    elif kind < 0.4 and first > 1:
        specs["hw__cpu_policy"] = "mixed"
        specs["hw__cpu_dedicated_mask"] = "^0"
    return {"vcpus": first, "ram_mib": 512 * cells, **specs}
