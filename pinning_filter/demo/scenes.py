"""The story that the demo tells, as values: which hosts, which guests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pinning_filter.core.host import Host
from pinning_filter.core.synthetic import host

_DEDICATED = "hw:cpu_policy"
_THREADS = "hw:cpu_thread_policy"


@dataclasses.dataclass(frozen=True, slots=True)
class Compute:
    """A compute node."""

    name: str
    machine: str  #: as ``pinning_filter.core.synthetic`` reads it
    about: str
    reports_topology: bool = True
    dedicated: frozenset[int] | None = None  #: None: all pCPUs

    def host(self) -> Host:
        """The machine, before any guest runs on it."""
        made = host(self.machine)
        if self.dedicated is None:
            return made
        return Host(
            tuple(
                cell._replace(
                    dedicated=cell.dedicated & self.dedicated,
                    free=cell.dedicated & self.dedicated,
                )
                for cell in made.cells
            )
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """A guest that is asked for."""

    title: str
    about: str
    vcpus: int
    ram_mib: int = 1024
    flavor: Mapping[str, str] = dataclasses.field(default_factory=dict)
    image: Mapping[str, str] = dataclasses.field(default_factory=dict)
    joins: tuple[Compute, ...] = ()  #: computes that start just before
    refused: bool = False  #: whether no compute can take it
    stock: bool = False  #: whether to show what Nova's own filter makes of it


#: The scheduler takes the host with the most memory among those that fit.
COMPUTES = (
    Compute(
        "smt",
        "cell:2(memory=64GiB) core:2 pu:2",
        "2 cells of 2 cores of 2 threads, 5 pCPUs in use",
    ),
    Compute(
        "flat",
        "cell:2(memory=16GiB) core:4",
        "2 cells of 4 cores, no SMT",
    ),
    Compute(
        "blind",
        "cell:2(memory=16GiB) core:4",
        "as flat, but libvirt reports no NUMA topology",
        reports_topology=False,
    ),
    Compute(
        "eight",
        "cell:8(memory=8GiB) core:2 pu:2",
        "8 cells of 2 cores of 2 threads",
    ),
)

#: Three cells, with 2, 1 and 1 pCPUs for guests.
THREE = Compute(
    "three",
    "cell:3(memory=64GiB) core:2",
    "3 cells of 2 cores, cpu_dedicated_set=0-2,4",
    dedicated=frozenset({0, 1, 2, 4}),
)

#: vCPUs of the guests that run on the first compute before the story begins.
EARLIER = (2, 3)

SCENES = (
    Scene(
        "The flavor asks for pinned vCPUs on sibling threads",
        "require: the host must have SMT, and no vCPU sits alone on a core.",
        vcpus=2,
        flavor={_DEDICATED: "dedicated", _THREADS: "require"},
    ),
    Scene(
        "The same with prefer",
        "prefer: siblings where the host has SMT, but any host will do.",
        vcpus=3,
        flavor={_DEDICATED: "dedicated", _THREADS: "prefer"},
    ),
    Scene(
        "The same with isolate",
        "isolate: a core for each vCPU. Nova takes hosts without SMT only.",
        vcpus=2,
        flavor={_DEDICATED: "dedicated", _THREADS: "isolate"},
    ),
    Scene(
        "More than any host has left",
        "Nova's Placement API offers no host, so no filter is asked. By "
        'itself Nova says "No valid host was found. " and nothing more.',
        vcpus=32,
        flavor={_DEDICATED: "dedicated"},
        refused=True,
    ),
    Scene(
        "The image asks for pinning, the flavor does not",
        "hw_cpu_policy on an image does what hw:cpu_policy does on a flavor. "
        "quota:cpu_shares has nothing to do with pinning: it is the guest's "
        "weight where it competes for CPU time, and ends up in the same "
        "<cputune>.",
        vcpus=1,
        flavor={"quota:cpu_shares": "1024"},
        image={"hw_cpu_policy": "dedicated"},
    ),
    Scene(
        "Flavor and image contradict each other",
        "An image may not override the policy that the flavor sets.",
        vcpus=1,
        flavor={_DEDICATED: "shared"},
        image={"hw_cpu_policy": "dedicated"},
    ),
    Scene(
        "A guest of three NUMA cells of 1, 1 and 2 vCPUs",
        "It fits on compute three, but only with guest cell 2 on host cell 0.",
        vcpus=4,
        ram_mib=1536,
        flavor={
            _DEDICATED: "dedicated",
            "hw:numa_nodes": "3",
            "hw:numa_cpus.0": "0",
            "hw:numa_mem.0": "512",
            "hw:numa_cpus.1": "1",
            "hw:numa_mem.1": "512",
            "hw:numa_cpus.2": "2-3",
            "hw:numa_mem.2": "512",
        },
        joins=(THREE,),
        stock=True,
    ),
)
