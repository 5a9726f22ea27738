"""Guests, one for each thing that a domain's XML can say of a placement.

Each is a flavor, an image, a host and its configuration, as an operator has
them. ``placed`` takes one the whole way through the plugin.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any

from nova import objects
from nova.virt import hardware

from pinning_filter.core import cpuset
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.libvirt import capabilities as capabilities_xml
from pinning_filter.libvirt.domain import Settings
from pinning_filter.nova import guest_topology
from pinning_filter.nova import settings as nova_settings

DATA = pathlib.Path(__file__).parent / "data"
ONE_CELL = "1-cell"  # 2 cores without SMT
TWO_CELLS = "2-cells-smt"  # 2 x 8 cores x 2 threads, pages of 2 MiB and 1 GiB
AMD = "amd-l3"  # 2 x 16 cores x 2 threads, an L3 for each 8 cores
DEDICATED = {"hw:cpu_policy": "dedicated"}


@dataclasses.dataclass(frozen=True)
class Guest:
    """A flavor and an image for a host."""

    host: str
    vcpus: int
    specs: dict[str, str] = dataclasses.field(default_factory=dict)
    image: dict[str, str] = dataclasses.field(default_factory=dict)
    ram_mib: int = 2048
    dedicated: str = ""  # [compute] cpu_dedicated_set
    shared: str = ""  # [compute] cpu_shared_set
    used: str = ""  # pCPUs taken by other guests
    libvirt: dict[str, Any] = dataclasses.field(default_factory=dict)


class NotPlaced(Exception):
    """A guest that has no placement."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """What the plugin makes of a guest."""

    placement: Placement
    settings: Settings
    flavor: objects.Flavor
    image: objects.ImageMeta
    topology: objects.InstanceNUMATopology


def capabilities(host: str) -> bytes:
    return (DATA / f"capabilities-{host}.xml").read_bytes()


def options(guest: Guest) -> dict[tuple[str, str], Any]:
    """The host's nova.conf."""
    found: dict[tuple[str, str], Any] = {
        ("libvirt", name): value for name, value in guest.libvirt.items()
    }
    if guest.dedicated:
        found["compute", "cpu_dedicated_set"] = guest.dedicated
    if guest.shared:
        found["compute", "cpu_shared_set"] = guest.shared
    return found


def host_of(guest: Guest) -> Host:
    """The host as capabilities, configuration and other guests leave it."""
    host = capabilities_xml.read(
        capabilities(guest.host),
        dedicated=cpuset.parse(guest.dedicated) or None,
        shared=cpuset.parse(guest.shared) or None,
    )
    used = cpuset.parse(guest.used)
    return Host(
        tuple(_with_used(cell, cell.dedicated & used) for cell in host.cells)
    )


def _with_used(cell: Any, used: frozenset[int]) -> Any:
    return cell._replace(pinned=used, free=cell.dedicated - used)


def placed(guest: Guest, **settings: Any) -> Placed:
    """From flavor and image to placement and settings.

    The configuration in force is that of the caller.

    :raises NotPlaced: if the guest needs no placement, or has none.
    """
    flavor = objects.Flavor(
        id=1,
        flavorid="1",
        name="flavor",
        memory_mb=guest.ram_mib,
        vcpus=guest.vcpus,
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        extra_specs=guest.specs,
    )
    image = objects.ImageMeta.from_dict(
        {"disk_format": "raw", "properties": guest.image}
    )
    asked = hardware.numa_get_constraints(flavor, image)
    if asked is None:
        raise NotPlaced("the flavor and the image ask for no NUMA cell")
    placement = fit(host_of(guest), guest_topology.request_from_nova(asked))
    if not isinstance(placement, Placement):
        raise NotPlaced(placement.text)
    return Placed(
        placement,
        nova_settings.settings(
            flavor,
            image,
            shared_set=cpuset.parse(guest.shared),
            machine_type=None,
            **settings,
        ),
        flavor,
        image,
        guest_topology.instance_topology(placement, asked),
    )


_dedicated = functools.partial(dict, DEDICATED)

