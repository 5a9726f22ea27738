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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from nova import objects

from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell, Pages, threads_of
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
#: Where a host cell remembers what was read of it.
_KNOWN = "_pinning_filter_read"

_NONE: frozenset[str] = frozenset()
_NOWHERE: Mapping[int, int] = {}

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
_PAGE_FIELDS = ("size_kb", "total", "used", "reserved")


def _reader(fields: Sequence[str]) -> Callable[[Any], Any]:
    return operator.attrgetter(*(f"_obj_{name}" for name in fields))


#: Past the constructors, which take longer than all the rest.
_new = tuple.__new__
_read_cells = operator.attrgetter("_obj_cells")
_read_cell = _reader(_FIELDS)
_read_pages = _reader(_PAGE_FIELDS)
_read_used = _reader(["used"])


def host_from_nova(
    topology: objects.NUMATopology,
    cpu_ratio: float | None = None,
    ram_ratio: float | None = None,
    *,
    networks: bool = True,
    countable: bool = False,
) -> Host:
    """Read a host's NUMA topology.

    :param cpu_ratio: the host's ``cpu_allocation_ratio``; None: no limit.
    :param ram_ratio: the host's ``ram_allocation_ratio``; None: no limit.
    :param networks: whether to read what networks the cells are near to.
    :param countable: whether to insist on what the fit does not need, but
        Nova's own accounting (``numa_usage_from_instance_numa``), which
        follows every choice of a host and raises without it: a socket and
        memory pages in every cell.
    :raises InvalidHost: naming every field that is missing or makes no sense.
    """
    try:
        cells = [
            _host_cell(cell, countable) for cell in _read_cells(topology)
        ]
        if networks:
            cells = list(map(_with_networks, cells, topology.cells))
    except (AttributeError, TypeError, NotImplementedError) as error:
        problems = _complaints(topology, countable) or [str(error)]
        raise InvalidHost("host", problems) from error
    if len(cells) > 1 and len({cell[0] for cell in cells}) < len(cells):
        raise InvalidHost("host", ["several NUMA cells have the same id"])
    return Host(cells, cpu_ratio, ram_ratio)


class _Known(NamedTuple):
    """What was read of a host cell, and of which objects."""

    fields: tuple[Any, ...]
    pinned: int  #: how many pCPUs were pinned
    used: list[float]  #: pages used, by page size
    countable: bool  #: whether Nova was found able to count guests there
    cell: HostCell


def _host_cell(cell: objects.NUMACell, countable: bool) -> HostCell:
    """Read a cell, or take what was read of it before.

    Nova changes a host's usage by putting new objects in the place of the
    old, so what was read holds for as long as every field holds the very
    object that it held then. Usage that others change in place, as tests
    may, is looked at nevertheless.
    """
    fields = _read_cell(cell)
    kept = vars(cell)
    known = kept.get(_KNOWN)
    if (
        known is not None
        and all(map(operator.is_, known.fields, fields))
        and known.pinned == len(fields[2])
        and known.used == list(map(_read_used, fields[8]))
        and (known.countable or not countable)
    ):
        return known.cell
    read = _host_cell_anew(fields, kept, countable)
    used = [pages.used for pages in read.pages]
    kept[_KNOWN] = _Known(fields, len(fields[2]), used, countable, read)
    return read


def _host_cell_anew(
    fields: tuple[Any, ...], kept: dict[str, Any], countable: bool
) -> HostCell:
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
    ) = fields
    if siblings is None or shared is None:
        raise TypeError("a field is None")
    # One look at all numbers: negative if one is, an error if one is none.
    if number | shared_used | memory_mib | memory_used_mib < 0:
        raise TypeError("a number is below 0")
    if countable and not (mempages and "_obj_socket" in kept):
        raise TypeError("Nova could not count a guest here")
    return _new(
        HostCell,
        (
            number,
            dedicated,
            pinned,
            siblings,
            shared,
            shared_used,
            memory_mib << 10,
            memory_used_mib << 10,
            _pages(mempages),
            kept.get("_obj_socket"),
            _NONE,
            False,
            (),
            _NOWHERE,
            dedicated - pinned,
            threads_of(siblings),
        ),
    )


def _with_networks(read: HostCell, cell: objects.NUMACell) -> HostCell:
    if "network_metadata" not in cell:
        return read
    near = cell.network_metadata
    return read._replace(physnets=near.physnets, tunneled=near.tunneled)


