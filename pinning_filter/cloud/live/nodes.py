"""The compute nodes of one cell (v2), from Nova's objects.

Runs within a context that points at the cell's database; which cells there
are, and how long they may take, is for whoever calls.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from nova import conf, context, objects

from pinning_filter.cloud.closed import Kind, clause
from pinning_filter.cloud.live import (
    guests,
    moves,
    reading,
    rows,
    settling,
)
from pinning_filter.cloud.snapshot import Aggregate, Node, Provider, SelfFound
from pinning_filter.core.host import Host
from pinning_filter.core.text import one_line
from pinning_filter.fleet.hosts import Guest, Unplaced
from pinning_filter.fleet.servers import Server
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import stats as nova_stats


def nodes(
    cell_context: context.RequestContext,
    cell: objects.CellMapping,
    is_up: Callable[[objects.Service], bool],
    with_guests: bool = True,
    since: str = "",
) -> tuple[list[tuple[Node, str]], set[str]]:
    """Every compute node of the cell, with the UUID of its provider.

    And the UUIDs of what is being built or moved there, and of what changed
    since a moment, if one is given.
    """
    known = services(cell_context)
    servers = collections.defaultdict(list)
    held: moves.Held = {}
    moving: set[str] = set()
    unsettled: set[settling.Where] = set()
    if with_guests:
        found = moves.read(cell_context)
        held, moving = found.held, set(found.ids)
        unsettled = settling.nodes(cell_context)
        moving |= guests.changed(cell_context, since) if since else set()
        for server in rows.every(cell_context):
            if server.host:
                servers[server.host, server.node].append(server)
            if not server.host or server.task_state:
                moving.add(server.uuid)
    made = []
    for name, node in named(cell_context):
        reading.alive()
        key = (node.host, node.hypervisor_hostname)
        closed = _closed(known.get(node.host), cell, is_up)
        read = _node(node, name, cell, closed)
        read = _with_guests(read, servers.pop(key, []))
        read = _with_held(read, held.get(key, ()))
        read = dataclasses.replace(read, unsettled=key in unsettled)
        made.append((read, node.uuid))
    return made, moving


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
        return clause(Kind.CELL_DISABLED, f"{cell.name} is disabled")
    if service is None:
        return clause(Kind.NO_SERVICE)
    if service.disabled:
        why = one_line(service.disabled_reason or "")
        return clause(Kind.DISABLED, f": {why}" if why else "")
    if service.forced_down:
        return clause(Kind.FORCED_DOWN)
    if not is_up(service):
        return clause(Kind.DOWN, f" since {service.last_seen_up}")
    return ""


def _node(
    node: objects.ComputeNode,
    name: str,
    cell: objects.CellMapping,
    closed: str,
) -> Node:
    node_stats = nova_stats.read(node.stats if "stats" in node else None)
    read = _host(node, node_stats)
    return Node(
        name=name,
        host=read.host,
        closed=closed,
        problem=read.problem,
        cell=cell.name or cell.uuid,
        pci_pools=tuple(_pools(node)),
        strategy=nova_fit.strategy(node_stats),
        plain_nova=not node_stats.ours,
        found=_found(node),
        driver=node_stats.version or "",
        prefers=node_stats.prefers,
        old_record=read.old,
    )


def _found(node: objects.ComputeNode) -> SelfFound | None:
    """What the compute node found of itself, if it looks."""
    said = nova_stats.read_findings(node.stats if "stats" in node else None)
    return said and SelfFound(said.number, said.codes)


def _with_guests(
    node: Node, servers: list[rows.Row]
) -> Node:
    """The node with the servers that are on it."""
    here: list[Guest] = []
    unplaced: list[Unplaced] = []
    floating: list[Server] = []
    for server in servers:
        found = guests.read(server, node.host)
        if isinstance(found, Guest):
            here.append(found)
        elif isinstance(found, Server):
            floating.append(found)
        elif node.host is not None:
            unplaced.append(found)
        else:
            floating.append(Server(server.uuid, stays=found.why))
    return dataclasses.replace(
        node,
        guests=tuple(here),
        unplaced=tuple(unplaced),
        others=len(floating),
        others_ids=tuple(each.id for each in floating),
        floating=tuple(floating),
        old_servers=tuple(
            server.uuid
            for server in servers
            if server.uuid in reading.unmended()
        ),
    )


def _with_held(
    node: Node,
    held: Sequence[tuple[rows.Row, objects.InstanceNUMATopology]],
) -> Node:
    """The node with what moves hold there."""
    if node.host is None or not held:
        return node
    found = [
        guests.read(server, node.host, topology)
        for server, topology in held
    ]
    return dataclasses.replace(
        node, held=tuple(each for each in found if isinstance(each, Guest))
    )


class _Read(NamedTuple):
    """What was read of a node's NUMA topology."""

    host: Host | None  #: None: there is none, or it cannot be used
    problem: str = ""  #: why it cannot be used
    old: bool = False  #: whether an older Nova wrote it


def _host(
    node: objects.ComputeNode, node_stats: nova_stats.NodeStats
) -> _Read:
    """A node's host, or why there is none that can be used."""
    if not node.numa_topology:
        return _Read(None)
    old = False
    try:
        topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
        # A newer one could not have been read.
        newest = objects.NUMACell.VERSION
        old = any(newest != cell.VERSION for cell in topology.cells)
        # What the filter insists on.
        nova_host.cached(topology, countable=True)
        host = nova_host.host_from_nova(
            topology, node.cpu_allocation_ratio, node.ram_allocation_ratio
        )
        # And what whoever reads a dump insists on.
        return _Read(_plain(node_stats.with_layout(host)).check(), old=old)
    except Exception as error:
        # One bad row must not cost the others, whatever is wrong with it.
        problem = f"its NUMA topology cannot be read: {error}"
        return _Read(None, one_line(problem), old)


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
