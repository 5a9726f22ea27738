"""Nova's versioned objects <-> the values of ``pinning_filter.core``.

The only place where MiB become KiB and back, and the only one that knows
what Nova calls its fields. Decides nothing: extra specs and image properties
were parsed by Nova when it made the objects read here.

A scheduler reads thousands of cells for one request, and the property behind
every field of a versioned object costs more than the field is worth; so the
fields of host cells are read from where the objects keep them
(``_obj_<field>``), all in one call. Nothing is read that way but host cells.
"""

from __future__ import annotations

import operator
from typing import Any

from nova import objects

from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)

#: Where a fitted topology remembers the page sizes that were asked for. The
#: scheduler fits the next server of the same request from the topology that
#: it got for the one before, in which they are no longer "large" or "any".
_ASKED = "_pinning_filter_asked_page_sizes"

_FIELDS = (
    "id",
    "pcpuset",
    "pinned_cpus",
    "siblings",
    "cpuset",
    "cpu_usage",
    "memory",
    "memory_usage",
    "mempages",
)
_read_cell = operator.attrgetter(*(f"_obj_{name}" for name in _FIELDS))
_PAGE_FIELDS = ("size_kb", "total", "used", "reserved")
_read_pages = operator.attrgetter(*(f"_obj_{name}" for name in _PAGE_FIELDS))


def host_from_nova(
    topology: objects.NUMATopology,
    cpu_ratio: float | None = None,
    ram_ratio: float | None = None,
) -> Host:
    """Read a host's NUMA topology.

    :param cpu_ratio: the host's ``cpu_allocation_ratio``; None: no limit.
    :param ram_ratio: the host's ``ram_allocation_ratio``; None: no limit.
    :raises InvalidHost: naming every field that is missing or makes no sense.
    """
    try:
        cells = tuple(map(_host_cell, topology.cells))
    except (AttributeError, TypeError, NotImplementedError) as error:
        raise InvalidHost("host", _complaints(topology, error)) from error
    return Host(cells, cpu_ratio, ram_ratio)


def _host_cell(cell: objects.NUMACell) -> HostCell:
    (
        number,
        dedicated,
        pinned,
        siblings,
        shared,
        shared_used,
        memory_mib,
        memory_used_mib,
        mempages,
    ) = _read_cell(cell)
    kept = vars(cell)
    network = kept.get("_obj_network_metadata")
    return HostCell(
        number,
        dedicated,
        pinned,
        siblings,
        shared,
        shared_used,
        memory_mib << 10,
        memory_used_mib << 10,
        tuple(map(_pages, mempages)),
        kept.get("_obj_socket"),
        network.physnets if network else frozenset(),
        network.tunneled if network else False,
    )


def _pages(pages: objects.NUMAPagesTopology) -> Pages:
    try:
        return Pages._make(_read_pages(pages))
    except AttributeError:
        # Before Liberty pages had no "reserved".
        return Pages(pages.size_kb, pages.total, pages.used)


def _complaints(topology: Any, error: Exception) -> list[str]:
    """What is wrong with a topology that could not be read."""
    cells = getattr(topology, "cells", None)
    if not isinstance(cells, list | tuple):
        return [f"a {type(topology).__name__} is not a NUMA topology"]
    problems = []
    for index, cell in enumerate(cells):
        kept = getattr(cell, "__dict__", {})
        problems += [
            f"NUMA cell {kept.get('_obj_id', index)}: its {name} is "
            + ("None" if f"_obj_{name}" in kept else "missing")
            for name in _FIELDS
            if kept.get(f"_obj_{name}") is None
        ]
    return problems or [f"its NUMA cells cannot be read: {error}"]


def unaccountable(topology: objects.NUMATopology) -> list[str]:
    """What keeps Nova from counting a new guest on this host, if anything.

    Nova's own accounting (``numa_usage_from_instance_numa``), which follows
    every choice of a host, raises on a cell that does not have these, and
    with that fails every server of the request.
    """
    problems = []
    for cell in topology.cells:
        kept = vars(cell)
        if "_obj_socket" not in kept:
            problems.append(f"NUMA cell {cell.id}: its socket is missing")
        if not kept["_obj_mempages"]:
            problems.append(f"NUMA cell {cell.id}: it has no memory pages")
    return problems


def request_from_nova(
    topology: objects.InstanceNUMATopology,
    network_metadata: objects.NetworkMetadata | None = None,
) -> Request:
    """Read what a guest asks for.

    Ids and pinning, which an object carries that was fitted before, are
    ignored, and its page sizes are the ones asked for then.

    :raises InvalidRequest: with every problem.
    """
    first = topology.cells[0] if topology.cells else None
    policy = first.cpu_policy if first else None
    thread_policy = first.cpu_thread_policy if first else None
    physnets: frozenset[str] = frozenset()
    tunneled = False
    if network_metadata:
        if "physnets" in network_metadata:
            physnets = frozenset(network_metadata.physnets)
        if "tunneled" in network_metadata:
            tunneled = network_metadata.tunneled
    return Request(
        tuple(
            GuestCell(cell.pcpuset, cell.cpuset, cell.memory << 10, page_size)
            for cell, page_size in zip(
                topology.cells, _asked_page_sizes(topology), strict=True
            )
        ),
        CpuPolicy(policy) if policy else CpuPolicy.SHARED,
        ThreadPolicy(thread_policy) if thread_policy else ThreadPolicy.PREFER,
        topology.emulator_threads_isolated,
        physnets,
        tunneled,
    )


def _asked_page_sizes(
    topology: objects.InstanceNUMATopology,
) -> tuple[int | None, ...]:
    asked = getattr(topology, _ASKED, None)
    if asked is not None:
        return asked
    return tuple(
        (cell.pagesize or None) if "pagesize" in cell else None
        for cell in topology.cells
    )


def instance_topology(
    placement: Placement, template: objects.InstanceNUMATopology
) -> objects.InstanceNUMATopology:
    """Write a placement as Nova keeps it.

    :param template: what the placement answers; read, never changed.
    :returns: a new object, its cells with the host cells' ids, the pinning,
        the pCPUs reserved and the page sizes chosen.
    """
    fitted = objects.InstanceNUMATopology(
        cells=[
            _instance_cell(placed, cell)
            for placed, cell in zip(
                placement.cells, template.cells, strict=True
            )
        ],
        emulator_threads_policy=(
            template.emulator_threads_policy
            if "emulator_threads_policy" in template
            else None
        ),
    )
    setattr(fitted, _ASKED, _asked_page_sizes(template))
    return fitted


def _instance_cell(
    placed: CellPlacement, cell: objects.InstanceNUMACell
) -> objects.InstanceNUMACell:
    fitted = objects.InstanceNUMACell(
        id=placed.host_cell.id,
        cpuset=set(cell.cpuset),
        pcpuset=set(cell.pcpuset),
        cpuset_reserved=set(placed.reserved) or None,
        memory=cell.memory,
        cpu_policy=cell.cpu_policy,
        cpu_thread_policy=cell.cpu_thread_policy,
    )
    if placed.page_size_kib or "pagesize" in cell:
        fitted.pagesize = placed.page_size_kib
    if placed.pinning:
        fitted.cpu_pinning = dict(placed.pinning)
    if "cpu_topology" in cell:
        fitted.cpu_topology = cell.cpu_topology
    return fitted
