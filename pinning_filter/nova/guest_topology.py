"""Nova's versioned objects <-> the values of ``pinning_filter.core``.

Guests and their placements; hosts are read in ``nova_host``. The two are the
only places where MiB become KiB and back, and that know what Nova calls its
fields. Decides nothing: extra specs and image properties were parsed by Nova
when it made the objects read here.
"""

from __future__ import annotations

from nova import objects

from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell
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
