"""The servers of one cell (v2), from Nova's objects, and where they sit.

Runs within a context that points at the cell's database.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from nova import context, objects
from nova.db.main import api as main_db
from nova.db.main import models
from nova.virt import hardware

from pinning_filter.cloud.live import movable
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import Request
from pinning_filter.core.text import one_line
from pinning_filter.fleet.hosts import Guest, Unplaced
from pinning_filter.fleet.servers import Server
from pinning_filter.nova import guest_topology

#: Servers read at a time.
_AT_ONCE = 1000
#: Of a server that is a guest, what is read beside its own row.
BESIDE = ["flavor", "numa_topology", "system_metadata", "pci_requests"]
#: As the state of a server is called that has a domain.
_RUNNING = ("active", "paused", "rescued")


def instances(
    cell_context: context.RequestContext,
) -> Iterator[objects.Instance]:
    """Every server, a few at a time; without a host those that are built,
    that failed, or that are shelved."""
    marker = None
    while True:
        try:
            found = _batch(cell_context, marker, BESIDE)
        except Exception:
            # A row of it is junk. Each is read by itself, when it is asked.
            found = _batch(cell_context, marker, [])
        yield from found
        if len(found) < _AT_ONCE:
            return
        marker = found[-1].uuid


def _batch(
    cell_context: context.RequestContext,
    marker: str | None,
    beside: list[str],
) -> objects.InstanceList:
    return objects.InstanceList.get_by_filters(
        cell_context,
        {"deleted": False},
        sort_keys=["uuid"],
        sort_dirs=["asc"],
        limit=_AT_ONCE,
        marker=marker,
        expected_attrs=beside,
    )


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


class Guests:
    """Reads servers, and remembers what flavors and images ask for."""

    def __init__(self) -> None:
        self._known: dict[object, Request | None] = {}

    def read(
        self,
        instance: objects.Instance,
        host: Host | None,
        topology: objects.InstanceNUMATopology | None = None,
    ) -> Guest | Unplaced | Server:
        """A server and where it sits; that alone if it has no NUMA topology.

        :param topology: what it holds there; None: what it runs with.
        """
        try:
            return self._read(
                instance, host, topology or instance.numa_topology
            )
        except Exception as error:
            # One bad row must not cost the others, whatever is wrong with it.
            reason = one_line(str(error))[:100]
            return _unplaced(instance, f"its record cannot be read: {reason}")

    def _read(
        self,
        instance: objects.Instance,
        host: Host | None,
        topology: objects.InstanceNUMATopology | None,
    ) -> Guest | Unplaced | Server:
        if topology is None:
            return Server(instance.uuid, **_movable(instance))
        if host is None:
            return _unplaced(instance, "the host reports no NUMA cells")
        cells = {cell.id: cell for cell in host.cells}
        if gone := {cell.id for cell in topology.cells} - cells.keys():
            why = f"the host has no NUMA cell {min(gone)}"
            return _unplaced(instance, why)
        fitted = guest_topology.request_from_nova(topology)
        request = self._asked(instance)
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
            id=instance.uuid,
            request=request,
            placement=Placement(request, placed),
            runs=instance.vm_state in _RUNNING and not instance.task_state,
            **_movable(instance),
        )

    def _asked(self, instance: objects.Instance) -> Request | None:
        """What was asked for at first, page sizes such as "large" included;
        None if Nova no longer takes it.
        """
        flavor = instance.flavor
        key = (
            flavor.vcpus,
            flavor.memory_mb,
            frozenset(flavor.extra_specs.items()),
            frozenset(
                (name, value)
                for name, value in instance.system_metadata.items()
                if name.startswith("image_")
            ),
        )
        if key not in self._known:
            self._known[key] = None
            # Extra specs that Nova no longer takes, say.
            with contextlib.suppress(Exception):
                self._known[key] = guest_topology.request_from_nova(
                    hardware.numa_get_constraints(flavor, instance.image_meta)
                )
        return self._known[key]


def _vcpus(request: Request) -> list[AbstractSet[int]]:
    return [cell.vcpus for cell in request.cells]


def _unplaced(instance: objects.Instance, why: str) -> Unplaced:
    flavor = ""
    with contextlib.suppress(Exception):
        flavor = instance.flavor.name
    return Unplaced(instance.uuid, instance.display_name or "", flavor, why)


def _movable(instance: objects.Instance) -> dict[str, Any]:
    """What planning a move takes to know of a server."""
    return {
        "name": instance.display_name or "",
        "flavor": instance.flavor.name,
        "fixed": movable.fixed(instance),
        "stays": movable.stays(instance),
        "paused": instance.vm_state == "paused",
        "devices": movable.devices(instance),
    }
