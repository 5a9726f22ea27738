"""A running cloud -> a snapshot of it."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Sequence
from typing import TypeVar

from nova import conf, objects, servicegroup

from pinning_filter.cloud.live import asked, nodes, placement
from pinning_filter.cloud.live import guests as live_guests
from pinning_filter.cloud.live.session import Session
from pinning_filter.cloud.snapshot import Aggregate, Flavor, Node, Snapshot
from pinning_filter.fleet.servers import Group, Server

#: A server of either kind.
_Server = TypeVar("_Server", bound=Server)

#: What of a flavor decides on where its servers go.
_SPECS = (
    "hw:",
    "resources",
    "trait",
    "group_policy",
    "quota:cpu_",
    "aggregate_instance_extra_specs:",
    "capabilities:",
    "pci_passthrough:",
)


def snapshot(
    session: Session,
    *,
    guests: bool = True,
    with_placement: bool = False,
    allocations: bool = False,
    since: str = "",
    requests: bool = False,
) -> Snapshot:
    """What can be seen of the cloud now.

    :param guests: whether to read them, which takes longer than all else.
    :param with_placement: whether to ask the Placement API too.
    :param allocations: whether to ask it who holds what.
    :param since: servers that changed since this moment, in UTC, count as
        moving.
    :param requests: whether to read server groups, and the zones that servers
        asked for, too: whoever plans moves needs them.
    :raises InputError: if not even the API database answers.
    """
    aggregates = session.api(objects.AggregateList.get_all)
    flavors = session.api(objects.FlavorList.get_all)
    found, moving, unreachable = _nodes(session, guests, since)
    providers = {}
    if with_placement:
        uuids = [uuid for _, uuid in found]
        providers = placement.providers(
            session.context, uuids, allocations=allocations
        )
    now = datetime.datetime.now(datetime.timezone.utc)
    made = [
        nodes.surrounded(
            node, _aggregates(aggregates, node.name), providers.get(uuid)
        )
        for node, uuid in found
    ]
    groups: tuple[Group, ...] = ()
    if requests:
        groups = session.api(asked.groups)
        made = _with_zones(session, made)
    return Snapshot(
        tuple(sorted(made, key=lambda node: node.name)),
        tuple(map(_flavor, flavors)),
        unreachable,
        now.isoformat(timespec="seconds"),
        tuple(conf.CONF.filter_scheduler.enabled_filters),
        tuple(conf.CONF.pci.alias),
        frozenset(moving),
        groups,
    )


def _with_zones(session: Session, made: Sequence[Node]) -> list[Node]:
    """The nodes, with the zones that their servers asked for."""
    servers = [
        each.id for node in made for each in (*node.guests, *node.floating)
    ]
    zones = session.api(asked.zones, servers)

    def zoned(some: tuple[_Server, ...]) -> tuple[_Server, ...]:
        return tuple(
            dataclasses.replace(each, zone=zones.get(each.id))
            for each in some
        )

    return [
        dataclasses.replace(
            node, guests=zoned(node.guests), floating=zoned(node.floating)
        )
        for node in made
    ]


def flavors_in_use(session: Session) -> set[str]:
    """The names of the flavors that servers have, where these still exist.

    :raises InputError: if the API database does not answer.
    """
    # Cells that do not answer are reported where their hosts are missing.
    found, _ = session.each_cell(
        lambda targeted, cell: live_guests.flavor_ids(targeted)
    )
    ids = set().union(*found)
    flavors = session.api(objects.FlavorList.get_all)
    return {flavor.name for flavor in flavors if flavor.id in ids}


def _nodes(
    session: Session, guests: bool, since: str
) -> tuple[list[tuple[Node, str]], set[str], dict[str, str]]:
    """Compute nodes; what is built or moved there; and the cells that did
    not answer, with the cause.
    """
    up = servicegroup.API().service_is_up
    found, unreachable = session.each_cell(
        lambda targeted, cell: nodes.nodes(
            targeted, cell, up, guests, since
        )
    )
    moving = set[str]().union(*(moving for _, moving in found))
    made = itertools.chain.from_iterable(nodes for nodes, _ in found)
    return list(made), moving, unreachable


def _flavor(flavor: objects.Flavor) -> Flavor:
    specs = flavor.extra_specs if "extra_specs" in flavor else {}
    return Flavor(
        flavor.name,
        flavor.vcpus,
        flavor.memory_mb,
        flavor.root_gb + flavor.ephemeral_gb,
        {
            key: value
            for key, value in sorted(specs.items())
            if key.startswith(_SPECS)
        },
    )


def _aggregates(
    aggregates: objects.AggregateList, host: str
) -> tuple[Aggregate, ...]:
    return tuple(
        Aggregate(each.name, dict(each.metadata))
        for each in aggregates
        if host in each.hosts
    )
