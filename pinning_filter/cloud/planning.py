"""A snapshot -> the cloud that moves are planned in.

More than :meth:`Snapshot.cloud`, which is what the engine alone needs: servers
without NUMA cells, the Placement API's books, server groups and devices.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from pinning_filter.cloud.snapshot import Flavor, Node, Snapshot
from pinning_filter.core.host import Host
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet.hosts import Cloud, CloudHost, HostDevices
from pinning_filter.fleet.servers import Group, Server

#: A server of either kind.
_Server = TypeVar("_Server", bound=Server)


def cloud(snapshot: Snapshot, strategy: Strategy) -> Cloud:
    """The hosts with all that decides on where their servers may go.

    :param strategy: of hosts whose own is not known.
    """
    reader = _Reader(
        {each.name: each for each in snapshot.flavors},
        {id: group for group in snapshot.groups for id in group.members},
        any(
            server.devices
            for node in snapshot.nodes
            for server in (*node.guests, *node.floating)
        ),
    )
    return Cloud(
        tuple(reader.host(node, strategy) for node in snapshot.nodes)
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader:
    flavors: Mapping[str, Flavor]
    groups: Mapping[str, Group]  #: by the UUID of a server
    devices: bool  #: whether any server has some

    def host(self, node: Node, strategy: Strategy) -> CloudHost:
        provider = node.provider
        closed = node.closed
        if node.problem and not closed:
            closed = node.problem
        return CloudHost(
            node.name,
            node.host or Host(()),
            tuple(self._server(node, each) for each in node.guests),
            closed,
            node.strategy or strategy,
            tuple(self._server(node, each) for each in node.floating),
            provider.inventories if provider else None,
            self._pools(node),
        )

    def _server(self, node: Node, server: _Server) -> _Server:
        return dataclasses.replace(
            server,
            amounts=self._amounts(node, server),
            group=self.groups.get(server.id),
        )

    def _amounts(self, node: Node, server: Server) -> Mapping[str, int]:
        """What it holds, or what its flavor asks for.

        Its disk only where it is known: it may be a volume.
        """
        allocations = node.provider and node.provider.allocations
        if allocations and server.id in allocations:
            return allocations[server.id]
        flavor = self.flavors.get(server.flavor)
        if flavor is None:
            return {}
        pcpus = server.pcpus
        found = {
            "PCPU": pcpus,
            "VCPU": max(0, flavor.vcpus - pcpus),
            "MEMORY_MB": flavor.ram_mib,
        }
        return {name: amount for name, amount in found.items() if amount}

    def _pools(self, node: Node) -> HostDevices | None:
        if not (self.devices and node.host and node.pci_pools):
            return None
        # Nova takes a second to import, and most clouds do not need it.
        from pinning_filter.nova.pools import Pools

        return Pools(node.host, node.pci_pools)
