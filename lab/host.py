"""How the compute host is shown: its cores, and which pCPUs are dedicated.

A machine with two CPUs can so be a host without SMT, one with, and one with
shared pCPUs beside dedicated ones. Changing it restarts libvirtd and
nova-compute, and wants a host without servers, as Nova does.
"""

import json
from dataclasses import asdict, dataclass

from lab import layout

STATE = layout.RUN / "host.json"


@dataclass(frozen=True, slots=True)
class Host:
    """The view of this machine that its nova-compute reports."""

    #: Threads a core that sysfs shows to libvirtd; 0: as the machine is.
    threads_per_core: int = 0
    #: ``[compute] cpu_dedicated_set``
    dedicated: str = "0-1"
    #: ``[compute] cpu_shared_set``; empty: none
    shared: str = ""
    #: Pages of 2 MiB that the kernel is asked for while libvirtd runs.
    huge_pages: int = 0
    #: ``[libvirt] virt_type``: qemu, or lxc, for which Nova reports no NUMA
    #: topology.
    virt_type: str = "qemu"

    def save(self) -> None:
        """Keep it for the next start of libvirtd and nova-compute."""
        STATE.parent.mkdir(parents=True, exist_ok=True)
        STATE.write_text(json.dumps(asdict(self)))


def load() -> Host:
    """The view last asked for, else the default."""
    if not STATE.exists():
        return Host()
    return Host(**json.loads(STATE.read_text()))
