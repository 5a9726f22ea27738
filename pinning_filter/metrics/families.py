"""What figures of a cloud are called, by Prometheus' conventions.

After the figures, before the text. Base units in the names, ``_total`` for
counters alone, one label ``hostname`` that openstack-exporter has, too. What
is of one host is in families of its own (``per_host``), so that no sum counts
anything twice. Each family is told on the documentation's page
"Prometheus and Grafana".
"""

from __future__ import annotations

import collections
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

from pinning_filter.audit.findings import Code
from pinning_filter.cloud import closed
from pinning_filter.fleet.capacity import Room
from pinning_filter.metrics.figures import PCPU_STATES, Figures, HostFigures

#: Series of one name.
Family: TypeAlias = Metric

PREFIX = "pinning_filter_"
KIB = 1024
#: What the audit finds in the books of a snapshot. What compute nodes were
#: seen to do is not there.
OF_BOOKS = (
    Code.PCPU_HELD_TWICE,
    Code.PCPU_NOT_DEDICATED,
    Code.PCPU_OF_OTHER_CELL,
    Code.VCPU_UNPINNED,
    Code.SIBLING_IN_USE,
    Code.PLACEMENT_UNREADABLE,
    Code.HOST_UNREADABLE,
    Code.PCPU_COUNTED_FREE,
    Code.PCPU_COUNTED_TAKEN,
    Code.USAGE_MISCOUNTED,
)
#: And what it finds if it knows who holds what in the Placement API.
OF_ALLOCATIONS = (
    Code.ALLOCATION_MISSING,
    Code.ALLOCATION_DIFFERS,
    Code.ALLOCATION_OF_NOBODY,
    Code.INVENTORY_DIFFERS,
)

_Key = TypeVar("_Key", bound=Hashable)


def of_cloud(figures: Figures) -> Iterator[Metric]:
    """Every family that is about all hosts together."""
    hosts = figures.hosts
    yield from _hosts(hosts)
    yield from _capacity(hosts)
    yield from _fits(hosts)
    yield from _losses(figures)
    yield from _findings(figures)
    yield gauge(
        "cell_up",
        "Whether a cell (v2) of Nova answered when the cloud was read.",
        {(name,): up for name, up in figures.cells.items()},
        "cell",
    )


def gauge(
    name: str,
    text: str,
    samples: Mapping[tuple[str, ...], float],
    *labels: str,
) -> Metric:
    """One family.

    :param samples: by the values of the labels, in their order.
    """
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _added(
    samples: Iterable[tuple[_Key, float]],
) -> dict[_Key, float]:
    """Samples of the same key together."""
    total: dict[_Key, float] = collections.defaultdict(float)
    for key, number in samples:
        total[key] += number
    return total


def size_name(kib: int) -> str:
    """A page size as a label.

    >>> size_name(4), size_name(2048), size_name(1 << 20)
    ('4KiB', '2MiB', '1GiB')
    """
    for step, unit in ((1 << 20, "GiB"), (1 << 10, "MiB")):
        if kib % step == 0:
            return f"{kib // step}{unit}"
    return f"{kib}KiB"


def _hosts(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    kinds = collections.Counter(host.closed for host in hosts)
    yield gauge(
        "hosts_open",
        "Compute nodes that take pinned servers.",
        {(): kinds.pop(None, 0)},
    )
    yield gauge(
        "hosts_closed",
        "Compute nodes that take no pinned servers, by reason.",
        {(kind.value,): kinds[kind] for kind in closed.Kind},
        "reason",
    )


def _capacity(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    pcpus = _added(
        ((state,), number)
        for host in hosts
        for (_, state), number in host.pcpus.items()
    )
    memory = _added(
        ((state,), size)
        for host in hosts
        for (_, state), size in host.memory.items()
    )
    pages = _added(
        ((size_name(kib), state), size)
        for host in hosts
        for (_, kib, state), size in host.pages.items()
    )
    stranded = [each for host in hosts for each in host.stranded.values()]
    yield gauge(
        "pcpus",
        "pCPUs of all hosts, by what they are in use for.",
        {(state,): pcpus.get((state,), 0) for state in PCPU_STATES},
        "state",
    )
    yield gauge(
        "memory_bytes",
        "Memory of the NUMA cells of all hosts: promised to servers, or free.",
        {(state,): memory.get((state,), 0) for state in ("free", "used")},
        "state",
    )
    yield gauge(
        "pages_bytes",
        "Memory in pages of a size on all hosts: used by servers, reserved, "
        "or free.",
        dict(sorted(pages.items())),
        "page_size", "state",
    )
    yield gauge(
        "stranded_pcpus",
        "Free pCPUs that no server of the flavors in use could have.",
        {(): sum(pcpus for pcpus, _ in stranded)},
    )
    yield gauge(
        "stranded_memory_bytes",
        "Free memory that no server of the flavors in use could have.",
        {(): sum(kib for _, kib in stranded) * KIB},
    )


#: Name -> text and number of a room.
ROOM = {
    "fits": "Servers of a flavor that fit now",
    "fits_empty": "Servers of a flavor that would fit if no other were there",
    "fits_lost": "Servers of a flavor that would fit now if what is free were "
    "in one piece",
}


def numbers(room: Room) -> tuple[int, int, int]:
    """Those of :data:`ROOM`."""
    return room.now, room.empty, room.lost


def _fits(hosts: Sequence[HostFigures]) -> Iterator[Metric]:
    for index, (name, text) in enumerate(ROOM.items()):
        yield gauge(
            f"flavor_{name}",
            f"{text}, on all hosts together.",
            _added(
                ((flavor,), numbers(room)[index])
                for host in hosts
                for flavor, room in host.rooms.items()
            ),
            "flavor",
        )


def _losses(figures: Figures) -> Iterator[Metric]:
    losses = figures.losses
    yield gauge(
        "hosts_by_loss",
        "Hosts with pinned servers, by whether all of these find a place "
        "elsewhere if the host fails.",
        {
            ("true",): losses.survived,
            ("false",): losses.not_survived,
        },
        "survived",
    )
    yield gauge(
        "survivable_losses",
        "Hosts that can fail one after the other, the fullest first, with a "
        "place for all their pinned servers; counted up to 10.",
        {(): losses.in_turn},
    )


def _findings(figures: Figures) -> Iterator[Metric]:
    if figures.findings is None:
        return
    counted = collections.Counter(each.code for each in figures.findings)
    yield gauge(
        "audit_findings",
        "Findings of the audit that two looks in a row have.",
        {
            (code.value, code.severity.value): counted[code]
            for code in (
                *OF_BOOKS, *(OF_ALLOCATIONS if figures.allocations else ())
            )
        },
        "code", "severity",
    )