def _pages(mempages: list[objects.NUMAPagesTopology]) -> list[Pages]:
    try:
        return [_new(Pages, each) for each in map(_read_pages, mempages)]
    except AttributeError:
        # Before Liberty pages had no "reserved".
        return [
            Pages(pages.size_kb, pages.total, pages.used) for pages in mempages
        ]


def _complaints(topology: Any, countable: bool) -> list[str]:
    """What is wrong with a topology that could not be read."""
    cells = getattr(topology, "cells", None)
    if not isinstance(cells, list | tuple):
        return [f"a {type(topology).__name__} is not a NUMA topology"]
    problems = []
    for index, cell in enumerate(cells):
        kept = getattr(cell, "__dict__", {})
        where = f"NUMA cell {kept.get('_obj_id', index)}: its"
        problems += [
            f"{where} {name} is "
            + ("None" if f"_obj_{name}" in kept else "missing")
            for name in _FIELDS
            if kept.get(f"_obj_{name}") is None
        ]
        if countable and "_obj_socket" not in kept:
            problems.append(f"{where} socket is missing")
        if countable and kept.get("_obj_mempages") == []:
            problems.append(f"{where} memory pages are missing")
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
    # Nova gives all guest cells the same policies. A guest cell without
    # vCPUs is false, so nothing here asks whether it is true.
    first = next(iter(topology.cells), None)
    policy = None if first is None else first.cpu_policy
    thread_policy = None if first is None else first.cpu_thread_policy
    physnets: frozenset[str] = frozenset()
    tunneled = False
    if network_metadata:
        if "physnets" in network_metadata:
            physnets = frozenset(network_metadata.physnets)
        if "tunneled" in network_metadata:
            tunneled = network_metadata.tunneled
    return Request(
        tuple(
            GuestCell(
                # Plain sets: Nova's check every element of every union.
                frozenset(cell.pcpuset),
                frozenset(cell.cpuset),
                cell.memory << 10,
                page_size,
            )
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
    return remembering(fitted, template)


def remembering(
    fitted: objects.InstanceNUMATopology,
    template: objects.InstanceNUMATopology,
) -> objects.InstanceNUMATopology:
    """The same fitted topology, and it knows what page sizes were asked."""
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


def unfitted(
    topology: objects.InstanceNUMATopology, *, aborted: bool = False
) -> objects.InstanceNUMATopology:
    """A copy of what a guest asks for, as a claim gets it.

    :param topology: fitted before or not; read, never changed.
    :param aborted: as the next claim gets it if the one before is aborted:
        Nova clears the ids of the guest cells then.
    """
    fresh = topology.obj_clone()
    for index, (cell, size) in enumerate(
        zip(fresh.cells, _asked_page_sizes(topology), strict=True)
    ):
        cell.id = -1 if aborted else index
        cell.pagesize = size
        cell.cpu_pinning = {} if aborted else None
        cell.cpuset_reserved = None
    return fresh


def placement_from_nova(
    host: Host, topology: objects.InstanceNUMATopology
) -> Placement:
    """Read the placement of a guest that Nova keeps, whoever decided it.

    What it says is taken as it is; whether that obeys the rules is asked of
    :func:`pinning_filter.core.check.problems`.

    :raises InvalidHost: if the guest is on a host cell that is not there.
    :raises InvalidRequest: if no flavor and image can ask for such a guest.
    """
    request = request_from_nova(topology)
    cells = {cell.id: cell for cell in host.cells}
    missing = sorted({cell.id for cell in topology.cells} - cells.keys())
    if missing:
        raise InvalidHost(
            "host",
            [f"a guest is on its cells {missing}; it has {sorted(cells)}"],
        )
    return Placement(
        request,
        tuple(
            _placed_cell(guest_cell, cells[cell.id], cell)
            for guest_cell, cell in zip(
                request.cells, topology.cells, strict=True
            )
        ),
    )


def _placed_cell(
    guest_cell: GuestCell, host_cell: HostCell, cell: objects.InstanceNUMACell
) -> CellPlacement:
    pinning = cell.cpu_pinning if "cpu_pinning_raw" in cell else None
    reserved = cell.cpuset_reserved if "cpuset_reserved" in cell else None
    size = cell.pagesize if "pagesize" in cell else None
    return CellPlacement(
        guest_cell,
        host_cell,
        dict(sorted((pinning or {}).items())),
        size or None,
        frozenset(reserved or ()),
    )
