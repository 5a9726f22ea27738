"""The compute nodes and guests of one cell (v2), from Nova's objects.

Runs within a context that points at the cell's database; which cells there
are, and how long they may take, is for whoever calls.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

from nova import conf, context, objects
from nova.virt import hardware

from pinning_filter import nova_host, nova_objects, nova_stats
from pinning_filter.cli.live import reading
from pinning_filter.cli.output import one_line
from pinning_filter.cli.snapshot import Aggregate, Node, Provider
from pinning_filter.core.cloud import Guest
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import Request

#: Servers read at a time.
_AT_ONCE = 1000
#: Of a server that is a guest, what is read beside its own row.
_BESIDE = ["flavor", "numa_topology", "system_metadata", "pci_devices"]
_MIGRATABLE = ("active", "paused")
_DISABLED = "is disabled"


def nodes(
    cell_context: context.RequestContext,
    cell: objects.CellMapping,
    is_up: Callable[[objects.Service], bool],
    with_guests: bool = True,
) -> list[tuple[Node, str]]:
    """Every compute node of the cell, with the UUID of its provider."""
    known = services(cell_context)
    instances = collections.defaultdict(list)
    if with_guests:
        for instance in _instances(cell_context, _BESIDE):
            instances[instance.host, instance.node].append(instance)
    guests = _Guests()
    made = []
    for name, node in named(cell_context):
        reading.alive()
        here = instances.pop((node.host, node.hypervisor_hostname), [])
        closed = _closed(known.get(node.host), cell, is_up)
        made.append((_node(node, name, guests, here, cell, closed), node.uuid))
    return made


def flavor_ids(cell_context: context.RequestContext) -> set[int]:
    """The flavors that servers of the cell have, by their number."""
    return {
        instance.instance_type_id
        for instance in _instances(cell_context, [])
        if instance.instance_type_id is not None
    }


def services(
    cell_context: context.RequestContext,
) -> dict[str, objects.Service]:
    """The compute services of the cell, by host."""
    found = objects.ServiceList.get_by_binary(
        cell_context, "nova-compute", include_disabled=True
    )
    return {service.host: service for service in found}


def named(
    cell_context: context.RequestContext,
) -> list[tuple[str, objects.ComputeNode]]:
    """The compute nodes of the cell, with the names that they have here."""
    found = objects.ComputeNodeList.get_all(cell_context)
    hosts = collections.Counter(node.host for node in found)
    # Only drivers for bare metal have several nodes a host.
    return [
        (
            node.host if hosts[node.host] == 1 else node.hypervisor_hostname,
            node,
        )
        for node in found
    ]


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


def surrounded(
    node: Node, aggregates: tuple[Aggregate, ...], provider: Provider | None
) -> Node:
    """The node with what other databases and services know of it."""
    zones = [
        each.metadata["availability_zone"]
        for each in aggregates
        if "availability_zone" in each.metadata
    ]
    return dataclasses.replace(
        node,
        aggregates=aggregates,
        zone=zones[0] if zones else conf.CONF.default_availability_zone,
        provider=provider,
    )


def _closed(
    service: objects.Service | None,
    cell: objects.CellMapping,
    is_up: Callable[[objects.Service], bool],
) -> str:
    """Why the compute service takes no guests."""
    if cell.disabled:
        return f"its cell {cell.name} {_DISABLED}"
    if service is None:
        return "it has no compute service"
    if service.disabled:
        why = f": {one_line(service.disabled_reason or '')}"
        return f"the compute service {_DISABLED}{why if why != ': ' else ''}"
    if service.forced_down:
        return "the compute service is forced down"
    if not is_up(service):
        return f"the compute service is down since {service.last_seen_up}"
    return ""


def _instances(
    cell_context: context.RequestContext, beside: list[str]
) -> Iterator[objects.Instance]:
    """Every server on a compute node, a few at a time.

    :param beside: what is read of it beside its own row.
    """
    marker = None
    while True:
        found = objects.InstanceList.get_by_filters(
            cell_context,
            {"deleted": False},
            sort_keys=["uuid"],
            sort_dirs=["asc"],
            limit=_AT_ONCE,
            marker=marker,
            expected_attrs=beside,
        )
        yield from (each for each in found if each.host)
        if len(found) < _AT_ONCE:
            return
        marker = found[-1].uuid


def _node(
    node: objects.ComputeNode,
    name: str,
    guests: _Guests,
    instances: list[objects.Instance],
    cell: objects.CellMapping,
    closed: str,
) -> Node:
    host, problem = _host(node)
    here = []
    for instance in instances:
        guest = guests.read(instance, host) if host else None
        if guest:
            here.append(guest)
    return Node(
        name=name,
        host=host,
        guests=tuple(here),
        others=len(instances) - len(here),
        closed=closed,
        problem=problem,
        cell=cell.name or cell.uuid,
        pci_pools=tuple(_pools(node)),
    )


def _host(node: objects.ComputeNode) -> tuple[Host | None, str]:
    """A node's host, or why there is none that can be used."""
    if not node.numa_topology:
        return None, ""
    try:
        topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
        # What the filter insists on.
        nova_host.known(topology, countable=True)
        host = nova_host.host_from_nova(
            topology, node.cpu_allocation_ratio, node.ram_allocation_ratio
        )
    except Exception as error:
        # One bad row must not cost the others, whatever is wrong with it.
        return None, one_line(f"its NUMA topology cannot be read: {error}")
    stats = node.stats if "stats" in node else None
    return _plain(nova_stats.read(stats).told_of(host)), ""


def _plain(host: Host) -> Host:
    """Plain sets: Nova's check every element of every result."""
    return host._replace(
        cells=tuple(
            cell._replace(
                dedicated=frozenset(cell.dedicated),
                pinned=frozenset(cell.pinned),
                siblings=tuple(map(frozenset, cell.siblings)),
                shared=frozenset(cell.shared),
                physnets=frozenset(cell.physnets),
                free=frozenset(cell.free),
            )
            for cell in host.cells
        )
    )


def _pools(node: objects.ComputeNode) -> Iterator[dict[str, Any]]:
    """PCI devices, without what only says where each is."""
    for pool in node.pci_device_pools or ():
        kept = pool.to_dict()
        for name in ("address", "parent_ifname"):
            kept.pop(name, None)
        yield kept


class _Guests:
    """Reads servers, and remembers what flavors and images ask for."""

    def __init__(self) -> None:
        self._known: dict[object, Request | None] = {}

    def read(self, instance: objects.Instance, host: Host) -> Guest | None:
        """A server and where it sits; None if it sits in no host cells."""
        topology = instance.numa_topology
        if topology is None:
            return None
        cells = {cell.id: cell for cell in host.cells}
        if any(cell.id not in cells for cell in topology.cells):
            return None
        fitted = nova_objects.request_from_nova(topology)
        request = self._asked(instance)
        if request is None or len(request.cells) != len(fitted.cells):
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
            name=instance.display_name or "",
            flavor=instance.flavor.name,
            fixed=_fixed(instance),
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
                self._known[key] = nova_objects.request_from_nova(
                    hardware.numa_get_constraints(flavor, instance.image_meta)
                )
        return self._known[key]


def _fixed(instance: objects.Instance) -> str:
    if instance.vm_state not in _MIGRATABLE:
        return f"it is {instance.vm_state}"
    if instance.task_state:
        return f"it is {instance.task_state}"
    if instance.pci_devices and instance.pci_devices.objects:
        return "it has PCI devices"
    return ""