#: By what each shows; the file of the golden XML is named after it.
GUESTS = {
    "two threads of one core": Guest(
        TWO_CELLS, 2, _dedicated(**{"hw:cpu_thread_policy": "require"})
    ),
    "no SMT": Guest(ONE_CELL, 2, DEDICATED, ram_mib=512),
    "policy of the image": Guest(
        ONE_CELL,
        1,
        {"quota:cpu_shares": "1024"},
        {"hw_cpu_policy": "dedicated"},
        used="0",
    ),
    "isolate": Guest(
        TWO_CELLS, 4, _dedicated(**{"hw:cpu_thread_policy": "isolate"})
    ),
    "an odd vCPU": Guest(TWO_CELLS, 3, DEDICATED),
    "half cores only": Guest(TWO_CELLS, 4, DEDICATED, used="0-15"),
    "two alike guest cells": Guest(
        TWO_CELLS, 8, _dedicated(**{"hw:numa_nodes": "2"})
    ),
    "two unlike guest cells": Guest(
        TWO_CELLS,
        6,
        _dedicated(
            **{
                "hw:numa_nodes": "2",
                "hw:numa_cpus.0": "0-1",
                "hw:numa_mem.0": "512",
                "hw:numa_cpus.1": "2-5",
                "hw:numa_mem.1": "1536",
            }
        ),
    ),
    "guest cells with every other vCPU": Guest(
        TWO_CELLS,
        4,
        _dedicated(
            **{
                "hw:numa_nodes": "2",
                "hw:numa_cpus.0": "0,2",
                "hw:numa_mem.0": "1024",
                "hw:numa_cpus.1": "1,3",
                "hw:numa_mem.1": "1024",
            }
        ),
    ),
    "mixed": Guest(
        TWO_CELLS,
        4,
        {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "2-3"},
        dedicated="2-7,18-23",
        shared="0-1,16-17",
    ),
    "floating in a guest cell": Guest(
        TWO_CELLS, 2, {"hw:numa_nodes": "1"}, shared="0-3,16-19"
    ),
    "large pages": Guest(
        TWO_CELLS, 2, _dedicated(**{"hw:mem_page_size": "large"})
    ),
    "pages of 2 MiB in two guest cells": Guest(
        AMD,
        4,
        _dedicated(**{"hw:mem_page_size": "2MB", "hw:numa_nodes": "2"}),
    ),
    "small pages": Guest(
        TWO_CELLS, 2, _dedicated(**{"hw:mem_page_size": "small"})
    ),
    "locked memory": Guest(
        TWO_CELLS,
        2,
        _dedicated(
            **{"hw:mem_page_size": "2048", "hw:locked_memory": "true"}
        ),
    ),
    "memory from files": Guest(
        TWO_CELLS, 2, DEDICATED, libvirt={"file_backed_memory": 65536}
    ),
    "real time": Guest(
        TWO_CELLS,
        4,
        _dedicated(
            **{"hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": "^0"}
        ),
        libvirt={"realtime_scheduler_priority": 5},
    ),
    "real time with the mask of the image": Guest(
        AMD,
        4,
        _dedicated(**{"hw:cpu_realtime": "yes"}),
        {"hw_cpu_realtime_mask": "2-3"},
    ),
    "real time with isolated emulator threads": Guest(
        TWO_CELLS,
        2,
        _dedicated(
            **{
                "hw:cpu_realtime": "yes",
                "hw:emulator_threads_policy": "isolate",
                "hw:mem_page_size": "1GB",
            }
        ),
    ),
    "isolated emulator threads of two guest cells": Guest(
        TWO_CELLS,
        4,
        _dedicated(
            **{"hw:emulator_threads_policy": "isolate", "hw:numa_nodes": "2"}
        ),
    ),
    "shared emulator threads": Guest(
        TWO_CELLS,
        2,
        _dedicated(**{"hw:emulator_threads_policy": "share"}),
        dedicated="2-15,18-31",
        shared="0-1,16",
    ),
    "shared emulator threads without a pool": Guest(
        TWO_CELLS,
        2,
        _dedicated(**{"hw:emulator_threads_policy": "share"}),
        dedicated="2-15,18-31",
    ),
    "quota": Guest(
        AMD,
        2,
        _dedicated(
            **{
                "quota:cpu_shares": "512",
                "quota:cpu_quota": "20000",
                "quota:cpu_period": "10000",
            }
        ),
    ),
    "topology of the flavor": Guest(
        TWO_CELLS,
        8,
        _dedicated(**{"hw:cpu_sockets": "1", "hw:cpu_threads": "1"}),
    ),
    "topology of the image": Guest(
        TWO_CELLS, 4, DEDICATED, {"hw_cpu_cores": "4"}
    ),
    "limit of sockets in the flavor": Guest(
        TWO_CELLS, 4, _dedicated(**{"hw:cpu_max_sockets": "2"})
    ),
    "limit of threads in the image": Guest(
        TWO_CELLS, 4, DEDICATED, {"hw_cpu_max_threads": "1"}
    ),
}
