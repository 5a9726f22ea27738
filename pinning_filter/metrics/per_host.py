"""Families of series of each host, which cost the more the more hosts.

Beside ``families``, which has what is about all hosts. Each kind is told only
where somebody asks for it; the documentation says how many series it costs.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Sequence

from prometheus_client.core import Metric

from pinning_filter.metrics.families import (
    KIB,
    ROOM,
    gauge,
    numbers,
    size_name,
)
from pinning_filter.metrics.figures import HostFigures


class Kind(str, enum.Enum):
    """What can be asked for. The values are arguments of the command."""

    STATE = "state"  #: whether it takes servers, and why not
    PCPUS = "pcpus"  #: pCPUs by NUMA cell and state
    MEMORY = "memory"  #: memory and pages by NUMA cell
    FITS = "fits"  #: room for each flavor
    STRANDED = "stranded"  #: what is of no use, by NUMA cell


def of_hosts(
    hosts: Sequence[HostFigures], kinds: Collection[Kind]
) -> Iterator[Metric]:
    """The families of these kinds."""
    for kind, families in _FAMILIES.items():
        if kind in kinds:
            yield from families(hosts)


def _each_state(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    yield gauge(
        "host_open",
        "Whether a compute node takes pinned servers.",
        {(host.name,): host.closed is None for host in hosts},
        "hostname",
    )
    yield gauge(
        "host_closed",
        "1 for each compute node that takes none, with the reason.",
        {(host.name, host.closed.value): 1 for host in hosts if host.closed},
        "hostname", "reason",
    )


def _each_pcpus(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    yield gauge(
        "host_pcpus",
        "pCPUs of a host's NUMA cell, by what they are in use for.",
        {
            (host.name, str(cell), state): number
            for host in hosts
            for (cell, state), number in host.pcpus.items()
        },
        "hostname", "numa_cell", "state",
    )


def _each_memory(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    yield gauge(
        "host_memory_bytes",
        "Memory of a host's NUMA cell: promised to servers, or free.",
        {
            (host.name, str(cell), state): number
            for host in hosts
            for (cell, state), number in host.memory.items()
        },
        "hostname", "numa_cell", "state",
    )
    yield gauge(
        "host_pages_bytes",
        "Memory in pages of a size in a host's NUMA cell: used by servers, "
        "reserved, or free.",
        {
            (host.name, str(cell), size_name(kib), state): number
            for host in hosts
            for (cell, kib, state), number in host.pages.items()
        },
        "hostname", "numa_cell", "page_size", "state",
    )


def _each_fits(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    for index, (name, text) in enumerate(ROOM.items()):
        yield gauge(
            f"host_flavor_{name}",
            f"{text}, on one host.",
            {
                (host.name, flavor): numbers(room)[index]
                for host in hosts
                for flavor, room in host.rooms.items()
            },
            "hostname", "flavor",
        )


def _each_stranded(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    for index, (name, text, unit) in enumerate((
        ("pcpus", "Free pCPUs", 1),
        ("memory_bytes", "Free memory", KIB),
    )):
        yield gauge(
            f"host_stranded_{name}",
            f"{text} of a host's NUMA cell that no server of the flavors in "
            "use could have.",
            {
                (host.name, str(cell)): left[index] * unit
                for host in hosts
                for cell, left in host.stranded.items()
            },
            "hostname", "numa_cell",
        )


_FAMILIES = {
    Kind.STATE: _each_state,
    Kind.PCPUS: _each_pcpus,
    Kind.MEMORY: _each_memory,
    Kind.FITS: _each_fits,
    Kind.STRANDED: _each_stranded,
}
