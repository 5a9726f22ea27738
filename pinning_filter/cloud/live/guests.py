"""The servers of one cell (v2), and where they sit.

Runs within a context that points at the cell's database.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Set as AbstractSet
from typing import Any

from nova import context, objects
from nova.db.main import api as main_db
from nova.db.main import models
from nova.virt import hardware

from pinning_filter.cloud.live import movable, rows
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import Request
from pinning_filter.core.text import one_line
from pinning_filter.fleet.hosts import Guest, Unplaced
from pinning_filter.fleet.servers import Server
from pinning_filter.nova import guest_topology

#: As the state of a server is called that has a domain.
_RUNNING = ("active", "paused", "rescued")


def changed(cell_context: context.RequestContext, since: str) -> set[str]:
    """UUIDs of servers that changed since a moment, deleted ones too."""
    moment = datetime.datetime.fromisoformat(since)
    found = objects.InstanceList.get_by_filters(
        cell_context, {"changes-since": moment}, expected_attrs=[]
    )
    return {each.uuid for each in found}


@main_db.pick_context_manager_reader
def flavor_ids(cell_context: context.RequestContext) -> set[int]:
    """The flavors that servers of the cell have, by their number.

    One question for all of them: Nova has no object that asks so little.
    """
    column = models.Instance.instance_type_id
    found = (
        cell_context.session.query(column)
        .filter(models.Instance.deleted == 0)
        .filter(models.Instance.host.is_not(None))
        .distinct()
    )
    return {number for (number,) in found if number is not None}


def servers(
    cell_context: context.RequestContext, server: str, by_uuid: bool
) -> dict[str, str]:
    """UUID -> fault of each server of that UUID or name."""
    wanted = (
        {"uuid": server.lower()}
        if by_uuid
        else {"display_name": f"^{re.escape(server)}$"}
    )
    found = objects.InstanceList.get_by_filters(
        cell_context, {"deleted": False, **wanted}, expected_attrs=["fault"]
    )
    return {
        each.uuid: each.fault.message if each.fault else ""
        for each in found
        if by_uuid or each.display_name == server
    }


def read(
    server: rows.Row,
    host: Host | None,
    topology: objects.InstanceNUMATopology | None = None,
) -> Guest | Unplaced | Server:
    """A server and where it sits; that alone if it has no NUMA topology.

    :param topology: what it holds there; None: what it runs with.
    """
    try:
        return _read(server, host, topology or server.numa_topology)
    except Exception as error:
        # One bad row must not cost the others, whatever is wrong with it.
        reason = one_line(str(error))[:100]
        return _unplaced(server, f"its record cannot be read: {reason}")


def _read(
    server: rows.Row,
    host: Host | None,
    topology: objects.InstanceNUMATopology | None,
) -> Guest | Unplaced | Server:
    if topology is None:
        return Server(server.uuid, **_movable(server))
    if host is None:
        return _unplaced(server, "the host reports no NUMA cells")
    cells = {cell.id: cell for cell in host.cells}
    if gone := {cell.id for cell in topology.cells} - cells.keys():
        why = f"the host has no NUMA cell {min(gone)}"
        return _unplaced(server, why)
    fitted = guest_topology.request_from_nova(topology)
    request = server.of_kind(_asked)
    if request is None or _vcpus(request) != _vcpus(fitted):
        # While it is resized, the other end has what it had before.
        request = fitted
    placed = tuple(
        CellPlacement(
            asked,
            cells[cell.id],
            dict(cell.cpu_pinning or {}),
            got.page_size,
            frozenset(cell.cpuset_reserved or ()),
        )
        for asked, got, cell in zip(
            request.cells, fitted.cells, topology.cells, strict=True
        )
    )
    return Guest(
        id=server.uuid,
        request=request,
        placement=Placement(request, placed),
        runs=server.vm_state in _RUNNING and not server.task_state,
        **_movable(server),
    )


def _asked(
    flavor: objects.Flavor, image: objects.ImageMeta
) -> Request | None:
    """What was asked for at first, page sizes such as "large" included;
    None if Nova no longer takes it.
    """
    # Extra specs that Nova no longer takes, say.
    with contextlib.suppress(Exception):
        return guest_topology.request_from_nova(
            hardware.numa_get_constraints(flavor, image)
        )
    return None


def _vcpus(request: Request) -> list[AbstractSet[int]]:
    return [cell.vcpus for cell in request.cells]


def _unplaced(server: rows.Row, why: str) -> Unplaced:
    flavor = ""
    with contextlib.suppress(Exception):
        flavor = server.flavor.name
    return Unplaced(server.uuid, server.name, flavor, why)


def _movable(server: rows.Row) -> dict[str, Any]:
    """What planning a move takes to know of a server."""
    return {
        "name": server.name,
        "flavor": server.flavor.name,
        "fixed": movable.fixed(server),
        "stays": movable.stays(server),
        "paused": server.vm_state == "paused",
        "devices": movable.devices(server),
    }
